//! Requests for approval: what one made or may decide about, and deciding.
//!
//! Who may see one: who made it, who decided about it, and people in one of its `@approvers` groups by their newest login. For everybody
//! else it is as if there were none.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use hoop_shared::api::{Decide, Request, RequestStatus};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::{Code, Refusal};
use serde::Deserialize;
use tokio::time::Instant;

use super::query::{Ask, Id, Words, bounded};
use super::{Api, ApiError, Caller, Json, Need, Route};
use crate::approval::{DecideError, Decider, Person, Record};
use crate::authn::PrincipalKind;
use crate::store::StoreError;
use crate::store::requests::RequestFilter;

/// The longest wait of one question; a client asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
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

/// `?status=pending,approved&before=ID&limit=N`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    #[serde(default)]
    status: String,
    before: Option<RequestId>,
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
    let filter = RequestFilter {
        of: Person::of(caller.identity()),
        approver_groups: approver_groups(&api, &caller).await?,
        status: statuses(&asked.status)?,
        before: asked.before,
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

/// The groups in which the caller may decide: those of a person's newest login.
async fn approver_groups(api: &Api, caller: &Caller) -> Result<Vec<String>, ApiError> {
    let standing = api
        .store
        .standing(&Decider::of(caller.identity()))
        .await
        .map_err(failed)?;
    Ok(standing
        .filter(|standing| standing.kind == PrincipalKind::User)
        .map(|standing| standing.groups)
        .unwrap_or_default())
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
