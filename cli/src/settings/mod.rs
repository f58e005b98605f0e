//! Settings, resolved once: flag, then environment, then file, then default. Commands never read the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hoop_shared::refusal::Code;
use serde::Deserialize;

use crate::args::Global;
use crate::credentials::private;
use crate::error::{Error, Result};
use crate::printer::{Manner, Output};
use crate::relay_address::RelayAddress;
use crate::settings::environment::Environment;
use crate::settings::file::ConfigFile;
use crate::settings::terminal::Notification;
use crate::settings::workload::WorkloadSources;

pub mod environment;
pub mod file;
pub mod terminal;
pub mod workload;

/// The profile that is used where none is named.
pub const DEFAULT_PROFILE: &str = "default";
/// Characters of a profile's name: it becomes a file's name.
const MAX_PROFILE_NAME: usize = 64;

/// Where the private key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialStore {
    /// The operating system's keyring.
    Keyring,
    /// A file that only its owner may read.
    File,
}

impl CredentialStore {
    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

/// Everything that a command needs to know about how it was called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The profile: one login at one relay.
    pub profile: String,
    /// How to print.
    pub manner: Manner,
    /// `$HOOPCTL_CONFIG_DIR`, else `$XDG_CONFIG_HOME/hoopctl`, else `~/.config/hoopctl`, else (none, or a read-only file system)
    /// `$TMPDIR/hoopctl-UID`.
    pub config_dir: PathBuf,
    /// The relay to log in at, where no argument names one.
    pub relay: Option<RelayAddress>,
    /// The identity provider to log in with, where no argument names one.
    pub issuer: Option<String>,
    /// A file of CA certificates that the relay's chain must end in.
    pub ca_file: Option<PathBuf>,
    /// The pin of the relay's key.
    pub pin: Option<String>,
    /// Where the private key must be kept; by itself the keyring, else the file.
    pub credential_store: Option<CredentialStore>,
    /// Where a workload's token may be.
    pub workload: WorkloadSources,
    /// What is logged, in the syntax of tracing's filters.
    pub log: Option<String>,
    /// Directory for this user's sockets.
    pub runtime_dir: Option<PathBuf>,
    /// Directory for temporary files.
    pub temp_dir: PathBuf,
    /// This machine's name, by which people recognise a login.
    pub machine: String,
    /// The application name that the user has set for PostgreSQL clients.
    pub application_name: Option<String>,
    /// The names of libpq's variables about TLS that are set: a client of the local end must not see them.
    pub tls_variables: Vec<OsString>,
    /// A browser of this machine's user can be opened.
    pub browser_near: bool,
    /// Directories in which programs are looked for.
    pub program_path: Vec<PathBuf>,
    /// How this terminal shows a desktop notification.
    pub notification: Notification,
}

