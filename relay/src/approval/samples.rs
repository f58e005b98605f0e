//! People, logins and asks for tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hoop_shared::api::{EffectShown, Parameter, PrincipalKind, RequestKind};
use hoop_shared::id::SessionId;
use time::OffsetDateTime;

use super::{Ask, Decider, Person};
use crate::policy::Requirement;
use crate::store::Store;
use crate::store::logins::Login;

pub(crate) const ISSUER: &str = "https://issuer.test";

pub(crate) fn person(name: &str) -> Person {
    Person {
        issuer: ISSUER.to_owned(),
        subject: format!("sub of {name}"),
        label: name.to_owned(),
    }
}

pub(crate) fn decider(name: &str, login: &str) -> Decider {
    Decider {
        person: person(name),
        login: login.to_owned(),
    }
}

pub(crate) fn requirement(rule: &str, approvers: &[&str], approvals: u32) -> Requirement {
    Requirement {
        rule: rule.to_owned(),
        approvers: approvers.iter().map(|&group| group.to_owned()).collect(),
        approvals,
        ttl: Duration::from_secs(900),
    }
}

/// An ask by `agent`, from the login `agent-1`.
pub(crate) fn ask(session: &SessionId, requirements: &[Requirement]) -> Ask {
    Ask {
        kind: RequestKind::Operation,
        session: session.clone(),
        connection: "db-prod".to_owned(),
        asker: person("agent"),
        asker_kind: PrincipalKind::User,
        login: "agent-1".to_owned(),
        groups: vec!["agents".to_owned(), "dba".to_owned()],
        reason: Some("clean up".to_owned()),
        statement: "delete from orders where id = $1".to_owned(),
        parameters: vec![Parameter {
            type_name: "int4".to_owned(),
            value: Some("7".to_owned()),
        }],
        effects: vec![EffectShown {
            action: "sql:delete".to_owned(),
            resource: "db-prod/public.orders".to_owned(),
        }],
        rules: vec!["writes".to_owned()],
        requirements: requirements.to_vec(),
        digest: [7; 32],
        details: vec![("transaction".to_owned(), "none".to_owned())],
        ttl: Duration::from_secs(900),
    }
}

/// Logs somebody in for an hour.
pub(crate) async fn log_in(store: &Store, name: &str, serial: &str, kind: PrincipalKind, groups: &[&str]) {
    let now = OffsetDateTime::now_utc();
    let login = Login {
        serial: serial.to_owned(),
        label: name.to_owned(),
        kind,
        issuer: ISSUER.to_owned(),
        subject: format!("sub of {name}"),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        fingerprint: "00".to_owned(),
        source: "127.0.0.1".to_owned(),
        machine: "test".to_owned(),
        created: now,
        expires: now + Duration::from_secs(3600),
        revoked: None,
        revoked_by: None,
    };
    store.enrol(&login, None).await.unwrap();
}

/// A store with `agent`, `bo` and `cy` of `dba`, `si` of `security`, `ana` of `engineers` and the workload `job` of `dba`.
pub(crate) async fn store() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data")).await.unwrap();
    log_in(&store, "agent", "agent-1", PrincipalKind::User, &["agents", "dba"]).await;
    log_in(&store, "bo", "bo-1", PrincipalKind::User, &["dba"]).await;
    log_in(&store, "cy", "cy-1", PrincipalKind::User, &["dba"]).await;
    log_in(&store, "si", "si-1", PrincipalKind::User, &["security"]).await;
    log_in(&store, "ana", "ana-1", PrincipalKind::User, &["engineers"]).await;
    log_in(&store, "job", "job-1", PrincipalKind::Workload, &["dba"]).await;
    (store, dir)
}
