//! The three answers of policy, as proofs: what was judged is inside the answer, and only a spent [`Permit`] gives it back.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use hoop_shared::id::SessionId;

use super::effect::{Effect, Facts};

/// An operation that policy can be asked about. It owns the exact bytes that would reach the target.
pub trait Judged {
    /// Every effect it has. None means that it has no effect at all (an empty text).
    fn effects(&self) -> &[Effect];
    /// What holds for the whole of it.
    fn facts(&self) -> &Facts;
    /// Where an answer about it may be kept: beside its effects, and the tables and functions among its facts, for whatever other
    /// operation has these very ones.
    fn standing(&self) -> Option<&Standing> {
        None
    }
}

/// That an operation's effects are allowed in a session, as long as the policies stay the same. Only `policy` says so, and only where
/// nothing but these effects was looked at: not the hour, the text, the transaction or an estimate.
#[derive(Debug, Default)]
pub struct Standing(RefCell<Option<Stands>>);

#[derive(Debug)]
struct Stands {
    /// The number of the policies.
    policies: u64,
    session: SessionId,
    rules: Arc<[String]>,
}

impl Standing {
    /// The rules that permit it, if that is known.
    pub(in crate::policy) fn rules(&self, policies: u64, session: &SessionId) -> Option<Arc<[String]>> {
        let stands = self.0.borrow();
        let stands = stands.as_ref()?;
        (stands.policies == policies && stands.session == *session).then(|| stands.rules.clone())
    }

    /// These rules permit it, whatever else changes.
    pub(in crate::policy) fn keep(&self, policies: u64, session: &SessionId, rules: &Arc<[String]>) {
        *self.0.borrow_mut() = Some(Stands {
            policies,
            session: session.clone(),
            rules: rules.clone(),
        });
    }
}

/// The answer about one operation.
#[must_use]
#[derive(Debug)]
pub enum Decision<O> {
    /// It may pass.
    Allow(Permit<O>),
    /// It may not.
    Block(Blocked<O>),
    /// It waits for people.
    RequireApproval(Review<O>),
}

/// The right to send one operation, once, in one session. Only `policy` and `approval` make one.
#[derive(Debug)]
pub struct Permit<O> {
    operation: O,
    session: SessionId,
    rules: Arc<[String]>,
}

impl<O> Permit<O> {
    pub(in crate::policy) fn new(operation: O, session: SessionId, rules: Arc<[String]>) -> Self {
        Self {
            operation,
            session,
            rules,
        }
    }

    /// The operation, for display and records.
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// The `@id`s of the policies that permit it.
    pub fn rules(&self) -> &Arc<[String]> {
        &self.rules
    }

    /// Gives the operation for sending, if `session` is the one that the permit was made for.
    pub fn spend(self, session: &SessionId) -> Option<O> {
        (self.session == *session).then_some(self.operation)
    }
}

/// A refusal by policy.
#[derive(Debug)]
pub struct Blocked<O> {
    /// What was refused.
    pub operation: O,
    /// Why.
    pub reason: Reason,
    /// The `@id`s of the policies that forbid it; empty where nothing permits it.
    pub rules: Vec<String>,
    /// The rule's `@message`.
    pub message: Option<String>,
    /// The effect that was refused first (an index into the operation's effects).
    pub effect: Option<usize>,
}

/// Why policy refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A `forbid` matches.
    Forbidden,
    /// No `permit` matches.
    NotPermitted,
    /// A policy could not be evaluated.
    PolicyError,
}

/// An operation that must be approved before it may pass.
#[derive(Debug)]
pub struct Review<O> {
    operation: O,
    session: SessionId,
    /// The `@id`s of the policies that permit it, those with `@approvers` among them.
    pub rules: Vec<String>,
    /// What must be satisfied, all of it.
    pub requirements: Vec<Requirement>,
}

/// What one rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Requirement {
    /// The `@id` of the rule.
    pub rule: String,
    /// The groups that may decide (`@approvers`).
    pub approvers: Vec<String>,
    /// How many different people (`@approvals`).
    pub approvals: u32,
    /// How long the request waits (`@ttl`).
    pub ttl: Duration,
}

impl<O> Review<O> {
    pub(in crate::policy) fn new(
        operation: O,
        session: SessionId,
        rules: Vec<String>,
        requirements: Vec<Requirement>,
    ) -> Self {
        Self {
            operation,
            session,
            rules,
            requirements,
        }
    }

    /// The operation, for display and records.
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// The shortest `@ttl` of its rules.
    pub fn ttl(&self) -> Duration {
        self.requirements.iter().map(|r| r.ttl).min().unwrap_or_default()
    }

    /// Makes the permit, for the proof that people approved exactly this review.
    pub fn approve(self, _approved: crate::approval::Approved) -> Permit<O> {
        Permit {
            operation: self.operation,
            session: self.session,
            rules: self.rules.into(),
        }
    }

    /// Gives the operation back for a refusal; it does not reach the target.
    pub fn refuse(self) -> O {
        self.operation
    }
}
