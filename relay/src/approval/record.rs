//! One request and everything that may happen to it. Pure: facts and the time go in, the changed record comes out.
//!
//! ```text
//! pending ──enough approve──▶ approved ──release──▶ spent
//!    └───────────┴── deny ▶ denied, time ▶ expired, withdrawn ▶ cancelled
//! ```

use std::collections::{HashMap, HashSet};

use hoop_shared::api::{DecisionShown, EffectShown, Parameter, PrincipalKind, Request, RequestKind, RequestStatus};
use hoop_shared::id::{RequestId, SessionId};
use time::OffsetDateTime;

use super::{Ask, Digest, Outcome};
use crate::authn::Identity;
use crate::policy::Requirement;

/// Who somebody is, over all their logins: equal by issuer and subject, the label is for reading.
#[derive(Clone, Debug)]
pub struct Person {
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's `sub`.
    pub subject: String,
    /// What policies and people call them.
    pub label: String,
}

impl Person {
    /// The person or workload behind an identity.
    pub fn of(identity: &Identity) -> Self {
        Self {
            issuer: identity.issuer().to_owned(),
            subject: identity.subject().to_owned(),
            label: identity.label().to_owned(),
        }
    }

    fn key(&self) -> (&str, &str) {
        (&self.issuer, &self.subject)
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Person {}

impl std::hash::Hash for Person {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// What somebody may claim now. Only those have one who are logged in, from a login that was not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Person or workload.
    pub kind: PrincipalKind,
    /// The groups of their newest unexpired login record: an older login does not bring back a group that was lost since.
    pub groups: Vec<String>,
}

/// The standing of everybody that one change is about, read in the same transaction, by the id of the login that they used.
#[derive(Clone, Debug, Default)]
pub struct Standings(HashMap<String, Standing>);

impl Standings {
    /// Adds the standing of who uses a login.
    pub(crate) fn insert(&mut self, login: String, standing: Standing) {
        self.0.insert(login, standing);
    }

    /// The standing of who uses this login; `None` where it is revoked, or they are not logged in any more.
    pub(crate) fn of(&self, login: &str) -> Option<&Standing> {
        self.0.get(login)
    }
}

/// Who wants to decide, from which login.
#[derive(Clone, Debug)]
pub struct Decider {
    /// Who.
    pub person: Person,
    /// The login record's id.
    pub login: String,
}

impl Decider {
    /// The decider behind an identity.
    pub fn of(identity: &Identity) -> Self {
        Self {
            person: Person::of(identity),
            login: identity.login().to_owned(),
        }
    }
}

/// What one person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub by: Person,
    /// From which login.
    pub login: String,
    /// Their groups at that time.
    pub groups: Vec<String>,
    /// Approve or deny.
    pub approve: bool,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub time: OffsetDateTime,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub time: OffsetDateTime,
    /// Why, in a sentence for people.
    pub why: String,
}

/// A request, as the store keeps it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id.
    pub id: RequestId,
    /// Operation or session.
    pub kind: RequestKind,
    /// Where it stands.
    pub status: RequestStatus,
    /// The session that it belongs to.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// Who asks.
    pub asker: Person,
    /// Person or workload.
    pub asker_kind: PrincipalKind,
    /// The login that asks.
    pub login: String,
    /// The groups of who asks.
    pub groups: Vec<String>,
    /// Why, as they say.
    pub reason: Option<String>,
    /// The statement, whole.
    pub statement: String,
    /// Bound parameters.
    pub parameters: Vec<Parameter>,
    /// What it would do.
    pub effects: Vec<EffectShown>,
    /// The rules that permit it.
    pub rules: Vec<String>,
    /// What must be satisfied, all of it.
    pub requirements: Vec<Requirement>,
    /// Of the exact bytes that wait.
    pub digest: Digest,
    /// More to know before deciding.
    pub details: Vec<(String, String)>,
    /// Who decided what, in order.
    pub decisions: Vec<Verdict>,
    /// When it was made.
    pub created: OffsetDateTime,
    /// When it ends by itself.
    pub expires: OffsetDateTime,
    /// How it ended; `None` while it is pending or approved.
    pub ended: Option<Ended>,
}

/// Why a decision is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// There is no such request, or this one may not decide about it.
    #[error("not one of the approvers, or no such request")]
    NotAnApprover,
    /// Who asks never decides.
    #[error("nobody decides about their own request")]
    Own,
    /// A workload never decides.
    #[error("a workload never decides")]
    Workload,
    /// It ended before.
    #[error("already {0:?}")]
    Over(RequestStatus, Option<Outcome>),
}

