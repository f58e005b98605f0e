//! Why a relay does not start, or refuses a reload.

use std::net::SocketAddr;

use crate::authn::AuthnError;
use crate::authn::authority::AuthorityError;
use crate::config::Problem;
use crate::connection::TlsError;
use crate::dev::ProviderError;
use crate::mask::{KeyError, PatternError};
use crate::record::RecordingsError;
use crate::store::StoreError;
use crate::telemetry::MetricsError;

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration or a policy is wrong.
    #[error("the configuration is wrong")]
    Configuration(Vec<Problem>),
    /// The relay's own certificate cannot be used.
    #[error("the relay's certificate cannot be used: {0}")]
    Certificate(String),
    /// The private CA cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Logins cannot be set up.
    #[error(transparent)]
    Authn(#[from] AuthnError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Recordings cannot be written.
    #[error(transparent)]
    Recordings(#[from] RecordingsError),
    /// The keys of masks or recordings cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A mask cannot be read.
    #[error(transparent)]
    Mask(#[from] PatternError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The embedded identity provider does not start.
    #[error(transparent)]
    Dev(#[from] ProviderError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// `[listen] address`.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        error: std::io::Error,
    },
}

impl ServeError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

impl From<Vec<Problem>> for ServeError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Configuration(problems)
    }
}
