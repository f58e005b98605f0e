//! Recorded sessions: one's own, and those that a `replay` permit opens; ending running ones.
//!
//! What one may not see is answered as if it were not there.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::routing::{get, post};
use hoop_shared::api::{EventShown, SessionShown, SessionSummary, Verified};
use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use hoop_shared::refusal::{Code, Refusal};
use serde::Deserialize;

use super::query::{Ask, Id, bounded};
use super::{Api, ApiError, Caller, Json, Need, Peer, Route};
use crate::approval::Person;
use crate::config::Connection;
use crate::engine::postgres::replay;
use crate::policy::{Action, Circumstances, Resource};
use crate::record::{Counts, Recordings, RecordingsError, Rows, ShowLimits};
use crate::store::StoreError;
use crate::store::sessions::{SessionFilter, StoredSession};

/// Events of one answer, where the question does not say.
const EVENTS: usize = 1_000;
/// The most events of one answer.
const MOST_EVENTS: usize = 10_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/sessions",
        need: Need::Login,
        handler: || get(list),
    },
    Route {
        method: "GET",
        path: "/v1/sessions/{id}",
        need: Need::Login,
        handler: || get(show),
    },
    Route {
        method: "GET",
        path: "/v1/sessions/{id}/verify",
        need: Need::Login,
        handler: || get(verify),
    },
    Route {
        method: "POST",
        path: "/v1/sessions/{id}/kill",
        need: Need::Login,
        handler: || post(kill),
    },
];

/// `?before=ID&limit=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    before: Option<SessionId>,
    limit: Option<u32>,
}

/// `?after=SEQ&limit=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<u64>,
    limit: Option<usize>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    peer: Peer,
    Ask(asked): Ask<Listing>,
) -> Result<Json<Vec<SessionSummary>>, ApiError> {
    let rules = api.door.rules.load_full();
    let open = |connection: &&Arc<Connection>| may(&api, &caller, &peer, connection, Action::Replay);
    let filter = SessionFilter {
        of: Person::of(caller.identity()),
        connections: rules
            .config()
            .connections
            .iter()
            .filter(open)
            .map(|connection| connection.name.clone())
            .collect(),
        before: asked.before,
        limit: bounded(asked.limit),
    };
    let sessions = api.store.sessions(&filter).await.map_err(failed)?;
    Ok(Json(
        sessions
            .into_iter()
            .map(|session| current(&api, session.summary))
            .collect(),
    ))
}

async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    peer: Peer,
    Id(id): Id<SessionId>,
    Ask(page): Ask<Page>,
) -> Result<Json<SessionShown>, ApiError> {
    let session = visible(&api, &caller, &peer, &id).await?;
    let limits = ShowLimits {
        after: page.after,
        events: page.limit.unwrap_or(EVENTS).clamp(1, MOST_EVENTS),
        ..ShowLimits::default()
    };
    let shown = read(&api, &id, move |recordings, id| recordings.show(id, decode, limits)).await?;
    let shown = shown.map_err(|error| unreadable(&id, &error))?;
    if page.after.is_none() {
        tracing::info!(session = %id, by = caller.identity().label(), "recording shown");
    }
    let mut summary = session.summary;
    counted(&mut summary, shown.counts);
    let mut events = shown.events;
    if let (Some(problem), false) = (shown.problem, shown.cut) {
        tracing::error!(session = %id, problem, "recording not as it was written");
        tell(problem, page.after, &mut events);
    }
    Ok(Json(SessionShown { summary, events }))
}

/// Says behind the last event what is wrong with the rest, once.
fn tell(problem: String, after: Option<u64>, events: &mut Vec<EventShown>) {
    let last = events.last();
    if last.is_some() || after.is_none() {
        events.push(EventShown {
            seq: last.map_or(0, |last| last.seq + 1),
            time: last.map(|last| last.time.clone()).unwrap_or_default(),
            kind: "problem".to_owned(),
            detail: Some(problem),
            ..EventShown::default()
        });
    }
}

async fn verify(
    State(api): State<Arc<Api>>,
    caller: Caller,
    peer: Peer,
    Id(id): Id<SessionId>,
) -> Result<Json<Verified>, ApiError> {
    visible(&api, &caller, &peer, &id).await?;
    let checked = read(&api, &id, Recordings::verify).await?;
    Ok(Json(match checked {
        Ok(check) => check.verified,
        // The store knows the session: that its recording is gone is what verifying is for.
        Err(RecordingsError::NotFound(_)) => Verified {
            session: id,
            ok: false,
            events: 0,
            last_good: None,
            problem: Some("the recording is missing".to_owned()),
        },
        Err(error) => return Err(unreadable(&id, &error).into()),
    }))
}

