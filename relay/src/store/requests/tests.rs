#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::approval::samples::{ask, decider, person, requirement, store};
use crate::approval::{Desk, DeskOptions, Held};
use hoop_shared::api::RequestStatus;
use tokio_util::sync::CancellationToken;

fn filter(name: &str, groups: &[&str]) -> RequestFilter {
    RequestFilter {
        viewer: viewer(name, groups),
        asker: None,
        status: Vec::new(),
        page: Page::Newest(None),
        brief: false,
        limit: 10,
    }
}

fn viewer(name: &str, groups: &[&str]) -> Viewer {
    Viewer {
        of: person(name),
        approver_groups: groups.iter().map(|&group| group.to_owned()).collect(),
    }
}

async fn three() -> (Store, Desk, Vec<Held>, tempfile::TempDir) {
    let (store, dir) = store().await;
    let (desk, clerk) = Desk::open(store.clone(), DeskOptions { pending_per_session: 4 })
        .await
        .unwrap();
    tokio::spawn(clerk.run(CancellationToken::new()));
    let session = SessionId::random().unwrap();
    let mut held = Vec::new();
    for group in ["dba", "security", "dba"] {
        held.push(
            desk.hold(ask(
                &session,
                &[requirement("one", &[group], 1), requirement("two", &[group], 1)],
            ))
            .await
            .unwrap(),
        );
    }
    (store, desk, held, dir)
}

async fn listed(store: &Store, filter: &RequestFilter) -> Vec<RequestId> {
    store
        .requests(filter)
        .await
        .unwrap()
        .into_iter()
        .map(|listed| listed.record.id)
        .collect()
}

