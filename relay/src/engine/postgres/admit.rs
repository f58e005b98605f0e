//! Letting a client in: its startup is read here, the welcome is said here. The deadline is one for all of it.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hoop_shared::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::codec::backend::{CancelKey, Status};
use super::codec::write::{self, Report, Severity};
use super::startup::{Asked, Greeter, Identity, Opening, Progress};

/// How long a client may take for its startup, in seconds: a person may have begun it by hand.
const STARTUP: Duration = Duration::from_secs(30);

/// Reads startups up to the one that begins something. `None`: the client left, or was refused and told so.
pub(super) async fn opening<S>(client: &mut S, input: &mut BytesMut, identity: Identity<'_>) -> Option<Opening>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(STARTUP, read(client, input, identity)).await {
        Ok(Ok(opening)) => opening,
        // It left, or never spoke: there is nobody to tell.
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn read<S>(client: &mut S, input: &mut BytesMut, identity: Identity<'_>) -> io::Result<Option<Opening>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut greeter = Greeter::default();
    loop {
        match greeter.packet(input, identity) {
            Ok(Progress::More) => {
                if client.read_buf(input).await? == 0 {
                    return Ok(None);
                }
            }
            Ok(Progress::Reply(byte)) => {
                client.write_all(&[byte]).await?;
                client.flush().await?;
            }
            Ok(Progress::Done(opening, told)) => {
                if let Some(told) = told {
                    client.write_all(&told).await?;
                }
                return Ok(Some(opening));
            }
            Err(error) => {
                tracing::debug!(%error, "a client is not let in");
                dismiss(client, &error.refusal(), None).await;
                return Ok(None);
            }
        }
    }
}

/// Tells a client why it is not let in, and closes. `word`: the same for the client of a run.
pub(super) async fn dismiss<S>(client: &mut S, refusal: &Refusal, word: Option<String>)
where
    S: AsyncWrite + Unpin,
{
    let mut report = Report::new(Severity::Fatal, refusal.code.sqlstate(), refusal.message.clone());
    report.hint.clone_from(&refusal.hint);
    report.word = word;
    let say = async {
        client.write_all(&report.to_bytes()).await?;
        client.flush().await?;
        client.shutdown().await
    };
    // A client that does not take its last word gets none.
    let _ = timeout(Duration::from_secs(5), say).await;
}

/// What a client is told when its session begins: no password is asked, and its cancel key is the relay's own.
pub(super) fn welcome(parameters: &[(String, String)], key: CancelKey, status: Status) -> Bytes {
    let mut out = BytesMut::with_capacity(512);
    write::authentication_ok(&mut out);
    for (name, value) in parameters {
        write::parameter_status(&mut out, name, value);
    }
    write::backend_key(&mut out, key);
    write::ready(&mut out, status);
    out.freeze()
}

/// The startup parameters for the target: what the client asked for, then the pins, which no name of the former can be.
pub(super) fn settings(asked: &Asked, pins: &[(&str, &str)], own_search_path: &str) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = asked
        .settings()
        .iter()
        .filter(|(name, _)| pins.iter().all(|(pin, _)| pin != name))
        .cloned()
        .collect();
    settings.extend(
        pins.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let path = asked.search_path().unwrap_or(own_search_path);
    // Unnamed, pg_temp would be searched first, even before pg_catalog: a temporary table would shadow a real one.
    let path = if path.trim().is_empty() {
        "pg_temp".to_owned()
    } else {
        format!("{path}, pg_temp")
    };
    settings.push(("search_path".to_owned(), path));
    settings
}
