#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use time::Duration;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data")).await.unwrap();
    (dir, store)
}

fn login(serial: &str, label: &str, subject: &str) -> Login {
    Login {
        serial: serial.into(),
        label: label.into(),
        kind: PrincipalKind::User,
        issuer: "https://idp".into(),
        subject: subject.into(),
        groups: vec!["dba".into(), "engineers".into()],
        fingerprint: format!("key of {serial}"),
        source: "192.0.2.1".into(),
        machine: format!("machine of {serial}"),
        created: NOW,
        expires: NOW + Duration::hours(12),
        revoked: None,
        revoked_by: None,
    }
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_made() {
    let (_dir, store) = store().await;
    let made = login("a1", "ana", "1");
    let change = store.enrol(&made, None).await.unwrap();
    let read = store.logins_since(0, NOW).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].login, made);
    assert_eq!((read[0].id, read[0].revision), (change.id, change.revision));
    assert!(store.logins_since(change.revision, NOW).await.unwrap().is_empty());
    assert!(
        store
            .logins_since(0, NOW + Duration::hours(12))
            .await
            .unwrap()
            .is_empty(),
        "expired"
    );
}

#[tokio::test]
async fn a_label_belongs_to_its_first_principal_until_it_is_freed() {
    let (_dir, store) = store().await;
    store.enrol(&login("a1", "ana", "1"), None).await.unwrap();
    store.enrol(&login("a2", "ana", "1"), None).await.unwrap();
    let thief = login("b1", "ana", "2");
    assert!(matches!(store.enrol(&thief, None).await, Err(EnrolError::LabelTaken)));
    let mut elsewhere = login("b2", "ana", "1");
    elsewhere.issuer = "https://other".into();
    assert!(matches!(
        store.enrol(&elsewhere, None).await,
        Err(EnrolError::LabelTaken)
    ));
    assert_eq!(
        store.logins_since(0, NOW).await.unwrap().len(),
        2,
        "a refused login left a record"
    );

    assert!(store.free_label("ana", "operator", NOW).await.unwrap());
    assert!(!store.free_label("ana", "operator", NOW).await.unwrap());
    store.enrol(&thief, None).await.unwrap();
    let valid = store.valid_logins(NOW).await.unwrap();
    assert_eq!(valid, [thief], "the old principal's logins outlive its label");
}

#[tokio::test]
async fn labels_are_compared_as_exact_bytes() {
    let (_dir, store) = store().await;
    store.enrol(&login("a1", "ana", "1"), None).await.unwrap();
    store.enrol(&login("a2", "Ana", "2"), None).await.unwrap();
    store.enrol(&login("a3", "ana ", "3"), None).await.unwrap();
    assert_eq!(store.revoke_label("ana", "operator", NOW).await.unwrap(), ["a1"]);
}

#[tokio::test]
async fn a_workload_token_stays_with_its_first_key() {
    let (_dir, store) = store().await;
    let seen = SeenToken {
        token: "jti:1".into(),
        expires: NOW + Duration::minutes(5),
    };
    let mut job = login("w1", "github:job", "job");
    job.kind = PrincipalKind::Workload;
    store.enrol(&job, Some(&seen)).await.unwrap();
    job.serial = "w2".into();
    store.enrol(&job, Some(&seen)).await.unwrap();
    job.serial = "w3".into();
    job.fingerprint = "another key".into();
    assert!(matches!(
        store.enrol(&job, Some(&seen)).await,
        Err(EnrolError::Replayed)
    ));
    assert_eq!(store.forget_expired_tokens(NOW).await.unwrap(), 0);
    assert!(matches!(
        store.enrol(&job, Some(&seen)).await,
        Err(EnrolError::Replayed)
    ));
    assert_eq!(
        store.forget_expired_tokens(NOW + Duration::minutes(6)).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn a_revocation_is_a_change_and_happens_once() {
    let (_dir, store) = store().await;
    store.enrol(&login("a1", "ana", "1"), None).await.unwrap();
    let last = store.enrol(&login("b1", "bo", "2"), None).await.unwrap().revision;
    assert!(store.revoke_login("a1", "ana", NOW).await.unwrap());
    assert!(!store.revoke_login("a1", "ana", NOW).await.unwrap());
    let changes = store.logins_since(last, NOW).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].login.revoked, Some(NOW));
    assert_eq!(changes[0].login.revoked_by.as_deref(), Some("ana"));
    assert!(store.revoke_label("ana", "operator", NOW).await.unwrap().is_empty());
    assert_eq!(store.valid_logins(NOW).await.unwrap().len(), 1);
}

#[tokio::test]
async fn several_logins_are_revoked_as_several_changes() {
    let (_dir, store) = store().await;
    let mut last = 0;
    for serial in ["a1", "a2", "a3"] {
        last = store.enrol(&login(serial, "ana", "1"), None).await.unwrap().revision;
    }
    store.revoke_label("ana", "operator", NOW).await.unwrap();
    assert_eq!(store.logins_since(last, NOW).await.unwrap().len(), 3);
}

#[tokio::test]
async fn other_logins_of_a_principal_are_told_once() {
    let (_dir, store) = store().await;
    store.enrol(&login("old", "ana", "1"), None).await.unwrap();
    store.enrol(&login("mine", "ana", "1"), None).await.unwrap();
    assert!(
        store.new_logins("mine").await.unwrap().is_empty(),
        "what came before is not new"
    );
    store.enrol(&login("strange", "ana", "1"), None).await.unwrap();
    store.enrol(&login("bo", "bo", "2"), None).await.unwrap();
    let told = store.new_logins("mine").await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].machine, "machine of strange");
    assert!(store.new_logins("mine").await.unwrap().is_empty());
    assert_eq!(
        store.new_logins("old").await.unwrap().len(),
        2,
        "each login is told for itself"
    );
}

#[tokio::test]
async fn attempts_are_kept_until_they_are_old() {
    let (_dir, store) = store().await;
    let attempt = Attempt {
        source: "192.0.2.1".into(),
        outcome: "denied",
        ..Attempt::default()
    };
    store.record_attempt(&attempt, NOW).await.unwrap();
    let outcome: String = sqlx::query_scalar("SELECT outcome FROM login_attempts")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(outcome, "denied");
    assert_eq!(store.forget_attempts(NOW).await.unwrap(), 0);
    assert_eq!(store.forget_attempts(NOW + Duration::seconds(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_principal_is_listed_with_its_newest_login() {
    let (_dir, store) = store().await;
    store.enrol(&login("a1", "ana", "1"), None).await.unwrap();
    store.enrol(&login("a2", "ana", "1"), None).await.unwrap();
    store.enrol(&login("b1", "bo", "2"), None).await.unwrap();
    let listed: Vec<_> = store
        .principals()
        .await
        .unwrap()
        .into_iter()
        .map(|login| login.serial)
        .collect();
    assert_eq!(listed, ["a2", "b1"]);
}
