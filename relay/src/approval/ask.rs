//! What is asked for: the operation as the approver will see it.

use std::time::Duration;

use hoop_shared::api::{EffectShown, Parameter, PrincipalKind, RequestKind};
use hoop_shared::id::SessionId;

use super::Person;
use crate::authn::Identity;
use crate::policy::{AdmissionReview, Judged, Requirement, Review};
use crate::session::Grant;

/// A digest of the exact bytes that wait (BLAKE3).
pub type Digest = [u8; 32];

/// An operation that is to be held, with all that an approver should know. Nothing in it is escaped or shortened.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(super) kind: RequestKind,
    pub(super) session: SessionId,
    pub(super) connection: String,
    pub(super) asker: Person,
    pub(super) asker_kind: PrincipalKind,
    pub(super) login: String,
    pub(super) groups: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) statement: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) effects: Vec<EffectShown>,
    pub(super) rules: Vec<String>,
    pub(super) requirements: Vec<Requirement>,
    pub(super) digest: Digest,
    pub(super) details: Vec<(String, String)>,
    pub(super) ttl: Duration,
}

impl Ask {
    /// Makes the ask for one operation that policy wants approved; `digest` is that of the exact bytes that would reach the target.
    pub fn new<O: Judged>(grant: &Grant, review: &Review<O>, digest: Digest) -> Self {
        let identity = grant.identity();
        let connection = &grant.connection().name;
        let operation = review.operation();
        Self {
            kind: RequestKind::Operation,
            session: grant.session().clone(),
            connection: connection.clone(),
            asker: Person::of(identity),
            asker_kind: identity.kind(),
            login: identity.login().to_owned(),
            groups: identity.groups().to_vec(),
            reason: grant.reason().map(str::to_owned),
            statement: operation.facts().statement.to_string(),
            parameters: Vec::new(),
            effects: shown(operation, connection),
            rules: review.rules.clone(),
            requirements: review.requirements.clone(),
            digest,
            details: Vec::new(),
            ttl: review.ttl(),
        }
    }

    /// Makes the ask for a session that policy wants approved before it is opened.
    pub fn session(
        id: &SessionId,
        identity: &Identity,
        connection: &str,
        reason: Option<&str>,
        review: &AdmissionReview,
    ) -> Self {
        // Length before text: no two sets of texts have the same bytes.
        let mut digest = blake3::Hasher::new();
        for text in [id.as_str(), identity.login(), connection, reason.unwrap_or_default()] {
            digest
                .update(&(text.len() as u64).to_be_bytes())
                .update(text.as_bytes());
        }
        Self {
            kind: RequestKind::Session,
            session: id.clone(),
            connection: connection.to_owned(),
            asker: Person::of(identity),
            asker_kind: identity.kind(),
            login: identity.login().to_owned(),
            groups: identity.groups().to_vec(),
            reason: reason.map(str::to_owned),
            statement: format!("open a session on {connection}"),
            parameters: Vec::new(),
            effects: vec![EffectShown {
                action: "connect".to_owned(),
                resource: connection.to_owned(),
            }],
            rules: review.rules().to_vec(),
            requirements: review.requirements.clone(),
            digest: *digest.finalize().as_bytes(),
            details: Vec::new(),
            ttl: review
                .requirements
                .iter()
                .map(|rule| rule.ttl)
                .min()
                .unwrap_or_default(),
        }
    }

    /// Adds the bound parameters, decoded.
    #[must_use]
    pub fn parameters(mut self, parameters: Vec<Parameter>) -> Self {
        self.parameters = parameters;
        self
    }

    /// Adds something to know before deciding: `("in transaction", "yes, for 12 s")`.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.details.push((name.into(), text.into()));
        self
    }
}

#[cfg(test)]
impl Ask {
    /// Another statement, for tests.
    pub(crate) fn set_statement(&mut self, statement: String) {
        self.statement = statement;
    }
}

/// The effects as JSON has them, each once, in their order.
fn shown(operation: &impl Judged, connection: &str) -> Vec<EffectShown> {
    let mut shown: Vec<EffectShown> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for effect in operation.effects() {
        if seen.insert((effect.action, &effect.resource)) {
            shown.push(EffectShown {
                action: effect.action.to_string(),
                resource: effect.resource.id(connection),
            });
        }
    }
    shown
}
