//! The provider's endpoints: discovery, keys, device authorization, token, and the device page.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::codes::{Codes, INTERVAL, LIFETIME, Polled};
use super::{CLIENT_ID, groups, page};

/// How long an ID token is valid; it is redeemed at once.
const TOKEN_LIFETIME_SECONDS: u64 = 300;
/// The grant type of RFC 8628.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The cookie that a form's token must equal: another site can send the form, but not read or set this.
const FORM_COOKIE: &str = "hoop_form";

/// Why the embedded provider did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Anybody who reaches the provider may be anybody: it never listens for others.
    #[error("the embedded identity provider listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// There is no such person.
    #[error("--sign-in-as {0}: the embedded identity provider has the users ana, bo and agent")]
    UnknownPerson(String),
    /// The address cannot be used.
    #[error("the embedded identity provider cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// No key could be made.
    #[error("the embedded identity provider cannot make a key")]
    Key,
}

/// A running provider; it ends when this is dropped.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    task: tokio::task::JoinHandle<()>,
}

struct Inner {
    issuer: String,
    codes: Mutex<Codes>,
    key: jsonwebtoken::EncodingKey,
    key_id: String,
    point: (String, String),
}

type Shared = Arc<Inner>;

impl Provider {
    /// Starts it on a loopback address, port 0 for any.
    ///
    /// # Errors
    /// The address is not loopback or in use, or `sign_in_as` is nobody.
    pub async fn start(listen: SocketAddr, sign_in_as: Option<String>) -> Result<Self, ProviderError> {
        if !listen.ip().is_loopback() {
            return Err(ProviderError::NotLoopback(listen));
        }
        if let Some(person) = sign_in_as.as_ref().filter(|person| groups(person).is_none()) {
            return Err(ProviderError::UnknownPerson(person.clone()));
        }
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|_| ProviderError::Key)?;
        // An uncompressed point (SEC 1, section 2.3.3): 04, x, y.
        let point = rcgen::PublicKeyData::der_bytes(&pair);
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            return Err(ProviderError::Key);
        };
        let inner = Arc::new(Inner {
            issuer: issuer.clone(),
            codes: Mutex::new(Codes::new(sign_in_as)),
            key: jsonwebtoken::EncodingKey::from_ec_der(&pair.serialize_der()),
            key_id: URL_SAFE_NO_PAD.encode(blake3::hash(point).as_bytes().get(..9).unwrap_or_default()),
            point: (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/device_authorization", post(device_authorization))
            .route("/token", post(token))
            .route("/device", get(device).post(decide))
            .layer(DefaultBodyLimit::max(16 * 1024))
            .with_state(inner);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the embedded identity provider stopped");
            }
        });
        Ok(Self { issuer, task })
    }

    /// The issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn discovery(State(provider): State<Shared>) -> Json<serde_json::Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/device"),
        "device_authorization_endpoint": format!("{issuer}/device_authorization"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "grant_types_supported": [DEVICE_GRANT],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [super::ALGORITHM],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "email", "profile", "groups"],
    }))
}

async fn keys(State(provider): State<Shared>) -> Json<serde_json::Value> {
    let (x, y) = &provider.point;
    Json(
        json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": super::ALGORITHM, "use": "sig", "kid": provider.key_id, "x": x, "y": y}]}),
    )
}

#[derive(Deserialize)]
struct Authorize {
    client_id: String,
}

