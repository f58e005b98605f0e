#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use super::super::samples::{ask, decider, log_in, person, requirement, store};
use super::super::{Desk, DeskOptions};
use super::*;
use hoop_shared::api::PrincipalKind;
use tempfile::TempDir;
use tokio::task::JoinHandle;

struct Office {
    desk: Desk,
    store: Store,
    stop: CancellationToken,
    clerk: JoinHandle<()>,
    session: SessionId,
    _dir: TempDir,
}

impl Office {
    async fn open() -> Self {
        let (store, dir) = store().await;
        Self::over(store, dir).await
    }

    async fn over(store: Store, dir: TempDir) -> Self {
        let (desk, clerk) = Desk::open(store.clone(), DeskOptions { pending_per_session: 2 })
            .await
            .unwrap();
        let stop = CancellationToken::new();
        let clerk = tokio::spawn(clerk.run(stop.clone()));
        let session = SessionId::random().unwrap();
        Self {
            desk,
            store,
            stop,
            clerk,
            session,
            _dir: dir,
        }
    }

    fn ask(&self) -> Ask {
        ask(&self.session, &[requirement("one", &["dba"], 1)])
    }

    async fn status(&self, id: &RequestId) -> RequestStatus {
        self.store.request(id).await.unwrap().unwrap().status
    }

    async fn why(&self, id: &RequestId) -> String {
        self.store.request(id).await.unwrap().unwrap().ended.unwrap().why
    }

    async fn becomes(&self, id: &RequestId, status: RequestStatus) {
        for _ in 0..500 {
            if self.status(id).await == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} is {:?}, not {status:?}", self.status(id).await);
    }
}

#[tokio::test]
async fn what_is_approved_is_released_once() {
    let office = Office::open().await;
    let mut held = office.desk.hold(office.ask()).await.unwrap();
    let id = held.id().clone();
    assert_eq!(office.status(&id).await, RequestStatus::Pending);
    let shown = office
        .desk
        .decide(&id, decider("bo", "bo-1"), true, Some("fine".to_owned()))
        .await
        .unwrap();
    assert_eq!(shown.status, RequestStatus::Approved);
    assert_eq!(held.decided().await, Outcome::Approved);
    let approved = held.release().await.unwrap();
    assert_eq!(
        (approved.request(), approved.session(), approved.digest()),
        (&id, &office.session, &[7; 32])
    );
    assert_eq!(office.status(&id).await, RequestStatus::Spent);
    let late = office
        .desk
        .decide(&id, decider("cy", "cy-1"), false, None)
        .await
        .unwrap_err();
    assert_eq!(late.code, Code::Failed);
}

#[tokio::test]
async fn a_denial_between_approval_and_release_wins() {
    let office = Office::open().await;
    let mut held = office.desk.hold(office.ask()).await.unwrap();
    let id = held.id().clone();
    office
        .desk
        .decide(&id, decider("bo", "bo-1"), true, None)
        .await
        .unwrap();
    assert_eq!(held.decided().await, Outcome::Approved);
    office
        .desk
        .decide(&id, decider("cy", "cy-1"), false, Some("not now".to_owned()))
        .await
        .unwrap();
    let refusal = held.release().await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::ApprovalDenied, "denied by cy: not now")
    );
    assert_eq!(refusal.request, Some(id.clone()));
    assert_eq!(office.status(&id).await, RequestStatus::Denied);
}

#[tokio::test]
async fn who_may_not_decide_learns_the_same_as_about_a_request_that_is_not() {
    let office = Office::open().await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    let unknown = RequestId::random().unwrap();
    let mut texts = Vec::new();
    for id in [held.id(), &unknown] {
        let refusal = office
            .desk
            .decide(id, decider("ana", "ana-1"), true, None)
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::Blocked);
        texts.push(refusal.message.replace(id.as_str(), "ID"));
    }
    assert_eq!(texts[0], texts[1]);
    for (name, login) in [("agent", "agent-1"), ("job", "job-1")] {
        let refusal = office
            .desk
            .decide(held.id(), decider(name, login), true, None)
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::Blocked, "{name}");
    }
    assert_eq!(office.status(held.id()).await, RequestStatus::Pending);
}

