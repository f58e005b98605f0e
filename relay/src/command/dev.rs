//! `hoop-relay dev`.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use hoop_shared::id::SessionId;

use crate::config::{Config, Loaded, Purpose};
use crate::server::{self, DevOptions, Options};

use super::Failure;

/// Runs a relay for trying out and tests, on loopback only, with an identity provider of its own.
#[derive(Debug, Args)]
#[command(
    after_help = "The identity provider asks for no password. Its people: ana in `engineers`, bo in `dba`, agent in `agents`.\n\
    When it is ready it prints one line of JSON: relay, pin, ca, issuer.\n\n\
    Example:\n  hoop-relay dev --config relay.toml --sign-in-as ana\n\n\
    The configuration adds connections, masks, policies and limits; its `[listen]`, `[tls]` and `[storage]` are not used."
)]
pub(super) struct Dev {
    /// Where data is kept; without it a new folder, which is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A configuration file that adds connections and policies.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Approves the device codes of this person by itself.
    #[arg(long, value_name = "USER", value_parser = PossibleValuesParser::new(["ana", "bo", "agent"]))]
    sign_in_as: Option<String>,
    /// Listens here: an address of loopback. Port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

impl Dev {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.listen.ip().is_loopback() {
            let message = format!("{} is not on loopback: anybody could be anybody there", self.listen);
            return Err(Failure::usage(
                message,
                "listen on 127.0.0.1 or [::1], or run `hoop-relay serve`",
            ));
        }
        if let Some(config) = &self.config {
            let (whole, problems) = Config::check(config, Purpose::Dev);
            if whole.is_none() {
                return Err(Failure::Configuration(problems));
            }
        }
        let folder = match &self.data {
            Some(data) => Folder {
                path: data.clone(),
                temporary: false,
            },
            None => Folder::temporary().map_err(|error| Failure::Failed(format!("no folder for data: {error}")))?,
        };
        let (file, listen, data_dir) = (self.config, self.listen, folder.path.clone());
        let load = move || {
            let mut loaded = match &file {
                Some(file) => Config::load(file, Purpose::Dev)?,
                None => Loaded {
                    config: Config::default(),
                    warnings: Vec::new(),
                },
            };
            loaded.config.listen = listen;
            loaded.config.tls = None;
            loaded.config.data_dir.clone_from(&data_dir);
            Ok(loaded)
        };
        let options = Options {
            load: Box::new(load),
            dev: Some(DevOptions {
                sign_in_as: self.sign_in_as,
            }),
        };
        Ok(server::run(options)?)
    }
}

/// Where the relay keeps its data.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    /// A new folder that nobody else can enter.
    fn temporary() -> std::io::Result<Self> {
        let name = SessionId::random().map_err(std::io::Error::other)?;
        let path = std::env::temp_dir().join(format!("hoop-dev-{name}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            remove(&self.path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        super::say(&format!("note: {} stays behind: {error}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_people_of_the_help_are_those_of_the_provider() {
        let people: Vec<_> = crate::dev::PEOPLE.iter().map(|(name, _)| *name).collect();
        assert_eq!(people, ["ana", "bo", "agent"]);
    }

    #[test]
    fn another_address_than_loopback_is_refused() {
        let dev = Dev {
            data: None,
            config: None,
            sign_in_as: None,
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        };
        assert!(matches!(dev.run(), Err(Failure::Usage(..))));
    }
}
