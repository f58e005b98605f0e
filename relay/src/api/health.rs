//! Whether the relay is alive, and whether it takes work.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::{Api, Need, Route};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/healthz",
        need: Need::Nothing,
        handler: || get(alive),
    },
    Route {
        method: "GET",
        path: "/readyz",
        need: Need::Nothing,
        handler: || get(ready),
    },
];

async fn alive() -> &'static str {
    "alive\n"
}

/// Ready is: started, not draining, and the store answers.
async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, &'static str) {
    if !api.ready.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready\n");
    }
    match sqlx::query("SELECT 1").execute(api.store.pool()).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "store");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
