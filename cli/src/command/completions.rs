//! `hoopctl completions`

use clap::{Args, CommandFactory, ValueEnum};

use crate::args::Cli;
use crate::context::Context;
use crate::error::Result;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl completions bash > ~/.local/share/bash-completion/completions/hoopctl
  hoopctl completions fish > ~/.config/fish/completions/hoopctl.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Friendly interactive shell
    Fish,
    /// PowerShell
    Powershell,
    /// Elvish
    Elvish,
}

impl Shell {
    /// The name under which this shell looks for the file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Bash => "hoopctl.bash",
            Self::Zsh => "_hoopctl",
            Self::Fish => "hoopctl.fish",
            Self::Powershell => "_hoopctl.ps1",
            Self::Elvish => "hoopctl.elv",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Stdout cannot be written.
pub fn run(arguments: &CompletionsArgs, context: &Context) -> Result<u8> {
    context.printer.text(script(arguments.shell))?;
    Ok(0)
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
        Shell::Elvish => clap_complete::Shell::Elvish,
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut Cli::command(), "hoopctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
