//! Every session can be replayed; what is stored is what was shown, and any change to it is found.

use std::path::{Path, PathBuf};

use hoop_tests::{Cluster, World, eventually};

const MASKS: &str = "[[mask]]\ncolumns = [\"customers.ssn\"]\nwith = \"redact\"\n";

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()))
        } else {
            found.push(entry.path())
        }
    }
    found
}

#[test]
fn a_session_is_listed_shown_replayed_and_verified() {
    let world = World::new().config(MASKS).start();
    let ana = world.person("ana");
    ana.psql_script("SELECT id, ssn FROM customers WHERE id = 5;\nDROP TABLE orders;\n");
    let listed = eventually("the session is sealed", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        (listed[0]["sealed"] == true).then_some(listed)
    });
    let session = &listed[0];
    assert_eq!(session["connection"], "db-prod");
    assert_eq!(session["principal"], "ana");
    assert_eq!(session["reason"], "test");
    assert_eq!(session["operations"], 2, "{session}");
    assert_eq!(session["blocked"], 1);
    assert_eq!(session["masked"], 1);
    let id = session["id"].as_str().unwrap();
    let shown = ana
        .hoopctl(&["sessions", "show", id, "-o", "json"])
        .expect_code(0)
        .json();
    let decisions: Vec<&str> = shown["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["decision"].as_str())
        .collect();
    assert_eq!(decisions, ["allow", "block"], "{shown:#}");
    let replay = ana.hoopctl(&["sessions", "replay", id]).expect_code(0);
    assert!(
        replay.stdout.contains("SELECT id, ssn FROM customers") && replay.stdout.contains("DROP TABLE orders"),
        "{}",
        replay.stdout
    );
    assert!(!replay.stdout.contains("105-15-1035"));
    let verified = ana
        .hoopctl(&["sessions", "verify", id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn no_raw_value_and_no_credential_is_in_any_file_of_the_relay() {
    let world = World::new().config(MASKS).start();
    let ana = world.person("ana");
    ana.psql_script(
        "SELECT * FROM customers;\nCOPY customers TO STDOUT;\nSELECT ssn::int FROM customers WHERE id = 5;\n",
    );
    for file in files(&world.data())
        .into_iter()
        .chain([world.folder().join("relay.log")])
    {
        let bytes = std::fs::read(&file).unwrap();
        for secret in ["105-15-1035", "t0p-secret-of-the-target"] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{} holds {secret}",
                file.display()
            );
        }
    }
}

#[test]
fn every_file_of_the_relay_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start();
    world.person("ana").psql("SELECT 1").expect_code(0);
    let recordings = files(&world.data().join("recordings"));
    assert!(!recordings.is_empty());
    for file in recordings {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
    }
}

#[test]
fn an_altered_recording_is_found() {
    let world = World::start();
    let ana = world.person("ana");
    ana.psql("SELECT 'something to record'").expect_code(0);
    let id = eventually("the session is sealed", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        (listed[0]["sealed"] == true).then(|| listed[0]["id"].as_str().unwrap().to_owned())
    });
    let file = files(&world.data().join("recordings"))
        .into_iter()
        .find(|file| file.display().to_string().contains(&id) && file.display().to_string().contains("events"))
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verified = ana.hoopctl(&["sessions", "verify", &id, "-o", "json"]);
    assert_eq!(verified.code, 1, "{}", verified.stderr);
    assert_eq!(verified.json()["ok"], false);
}

#[test]
fn after_kill_9_everything_that_was_released_is_in_the_recording() {
    let mut world = World::start();
    let id = {
        let ana = world.person("ana");
        let script: String = (0..200)
            .map(|n| format!("SELECT {n} AS marker_released_{n};\n"))
            .chain(["SELECT pg_sleep(30);\n".to_owned()])
            .collect();
        let psql = ana.psql_start(&script);
        eventually("some statements have run", || {
            (Cluster::get().executions(&world.database, "marker_released_") >= 100).then_some(())
        });
        let id = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        drop(psql);
        id
    };
    let database = world.database.clone();
    world.kill_and_restart();
    let ana = world.person("ana");
    let shown = ana.hoopctl(&["sessions", "show", &id, "-o", "json"]).expect_code(0);
    let log = Cluster::get().log();
    let released: Vec<String> = log
        .lines()
        .filter(|line| line.starts_with(&format!("{}|", database.name)))
        .filter_map(|line| {
            line.split_once("AS ")
                .map(|(_, name)| name.trim_end_matches(';').to_owned())
        })
        .filter(|name| name.starts_with("marker_released_"))
        .collect();
    assert!(released.len() >= 100);
    for name in released {
        assert!(
            shown.stdout.contains(&format!("{name};")) || shown.stdout.contains(&format!("{name}\"")),
            "{name} was released and is not recorded"
        );
    }
    let verified = ana
        .hoopctl(&["sessions", "verify", &id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn a_session_whose_recording_is_full_ends_and_says_so() {
    let world = World::new().config("[limits]\nrecording_bytes = \"1MiB\"\n").start();
    let ana = world.person("ana");
    ana.psql("SELECT repeat('x', 1000) FROM generate_series(1, 500)")
        .expect_code(0);
    let done = ana.psql("SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
    assert_ne!(done.code, 0);
    assert!(
        done.stderr.contains("1048576 bytes") && done.stderr.contains("recording_bytes"),
        "{}",
        done.stderr
    );
    let listed = eventually("the session has ended", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        listed[0]["ended"].is_string().then_some(listed)
    });
    let id = listed[0]["id"].as_str().unwrap();
    let verified = ana
        .hoopctl(&["sessions", "verify", id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(verified["ok"], true, "{verified}");
}
