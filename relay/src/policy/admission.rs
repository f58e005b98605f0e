//! The answer to `connect`: whether a session may be opened.

use super::decision::{Reason, Requirement};

/// The answer about opening a session.
#[must_use]
#[derive(Debug)]
pub enum ConnectDecision {
    /// It may be opened.
    Allow(Admission),
    /// It may not.
    Block(ConnectBlocked),
    /// It waits for people.
    RequireApproval(AdmissionReview),
}

/// The right to open one session for one login on one connection. Only `policy` and `approval` make one.
#[derive(Debug)]
pub struct Admission {
    login: String,
    connection: String,
    rules: Vec<String>,
}

impl Admission {
    pub(in crate::policy) fn new(login: &str, connection: &str, rules: Vec<String>) -> Self {
        Self {
            login: login.to_owned(),
            connection: connection.to_owned(),
            rules,
        }
    }

    /// Whether it was made for this login and this connection.
    pub fn covers(&self, login: &str, connection: &str) -> bool {
        self.login == login && self.connection == connection
    }

    /// The `@id`s of the policies that permit it.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }
}

/// A session that policy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectBlocked {
    /// Why.
    pub reason: Reason,
    /// The `@id`s of the policies that forbid it; empty where nothing permits it.
    pub rules: Vec<String>,
    /// The rule's `@message`.
    pub message: Option<String>,
}

/// A session that must be approved before it is opened.
#[derive(Debug)]
pub struct AdmissionReview {
    admission: Admission,
    /// What must be satisfied, all of it.
    pub requirements: Vec<Requirement>,
}

impl AdmissionReview {
    pub(in crate::policy) fn new(admission: Admission, requirements: Vec<Requirement>) -> Self {
        Self {
            admission,
            requirements,
        }
    }

    /// The `@id`s of the policies that permit it, those with `@approvers` among them.
    pub fn rules(&self) -> &[String] {
        &self.admission.rules
    }

    /// Makes the admission, for the proof that people approved exactly this review.
    pub fn approve(self, _approved: crate::approval::Approved) -> Admission {
        self.admission
    }
}
