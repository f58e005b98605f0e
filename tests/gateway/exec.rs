//! `hoopctl exec`: one-shot runs for jobs and agents, their outcomes as data, what they leave waiting, and what never runs twice.

use std::io::{Read, Write};
use std::process::Stdio;

use hoop_tests::{Cluster, Finished, Person, Running, World, eventually, run};
use serde_json::{Value, json};

const DELETE: &str = "DELETE FROM orders WHERE id = 7 /* marker_delete */";

trait Exec {
    /// `hoopctl exec db-prod` with more.
    fn exec(&self, arguments: &[&str]) -> Finished;
}

impl Exec for Person<'_> {
    #[track_caller]
    fn exec(&self, arguments: &[&str]) -> Finished {
        let all: Vec<&str> = ["exec", "db-prod", "--reason", "test"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        self.hoopctl(&all)
    }
}

fn start(person: &Person<'_>, arguments: &[&str]) -> Running {
    let mut command = person.command(&["exec", "db-prod", "--reason", "test"]);
    let child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running::new(child)
}

/// The last line of stderr, as JSON.
#[track_caller]
fn error_of(finished: &Finished) -> Value {
    let last = finished.stderr.trim_end().lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON last in:\n{}", finished.stderr));
    value["error"].clone()
}

/// Leaves a statement waiting; gives its request's id.
#[track_caller]
fn left(person: &Person<'_>, more: &[&str]) -> String {
    let arguments: Vec<&str> = ["-o", "json", "--no-wait"].iter().chain(more).copied().collect();
    let left = person.exec(&arguments).expect_code(6);
    let error = error_of(&left);
    assert_eq!(error["code"], "waits_for_approval", "{}", left.stderr);
    error["request"].as_str().expect("a request").to_owned()
}

#[test]
fn rows_come_as_json_as_to_json_has_them() {
    let world = World::start();
    let ana = world.person("ana");
    let values = [
        "9223372036854775807::int8",
        "12345678901234567890.123456789000::numeric",
        "'NaN'::numeric",
        "1e20::float8",
        "true",
        "''::text",
        "NULL::text",
        "'{\"a\": [1, null]}'::json",
        "'{\"b\": 1}'::jsonb",
        "ARRAY[1, NULL, 3]",
        "ARRAY['a', 'b,c', NULL, '']",
        "'2026-11-24 03:40:17.5'::timestamp",
        "'2026-11-24 03:40:17+02'::timestamptz",
        "'2026-11-24'::date",
        "'1 day 02:00'::interval",
        "'\\x00ff'::bytea",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        "7::oid",
        "'Infinity'::float8",
        "'-Infinity'::float4",
        "'infinity'::date",
        "'-infinity'::timestamp",
        "'infinity'::timestamptz",
        "'-0.00'::numeric",
        "'[1,5)'::int4range",
    ];
    let as_json: Vec<String> = values.iter().map(|value| format!("to_json({value})")).collect();
    let ours = ana
        .exec(&["-o", "json", "-c", &format!("SELECT {}", values.join(", "))])
        .expect_code(0);
    // The text of both is compared: no number may lose a digit on the way.
    let theirs = world
        .database
        .psql(&format!("SET timezone = 'UTC'; SELECT concat_ws(',', {})", {
            let each: Vec<String> = as_json
                .iter()
                .map(|value| format!("coalesce({value}::text, 'null')"))
                .collect();
            each.join(", ")
        }));
    let row = ours
        .stdout
        .split("\"rows\":[[")
        .nth(1)
        .unwrap()
        .split("]],\"command\"")
        .next()
        .unwrap();
    assert_eq!(row, theirs.trim());
    let document = ours.json();
    assert_eq!(document["results"][0]["command"], "SELECT 1");
    assert_eq!(
        document["results"][0]["columns"][0],
        json!({"name": "int8", "type": "int8"})
    );
    assert!(document["session"].as_str().unwrap().starts_with("s-"));
}

