//! Whether the relay reaches the identity providers for people, for `hoopctl doctor`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use hoop_shared::api::ProviderReached;

use super::{Api, Caller, Json, Need, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: "GET",
    path: "/v1/providers",
    need: Need::Login,
    handler: || get(list),
}];

async fn list(State(api): State<Arc<Api>>, _: Caller) -> Json<Vec<ProviderReached>> {
    Json(api.authn.reach_providers().await)
}
