//! Logging in, out, and who one is.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use hoop_shared::api::{
    BrowserFinish, BrowserStart, BrowserStarted, DevicePoll, DevicePolled, DeviceStart, DeviceStarted, Enrolled, Info,
    Logout, Whoami, WorkloadLogin,
};
use hoop_shared::wire;

use super::{Api, ApiError, Caller, Json, Need, Route};
use crate::authn::Applicant;
use crate::connection::Peer;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/info",
        need: Need::Nothing,
        handler: || get(info),
    },
    Route {
        method: "POST",
        path: "/v1/login/device",
        need: Need::Nothing,
        handler: || post(start),
    },
    Route {
        method: "POST",
        path: "/v1/login/device/poll",
        need: Need::Nothing,
        handler: || post(poll),
    },
    Route {
        method: "POST",
        path: "/v1/login/browser",
        need: Need::Nothing,
        handler: || post(start_browser),
    },
    Route {
        method: "POST",
        path: "/v1/login/browser/finish",
        need: Need::Nothing,
        handler: || post(finish_browser),
    },
    Route {
        method: "POST",
        path: "/v1/login/workload",
        need: Need::Nothing,
        handler: || post(workload),
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
        time: Some(time::OffsetDateTime::now_utc()),
    })
}

async fn start(
    State(api): State<Arc<Api>>,
    peer: Peer,
    Json(request): Json<DeviceStart>,
) -> Result<Json<DeviceStarted>, ApiError> {
    let applicant = applicant(&peer, &request.machine);
    let started = api
        .authn
        .start_device(&request.csr, request.issuer.as_deref(), applicant)
        .await?;
    Ok(Json(started))
}

async fn poll(
    State(api): State<Arc<Api>>,
    peer: Peer,
    Json(request): Json<DevicePoll>,
) -> Result<Json<DevicePolled>, ApiError> {
    Ok(Json(api.authn.poll_device(&request.login, peer.address.ip()).await?))
}

async fn start_browser(
    State(api): State<Arc<Api>>,
    peer: Peer,
    Json(request): Json<BrowserStart>,
) -> Result<Json<BrowserStarted>, ApiError> {
    let applicant = applicant(&peer, &request.machine);
    Ok(Json(api.authn.start_browser(&request, applicant).await?))
}

async fn finish_browser(
    State(api): State<Arc<Api>>,
    peer: Peer,
    Json(request): Json<BrowserFinish>,
) -> Result<Json<Enrolled>, ApiError> {
    Ok(Json(api.authn.finish_browser(request, peer.address.ip()).await?))
}

async fn workload(
    State(api): State<Arc<Api>>,
    peer: Peer,
    Json(request): Json<WorkloadLogin>,
) -> Result<Json<Enrolled>, ApiError> {
    let applicant = applicant(&peer, &request.machine);
    Ok(Json(
        api.authn
            .login_workload(&request.csr, &request.token, applicant)
            .await?,
    ))
}

async fn whoami(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Whoami>, ApiError> {
    Ok(Json(api.authn.whoami(caller.identity()).await?))
}

async fn logout(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(asked): Json<Logout>,
) -> Result<Json<serde_json::Value>, ApiError> {
    if asked.all {
        api.authn.logout_everywhere(caller.identity()).await?;
    } else {
        api.authn.logout(caller.identity()).await?;
    }
    Ok(Json(serde_json::json!({})))
}

fn applicant(peer: &Peer, machine: &str) -> Applicant {
    Applicant::new(peer.address.ip(), machine)
}