#[test]
fn each_format_tells_null_from_empty() {
    let world = World::start();
    let ana = world.person("ana");
    let sql = "SELECT 1 AS id, '' AS a, NULL AS b, E'x,\"y\"' AS c";
    let out = |format: &str| ana.exec(&["-o", format, "-c", sql]).expect_code(0).stdout;
    assert_eq!(out("csv"), "id,a,b,c\n1,\"\",,\"x,\"\"y\"\"\"\n");
    assert_eq!(out("jsonl"), "{\"id\":1,\"a\":\"\",\"b\":null,\"c\":\"x,\\\"y\\\"\"}\n");
    assert_eq!(
        out("table"),
        " id | a |  b   |   c\n----+---+------+-------\n  1 |   | NULL | x,\"y\"\n(1 row)\n\n"
    );
    let null = ana.exec(&["-o", "csv", "--null", "-", "-c", sql]).expect_code(0);
    assert!(null.stdout.ends_with("1,\"\",-,\"x,\"\"y\"\"\"\n"), "{}", null.stdout);
}

#[test]
fn masked_values_are_counted_in_each_result() {
    let world = World::new()
        .config("[[mask]]\ncolumns = [\"customers.ssn\"]\nwith = \"redact\"")
        .start();
    let ana = world.person("ana");
    let document = ana
        .exec(&[
            "-o",
            "json",
            "-c",
            "SELECT 1",
            "-c",
            "SELECT id, ssn FROM customers WHERE id IN (4, 5)",
        ])
        .expect_code(0)
        .json();
    let counts: Vec<&Value> = document["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["masked"])
        .collect();
    assert_eq!(counts, [&json!(0), &json!(2)]);
    assert_eq!(document["results"][1]["rows"][0][1], "***");
}

#[test]
fn parameters_are_bound_and_never_spliced() {
    let world = World::start();
    let ana = world.person("ana");
    let value = "x'; DROP TABLE orders; --";
    let document = ana
        .exec(&[
            "-o",
            "json",
            "-c",
            "SELECT :v AS a, :n::int + 1 AS b, ':v' AS c, :nothing::text AS d",
            "--param",
            &format!("v={value}"),
            "--param",
            "n=41",
            "--param",
            "nothing",
        ])
        .expect_code(0)
        .json();
    assert_eq!(document["results"][0]["rows"], json!([[value, 42, ":v", null]]));
    for (arguments, says) in [
        (&["-c", "SELECT :a", "--param", "b=1"][..], ":a"),
        (&["-c", "SELECT 1", "--param", "b=1"], "b"),
    ] {
        let refused = ana.exec(arguments).expect_code(2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

#[test]
fn a_file_and_the_standard_input_are_run_statement_by_statement_and_stop_at_the_first_error() {
    let world = World::start();
    let ana = world.person("ana");
    let script = "SELECT 'one;' AS a; -- a comment;\nSELECT $$two;$$ AS a;\nSELECT nonsense;\nSELECT 'marker_never';";
    let file = world.folder().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let stopped = ana.exec(&["-o", "json", "-f", file.to_str().unwrap()]).expect_code(1);
    let document = stopped.json();
    assert_eq!(document["results"][0]["rows"][0][0], "one;");
    assert_eq!(document["results"][1]["rows"][0][0], "two;");
    assert_eq!(document["results"].as_array().unwrap().len(), 2);
    let error = error_of(&stopped);
    assert_eq!(
        (&error["code"], &error["sqlstate"]),
        (&json!("sql_error"), &json!("42703"))
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_never"), 0);
    for arguments in [&["-o", "csv"][..], &["-o", "csv", "-f", "-"]] {
        let mut command = ana.command(&["exec", "db-prod"]);
        let child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running::new(child);
        let mut stdin = running.child().stdin.take().unwrap();
        stdin.write_all(b"SELECT 1 AS a;\n\nSELECT 2 AS a\n").unwrap();
        drop(stdin);
        assert_eq!(running.finish().expect_code(0).stdout, "a\n1\n\na\n2\n");
    }
}

#[test]
fn a_single_transaction_is_everything_or_nothing() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@approvers(\"dba\")\n@ttl(\"15m\")\n", ""))
        .start();
    let ana = world.person("ana");
    let statements = ["UPDATE orders SET status = 'marker_tx' WHERE id = 7", "SELECT 1/0"];
    let failed = ana
        .exec(&[
            "--single-transaction",
            "-o",
            "json",
            "-c",
            statements[0],
            "-c",
            statements[1],
        ])
        .expect_code(1);
    assert_eq!(error_of(&failed)["sqlstate"], "22012");
    let changed = "SELECT count(*) FROM orders WHERE status = 'marker_tx'";
    assert_eq!(world.database.psql(changed).trim(), "0");
    ana.exec(&["--single-transaction", "-c", statements[0], "-c", "SELECT 1"])
        .expect_code(0);
    let copied = ana.exec(&["-o", "json", "-c", "COPY orders FROM STDIN"]).expect_code(1);
    assert!(copied.stderr.contains("no data for COPY"), "{}", copied.stderr);
    assert_eq!(world.database.psql(changed).trim(), "1");
}

#[test]
fn outcomes_have_the_exit_codes_and_stable_codes_of_the_interface() {
    let world = World::start();
    let ana = world.person("ana");
    let blocked = ana.exec(&["-o", "json", "-c", "DROP TABLE orders"]).expect_code(5);
    let error = error_of(&blocked);
    assert_eq!((&error["code"], &error["rule"]), (&json!("blocked"), &json!("no-drop")));
    assert!(
        error["hint"].is_string() && blocked.stdout.is_empty(),
        "{}",
        blocked.stdout
    );
    let unknown = ana
        .hoopctl(&["exec", "nowhere", "-o", "jsonl", "-c", "SELECT 1"])
        .expect_code(1);
    assert_eq!(error_of(&unknown)["code"], "not_found");
    assert_eq!(world.stranger().hoopctl(&["exec", "db-prod", "-c", "SELECT 1"]).code, 4);
    assert_eq!(
        ana.hoopctl(&["exec", "db-prod", "-o", "yaml", "-c", "SELECT 1"]).code,
        2
    );
    assert_eq!(ana.hoopctl(&["ls", "-o", "csv"]).code, 2);
}

#[test]
fn a_target_that_is_not_there_exits_with_9() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::new().target(&free.to_string()).start();
    let failed = world
        .person("ana")
        .exec(&["-o", "json", "-c", "SELECT 1"])
        .expect_code(9);
    assert_eq!(error_of(&failed)["code"], "target_unreachable");
}

#[test]
fn a_client_behind_the_dashes_runs_as_connect_runs_it() {
    let world = World::start();
    let ana = world.person("ana");
    let psql = Cluster::get().program("psql").display().to_string();
    let done = ana.exec(&["--", &psql, "-XqAt", "-c", "SELECT 6 * 7"]).expect_code(0);
    assert_eq!(done.stdout.trim(), "42");
    let dump = Cluster::get().program("pg_dump").display().to_string();
    let refused = ana.hoopctl(&["exec", "nowhere", "--", &dump]);
    assert_eq!(refused.code, 241, "{}", refused.stderr);
}

#[test]
fn results_go_to_a_private_file_only_when_they_are_whole() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::start();
    let ana = world.person("ana");
    let file = world.folder().join("result.csv");
    let path = file.to_str().unwrap();
    let failed = ana.exec(&[
        "-o",
        "csv",
        "--result-file",
        path,
        "-c",
        "SELECT 1 AS a",
        "-c",
        "SELECT 1/0",
    ]);
    assert_eq!(failed.expect_code(1).stdout, "");
    assert!(!file.exists());
    let done = ana
        .exec(&["-o", "csv", "--result-file", path, "-c", "SELECT 1 AS a"])
        .expect_code(0);
    assert_eq!(done.stdout, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\n1\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left_over = std::fs::read_dir(world.folder()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".hoopctl-")
    });
    assert_eq!(left_over.count(), 0);
}