async fn device_authorization(State(provider): State<Shared>, Form(asked): Form<Authorize>) -> Response {
    if asked.client_id != CLIENT_ID {
        return oauth_error("invalid_client");
    }
    let mut random = [0_u8; 24];
    if getrandom::fill(&mut random).is_err() {
        return oauth_error("server_error");
    }
    let issued = provider
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .issue(random, Instant::now());
    let Some((device_code, user_code)) = issued else {
        return oauth_error("temporarily_unavailable");
    };
    let page = format!("{}/device", provider.issuer);
    Json(json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": LIFETIME.as_secs(),
        "interval": INTERVAL.as_secs(),
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Redeem {
    grant_type: String,
    device_code: String,
    #[serde(default)]
    client_id: Option<String>,
}

async fn token(State(provider): State<Shared>, Form(asked): Form<Redeem>) -> Response {
    if asked.client_id.as_deref().is_some_and(|client| client != CLIENT_ID) {
        return oauth_error("invalid_client");
    }
    if asked.grant_type != DEVICE_GRANT {
        return oauth_error("unsupported_grant_type");
    }
    let polled = provider
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .poll(&asked.device_code, Instant::now());
    match polled {
        Polled::Pending => oauth_error("authorization_pending"),
        Polled::SlowDown => oauth_error("slow_down"),
        Polled::Denied => oauth_error("access_denied"),
        Polled::Expired => oauth_error("expired_token"),
        Polled::Approved(person) => match id_token(&provider, &person) {
            Some(id_token) => Json(json!({
                // The relay asks for no resource, but the field is required (RFC 6749, section 5.1).
                "access_token": "none",
                "token_type": "Bearer",
                "expires_in": TOKEN_LIFETIME_SECONDS,
                "id_token": id_token,
            }))
            .into_response(),
            None => oauth_error("server_error"),
        },
    }
}

fn id_token(provider: &Inner, person: &str) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let mut head = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    head.kid = Some(provider.key_id.clone());
    let claims = json!({
        "iss": provider.issuer,
        "sub": format!("dev-{person}"),
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + TOKEN_LIFETIME_SECONDS,
        "preferred_username": person,
        "groups": groups(person)?,
    });
    jsonwebtoken::encode(&head, &claims, &provider.key).ok()
}

fn oauth_error(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
}

#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    user_code: Option<String>,
}

async fn device(State(provider): State<Shared>, Query(opened): Query<Opened>) -> Response {
    let Some(user_code) = opened.user_code else {
        return Html(page::ask_code(false)).into_response();
    };
    if !provider
        .codes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .claim(&user_code, Instant::now())
    {
        return (StatusCode::NOT_FOUND, Html(page::ask_code(true))).into_response();
    }
    let mut random = [0_u8; 16];
    if getrandom::fill(&mut random).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let form_token = URL_SAFE_NO_PAD.encode(random);
    let cookie = format!("{FORM_COOKIE}={form_token}; Path=/device; HttpOnly; SameSite=Strict");
    (
        [(header::SET_COOKIE, cookie)],
        Html(page::ask_person(&user_code, &form_token)),
    )
        .into_response()
}

#[derive(Deserialize)]
struct Decided {
    user_code: String,
    token: String,
    decision: String,
    #[serde(default)]
    user: Option<String>,
}

async fn decide(State(provider): State<Shared>, headers: HeaderMap, Form(form): Form<Decided>) -> Response {
    let cookie = headers
        .get(header::COOKIE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            value
                .split(';')
                .find_map(|pair| pair.trim().strip_prefix(FORM_COOKIE)?.strip_prefix('='))
        })
        .unwrap_or_default();
    if cookie.is_empty() || !bool::from(cookie.as_bytes().ct_eq(form.token.as_bytes())) {
        return (StatusCode::FORBIDDEN, Html(page::ask_code(false))).into_response();
    }
    let person = match form.decision.as_str() {
        "approve" => match form.user.filter(|person| groups(person).is_some()) {
            Some(person) => Some(person),
            None => return (StatusCode::BAD_REQUEST, Html(page::ask_code(false))).into_response(),
        },
        _ => None,
    };
    let approved = person.is_some();
    let known =
        provider
            .codes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .decide(&form.user_code, person, Instant::now());
    if known {
        Html(page::done(approved)).into_response()
    } else {
        (StatusCode::NOT_FOUND, Html(page::ask_code(true))).into_response()
    }
}
