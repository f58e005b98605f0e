//! What policy will ask of a principal on a connection, in a few words, before any statement is known.
//!
//! Rules whose scope takes the whole connection, and whose conditions no statement can change, are asked as they would be for a statement,
//! now and from where the principal is: their answer is certain. Every other rule is named beside it as what it is: something that may
//! match. So nothing is promised that a statement may be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::config::Connection;

use super::Policies;
use super::answer::{Answer, Candidates, Question, ask};
use super::attribute::{Circumstances, Values};
use super::decision::{Reason, Requirement};
use super::effect::{Action, Effect, Facts, Resource, SqlAction};
use super::rule::Rule;
use super::subject::{Subject, Who};

/// The groups of actions that people think in, and the word for each.
const GROUPS: [(&str, &str); 5] = [
    ("sql:read", "read"),
    ("sql:write", "write"),
    ("sql:ddl", "ddl"),
    ("sql:admin", "admin"),
    ("sql:call", "call"),
];

/// What the certain rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sure {
    Allow,
    /// These people are asked.
    Approval(BTreeSet<String>),
    Block,
}

/// What is said about an action on all of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outlook {
    sure: Sure,
    /// Rules that forbid what they match.
    blocked_where: Vec<String>,
    /// Rules that ask these people about what they match.
    approval_where: BTreeMap<String, Vec<String>>,
    /// Rules that permit what they match.
    allowed_where: Vec<String>,
    /// Another hour or address may have another answer.
    now: bool,
}

impl Policies {
    /// What policy will ask, one text for each group of actions, or for the actions of it that differ: `read: allow`,
    /// `write (insert, merge): approval by dba`, `ddl: block`. Behind the colon stands `allow`, `approval by GROUPS`, `block`, or `depends (…)`,
    /// which names the rules that may match. `connect` and `unmask` stand there only where they are not as usual: allowed, blocked.
    pub fn asks<'a>(
        &self,
        who: impl Into<Who<'a>>,
        connection: &Connection,
        around: &Circumstances<'_>,
    ) -> Vec<String> {
        let subject = self.subjects.get(who.into(), connection);
        let mut asks = Vec::new();
        let connect = self.outlook(&subject, Action::Connect, around);
        if connect.sure != Sure::Allow || connect.depends() || connect.now {
            asks.push(format!("connect: {connect}"));
        }
        for (group, word) in GROUPS {
            let mut outlooks: Vec<(Outlook, Vec<&str>)> = Vec::new();
            for sql in SqlAction::ALL
                .iter()
                .filter(|sql| sql.group() == group && **sql != SqlAction::Replication)
            {
                let outlook = self.outlook(&subject, Action::Sql(*sql), around);
                let name = sql.as_str().trim_start_matches("sql:");
                match outlooks.iter_mut().find(|(known, _)| *known == outlook) {
                    Some((_, names)) => names.push(name),
                    None => outlooks.push((outlook, vec![name])),
                }
            }
            let one = outlooks.len() == 1;
            asks.extend(outlooks.into_iter().map(|(outlook, names)| match one {
                true => format!("{word}: {outlook}"),
                false => format!("{word} ({}): {outlook}", names.join(", ")),
            }));
        }
        let unmask = self.outlook(&subject, Action::Unmask, around).on_the_spot();
        if unmask.sure != Sure::Block || unmask.depends() {
            asks.push(format!("unmask: {unmask}"));
        }
        asks
    }

    fn outlook(&self, subject: &Subject, action: Action, around: &Circumstances<'_>) -> Outlook {
        let candidates = self.candidates(subject, action);
        let rule = |index: &usize| self.rules.get(*index);
        let (sure, unsure): (Vec<usize>, Vec<usize>) = candidates
            .rules
            .iter()
            .partition(|index| rule(index).is_some_and(|rule| is_certain(rule, subject, action)));
        let answer = self.answered(subject, action, sure, around);
        let requirement = |index: &usize| rule(index).and_then(|rule| rule.requirement.as_ref());
        let mut outlook = Outlook::new(match &answer {
            Answer::Permitted(_) => Sure::Allow,
            Answer::Waits(rules) => Sure::Approval(rules.iter().filter_map(requirement).map(people).collect()),
            Answer::Refused(..) => Sure::Block,
        });
        outlook.now = candidates.reads.depend_on_the_moment();
        if !matches!(answer, Answer::Refused(Reason::Forbidden | Reason::PolicyError, _)) {
            unsure.iter().filter_map(rule).for_each(|rule| outlook.may_match(rule));
        }
        outlook.simplified()
    }

    /// Asks Cedar about an action on the connection itself, of these rules alone.
    fn answered(&self, subject: &Subject, action: Action, rules: Vec<usize>, around: &Circumstances<'_>) -> Answer {
        if rules.is_empty() {
            return Answer::Refused(Reason::NotPermitted, Vec::new());
        }
        let candidates = Candidates::new(&self.rules, rules);
        let values = match action {
            Action::Sql(sql) => {
                let effect = Effect::new(sql, Resource::Connection);
                Values::of(candidates.reads, &effect, &Facts::default(), around)
            }
            _ => Values::general(candidates.reads, around),
        };
        let question = Question {
            subject,
            action,
            resource: &Resource::Connection,
            values: &values,
        };
        ask(
            &question,
            &candidates,
            self.actions_of(action),
            &self.rules,
            &self.by_id,
        )
    }
}

