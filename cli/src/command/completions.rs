//! `hoopctl completions`

use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use crate::complete;
use crate::context::Context;
use crate::error::Result;

/// Print the completions for a shell
///
/// They offer commands and options, and names that your relay knows: connections, requests, sessions. Without a login, or where the relay
/// does not answer at once, only the former.
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

/// The script for a shell. It asks `hoopctl` itself, so that it fits whatever version is installed, and knows names at the relay.
pub fn script(shell: Shell) -> String {
    let name = match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Elvish => "elvish",
    };
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(name) {
        // Writing to memory does not fail.
        let _ = completer.write_registration(complete::VARIABLE, "hoopctl", "hoopctl", "hoopctl", &mut script);
    }
    let mut script = String::from_utf8_lossy(&script).trim_start().to_owned();
    if shell == Shell::Zsh {
        // Loaded by its name on the first TAB, the file is the function that must answer.
        script.push_str(
            "\nif [ \"$funcstack[1]\" = \"_hoopctl\" ]; then\n    _clap_dynamic_completer_hoopctl \"$@\"\nfi\n",
        );
    }
    script
}
