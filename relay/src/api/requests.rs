//! Requests for approval: what one made or may decide about, and deciding.
//!
//! Who may see one: who made it, who decided about it, and people in one of its `@approvers` groups by their newest login. For everybody
//! else it is as if there were none.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use hoop_shared::api::{Decide, Request, RequestChanges, RequestStatus};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::{Code, Refusal};
use serde::Deserialize;
use tokio::time::Instant;

use super::query::{Ask, Id, Words, bounded};
use super::{Api, ApiError, Caller, Json, Need, Route};
use crate::approval::{DecideError, Decider, Person, Record};
use crate::authn::PrincipalKind;
use crate::store::StoreError;
use crate::store::requests::{Page, RequestFilter, Viewer};

/// The longest wait of one question; a client asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a change that another relay of the same store made may stay unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The longest reason of a decision, in bytes.
const LONGEST_REASON: usize = 4 << 10;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/requests",
        need: Need::Login,
        handler: || get(list),
    },
    Route {
        method: "GET",
        path: "/v1/requests/changes",
        need: Need::Login,
        handler: || get(changes),
    },
    Route {
        method: "GET",
        path: "/v1/requests/{id}/history",
        need: Need::Login,
        handler: || get(history),
    },
    Route {
        method: "GET",
        path: "/v1/requests/{id}",
        need: Need::Login,
        handler: || get(show),
    },
    Route {
        method: "GET",
        path: "/v1/requests/{id}/wait",
        need: Need::Login,
        handler: || get(wait),
    },
    Route {
        method: "POST",
        path: "/v1/requests/{id}/decision",
        need: Need::Login,
        handler: || post(decide),
    },
    Route {
        method: "POST",
        path: "/v1/requests/{id}/cancel",
        need: Need::Login,
        handler: || post(cancel),
    },
];

/// `?status=pending,approved&order=oldest&after=ID&limit=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    #[serde(default)]
    status: String,
    #[serde(default)]
    order: Order,
    before: Option<RequestId>,
    after: Option<RequestId>,
    #[serde(default)]
    brief: bool,
    limit: Option<u32>,
}

/// Which comes first.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Newest,
    Oldest,
}

/// `?after=N&seconds=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Following {
    after: Option<i64>,
    seconds: Option<u64>,
    #[serde(default)]
    brief: bool,
    limit: Option<u32>,
}

/// `?limit=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Past {
    limit: Option<u32>,
}

/// `?seconds=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    seconds: Option<u64>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Ask(asked): Ask<Listing>,
) -> Result<Json<Vec<Request>>, ApiError> {
    let page = match (asked.order, asked.before, asked.after) {
        (Order::Newest, before, None) => Page::Newest(before),
        (Order::Oldest, None, after) => Page::Oldest(after),
        _ => {
            let message = "the newest first goes on `before` an id, the oldest first `after` one";
            return Err(Refusal::new(Code::Usage, message).into());
        }
    };
    let filter = RequestFilter {
        viewer: viewer(&api, &caller).await?,
        asker: None,
        status: statuses(&asked.status)?,
        page,
        brief: asked.brief,
        limit: bounded(asked.limit),
    };
    let listed = api.store.requests(&filter).await.map_err(failed)?;
    Ok(Json(listed.iter().map(|listed| listed.shown()).collect()))
}

/// Answers at the first change after `after`, or when the time is over; without `after` at once, with where to begin.
async fn changes(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Ask(asked): Ask<Following>,
) -> Result<Json<RequestChanges>, ApiError> {
    let until = Instant::now()
        + asked
            .seconds
            .map_or(Duration::ZERO, Duration::from_secs)
            .min(LONGEST_WAIT);
    // Watched before the store is read: no change between the two is missed.
    let mut watched = api.door.desk.changes();
    let limit = bounded(asked.limit);
    loop {
        watched.borrow_and_update();
        let viewer = viewer(&api, &caller).await?;
        let found = api
            .store
            .changed_requests(&viewer, asked.after, asked.brief, limit)
            .await;
        let Some(found) = found.map_err(failed)? else {
            let begin = api
                .store
                .changed_requests(&viewer, None, true, 0)
                .await
                .map_err(failed)?;
            return Ok(Json(RequestChanges {
                after: begin.map_or(0, |begin| begin.revision),
                anew: true,
                more: false,
                requests: Vec::new(),
            }));
        };
        if !found.requests.is_empty() || asked.after.is_none() || Instant::now() >= until {
            return Ok(Json(RequestChanges {
                after: found.revision,
                anew: false,
                more: found.more,
                requests: found.requests.iter().map(|listed| listed.shown()).collect(),
            }));
        }
        let look = (Instant::now() + LOOK_AGAIN).min(until);
        tokio::select! {
            Ok(()) = watched.changed() => {}
            () = tokio::time::sleep_until(look) => {}
        }
        // The login may have ended meanwhile.
        api.authn.standing(caller.identity())?;
    }
}

