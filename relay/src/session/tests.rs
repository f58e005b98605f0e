#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant, SystemTime};

use hoop_shared::refusal::{Code, Refusal};

use super::samples::{PERMIT_ALL, Sample, config, connection, door, rules, wish};
use super::*;
use crate::authn::{Identity, PrincipalKind};
use crate::config::{Config, Limits, SessionTimes};

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await.unwrap() });
}

fn ana() -> Identity {
    Identity::sample("ana", PrincipalKind::User, &["engineers"])
}

async fn sample(change: impl FnOnce(&mut Config)) -> Sample {
    let mut config = config();
    change(&mut config);
    door(rules(config, PERMIT_ALL)).await
}

fn times(change: impl FnOnce(&mut SessionTimes)) -> impl FnOnce(&mut Config) {
    |config| change(&mut config.session)
}

/// Waits for a session's end under supervision; gives what the client sees and how long it took.
async fn end_of(session: &Session) -> (End, Refusal, Duration) {
    let since = Instant::now();
    let (end, refusal) = tokio::join!(supervise(session), session.ended());
    (end, refusal, since.elapsed())
}

#[test]
fn a_session_ends_with_the_credential_that_opened_it() {
    run(async {
        let sample = sample(|_| ()).await;
        let soon = SystemTime::now() + Duration::from_millis(200);
        let session = sample.session(ana().expiring(soon)).await.unwrap();
        assert_eq!(session.grant().expires(), soon);
        let (end, refusal, took) = end_of(&session).await;
        assert_eq!((end, refusal.code), (End::CredentialExpired, Code::SessionLimit));
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert!(refusal.message.contains("login"), "{refusal}");
        // It is over for new streams too.
        assert_eq!(session.stream().unwrap_err(), refusal);
    });
}

#[test]
fn a_session_ends_after_its_longest_time() {
    run(async {
        let sample = sample(times(|times| times.max_duration = Duration::from_millis(200))).await;
        let session = sample.session(ana()).await.unwrap();
        let (end, ..) = end_of(&session).await;
        assert_eq!(end, End::MaxDuration(Duration::from_millis(200)));
    });
}

#[test]
fn a_session_ends_when_it_is_idle_and_not_while_it_is_touched() {
    run(async {
        let sample = sample(times(|times| times.idle_timeout = Duration::from_millis(300))).await;
        let session = sample.session(ana()).await.unwrap();
        let busy = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                session.touch();
            }
        };
        let ((end, _, took), ()) = tokio::join!(end_of(&session), busy);
        assert_eq!(end, End::Idle(Duration::from_millis(300)));
        assert!(
            (Duration::from_millis(850)..Duration::from_millis(1500)).contains(&took),
            "{took:?}"
        );
    });
}

#[test]
fn revocation_ends_the_sessions_of_that_login_only() {
    run(async {
        let sample = sample(|_| ()).await;
        let session = sample.session(ana()).await.unwrap();
        let other = sample
            .session(Identity::sample("bo", PrincipalKind::User, &[]))
            .await
            .unwrap();
        sample.door.registry.revoke_login(ana().login());
        let (end, refusal, took) = end_of(&session).await;
        assert_eq!((end, refusal.code), (End::Revoked, Code::SessionRevoked));
        assert!(took < Duration::from_secs(1));
        assert!(other.why().is_none());
    });
}

#[test]
fn a_killed_session_says_who_ended_it_and_the_first_reason_stands() {
    run(async {
        let sample = sample(|_| ()).await;
        let session = sample.session(ana()).await.unwrap();
        assert!(sample.door.registry.kill(session.id(), "bo"));
        session.end(End::Draining);
        let (end, refusal, _) = end_of(&session).await;
        assert_eq!(end, End::Killed { by: "bo".into() });
        assert_eq!(refusal.message, "the session was ended by bo");
        sample.door.registry.remove(session.id());
        assert!(!sample.door.registry.kill(session.id(), "bo"));
        sample.door.registry.empty().await;
    });
}

#[test]
fn a_closed_session_ends_at_once_and_a_lost_one_after_a_grace() {
    run(async {
        let sample = sample(|_| ()).await;
        let closed = sample.session(ana()).await.unwrap();
        Lease::new(std::sync::Arc::clone(&closed)).close();
        assert_eq!(end_of(&closed).await.0, End::Closed);
        let lost = sample.session(ana()).await.unwrap();
        let lease = Lease::new(std::sync::Arc::clone(&lost));
        let ((end, _, took), ()) = tokio::join!(end_of(&lost), async { drop(lease) });
        assert_eq!(end, End::Lost);
        assert!(
            (Duration::from_secs(5)..Duration::from_secs(6)).contains(&took),
            "{took:?}"
        );
    });
}

#[test]
fn streams_and_sessions_have_limits_and_their_places_come_back() {
    run(async {
        let sample = sample(|config| {
            config.limits = Limits {
                streams_per_session: 2,
                sessions_per_principal: 1,
                ..Limits::default()
            };
        })
        .await;
        let session = sample.session(ana()).await.unwrap();
        let (one, _two) = (session.stream().unwrap(), session.stream().unwrap());
        assert_eq!(session.stream().unwrap_err().code, Code::LimitExceeded);
        drop(one);
        let _again = session.stream().unwrap();
        assert_eq!((session.stream_number(), session.stream_number()), (1, 2));

        assert_eq!(sample.session(ana()).await.unwrap_err().code, Code::LimitExceeded);
        sample
            .session(Identity::sample("bo", PrincipalKind::User, &[]))
            .await
            .unwrap();
        sample.door.registry.remove(session.id());
        sample.session(ana()).await.unwrap();
    });
}