#[test]
fn a_held_statement_is_waited_for_and_its_result_printed() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let running = start(&ana, &["-o", "json", "-c", DELETE, "-c", "SELECT 'after' AS a"]);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let done = running.finish().expect_code(0);
    assert!(
        done.stderr.contains(&format!("hoopctl approve {id}")),
        "{}",
        done.stderr
    );
    let commands: Vec<Value> = done.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["command"].clone())
        .collect();
    assert_eq!(commands, [json!("DELETE 1"), json!("SELECT 1")]);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
}

#[test]
fn a_denied_or_expired_statement_has_its_exit_code() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let running = start(&ana, &["-o", "json", "-c", DELETE]);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["deny", &id, "--reason", "not on a Friday"]).expect_code(0);
    let denied = running.finish().expect_code(7);
    let error = error_of(&denied);
    assert_eq!(
        (&error["code"], &error["request"]),
        (&json!("approval_denied"), &json!(id))
    );
    assert!(error["message"].as_str().unwrap().contains("not on a Friday"));
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@ttl(\"15m\")", "@ttl(\"2s\")"))
        .start();
    let expired = world.person("ana").exec(&["-o", "json", "-c", DELETE]).expect_code(8);
    assert_eq!(error_of(&expired)["code"], "approval_expired");
}

