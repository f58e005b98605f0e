//! Serving one client connection of a session, from its startup to its end.

use std::sync::Arc;

use bytes::BytesMut;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::Says;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::admit::{dismiss, opening, settings, welcome};
use super::codec::backend::CancelKey;
use super::drive::{Outside, Served, drive};
use super::run::RunClient;
use super::session::{Bounds, Conversation};
use super::startup::{Identity, Opening};
use super::warden::Warden;
use crate::inspect::sql::settings::PINS;
use crate::session::Session;
use crate::target::postgres::{Dialled, TargetNames, Targets, dial};

/// The most messages of a client connection that wait for their answers.
const OUTSTANDING: usize = 65_536;

/// Serves a client. It runs on a data reactor, where tasks are local.
///
/// Not cancel safe: a dropped call drops both connections.
pub async fn serve<S>(mut client: S, session: Arc<Session>, targets: &Targets) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = session.grant().connection();
    let names = targets.of(connection);
    let target = names.target();
    let identity = Identity {
        user: &target.user,
        database: &target.database,
    };
    let mut input = BytesMut::new();
    let asked = match opening(&mut client, &mut input, identity).await {
        Some(Opening::Start(asked)) => asked,
        Some(Opening::Cancel(key)) => {
            let signed = |bits: u32| i32::from_be_bytes(bits.to_be_bytes());
            // As at the server, a client that asks to cancel learns nothing.
            session.cancel_keys().cancel(signed(key.process), signed(key.secret));
            let _ = client.shutdown().await;
            return Served::Client;
        }
        None => return Served::Client,
    };
    session.touch();
    let path = match names.search_path().await {
        Ok(path) => path,
        Err(error) => {
            tracing::warn!(session = %session.id(), error = &error as &dyn std::error::Error, "the target cannot be reached");
            dismissed(&mut client, &error.refusal(&connection.name), &session).await;
            return Served::Target;
        }
    };
    let dialled = match dial(target, &settings(&asked, PINS, &path)).await {
        Ok(dialled) => dialled,
        Err(error) => {
            tracing::warn!(session = %session.id(), error = &error as &dyn std::error::Error, "the target cannot be reached");
            dismissed(&mut client, &error.refusal(&connection.name), &session).await;
            return Served::Target;
        }
    };
    let prepared = session.cancel_keys().issue().and_then(|key| Ok((key, random()?)));
    let Ok((key, nonce)) = prepared else {
        dismissed(
            &mut client,
            &Refusal::new(Code::RelayFault, "the relay has no randomness"),
            &session,
        )
        .await;
        return Served::Ended;
    };
    let stream = Stream {
        input,
        dialled,
        names,
        key,
        nonce,
    };
    match session.run().cloned() {
        None => converse(client, session, stream).await,
        Some(run) if run.begin() => {
            let client = RunClient::new(client, Arc::clone(&session), run, &stream.input);
            converse(client, session, stream).await
        }
        Some(_) => {
            let message = "a run has one client connection";
            dismissed(&mut client, &Refusal::new(Code::LimitExceeded, message), &session).await;
            Served::Client
        }
    }
}

/// Tells a client why its session does not begin.
async fn dismissed(client: &mut (impl AsyncWrite + Unpin), refusal: &Refusal, session: &Session) {
    let word = session.run().and_then(|run| run.word(Says::Refused(refusal.clone())));
    dismiss(client, refusal, word).await;
}

/// A client connection whose startup is read, and its target's.
struct Stream {
    input: BytesMut,
    dialled: Dialled,
    names: Arc<TargetNames>,
    key: crate::session::CancelKey,
    nonce: u64,
}

async fn converse<S>(mut client: S, session: Arc<Session>, stream: Stream) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Stream {
        input,
        dialled,
        names,
        key,
        nonce,
    } = stream;
    let unsigned = |bits: i32| u32::from_be_bytes(bits.to_be_bytes());
    let shown = CancelKey {
        process: unsigned(key.pid()),
        secret: unsigned(key.key()),
    };
    let warden = Warden::new(session.clone(), names, session.stream_number(), dialled.backend_key);
    let welcome = welcome(&dialled.parameters, shown, dialled.status);
    if client.write_all(&welcome).await.is_err() || client.flush().await.is_err() {
        return Served::Client;
    }
    let limits = session.limits();
    let bounds = Bounds {
        statement: limits.statement_bytes,
        names: limits.prepared_statements,
        masked_row: limits.masked_row_bytes,
        recorded_row: limits.recorded_row_bytes,
        outstanding: OUTSTANDING,
    };
    let core = Conversation::new(warden, bounds, dialled.status, nonce);
    let key = &key;
    let outside = Outside {
        ended: session.ended(),
        cancelled: || key.requested(),
    };
    let served = drive(
        core,
        client,
        dialled.io,
        input,
        dialled.input,
        limits.held_bytes,
        outside,
    )
    .await;
    tracing::debug!(session = %session.id(), ?served, "a client connection ended");
    served
}

fn random() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
