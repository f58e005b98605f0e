//! The connections that one may use, and what policy will ask.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::routing::get;
use hoop_shared::api::ConnectionListed;

use super::{Api, Caller, Json, Need, Peer, Route};
use crate::policy::{Circumstances, Verdict};

/// Stands for the reason that nobody has given yet: a policy may want one.
const SOME_REASON: &str = "-";

pub(super) const ROUTES: &[Route] = &[Route {
    method: "GET",
    path: "/v1/connections",
    need: Need::Login,
    handler: || get(list),
}];

/// Lists by name. A connection that policy refuses, with a reason and without, is not there.
async fn list(State(api): State<Arc<Api>>, caller: Caller, peer: Peer) -> Json<Vec<ConnectionListed>> {
    let rules = api.door.rules.load_full();
    let who = &**caller.identity();
    let around = |reason| Circumstances {
        reason,
        source: peer.address.ip(),
        now: SystemTime::now(),
    };
    let mut listed: Vec<ConnectionListed> = rules
        .config()
        .connections
        .iter()
        .filter(|connection| {
            [None, Some(SOME_REASON)].into_iter().any(|reason| {
                let verdict = rules.policies().judge_connect(who, connection, &around(reason));
                !matches!(verdict, Verdict::Block { .. })
            })
        })
        .map(|connection| ConnectionListed {
            name: connection.name.clone(),
            protocol: connection.protocol,
            tags: connection.tags.clone(),
            asks: rules.policies().asks(who, connection, &around(None)),
        })
        .collect();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Json(listed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;

    use super::super::samples::World;

    #[tokio::test]
    async fn a_connection_that_one_may_not_use_is_not_listed() {
        let world = World::open().await;
        let (status, listed) = world.get("bo", "/v1/connections").await;
        assert_eq!(status, StatusCode::OK);
        let names: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].clone())
            .collect();
        assert_eq!(
            names,
            [json!("db-prod"), json!("db-why")],
            "db-why wants a reason, which ls does not know"
        );
        assert_eq!(listed[0]["protocol"], "postgres");
        assert_eq!(listed[0]["tags"], json!(["env:prod"]));
        assert!(
            listed[0]["asks"].as_array().unwrap().contains(&json!("read: allow")),
            "{listed}"
        );
        assert_eq!(world.get("ana", "/v1/connections").await.1, json!([]));
    }
}
