//! Asking Cedar about one action on one resource.

use std::collections::HashMap;

use cedar_policy::{Authorizer, Decision, Entity, PolicySet, Request};

use super::attribute::{Attributes, Values};
use super::decision::Reason;
use super::effect::{Action, Resource};
use super::rule::Rule;
use super::schema;
use super::subject::Subject;

/// What Cedar says about one action on one resource. Rules are numbers of [`Candidates`]' owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// These rules permit it.
    Permitted(Vec<usize>),
    /// These rules permit it, and some of them ask for people.
    Waits(Vec<usize>),
    /// It is refused; these rules forbid it, or fail.
    Refused(Reason, Vec<usize>),
}

/// The policies that a request can meet, by scope.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) rules: Vec<usize>,
    /// `None` where Cedar does not take them together: then nothing is permitted.
    policies: Option<PolicySet>,
    /// What they read together.
    pub(super) reads: Attributes,
    /// No rule asks for people.
    plain: bool,
}

impl Candidates {
    /// Collects rules by their numbers. Loading has made sure that no id stands twice.
    pub(super) fn new(all: &[Rule], rules: Vec<usize>) -> Self {
        let chosen = || rules.iter().filter_map(|index| all.get(*index));
        let policies = PolicySet::from_policies(chosen().map(|rule| rule.policy.clone())).ok();
        let reads = chosen().fold(Attributes::default(), |reads, rule| reads.union(rule.reads));
        let plain = chosen().all(|rule| rule.requirement.is_none());
        Self {
            rules,
            policies,
            reads,
            plain,
        }
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) subject: &'a Subject,
    pub(super) action: Action,
    pub(super) resource: &'a Resource,
    pub(super) values: &'a Values,
}

/// Asks. Whatever does not evaluate is refused: Cedar skips a failing `forbid`, and its answer may then be Allow.
pub(super) fn ask(
    question: &Question<'_>,
    candidates: &Candidates,
    actions: &[Entity],
    all: &[Rule],
    by_id: &HashMap<String, usize>,
) -> Answer {
    let subject = question.subject;
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        tracing::error!(action = question.action.as_str(), connection = subject.connection(), %error, "{what}");
        Answer::Refused(Reason::PolicyError, Vec::new())
    };
    let Some(policies) = &candidates.policies else {
        return failed("policies do not go together", &"an id stands twice");
    };
    let context = match question.values.context() {
        Ok(context) => context,
        Err(error) => return failed("policy context cannot be built", &error),
    };
    let entities = match subject.entities(question.action, question.resource, actions) {
        Ok(entities) => entities,
        Err(error) => return failed("policy entities cannot be built", &error),
    };
    let request = Request::new(
        subject.uid.clone(),
        schema::action_uid(question.action),
        schema::resource_uid(question.resource, subject.connection()),
        context,
        None,
    );
    let request = match request {
        Ok(request) => request,
        Err(error) => return failed("policy request cannot be built", &error),
    };
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    let number = |id: &cedar_policy::PolicyId| by_id.get(AsRef::<str>::as_ref(id)).copied();
    let mut errors: Vec<usize> = Vec::new();
    let mut any_error = false;
    for error in response.diagnostics().errors() {
        any_error = true;
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        errors.extend(number(error.policy_id()));
        tracing::error!(
            rule = AsRef::<str>::as_ref(error.policy_id()),
            action = question.action.as_str(),
            "a policy does not evaluate"
        );
    }
    if any_error {
        errors.sort_unstable();
        return Answer::Refused(Reason::PolicyError, errors);
    }
    let mut rules: Vec<usize> = response.diagnostics().reason().filter_map(number).collect();
    rules.sort_unstable();
    match response.decision() {
        Decision::Deny if rules.is_empty() => Answer::Refused(Reason::NotPermitted, rules),
        Decision::Deny => Answer::Refused(Reason::Forbidden, rules),
        // Nothing can be permitted by no rule.
        Decision::Allow if rules.is_empty() => Answer::Refused(Reason::PolicyError, rules),
        Decision::Allow if candidates.plain => Answer::Permitted(rules),
        Decision::Allow => {
            let asks = |index: &usize| all.get(*index).is_none_or(|rule| rule.requirement.is_some());
            if rules.iter().any(asks) {
                Answer::Waits(rules)
            } else {
                Answer::Permitted(rules)
            }
        }
    }
}