#[test]
fn what_is_left_runs_once_when_it_is_approved_and_any_process_of_the_principal_gets_the_result() {
    let world = World::start();
    let (ana, again, bo) = (world.person("ana"), world.person("ana"), world.person("bo"));
    let returning = format!("{DELETE} RETURNING id");
    let id = left(&ana, &["-c", &returning, "-c", "SELECT 'behind' AS b"]);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    let still = again
        .hoopctl(&["requests", "wait", &id, "--wait", "0s", "-o", "json"])
        .expect_code(6);
    assert_eq!(error_of(&still)["request"], json!(id));
    let stranger = bo.hoopctl(&["requests", "wait", &id, "--wait", "0s"]);
    assert_ne!(stranger.code, 0);
    bo.hoopctl(&["approve", &id]).expect_code(0);
    // It runs at once, whether anybody comes back or not.
    eventually("the statement runs", || {
        (Cluster::get().executions(&world.database, "marker_delete") == 1).then_some(())
    });
    for person in [&ana, &again] {
        let document = person
            .hoopctl(&["requests", "wait", &id, "-o", "json"])
            .expect_code(0)
            .json();
        assert_eq!(document["results"][0]["rows"], json!([[7]]));
        assert_eq!(document["results"][0]["command"], "DELETE 1");
        assert_eq!(document["results"][1]["rows"], json!([["behind"]]));
    }
    let csv = ana.hoopctl(&["requests", "wait", &id, "-o", "csv"]).expect_code(0);
    assert!(csv.stdout.starts_with("id\n7\n"), "{}", csv.stdout);
    // The approver decides, but the result is not theirs.
    let theirs = bo.hoopctl(&["requests", "wait", &id, "-o", "json"]).expect_code(0);
    assert!(theirs.json().get("results").is_none(), "{}", theirs.stdout);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    let session = ana.hoopctl(&["requests", "show", &id, "-o", "json"]).json()["session"].clone();
    let shown = ana
        .hoopctl(&["sessions", "verify", session.as_str().unwrap(), "-o", "json"])
        .json();
    assert_eq!(shown["ok"], true, "{shown}");
}