#[tokio::test]
async fn a_request_comes_back_as_it_was_stored() {
    let (store, desk, held, _dir) = three().await;
    let id = held[0].id();
    desk.decide(id, decider("bo", "bo-1"), true, Some("a\0\u{202e}b".to_owned()))
        .await
        .unwrap();
    let record = store.request(id).await.unwrap().unwrap();
    let mut expected = held[0].request().clone();
    expected.status = RequestStatus::Approved;
    expected.created = from_millis(millis(expected.created)).unwrap();
    expected.expires = from_millis(millis(expected.expires)).unwrap();
    expected.decisions = record.shown().decisions;
    assert_eq!(
        serde_json::to_value(record.shown()).unwrap(),
        serde_json::to_value(&expected).unwrap()
    );
    assert_eq!(record.decisions[0].reason.as_deref(), Some("a\0\u{202e}b"));
    assert_eq!((record.login.as_str(), record.digest), ("agent-1", [7; 32]));
    assert!(store.request(&RequestId::random().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn lists_have_what_one_made_may_decide_or_decided() {
    let (store, desk, held, _dir) = three().await;
    let ids: Vec<RequestId> = held.iter().rev().map(|held| held.id().clone()).collect();
    assert_eq!(listed(&store, &filter("agent", &[])).await, ids);
    assert_eq!(
        listed(&store, &filter("bo", &["dba", "other"])).await,
        [ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(listed(&store, &filter("ana", &["engineers"])).await, []);
    // Another subject under the same label is somebody else.
    let mut stranger = filter("agent", &[]);
    stranger.viewer.of.subject = "sub of stranger".to_owned();
    assert_eq!(listed(&store, &stranger).await, []);
    // Who decided still finds it without the group.
    desk.decide(&ids[1], decider("si", "si-1"), false, None).await.unwrap();
    assert_eq!(listed(&store, &filter("si", &[])).await, [ids[1].clone()]);
}

#[tokio::test]
async fn lists_filter_by_status_and_go_on_before_an_id() {
    let (store, desk, held, _dir) = three().await;
    desk.decide(held[0].id(), decider("bo", "bo-1"), false, None)
        .await
        .unwrap();
    let mut denied = filter("agent", &[]);
    denied.status = vec![RequestStatus::Denied, RequestStatus::Spent];
    assert_eq!(listed(&store, &denied).await, [held[0].id().clone()]);
    let mut page = filter("agent", &[]);
    page.limit = 2;
    assert_eq!(
        listed(&store, &page).await,
        [held[2].id().clone(), held[1].id().clone()]
    );
    page.page = Page::Newest(Some(held[1].id().clone()));
    assert_eq!(listed(&store, &page).await, [held[0].id().clone()]);
    page.page = Page::Newest(Some(RequestId::random().unwrap()));
    assert_eq!(
        listed(&store, &page).await,
        [],
        "an unknown id is no place to go on from"
    );
    assert_eq!(
        store.open_requests().await.unwrap(),
        [held[1].id().clone(), held[2].id().clone()]
    );
}

#[tokio::test]
async fn a_list_has_the_beginning_of_what_is_long() {
    let (store, _dir) = store().await;
    let (desk, clerk) = Desk::open(store.clone(), DeskOptions { pending_per_session: 4 })
        .await
        .unwrap();
    tokio::spawn(clerk.run(CancellationToken::new()));
    let session = SessionId::random().unwrap();
    let short = desk
        .hold(ask(&session, &[requirement("one", &["dba"], 1)]))
        .await
        .unwrap();
    let mut long = ask(&session, &[requirement("one", &["dba"], 1)]).detail("function", "x".repeat(9000));
    long.set_statement(format!("select '{}'", "é".repeat(9000)));
    let long = desk.hold(long).await.unwrap();

    let listed = store.requests(&filter("agent", &[])).await.unwrap();
    assert_eq!((listed[0].shortened, listed[1].shortened), (true, false));
    assert_eq!(listed[0].record.statement.chars().count(), 8192);
    assert!(listed[0].shown().details.iter().any(|(name, _)| name == "shortened"));
    assert_eq!(listed[1].record.id, *short.id());
    let whole = store.request(long.id()).await.unwrap().unwrap();
    assert_eq!(whole.statement.chars().count(), 9009);
    assert_eq!(whole.details[1].1.len(), 9000);
}

#[tokio::test]
async fn open_ones_are_listed_from_the_oldest_and_go_on_after_an_id() {
    let (store, desk, held, _dir) = three().await;
    let ids: Vec<RequestId> = held.iter().map(|held| held.id().clone()).collect();
    let mut open = filter("agent", &[]);
    open.status = vec![RequestStatus::Pending];
    open.page = Page::Oldest(None);
    assert_eq!(listed(&store, &open).await, ids);
    open.page = Page::Oldest(Some(ids[0].clone()));
    open.limit = 1;
    assert_eq!(listed(&store, &open).await, [ids[1].clone()]);
    desk.decide(&ids[1], decider("si", "si-1"), false, None).await.unwrap();
    assert_eq!(listed(&store, &open).await, [ids[2].clone()]);
    let mut for_security = filter("si", &["security"]);
    for_security.status = vec![RequestStatus::Pending, RequestStatus::Approved];
    assert_eq!(listed(&store, &for_security).await, []);
}

#[tokio::test]
async fn what_one_asked_for_is_listed_to_who_may_see_it() {
    let (store, _desk, held, _dir) = three().await;
    let mut of_agent = filter("bo", &["dba"]);
    of_agent.asker = Some(person("agent"));
    assert_eq!(
        listed(&store, &of_agent).await,
        [held[2].id().clone(), held[0].id().clone()],
        "security's is not for dba"
    );
    of_agent.asker = Some(person("cy"));
    assert_eq!(listed(&store, &of_agent).await, []);
}

#[tokio::test]
async fn a_brief_list_has_a_line_of_each() {
    let (store, dir) = store().await;
    let (desk, clerk) = Desk::open(store.clone(), DeskOptions { pending_per_session: 4 })
        .await
        .unwrap();
    tokio::spawn(clerk.run(CancellationToken::new()));
    let mut long = ask(&SessionId::random().unwrap(), &[requirement("one", &["dba"], 1)]);
    long.set_statement("é".repeat(2000));
    let _held = desk.hold(long).await.unwrap();
    let mut brief = filter("agent", &[]);
    brief.brief = true;
    let listed = store.requests(&brief).await.unwrap();
    assert_eq!(listed[0].record.statement.chars().count(), 1000);
    assert!(listed[0].shortened && listed[0].record.parameters.is_empty() && listed[0].record.effects.is_empty());
    drop(dir);
}

async fn changed(store: &Store, viewer: &Viewer, revision: &mut i64) -> Vec<(RequestId, RequestStatus)> {
    let changes = store
        .changed_requests(viewer, Some(*revision), true, 10)
        .await
        .unwrap()
        .unwrap();
    assert!(!changes.more);
    *revision = changes.revision;
    changes
        .requests
        .into_iter()
        .map(|listed| (listed.record.id, listed.record.status))
        .collect()
}

#[tokio::test]
async fn whoever_follows_gets_every_change_that_they_may_see_once() {
    let (store, desk, held, _dir) = three().await;
    let bo = viewer("bo", &["dba"]);
    let begin = store.changed_requests(&bo, None, true, 10).await.unwrap().unwrap();
    assert!(begin.requests.is_empty());
    let mut revision = begin.revision;
    assert_eq!(changed(&store, &bo, &mut revision).await, []);
    let (first, security) = (held[0].id().clone(), held[1].id().clone());
    desk.decide(&security, decider("si", "si-1"), false, None)
        .await
        .unwrap();
    assert_eq!(
        changed(&store, &bo, &mut revision).await,
        [],
        "security's is not for dba"
    );
    desk.decide(&first, decider("bo", "bo-1"), true, None).await.unwrap();
    desk.decide(&first, decider("cy", "cy-1"), false, None).await.unwrap();
    assert_eq!(
        changed(&store, &bo, &mut revision).await,
        [(first, RequestStatus::Denied)],
        "as it is now"
    );
    assert_eq!(changed(&store, &bo, &mut revision).await, []);
}

#[tokio::test]
async fn many_changes_come_in_parts_and_a_revision_of_another_store_begins_anew() {
    let (store, _desk, held, _dir) = three().await;
    let agent = viewer("agent", &[]);
    let mut revision = 0;
    for one in &held {
        let changes = store
            .changed_requests(&agent, Some(revision), false, 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (changes.requests[0].record.id.clone(), changes.more),
            (one.id().clone(), true)
        );
        revision = changes.revision;
    }
    assert_eq!(changed(&store, &agent, &mut revision).await, []);
    for strange in [revision + 1, -1] {
        assert!(
            store
                .changed_requests(&agent, Some(strange), false, 1)
                .await
                .unwrap()
                .is_none()
        );
    }
}
