//! The client's startup, as a core without IO: requests for encryption are declined, the startup message is read, and what goes on
//! to the target is built from it, never copied.
//!
//! No password is asked for: the stream is already a proven client's (QUIC and its certificate), and its local end asks whoever
//! connects there. Source: PostgreSQL documentation, "Message Flow: Start-up".

mod settings;

use bytes::{Buf, BytesMut};
use hoop_shared::refusal::{Code, Refusal};

use super::codec::backend::CancelKey;
use super::codec::fields::Fields;
use super::codec::{DecodeError, write};
pub use settings::{Asked, Identity};

/// The longest startup packet, in bytes: what the server takes (`MAX_STARTUP_PACKET_LENGTH`).
const LONGEST: usize = 10_000;
/// The shortest: its length and its code.
const SHORTEST: usize = 8;
/// The most parameters: far above the handful that drivers send.
const PARAMETERS: usize = 256;

/// Why a client is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    /// Its bytes are no startup.
    #[error("the startup cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// It begins TLS without asking.
    #[error("the client begins TLS directly")]
    DirectTls,
    /// It asks for encryption again, or sends more before the answer.
    #[error("the client breaks the negotiation of encryption")]
    Negotiation,
    /// Its protocol is too old or too new.
    #[error("the client speaks protocol {0}.{1}")]
    Version(u16, u16),
    /// It asks for something that it may not have.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

impl StartupError {
    /// What the client is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Decode(error) => Refusal::new(Code::ProtocolViolation, format!("invalid startup packet: {error}")),
            Self::DirectTls => Refusal::new(
                Code::ProtocolViolation,
                "TLS is not spoken here: hoopctl's tunnel is encrypted already",
            )
            .hint("set sslmode=disable"),
            Self::Negotiation => Refusal::new(
                Code::ProtocolViolation,
                "unencrypted data after a request for encryption",
            ),
            Self::Version(major, minor) => Refusal::new(
                Code::Unsupported,
                format!("unsupported protocol {major}.{minor}: the relay speaks 3.0"),
            ),
            Self::Refused(refusal) => refusal.clone(),
        }
    }
}

/// What a client begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A session.
    Start(Asked),
    /// The cancellation of another stream's statement.
    Cancel(CancelKey),
}

/// What became of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More are needed.
    More,
    /// The client waits for this byte.
    Reply(u8),
    /// The startup is read. The client must first be told what it asked for and does not get, if anything.
    Done(Opening, Option<BytesMut>),
}

/// Reads startup packets, up to the one that begins something.
#[derive(Debug, Default)]
pub struct Greeter {
    tls_asked: bool,
    gss_asked: bool,
}

impl Greeter {
    /// Takes the packet at the front of `input`, if it is whole.
    ///
    /// # Errors
    /// The client cannot be let in.
    pub fn packet(&mut self, input: &mut BytesMut, identity: Identity<'_>) -> Result<Progress, StartupError> {
        if input.first() == Some(&0x16) {
            return Err(StartupError::DirectTls);
        }
        let Some(length) = input.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(Progress::More);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(SHORTEST..=LONGEST).contains(&length) {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            return Err(DecodeError::Length { tag: b'-', length }.into());
        }
        if input.len() < length {
            return Ok(Progress::More);
        }
        let mut packet = input.split_to(length);
        packet.advance(4);
        let mut fields = Fields::new(&packet);
        match fields.u32()? {
            code @ (write::SSL_REQUEST | write::GSSENC_REQUEST) => {
                fields.end()?;
                let asked = if code == write::SSL_REQUEST {
                    &mut self.tls_asked
                } else {
                    &mut self.gss_asked
                };
                // Bytes behind the request would be taken for encrypted ones by some, for clear ones by others.
                if std::mem::replace(asked, true) || !input.is_empty() {
                    return Err(StartupError::Negotiation);
                }
                Ok(Progress::Reply(b'N'))
            }
            write::CANCEL_REQUEST => {
                let process = fields.u32()?;
                let secret = fields.u32()?;
                fields.end()?;
                Ok(Progress::Done(Opening::Cancel(CancelKey { process, secret }), None))
            }
            version => {
                let [a, b, c, d] = version.to_be_bytes();
                let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                if major != 3 {
                    return Err(StartupError::Version(major, minor));
                }
                let parameters = parameters(fields)?;
                let unknown: Vec<&str> = parameters
                    .iter()
                    .filter_map(|(name, _)| name.starts_with("_pq_.").then_some(*name))
                    .collect();
                let negotiate = (minor > 0 || !unknown.is_empty()).then(|| {
                    let mut out = BytesMut::new();
                    write::negotiate(&mut out, &unknown);
                    out
                });
                let asked = Asked::read(&parameters, identity).map_err(StartupError::Refused)?;
                Ok(Progress::Done(Opening::Start(asked), negotiate))
            }
        }
    }
}

fn parameters(mut fields: Fields<'_>) -> Result<Vec<(&str, &str)>, DecodeError> {
    let mut parameters = Vec::new();
    loop {
        let name = fields.text()?;
        if name.is_empty() {
            fields.end()?;
            return Ok(parameters);
        }
        if parameters.len() >= PARAMETERS {
            return Err(DecodeError::Value("parameters"));
        }
        parameters.push((name, fields.text()?));
    }
}

#[cfg(test)]
mod tests;