#[test]
fn what_is_left_keeps_its_transaction_and_ends_at_its_first_error() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let id = left(
        &ana,
        &[
            "--single-transaction",
            "-c",
            DELETE,
            "-c",
            "SELECT 1/0",
            "-c",
            "SELECT 'marker_never'",
        ],
    );
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let failed = ana.hoopctl(&["requests", "wait", &id, "-o", "json"]).expect_code(1);
    assert_eq!(error_of(&failed)["sqlstate"], "22012");
    assert_eq!(
        world.database.psql("SELECT count(*) FROM orders WHERE id = 7").trim(),
        "1"
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_never"), 0);
    let id = left(&ana, &["--single-transaction", "-c", DELETE, "-c", "SELECT 1"]);
    bo.hoopctl(&["approve", &id]).expect_code(0);
    ana.hoopctl(&["requests", "wait", &id]).expect_code(0);
    assert_eq!(
        world.database.psql("SELECT count(*) FROM orders WHERE id = 7").trim(),
        "0"
    );
}

#[test]
fn what_is_left_and_denied_expired_or_killed_says_so() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let id = left(&ana, &["-c", DELETE]);
    bo.hoopctl(&["deny", &id, "--reason", "no"]).expect_code(0);
    assert_eq!(ana.hoopctl(&["requests", "wait", &id]).code, 7);
    let id = left(&ana, &["-c", DELETE]);
    ana.hoopctl(&["requests", "cancel", &id]).expect_code(0);
    assert_eq!(ana.hoopctl(&["requests", "wait", &id]).code, 1);
    let id = left(&ana, &["-c", DELETE]);
    let session = ana.hoopctl(&["requests", "show", &id, "-o", "json"]).json()["session"].clone();
    ana.hoopctl(&["sessions", "kill", session.as_str().unwrap()])
        .expect_code(0);
    assert_eq!(ana.hoopctl(&["requests", "wait", &id]).code, 10);
    assert_ne!(bo.hoopctl(&["approve", &id]).code, 0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn patience_that_is_over_leaves_what_waits() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let over = ana.exec(&["-o", "json", "--wait", "1s", "-c", DELETE]).expect_code(6);
    let id = error_of(&over)["request"].as_str().unwrap().to_owned();
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let document = ana
        .hoopctl(&["requests", "wait", &id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(document["results"][0]["command"], "DELETE 1");
}

#[test]
fn a_signal_withdraws_what_waits() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    for signal in ["TERM", "INT"] {
        let running = start(&ana, &["-o", "json", "-c", DELETE]);
        let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
        running.signal(signal);
        let ended = running.finish().expect_code(1);
        assert_eq!(error_of(&ended)["code"], "approval_cancelled");
        eventually("the request is withdrawn", || {
            let shown = ana.hoopctl(&["requests", "show", &id, "-o", "json"]).json();
            (shown["status"] == "cancelled").then_some(())
        });
        assert_ne!(bo.hoopctl(&["approve", &id]).code, 0);
    }
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn a_killed_client_withdraws_what_waits() {
    let world = World::start();
    let ana = world.person("ana");
    let running = start(&ana, &["-c", DELETE]);
    let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
    running.signal("KILL");
    running.finish();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let shown = ana.hoopctl(&["requests", "show", &id, "-o", "json"]).json();
        if shown["status"] == "cancelled" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{shown}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_relay_restart_expires_what_was_left_and_says_so() {
    let mut world = World::start();
    let (id, home) = {
        let ana = world.person("ana");
        (left(&ana, &["-c", DELETE]), ana.home().to_owned())
    };
    world.kill_and_restart();
    let mut command = std::process::Command::new(hoop_tests::program("hoopctl"));
    let waited = run(command
        .args(["requests", "wait", &id])
        .env("HOME", &home)
        .env("HOOPCTL_CONFIG_DIR", home.join("hoopctl"))
        .env("HOOPCTL_CREDENTIAL_STORE", "file"));
    assert_eq!(waited.code, 8, "{}", waited.stderr);
    assert!(waited.stderr.contains("restarted"), "{}", waited.stderr);
}

#[test]
fn an_idempotency_key_runs_a_statement_once_and_gives_its_result_again() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@approvers(\"dba\")\n@ttl(\"15m\")\n", ""))
        .start();
    let (ana, again, agent) = (world.person("ana"), world.person("ana"), world.person("agent"));
    let returning = format!("{DELETE} RETURNING id");
    let call = |person: &Person<'_>| {
        person.exec(&[
            "-o",
            "json",
            "--idempotency-key",
            "job-1",
            "-c",
            "SELECT 'first' AS a",
            "-c",
            &returning,
        ])
    };
    let first = call(&ana).expect_code(0);
    let second = call(&again).expect_code(0);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.json()["results"][1]["rows"], json!([[7]]));
    assert!(second.stderr.contains("nothing runs again"), "{}", second.stderr);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    let other = ana
        .exec(&["-o", "json", "--idempotency-key", "job-1", "-c", "SELECT 2"])
        .expect_code(1);
    assert_eq!(error_of(&other)["code"], "idempotency_conflict");
    // Keys are each principal's own.
    agent
        .exec(&["--idempotency-key", "job-1", "-c", "SELECT 2"])
        .expect_code(0);
    // A failure is given again, too.
    for _ in 0..2 {
        let failed = ana.exec(&[
            "-o",
            "json",
            "--idempotency-key",
            "job-2",
            "-c",
            "SELECT 1/0 /* marker_fails */",
        ]);
        assert_eq!(error_of(&failed.expect_code(1))["sqlstate"], "22012");
    }
    assert_eq!(Cluster::get().executions(&world.database, "marker_fails"), 1);
}

