//! A relay's API for tests: real store, desk, policies and recordings; routes as somebody who has passed `authorise`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::{Api, Caller, Peer, routes};
use crate::approval::samples::{ask, log_in, requirement, store};
use crate::approval::{Desk, DeskOptions, Held};
use crate::authn::{Authn, Identity, PrincipalKind};
use crate::config::{Config, Connection, PostgresTarget, Source, Target, TlsMode};
use crate::policy::Policies;
use crate::record::{KeptResults, Keys, Recordings};
use crate::session::{Door, Registry, Rules};
use crate::store::Store;

/// Name, kind and groups of who may ask.
const PEOPLE: &[(&str, PrincipalKind, &[&str])] = &[
    ("agent", PrincipalKind::User, &["dba"]),
    ("bo", PrincipalKind::User, &["dba"]),
    ("ana", PrincipalKind::User, &["engineers"]),
    ("job", PrincipalKind::Workload, &["dba"]),
    ("au", PrincipalKind::User, &["auditors"]),
];

const POLICIES: &str = r#"
@id("dba-connect") permit (principal in Hoop::Group::"dba", action == Hoop::Action::"connect", resource in Hoop::Tag::"env:prod");
@id("dba-read") permit (principal in Hoop::Group::"dba", action in Hoop::Action::"sql:read", resource in Hoop::Tag::"env:prod");
@id("why") permit (principal in Hoop::Group::"dba", action == Hoop::Action::"connect", resource == Hoop::Connection::"db-why")
  when { context has reason && context.reason != "" };
@id("audit") permit (principal in Hoop::Group::"auditors", action == Hoop::Action::"replay", resource in Hoop::Tag::"env:prod");
@id("kill") permit (principal == Hoop::User::"bo", action == Hoop::Action::"kill", resource in Hoop::Tag::"env:prod");
"#;

/// A relay's API over a directory of its own.
pub(super) struct World {
    pub(super) api: Arc<Api>,
    pub(super) store: Store,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn open() -> Self {
        let (store, dir) = store().await;
        for (name, kind, groups) in PEOPLE {
            log_in(&store, name, &format!("login of {name}"), *kind, groups).await;
        }
        let config = Config {
            data_dir: dir.path().join("data"),
            connections: vec![
                connection("db-why", &[]),
                connection("db-prod", &["env:prod"]),
                connection("db-other", &[]),
            ],
            ..Config::default()
        };
        let authn = Authn::open(&config, store.clone()).await.unwrap();
        let door = door(config, &store).await;
        Self {
            api: Api::new(authn, store.clone(), door),
            store,
            _dir: dir,
        }
    }

    /// Holds something of `agent`'s that one of `dba` may approve.
    pub(super) async fn hold(&self) -> Held {
        let session = hoop_shared::id::SessionId::random().unwrap();
        let requirements = [requirement("one", &["dba"], 1)];
        self.api.door.desk.hold(ask(&session, &requirements)).await.unwrap()
    }

    pub(super) fn identity(who: &str) -> Identity {
        let (_, kind, groups) = PEOPLE.iter().find(|(name, ..)| *name == who).unwrap();
        Identity::sample(who, *kind, groups)
    }

    /// Asks the real routes as somebody who has passed `authorise`.
    pub(super) async fn ask(&self, who: &str, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut router = Router::new();
        for route in routes() {
            router = router.route(route.path, (route.handler)());
        }
        let peer = Peer {
            address: "192.0.2.1:1000".parse().unwrap(),
            certificate: None,
        };
        let mut router = router
            .layer(Extension(Caller(Arc::new(Self::identity(who)))))
            .layer(Extension(peer))
            .with_state(Arc::clone(&self.api));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = router.call(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    pub(super) async fn get(&self, who: &str, path: &str) -> (StatusCode, Value) {
        self.ask(who, "GET", path, None).await
    }
}

/// What the handlers need besides logins and store, for a configuration whose data directory is there.
pub(super) async fn door(config: Config, store: &Store) -> Door {
    let options = DeskOptions { pending_per_session: 4 };
    let (desk, clerk) = Desk::open(store.clone(), options).await.unwrap();
    tokio::spawn(clerk.run(CancellationToken::new()));
    let keys = Keys::open(&config.data_dir).unwrap();
    let recordings = Recordings::open(&config.data_dir, keys, true, None, 1 << 20).unwrap();
    let results = KeptResults::open(&config.data_dir, true).unwrap();
    let source = Source::new("policies.cedar", POLICIES);
    let policies = Policies::parse(&[source], std::time::Duration::from_secs(900)).unwrap();
    Door {
        rules: Rules::new(config, policies, &[0; 32], None).unwrap().shared(),
        desk,
        registry: Arc::new(Registry::default()),
        recordings: Arc::new(recordings),
        results: Arc::new(results),
    }
}

fn connection(name: &str, tags: &[&str]) -> Arc<Connection> {
    Arc::new(Connection {
        name: name.to_owned(),
        protocol: hoop_shared::protocol::Protocol::Postgres,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        target: Target::Postgres(PostgresTarget {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            database: "shop".to_owned(),
            user: "hoop".to_owned(),
            password: None,
            tls: TlsMode::Disable,
            ca: None,
        }),
    })
}
