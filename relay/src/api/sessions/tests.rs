#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::samples::World;
use super::*;
use crate::authn::PrincipalKind;
use crate::record::{Answer, Event, Header, Kind, Recorder};
use crate::store::sessions::{NewSession, SessionCounts};

/// Begins a recorded session of somebody's.
async fn begin(world: &World, who: &str, connection: &str) -> (SessionId, Recorder) {
    let id = SessionId::random().unwrap();
    let identity = World::identity(who);
    let started = OffsetDateTime::now_utc();
    let header = Header {
        session: id.clone(),
        connection: connection.to_owned(),
        protocol: Protocol::Postgres,
        principal: who.to_owned(),
        principal_kind: PrincipalKind::User,
        groups: identity.groups().to_vec(),
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
        reason: None,
        source: "192.0.2.1".parse().unwrap(),
        started,
    };
    let recorder = world.api.door.recordings.start(&header).unwrap();
    let line = NewSession {
        id: id.clone(),
        connection: connection.to_owned(),
        protocol: Protocol::Postgres,
        owner: Person::of(&identity),
        login: identity.login().to_owned(),
        reason: None,
        started,
    };
    world.store.insert_session(&line).await.unwrap();
    (id, recorder)
}

/// Records statements, the last of which is blocked.
fn state(world: &World, recorder: &Recorder, statements: usize) {
    let rules = world.api.door.rules.load();
    let scrubber = rules.masks("db-prod").unwrap().scrubber();
    for number in 1..=statements {
        let mut event = Event::new(Kind::Statement);
        event.stream = Some(1);
        event.statement = Some(scrubber.statement(&format!("select {number}")).into());
        event.decision = Some(if number == statements {
            Answer::Block
        } else {
            Answer::Allow
        });
        recorder.append(&event).unwrap();
    }
}

