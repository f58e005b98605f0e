//! What an operator does: health, metrics, reload, checking files, explaining and testing policies.

use std::path::Path;
use std::process::{Command, Stdio};

use hoop_tests::{Cluster, Finished, POLICY, Running, World, eventually, free_port, program, run};

/// Asks the relay's HTTPS port, with its CA; gives status and body.
fn get(world: &World, path: &str) -> (u16, String) {
    let script = "import ssl, sys, urllib.error, urllib.request\n\
        context = ssl.create_default_context(cafile=sys.argv[1])\n\
        try:\n    answer = urllib.request.urlopen(sys.argv[2], context=context, timeout=20)\n\
        except urllib.error.HTTPError as refused:\n    answer = refused\n\
        print(answer.status)\nprint(answer.read().decode(), end='')";
    let url = format!("https://{}{path}", world.relay);
    let done = run(hoop_tests::python(script).arg(&world.ca).arg(url)).expect_code(0);
    let (status, body) = done.stdout.split_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn health_and_readiness_are_told_over_https_until_the_relay_drains() {
    let world = World::new().config("[session]\ndrain = \"60s\"").start();
    let ana = world.person("ana");
    assert_eq!(get(&world, "/healthz").0, 200);
    assert_eq!(get(&world, "/readyz").0, 200);
    assert_eq!(get(&world, "/v1/whoami").0, 401, "nothing else is told without a login");
    let _open = ana.connect(&[]);
    world.signal("TERM");
    eventually("the relay says that it takes nothing new", || {
        (get(&world, "/readyz").0 == 503).then_some(())
    });
    assert_eq!(get(&world, "/healthz").0, 200);
}

#[test]
fn prometheus_reads_metrics() {
    let port = free_port();
    let world = World::new()
        .config(&format!("[telemetry]\nmetrics = \"127.0.0.1:{port}\""))
        .start();
    world.person("ana").psql_script("SELECT 1;\nDROP TABLE orders;\n");
    let read = || {
        let script =
            "import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())";
        run(hoop_tests::python(script).arg(format!("http://127.0.0.1:{port}/metrics")))
            .expect_code(0)
            .stdout
    };
    let metrics = eventually("the session is counted to its end", || {
        let metrics = read();
        metrics.contains("hoop_sessions_ended_total{").then_some(metrics)
    });
    for expected in [
        "# TYPE hoop_sessions_total counter",
        "hoop_sessions_total 1",
        "hoop_connections_total{transport=\"quic\"} 1",
        "hoop_sessions 0",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in:\n{metrics}");
    }
    assert!(
        metrics
            .lines()
            .any(|line| line.contains("block") && line.ends_with(" 1")),
        "the blocked statement is counted:\n{metrics}"
    );
}

#[test]
fn a_reload_is_all_or_nothing() {
    let world = World::start();
    let ana = world.person("ana");
    world.write_policy("@id(\"broken\") permit (principal, action == Hoop::Action::\"sql:selekt\", resource);");
    world.change_config(|config| config.replace("env:demo", "env:other"));
    assert!(!world.reload(), "a broken policy is taken");
    let log = world.relay_log();
    assert!(
        log.contains("policy.cedar:1") && log.contains("selekt"),
        "the log says where and what:\n{log}"
    );
    let listed = ana.hoopctl(&["ls", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        listed[0]["tags"],
        serde_json::json!(["env:demo"]),
        "half of it was taken"
    );
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");
    world.write_policy(&POLICY.replace("env:demo", "env:other"));
    assert!(world.reload());
    let listed = ana.hoopctl(&["ls", "-o", "json"]).expect_code(0).json();
    assert_eq!(listed[0]["tags"], serde_json::json!(["env:other"]));
}

/// A psql that is fed line by line, so that something can happen between two statements.
struct Typed {
    psql: Running,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Typed {
    fn start(ana: &hoop_tests::Person<'_>) -> Self {
        let mut psql = ana.psql_command(&["-qAt"]);
        let psql = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut psql = Running::new(psql);
        let stdout = psql.child().stdout.take().unwrap();
        let (send, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(stdout)).map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { psql, lines }
    }

    /// Runs a statement; gives what it prints before a mark.
    fn run(&mut self, statement: &str) -> Vec<String> {
        use std::io::Write;
        let stdin = self.psql.child().stdin.as_mut().unwrap();
        stdin
            .write_all(format!("{statement}\n\\echo done\n").as_bytes())
            .unwrap();
        let patience = std::time::Duration::from_secs(60);
        let lines = std::iter::from_fn(|| Some(self.lines.recv_timeout(patience).expect("psql answers")));
        lines.take_while(|line| line != "done").collect()
    }
}

#[test]
fn a_running_session_follows_policies_and_masks_of_a_reload() {
    let world = World::start();
    let mut psql = Typed::start(&world.person("ana"));
    assert_eq!(psql.run("SELECT ssn FROM customers WHERE id = 5;"), ["105-15-1035"]);
    world.change_config(|config| format!("{config}\n[[mask]]\ncolumns = [\"customers.ssn\"]\nwith = \"redact\"\n"));
    assert!(world.reload());
    assert_eq!(
        psql.run("SELECT ssn FROM customers WHERE id = 5;"),
        ["***"],
        "a new mask holds at the next statement"
    );
    world.write_policy(&format!(
        "{POLICY}\n@id(\"no-orders\") forbid (principal, action in Hoop::Action::\"sql:read\", resource) when {{ resource in Hoop::Table::\"db-prod/public.orders\" }};"
    ));
    assert!(world.reload());
    assert!(
        psql.run("SELECT count(*) FROM orders /* marker_forbidden */;")
            .is_empty(),
        "a new rule holds at the next statement"
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_forbidden"), 0);
    world.write_policy(POLICY);
    world.change_config(|config| config.replace("columns = [\"customers.ssn\"]", "columns = [\"customers.phone\"]"));
    assert!(world.reload());
    assert_eq!(psql.run("SELECT count(*) FROM orders;"), ["1000"]);
    assert_eq!(psql.run("SELECT ssn FROM customers WHERE id = 5;"), ["105-15-1035"]);
}

/// `hoop-relay` in a folder with these files.
fn relay(files: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    relay_in(folder.path(), arguments)
}

fn relay_in(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(program("hoop-relay")).args(arguments).current_dir(folder))
}

const CONFIG: &str = "[storage]\ndata_dir = \"data\"\n[policy]\nfiles = [\"p.cedar\"]\n[[identity_provider]]\nname = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"hoopctl\"\n\
    [[connection]]\nname = \"db-prod\"\nprotocol = \"postgres\"\ntags = [\"env:demo\"]\naddress = \"10.0.0.5:5432\"\ndatabase = \"shop\"\nuser = \"hoop\"\n";

#[test]
fn check_lists_every_problem_with_its_place_in_json_too() {
    let files = [
        (
            "relay.toml",
            "[policy]\nfiles = [\"p.cedar\", \"q.cedar\"]\n[limits]\nstatement_byte = \"1MiB\"\n[session]\nidle_timeout = \"soon\"\n",
        ),
        (
            "p.cedar",
            "@id(\"a\") permit (principal, action, resource);\n\npermit (principal, action == Hoop::Action::\"sql:selekt\", resource);\n",
        ),
    ];
    let text = relay(&files, &["check", "--config", "relay.toml"]);
    assert_eq!(text.code, 3, "{}", text.stderr);
    let done = relay(&files, &["check", "--config", "relay.toml", "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let found = done.json();
    assert_eq!(found["ok"], false);
    let problems = found["problems"].as_array().unwrap();
    for (file, line, word) in [
        ("relay.toml", 4, "statement_byte"),
        ("relay.toml", 6, "soon"),
        ("p.cedar", 3, "selekt"),
        ("relay.toml", 2, "q.cedar"),
    ] {
        let at = |problem: &&serde_json::Value| {
            problem["file"] == file && problem["line"] == line && problem.to_string().contains(word)
        };
        assert!(
            problems.iter().any(|problem| at(&problem)),
            "{file}:{line} {word} is not in {found:#}"
        );
        assert!(
            text.stderr.contains(&format!("{file}:{line}")),
            "{file}:{line} is not in:\n{}",
            text.stderr
        );
    }
    let good = relay(
        &[("relay.toml", CONFIG), ("p.cedar", POLICY)],
        &["check", "--config", "relay.toml", "-o", "json"],
    )
    .expect_code(0)
    .json();
    assert_eq!(
        (&good["ok"], &good["connections"], &good["policies"]),
        (&true.into(), &1.into(), &5.into()),
        "{good}"
    );
}

#[test]
fn policy_explain_tells_effects_and_the_decision_with_its_rules() {
    let explain = |statement: &str| {
        let arguments = [
            "policy",
            "explain",
            "--config",
            "relay.toml",
            "--connection",
            "db-prod",
            "--principal",
            "ana",
            "--group",
            "engineers",
            "--offline",
            "-o",
            "json",
            statement,
        ];
        relay(&[("relay.toml", CONFIG), ("p.cedar", POLICY)], &arguments)
            .expect_code(0)
            .json()
    };
    let held = explain("DELETE FROM orders WHERE id = 7");
    assert_eq!(held["decision"], "approval", "{held:#}");
    assert!(
        held.to_string().contains("writes-need-a-dba") && held.to_string().contains("sql:delete"),
        "{held:#}"
    );
    let blocked = explain("DROP TABLE orders");
    assert_eq!(blocked["decision"], "block", "{blocked:#}");
    assert!(blocked.to_string().contains("no-drop"), "{blocked:#}");
    assert_eq!(explain("SELECT 1 FROM orders")["decision"], "allow");
}

#[test]
fn policy_explain_asks_the_target_what_names_mean() {
    let world = World::new().start();
    let done = run(Command::new(program("hoop-relay"))
        .args([
            "policy",
            "explain",
            "--connection",
            "db-prod",
            "--principal",
            "ana",
            "--group",
            "engineers",
            "-o",
            "json",
        ])
        .arg("--config")
        .arg(world.folder().join("relay.toml"))
        .arg("SELECT name FROM customers")
        .env("TEST_DB_PASSWORD", hoop_tests::PASSWORD));
    let explained = done.expect_code(0).json();
    assert_eq!(explained["decision"], "allow", "{explained:#}");
    assert!(
        explained.to_string().contains("db-prod/public.customers.name"),
        "{explained:#}"
    );
}

#[test]
fn policy_test_is_a_gate_for_a_ci_job() {
    let case = |statement: &str, expect: &str| {
        format!(
            "[[case]]\nprincipal = \"ana\"\ngroups = [\"engineers\"]\nconnection = \"db-prod\"\nstatement = \"{statement}\"\nexpect = \"{expect}\"\n"
        )
    };
    let good = case("SELECT 1 FROM orders", "allow")
        + &case("DELETE FROM orders WHERE id = 7", "approval")
        + &case("DROP TABLE orders", "block")
        + "rule = \"no-drop\"\n";
    let test = |cases: &str, more: &[&str]| {
        let mut arguments = vec!["policy", "test", "--config", "relay.toml", "cases.toml"];
        arguments.extend(more);
        relay(
            &[("relay.toml", CONFIG), ("p.cedar", POLICY), ("cases.toml", cases)],
            &arguments,
        )
    };
    assert!(test(&good, &[]).expect_code(0).stdout.contains("all 3 cases hold"));
    assert_eq!(
        test(&good, &["-o", "json"]).expect_code(0).json(),
        serde_json::json!({"cases": 3, "failed": []})
    );
    let wrong = good + &case("DROP TABLE orders", "allow");
    let text = test(&wrong, &[]).expect_code(1);
    assert!(
        text.stdout.contains("cases.toml:20") && text.stdout.contains("no-drop"),
        "{}",
        text.stdout
    );
    let failed = test(&wrong, &["-o", "json"]).expect_code(1).json();
    assert_eq!(failed["failed"][0]["line"], 20, "{failed:#}");
    assert_eq!(
        (&failed["failed"][0]["expected"], &failed["failed"][0]["found"]),
        (&"allow".into(), &"block".into()),
        "{failed:#}"
    );
    assert_eq!(test("[[case]]\nprincipal = 3\n", &[]).code, 3);
}
