//! What the shell's TAB key offers: commands and options from the command line's own description, and names that only the relay knows.
//!
//! A shell's script (`hoopctl completions SHELL`) calls `hoopctl` with [`VARIABLE`] set and the words so far. Whatever goes wrong, nothing is
//! offered and nothing is said: the person is typing. What a relay names is offered only where it cannot mean anything else to a shell.

use std::ffi::OsString;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use hoop_shared::api::{ConnectionListed, Request, SessionSummary};
use tokio::runtime::{Builder, LocalOptions};

use crate::approve::detail;
use crate::args::{Cli, Global};
use crate::command::requests::shortened;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::printer::{Manner, Printer, escape};
use crate::relay_api::RelayApi;
use crate::settings::Settings;
use crate::settings::environment::Environment;

/// The variable that asks for completions; its value is the shell.
pub const VARIABLE: &str = "HOOPCTL_COMPLETE";

/// How long a person waits for what the relay knows.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How many requests or sessions are offered.
const MOST: usize = 100;
/// Characters of a description.
const LONGEST_HELP: usize = 60;

/// Answers a shell, where it is a shell that asks; gives the exit code then.
pub fn answer(arguments: &[OsString]) -> Option<u8> {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .try_complete(arguments.to_vec(), here.as_deref());
    match asked {
        Ok(false) => None,
        Ok(true) => Some(0),
        Err(_) => Some(1),
    }
}

/// Connections that may be used.
pub fn connections() -> Vec<CompletionCandidate> {
    let listed = ask(async |relay| relay.get::<Vec<ConnectionListed>>("/v1/connections").await);
    let listed = listed.into_iter().flatten();
    listed
        .filter_map(|connection| candidate(&connection.name, &connection.asks.join(", ")))
        .collect()
}

/// Tags of connections that may be used.
pub fn tags() -> Vec<CompletionCandidate> {
    let listed = ask(async |relay| relay.get::<Vec<ConnectionListed>>("/v1/connections").await);
    let mut tags: Vec<String> = listed
        .into_iter()
        .flatten()
        .flat_map(|connection| connection.tags)
        .collect();
    tags.sort();
    tags.dedup();
    tags.iter().filter_map(|tag| candidate(tag, "")).collect()
}

/// Requests that one may see, the newest first.
pub fn requests() -> Vec<CompletionCandidate> {
    listed_requests(&format!("/v1/requests?limit={MOST}"), |_, _| true)
}

/// Requests that wait for one's decision, the newest first.
pub fn undecided() -> Vec<CompletionCandidate> {
    let path = format!("/v1/requests?status=pending&limit={MOST}");
    listed_requests(&path, |request, me| request.principal != me)
}

/// Requests of one's own that wait, the newest first.
pub fn own_requests() -> Vec<CompletionCandidate> {
    let path = format!("/v1/requests?status=pending&limit={MOST}");
    listed_requests(&path, |request, me| request.principal == me)
}

fn listed_requests(path: &str, wanted: impl Fn(&Request, &str) -> bool) -> Vec<CompletionCandidate> {
    let Some(context) = context() else { return Vec::new() };
    let me = context.credentials().record(&context.settings.profile).ok().flatten();
    let me = me.map(|record| record.whoami.principal).unwrap_or_default();
    let listed = ask(async |relay| relay.get::<Vec<Request>>(path).await);
    let shown = listed.into_iter().flatten().filter(|request| wanted(request, &me));
    shown
        .filter_map(|request| {
            let status = detail::word(request.status);
            let help = format!(
                "{status}, {} on {}: {}",
                request.principal,
                request.connection,
                shortened(&request.statement)
            );
            candidate(request.id.as_str(), &help)
        })
        .collect()
}

/// Recorded sessions that one may see, the newest first.
pub fn sessions() -> Vec<CompletionCandidate> {
    listed_sessions(|_| true)
}

/// Those of them that have not ended.
pub fn running_sessions() -> Vec<CompletionCandidate> {
    listed_sessions(|session| session.ended.is_none())
}

fn listed_sessions(wanted: impl Fn(&SessionSummary) -> bool) -> Vec<CompletionCandidate> {
    let path = format!("/v1/sessions?limit={MOST}");
    let listed = ask(async |relay| relay.get::<Vec<SessionSummary>>(&path).await);
    let listed = listed.into_iter().flatten();
    listed
        .filter(|session| wanted(session))
        .filter_map(|session| {
            let state = if session.ended.is_some() { "ended" } else { "running" };
            let help = format!("{state}, {} on {}", session.principal, session.connection);
            candidate(session.id.as_str(), &help)
        })
        .collect()
}

/// Profiles that have a login on this machine.
pub fn profiles() -> Vec<CompletionCandidate> {
    let profiles = context().map(|context| context.credentials().profiles());
    let profiles = profiles.into_iter().flatten();
    profiles.filter_map(|profile| candidate(&profile, "")).collect()
}

