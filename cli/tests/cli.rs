//! The command line as users see it: help texts and completions are kept in the repository and compared here.
//! `UPDATE=1 cargo test -p hoopctl --test cli` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::{CommandFactory, ValueEnum};
use hoopctl::args::Cli;
use hoopctl::command::completions::{Shell, script};

fn hoopctl(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_hoopctl"))
        .args(arguments)
        .env_clear()
        .env("HOOPCTL_CONFIG_DIR", home.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Compares a text with the file that keeps it, or writes that file.
fn compare(file: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == text,
        "{} is not up to date: run `UPDATE=1 cargo test -p hoopctl --test cli` and look at the difference",
        file.display()
    );
}

#[test]
fn the_completions_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
    let shells = Shell::value_variants();
    for shell in shells {
        compare(&directory.join(shell.file_name()), &script(*shell));
    }
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        shells.len(),
        "a file too many"
    );
}

/// Every command and subcommand, as the words that lead to it.
fn paths(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
    let mut found = vec![before.to_vec()];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let mut path = before.to_vec();
        path.push(sub.get_name().to_owned());
        found.extend(paths(sub, &path));
    }
    found
}

fn help_file(path: &[String]) -> PathBuf {
    let name = if path.is_empty() {
        "hoopctl".to_owned()
    } else {
        path.join("-")
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"))
}

#[test]
fn the_help_is_as_kept_and_every_command_has_an_example() {
    for path in paths(&Cli::command(), &[]) {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = hoopctl(&arguments, &[]);
        assert!(output.status.success(), "{path:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Example"), "the help of {path:?} has no example");
        assert!(!help.contains('\u{1b}'), "colour without a terminal");
        compare(&help_file(&path), &help);
    }
}

/// The words of an example, as a shell reads them.
fn words(example: &str) -> Vec<String> {
    let script = format!("hoopctl() {{ printf '%s\\0' \"$@\" >&3; }}\n{{ {example}; }} 3>&1 >/dev/null");
    let home = tempfile::tempdir().unwrap();
    for folder in [".local/share/bash-completion/completions", ".config/fish/completions"] {
        fs::create_dir_all(home.path().join(folder)).unwrap();
    }
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .env("HOME", home.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn every_example_is_a_command_line_that_is_understood() {
    let mut examples = 0;
    for path in paths(&Cli::command(), &[]) {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = String::from_utf8(hoopctl(&arguments, &[]).stdout).unwrap();
        let of_examples = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
        for example in of_examples.take_while(|line| line.starts_with("  ")).map(str::trim) {
            assert!(example.starts_with("hoopctl "), "{example}");
            let mut line = vec!["hoopctl".to_owned()];
            line.extend(words(example));
            assert!(line.len() > 1, "{example}");
            if let Err(error) = Cli::command().try_get_matches_from(&line) {
                panic!("{example}\n{error}");
            }
            examples += 1;
        }
    }
    assert!(examples > 25, "{examples}");
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_wrong_command_line_exits_with_2_also_in_json() {
    for arguments in [
        &["nonsense"][..],
        &["ls", "--nonsense"],
        &["connect"],
        &[],
        &["-o", "yaml", "ls"],
    ] {
        let output = hoopctl(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let output = hoopctl(&["-o", "json", "connect"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    let value: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(value["error"]["code"], "usage");
    assert!(value["error"]["message"].is_string() && value["error"]["hint"].is_string());
}

#[test]
fn without_a_login_every_command_says_what_to_do() {
    for (arguments, code) in [
        (&["whoami"][..], 4),
        (&["ls"], 4),
        (&["status"], 4),
        (&["connect", "db"], 4),
        (&["connect", "db", "--", "/bin/sh"], 244),
        (&["login"], 2),
        (&["logout"], 0),
    ] {
        let output = hoopctl(arguments, &[("HOOPCTL_OUTPUT", "json")]);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        if code != 0 {
            let text = String::from_utf8(output.stderr).unwrap();
            let value: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert!(
                value["error"]["hint"].as_str().unwrap().contains("hoopctl login"),
                "{text}"
            );
        }
    }
    let output = hoopctl(&["connect", "db", "--", "no-such-program-here"], &[]);
    assert_eq!(output.status.code(), Some(127));
    let output = hoopctl(&["whoami"], &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        text,
        "error: profile `default` is not logged in\n\nhint: log in with `hoopctl login`\n"
    );
}

#[test]
fn a_wrong_configuration_exits_with_3() {
    let output = hoopctl(&["ls"], &[("HOOPCTL_CREDENTIAL_STORE", "vault")]);
    assert_eq!(output.status.code(), Some(3));
    let output = hoopctl(&["ls"], &[("HOOPCTL_LOG", "a=b=c")]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_relay_that_is_not_there_exits_with_9() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = hoopctl(&["login", &free.to_string(), "--pin", &"ab".repeat(32)], &[]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(9), "{text}");
    assert!(text.contains("hint: "), "{text}");
}

#[test]
fn doctor_names_every_problem_with_its_fix() {
    let output = hoopctl(&["doctor", "-o", "json"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let checks: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        checks
            .iter()
            .any(|check| check["check"] == "credential" && check["ok"] == false)
    );
    for check in checks {
        assert!(check["detail"].is_string());
        assert_eq!(check["ok"] == false, check["fix"].is_string(), "{check}");
    }
}
