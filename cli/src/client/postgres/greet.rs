//! The conversation with a new client until it may speak to the relay.

use std::io;

use hoop_shared::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::client::postgres::first::{self, HEAD, Head, NotPostgres};
use crate::client::postgres::scram::{ScramError, Verifier};
use crate::client::postgres::words;

/// What a client wants, with the bytes that the relay must see.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// A connection: its startup packet.
    Connect(Vec<u8>),
    /// To cancel a query: its cancel request.
    Cancel(Vec<u8>),
}

/// Why a client does not get further.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// It is no PostgreSQL client. It gets no answer: whatever it is would not understand it.
    #[error("{0}")]
    NotPostgres(#[from] NotPostgres),
    /// It asks for encryption again and again.
    #[error("asks twice for the same encryption")]
    AsksTwice,
    /// It does not prove that it knows the password.
    #[error("{0}")]
    Scram(#[from] ScramError),
    /// It is gone.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads what a client wants, answering requests for encryption with no. Nothing is read beyond its first packet.
///
/// # Errors
/// It is no PostgreSQL client, or gone.
pub async fn first_packet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<Wish, GreetError> {
    let (mut asked_ssl, mut asked_gss) = (false, false);
    loop {
        let mut head = [0_u8; HEAD];
        stream.read_exact(&mut head).await?;
        let known = first::read(head);
        let (rest, cancels) = match known {
            Ok(Head::Ssl) if !std::mem::replace(&mut asked_ssl, true) => {
                stream.write_all(words::NO_ENCRYPTION).await?;
                continue;
            }
            Ok(Head::GssEncryption) if !std::mem::replace(&mut asked_gss, true) => {
                stream.write_all(words::NO_ENCRYPTION).await?;
                continue;
            }
            Ok(Head::Ssl | Head::GssEncryption) => return Err(GreetError::AsksTwice),
            Ok(Head::Cancel(rest)) => (rest, true),
            Ok(Head::Startup(rest)) => (rest, false),
            Err(NotPostgres::Version(major, minor)) => {
                let text = format!("unsupported frontend protocol {major}.{minor}: 3.0 and later are supported");
                stream.write_all(&words::fatal("0A000", &text, None)).await?;
                return Err(NotPostgres::Version(major, minor).into());
            }
            Err(other) => return Err(other.into()),
        };
        let mut packet = head.to_vec();
        packet.resize(HEAD + rest, 0);
        if let Some(rest) = packet.get_mut(HEAD..) {
            stream.read_exact(rest).await?;
        }
        return Ok(if cancels {
            Wish::Cancel(packet)
        } else {
            Wish::Connect(packet)
        });
    }
}

/// Asks a client for the password. One that is let in waits for `AuthenticationOk` next.
///
/// # Errors
/// It does not know the password, and has been told so; or it is gone.
pub async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    startup: &[u8],
    verifier: &Verifier,
) -> Result<(), GreetError> {
    match exchange(stream, verifier).await {
        Err(GreetError::Scram(error)) => {
            let user = first::user(startup.get(HEAD..).unwrap_or_default()).unwrap_or_default();
            let answer = match error {
                ScramError::WrongPassword => words::fatal(
                    "28P01",
                    &format!("password authentication failed for user \"{user}\""),
                    Some("the password is the one that hoopctl printed for this session"),
                ),
                ScramError::Malformed => words::fatal("08P01", "malformed SCRAM message", None),
                ScramError::Unsupported => words::fatal(
                    "0A000",
                    "this server offers SCRAM-SHA-256 without channel binding",
                    None,
                ),
                ScramError::NoRandomness => words::fatal("58000", "the system has no randomness", None),
            };
            stream.write_all(&answer).await?;
            Err(error.into())
        }
        other => other,
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, verifier: &Verifier) -> Result<(), GreetError> {
    stream.write_all(&words::offer()).await?;
    let response = password_message(stream).await?;
    let (mechanism, client_first) = words::initial_response(&response).ok_or(ScramError::Malformed)?;
    if mechanism != words::MECHANISM {
        return Err(ScramError::Unsupported.into());
    }
    let challenge = verifier.challenge(client_first)?;
    stream.write_all(&words::proceed(challenge.message())).await?;
    let response = password_message(stream).await?;
    let client_final = std::str::from_utf8(&response).map_err(|_| ScramError::Malformed)?;
    let last = challenge.verify(client_final)?;
    stream.write_all(&words::done(&last)).await?;
    Ok(())
}

async fn password_message<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, GreetError> {
    let mut header = [0_u8; 5];
    stream.read_exact(&mut header).await?;
    let length = words::password_message(header).ok_or(ScramError::Malformed)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Tells a client that was promised nothing yet why it cannot be served.
///
/// # Errors
/// It is gone.
pub async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, refusal: &Refusal) -> io::Result<()> {
    stream.write_all(&words::refused(refusal)).await?;
    stream.shutdown().await
}
