//! `hoop-relay man-pages`

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Arguments, Failure};

/// Write a manual page for each command into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoop-relay man-pages ~/.local/share/man/man1")]
pub(super) struct ManPages {
    /// The folder; it is made where it is missing
    folder: PathBuf,
}

impl ManPages {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Arguments::command(), &self.folder).map_err(failed)
    }
}
