//! Runs: where one's own stand, and what they gave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::{Bytes, BytesMut};
use hoop_shared::api::{Request, RequestStatus, RunShown, RunState};
use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::query::{Ask, Id};
use super::{Api, ApiError, Caller, Json, Need, Route};
use crate::approval::Person;
use crate::store::StoreError;
use crate::store::runs::{RunState as Stored, StoredRun};

/// The longest wait of one question; a client asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often it is looked whether something of a run that goes on waits now.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of a result that are read at a time.
const PIECE: usize = 64 << 10;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/runs/{id}",
        need: Need::Login,
        handler: || get(show),
    },
    Route {
        method: "GET",
        path: "/v1/runs/{id}/result",
        need: Need::Login,
        handler: || get(result),
    },
];

/// `?seconds=N&waits=ID`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    seconds: Option<u64>,
    /// What the client knows to wait: another request is news.
    waits: Option<hoop_shared::id::RequestId>,
}

/// `?from=start|left`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    from: Begin,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Begin {
    /// All of it.
    #[default]
    Start,
    /// What the client had not seen when it left.
    Left,
}

/// Answers when the run has ended, something else of it waits, or the time is over.
async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Id(id): Id<SessionId>,
    Ask(asked): Ask<Waiting>,
) -> Result<Json<RunShown>, ApiError> {
    let longest = asked
        .seconds
        .map_or(Duration::ZERO, Duration::from_secs)
        .min(LONGEST_WAIT);
    let until = Instant::now() + longest;
    loop {
        let run = own(&api, &caller, &id).await?;
        let waits = pending(&api, &id).await?;
        let is_news = waits
            .as_ref()
            .is_some_and(|request| Some(&request.id) != asked.waits.as_ref());
        if run.state != Stored::Running || is_news || Instant::now() >= until {
            return Ok(Json(shown(&run, waits)));
        }
        let changed = async {
            match &waits {
                Some(request) => match api.door.desk.watch(&request.id).await {
                    Some(mut watched) => drop(watched.changed().await),
                    None => sleep(LOOK).await,
                },
                None => sleep(LOOK).await,
            }
        };
        tokio::select! {
            () = changed => {}
            () = sleep_until(until) => {}
        }
    }
}

/// Streams the kept result of a run that has ended: PostgreSQL's messages as its client would have read them.
async fn result(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Id(id): Id<SessionId>,
    Ask(asked): Ask<Asked>,
) -> Result<Response, ApiError> {
    let run = own(&api, &caller, &id).await?;
    if run.state != Stored::Done {
        return Err(Refusal::new(Code::OutcomeUnknown, format!("the run of session {id} has no result")).into());
    }
    let gone = || {
        Refusal::new(Code::NotFound, format!("the result of session {id} is not kept"))
            .hint(format!("`hoopctl sessions show {id}` has what was recorded of it"))
    };
    let file = api.door.results.read(&id).map_err(|_| gone())?;
    let mut file = File::from_std(file);
    if asked.from == Begin::Left && run.is_left {
        file.seek(io::SeekFrom::Start(run.seen)).await.map_err(|_| gone())?;
    }
    tracing::info!(session = %id, by = caller.identity().label(), "result of a run given");
    let pieces = futures::stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    Ok(([(CONTENT_TYPE, "application/octet-stream")], Body::from_stream(pieces)).into_response())
}

/// A run of the caller's; for everybody else it is as if there were none.
async fn own(api: &Api, caller: &Caller, id: &SessionId) -> Result<StoredRun, ApiError> {
    let run = api.store.run(id).await.map_err(failed)?;
    let me = Person::of(caller.identity());
    let mine = run.filter(|run| run.owner.0 == me.issuer && run.owner.1 == me.subject);
    Ok(mine.ok_or_else(|| Refusal::new(Code::NotFound, format!("there is no run of session {id}")))?)
}

/// What of a session waits for approval.
async fn pending(api: &Api, id: &SessionId) -> Result<Option<Request>, ApiError> {
    let found = api.store.pending_of(id).await.map_err(failed)?;
    Ok(found
        .map(|record| record.shown())
        .filter(|request| request.status == RequestStatus::Pending))
}

fn shown(run: &StoredRun, waits: Option<Request>) -> RunShown {
    RunShown {
        session: run.session.clone(),
        connection: run.connection.clone(),
        state: match run.state {
            Stored::Running => RunState::Running,
            Stored::Done => RunState::Done,
            Stored::Unknown => RunState::Unknown,
        },
        is_left: run.is_left,
        has_key: run.key.is_some(),
        mark: run.mark.clone(),
        waits,
        created: run.created,
        ended: run.ended,
    }
}

/// Logs a failure of the store, once, and tells the user no more than that.
fn failed(error: StoreError) -> ApiError {
    tracing::error!(%error, "store");
    Refusal::from(error).into()
}