fn ids(listed: &Value) -> Vec<String> {
    listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn one_sees_ones_own_and_what_a_replay_permit_opens() {
    let world = World::open().await;
    let (agents, recorder) = begin(&world, "agent", "db-prod").await;
    state(&world, &recorder, 3);
    let (others, _other) = begin(&world, "agent", "db-other").await;
    let (bos, _bo) = begin(&world, "bo", "db-prod").await;

    let all = [&bos, &others, &agents].map(ToString::to_string);
    assert_eq!(ids(&world.get("agent", "/v1/sessions").await.1), all[1..]);
    assert_eq!(
        ids(&world.get("au", "/v1/sessions").await.1),
        [all[0].clone(), all[2].clone()],
        "by tag env:prod"
    );
    assert_eq!(
        ids(&world.get("au", &format!("/v1/sessions?limit=1&before={bos}")).await.1),
        all[2..]
    );
    assert_eq!(world.get("ana", "/v1/sessions").await.1, json!([]));

    for who in ["agent", "au"] {
        let (status, shown) = world.get(who, &format!("/v1/sessions/{agents}")).await;
        assert_eq!(status, StatusCode::OK, "{who}: {shown}");
        assert_eq!(
            (&shown["connection"], &shown["operations"], &shown["blocked"]),
            (&json!("db-prod"), &json!(3), &json!(1))
        );
        let kinds: Vec<_> = shown["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["kind"].clone())
            .collect();
        assert_eq!(kinds, ["session", "statement", "statement", "statement"]);
        assert_eq!(
            (&shown["events"][3]["statement"], &shown["events"][3]["decision"]),
            (&json!("select 3"), &json!("block"))
        );
    }
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let world = World::open().await;
    let (others, _recorder) = begin(&world, "agent", "db-other").await;
    let unknown = SessionId::random().unwrap();
    for (method, path) in [("GET", ""), ("GET", "/verify"), ("POST", "/kill")] {
        for who in ["au", "ana", "bo"] {
            let (status, seen) = world
                .ask(who, method, &format!("/v1/sessions/{others}{path}"), None)
                .await;
            let (missing_status, missing) = world
                .ask(who, method, &format!("/v1/sessions/{unknown}{path}"), None)
                .await;
            assert_eq!(
                (status, missing_status),
                (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
                "{who} {path}"
            );
            assert_eq!(
                seen.to_string().replace(others.as_str(), "ID"),
                missing.to_string().replace(unknown.as_str(), "ID")
            );
        }
    }
}

#[tokio::test]
async fn events_come_in_pages_that_miss_none() {
    let world = World::open().await;
    let (id, recorder) = begin(&world, "agent", "db-prod").await;
    state(&world, &recorder, 7);
    recorder.seal("closed").unwrap();
    world.api.door.recordings.settle();
    let counts = SessionCounts {
        operations: 7,
        blocked: 1,
        ..SessionCounts::default()
    };
    world
        .store
        .end_session(&id, OffsetDateTime::now_utc(), counts, true)
        .await
        .unwrap();

    let mut seqs = Vec::new();
    let mut path = format!("/v1/sessions/{id}?limit=4");
    loop {
        let (status, page) = world.get("agent", &path).await;
        assert_eq!((status, &page["sealed"]), (StatusCode::OK, &json!(true)));
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 4);
        let Some(last) = events.last() else { break };
        seqs.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        path = format!("/v1/sessions/{id}?limit=4&after={}", last["seq"]);
    }
    assert_eq!(seqs, (0..=8).collect::<Vec<u64>>(), "header, seven statements, seal");
    assert_eq!(
        world.get("agent", &format!("/v1/sessions/{id}?after=x")).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn verifying_finds_what_was_altered_and_showing_says_so() {
    let world = World::open().await;
    let (id, recorder) = begin(&world, "agent", "db-prod").await;
    state(&world, &recorder, 3);
    recorder.seal("closed").unwrap();
    world.api.door.recordings.settle();
    let verified = world.get("agent", &format!("/v1/sessions/{id}/verify")).await.1;
    assert_eq!(
        (&verified["ok"], &verified["events"]),
        (&json!(true), &json!(5)),
        "{verified}"
    );

    let place = world.api.door.recordings.place(&id).unwrap();
    let text = std::fs::read_to_string(&place.events).unwrap();
    std::fs::write(&place.events, text.replace("select 2", "select 8")).unwrap();
    let verified = world.get("agent", &format!("/v1/sessions/{id}/verify")).await.1;
    assert_eq!(
        (&verified["ok"], &verified["last_good"]),
        (&json!(false), &json!(1)),
        "{verified}"
    );
    let shown = world.get("agent", &format!("/v1/sessions/{id}")).await.1;
    let last = shown["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["kind"], &last["seq"]), (&json!("problem"), &json!(2)), "{shown}");
    assert!(!shown.to_string().contains("select 8"), "what was altered is not shown");
    let (_, rest) = world.get("agent", &format!("/v1/sessions/{id}?after=2")).await;
    assert_eq!(rest["events"], json!([]));

    std::fs::remove_file(&place.events).unwrap();
    let verified = world.get("agent", &format!("/v1/sessions/{id}/verify")).await.1;
    assert_eq!(
        (&verified["ok"], &verified["problem"]),
        (&json!(false), &json!("the recording is missing"))
    );
    let (status, refused) = world.get("agent", &format!("/v1/sessions/{id}")).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &json!("relay_fault"))
    );
}

#[tokio::test]
async fn only_its_owner_or_a_kill_permit_ends_a_session() {
    let world = World::open().await;
    let (id, _recorder) = begin(&world, "agent", "db-prod").await;
    let path = format!("/v1/sessions/{id}/kill");
    let (status, refused) = world.ask("au", "POST", &path, None).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::FORBIDDEN, &json!("blocked")),
        "au may see it only"
    );
    for who in ["agent", "bo"] {
        let (status, done) = world.ask(who, "POST", &path, None).await;
        assert_eq!((status, done), (StatusCode::OK, json!({})), "{who}");
    }
}
