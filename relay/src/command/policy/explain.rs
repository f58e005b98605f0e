//! `hoop-relay policy explain`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};

use crate::config::quantity::show_duration;
use crate::inspect::sql::Kind;
use crate::policy::{Circumstances, Reason, Verdict};

use super::super::{Failure, Output, escape, print, say};
use super::Subject;
use super::reading::{Names, Statement, statement};

/// Shows how the relay reads a statement, and what policy says about it.
#[derive(Debug, Args)]
#[command(
    after_help = "Names mean what they mean at the target, if it can be reached. With --offline, or if it cannot be, names without a \
    schema are taken for tables and functions of `public`, and nothing is known of views, triggers and keys: the answer may then be \
    milder than the relay's.\n\nExamples:\n  \
    hoop-relay policy explain --config relay.toml --connection db-prod \\\n    \
    --principal ana --group engineers 'DELETE FROM orders'\n  \
    hoop-relay policy explain --config relay.toml --connection db-prod \\\n    \
    --principal agent --group agents -o json --offline 'SELECT 1'"
)]
pub(super) struct Explain {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The connection on which it would run.
    #[arg(long, value_name = "NAME")]
    connection: String,
    /// Who would run it: a user's label, or a workload's IDENTITY:SUB.
    #[arg(long, value_name = "PRINCIPAL")]
    principal: String,
    /// A group of the principal; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The reason that would be given.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The address that it would come from.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    source_ip: IpAddr,
    /// Does not ask the target what names mean.
    #[arg(long)]
    offline: bool,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// The statement, or several separated by semicolons.
    statement: String,
}

impl Explain {
    pub(super) fn run(self) -> Result<(), Failure> {
        let subject = Subject::load(&self.config)?;
        let connection = subject.connection(&self.connection)?;
        let principal = subject.principal(&self.principal, &self.groups);
        let around = Circumstances {
            reason: self.reason.as_deref(),
            source: self.source_ip,
            now: SystemTime::now(),
        };
        let names = Names::of(connection, self.offline);
        if let Names::Assumed(Some(why)) = &names {
            say(&format!(
                "note: {} cannot be asked what names mean ({}); they are taken for `public`'s",
                connection.name,
                escape(why)
            ));
        }
        let read = statement(
            &self.statement,
            &names,
            &subject.config,
            &subject.policies,
            &principal,
            connection,
            &around,
        )
        .map_err(Failure::Failed)?;
        let connect = subject.policies.judge_connect(&principal, connection, &around);
        let each = subject
            .policies
            .judge_each(&principal, connection, &read.effects, &read.facts, &around);
        let whole = verdict(
            &read,
            subject
                .policies
                .judge(&principal, connection, &read.effects, &read.facts, &around),
        );
        let explained = Explained {
            connection: &connection.name,
            offline: matches!(names, Names::Assumed(_)),
            read: &read,
            connect,
            each,
            whole,
        };
        match self.output {
            Output::Json => print(&explained.json(&self).to_string()),
            Output::Text => print(explained.text().trim_end()),
        }
    }
}

/// The relay refuses some texts before any policy is asked.
pub(super) fn verdict(read: &Statement, of_policies: Verdict) -> Verdict {
    match &read.reading.refused {
        Some(refused) => Verdict::Block {
            reason: Reason::Forbidden,
            rules: Vec::new(),
            message: Some(format!("{}; {}", refused.message(), refused.hint())),
            effect: None,
        },
        None => of_policies,
    }
}

struct Explained<'a> {
    connection: &'a str,
    offline: bool,
    read: &'a Statement,
    connect: Verdict,
    each: Vec<Verdict>,
    whole: Verdict,
}

