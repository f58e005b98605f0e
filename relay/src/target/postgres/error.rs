//! Why the relay cannot reach a PostgreSQL server: what an operator must know, and what a client may.

use std::io;

use hoop_shared::refusal::{Code, Refusal};

use crate::engine::postgres::codec::DecodeError;

/// Why there is no connection. `Display` is for operators; [`DialError::refusal`] is for clients.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing answers at the address.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port, or the socket's path.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A step takes too long.
    #[error("{address} does not answer in time ({phase})")]
    TimedOut {
        /// Host and port, or the socket's path.
        address: String,
        /// What it was about.
        phase: &'static str,
    },
    /// The server does not speak TLS, and the configuration wants it.
    #[error("the server refuses TLS, and `tls` of this connection wants it")]
    TlsRefused,
    /// The server answers the request for TLS with something else.
    #[error("the server's answer to the request for TLS is {0:#04x}: it is no PostgreSQL server")]
    NotPostgres(u8),
    /// The certificate is not the expected one, or TLS fails otherwise.
    #[error("TLS with the server fails: {0}")]
    Tls(io::Error),
    /// The CA file cannot be used.
    #[error("the CA file {path} cannot be used: {problem}")]
    Ca {
        /// The file.
        path: String,
        /// Why.
        problem: String,
    },
    /// `verify-ca` or `verify-full` cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    TlsSetup(String),
    /// The server wants a password, and there is none.
    #[error("the server asks for a password, and the connection has none")]
    NoPassword,
    /// The server wants the password in clear over a way that is not known to lead to it.
    #[error(
        "the server asks for the password in clear, which it gets only under `tls = \"verify-ca\"` or `\"verify-full\"`"
    )]
    ClearPassword,
    /// The server wants a method that the relay does not speak.
    #[error("the server asks for the authentication method {0}, which is not supported")]
    Method(String),
    /// The server does not prove that it knows the password, or breaks the exchange.
    #[error("the server fails its part of SCRAM: {0}")]
    Scram(io::Error),
    /// The server refuses the login.
    #[error("the server refuses the login: {message} (SQLSTATE {code})")]
    Refused {
        /// SQLSTATE.
        code: String,
        /// Its message.
        message: String,
    },
    /// The server's bytes are not of the protocol.
    #[error("the server's answer is not of the protocol: {0}")]
    Decode(#[from] DecodeError),
    /// The server closes the connection.
    #[error("the server closes the connection while it logs in")]
    Closed(#[source] io::Error),
}

impl DialError {
    /// What a client may know: which kind of trouble, and who can help, without addresses and texts of the target.
    pub fn refusal(&self, connection: &str) -> Refusal {
        let (message, hint) = match self {
            Self::Connect { .. } => (
                format!("the target of {connection} cannot be reached"),
                "it may be down, or the relay may not be allowed to reach it; the relay's log says more",
            ),
            Self::TimedOut { .. } => (
                format!("the target of {connection} does not answer in time"),
                "try again; the relay's log says which step took too long",
            ),
            Self::TlsRefused => (
                format!("the target of {connection} refuses TLS"),
                "an operator must turn on TLS there, or change `tls` of this connection",
            ),
            Self::Tls(_) => (
                format!("the target of {connection} does not show the expected certificate"),
                "an operator must check `tls` and `ca` of this connection; the relay's log says more",
            ),
            Self::Ca { .. } | Self::TlsSetup(_) => (
                format!("the relay's TLS settings for {connection} cannot be used"),
                "an operator must check `tls` and `ca` of this connection",
            ),
            Self::NoPassword | Self::ClearPassword | Self::Method(_) => (
                format!("the target of {connection} asks for a login that the relay does not have"),
                "an operator must check `user`, `password` and `tls` of this connection",
            ),
            Self::Scram(_) => (
                format!("the target of {connection} does not prove that it is the right one"),
                "an operator must check the address and the password of this connection",
            ),
            Self::Refused { code, .. } if code == "28P01" || code == "28000" => (
                format!("the target of {connection} refuses the relay's login"),
                "an operator must check `user` and `password` of this connection",
            ),
            Self::Refused { code, .. } if code == "3D000" => (
                format!("the database of {connection} does not exist"),
                "an operator must check `database` of this connection",
            ),
            Self::Refused { code, .. } if code == "53300" => (
                format!("the target of {connection} has no free connection"),
                "try again later",
            ),
            Self::Refused { code, .. } if code == "57P03" => (
                format!("the target of {connection} is starting or stopping"),
                "try again later",
            ),
            Self::Refused { .. } => (
                format!("the target of {connection} refuses the relay"),
                "the relay's log says why",
            ),
            Self::NotPostgres(_) | Self::Decode(_) => (
                format!("the target of {connection} does not answer as PostgreSQL does"),
                "an operator must check `address` of this connection",
            ),
            Self::Closed(_) => (
                format!("the target of {connection} closed the connection"),
                "try again; the target's log may say why",
            ),
        };
        Refusal::new(Code::TargetUnreachable, message).hint(hint)
    }
}