#[test]
fn a_session_belongs_to_the_login_that_opened_it() {
    run(async {
        let sample = sample(|_| ()).await;
        let session = sample.session(ana()).await.unwrap();
        let registry = &sample.door.registry;
        assert!(registry.of_login(session.id(), &ana()).is_ok());
        let other = registry
            .of_login(session.id(), &Identity::sample("bo", PrincipalKind::User, &[]))
            .unwrap_err();
        registry.remove(session.id());
        // Who may not know of it sees the same as for one that never was.
        assert_eq!(registry.of_login(session.id(), &ana()).unwrap_err(), other);
        assert_eq!(other.code, Code::NotFound);
    });
}

#[test]
fn policy_decides_who_opens_what() {
    run(async {
        let policies = r#"
            @id("engineers") permit (principal in Hoop::Group::"engineers", action == Hoop::Action::"connect", resource);
            @id("not-ci") @message("not from a job") forbid (principal is Hoop::Workload, action == Hoop::Action::"connect", resource);
        "#;
        let sample = door(rules(config(), policies)).await;
        sample.session(ana()).await.unwrap();
        let nobody = sample
            .session(Identity::sample("bo", PrincipalKind::User, &[]))
            .await
            .unwrap_err();
        assert_eq!((nobody.code, nobody.rule.as_deref()), (Code::Blocked, None));
        let job = sample
            .session(Identity::sample("job", PrincipalKind::Workload, &["engineers"]))
            .await
            .unwrap_err();
        assert_eq!((job.code, job.rule.as_deref()), (Code::Blocked, Some("not-ci")));
        assert_eq!(job.message, "blocked by policy not-ci: not from a job");
        let unknown = sample
            .door
            .open(std::sync::Arc::new(ana()), wish("nothing"), |_| ())
            .await
            .unwrap_err();
        assert_eq!(unknown.code, Code::NotFound);
        assert_eq!(sample.door.registry.count(), 1);
    });
}

#[test]
fn a_session_that_needs_approval_waits_and_is_withdrawn_when_its_client_goes() {
    run(async {
        let policies =
            r#"@id("ask") @approvers("dba") permit (principal, action == Hoop::Action::"connect", resource);"#;
        let sample = door(rules(config(), policies)).await;
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let opening = sample
            .door
            .open(std::sync::Arc::new(ana()), wish("db"), |text| told.send(text).unwrap());
        let text = tokio::select! {
            opened = opening => panic!("{opened:?}"),
            text = heard.recv() => text.unwrap(),
        };
        assert!(text.contains("approval by dba"), "{text}");
        let id = text.split(':').next().unwrap().parse().unwrap();
        // The client is gone: nobody is asked any more.
        while sample.door.desk.watch(&id).await.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(sample.door.registry.count(), 0);
    });
}

#[test]
fn a_running_session_sees_a_new_generation_of_rules() {
    run(async {
        let sample = sample(|_| ()).await;
        let session = sample.session(ana()).await.unwrap();
        assert!(session.policies().ids().eq(["all"]));
        let before = sample.door.rules.load_full();
        let none = r#"@id("none") forbid (principal, action, resource);"#;
        sample.door.rules.store(std::sync::Arc::new(rules(config(), none)));
        assert!(session.policies().ids().eq(["none"]));
        assert!(before.policies().ids().eq(["all"]));
        assert_eq!(sample.session(ana()).await.unwrap_err().code, Code::Blocked);
    });
}

#[test]
fn a_connection_is_the_same_while_nothing_that_a_session_relies_on_changed() {
    let before = connection(None);
    assert!(same_connection(&before, &connection(None)));
    let mut tagged = connection(None);
    tagged.tags.push("team:shop".into());
    assert!(!same_connection(&before, &tagged));
    let mut moved = connection(None);
    let crate::config::Target::Postgres(target) = &mut moved.target;
    target.password = Some("secret".into());
    assert!(!same_connection(&before, &moved));
    assert!(same_connection(&moved, &moved.clone()));
}

#[test]
fn a_reload_keeps_the_connections_that_did_not_change() {
    let before = rules(config(), PERMIT_ALL);
    let policies = || crate::policy::Policies::parse(&[], Duration::from_secs(60)).unwrap();
    let again = Rules::new(config(), policies(), &[7; 32], Some(&before)).unwrap();
    let db = |rules: &Rules| std::sync::Arc::clone(rules.config().connection("db").unwrap());
    assert!(std::sync::Arc::ptr_eq(&db(&before), &db(&again)));
    let mut tagged = config();
    let mut connection = connection(None);
    connection.tags.clear();
    tagged.connections = vec![std::sync::Arc::new(connection)];
    let changed = Rules::new(tagged, policies(), &[7; 32], Some(&before)).unwrap();
    assert!(db(&changed).tags.is_empty());
}