#[tokio::test]
async fn who_asks_may_not_approve_from_a_second_login() {
    let office = Office::open().await;
    log_in(&office.store, "agent", "agent-2", PrincipalKind::User, &["dba"]).await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    let refusal = office
        .desk
        .decide(held.id(), decider("agent", "agent-2"), true, None)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::Blocked);
}

#[tokio::test]
async fn a_client_that_goes_away_withdraws() {
    let office = Office::open().await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    let id = held.id().clone();
    drop(held);
    office.becomes(&id, RequestStatus::Cancelled).await;
    let refusal = office
        .desk
        .decide(&id, decider("bo", "bo-1"), true, None)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ApprovalCancelled);
}

#[tokio::test]
async fn only_who_asks_cancels() {
    let office = Office::open().await;
    let mut held = office.desk.hold(office.ask()).await.unwrap();
    let refusal = office.desk.cancel(held.id(), person("bo")).await.unwrap_err();
    assert_eq!(refusal.code, Code::NotFound);
    let shown = office.desk.cancel(held.id(), person("agent")).await.unwrap();
    assert_eq!(shown.status, RequestStatus::Cancelled);
    assert_eq!(held.decided().await, Outcome::Cancelled);
    assert_eq!(
        office.desk.cancel(held.id(), person("agent")).await.unwrap().status,
        RequestStatus::Cancelled
    );
}

#[tokio::test]
async fn time_ends_what_nobody_decides() {
    let office = Office::open().await;
    let mut short = office.ask();
    short.ttl = Duration::from_millis(50);
    let mut held = office.desk.hold(short).await.unwrap();
    assert_eq!(held.decided().await, Outcome::Expired);
    assert_eq!(office.why(held.id()).await, "not decided in time");
    let refusal = office
        .desk
        .decide(held.id(), decider("bo", "bo-1"), true, None)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ApprovalExpired);
    assert_eq!(held.release().await.unwrap_err().code, Code::ApprovalExpired);
}

#[tokio::test]
async fn a_session_holds_no_more_than_its_limit_and_frees_what_ended() {
    let office = Office::open().await;
    let first = office.desk.hold(office.ask()).await.unwrap();
    let second = office.desk.hold(office.ask()).await.unwrap();
    assert!(matches!(
        office.desk.hold(office.ask()).await,
        Err(HoldError::TooMany(2))
    ));
    let other = ask(&SessionId::random().unwrap(), &[requirement("one", &["dba"], 1)]);
    let others = office.desk.hold(other).await.unwrap();
    office
        .desk
        .decide(first.id(), decider("bo", "bo-1"), false, None)
        .await
        .unwrap();
    let third = office.desk.hold(office.ask()).await.unwrap();
    office.desk.session_ended(&office.session).await;
    for held in [&second, &third] {
        assert_eq!(office.status(held.id()).await, RequestStatus::Cancelled);
    }
    assert_eq!(office.status(others.id()).await, RequestStatus::Pending);
}

#[tokio::test]
async fn what_nobody_may_approve_is_not_held() {
    let office = Office::open().await;
    for requirements in [&[][..], &[requirement("empty", &[], 1)][..]] {
        let held = office.desk.hold(ask(&office.session, requirements)).await;
        assert!(matches!(held, Err(HoldError::NoApprovers)));
    }
}

#[tokio::test]
async fn an_approver_revoked_before_release_does_not_count() {
    let office = Office::open().await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    let id = held.id().clone();
    office
        .desk
        .decide(&id, decider("bo", "bo-1"), true, None)
        .await
        .unwrap();
    office
        .store
        .revoke_login("bo-1", "operator", OffsetDateTime::now_utc())
        .await
        .unwrap();
    // Logging in again gives a new standing, but not to what the revoked login approved.
    log_in(&office.store, "bo", "bo-2", PrincipalKind::User, &["dba"]).await;
    assert_eq!(held.release().await.unwrap_err().code, Code::ApprovalExpired);
    assert!(office.why(&id).await.contains("too few of those who approved (bo)"));
}

