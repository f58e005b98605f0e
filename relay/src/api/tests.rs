#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::Body;
use http_body_util::BodyExt;
use rustls::pki_types::CertificateDer;
use tower_service::Service;

use super::*;

async fn world() -> (tempfile::TempDir, Arc<Api>) {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::authn::test_config(dir.path(), "https://idp.example");
    let store = Store::open(dir.path()).await.unwrap();
    let authn = Authn::open(&config, store.clone()).await.unwrap();
    let door = super::samples::door(config, &store).await;
    let api = Api::new(authn, store, door);
    (dir, api)
}

fn request(method: &str, path: &str, certificate: Option<&[u8]>) -> axum::http::Request<Body> {
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from("{}"))
        .unwrap();
    request.extensions_mut().insert(Peer {
        address: "192.0.2.1:1000".parse().unwrap(),
        certificate: certificate.map(|der| Arc::new(CertificateDer::from(der.to_vec()))),
    });
    request
}

async fn send(api: &Arc<Api>, request: axum::http::Request<Body>) -> (StatusCode, String) {
    let response = router(Arc::clone(api)).call(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn concrete(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_that_needs_a_login_refuses_whoever_has_none() {
    let (_dir, api) = world().await;
    let stranger = rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap();
    for route in routes() {
        for certificate in [None, Some(b"junk".as_slice()), Some(stranger.cert.der().as_ref())] {
            let (status, body) = send(&api, request(route.method, &concrete(route.path), certificate)).await;
            let refused = status == StatusCode::UNAUTHORIZED;
            assert_eq!(
                refused,
                route.need == Need::Login,
                "{} {}: {status} {body}",
                route.method,
                route.path
            );
            if refused {
                let error: ErrorBody = serde_json::from_str(&body).unwrap();
                assert_eq!(error.error.code, Code::LoginNeeded);
            }
        }
    }
}

#[tokio::test]
async fn only_health_info_and_login_go_without() {
    let open: Vec<_> = routes()
        .filter(|route| route.need == Need::Nothing)
        .map(|route| route.path)
        .collect();
    let mut expected = [
        "/healthz",
        "/readyz",
        "/v1/info",
        "/v1/login/browser",
        "/v1/login/browser/finish",
        "/v1/login/device",
        "/v1/login/device/poll",
        "/v1/login/workload",
    ];
    expected.sort_unstable();
    let mut open = open;
    open.sort_unstable();
    assert_eq!(open, expected);
}

#[tokio::test]
async fn every_route_takes_its_own_method_and_no_other() {
    let (_dir, api) = world().await;
    for route in routes() {
        let other = if route.method == "GET" { "POST" } else { "GET" };
        let same_path = routes().any(|also| also.path == route.path && also.method == other);
        if !same_path {
            let (status, _) = send(&api, request(other, &concrete(route.path), None)).await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{} {}", other, route.path);
        }
    }
}

#[tokio::test]
async fn a_web_page_is_refused_at_every_route() {
    let (_dir, api) = world().await;
    for route in routes() {
        let mut request = request(route.method, &concrete(route.path), None);
        request
            .headers_mut()
            .insert(ORIGIN, HeaderValue::from_static("https://relay.example"));
        let (status, _) = send(&api, request).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{}", route.path);
    }
}

#[tokio::test]
async fn errors_are_json_with_a_stable_code() {
    let (_dir, api) = world().await;
    let code = async |request| {
        let (status, body) = send(&api, request).await;
        let error: ErrorBody = serde_json::from_str(&body).unwrap();
        (status.as_u16(), error.error.code)
    };
    assert_eq!(code(request("GET", "/v1/nothing", None)).await, (404, Code::NotFound));
    assert_eq!(code(request("POST", "/v1/info", None)).await, (405, Code::Usage));
    assert_eq!(
        code(request("POST", "/v1/login/device", None)).await,
        (400, Code::ProtocolViolation)
    );
    let mut long = request("POST", "/v1/login/device", None);
    *long.body_mut() = Body::from("x".repeat(100_000));
    assert_eq!(code(long).await, (429, Code::LimitExceeded));
    let mut unnamed = request("POST", "/v1/login/device/poll", None);
    *unnamed.body_mut() = Body::from(r#"{"login":"x"}"#);
    assert_eq!(code(unnamed).await, (401, Code::LoginNeeded));
}

#[tokio::test]
async fn a_relay_is_ready_when_it_says_so_and_its_store_answers() {
    let (_dir, api) = world().await;
    assert_eq!(send(&api, request("GET", "/healthz", None)).await.0, StatusCode::OK);
    assert_eq!(
        send(&api, request("GET", "/readyz", None)).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    api.set_ready(true);
    assert_eq!(send(&api, request("GET", "/readyz", None)).await.0, StatusCode::OK);
    api.store.close().await;
    assert_eq!(
        send(&api, request("GET", "/readyz", None)).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(send(&api, request("GET", "/healthz", None)).await.0, StatusCode::OK);
}
