//! `hoop-relay policy test`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use serde_json::{Value, json};

use crate::config::cases::{Case, cases};
use crate::config::{Config, Problem};
use crate::policy::{Circumstances, Verdict};

use super::super::{Failure, Output, escape, print, say};
use super::Subject;
use super::explain::{in_words, verdict};
use super::reading::{Names, statement};

/// Checks that policies say what a file of cases expects: a gate for changes of policies.
#[derive(Debug, Args)]
#[command(
    after_help = "No target is asked: names without a schema are taken for tables and functions of `public`.\n\n\
    A file of cases:\n  [[case]]\n  principal = \"agent\"\n  groups = [\"agents\"]\n  connection = \"db-prod\"\n  \
    statement = \"DROP TABLE orders\"\n  expect = \"block\"          # allow | block | approval\n  rule = \"no-drop\"          # optional\n\n\
    Example:\n  hoop-relay policy test --config relay.toml policies/cases.toml\n\n\
    Exit codes: 0 every case holds, 1 some do not, 3 a file is wrong."
)]
pub(super) struct Test {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file of cases.
    #[arg(value_name = "CASES.toml")]
    cases: PathBuf,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Test {
    pub(super) fn run(self) -> Result<(), Failure> {
        let subject = Subject::load(&self.config)?;
        let cases = cases(&self.cases).map_err(Failure::Configuration)?;
        check_connections(&cases, &subject.config, &self.cases)?;
        let mut failed = Vec::new();
        for case in &cases {
            let found = ask(case, &subject)?;
            if let Some(why) = mismatch(case, &found) {
                failed.push((case, found, why));
            }
        }
        match self.output {
            Output::Json => {
                let file = self.cases.display().to_string();
                let failed: Vec<_> = failed
                    .iter()
                    .map(|(case, found, why)| json(&file, case, found, why))
                    .collect();
                print(&json!({"cases": cases.len(), "failed": failed}).to_string())?;
            }
            Output::Text => {
                for (case, _, why) in &failed {
                    print(&escape(&format!(
                        "{}:{}: {why}\n  {} on {}: {}",
                        self.cases.display(),
                        case.line,
                        case.principal,
                        case.connection,
                        first_line(&case.statement)
                    )))?;
                }
                if failed.is_empty() {
                    print(&format!("all {} cases hold", cases.len()))?;
                } else {
                    say(&format!("{} of {} cases do not hold", failed.len(), cases.len()));
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(Failure::Found) }
    }
}

fn check_connections(cases: &[Case], config: &Config, path: &std::path::Path) -> Result<(), Failure> {
    let unknown = cases
        .iter()
        .filter(|case| config.connection(&case.connection).is_none());
    let problems: Vec<_> = unknown
        .map(|case| {
            let message = format!(
                "line {}: there is no connection `{}` in the configuration",
                case.line, case.connection
            );
            Problem::error(message).of_file(path)
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::Configuration(problems))
    }
}

fn ask(case: &Case, subject: &Subject) -> Result<Verdict, Failure> {
    let connection = subject.connection(&case.connection)?;
    let principal = subject.principal(&case.principal, &case.groups);
    let around = Circumstances {
        reason: case.reason.as_deref(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now: SystemTime::now(),
    };
    let names = Names::Assumed(None);
    let read = statement(
        &case.statement,
        &names,
        &subject.config,
        &subject.policies,
        &principal,
        connection,
        &around,
    )
    .map_err(Failure::Failed)?;
    Ok(verdict(
        &read,
        subject
            .policies
            .judge(&principal, connection, &read.effects, &read.facts, &around),
    ))
}

/// Why a case does not hold.
fn mismatch(case: &Case, found: &Verdict) -> Option<String> {
    if found.as_str() != case.expect.as_str() {
        return Some(format!("expected {}, found {}", case.expect.as_str(), in_words(found)));
    }
    match &case.rule {
        Some(rule) if !found.rules().contains(rule) => Some(format!("expected rule {rule}, found {}", in_words(found))),
        _ => None,
    }
}

fn json(file: &str, case: &Case, found: &Verdict, why: &str) -> Value {
    json!({
        "file": file,
        "line": case.line,
        "principal": case.principal,
        "connection": case.connection,
        "statement": case.statement,
        "expected": case.expect.as_str(),
        "found": found.as_str(),
        "rules": found.rules(),
        "problem": why,
    })
}

fn first_line(statement: &str) -> &str {
    statement.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        @id("connect") permit (principal, action == Hoop::Action::"connect", resource);
        @id("read") permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:read", resource);
        @id("write") @approvers("dba") permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:write", resource);
        @id("no-drop") forbid (principal, action == Hoop::Action::"sql:drop", resource in Hoop::Schema::"db/public");
        @id("jobs") permit (principal is Hoop::Workload, action == Hoop::Action::"sql:truncate", resource);
    "#;
    const CONFIG: &str = r#"
        [policy]
        files = ["p.cedar"]
        [[workload_identity]]
        name = "ci"
        issuer = "https://ci.example.com"
        audience = "hoop"
        groups = { jobs = { sub = "x" } }
        [[connection]]
        name = "db"
        protocol = "postgres"
        address = "/nowhere:5432"
        database = "shop"
        user = "hoop"
        [[mask]]
        columns = ["customers.ssn"]
        with = "redact"
    "#;

    fn run(cases: &str) -> Result<(), Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("p.cedar"), POLICY).unwrap();
        std::fs::write(path("relay.toml"), CONFIG).unwrap();
        std::fs::write(path("cases.toml"), cases).unwrap();
        Test {
            config: path("relay.toml"),
            cases: path("cases.toml"),
            output: Output::Text,
        }
        .run()
    }

    fn case(who: &str, statement: &str, expect: &str) -> String {
        format!(
            "[[case]]\nprincipal = \"{who}\"\ngroups = [\"agents\"]\nconnection = \"db\"\nstatement = \"{statement}\"\nexpect = \"{expect}\"\n"
        )
    }

    #[test]
    fn cases_hold_or_do_not() {
        let holds = [
            case("a", "SELECT id FROM customers", "allow"),
            case("a", "SELECT name FROM customers WHERE ssn = '1'", "block"),
            case("a", "DELETE FROM orders WHERE id = 1", "approval") + "rule = \"write\"\n",
            case("a", "SELECT 1; DROP TABLE orders", "block") + "rule = \"no-drop\"\n",
            case("ci:x", "TRUNCATE orders", "approval") + "rule = \"jobs\"\n",
            case("cix", "BEGIN", "allow"),
            case("a", "SELEC", "block"),
        ];
        for text in &holds {
            assert!(run(text).is_ok(), "{text}");
        }
        assert!(run(&holds.concat()).is_ok());
        for text in [
            case("a", "SELECT id FROM customers", "block"),
            case("a", "DROP TABLE orders", "block") + "rule = \"other\"\n",
            case("a", "TRUNCATE orders", "approval") + "rule = \"jobs\"\n",
        ] {
            assert!(matches!(run(&text), Err(Failure::Found)), "{text}");
        }
    }

    #[test]
    fn a_wrong_file_is_a_matter_of_configuration() {
        assert!(matches!(run("[[case]]\n"), Err(Failure::Configuration(_))));
        let text = case("a", "SELECT 1", "allow").replace("\"db\"", "\"dbx\"");
        assert!(matches!(run(&text), Err(Failure::Configuration(_))));
    }
}
