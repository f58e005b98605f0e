//! The HTTPS API on the relay's TCP port: logins, requests, sessions. The types are in `hoop_shared::api`.
//!
//! ```text
//! TLS (transport) ──▶ Peer in the request's extensions ──▶ authorise(need) ──▶ handler(Caller) ──▶ JSON or ErrorBody
//! ```
//!
//! **Adding a route**: write its handler in the file of its concern (`login`, `requests`, …) and give that file's
//! `ROUTES` a line with method, path, [`Need`] and handler. Every route passes [`authorise`], which alone decides by its
//! `Need`; a handler takes [`Caller`] to know who asks, and a `Caller` exists only where `authorise` made one. A path
//! that is in no table is answered 404.
//!
//! No cookies and no CORS: the credential is the client certificate of the TLS connection. A browser that is made to send
//! a request names its page in `Origin`, so a request with one is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, SERVER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_shared::api::{ErrorBody, NEW_LOGINS};
use hoop_shared::refusal::{Code, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::authn::{Authn, Identity};
use crate::connection::Peer;
use crate::session::Door;
use crate::store::Store;

mod connections;
mod health;
mod login;
mod providers;
mod query;
mod requests;
mod runs;
#[cfg(test)]
mod samples;
mod sessions;

/// The longest request body. The largest is a workload's token (16 kB) with a certificate request.
const LONGEST_BODY: usize = 64 << 10;
/// How long a request's body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// What the handlers work with.
pub struct Api {
    /// Logins and identities.
    pub authn: Arc<Authn>,
    /// The relay's store.
    pub store: Store,
    /// What sessions run by, where requests are decided, the running sessions, and the recordings.
    pub door: Door,
    /// The relay serves: `/readyz` answers 200. Cleared when it drains.
    pub ready: AtomicBool,
}

/// What a route asks of who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: health and login.
    Nothing,
    /// A certificate whose login is known, not expired and not revoked.
    Login,
}

/// One line of the route table.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with axum's `{parameters}`.
    pub path: &'static str,
    /// What it asks.
    pub need: Need,
    /// Its handler, as `axum::routing::get(handler)` or `post(handler)`; it agrees with `method`.
    pub handler: fn() -> MethodRouter<Arc<Api>>,
}

/// Every route there is.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    [
        connections::ROUTES,
        health::ROUTES,
        login::ROUTES,
        providers::ROUTES,
        requests::ROUTES,
        runs::ROUTES,
        sessions::ROUTES,
    ]
    .into_iter()
    .flatten()
}

/// Makes the router. Requests that reach it carry a [`Peer`].
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let guard = Guard {
            api: Arc::clone(&api),
            need: route.need,
        };
        let handler = (route.handler)().route_layer(middleware::from_fn_with_state(guard, authorise));
        router = router.route(route.path, handler);
    }
    router
        .fallback(|| async { ApiError::from(Refusal::new(Code::NotFound, "the relay has no such path")) })
        .method_not_allowed_fallback(|| async {
            (
                StatusCode::METHOD_NOT_ALLOWED,
                ApiError::from(Refusal::new(Code::Usage, "this path takes another method")),
            )
        })
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::map_response(with_version))
        .with_state(api)
}

/// Says which version answers, so that a client of another one can say why it does not understand. `/v1/info` says it to anybody too.
async fn with_version(mut response: Response) -> Response {
    let version = HeaderValue::from_static(concat!("hoop-relay/", env!("CARGO_PKG_VERSION")));
    response.headers_mut().insert(SERVER, version);
    response
}

#[derive(Clone)]
struct Guard {
    api: Arc<Api>,
    need: Need,
}

/// Decides whether a request may reach its handler. Every route passes here and nowhere else.
async fn authorise(State(guard): State<Guard>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    if request.headers().contains_key(ORIGIN) {
        return Err(Refusal::new(Code::Blocked, "the relay's API does not answer web pages").into());
    }
    let caller = match guard.need {
        Need::Nothing => None,
        Need::Login => {
            let certificate = request
                .extensions()
                .get::<Peer>()
                .and_then(|peer| peer.certificate.clone());
            let certificate = certificate
                .ok_or_else(|| Refusal::new(Code::LoginNeeded, "this needs a login").hint("run `hoopctl login`"))?;
            let identity = guard.api.authn.identity(&certificate)?;
            request.extensions_mut().insert(Caller(Arc::clone(&identity)));
            Some(identity)
        }
    };
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = new_logins(&guard.api.authn, caller.as_deref()).await {
        response.headers_mut().insert(NEW_LOGINS, value);
    }
    Ok(response)
}

/// The other logins that the caller was not told of yet, beside whatever is answered. After the handler, whose answer may be to tell them.
async fn new_logins(authn: &Authn, caller: Option<&Identity>) -> Option<HeaderValue> {
    // An answer is not withheld because this is not known: the next one will tell it.
    let seen = authn.new_logins(caller?).await.ok().filter(|seen| !seen.is_empty())?;
    let json = serde_json::to_vec(&seen).ok()?;
    HeaderValue::from_str(&URL_SAFE_NO_PAD.encode(json)).ok()
}

/// Who asks: extracted by handlers of routes with [`Need::Login`]. Only [`authorise`] makes one.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Identity>);

impl Caller {
    /// Who asks.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Absent only where a route's table line says `Need::Nothing` and its handler disagrees.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Refusal::new(Code::LoginNeeded, "this needs a login").into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Self>().cloned();
        peer.ok_or_else(|| Refusal::new(Code::RelayFault, "the relay does not know who speaks").into())
    }
}

/// A JSON body or answer whose errors are [`ErrorBody`]s.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = tokio::time::timeout(BODY_DEADLINE, axum::Json::from_request(request, state)).await;
        match read.map_err(|_| Refusal::new(Code::LimitExceeded, "the request's body takes too long"))? {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(_)) => {
                Err(Refusal::new(Code::LimitExceeded, "the request's body is cut or longer than 64 KiB").into())
            }
            Err(rejection) => Err(Refusal::new(Code::ProtocolViolation, rejection.body_text()).into()),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A refusal as an HTTP answer: its status by its code, `{"error": …}` in the body.
#[derive(Clone, Debug)]
pub struct ApiError(Refusal);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&ErrorBody { error: self.0 }).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

impl Api {
    /// Makes the state of the handlers; the relay is not ready yet.
    pub fn new(authn: Arc<Authn>, store: Store, door: Door) -> Arc<Self> {
        Arc::new(Self {
            authn,
            store,
            door,
            ready: AtomicBool::new(false),
        })
    }

    /// Says whether the relay takes new work.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
