//! What people see while `hoopctl exec` waits for approval, sessions that wait themselves, and what idempotency keys give meanwhile.

use std::process::{Command, Stdio};

use hoop_tests::{Cluster, Finished, Person, Running, Terminal, World, eventually, run};
use serde_json::Value;

const DELETE: &str = "DELETE FROM orders WHERE id = 7 /* marker_delete */";
/// Opening a session needs a dba's word.
const CONNECT_WAITS: &str = r#"
@id("sessions-need-a-dba") @approvers("dba")
permit (principal, action == Hoop::Action::"connect", resource) when { principal == Hoop::User::"ana" };
"#;

fn exec<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["exec", "db-prod", "--reason", "test"], arguments].concat()
}

fn start(person: &Person<'_>, arguments: &[&str]) -> Running {
    let child = person
        .command(&exec(arguments))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running::new(child.unwrap())
}

/// The last line of stderr, as JSON.
#[track_caller]
fn error_of(finished: &Finished) -> Value {
    let last = finished.stderr.trim_end().lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON last in:\n{}", finished.stderr));
    value["error"].clone()
}

fn status(person: &Person<'_>, id: &str) -> Value {
    person
        .hoopctl(&["requests", "show", id, "-o", "json"])
        .expect_code(0)
        .json()["status"]
        .clone()
}

#[test]
fn a_terminal_shows_a_live_line_and_takes_it_away() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let terminal = Terminal::start(&ana.command(&exec(&["-c", DELETE])));
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    let approve = format!("hoopctl approve {id}");
    terminal.until(&[
        &format!("{id} waits for approval by dba until"),
        &format!("left: {approve}"),
    ]);
    // It counts, on one and the same line.
    let screen = terminal.until(&["waits for approval for 3s"]);
    assert_eq!(screen.matches("waits for approval for").count(), 1, "{screen}");
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let screen = terminal.wait_for("ended with code 0");
    assert!(screen.contains("DELETE 1"), "{screen}");
    assert!(!screen.contains("waits for approval for"), "{screen}");
    assert!(screen.contains("terminal as before"), "{screen}");
}

#[test]
fn ctrl_c_on_a_terminal_withdraws_what_waits() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let terminal = Terminal::start(&ana.command(&exec(&["-c", DELETE])));
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    terminal.until(&["left: hoopctl approve"]);
    terminal.press("C-c");
    let screen = terminal.wait_for("ended with code 1");
    assert!(screen.contains(&format!("{id} was withdrawn")), "{screen}");
    eventually("the request is withdrawn", || {
        (status(&ana, &id) == "cancelled").then_some(())
    });
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn a_log_has_no_live_line_and_quiet_says_only_what_an_approver_needs() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    for more in [&[][..], &["--quiet"]] {
        let arguments = [&["-c", "UPDATE orders SET status = 'x' WHERE id = 7"], more].concat();
        let running = start(&ana, &arguments);
        let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
        bo.hoopctl(&["approve", &id]).expect_code(0);
        let done = running.finish().expect_code(0);
        assert!(
            done.stderr.contains(&format!("an approver runs: hoopctl approve {id}")),
            "{}",
            done.stderr
        );
        assert!(!done.stderr.contains(['\r', '\u{1b}']), "{:?}", done.stderr);
    }
}

#[test]
fn a_session_that_waits_itself_is_waited_for_but_cannot_be_left() {
    let world = World::new().more_policy(CONNECT_WAITS).start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let running = start(&ana, &["-o", "csv", "-c", "SELECT 1 AS a"]);
    let request = bo.pending_request();
    assert_eq!(request["kind"], "session");
    let id = request["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let done = running.finish().expect_code(0);
    assert_eq!(done.stdout, "a\n1\n");
    assert!(
        done.stderr.contains(&format!("hoopctl approve {id}")),
        "{}",
        done.stderr
    );

    // Nothing is left behind that somebody could approve to no end.
    for patience in [&["--no-wait"][..], &["--wait", "1s"]] {
        let arguments = [&["-o", "json", "-c", "SELECT 'marker_left'"], patience].concat();
        let over = ana.hoopctl(&exec(&arguments)).expect_code(1);
        let error = error_of(&over);
        assert_eq!(error["code"], "approval_cancelled", "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--wait"), "{error}");
        let word = over
            .stderr
            .split_whitespace()
            .find(|word| word.starts_with("r-"))
            .unwrap();
        let id = word.trim_end_matches(':');
        eventually("the request is withdrawn", || {
            (status(&ana, id) == "cancelled").then_some(())
        });
    }
    let running = start(&ana, &["-o", "json", "-c", "SELECT 'marker_left'"]);
    let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
    running.signal("TERM");
    assert_eq!(error_of(&running.finish().expect_code(1))["code"], "approval_cancelled");
    eventually("the request is withdrawn", || {
        (status(&ana, &id) == "cancelled").then_some(())
    });
    let running = start(&ana, &["-o", "json", "-c", "SELECT 'marker_left'"]);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["deny", &id, "--reason", "no"]).expect_code(0);
    assert_eq!(error_of(&running.finish().expect_code(7))["request"], id);
    assert_eq!(Cluster::get().executions(&world.database, "marker_left"), 0);
}

