//! `hoop-relay policy`.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use hoop_shared::api::PrincipalKind;

use crate::config::{Config, Connection, Purpose, Severity};
use crate::policy::{Policies, Principal};

use super::{Failure, show};

mod assumed;
mod explain;
mod reading;
mod test;

/// Asks the policies of a configuration what they say.
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(explain::Explain),
    Test(test::Test),
}

impl Policy {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Explain(explain) => explain.run(),
            Command::Test(test) => test.run(),
        }
    }
}

/// What is asked: a configuration and its policies, without errors.
struct Subject {
    config: Config,
    policies: Policies,
}

impl Subject {
    /// Reads both; shows the policies' warnings.
    fn load(path: &Path) -> Result<Self, Failure> {
        // As for `dev`: explaining needs no identity provider.
        let (whole, problems) = Config::check(path, Purpose::Dev);
        let Some((config, policies)) = whole else {
            return Err(Failure::Configuration(problems));
        };
        debug_assert!(problems.iter().all(|problem| problem.severity() == Severity::Warning));
        show(&problems);
        Ok(Self { config, policies })
    }

    fn connection(&self, name: &str) -> Result<&Arc<Connection>, Failure> {
        self.config.connection(name).ok_or_else(|| {
            let names: Vec<_> = self
                .config
                .connections
                .iter()
                .map(|connection| connection.name.as_str())
                .collect();
            Failure::usage(
                format!("there is no connection `{name}`"),
                format!("the connections are: {}", names.join(", ")),
            )
        })
    }

    /// A principal by its label. A workload's begins with the name of its identity.
    fn principal(&self, label: &str, groups: &[String]) -> Principal {
        let of_workload = |name: &str| label.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        let workload = self
            .config
            .workload_identities
            .iter()
            .any(|identity| of_workload(&identity.name));
        Principal {
            kind: if workload {
                PrincipalKind::Workload
            } else {
                PrincipalKind::User
            },
            label: label.to_owned(),
            groups: groups.to_vec(),
        }
    }
}