/// Ends a session; one that has ended stays so.
async fn kill(
    State(api): State<Arc<Api>>,
    caller: Caller,
    peer: Peer,
    Id(id): Id<SessionId>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let session = api
        .store
        .session(&id)
        .await
        .map_err(failed)?
        .ok_or_else(|| unknown(&id))?;
    if !is_own(&caller, &session) && !may_on(&api, &caller, &peer, &session, Action::Kill) {
        if may_on(&api, &caller, &peer, &session, Action::Replay) {
            return Err(Refusal::new(Code::Blocked, format!("you may see {id}, but not end it")).into());
        }
        return Err(unknown(&id).into());
    }
    let by = caller.identity().label();
    if api.door.registry.kill(&id, by) {
        tracing::info!(session = %id, by, "session killed");
    }
    Ok(Json(serde_json::json!({})))
}

/// A session that the caller may see.
async fn visible(api: &Api, caller: &Caller, peer: &Peer, id: &SessionId) -> Result<StoredSession, ApiError> {
    let session = api.store.session(id).await.map_err(failed)?;
    let session =
        session.filter(|session| is_own(caller, session) || may_on(api, caller, peer, session, Action::Replay));
    Ok(session.ok_or_else(|| unknown(id))?)
}

fn is_own(caller: &Caller, session: &StoredSession) -> bool {
    session.owner == Person::of(caller.identity())
}

/// Policy permits an action on the connection of a session. On one that is not configured any more, nothing is permitted.
fn may_on(api: &Api, caller: &Caller, peer: &Peer, session: &StoredSession, action: Action) -> bool {
    let rules = api.door.rules.load();
    let connection = rules.config().connection(&session.summary.connection);
    connection.is_some_and(|connection| may(api, caller, peer, connection, action))
}

fn may(api: &Api, caller: &Caller, peer: &Peer, connection: &Connection, action: Action) -> bool {
    let source: IpAddr = peer.address.ip();
    let around = Circumstances {
        reason: None,
        source,
        now: SystemTime::now(),
    };
    let rules = api.door.rules.load();
    rules
        .policies()
        .permits_to(&**caller.identity(), connection, action, &Resource::Connection, &around)
}

/// A running session's line, with what it has done so far.
fn current(api: &Api, mut summary: SessionSummary) -> SessionSummary {
    if summary.ended.is_none()
        && let Some(session) = api.door.registry.get(&summary.id)
    {
        counted(&mut summary, session.recorder().counts());
    }
    summary
}

fn counted(summary: &mut SessionSummary, counts: Counts) {
    summary.operations = counts.operations;
    summary.blocked = counts.blocked;
    summary.held = counts.held;
    summary.masked = counts.masked;
}

/// Reads a recording where waiting for a disk hinders nobody.
async fn read<T: Send + 'static>(
    api: &Api,
    id: &SessionId,
    read: impl FnOnce(&Recordings, &SessionId) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let (recordings, id) = (Arc::clone(&api.door.recordings), id.clone());
    tokio::task::spawn_blocking(move || read(&recordings, &id))
        .await
        .map_err(|fault| {
            tracing::error!(%fault, "recording not read");
            Refusal::new(Code::RelayFault, "the recording cannot be read")
        })
}

/// A result's content, by its protocol.
fn decode(protocol: Protocol, content: &[u8], most: usize) -> Rows {
    match protocol {
        Protocol::Postgres => replay::decode(content, most),
    }
}

fn unknown(id: &SessionId) -> Refusal {
    Refusal::new(Code::NotFound, format!("there is no session {id}"))
        .hint("`hoopctl sessions ls` shows those that you may see")
}

fn unreadable(id: &SessionId, error: &RecordingsError) -> Refusal {
    tracing::error!(session = %id, %error, "recording not read");
    let message = match error {
        RecordingsError::NotFound(_) => format!("the recording of {id} is missing"),
        _ => format!("the recording of {id} cannot be read"),
    };
    Refusal::new(Code::RelayFault, message).hint("tell the relay's operator")
}

/// Logs a failure of the store, once, and tells the user no more than that.
fn failed(error: StoreError) -> ApiError {
    tracing::error!(%error, "store");
    Refusal::from(error).into()
}

#[cfg(test)]
mod tests;