/// What the principal behind a request asked for before it, the newest first: as much of it as the caller may see.
async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Id(id): Id<RequestId>,
    Ask(asked): Ask<Past>,
) -> Result<Json<Vec<Request>>, ApiError> {
    let record = visible(&api, &caller, &id).await?;
    let filter = RequestFilter {
        viewer: viewer(&api, &caller).await?,
        asker: Some(record.asker),
        status: Vec::new(),
        page: Page::Newest(Some(id)),
        brief: true,
        limit: bounded(asked.limit),
    };
    let listed = api.store.requests(&filter).await.map_err(failed)?;
    Ok(Json(listed.iter().map(|listed| listed.shown()).collect()))
}

async fn show(State(api): State<Arc<Api>>, caller: Caller, id: Id<RequestId>) -> Result<Json<Request>, ApiError> {
    Ok(Json(visible(&api, &caller, &id.0).await?.shown()))
}

/// Answers when the request is no longer pending, or the time is over.
async fn wait(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Id(id): Id<RequestId>,
    Ask(asked): Ask<Waiting>,
) -> Result<Json<Request>, ApiError> {
    let longest = asked
        .seconds
        .map_or(LONGEST_WAIT, Duration::from_secs)
        .min(LONGEST_WAIT);
    let until = Instant::now() + longest;
    loop {
        // Watched before it is read: no change between the two is missed.
        let watched = api.door.desk.watch(&id).await;
        let record = visible(&api, &caller, &id).await?;
        let (RequestStatus::Pending, Some(mut watched)) = (record.status, watched) else {
            return Ok(Json(record.shown()));
        };
        tokio::select! {
            _ = watched.changed() => {}
            () = tokio::time::sleep_until(until) => return Ok(Json(visible(&api, &caller, &id).await?.shown())),
        }
    }
}

async fn decide(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Id(id): Id<RequestId>,
    Json(decision): Json<Decide>,
) -> Result<Json<Request>, ApiError> {
    let reason = decision
        .reason
        .map(|reason| reason.trim().to_owned())
        .filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
        return Err(Refusal::new(Code::Usage, "the reason is longer than 4 KiB").into());
    }
    let decider = Decider::of(caller.identity());
    Ok(Json(
        api.door.desk.decide(&id, decider, decision.approve, reason).await?,
    ))
}

async fn cancel(State(api): State<Arc<Api>>, caller: Caller, Id(id): Id<RequestId>) -> Result<Json<Request>, ApiError> {
    Ok(Json(api.door.desk.cancel(&id, Person::of(caller.identity())).await?))
}

/// A request that the caller may see.
async fn visible(api: &Api, caller: &Caller, id: &RequestId) -> Result<Record, ApiError> {
    let unknown =
        || Refusal::new(Code::NotFound, format!("there is no request {id}")).hint("`hoopctl requests ls` shows yours");
    let record = api.store.request(id).await.map_err(failed)?.ok_or_else(unknown)?;
    let decider = Decider::of(caller.identity());
    if record.decisions.iter().any(|verdict| verdict.by == decider.person) {
        return Ok(record);
    }
    let standing = api.store.standing(&decider).await.map_err(failed)?;
    match record.may_decide(&decider.person, standing.as_ref()) {
        Ok(()) | Err(DecideError::Own) => Ok(record),
        Err(_) => Err(unknown().into()),
    }
}

/// What the caller may see: the groups in which they may decide are those of a person's newest login.
async fn viewer(api: &Api, caller: &Caller) -> Result<Viewer, ApiError> {
    let standing = api
        .store
        .standing(&Decider::of(caller.identity()))
        .await
        .map_err(failed)?;
    Ok(Viewer {
        of: Person::of(caller.identity()),
        approver_groups: standing
            .filter(|standing| standing.kind == PrincipalKind::User)
            .map(|standing| standing.groups)
            .unwrap_or_default(),
    })
}

fn statuses(text: &str) -> Result<Vec<RequestStatus>, Refusal> {
    let Ok(Words(words)) = text.parse::<Words>();
    let status = |word: &String| {
        serde_json::from_value(serde_json::Value::String(word.clone())).map_err(|_| {
            Refusal::new(Code::Usage, "no such status")
                .hint("the statuses are pending, approved, denied, expired, cancelled and spent")
        })
    };
    words.iter().map(status).collect()
}

/// Logs a failure of the store, once, and tells the user no more than that.
fn failed(error: StoreError) -> ApiError {
    tracing::error!(%error, "store");
    Refusal::from(error).into()
}

#[cfg(test)]
mod tests;
