//! `config.toml`: what a user wants by default. Strict: an unknown key is an error.
//!
//! ```toml
//! profile = "work"
//! output = "text"             # or "json"
//! credential_store = "file"   # or "keyring"
//!
//! [profiles.work]
//! relay = "relay.example.com:7443"
//! issuer = "okta"
//! ca_file = "/etc/ssl/acme.pem"   # or pin = "…"
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use hoop_shared::refusal::Code;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::printer::Output;
use crate::relay_address::RelayAddress;
use crate::settings::{CredentialStore, read_small};

/// Bytes of a configuration file.
const MAX_BYTES: u64 = 256 * 1024;

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The profile that is used where none is named.
    pub profile: Option<String>,
    /// Text or JSON.
    pub output: Option<Output>,
    /// Says only what is needed.
    pub quiet: Option<bool>,
    /// Never asks.
    pub no_input: Option<bool>,
    /// Where the private key must be kept.
    pub credential_store: Option<CredentialStore>,
    /// Settings of each profile.
    #[serde(default)]
    pub profiles: BTreeMap<String, ProfileSettings>,
}

/// The settings of one profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSettings {
    /// The relay.
    pub relay: Option<RelayAddress>,
    /// The identity provider's name at the relay.
    pub issuer: Option<String>,
    /// A file of CA certificates for the relay.
    pub ca_file: Option<PathBuf>,
    /// The pin of the relay's key.
    pub pin: Option<String>,
}

impl ConfigFile {
    /// Reads the file; a missing one is an empty one.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, or has an unknown key or a wrong value.
    pub fn load(path: &Path) -> Result<Self> {
        let wrong = |problem: String| {
            Error::new(Code::Configuration, problem)
                .doing(format!("cannot use {}", path.display()))
                .hint("correct the file or move it away")
        };
        let text = match read_small(path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let file: Self = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map(|span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
            match line {
                Some(line) => wrong(format!("line {line}: {}", error.message())),
                None => wrong(error.message().to_owned()),
            }
        })?;
        for (name, profile) in &file.profiles {
            if profile.pin.is_some() && profile.ca_file.is_some() {
                return Err(wrong(format!(
                    "[profiles.{name}] has both pin and ca_file: one of them decides"
                )));
            }
        }
        Ok(file)
    }
}
