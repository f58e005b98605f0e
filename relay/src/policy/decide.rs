//! The decision: each effect is asked on its own, and the strictest answer holds.

use std::sync::Arc;
use std::time::SystemTime;

use hoop_shared::id::SessionId;

use crate::authn::Identity;
use crate::config::Connection;
use crate::session::Grant;

use super::Policies;
use super::admission::{Admission, AdmissionReview, ConnectBlocked, ConnectDecision};
use super::answer::{Answer, Question, ask};
use super::attribute::{Circumstances, Values};
use super::decision::{Blocked, Decision, Judged, Permit, Reason, Requirement, Review};
use super::effect::{Action, Effect, Facts, Resource, SqlAction};
use super::subject::{Subject, Who};

/// Settings that decide how a statement's text is read, or what a session is. No policy can release them.
const PINNED_SETTINGS: &[&str] = &[
    "backslash_quote",
    "client_encoding",
    "replication",
    "standard_conforming_strings",
    "transform_null_equals",
];

/// What policy says, without the operation: for showing, and for tests of policies. It permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Allow {
        /// The `@id`s of the policies that permit it.
        rules: Vec<String>,
    },
    /// It may not.
    Block {
        /// Why.
        reason: Reason,
        /// The `@id`s of the policies that forbid it; empty where nothing permits it.
        rules: Vec<String>,
        /// The rule's `@message`.
        message: Option<String>,
        /// The effect that was refused (an index into the operation's effects).
        effect: Option<usize>,
    },
    /// It waits for people.
    RequireApproval {
        /// The `@id`s of the policies that permit it, those with `@approvers` among them.
        rules: Vec<String>,
        /// What must be satisfied, all of it.
        requirements: Vec<Requirement>,
    },
}

impl Verdict {
    /// The word of records, metrics and `policy test`: `allow`, `block` or `approval`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Block { .. } => "block",
            Self::RequireApproval { .. } => "approval",
        }
    }

    /// The `@id`s of the rules that it rests on.
    pub fn rules(&self) -> &[String] {
        match self {
            Self::Allow { rules } | Self::Block { rules, .. } | Self::RequireApproval { rules, .. } => rules,
        }
    }
}

/// The answer about one effect.
enum Weighed {
    Asked(Arc<Answer>),
    /// Refused whatever policies say.
    Fixed(&'static str),
}

impl Policies {
    /// Decides about an operation of a session.
    pub fn decide<O: Judged>(&self, grant: &Grant, operation: O) -> Decision<O> {
        let session = grant.session();
        let known = operation
            .standing()
            .and_then(|standing| standing.rules(self.number, session));
        if let Some(rules) = known {
            return self.allow(session, operation, rules);
        }
        let around = Circumstances {
            reason: grant.reason(),
            source: grant.source(),
            now: SystemTime::now(),
        };
        let who = Who::from(grant.identity());
        let verdict = self.judge(who, grant.connection(), operation.effects(), operation.facts(), &around);
        if let Verdict::Allow { rules } = verdict {
            let rules = rules.into();
            if let Some(standing) = operation.standing()
                && self.depends_on_effects(&self.subjects.get(who, grant.connection()), operation.effects())
            {
                standing.keep(self.number, session, &rules);
            }
            return self.allow(session, operation, rules);
        }
        metrics::counter!("hoop_decisions_total", "decision" => verdict.as_str()).increment(1);
        report(&verdict, grant, operation.effects());
        let session = session.clone();
        match verdict {
            Verdict::Allow { rules } => Decision::Allow(Permit::new(operation, session, rules.into())),
            Verdict::Block {
                reason,
                rules,
                message,
                effect,
            } => Decision::Block(Blocked {
                operation,
                reason,
                rules,
                message,
                effect,
            }),
            Verdict::RequireApproval { rules, requirements } => {
                Decision::RequireApproval(Review::new(operation, session, rules, requirements))
            }
        }
    }

    fn allow<O>(&self, session: &SessionId, operation: O, rules: Arc<[String]>) -> Decision<O> {
        let counter = || metrics::counter!("hoop_decisions_total", "decision" => "allow");
        self.allowed.get_or_init(counter).increment(1);
        tracing::debug!(session = session.as_str(), decision = "allow", ?rules, "decided");
        Decision::Allow(Permit::new(operation, session.clone(), rules))
    }

    /// Whether nothing but effects, and the tables and functions beside them, can change what is said about them.
    fn depends_on_effects(&self, subject: &Subject, effects: &[Effect]) -> bool {
        let asked = effects.iter().map(|effect| effect.action);
        // What comes with connecting rests on that.
        let mut asked = asked.chain([Action::Connect]);
        asked.all(|action| self.candidates(subject, action).reads.are_of_effects())
    }

