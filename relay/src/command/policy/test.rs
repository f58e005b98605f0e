//! `hoop-relay policy test`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;

use crate::config::cases::{Case, cases};
use crate::config::{Config, Problem};
use crate::policy::{Circumstances, Verdict};

use super::super::{Failure, escape, print, say};
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
}

impl Test {
    pub(super) fn run(self) -> Result<(), Failure> {
        let subject = Subject::load(&self.config)?;
        let cases = cases(&self.cases).map_err(Failure::Configuration)?;
        check_connections(&cases, &subject.config, &self.cases)?;
        let mut wrong = 0_usize;
        for case in &cases {
            let found = ask(case, &subject)?;
            if let Some(why) = mismatch(case, &found) {
                wrong += 1;
                let place = format!("{}:{}", self.cases.display(), case.line);
                print(&escape(&format!(
                    "{place}: {why}\n  {} on {}: {}",
                    case.principal,
                    case.connection,
                    first_line(&case.statement)
                )))?;
            }
        }
        let total = cases.len();
        if wrong > 0 {
            say(&format!("{wrong} of {total} cases do not hold"));
            return Err(Failure::Found);
        }
        print(&format!("all {total} cases hold"))
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

fn first_line(statement: &str) -> &str {
    statement.trim().lines().next().unwrap_or_default()
}