/// `hoopctl exec` of somebody who logged in before the relay was restarted.
fn again(home: &std::path::Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(hoop_tests::program("hoopctl"));
    run(command
        .args(exec(arguments))
        .env("HOME", home)
        .env("HOOPCTL_CONFIG_DIR", home.join("hoopctl"))
        .env("HOOPCTL_CREDENTIAL_STORE", "file"))
}

#[test]
fn a_key_gives_its_result_again_after_the_relay_restarted() {
    let mut world = World::new()
        .policy(&hoop_tests::POLICY.replace("@approvers(\"dba\")\n@ttl(\"15m\")\n", ""))
        .start();
    let returning = format!("{DELETE} RETURNING id");
    let arguments = ["-o", "json", "--idempotency-key", "k", "-c", &returning];
    let (home, first) = {
        let ana = world.person("ana");
        (ana.home().to_owned(), ana.hoopctl(&exec(&arguments)).expect_code(0))
    };
    world.kill_and_restart();
    assert_eq!(again(&home, &arguments).expect_code(0).stdout, first.stdout);
    let other = again(&home, &["-o", "json", "--idempotency-key", "k", "-c", "SELECT 1"]).expect_code(1);
    let error = error_of(&other);
    assert_eq!(error["code"], "idempotency_conflict");
    assert!(
        error["message"].as_str().unwrap().contains('k') && error["hint"].is_string(),
        "{error}"
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
}

#[test]
fn a_key_whose_run_goes_on_is_followed_or_left_and_is_nobody_elses() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let slow = "SELECT count(*) FROM generate_series(1, 40000000) /* marker_slow */";
    let arguments = ["-o", "json", "--idempotency-key", "k", "-c", slow];
    let first = start(&ana, &arguments);
    eventually("it runs", || {
        (Cluster::get().executions(&world.database, "marker_slow") == 1).then_some(())
    });
    // Who does not wait is told that it goes on, and another statement is refused meanwhile.
    let over = ana
        .hoopctl(&exec(&[&arguments[..], &["--no-wait"]].concat()))
        .expect_code(6);
    assert!(
        error_of(&over)["message"].as_str().unwrap().contains("goes on"),
        "{}",
        over.stderr
    );
    let other = ana
        .hoopctl(&exec(&["-o", "json", "--idempotency-key", "k", "-c", "SELECT 2"]))
        .expect_code(1);
    assert_eq!(error_of(&other)["code"], "idempotency_conflict");
    let same_key = bo
        .hoopctl(&exec(&["-o", "csv", "--idempotency-key", "k", "-c", "SELECT 2 AS a"]))
        .expect_code(0);
    assert_eq!(same_key.stdout, "a\n2\n");
    let second = ana.hoopctl(&exec(&arguments)).expect_code(0);
    let first = first.finish().expect_code(0);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.json()["results"][0]["rows"][0][0], 40_000_000);
    assert_eq!(Cluster::get().executions(&world.database, "marker_slow"), 1);
}

#[test]
fn a_key_is_free_after_nobody_decided_or_its_request_was_withdrawn_and_when_it_is_forgotten() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@ttl(\"15m\")", "@ttl(\"3s\")"))
        .config("[session]\nresult_retention = \"2s\"")
        .start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let arguments = ["-o", "json", "--idempotency-key", "k", "-c", DELETE];
    ana.hoopctl(&exec(&arguments)).expect_code(8);
    let running = start(&ana, &arguments);
    let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
    ana.hoopctl(&["requests", "cancel", &id]).expect_code(0);
    assert_eq!(error_of(&running.finish().expect_code(1))["code"], "approval_cancelled");
    let running = start(&ana, &arguments);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["approve", &id]).expect_code(0);
    running.finish().expect_code(0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    // After the retention nobody remembers the key: what is asked under it runs.
    eventually("the key is forgotten", || {
        let asked = ana.hoopctl(&exec(&["-o", "csv", "--idempotency-key", "k", "-c", "SELECT 1 AS a"]));
        (asked.code == 0).then(|| assert_eq!(asked.stdout, "a\n1\n"))
    });
}
