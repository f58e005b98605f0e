//! `hoop-relay check`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Purpose};

use super::{Failure, print, show};

/// Finds every problem of a configuration and its policies, without serving.
#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are read as `serve` would read them, and nothing is contacted.\n\n\
    Example:\n  hoop-relay check --config /etc/hoop/relay.toml\n\n\
    Exit codes: 0 nothing wrong (warnings may be shown), 3 something is."
)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (whole, problems) = Config::check(&self.config, Purpose::Serve);
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
