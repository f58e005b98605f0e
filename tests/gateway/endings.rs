//! How sessions end, each way with its own words in the client's protocol, its own exit code, and nothing left at the target.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hoop_tests::{Cluster, Finished, POLICY, Person, Running, World, eventually, program};

/// Starts a query that would run for long, and waits until the target runs it.
fn running(world: &World, person: &Person<'_>) -> Running {
    let mut psql = person.psql_command(&["-qAt", "-c", "SELECT pg_sleep(100) /* marker_long */"]);
    let psql = psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let psql = Running::new(psql.spawn().unwrap());
    eventually("the query runs", || {
        (Cluster::get().executions(&world.database, "marker_long") == 1).then_some(())
    });
    psql
}

/// The end of such a query: psql shows FATAL with these words, hoopctl says them too, and the target runs nothing any more.
#[track_caller]
fn ended(world: &World, psql: Running, code: i32, words: &str) -> Finished {
    let done = psql.finish();
    assert_eq!(done.code, code, "{}", done.stderr);
    let fatal: Vec<&str> = done
        .stderr
        .lines()
        .filter(|line| line.starts_with("FATAL:  "))
        .collect();
    assert!(
        fatal.iter().any(|line| line.contains(words)),
        "psql was not told `{words}`:\n{}",
        done.stderr
    );
    let said: Vec<&str> = done
        .stderr
        .lines()
        .filter(|line| !line.starts_with("FATAL:  "))
        .collect();
    assert!(
        said.join("\n").contains(words),
        "hoopctl did not say `{words}`:\n{}",
        done.stderr
    );
    eventually("the target stops the query", || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%marker\\_long%' AND pid <> pg_backend_pid()";
        (world.database.psql(query).trim() == "0").then_some(())
    });
    done
}

#[test]
fn a_session_ends_with_the_login_that_opened_it() {
    let world = World::new().config("[session]\ncredential_ttl = \"25s\"").start();
    let ana = world.person("ana");
    let psql = running(&world, &ana);
    ended(&world, psql, 250, "the login that opened it has expired");
    let late = ana.hoopctl(&["connect", "db-prod", "--", "true"]);
    assert_eq!(late.code, 244, "{}", late.stderr);
    assert!(late.stderr.contains("hoopctl login"), "{}", late.stderr);
}

#[test]
fn a_session_ends_at_its_longest_time() {
    let world = World::new().config("[session]\nmax_duration = \"6s\"").start();
    let ana = world.person("ana");
    let psql = running(&world, &ana);
    ended(&world, psql, 250, "it reached the longest time of 6 seconds");
}

#[test]
fn a_session_ends_when_nothing_comes_from_its_client() {
    let world = World::new().config("[session]\nidle_timeout = \"4s\"").start();
    let ana = world.person("ana");
    let connected = ana.connect(&[]);
    let started = Instant::now();
    let done = connected.running.finish_without_eof();
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(done.code, 10, "{}", done.stderr);
    assert!(done.stderr.contains("it was idle for 4 seconds"), "{}", done.stderr);
    let error: serde_json::Value = serde_json::from_str(done.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "session_limit", "{error}");
}

#[test]
fn a_session_ends_when_an_operator_revokes_its_principal() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = running(&world, &ana);
    let others = bo.connect(&[]);
    hoop_tests::run(
        Command::new(program("hoop-relay"))
            .args(["users", "revoke", "ana", "--data"])
            .arg(world.data()),
    )
    .expect_code(0);
    let started = Instant::now();
    ended(&world, psql, 250, "its login was revoked");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let still = hoop_tests::run(
        Command::new(Cluster::get().program("psql"))
            .args(["-XqAt", "-c", "SELECT 'others go on'"])
            .arg(others.text("url")),
    );
    assert_eq!(still.expect_code(0).stdout.trim(), "others go on");
}

#[test]
fn a_session_that_somebody_kills_names_them() {
    let world = World::start();
    let ana = world.person("ana");
    let psql = running(&world, &ana);
    let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
    ana.hoopctl(&["sessions", "kill", listed[0]["id"].as_str().unwrap()])
        .expect_code(0);
    ended(&world, psql, 250, "the session was ended by ana");
}

#[test]
fn a_session_ends_when_a_reload_forbids_it() {
    let world = World::start();
    let ana = world.person("ana");
    let psql = running(&world, &ana);
    world.write_policy(&format!(
        "{POLICY}\n@id(\"no-ana\") forbid (principal == Hoop::User::\"ana\", action == Hoop::Action::\"connect\", resource);"
    ));
    assert!(world.reload());
    ended(&world, psql, 250, "policy no longer permits this connection");
    let refused = ana.psql("SELECT 1").expect_code(245);
    assert!(refused.stderr.contains("no-ana"), "{}", refused.stderr);
}

#[test]
fn a_session_ends_when_a_reload_takes_its_connection_away() {
    let world = World::start();
    let ana = world.person("ana");
    let psql = running(&world, &ana);
    world.change_config(|config| config.replace("name = \"db-prod\"", "name = \"db-prod-2\""));
    assert!(world.reload());
    ended(
        &world,
        psql,
        250,
        "the relay's configuration of this connection changed",
    );
    let gone = ana.psql("SELECT 1");
    assert_ne!(gone.code, 0);
    assert!(
        gone.stderr.contains("db-prod-2"),
        "the nearest name is a hint: {}",
        gone.stderr
    );
}

#[test]
fn sigterm_lets_running_sessions_finish_takes_no_new_ones_and_ends_the_rest_in_time() {
    let mut world = World::new().config("[session]\ndrain = \"12s\"").start();
    let home = {
        let ana = world.person("ana");
        let long = running(&world, &ana);
        let mut short = ana.psql_command(&["-qAt", "-c", "SELECT 'finished' FROM pg_sleep(5) /* marker_short */"]);
        let short = short.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let short = Running::new(short.spawn().unwrap());
        eventually("the short query runs", || {
            (Cluster::get().executions(&world.database, "marker_short") == 1).then_some(())
        });
        world.signal("TERM");
        let done = short.finish().expect_code(0);
        assert_eq!(done.stdout.trim(), "finished");
        assert!(
            done.stderr.contains("the relay is shutting down"),
            "it was announced: {}",
            done.stderr
        );
        let refused = ana.psql("SELECT 1");
        assert_eq!(refused.code, 249, "{}", refused.stderr);
        ended(&world, long, 249, "the relay is shutting down");
        ana.home().to_owned()
    };
    let relay = world.wait_for_the_relays_end();
    assert_eq!(relay, 0, "{}", world.relay_log());
    world.restart();
    let sealed = world
        .returning(home)
        .hoopctl(&["sessions", "ls", "-o", "json"])
        .expect_code(0)
        .json();
    for session in sealed.as_array().unwrap() {
        assert_eq!(session["sealed"], true, "{session}");
    }
}