/// Whether a rule's answer is the same for everything that the action may be about.
fn is_certain(rule: &Rule, subject: &Subject, action: Action) -> bool {
    if rule.reads.depend_on_the_operation() {
        return false;
    }
    // A session is opened on the connection itself: what the scope says about it is all there is.
    action == Action::Connect
        || (!rule.names_resource && rule.meets_whole_connection(subject.connection(), subject.tags()))
}

/// `dba, oncall`, `2 of dba`.
fn people(requirement: &Requirement) -> String {
    let groups = requirement.approvers.join(", ");
    match requirement.approvals {
        0 | 1 => groups,
        many => format!("{many} of {groups}"),
    }
}

impl Outlook {
    const fn new(sure: Sure) -> Self {
        Self {
            sure,
            blocked_where: Vec::new(),
            approval_where: BTreeMap::new(),
            allowed_where: Vec::new(),
            now: false,
        }
    }

    /// Takes a rule that may match.
    fn may_match(&mut self, rule: &Rule) {
        match (&rule.requirement, rule.permits) {
            (_, false) => self.blocked_where.push(rule.id.clone()),
            (None, true) => self.allowed_where.push(rule.id.clone()),
            (Some(requirement), true) => {
                let rules = self.approval_where.entry(people(requirement)).or_default();
                rules.push(rule.id.clone());
            }
        }
    }

    /// Leaves out what changes nothing.
    fn simplified(mut self) -> Self {
        match &self.sure {
            Sure::Block if self.allowed_where.is_empty() && self.approval_where.is_empty() => {
                self.blocked_where.clear()
            }
            Sure::Block => {}
            Sure::Allow => self.allowed_where.clear(),
            Sure::Approval(asked) => {
                self.allowed_where.clear();
                self.approval_where.retain(|people, _| !asked.contains(people));
            }
        }
        self
    }

    /// Of an action that is decided on the spot: a rule that asks people never permits it.
    fn on_the_spot(mut self) -> Self {
        if matches!(self.sure, Sure::Approval(_)) {
            self.sure = Sure::Block;
        }
        self.approval_where.clear();
        self.simplified()
    }

    fn depends(&self) -> bool {
        !(self.blocked_where.is_empty() && self.approval_where.is_empty() && self.allowed_where.is_empty())
    }
}

impl fmt::Display for Sure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Block => f.write_str("block"),
            Self::Approval(people) => {
                let people: Vec<&str> = people.iter().map(String::as_str).collect();
                write!(f, "approval by {}", people.join(" and by "))
            }
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = if self.now { " now" } else { "" };
        if !self.depends() {
            return write!(f, "{}{now}", self.sure);
        }
        let mut parts = Vec::new();
        if !self.blocked_where.is_empty() {
            parts.push(format!("block where {}", self.blocked_where.join(", ")));
        }
        for (people, rules) in &self.approval_where {
            parts.push(format!("approval by {people} where {}", rules.join(", ")));
        }
        if !self.allowed_where.is_empty() {
            parts.push(format!("allow where {}", self.allowed_where.join(", ")));
        }
        write!(f, "depends ({}, else {}){now}", parts.join(", "), self.sure)
    }
}