impl Explained<'_> {
    fn effects(&self) -> impl Iterator<Item = (String, &'static str, &Verdict)> {
        self.read
            .effects
            .iter()
            .zip(&self.each)
            .map(|(effect, verdict)| (effect.resource.id(self.connection), effect.action.as_str(), verdict))
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.read
            .reading
            .statements
            .iter()
            .map(|statement| kind(&statement.kind))
            .collect()
    }

    fn text(&self) -> String {
        let list = |items: &[String]| {
            if items.is_empty() {
                "none".to_owned()
            } else {
                items.join(", ")
            }
        };
        let mut lines = Vec::new();
        lines.push(format!(
            "statements: {}",
            if self.kinds().is_empty() {
                "none".to_owned()
            } else {
                self.kinds().join(", ")
            }
        ));
        if let Some(problem) = &self.read.reading.problem {
            lines.push(format!("not readable: {problem:?}"));
        }
        lines.push(format!("tables: {}", list(&self.read.reading.tables)));
        lines.push(format!("functions: {}", list(&self.read.reading.functions)));
        if !self.read.reading.unresolved.is_empty() {
            lines.push(format!("not found: {}", self.read.reading.unresolved.join(", ")));
        }
        lines.push("effects:".to_owned());
        let width = self
            .effects()
            .map(|(resource, action, _)| action.len() + resource.chars().count() + 4)
            .max()
            .unwrap_or(0);
        for (resource, action, verdict) in self.effects() {
            let what = format!("{action} on {resource}");
            lines.push(format!("  {what:<width$}  {}", in_words(verdict)));
        }
        if self.read.effects.is_empty() {
            lines.push("  none".to_owned());
        }
        if !matches!(self.connect, Verdict::Allow { .. }) {
            lines.push(format!("connect: {}", in_words(&self.connect)));
        }
        lines.push(format!("decision: {}", in_words(&self.whole)));
        if let Verdict::Block {
            message: Some(message), ..
        } = &self.whole
        {
            lines.push(format!("message: {message}"));
        }
        if let Verdict::RequireApproval { requirements, .. } = &self.whole {
            for needed in requirements {
                let people = if needed.approvals == 1 {
                    "one person".to_owned()
                } else {
                    format!("{} people", needed.approvals)
                };
                lines.push(format!(
                    "  {}: {people} of {}, within {}",
                    needed.rule,
                    needed.approvers.join(" or "),
                    show_duration(needed.ttl)
                ));
            }
        }
        escape(&lines.join("\n"))
    }

    fn json(&self, asked: &Explain) -> Value {
        let effects: Vec<_> = self
            .effects()
            .map(|(resource, action, verdict)| {
                json!({"action": action, "resource": resource, "decision": verdict.as_str(), "rules": verdict.rules()})
            })
            .collect();
        let requirements = match &self.whole {
            Verdict::RequireApproval { requirements, .. } => requirements.as_slice(),
            _ => &[],
        };
        let requirements: Vec<_> = requirements
            .iter()
            .map(|needed| {
                json!({
                    "rule": needed.rule,
                    "approvers": needed.approvers,
                    "approvals": needed.approvals,
                    "ttl": show_duration(needed.ttl),
                })
            })
            .collect();
        let (reason, message) = match &self.whole {
            Verdict::Block { reason, message, .. } => (Some(why(*reason)), message.as_deref()),
            _ => (None, None),
        };
        json!({
            "connection": self.connection,
            "principal": asked.principal,
            "groups": asked.groups,
            "statement": asked.statement,
            "names": if self.offline { "assumed" } else { "target" },
            "kinds": self.kinds(),
            "tables": self.read.reading.tables,
            "functions": self.read.reading.functions,
            "unresolved": self.read.reading.unresolved,
            "effects": effects,
            "connect": self.connect.as_str(),
            "decision": self.whole.as_str(),
            "rules": self.whole.rules(),
            "reason": reason,
            "message": message,
            "requirements": requirements,
        })
    }
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Forbidden => "forbidden",
        Reason::NotPermitted => "not_permitted",
        Reason::PolicyError => "policy_error",
    }
}

/// The decision and its rules: `block by no-drop`.
pub(super) fn in_words(verdict: &Verdict) -> String {
    let rules = verdict.rules().join(", ");
    match verdict {
        Verdict::Allow { rules } if rules.is_empty() => "allow, comes with connect".to_owned(),
        Verdict::Block {
            reason: Reason::NotPermitted,
            ..
        } => "block, no policy permits it".to_owned(),
        Verdict::Block {
            reason: Reason::PolicyError,
            ..
        } => format!("block, a policy does not evaluate: {rules}"),
        Verdict::Block { rules, .. } if rules.is_empty() => "block, whatever policies say".to_owned(),
        other => format!("{} by {rules}", other.as_str()),
    }
}

/// What a statement is, in a word.
fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Plain => "statement",
        Kind::Begin => "begin",
        Kind::Commit => "commit",
        Kind::Rollback => "rollback",
        Kind::Savepoint => "savepoint",
        Kind::RollbackTo => "rollback to",
        Kind::Prepare { .. } => "prepare",
        Kind::Execute { .. } => "execute",
        Kind::Deallocate { .. } => "deallocate",
        Kind::Declare { .. } => "declare",
        Kind::Fetch { .. } => "fetch",
        Kind::Close { .. } => "close",
        Kind::Discard { .. } => "discard",
        Kind::CopyOut(_) => "copy out",
        Kind::CopyIn => "copy in",
        Kind::SearchPath => "search path",
    }
}