#[test]
fn two_calls_with_one_key_at_once_run_once() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@approvers(\"dba\")\n@ttl(\"15m\")\n", ""))
        .start();
    let ana = world.person("ana");
    let running: Vec<Running> = (0..6)
        .map(|_| start(&ana, &["-o", "json", "--idempotency-key", "race", "-c", DELETE]))
        .collect();
    for one in running {
        assert_eq!(one.finish().expect_code(0).json()["results"][0]["command"], "DELETE 1");
    }
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
}

#[test]
fn a_key_whose_statement_waits_or_was_denied_gives_that_state() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let arguments = ["-o", "json", "--no-wait", "--idempotency-key", "k", "-c", DELETE];
    let id = left(&ana, &arguments[3..]);
    let again = ana.exec(&arguments).expect_code(6);
    assert_eq!(error_of(&again)["request"], json!(id));
    bo.hoopctl(&["deny", &id, "--reason", "no"]).expect_code(0);
    eventually("the denial is given again", || {
        let denied = ana.exec(&arguments);
        (denied.code == 7).then_some(())
    });
    // What never reached the target, and nobody denied, may be tried again.
    let blocked = ["-o", "json", "--idempotency-key", "b", "-c", "DROP TABLE orders"];
    ana.exec(&blocked).expect_code(5);
    ana.exec(&blocked).expect_code(5);
    ana.exec(&["--idempotency-key", "b", "-c", "SELECT 1"]).expect_code(0);
}

#[test]
fn a_relay_that_is_killed_in_the_middle_leaves_an_unknown_outcome_and_nothing_runs_again() {
    let mut world = World::start();
    let slow = "SELECT count(*) FROM generate_series(1, 200000000) /* marker_slow */";
    let home = {
        let ana = world.person("ana");
        let running = start(&ana, &["--idempotency-key", "slow", "-c", slow]);
        eventually("it runs", || {
            (Cluster::get().executions(&world.database, "marker_slow") == 1).then_some(())
        });
        running.signal("KILL");
        ana.home().to_owned()
    };
    world.kill_and_restart();
    let mut command = std::process::Command::new(hoop_tests::program("hoopctl"));
    let again = run(command
        .args([
            "exec",
            "db-prod",
            "--reason",
            "test",
            "-o",
            "json",
            "--idempotency-key",
            "slow",
            "-c",
            slow,
        ])
        .env("HOME", &home)
        .env("HOOPCTL_CONFIG_DIR", home.join("hoopctl"))
        .env("HOOPCTL_CREDENTIAL_STORE", "file"));
    assert_eq!(error_of(&again.expect_code(1))["code"], "outcome_unknown");
    assert_eq!(Cluster::get().executions(&world.database, "marker_slow"), 1);
}

