//! The examples in the help of `hoop-relay` do what they say: each is taken out of the help and run by a shell, in a folder where its
//! names exist.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hoop_tests::{Cluster, PASSWORD, ROLE, Running, World, program, run};

/// Commands that run until they are ended.
const STAY: &[&str] = &["hoop-relay serve", "hoop-relay dev"];

/// What the help of a command has: its examples with their continued lines, and all of its text.
fn examples(words: &[String], found: &mut Vec<String>, texts: &mut String) {
    let help = run(Command::new(program("hoop-relay")).args(words).arg("--help"))
        .expect_code(0)
        .stdout;
    let (mut section, mut continued) = ("", false);
    let mut subcommands = Vec::new();
    for line in help.lines() {
        let text = line.trim();
        if !line.starts_with(' ') {
            section = line;
        } else if section.starts_with("Example") && (continued || text.starts_with("hoop-relay ")) {
            let (text, goes_on) = text.strip_suffix('\\').map_or((text, false), |text| (text, true));
            match found.last_mut().filter(|_| continued) {
                Some(last) => last.push_str(text),
                None => found.push(text.to_owned()),
            }
            continued = goes_on;
        } else if section == "Commands:" && line.starts_with("  ") && !line.starts_with("   ") {
            subcommands.extend(text.split_whitespace().next().map(str::to_owned));
        }
    }
    texts.push_str(&help);
    for name in subcommands.into_iter().filter(|name| name != "help") {
        examples(&[words, &[name]].concat(), found, texts);
    }
}

/// A configuration for `serve` with the names of the examples.
fn config(world: &World, data: &Path) -> String {
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[storage]\ndata_dir = \"{}\"\n[policy]\nfiles = [\"policies/*.cedar\"]\n\
         [[identity_provider]]\nname = \"idp\"\nissuer = \"{}\"\nclient_id = \"hoopctl\"\n\
         [[connection]]\nname = \"db-prod\"\nprotocol = \"postgres\"\ntags = [\"env:demo\"]\naddress = \"127.0.0.1:{}\"\n\
         database = \"{}\"\nuser = \"{ROLE}\"\npassword = {{ env = \"TEST_DB_PASSWORD\" }}\ntls = \"disable\"\n",
        data.display(),
        world.issuer,
        Cluster::get().port(),
        world.database.name,
    )
}

/// A line for bash, in this folder.
fn shell(folder: &Path, line: &str) -> Command {
    let ours = program("hoop-relay").parent().unwrap().display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", line])
        .current_dir(folder)
        .env("PATH", format!("{ours}:{}", std::env::var("PATH").unwrap_or_default()))
        .env("HOME", folder)
        .env("TEST_DB_PASSWORD", PASSWORD);
    bash
}

#[test]
fn every_example_of_the_relays_help_does_what_it_says() {
    let world = World::start();
    let ana = world.person("ana");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["policies", "served", ".local/share/man/man1"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    std::fs::write(at("policies/demo.cedar"), hoop_tests::POLICY).unwrap();
    std::fs::write(at("relay.toml"), config(&world, &world.data())).unwrap();
    std::fs::write(at("served.toml"), config(&world, &at("served"))).unwrap();
    let (mut all, mut help) = (Vec::new(), String::new());
    examples(&[], &mut all, &mut help);
    // The cases are those of the help, too.
    let cases = help
        .split("A file of cases:\n")
        .nth(1)
        .unwrap()
        .split("Example:")
        .next()
        .unwrap();
    std::fs::write(at("policies/cases.toml"), cases).unwrap();
    all.sort();
    all.dedup();
    assert!(all.len() >= 9, "{all:?}");
    for example in &all {
        let stays = STAY.iter().any(|start| example.starts_with(start));
        let config = at(if stays { "served.toml" } else { "relay.toml" });
        let line = example
            .replace("/etc/hoop/relay.toml", &config.display().to_string())
            .replace("ana@example.com", "ana");
        if stays {
            let line = format!("exec {line} --listen 127.0.0.1:0");
            let mut bash = shell(folder.path(), &line);
            let child = bash
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut running = Running::new(child.unwrap());
            let mut ready = String::new();
            BufReader::new(running.child().stdout.take().unwrap())
                .read_line(&mut ready)
                .unwrap();
            running.signal("TERM");
            let done = running.finish().expect_code(0);
            let ready: serde_json::Value =
                serde_json::from_str(&ready).unwrap_or_else(|_| panic!("{example}: {ready}\n{}", done.stderr));
            assert!(ready["relay"].is_string() && ready["pin"].is_string(), "{ready}");
            continue;
        }
        let done = run(&mut shell(folder.path(), &line));
        assert_eq!(done.code, 0, "{example}\n{line}\n{}\n{}", done.stdout, done.stderr);
        assert!(!done.stderr.contains("error"), "{example}\n{}", done.stderr);
        assert_eq!(
            done.stdout.is_empty(),
            example.contains("man-pages"),
            "{example}\n{}\n{}",
            done.stdout,
            done.stderr
        );
    }
    // What was revoked is.
    hoop_tests::eventually("the login is revoked", || {
        (ana.hoopctl(&["ls"]).code == 4).then_some(())
    });
}