/// Why an approved operation is not released after all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not enough people approved yet.
    #[error("not approved yet")]
    Pending,
    /// It was released before.
    #[error("released before")]
    Spent,
    /// It was denied, or it ended.
    #[error("ended: {0:?}")]
    Ended(Outcome),
    /// Too few of those who approved may still do so.
    #[error("the approval no longer holds: {0}")]
    Lapsed(String),
}

impl Record {
    /// Makes a pending request.
    pub(super) fn new(id: RequestId, ask: Ask, now: OffsetDateTime) -> Self {
        Self {
            id,
            kind: ask.kind,
            status: RequestStatus::Pending,
            session: ask.session,
            connection: ask.connection,
            asker: ask.asker,
            asker_kind: ask.asker_kind,
            login: ask.login,
            groups: ask.groups,
            reason: ask.reason,
            statement: ask.statement,
            parameters: ask.parameters,
            effects: ask.effects,
            rules: ask.rules,
            requirements: ask.requirements,
            digest: ask.digest,
            details: ask.details,
            decisions: Vec::new(),
            created: now,
            expires: now + ask.ttl,
            ended: None,
        }
    }

    /// It can still be decided, withdrawn or released.
    pub fn is_open(&self) -> bool {
        matches!(self.status, RequestStatus::Pending | RequestStatus::Approved)
    }

    /// Every group that may decide, each once, in the order of the rules.
    pub fn approvers(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let groups = self.requirements.iter().flat_map(|requirement| &requirement.approvers);
        groups.filter(|group| seen.insert(group.as_str())).cloned().collect()
    }

    /// At least this many different people must approve.
    pub fn needed(&self) -> u32 {
        self.requirements
            .iter()
            .map(|requirement| requirement.approvals.max(1))
            .max()
            .unwrap_or(1)
    }

