//! The examples in the help do what they say: each is taken out of the help and run by a shell, against a relay where its names exist.

use std::process::Command;

use hoop_tests::{Cluster, Connected, Person, Running, World, program, run};

/// Everything may be done; another person decides about DELETE.
const POLICY: &str = r#"
@id("all") permit (principal, action, resource);
@id("deletes") @approvers("dba, engineers") permit (principal, action == Hoop::Action::"sql:delete", resource);
"#;

const DELETE: &str = "DELETE FROM orders WHERE id = 7;\n";

/// Examples that run until they are interrupted.
const STAY: &[&str] = &["--listen", "--watch"];

/// Examples that are not run here, and why. That they parse is checked where the command line is.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "hoopctl login",
        "a person must act at the provider, or a platform must give a token: other tests do both",
    ),
    (
        "hoopctl approve --plain",
        "it needs a terminal: other tests give it one",
    ),
    ("hoopctl approve", "it needs a terminal: other tests give it one"),
];

/// Every command with the lines of its examples.
fn examples(words: &[String], found: &mut Vec<String>) {
    let help = run(Command::new(program("hoopctl"))
        .args(words)
        .arg("--help")
        .env("HOME", "/nonexistent"))
    .expect_code(0)
    .stdout;
    let mut section = "";
    let mut subcommands = Vec::new();
    for line in help.lines() {
        if !line.starts_with(' ') {
            section = line;
        } else if section.starts_with("Example") && line.trim_start().starts_with("hoopctl ") {
            found.push(line.trim().to_owned());
        } else if section == "Commands:" && line.starts_with("  ") && !line.starts_with("   ") {
            subcommands.extend(line.split_whitespace().next().map(str::to_owned));
        }
    }
    for name in subcommands.into_iter().filter(|name| name != "help") {
        examples(&[words, &[name]].concat(), found);
    }
}

fn why_not_run(example: &str) -> Option<&'static str> {
    let is = |prefix: &str| match prefix {
        "hoopctl approve" => example == prefix,
        prefix => example.starts_with(prefix),
    };
    NOT_RUN.iter().find(|(prefix, _)| is(prefix)).map(|(_, why)| *why)
}

/// Runs a line in bash, as this person.
fn shell(person: &Person<'_>, line: &str) -> hoop_tests::Finished {
    let mut bash = Command::new("bash");
    let programs = Cluster::get().program("psql").parent().unwrap().display().to_string();
    let ours = program("hoopctl").parent().unwrap().display().to_string();
    let path = format!("{ours}:{programs}:{}", std::env::var("PATH").unwrap_or_default());
    for (name, value) in person.command(&[]).get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    run(bash
        .args(["--norc", "-c", line])
        .env("PATH", path)
        .current_dir(person.home()))
}

/// What the names of the examples stand for.
struct Names {
    sealed: String,
    pending: Vec<Running>,
}

/// Holds one more DELETE of this person's; gives its request.
fn held(by: &Person<'_>, names: &mut Names) -> String {
    let known = |person: &Person<'_>| {
        let listed = person
            .hoopctl(&["requests", "ls", "--status", "pending", "-o", "json"])
            .expect_code(0)
            .json();
        let ids = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|request| request["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let before = known(by);
    names.pending.push(by.psql_start(DELETE));
    hoop_tests::eventually("one more request", || {
        known(by).into_iter().find(|id| !before.contains(id))
    })
}

fn decided(by: &Person<'_>, approver: &Person<'_>, names: &mut Names) -> String {
    let id = held(by, names);
    approver.hoopctl(&["approve", &id]).expect_code(0);
    id
}

#[test]
fn every_example_of_the_help_does_what_it_says() {
    let world = World::new().policy(POLICY).start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    for folder in [
        ".local/share/bash-completion/completions",
        ".config/fish/completions",
        ".local/share/man/man1",
    ] {
        std::fs::create_dir_all(bo.home().join(folder)).unwrap();
    }
    std::fs::write(bo.home().join("migration.sql"), "SELECT count(*) FROM orders;\n").unwrap();
    bo.psql("SELECT 1").expect_code(0);
    let sessions = bo.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
    let mut names = Names {
        sealed: sessions[0]["id"].as_str().unwrap().to_owned(),
        pending: Vec::new(),
    };
    let mut all = Vec::new();
    examples(&[], &mut all);
    all.sort();
    all.dedup();
    assert!(all.len() > 20, "{all:?}");
    let mut open: Vec<Connected> = Vec::new();
    for example in &all {
        if let Some(why) = why_not_run(example) {
            println!("not run: {example}: {why}");
            continue;
        }
        let mut line = example
            .replace("| less", "| cat")
            .replace("127.0.0.1:6432", "127.0.0.1:0");
        // Whoever leaves is somebody else each time.
        let leaver = example.contains("logout").then(|| world.person("agent"));
        let mut who = leaver.as_ref().unwrap_or(&bo);
        if line.contains("r-0123456789ab") {
            let id = if line.contains("requests wait") {
                decided(&bo, &ana, &mut names)
            } else if line.contains("requests cancel") {
                who = &ana;
                held(&ana, &mut names)
            } else {
                held(&ana, &mut names)
            };
            line = line.replace("r-0123456789ab", &id);
        }
        if line.contains("s-0123456789ab") {
            let session = if line.contains("sessions kill") {
                open.push(bo.connect(&[]));
                open.last().unwrap().text("session")
            } else {
                names.sealed.clone()
            };
            line = line.replace("s-0123456789ab", &session);
        }
        let stays = STAY.iter().any(|word| line.contains(word));
        if stays {
            line = format!("timeout -s INT 3 {line}");
        }
        let done = shell(who, &line);
        let expected: &[i32] = if stays {
            &[0, 124, 130]
        } else if line.contains("--no-wait") {
            &[6]
        } else {
            &[0]
        };
        assert!(
            expected.contains(&done.code),
            "{example}\n{line}\ncode {}\n{}\n{}",
            done.code,
            done.stdout,
            done.stderr
        );
        let fails = expected == [6];
        assert_eq!(done.stderr.contains("error:"), fails, "{example}\n{}", done.stderr);
    }
}