impl Settings {
    /// Resolves the settings of this call.
    ///
    /// # Errors
    /// A variable or the configuration file has a wrong value.
    pub fn resolve(global: &Global, environment: &Environment) -> Result<Self> {
        let config_dir = config_dir(environment)?;
        let file = ConfigFile::load(&config_dir.join("config.toml"))?;
        let profile = global
            .profile
            .clone()
            .or_else(|| environment.text("HOOPCTL_PROFILE"))
            .or_else(|| file.profile.clone())
            .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        check_profile(&profile)?;
        let of_profile = file.profiles.get(&profile).cloned().unwrap_or_default();
        let output = match global.output {
            Some(output) => Some(output),
            None => environment.word::<Output>("HOOPCTL_OUTPUT", "text or json")?,
        };
        let relay = match environment.text("HOOPCTL_RELAY") {
            Some(text) => Some(text.parse().map_err(|error| wrong_variable("HOOPCTL_RELAY", &error))?),
            None => of_profile.relay,
        };
        let credential_store = match environment.text("HOOPCTL_CREDENTIAL_STORE").as_deref() {
            Some("keyring") => Some(CredentialStore::Keyring),
            Some("file") => Some(CredentialStore::File),
            Some(_) => return Err(wrong_variable("HOOPCTL_CREDENTIAL_STORE", &"expected keyring or file")),
            None => file.credential_store,
        };
        // A variable that names a CA replaces what the file says about trust as a whole, not a half of it.
        let variable_ca = environment.path("HOOPCTL_CA_FILE");
        let pin = if variable_ca.is_some() { None } else { of_profile.pin };
        Ok(Self {
            manner: Manner {
                output: output.or(file.output).unwrap_or_default(),
                quiet: global.quiet || file.quiet.unwrap_or(false),
                no_input: global.no_input || file.no_input.unwrap_or(false),
                colour: environment.text("NO_COLOR").is_none() && environment.text("TERM").as_deref() != Some("dumb"),
            },
            relay,
            issuer: of_profile.issuer,
            ca_file: variable_ca.or(of_profile.ca_file),
            pin,
            credential_store,
            workload: WorkloadSources::find(environment),
            log: environment.text("HOOPCTL_LOG"),
            runtime_dir: environment.path("XDG_RUNTIME_DIR").filter(|path| path.is_absolute()),
            temp_dir: environment.temp_dir(),
            machine: environment.machine(),
            application_name: environment.text("PGAPPNAME"),
            tls_variables: environment.names_that_begin_with("PGSSL"),
            browser_near: environment.browser_near(),
            program_path: environment.program_path(),
            notification: Notification::of(environment),
            profile,
            config_dir,
        })
    }

    /// The file that the settings came from.
    pub fn config_file(&self) -> PathBuf {
        self.config_dir.join("config.toml")
    }
}

fn config_dir(environment: &Environment) -> Result<PathBuf> {
    if let Some(directory) = environment.path("HOOPCTL_CONFIG_DIR") {
        return std::path::absolute(&directory)
            .map_err(|error| Error::io(format!("cannot use {}", directory.display()), &error));
    }
    let of_user = environment
        .path("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| environment.home().map(|home| home.join(".config")))
        .map(|base| base.join("hoopctl"));
    match of_user {
        // A container that is read-only has a home that nothing can be kept in.
        Some(directory) if !is_read_only(&directory) => Ok(directory),
        _ => homeless(environment),
    }
}

/// Whether a directory is missing, and cannot be made because the file system is read-only.
fn is_read_only(directory: &Path) -> bool {
    let there = directory.ancestors().find(|path| path.exists());
    there
        .filter(|there| *there != directory)
        .is_some_and(|there| rustix::fs::access(there, rustix::fs::Access::WRITE_OK) == Err(rustix::io::Errno::ROFS))
}

/// Where there is no home directory, as in many containers: a directory of ours alone among the temporary files. Others may write
/// beside it, so it is made or checked before anything in it is believed.
fn homeless(environment: &Environment) -> Result<PathBuf> {
    let directory = environment
        .temp_dir()
        .join(format!("hoopctl-{}", rustix::process::geteuid().as_raw()));
    if is_read_only(&directory) {
        // Nobody else can make it either. Logins then live in their commands.
        return Ok(directory);
    }
    private::make_directory(&directory)
        .map_err(|error| error.hint("set HOME, XDG_CONFIG_HOME or HOOPCTL_CONFIG_DIR to a directory of yours alone"))?;
    Ok(directory)
}

/// Checks that a profile's name can be a file's name.
fn check_profile(name: &str) -> Result<()> {
    let fits = (1..=MAX_PROFILE_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.ends_with(".relay")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if fits {
        return Ok(());
    }
    Err(Error::new(Code::Usage, format!("`{name}` cannot be a profile's name"))
        .hint("a name has 1 to 64 of A-Z a-z 0-9 . _ -, does not begin with a dot, and does not end in .relay"))
}

fn wrong_variable(name: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Configuration, problem.to_string())
        .doing(format!("the variable {name} has a wrong value"))
        .hint(format!("correct or unset {name}"))
}

/// Reads a file of settings or certificates that must not be larger than a person would write.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read_small(path: &Path, limit: u64) -> std::io::Result<String> {
    use std::io::Read;

    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if read as u64 > limit {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!("it has more than {limit} bytes"),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
