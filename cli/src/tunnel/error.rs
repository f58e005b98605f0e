//! Why there is no tunnel, and which of the reasons the other transport would not cure.

use std::io;

use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::tls::{RelayVerifier, Untrusted};
use hoop_shared::wire::{ReadError, WriteError};
use rustls::AlertDescription;

use crate::relay_address::RelayAddress;

/// What to do about a relay whose certificate is not valid now: no pin makes it so, and nobody should be talked into one.
pub const OTHER_TIME: &str =
    "set this machine's clock, by NTP for instance; if it is right, the relay's operator must renew its certificate";

/// Why a tunnel, session or stream could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// Neither transport reaches the relay.
    #[error("the relay {relay} cannot be reached: QUIC: {quic}; TCP: {tcp}")]
    Unreachable {
        /// The relay.
        relay: RelayAddress,
        /// What went wrong over QUIC.
        quic: String,
        /// What went wrong over TCP.
        tcp: String,
    },
    /// The relay's certificate is not one that is trusted.
    #[error("the relay is not trusted: {}", .0.problem)]
    Untrusted(Untrusted),
    /// The relay refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection was lost, or never came to be.
    #[error("the connection to the relay was lost: {0}")]
    Lost(String),
    /// The relay sent what it must not.
    #[error("the relay sent what cannot be read: {0}")]
    Protocol(String),
    /// The login's certificate and key, or the CA file, cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl TunnelError {
    /// The other transport would fail in the same way: there is nothing to try.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Untrusted(_) | Self::Refused(_) | Self::Tls(_) => true,
            Self::Unreachable { .. } | Self::Lost(_) | Self::Protocol(_) => false,
        }
    }

    /// The same in the words of every refusal: code, message, hint.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            Self::Untrusted(untrusted) => {
                let hint = match &untrusted.pin {
                    _ if untrusted.about_time => OTHER_TIME.to_owned(),
                    Some(pin) => {
                        format!("if this is your relay, and its operator confirms it: `hoopctl login --pin {pin}`")
                    }
                    None => "ask the relay's operator for its pin, and pass it with `hoopctl login --pin`".to_owned(),
                };
                Refusal::new(Code::Configuration, self.to_string()).hint(hint)
            }
            Self::Unreachable { .. } | Self::Lost(_) => Refusal::new(Code::RelayUnreachable, self.to_string())
                .hint("`hoopctl doctor` checks the way to the relay"),
            Self::Protocol(_) => Refusal::new(Code::ProtocolViolation, self.to_string())
                .hint("check that hoopctl and the relay are of the same version"),
            Self::Tls(_) => {
                Refusal::new(Code::Configuration, self.to_string()).hint("log in again with `hoopctl login`")
            }
        }
    }

    /// From a failed transport: what the relay's last TLS alert says, or what its certificate lacks, comes before the
    /// bare error.
    pub(super) fn from_io(error: &io::Error, verifier: &RelayVerifier) -> Self {
        match tls(error) {
            Some(rustls::Error::InvalidCertificate(_)) if verifier.refused().is_some() => Self::untrusted(verifier),
            _ => Self::lost(error),
        }
    }

    /// From a failed stream: the relay's last TLS alert comes before the bare error.
    fn lost(error: &io::Error) -> Self {
        match tls(error) {
            Some(rustls::Error::AlertReceived(alert)) => {
                refused_by_alert(*alert).map_or_else(|| Self::Lost(error.to_string()), Self::Refused)
            }
            Some(other @ (rustls::Error::NoApplicationProtocol | rustls::Error::PeerIncompatible(_))) => {
                Self::Refused(no_relay(&other.to_string()))
            }
            _ => Self::Lost(error.to_string()),
        }
    }

    pub(super) fn untrusted(verifier: &RelayVerifier) -> Self {
        Self::Untrusted(verifier.refused().unwrap_or_else(|| Untrusted {
            pin: None,
            problem: "its certificate is not valid".into(),
            about_time: false,
        }))
    }
}

impl From<ReadError> for TunnelError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Decode(error) => Self::Protocol(error.to_string()),
            ReadError::Io(error) => Self::lost(&error),
            truncated @ ReadError::Truncated => Self::Lost(truncated.to_string()),
        }
    }
}

impl From<WriteError> for TunnelError {
    fn from(error: WriteError) -> Self {
        match error {
            // What is too long for a frame is what the person gave: a reason, a name.
            WriteError::Encode(error) => Self::Refused(Refusal::new(Code::Usage, error.to_string())),
            WriteError::Io(error) => Self::lost(&error),
        }
    }
}

/// What the relay's TLS alert says about this client, where an error has one behind it.
pub(crate) fn refused_in_tls(error: &(dyn std::error::Error + 'static)) -> Option<Refusal> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // What an `io::Error` wraps is not among its sources.
        if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref().and_then(tls) {
            return refused_by_alert(*alert);
        }
        cause = error.source();
    }
    None
}

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What a TLS alert of the relay says about the client; `None` where it is about something else. In TLS 1.3 it comes
/// after the client's handshake is done.
pub(super) fn refused_by_alert(alert: AlertDescription) -> Option<Refusal> {
    let login = |message: &str| Refusal::new(Code::LoginNeeded, message).hint("log in with `hoopctl login`");
    match alert {
        AlertDescription::CertificateExpired => Some(login("the login has expired")),
        AlertDescription::CertificateRequired => Some(login("the relay asks for a login")),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => Some(login("the relay does not accept this login's certificate")),
        AlertDescription::NoApplicationProtocol | AlertDescription::ProtocolVersion => {
            Some(no_relay("it does not speak this version of the tunnel"))
        }
        _ => None,
    }
}

fn no_relay(why: &str) -> Refusal {
    Refusal::new(
        Code::VersionMismatch,
        format!("what answers there is no relay that this hoopctl can use: {why}"),
    )
    .hint("check the relay's address, and that hoopctl and the relay are of the same version")
}