/// Asks the relay of the profile that the words name; `None` where it does not answer at once, or nobody is logged in.
fn ask<T>(question: impl AsyncFnOnce(RelayApi) -> Result<T>) -> Option<T> {
    let context = context()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .ok()?;
    let answer = runtime.block_on(async {
        let asked = async {
            // Not by `Context::login`, which has things to say: whoever types must not be disturbed.
            let login = context.credentials().load(&context.settings.profile).await?;
            let login = login.ok_or_else(|| Error::login_needed("nobody is logged in"))?;
            question(RelayApi::of(&login, &context.news)?).await
        };
        tokio::time::timeout(PATIENCE, asked).await
    });
    // A keyring that does not answer must not keep the shell.
    runtime.shutdown_background();
    answer.ok()?.ok()
}

fn context() -> Option<Context> {
    let global = Global {
        profile: profile(std::env::args_os()),
        ..Global::default()
    };
    let settings = Settings::resolve(&global, &Environment::of_process()).ok()?;
    let printer = Printer::new(Manner {
        quiet: true,
        no_input: true,
        ..Manner::default()
    });
    Some(Context::new(settings, printer))
}

/// The profile that the words so far name.
fn profile(words: impl Iterator<Item = OsString>) -> Option<String> {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    // The shell's script puts `--` before the words.
    let line = words
        .iter()
        .skip_while(|word| *word != "--")
        .skip(1)
        .take_while(|word| *word != "--");
    let mut named = None;
    let mut previous_names_it = false;
    for word in line {
        if previous_names_it {
            named = Some(word.clone());
        } else if let Some(value) = word.strip_prefix("--profile=") {
            named = Some(value.to_owned());
        }
        previous_names_it = word == "--profile";
    }
    named
}

/// A name with its description, where the name is nothing but a name to any shell.
fn candidate(value: &str, help: &str) -> Option<CompletionCandidate> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:@/+-".contains(c);
    if value.is_empty() || value.starts_with('-') || !value.chars().all(is_plain) {
        return None;
    }
    let help: String = escape::line(help).chars().take(LONGEST_HELP).collect();
    Some(CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every argument below a command, with the words that lead to it.
    fn arguments(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Arg)>) {
        let words = format!("{words} {}", command.get_name());
        let own = command.get_arguments().filter(|argument| !argument.is_hide_set());
        found.extend(own.map(|argument| (words.clone(), argument.clone())));
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            arguments(inner, &words, found);
        }
    }

    #[test]
    fn every_name_that_only_the_relay_knows_is_offered() {
        let mut all = Vec::new();
        arguments(&Cli::command(), "", &mut all);
        let mut asked = 0;
        for (command, argument) in all {
            let id = argument.get_id().as_str();
            // `name` is a connection's, `id` a session's or request's; what else takes an ID says so.
            let takes_id = argument
                .get_value_names()
                .is_some_and(|names| names.iter().any(|name| name == "ID"));
            if matches!(id, "name" | "id" | "connection" | "session" | "request") || takes_id {
                asked += 1;
                assert!(
                    argument.get::<clap_complete::engine::ArgValueCandidates>().is_some(),
                    "{command} {id}"
                );
            }
        }
        assert!(asked >= 12, "{asked}");
    }

    #[test]
    fn a_name_that_a_shell_could_read_as_more_is_not_offered() {
        for name in ["db-prod", "env:prod", "r-0123456789ab", "ana@example.com", "a/b.c_d+e"] {
            assert!(candidate(name, "x").is_some(), "{name}");
        }
        for name in [
            "",
            "-rf",
            "$(reboot)",
            "a b",
            "a;b",
            "`x`",
            "a\nb",
            "a\u{b}b",
            "é",
            "a|b",
            "a*",
        ] {
            assert!(candidate(name, "x").is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_description_is_one_short_escaped_line() {
        let described = candidate("db", &format!("a\u{1b}[2J\n{}", "x".repeat(100)));
        let help = described
            .and_then(|candidate| candidate.get_help().map(ToString::to_string))
            .unwrap_or_default();
        assert!(
            help.starts_with("a\\x1b[2J\\nxxx") && help.chars().count() == LONGEST_HELP,
            "{help:?}"
        );
    }

    #[test]
    fn the_profile_is_that_of_the_words() {
        let named = |words: &[&str]| profile(words.iter().map(OsString::from));
        assert_eq!(
            named(&["hoopctl", "--", "hoopctl", "--profile", "work", "connect", ""]).as_deref(),
            Some("work")
        );
        assert_eq!(
            named(&["hoopctl", "--", "hoopctl", "--profile=work", "ls"]).as_deref(),
            Some("work")
        );
        assert_eq!(
            named(&["hoopctl", "--", "hoopctl", "connect", "x", "--", "--profile", "no"]),
            None
        );
    }
}
