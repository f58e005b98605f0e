//! What policy will ask of a principal on a connection, in a few words, before any statement is known.

use std::collections::BTreeSet;

use crate::config::Connection;

use super::Policies;
use super::effect::{Action, SqlAction};
use super::subject::{Subject, Who};

/// The groups of actions that people think in, and the word for each.
const GROUPS: [(&str, &str); 5] = [
    ("sql:read", "read"),
    ("sql:write", "write"),
    ("sql:ddl", "ddl"),
    ("sql:admin", "admin"),
    ("sql:call", "call"),
];

/// What the policies say about one action on all of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outlook {
    /// No permit can match, or a forbid always does.
    Block,
    /// A permit always matches.
    Allow,
    /// People are asked, always.
    Approval(BTreeSet<String>),
    /// A permit matches some statements, or some resources.
    Some,
}

impl Policies {
    /// What policy will ask: `read: allow`, `write: approval by dba`, `ddl: block`. A matching rule that depends on the
    /// statement makes it `depends on the statement`.
    pub fn asks<'a>(&self, who: impl Into<Who<'a>>, connection: &Connection) -> Vec<String> {
        let subject = self.subjects.get(who.into(), connection);
        let mut asks = Vec::new();
        if let (Outlook::Approval(groups), _) = self.outlook(&subject, Action::Connect) {
            asks.push(format!("connect: approval by {}", list(&groups)));
        }
        for (group, word) in GROUPS {
            let members = SqlAction::ALL
                .iter()
                .filter(|sql| sql.group() == group && **sql != SqlAction::Replication);
            let outlooks: Vec<_> = members.map(|sql| self.outlook(&subject, Action::Sql(*sql))).collect();
            let exceptions = outlooks.iter().any(|(_, exceptions)| *exceptions);
            let kinds: BTreeSet<_> = outlooks.into_iter().map(|(outlook, _)| outlook).collect();
            asks.push(format!("{word}: {}", words(&kinds, exceptions)));
        }
        asks
    }

    /// The outlook of an action, and whether a `forbid` takes some of it away.
    fn outlook(&self, subject: &Subject, action: Action) -> (Outlook, bool) {
        let candidates = self.candidates(subject, action);
        let rules = || candidates.rules.iter().filter_map(|index| self.rules.get(*index));
        let always = |rule: &&super::rule::Rule| {
            !rule.is_conditional() && rule.meets_whole_connection(subject.connection(), subject.tags())
        };
        if rules().any(|rule| !rule.permits && always(&rule)) {
            return (Outlook::Block, false);
        }
        let exceptions = rules().any(|rule| !rule.permits);
        let mut permits = rules().filter(|rule| rule.permits).peekable();
        if permits.peek().is_none() {
            return (Outlook::Block, false);
        }
        let (sure, unsure): (Vec<_>, Vec<_>) = permits.partition(always);
        let approvers: BTreeSet<String> = sure
            .iter()
            .filter_map(|rule| rule.requirement.as_ref())
            .flat_map(|requirement| requirement.approvers.iter().cloned())
            .collect();
        let outlook = match (sure.is_empty(), approvers.is_empty()) {
            (true, _) => Outlook::Some,
            (false, false) => Outlook::Approval(approvers),
            // Some statement may meet a rule that asks for people, and the stricter answer wins.
            (false, true) if unsure.iter().any(|rule| rule.requirement.is_some()) => Outlook::Some,
            (false, true) => Outlook::Allow,
        };
        (outlook, exceptions)
    }
}

fn words(kinds: &BTreeSet<Outlook>, exceptions: bool) -> String {
    let mut kinds = kinds.iter();
    let text = match (kinds.next(), kinds.next()) {
        (Some(Outlook::Block), None) => return "block".to_owned(),
        (Some(Outlook::Allow), None) => "allow".to_owned(),
        (Some(Outlook::Approval(groups)), None) => format!("approval by {}", list(groups)),
        _ => return "depends on the statement".to_owned(),
    };
    if exceptions {
        format!("{text}, some blocked")
    } else {
        text
    }
}

fn list(groups: &BTreeSet<String>) -> String {
    groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