    /// Somebody with this standing may decide, apart from what they decided before.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_decide(&self, person: &Person, standing: Option<&Standing>) -> Result<(), DecideError> {
        if *person == self.asker {
            return Err(DecideError::Own);
        }
        let standing = standing.ok_or(DecideError::NotAnApprover)?;
        if standing.kind != PrincipalKind::User {
            return Err(DecideError::Workload);
        }
        let named = |group: &String| {
            self.requirements
                .iter()
                .any(|requirement| requirement.approvers.contains(group))
        };
        if standing.groups.iter().any(named) {
            Ok(())
        } else {
            Err(DecideError::NotAnApprover)
        }
    }

    /// Takes a decision. A denial ends the request also after enough people approved, until it is released.
    pub(super) fn decide(
        &mut self,
        by: &Decider,
        approve: bool,
        reason: Option<String>,
        standings: &Standings,
        now: OffsetDateTime,
    ) -> Result<(), DecideError> {
        let standing = standings.of(&by.login);
        self.may_decide(&by.person, standing)?;
        self.expire_if_over(now);
        if !self.is_open() {
            return Err(DecideError::Over(self.status, self.outcome()));
        }
        let again = |verdict: &Verdict| verdict.approve && verdict.by == by.person && verdict.login == by.login;
        if !(approve && self.decisions.iter().any(again)) {
            self.decisions.push(Verdict {
                by: by.person.clone(),
                login: by.login.clone(),
                groups: standing.map(|standing| standing.groups.clone()).unwrap_or_default(),
                approve,
                reason,
                time: now,
            });
        }
        if !approve {
            self.end(RequestStatus::Denied, now, format!("denied by {}", by.person.label));
        } else if self.status == RequestStatus::Pending && self.is_satisfied(standings) {
            self.status = RequestStatus::Approved;
        }
        Ok(())
    }

    /// Marks an approved request as spent, if enough of those who approved still may, and who asks is still logged in. If not, it ends here.
    pub(super) fn release(
        &mut self,
        digest: &Digest,
        standings: &Standings,
        now: OffsetDateTime,
    ) -> Result<Vec<String>, ReleaseError> {
        self.expire_if_over(now);
        match self.status {
            RequestStatus::Approved => {}
            RequestStatus::Pending => return Err(ReleaseError::Pending),
            RequestStatus::Spent => return Err(ReleaseError::Spent),
            RequestStatus::Denied | RequestStatus::Expired | RequestStatus::Cancelled => {
                return Err(ReleaseError::Ended(self.outcome().unwrap_or(Outcome::Expired)));
            }
        }
        let lapsed = if self.digest != *digest {
            "the operation is not the one that was approved".to_owned()
        } else if standings.of(&self.login).is_none() {
            format!("{} is not logged in any more", self.asker.label)
        } else if !self.is_satisfied(standings) {
            format!(
                "too few of those who approved ({}) still may",
                self.approved_by().join(", ")
            )
        } else {
            self.end(RequestStatus::Spent, now, "approved and released".to_owned());
            return Ok(self.approved_by().into_iter().map(str::to_owned).collect());
        };
        self.end(RequestStatus::Expired, now, format!("not released: {lapsed}"));
        Err(ReleaseError::Lapsed(lapsed))
    }

    fn approved_by(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let approvals = self.decisions.iter().filter(|verdict| verdict.approve);
        approvals
            .filter(|verdict| seen.insert(&verdict.by))
            .map(|verdict| verdict.by.label.as_str())
            .collect()
    }

    fn expire_if_over(&mut self, now: OffsetDateTime) {
        if now >= self.expires {
            self.expire(now);
        }
    }

    /// Ends it because its time is over. Gives whether that changed anything.
    pub(super) fn expire(&mut self, now: OffsetDateTime) -> bool {
        let why = match self.status {
            RequestStatus::Approved => "approved, but not released in time",
            _ => "not decided in time",
        };
        self.end(RequestStatus::Expired, now, why.to_owned())
    }

    /// Ends it because nothing holds it any more, not even in a relay that runs.
    pub(crate) fn lapse(&mut self, now: OffsetDateTime, why: &str) -> bool {
        self.end(RequestStatus::Expired, now, why.to_owned())
    }

    /// Withdraws it. Gives whether that changed anything.
    pub(super) fn cancel(&mut self, now: OffsetDateTime, why: &str) -> bool {
        self.end(RequestStatus::Cancelled, now, why.to_owned())
    }

    /// The only way out of being open.
    fn end(&mut self, status: RequestStatus, time: OffsetDateTime, why: String) -> bool {
        if !self.is_open() {
            return false;
        }
        self.status = status;
        self.ended = Some(Ended { time, why });
        true
    }

    /// Every rule has its number of different people, by what they may claim now.
    fn is_satisfied(&self, standings: &Standings) -> bool {
        let counts = |verdict: &&Verdict, requirement: &Requirement| {
            let standing = standings.of(&verdict.login);
            verdict.approve
                && self.may_decide(&verdict.by, standing).is_ok()
                && standing.is_some_and(|standing| {
                    standing
                        .groups
                        .iter()
                        .any(|group| requirement.approvers.contains(group))
                })
        };
        !self.requirements.is_empty()
            && self.requirements.iter().all(|requirement| {
                let verdicts = self.decisions.iter().filter(|verdict| counts(verdict, requirement));
                let people: HashSet<&Person> = verdicts.map(|verdict| &verdict.by).collect();
                people.len() >= usize::try_from(requirement.approvals.max(1)).unwrap_or(usize::MAX)
            })
    }

    /// How its waiting ended; `None` while it is pending.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.status {
            RequestStatus::Pending => None,
            RequestStatus::Approved | RequestStatus::Spent => Some(Outcome::Approved),
            RequestStatus::Expired => Some(Outcome::Expired),
            RequestStatus::Cancelled => Some(Outcome::Cancelled),
            RequestStatus::Denied => {
                let denial = self.decisions.iter().rev().find(|verdict| !verdict.approve);
                Some(Outcome::Denied {
                    by: denial.map(|verdict| verdict.by.label.clone()).unwrap_or_default(),
                    reason: denial.and_then(|verdict| verdict.reason.clone()),
                })
            }
        }
    }

    /// The request as JSON has it.
    pub fn shown(&self) -> Request {
        let mut details = self.details.clone();
        for requirement in &self.requirements {
            details.push((
                format!("rule {}", requirement.rule),
                format!(
                    "{} of {}",
                    requirement.approvals.max(1),
                    requirement.approvers.join(", ")
                ),
            ));
        }
        details.push((
            "digest".to_owned(),
            format!("blake3:{}", blake3::Hash::from_bytes(self.digest).to_hex()),
        ));
        if let Some(ended) = &self.ended {
            details.push(("ended".to_owned(), ended.why.clone()));
        }
        Request {
            id: self.id.clone(),
            kind: self.kind,
            status: self.status,
            connection: self.connection.clone(),
            principal: self.asker.label.clone(),
            groups: self.groups.clone(),
            reason: self.reason.clone(),
            statement: self.statement.clone(),
            parameters: self.parameters.clone(),
            effects: self.effects.clone(),
            rules: self
                .requirements
                .iter()
                .map(|requirement| requirement.rule.clone())
                .collect(),
            approvers: self.approvers(),
            needed: self.needed(),
            decisions: self.decisions.iter().map(Verdict::shown).collect(),
            created: self.created,
            expires: self.expires,
            session: self.session.clone(),
            details,
        }
    }
}

impl Verdict {
    fn shown(&self) -> DecisionShown {
        DecisionShown {
            by: self.by.label.clone(),
            approve: self.approve,
            reason: self.reason.clone(),
            time: self.time,
        }
    }
}

#[cfg(test)]
mod tests;
