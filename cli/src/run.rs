//! From the command line to the exit code: parse, resolve the settings, run the command, print its error.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use hoop_shared::refusal::Code;
use tokio::runtime::{Builder, LocalOptions};
use tracing_subscriber::EnvFilter;

use crate::args::Cli;
use crate::command;
use crate::complete;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::printer::{Manner, Output, Printer};
use crate::settings::Settings;
use crate::settings::environment::Environment;

/// Runs `hoopctl` with these arguments; gives the exit code.
pub fn run(arguments: Vec<OsString>, environment: &Environment) -> u8 {
    if environment.value(complete::VARIABLE).is_some()
        && let Some(code) = complete::answer(&arguments)
    {
        return code;
    }
    // Until the settings are known, errors are printed as the arguments ask for.
    let early = Printer::new(Manner {
        output: asked_for(&arguments, environment),
        colour: environment.text("NO_COLOR").is_none(),
        ..Manner::default()
    });
    let cli = match Cli::command()
        .try_get_matches_from(&arguments)
        .and_then(|found| Cli::from_arg_matches(&found))
    {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, &early),
    };
    let settings = match Settings::resolve(&cli.global, environment) {
        Ok(settings) => settings,
        Err(error) => return finish(Err(error), &early),
    };
    let printer = Printer::new(settings.manner);
    if let Err(error) = log(settings.log.as_deref()) {
        return finish(Err(error), &printer);
    }
    let runtime = match Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(Error::io("cannot start", &error)), &printer),
    };
    let context = Context::new(settings, printer);
    let result = runtime.block_on(command::run(cli.command, &context));
    context.news.tell(&context.printer);
    // A thread that waits for the keyring or for a terminal must not keep the process.
    runtime.shutdown_background();
    finish(result, &printer)
}

fn finish(result: Result<u8>, printer: &Printer) -> u8 {
    match result {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.exit_code()
        }
    }
}

/// Prints help, the version, or what is wrong with the command line.
fn not_parsed(error: &clap::Error, printer: &Printer) -> u8 {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return u8::from(error.print().is_err());
    }
    if !printer.is_json() {
        // Nobody can be told that stderr is closed.
        let _ = error.print();
        return Code::Usage.exit_code();
    }
    let rendered = error.render().to_string();
    let message = rendered
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let message = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command is missing"
    } else {
        message
    };
    finish(
        Err(Error::new(Code::Usage, message).hint("see `hoopctl --help`")),
        printer,
    )
}

/// The output that the arguments ask for, as far as can be told when they are wrong.
fn asked_for(arguments: &[OsString], environment: &Environment) -> Output {
    let ours = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .take_while(|argument| argument != "--");
    let mut asked = environment.text("HOOPCTL_OUTPUT").map(|word| word == "json");
    let mut previous_names_it = false;
    for argument in ours {
        let value = if previous_names_it {
            Some(argument.as_ref())
        } else {
            argument
                .strip_prefix("--output=")
                .or_else(|| argument.strip_prefix("-o"))
                .filter(|rest| !rest.is_empty())
        };
        if let Some(value) = value {
            asked = Some(matches!(value.trim_start_matches('='), "json" | "jsonl"));
        }
        previous_names_it = argument == "-o" || argument == "--output";
    }
    if asked == Some(true) {
        Output::Json
    } else {
        Output::Text
    }
}

fn log(filter: Option<&str>) -> Result<()> {
    let Some(filter) = filter else {
        return Ok(());
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::new(Code::Configuration, error.to_string())
            .doing("the variable HOOPCTL_LOG has a wrong value")
            .hint("try HOOPCTL_LOG=debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Output {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        asked_for(&arguments, &Environment::default())
    }

    #[test]
    fn json_is_seen_before_the_command_line_is_understood() {
        for arguments in [
            ["x", "-o", "json"],
            ["x", "--output", "json"],
            ["-ojson", "x", "y"],
            ["--output=json", "x", "y"],
        ] {
            assert_eq!(asked(&arguments), Output::Json, "{arguments:?}");
        }
        for arguments in [["x", "-o", "text"], ["x", "--", "-ojson"], ["x", "json", "-o"]] {
            assert_eq!(asked(&arguments), Output::Text, "{arguments:?}");
        }
    }

    #[test]
    fn a_flag_beats_the_variable() {
        let environment = Environment::from_iter([("HOOPCTL_OUTPUT", "json")]);
        assert_eq!(asked_for(&["x".into()], &environment), Output::Json);
        assert_eq!(asked_for(&["x".into(), "-otext".into()], &environment), Output::Text);
    }
}
