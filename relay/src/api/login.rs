//! Logging in, out, and who one is.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use hoop_shared::api::{Info, Whoami};
use hoop_shared::wire;

use super::{Api, ApiError, Caller, Json, Need, Route};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/info",
        need: Need::Nothing,
        handler: || get(info),
    },
    Route {
        method: "GET",
        path: "/v1/whoami",
        need: Need::Login,
        handler: || get(whoami),
    },
    Route {
        method: "POST",
        path: "/v1/logout",
        need: Need::Login,
        handler: || post(logout),
    },
];

async fn info(State(api): State<Arc<Api>>) -> Json<Info> {
    Json(Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wire: (wire::OLDEST, wire::NEWEST),
        issuers: api.authn.providers(),
    })
}

async fn whoami(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Whoami>, ApiError> {
    Ok(Json(api.authn.whoami(caller.identity()).await?))
}

async fn logout(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<serde_json::Value>, ApiError> {
    api.authn.logout(caller.identity()).await?;
    Ok(Json(serde_json::json!({})))
}
