//! `hoopctl man-pages`

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::args::Cli;
use crate::context::Context;
use crate::error::{Error, Result};

/// Write a manual page for each command into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl man-pages ~/.local/share/man/man1")]
pub struct ManPagesArgs {
    /// The folder; it is made where it is missing
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The folder cannot be written.
pub fn run(arguments: &ManPagesArgs, context: &Context) -> Result<u8> {
    let folder = &arguments.folder;
    let failed = |error: std::io::Error| Error::io(format!("cannot write to {}", folder.display()), &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    context
        .printer
        .say(format_args!("wrote the manual pages to {}", folder.display()));
    Ok(0)
}
