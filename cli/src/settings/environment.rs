//! The environment as this process was given it: read once, and by nothing else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::error::Result;
use crate::settings::wrong_variable;

/// Bytes of a machine's name that are passed on.
const MAX_MACHINE_NAME: usize = 253;

/// The variables of this process.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Reads this process's environment.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// A variable's value; an empty one is as good as none.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable's value as text. What is not Unicode becomes text that fits nothing, so that it is refused where it is read.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable's value as a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    /// A variable's value as one of a few words.
    ///
    /// # Errors
    /// It is another word.
    pub fn word<T: ValueEnum>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match T::from_str(&text, false) {
            Ok(word) => Ok(Some(word)),
            Err(_) => Err(wrong_variable(name, &format_args!("expected {expected}"))),
        }
    }

    /// The names of the variables that begin with a word.
    pub fn names_that_begin_with(&self, word: &str) -> Vec<OsString> {
        self.0
            .keys()
            .filter(|name| name.as_encoded_bytes().starts_with(word.as_bytes()))
            .cloned()
            .collect()
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").filter(|path| path.is_absolute())
    }

    /// The directory for temporary files.
    pub fn temp_dir(&self) -> PathBuf {
        self.path("TMPDIR")
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| PathBuf::from("/tmp"))
    }

    /// Whether a browser can be opened: the user names one, or there is a desktop.
    pub fn browser_near(&self) -> bool {
        let named = ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| self.value(name).is_some());
        // Without a desktop of its own a session over SSH would open a browser that nobody sees.
        named || (cfg!(not(all(unix, not(target_os = "macos")))) && self.value("SSH_CONNECTION").is_none())
    }

    /// This machine's name.
    pub fn machine(&self) -> String {
        let of_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = of_kernel
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .or_else(|| self.text("HOSTNAME"))
            .or_else(|| self.text("COMPUTERNAME"))
            .unwrap_or_else(|| "unknown".to_owned());
        name.chars()
            .filter(|c| !c.is_control())
            .take(MAX_MACHINE_NAME)
            .collect()
    }

    /// The directories of `PATH`.
    pub fn program_path(&self) -> Vec<PathBuf> {
        self.value("PATH")
            .map(|path| std::env::split_paths(path).collect())
            .unwrap_or_default()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