#[tokio::test]
async fn groups_are_those_of_the_newest_login() {
    let office = Office::open().await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    // bo has left the group since; the older login does not bring it back, nor does revoking the newer one.
    log_in(&office.store, "bo", "bo-2", PrincipalKind::User, &["engineers"]).await;
    for _ in 0..2 {
        let refusal = office
            .desk
            .decide(held.id(), decider("bo", "bo-1"), true, None)
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::Blocked);
        office
            .store
            .revoke_login("bo-2", "bo", OffsetDateTime::now_utc())
            .await
            .unwrap();
    }
    // A login that joined counts from any of the person's valid logins.
    log_in(&office.store, "ana", "ana-2", PrincipalKind::User, &["dba"]).await;
    office
        .desk
        .decide(held.id(), decider("ana", "ana-1"), true, None)
        .await
        .unwrap();
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_restart_expires_what_waited_and_says_so() {
    let office = Office::open().await;
    let held = office.desk.hold(office.ask()).await.unwrap();
    let approved = office.desk.hold(office.ask()).await.unwrap();
    office
        .desk
        .decide(approved.id(), decider("bo", "bo-1"), true, None)
        .await
        .unwrap();
    office.clerk.abort();
    let _ = office.clerk.await;
    assert_eq!(held.release().await.unwrap_err().code, Code::RelayFault);
    let again = Office::over(office.store.clone(), office._dir).await;
    let id = approved.id().clone();
    assert_eq!(again.status(&id).await, RequestStatus::Expired);
    assert_eq!(again.why(&id).await, "the relay that held it was restarted");
    let refusal = again
        .desk
        .decide(&id, decider("bo", "bo-1"), true, None)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ApprovalExpired);
}

#[tokio::test]
async fn a_stop_withdraws_what_waits() {
    let office = Office::open().await;
    let mut held = office.desk.hold(office.ask()).await.unwrap();
    office.stop.cancel();
    office.clerk.await.unwrap();
    assert_eq!(held.decided().await, Outcome::Cancelled);
    assert_eq!(
        office.store.request(held.id()).await.unwrap().unwrap().status,
        RequestStatus::Cancelled
    );
    assert!(matches!(
        office
            .desk
            .hold(ask(&office.session, &[requirement("one", &["dba"], 1)]))
            .await,
        Err(HoldError::Stopping)
    ));
}

#[tokio::test]
async fn a_store_that_fails_releases_nothing() {
    let office = Office::open().await;
    let mut held = office.desk.hold(office.ask()).await.unwrap();
    office
        .desk
        .decide(held.id(), decider("bo", "bo-1"), true, None)
        .await
        .unwrap();
    assert_eq!(held.decided().await, Outcome::Approved);
    office.store.close().await;
    assert_eq!(held.release().await.unwrap_err().code, Code::RelayFault);
    assert!(matches!(office.desk.hold(office.ask()).await, Err(HoldError::Store(_))));
}

#[tokio::test]
async fn decisions_at_once_end_in_one_state() {
    let office = Office::open().await;
    for round in 0..20 {
        let mut held = office
            .desk
            .hold(ask(&SessionId::random().unwrap(), &[requirement("one", &["dba"], 1)]))
            .await
            .unwrap();
        let id = held.id().clone();
        let (approve, deny, release) = tokio::join!(
            office.desk.decide(&id, decider("bo", "bo-1"), true, None),
            async {
                if round % 2 == 0 {
                    tokio::task::yield_now().await;
                }
                office.desk.decide(&id, decider("cy", "cy-1"), false, None).await
            },
            async {
                match held.decided().await {
                    Outcome::Approved => held.release().await.is_ok(),
                    _ => false,
                }
            },
        );
        let status = office.status(&id).await;
        assert_eq!(release, status == RequestStatus::Spent);
        assert_eq!(deny.is_ok(), status == RequestStatus::Denied, "{approve:?}");
        assert!(matches!(status, RequestStatus::Spent | RequestStatus::Denied));
    }
}
