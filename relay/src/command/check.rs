//! `hoop-relay check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::config::{Config, Problem, Purpose, Severity};
use crate::policy::Policies;

use super::{Failure, Output, print, show};

/// Finds every problem of a configuration and its policies, without serving.
#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are read as `serve` would read them, and nothing is contacted.\n\n\
    Examples:\n  hoop-relay check --config /etc/hoop/relay.toml\n  hoop-relay check --config relay.toml -o json\n\n\
    Exit codes: 0 nothing wrong (warnings may be shown), 3 something is."
)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (whole, problems) = Config::check(&self.config, Purpose::Serve);
        if self.output == Output::Json {
            print(&json(whole.as_ref(), &problems).to_string())?;
            return whole.map(|_| ()).ok_or(Failure::Wrong);
        }
        let Some((config, policies)) = whole else {
            return Err(Failure::Configuration(problems));
        };
        show(&problems);
        print(&format!(
            "{}: no error; connections: {}, policies: {}, masks: {}",
            self.config.display(),
            config.connections.len(),
            policies.len(),
            config.masks.len()
        ))
    }
}

fn json(whole: Option<&(Config, Policies)>, problems: &[Problem]) -> serde_json::Value {
    let problem = |problem: &Problem| {
        let (line, column) = problem.position().unzip();
        json!({
            "severity": match problem.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": problem.message(),
            "hint": problem.hint_text(),
            "file": problem.path().map(|path| path.display().to_string()),
            "line": line,
            "column": column,
        })
    };
    json!({
        "ok": whole.is_some(),
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
        "connections": whole.map(|(config, _)| config.connections.len()),
        "policies": whole.map(|(_, policies)| policies.len()),
        "masks": whole.map(|(config, _)| config.masks.len()),
    })
}
