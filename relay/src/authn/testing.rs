//! What the tests of logins share: keys that sign, requests for certificates, an issuer that answers as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A key of an issuer.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) jwk: Value,
    key: EncodingKey,
    /// What a verifier could be made to take for a shared secret.
    pub(super) public_pem: String,
}

impl Signer {
    pub(super) fn es256(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let point = pair.der_bytes();
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
            "x": encode(&point[1..33]), "y": encode(&point[33..])});
        Self {
            algorithm: Algorithm::ES256,
            jwk,
            key: EncodingKey::from_ec_der(&pair.serialize_der()),
            public_pem: pair.public_key_pem(),
        }
    }

    pub(super) fn rs256(kid: &str) -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let spki = pair.subject_public_key_info();
        let (_, parsed) = SubjectPublicKeyInfo::from_der(&spki).unwrap();
        let PublicKey::RSA(rsa) = parsed.parsed().unwrap() else {
            unreachable!()
        };
        let modulus = rsa.modulus.strip_prefix(&[0]).unwrap_or(rsa.modulus);
        let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
            "n": encode(modulus), "e": encode(rsa.exponent)});
        Self {
            algorithm: Algorithm::RS256,
            jwk,
            key: EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
            public_pem: pair.public_key_pem(),
        }
    }

    pub(super) fn kid(&self) -> &str {
        self.jwk["kid"].as_str().unwrap()
    }

    /// A token with this key's own header.
    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": format!("{:?}", self.algorithm), "kid": self.kid(), "typ": "JWT"});
        self.token_of(&header.to_string(), &claims.to_string())
    }

    /// A signed token of whatever header and payload.
    pub(super) fn token_of(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A certificate request as `hoopctl` makes it.
pub(super) fn csr() -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap()
        .pem()
        .unwrap()
}

/// An issuer on loopback whose answers are set by the test.
pub(super) struct TestIssuer {
    pub(super) url: String,
    pub(super) script: Arc<Mutex<Script>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
pub(super) struct Script {
    pub(super) keys: Vec<Value>,
    /// Added to, or put in place of, what discovery says.
    pub(super) discovery: serde_json::Map<String, Value>,
    /// Added to, or put in place of, what the device authorization endpoint says.
    pub(super) device: serde_json::Map<String, Value>,
    /// What the token endpoint answers, in turn; then `authorization_pending`.
    pub(super) answers: VecDeque<(u16, String)>,
    pub(super) key_fetches: usize,
    pub(super) polls: usize,
    pub(super) asked: Vec<String>,
}

type Shared = (String, Arc<Mutex<Script>>);

impl TestIssuer {
    pub(super) async fn start(keys: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script {
            keys: keys.iter().map(|signer| signer.jwk.clone()).collect(),
            ..Script::default()
        }));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/device", post(device))
            .route("/token", post(token))
            .with_state((url.clone(), Arc::clone(&script)));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, script, task }
    }

    pub(super) fn answer(&self, status: u16, body: impl Into<String>) {
        self.script.lock().unwrap().answers.push_back((status, body.into()));
    }

    pub(super) fn answer_token(&self, id_token: &str) {
        self.answer(
            200,
            json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token}).to_string(),
        );
    }

    pub(super) fn key_fetches(&self) -> usize {
        self.script.lock().unwrap().key_fetches
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn discovery(State((url, script)): State<Shared>) -> Response {
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "device_authorization_endpoint": format!("{url}/device"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    });
    for (name, value) in &script.lock().unwrap().discovery {
        document[name] = value.clone();
    }
    axum::Json(document).into_response()
}

async fn jwks(State((_, script)): State<Shared>) -> Response {
    let mut script = script.lock().unwrap();
    script.key_fetches += 1;
    axum::Json(json!({"keys": script.keys})).into_response()
}

async fn device(State((url, script)): State<Shared>, body: String) -> Response {
    let mut script = script.lock().unwrap();
    script.asked.push(body);
    let mut answer = json!({
        "device_code": "device-secret",
        "user_code": "ABCD-EFGH",
        "verification_uri": format!("{url}/page"),
        "expires_in": 300,
        "interval": 1,
    });
    for (name, value) in &script.device {
        answer[name] = value.clone();
    }
    axum::Json(answer).into_response()
}

async fn token(State((_, script)): State<Shared>, body: String) -> Response {
    let mut script = script.lock().unwrap();
    script.polls += 1;
    script.asked.push(body);
    let pending = || (400, json!({"error": "authorization_pending"}).to_string());
    let (status, body) = script.answers.pop_front().unwrap_or_else(pending);
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
