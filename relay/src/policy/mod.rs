//! What an operation does, in the words of policy, and the one place that decides about it.
//!
//! An engine reads an operation, `inspect` gives it its [`Effect`]s, [`Policies::decide`] asks Cedar about each effect on its own,
//! and the strictest answer holds: block > approval > allow. Whatever cannot be decided blocks.
//!
//! ```text
//! files ▸ load (grammar, schema, annotations) ▸ rules ▸ by scope: candidates of (action, principal, connection)
//!                                                          ▾
//! effect ▸ the values of what these candidates read ▸ known answer, else Cedar ▸ strictest of all effects
//! ```
//!
//! Cedar's language: <https://docs.cedarpolicy.com/policies/syntax-policy.html>. The schema is `schema.cedarschema`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cedar_policy::Entity;
use metrics::Counter;

use crate::config::{PolicyFiles, Problem, Source, any_error};

mod admission;
mod answer;
mod asks;
mod attribute;
mod decide;
pub mod decision;
pub mod effect;
mod load;
mod rule;
mod schema;
mod subject;

pub use admission::{Admission, AdmissionReview, ConnectBlocked, ConnectDecision};
pub use attribute::Circumstances;
pub use decide::Verdict;
pub use decision::{Blocked, Decision, Judged, Permit, Reason, Requirement, Review, Standing};
pub use effect::{Action, CallKind, Effect, Facts, Resource, SqlAction};
pub use schema::SCHEMA;
pub use subject::{Principal, Who};

use answer::Candidates;
use rule::Rule;
use subject::{Subject, Subjects};

/// Different sets of candidates that are kept; there are as many as kinds of principals times kinds of actions.
const MOST_SETS: usize = 4_096;

/// All policies, checked. A reload makes a new one; what was found out with the old one goes with it.
pub struct Policies {
    /// No two have the same.
    number: u64,
    rules: Vec<Rule>,
    by_id: HashMap<String, usize>,
    by_action: HashMap<Action, Vec<usize>>,
    action_entities: HashMap<Action, Vec<Entity>>,
    sets: Mutex<HashMap<Vec<usize>, Arc<Candidates>>>,
    subjects: Subjects,
    warnings: Vec<Problem>,
    /// Counts what is allowed: looked up once.
    allowed: OnceLock<Counter>,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies")
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl Policies {
    /// Reads and checks the files of a configuration.
    ///
    /// # Errors
    /// Every problem of every file, warnings among them, if one is an error.
    pub fn load(files: &PolicyFiles) -> Result<Self, Vec<Problem>> {
        Self::build(load::files(&files.files, files.default_approval_ttl))
    }

    /// Reads and checks texts.
    ///
    /// # Errors
    /// As [`Policies::load`].
    pub fn parse(sources: &[Arc<Source>], default_ttl: Duration) -> Result<Self, Vec<Problem>> {
        Self::build(load::sources(sources, default_ttl))
    }

    fn build(loaded: load::Loaded) -> Result<Self, Vec<Problem>> {
        if any_error(&loaded.problems) {
            return Err(loaded.problems);
        }
        let rules = loaded.rules;
        let by_id = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| (rule.id.clone(), index))
            .collect();
        let actions: Vec<_> = actions().collect();
        let by_action = actions
            .iter()
            .map(|action| {
                let meets = |(index, rule): (usize, &Rule)| rule.meets_action(*action).then_some(index);
                (*action, rules.iter().enumerate().filter_map(meets).collect())
            })
            .collect();
        let action_entities = if rules.iter().any(|rule| rule.names_action) {
            let all: Vec<_> = actions.iter().copied().flat_map(entities_of).collect();
            let mut all: Vec<_> = all.into_iter().map(|entity| (entity.uid(), entity)).collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all.dedup_by(|a, b| a.0 == b.0);
            let all: Vec<_> = all.into_iter().map(|(_, entity)| entity).collect();
            actions.iter().map(|action| (*action, all.clone())).collect()
        } else {
            actions.iter().map(|action| (*action, entities_of(*action))).collect()
        };
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            rules,
            by_id,
            by_action,
            action_entities,
            sets: Mutex::default(),
            subjects: Subjects::default(),
            warnings: loaded.problems,
            allowed: OnceLock::new(),
        })
    }

    /// What is odd about the files.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none, so that everything is blocked.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The `@id`s of all policies.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.id.as_str())
    }

    /// Whether some policy reads `context.estimated_rows`, which costs a question to the target.
    pub fn reads_estimate(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.reads.has(attribute::Attribute::EstimatedRows))
    }

    /// The policies whose scope an action of this subject can meet.
    fn candidates(&self, subject: &Subject, action: Action) -> Arc<Candidates> {
        subject.candidates(action, || {
            let of_action = self.by_action.get(&action).map(Vec::as_slice).unwrap_or_default();
            let chosen: Vec<usize> = of_action
                .iter()
                .copied()
                .filter(|index| {
                    self.rules.get(*index).is_some_and(|rule| {
                        rule.meets_principal(&subject.uid, &subject.group_uids)
                            && rule.may_meet_connection(subject.connection(), subject.tags())
                    })
                })
                .collect();
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = sets.get(&chosen) {
                return Arc::clone(found);
            }
            if sets.len() >= MOST_SETS {
                sets.clear();
            }
            let made = Arc::new(Candidates::new(&self.rules, chosen.clone()));
            sets.insert(chosen, Arc::clone(&made));
            made
        })
    }

    fn actions_of(&self, action: Action) -> &[Entity] {
        self.action_entities.get(&action).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Every action that is ever asked.
fn actions() -> impl Iterator<Item = Action> {
    let general = [
        Action::Connect,
        Action::Unmask,
        Action::Watch,
        Action::Kill,
        Action::Replay,
        Action::Export,
    ];
    SqlAction::ALL.iter().map(|sql| Action::Sql(*sql)).chain(general)
}

/// An action and its group.
fn entities_of(action: Action) -> Vec<Entity> {
    let group = schema::group_uid(action);
    let mut entities = vec![schema::entity(schema::action_uid(action), group.clone())];
    entities.extend(group.map(|group| schema::entity(group, [])));
    entities
}

#[cfg(test)]
mod tests;
