//! `hoop-relay serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Purpose};
use crate::server::{self, Options};

use super::Failure;

/// Runs the relay.
#[derive(Debug, Args)]
#[command(
    after_help = "When it is ready it prints one line of JSON with its address and pin, and GET /readyz answers 200.\n\
    SIGHUP reads configuration and policies again, all or nothing. SIGTERM lets running sessions end for `[session] drain`.\n\n\
    Example:\n  hoop-relay serve --config /etc/hoop/relay.toml"
)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Listens here instead of at `[listen] address`; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        // Before anything starts: all problems at once, those of policies too.
        let (whole, problems) = Config::check(&self.config, Purpose::Serve);
        if whole.is_none() {
            return Err(Failure::Configuration(problems));
        }
        let load = move || {
            let mut loaded = Config::load(&self.config, Purpose::Serve)?;
            if let Some(listen) = self.listen {
                loaded.config.listen = listen;
            }
            Ok(loaded)
        };
        let options = Options {
            load: Box::new(load),
            dev: None,
        };
        Ok(server::run(options)?)
    }
}
