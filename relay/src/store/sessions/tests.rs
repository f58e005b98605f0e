#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::approval::samples::{person, store};

async fn begin(store: &Store, connection: &str, owner: &str) -> SessionId {
    let id = SessionId::random().unwrap();
    let session = NewSession {
        id: id.clone(),
        connection: connection.to_owned(),
        protocol: Protocol::Postgres,
        owner: person(owner),
        login: format!("{owner}-1"),
        reason: Some("look".to_owned()),
        started: OffsetDateTime::now_utc(),
    };
    store.insert_session(&session).await.unwrap();
    assert!(store.insert_session(&session).await.is_err(), "an id names one session");
    id
}

const COUNTS: SessionCounts = SessionCounts {
    operations: 4,
    blocked: 1,
    held: 2,
    masked: 9,
};

#[tokio::test]
async fn a_session_begins_counts_and_ends() {
    let (store, _dir) = store().await;
    let id = begin(&store, "db-prod", "agent").await;
    assert_eq!(store.open_sessions().await.unwrap().len(), 1);
    store.count_session(&id, COUNTS).await.unwrap();
    let running = store.session(&id).await.unwrap().unwrap();
    assert_eq!(
        (
            running.summary.operations,
            running.summary.ended,
            running.summary.sealed
        ),
        (4, None, false)
    );
    assert_eq!((running.owner, running.login.as_str()), (person("agent"), "agent-1"));

    let end = time::macros::datetime!(2026-11-24 03:40:17 UTC);
    store.end_session(&id, end, COUNTS, true).await.unwrap();
    // A count that was under way when it ended.
    store.count_session(&id, COUNTS).await.unwrap();
    let ended = store.session(&id).await.unwrap().unwrap().summary;
    assert_eq!(
        (ended.ended, ended.sealed, ended.masked, ended.held),
        (Some(end), true, 9, 2)
    );
    assert_eq!(store.open_sessions().await.unwrap().len(), 0);
    assert!(store.session(&SessionId::random().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn lists_have_ones_own_and_those_of_permitted_connections() {
    let (store, _dir) = store().await;
    let first = begin(&store, "db-prod", "agent").await;
    let second = begin(&store, "db-test", "bo").await;
    let third = begin(&store, "db-prod", "bo").await;
    let list = async |name: &str, connections: &[&str], before: Option<&SessionId>, limit| {
        let filter = SessionFilter {
            of: person(name),
            connections: connections.iter().map(|&connection| connection.to_owned()).collect(),
            before: before.cloned(),
            limit,
        };
        let sessions = store.sessions(&filter).await.unwrap();
        sessions
            .into_iter()
            .map(|session| session.summary.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(list("agent", &[], None, 10).await, std::slice::from_ref(&first));
    assert_eq!(list("bo", &[], None, 10).await, [third.clone(), second.clone()]);
    assert_eq!(
        list("ana", &["db-prod"], None, 10).await,
        [third.clone(), first.clone()]
    );
    assert_eq!(list("bo", &["db-prod"], Some(&third), 1).await, [second]);
    assert_eq!(list("ana", &[], None, 10).await, []);
}