    /// Decides whether a login may open a session on a connection.
    pub fn connect(
        &self,
        identity: &Identity,
        connection: &Connection,
        reason: Option<&str>,
        source: std::net::IpAddr,
    ) -> ConnectDecision {
        let around = Circumstances {
            reason,
            source,
            now: SystemTime::now(),
        };
        let verdict = self.judge_connect(identity, connection, &around);
        metrics::counter!("hoop_connects_total", "decision" => verdict.as_str()).increment(1);
        tracing::info!(
            principal = identity.label(),
            connection = connection.name,
            decision = verdict.as_str(),
            rules = ?verdict.rules(),
            "connect decided"
        );
        let admission = |rules| Admission::new(identity.login(), &connection.name, rules);
        match verdict {
            Verdict::Allow { rules } => ConnectDecision::Allow(admission(rules)),
            Verdict::RequireApproval { rules, requirements } => {
                ConnectDecision::RequireApproval(AdmissionReview::new(admission(rules), requirements))
            }
            Verdict::Block {
                reason, rules, message, ..
            } => ConnectDecision::Block(ConnectBlocked { reason, rules, message }),
        }
    }

    /// Whether a session may do something that cannot wait: unmask a value, above all. What asks for approval is not permitted.
    pub fn permits(&self, grant: &Grant, action: Action, resource: &Resource) -> bool {
        let around = Circumstances {
            reason: grant.reason(),
            source: grant.source(),
            now: SystemTime::now(),
        };
        self.permits_to(grant.identity(), grant.connection(), action, resource, &around)
    }

    /// Whether a principal may do something that cannot wait on a connection: watch, kill, replay, export.
    pub fn permits_to<'a>(
        &self,
        who: impl Into<Who<'a>>,
        connection: &Connection,
        action: Action,
        resource: &Resource,
        around: &Circumstances<'_>,
    ) -> bool {
        let subject = self.subjects.get(who.into(), connection);
        matches!(*self.general(&subject, action, resource, around), Answer::Permitted(_))
    }

