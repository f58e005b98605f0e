//! The commands of `hoop-relay`, one file each. The arguments' comments are the help.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Problem, Severity, render};
use crate::server::ServeError;

mod check;
mod dev;
mod man_pages;
mod policy;
mod serve;
mod users;

/// The layer-7 access gateway: reads, decides, masks and records what passes to databases.
#[derive(Debug, Parser)]
#[command(name = "hoop-relay", version, propagate_version = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Policy(policy::Policy),
    Users(users::Users),
    Dev(dev::Dev),
    #[command(hide = true)]
    ManPages(man_pages::ManPages),
}

/// How a command's data is written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// A file is wrong. Exit code 3.
    Configuration(Vec<Problem>),
    /// An argument does not fit the configuration. Exit code 2.
    Usage(String, Option<String>),
    /// It did not work. Exit code 1.
    Failed(String),
    /// What was asked was found wanting, and said so already. Exit code 1.
    Found,
    /// A file is wrong, and said so already. Exit code 3.
    Wrong,
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Configuration(problems) => Self::Configuration(problems),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Failure {
    fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(message.into(), Some(hint.into()))
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Found => 1,
            Self::Usage(..) => 2,
            Self::Configuration(_) | Self::Wrong => 3,
        }
    }
}

/// Reads the arguments, runs the command, shows its error and gives its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Check(check) => check.run(),
        Command::Policy(policy) => policy.run(),
        Command::Users(users) => users.run(),
        Command::Dev(dev) => dev.run(),
        Command::ManPages(man_pages) => man_pages.run(),
    };
    let Err(failure) = result else { return ExitCode::SUCCESS };
    match &failure {
        Failure::Configuration(problems) => show(problems),
        Failure::Usage(message, hint) => {
            say(&format!("error: {}", escape(message)));
            if let Some(hint) = hint {
                say(&format!("\nhint: {}", escape(hint)));
            }
        }
        Failure::Failed(message) => say(&format!("error: {}", escape(message))),
        Failure::Found | Failure::Wrong => {}
    }
    ExitCode::from(failure.exit_code())
}

/// Draws problems on standard error, and counts them.
fn show(problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    say(&render(problems, colour));
    let count = |severity| problems.iter().filter(|problem| problem.severity() == severity).count();
    say(&format!(
        "\n{}",
        counted(count(Severity::Error), count(Severity::Warning))
    ));
}

fn counted(errors: usize, warnings: usize) -> String {
    let number = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (errors, 0) => number(errors, "error"),
        (0, warnings) => number(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", number(errors, "error"), number(warnings, "warning")),
    }
}

/// Writes a line to standard error. Nobody may be there to read it.
fn say(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Writes a line of data to standard output.
fn print(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::Failed(format!("standard output: {error}"))),
    }
}

/// Text from others, for a terminal: control characters and those that turn or hide text are spelled out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let hides = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}');
        match character {
            '\n' => out.push('\n'),
            character if character.is_control() || hides => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        let mut open: Vec<_> = command.get_subcommands().collect();
        while let Some(one) = open.pop() {
            if one.get_name() == "help" {
                continue;
            }
            assert!(one.get_about().is_some(), "{} has no help", one.get_name());
            let inner: Vec<_> = one.get_subcommands().collect();
            if inner.is_empty() {
                let after = one.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.contains("hoop-relay "), "{} has no example", one.get_name());
            }
            open.extend(inner);
        }
    }

    #[test]
    fn each_failure_has_the_exit_code_of_the_interface() {
        assert_eq!(Failure::Failed(String::new()).exit_code(), 1);
        assert_eq!(Failure::Found.exit_code(), 1);
        assert_eq!(Failure::usage("", "").exit_code(), 2);
        assert_eq!(Failure::Configuration(Vec::new()).exit_code(), 3);
    }

    #[test]
    fn text_of_others_cannot_steer_a_terminal() {
        assert_eq!(escape("a\u{1b}[2J\r\u{202e}b\nc"), "a\\u{1b}[2J\\u{d}\\u{202e}b\nc");
    }

    #[test]
    fn problems_are_counted_in_words() {
        assert_eq!(counted(1, 0), "1 error");
        assert_eq!(counted(2, 1), "2 errors, 1 warning");
        assert_eq!(counted(0, 3), "3 warnings");
    }
}