#[test]
fn a_relay_that_keeps_statements_only_says_that_it_has_no_rows() {
    let world = World::new().config("[recording]\ncontent = \"statements\"").start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let id = left(&ana, &["-c", &format!("{DELETE} RETURNING id")]);
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let waited = ana.hoopctl(&["requests", "wait", &id, "-o", "json"]).expect_code(1);
    assert_eq!(waited.json()["results"][0]["command"], "DELETE 1");
    assert_eq!(waited.json()["results"][0]["rows"], json!([]));
    assert_eq!(error_of(&waited)["code"], "limit_exceeded");
}

/// Reads a run's rows as they come; gives how many bytes they were, and the most memory that `hoopctl` had of its own meanwhile, in kB.
fn read_all_of(person: &Person<'_>, format: &str, rows: u32) -> (u64, u64) {
    let sql =
        format!("SELECT g AS id, 'some text of a row' AS name, NULL AS nothing FROM generate_series(1, {rows}) g");
    let mut running = start(person, &["-o", format, "-c", &sql]);
    let status = format!("/proc/{}/status", running.pid());
    let mut stdout = running.child().stdout.take().unwrap();
    let (mut piece, mut lines, mut bytes, mut most) = (vec![0; 1 << 16], 0_u64, 0_u64, 0_u64);
    loop {
        let read = stdout.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        if bytes == 0 {
            // What is on its way fills every buffer in between before more is taken.
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        bytes += read as u64;
        lines += piece[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Ok(status) = std::fs::read_to_string(&status) {
            let of = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name));
                line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                    .unwrap_or(0)
            };
            // What is the process's own; the pages of its file are everybody's.
            most = most.max(of("RssAnon:") + of("RssShmem:"));
        }
    }
    running.finish().expect_code(0);
    if format != "json" {
        assert!(lines >= u64::from(rows), "{format}: {lines} lines");
    }
    (bytes, most)
}

#[test]
fn a_million_rows_take_hoopctl_no_more_memory_than_some() {
    let world = World::start();
    let ana = world.person("ana");
    for format in ["json", "jsonl", "csv", "table"] {
        let (_, little) = read_all_of(&ana, format, 10_000);
        let (_, some) = read_all_of(&ana, format, 300_000);
        let (bytes, many) = read_all_of(&ana, format, 1_000_000);
        println!(
            "{format}: {little} kB for 10,000 rows, {some} kB for 300,000, {many} kB for 1,000,000 ({bytes} bytes)"
        );
        assert!(bytes > 20_000_000, "{format}: {bytes} bytes");
        // Buffers are some 10 MB when all are full, which a busy machine makes them at times; the rows are 27 to 57 MB.
        assert!(many < 20 * 1024, "{format}: {many} kB");
        assert!(many < some + 10 * 1024, "{format}: {some} kB, then {many} kB");
    }
}

#[test]
fn a_hundred_runs_of_one_job_at_once_all_succeed() {
    let world = World::start();
    let ana = world.person("ana");
    let running: Vec<Running> = (0..100)
        .map(|n| start(&ana, &["-o", "jsonl", "-c", &format!("SELECT {n} AS n")]))
        .collect();
    for (n, one) in running.into_iter().enumerate() {
        assert_eq!(one.finish().expect_code(0).stdout, format!("{{\"n\":{n}}}\n"));
    }
}