    /// What policy says about an operation of anybody's. It gives no permit.
    pub fn judge<'a>(
        &self,
        who: impl Into<Who<'a>>,
        connection: &Connection,
        effects: &[Effect],
        facts: &Facts,
        around: &Circumstances<'_>,
    ) -> Verdict {
        let subject = self.subjects.get(who.into(), connection);
        if effects.is_empty() {
            // Nothing is done; it passes as long as the session itself may.
            return match *self.general(&subject, Action::Connect, &Resource::Connection, around) {
                Answer::Permitted(_) | Answer::Waits(_) => Verdict::Allow { rules: Vec::new() },
                Answer::Refused(reason, ref rules) => self.refusal(reason, rules, None, None),
            };
        }
        let weighed: Vec<_> = effects
            .iter()
            .map(|effect| self.weigh(&subject, effect, facts, around))
            .collect();
        self.strictest(&weighed)
    }

    /// What policy says about each effect of an operation.
    pub fn judge_each<'a>(
        &self,
        who: impl Into<Who<'a>>,
        connection: &Connection,
        effects: &[Effect],
        facts: &Facts,
        around: &Circumstances<'_>,
    ) -> Vec<Verdict> {
        let subject = self.subjects.get(who.into(), connection);
        let each = |effect| self.strictest(&[self.weigh(&subject, effect, facts, around)]);
        effects.iter().map(each).collect()
    }

    /// What policy says about opening a session. It gives no admission.
    pub fn judge_connect<'a>(
        &self,
        who: impl Into<Who<'a>>,
        connection: &Connection,
        around: &Circumstances<'_>,
    ) -> Verdict {
        let subject = self.subjects.get(who.into(), connection);
        let answer = self.general(&subject, Action::Connect, &Resource::Connection, around);
        self.strictest(&[Weighed::Asked(answer)])
    }

    fn weigh(&self, subject: &Subject, effect: &Effect, facts: &Facts, around: &Circumstances<'_>) -> Weighed {
        if let Some(why) = refused_always(effect) {
            return Weighed::Fixed(why);
        }
        let candidates = self.candidates(subject, effect.action);
        let values = Values::of(candidates.reads, effect, facts, around);
        let answer = self.answer(subject, effect.action, &effect.resource, values, &candidates);
        if *answer == Answer::Refused(Reason::NotPermitted, Vec::new()) && comes_with_connect(effect.action) {
            return match *self.general(subject, Action::Connect, &Resource::Connection, around) {
                Answer::Permitted(_) | Answer::Waits(_) => Weighed::Asked(Arc::new(Answer::Permitted(Vec::new()))),
                Answer::Refused(..) => Weighed::Asked(answer),
            };
        }
        Weighed::Asked(answer)
    }

    /// Asks about an action that is no operation.
    pub(super) fn general(
        &self,
        subject: &Subject,
        action: Action,
        resource: &Resource,
        around: &Circumstances<'_>,
    ) -> Arc<Answer> {
        let candidates = self.candidates(subject, action);
        let values = Values::general(candidates.reads, around);
        self.answer(subject, action, resource, values, &candidates)
    }

    pub(super) fn answer(
        &self,
        subject: &Subject,
        action: Action,
        resource: &Resource,
        values: Values,
        candidates: &super::answer::Candidates,
    ) -> Arc<Answer> {
        if candidates.rules.is_empty() {
            return Arc::new(Answer::Refused(Reason::NotPermitted, Vec::new()));
        }
        let key = (action, resource.clone(), values);
        if let Some(known) = subject.known(&key) {
            return known;
        }
        let question = Question {
            subject,
            action,
            resource,
            values: &key.2,
        };
        let answer = Arc::new(ask(
            &question,
            candidates,
            self.actions_of(action),
            &self.rules,
            &self.by_id,
        ));
        subject.keep(key, &answer);
        answer
    }

    /// Block over approval over allow. Of several blocks that of a `forbid` is shown: it can say why.
    fn strictest(&self, weighed: &[Weighed]) -> Verdict {
        let mut block: Option<(u8, usize)> = None;
        let mut permitting: Vec<usize> = Vec::new();
        let mut waits = false;
        for (index, one) in weighed.iter().enumerate() {
            let rank = match one {
                Weighed::Fixed(_) => 3,
                Weighed::Asked(answer) => match &**answer {
                    Answer::Refused(Reason::Forbidden, _) => 2,
                    Answer::Refused(Reason::PolicyError, _) => 1,
                    Answer::Refused(Reason::NotPermitted, _) => 0,
                    Answer::Permitted(rules) => {
                        permitting.extend(rules);
                        continue;
                    }
                    Answer::Waits(rules) => {
                        waits = true;
                        permitting.extend(rules);
                        continue;
                    }
                },
            };
            if block.is_none_or(|(other, _)| rank > other) {
                block = Some((rank, index));
            }
        }
        if let Some((_, index)) = block {
            return match weighed.get(index) {
                Some(Weighed::Fixed(why)) => self.refusal(Reason::Forbidden, &[], Some(why), Some(index)),
                Some(Weighed::Asked(answer)) => match &**answer {
                    Answer::Refused(reason, rules) => self.refusal(*reason, rules, None, Some(index)),
                    Answer::Permitted(_) | Answer::Waits(_) => {
                        self.refusal(Reason::PolicyError, &[], None, Some(index))
                    }
                },
                None => self.refusal(Reason::PolicyError, &[], None, None),
            };
        }
        permitting.sort_unstable();
        permitting.dedup();
        let rules = self.names(&permitting);
        if !waits {
            return Verdict::Allow { rules };
        }
        let of = |index: &usize| self.rules.get(*index).and_then(|rule| rule.requirement.clone());
        Verdict::RequireApproval {
            rules,
            requirements: permitting.iter().filter_map(of).collect(),
        }
    }

    fn refusal(&self, reason: Reason, rules: &[usize], why: Option<&str>, effect: Option<usize>) -> Verdict {
        let message = rules
            .iter()
            .filter_map(|index| self.rules.get(*index))
            .find_map(|rule| rule.message.clone());
        Verdict::Block {
            reason,
            rules: self.names(rules),
            message: why.map(str::to_owned).or(message),
            effect,
        }
    }

    fn names(&self, rules: &[usize]) -> Vec<String> {
        rules
            .iter()
            .filter_map(|index| self.rules.get(*index))
            .map(|rule| rule.id.clone())
            .collect()
    }
}

/// What no policy can permit.
fn refused_always(effect: &Effect) -> Option<&'static str> {
    match effect.action {
        Action::Sql(SqlAction::Replication) => Some("replication is refused whatever policies say"),
        Action::Sql(SqlAction::Configure) => {
            let setting = effect.setting.as_deref()?;
            PINNED_SETTINGS
                .contains(&setting)
                .then_some("this setting decides how statements are read: it is fixed")
        }
        _ => None,
    }
}

/// What psql and drivers do by themselves: whoever may connect may do it, unless a `forbid` matches.
fn comes_with_connect(action: Action) -> bool {
    match action {
        Action::Sql(sql) => matches!(sql.group(), "sql:catalog" | "sql:session"),
        _ => false,
    }
}

fn report(verdict: &Verdict, grant: &Grant, effects: &[Effect]) {
    let session = grant.session().as_str();
    let connection = grant.connection();
    match verdict {
        Verdict::Allow { rules } => tracing::debug!(session, decision = "allow", ?rules, "decided"),
        Verdict::RequireApproval { rules, .. } => {
            tracing::info!(
                session,
                principal = grant.identity().label(),
                connection = connection.name,
                decision = "approval",
                ?rules,
                "decided"
            );
        }
        Verdict::Block {
            reason, rules, effect, ..
        } => {
            let refused = effect.and_then(|index| effects.get(index));
            let action = refused.map_or("none", |effect| effect.action.as_str());
            let resource = refused.map(|effect| effect.resource.id(&connection.name));
            tracing::info!(
                session,
                principal = grant.identity().label(),
                connection = connection.name,
                decision = "block",
                ?reason,
                ?rules,
                action,
                resource,
                "decided"
            );
        }
    }
}
