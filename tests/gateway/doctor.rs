//! `doctor`, `status` and `ls`: what they find out, on a machine where all is well and on others.

use std::os::unix::fs::PermissionsExt;

use hoop_tests::{Person, World, run};
use serde_json::Value;

fn checks(person: &Person<'_>, code: i32) -> Vec<Value> {
    let done = person.hoopctl(&["doctor", "-o", "json"]).expect_code(code);
    let checks = done.json().as_array().unwrap().clone();
    for check in &checks {
        let mut keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["check", "detail", "fix", "ok"], "{check}");
        assert_eq!(check["ok"] == false, check["fix"].is_string(), "{check}");
    }
    checks
}

fn find<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    let found = checks.iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
}

#[test]
fn all_is_well_from_the_configuration_to_policy() {
    let world = World::start();
    let ana = world.person("ana");
    let all = checks(&ana, 0);
    for name in [
        "config",
        "permissions",
        "credential",
        "certificate",
        "keyring",
        "dns",
        "tcp",
        "tls",
        "version",
        "clock",
        "udp",
        "tunnel",
        "provider",
        "policy",
    ] {
        assert_eq!(find(&all, name)["ok"], true, "{}", find(&all, name));
    }
    let policy = find(&all, "policy")["detail"].as_str().unwrap();
    assert!(policy.starts_with("db-prod: read: allow; "), "{policy}");
    for client in ["psql", "pg_dump", "kubectl", "ssh"] {
        find(&all, client);
    }
    let text = ana.hoopctl(&["doctor"]).expect_code(0).stdout;
    assert!(text.lines().any(|line| line.starts_with("ok    udp")), "{text}");
}

#[test]
fn a_stranger_learns_all_that_can_be_known_without_a_login() {
    let world = World::start();
    let stranger = world.stranger();
    let mut doctor = stranger.command(&["doctor", "-o", "json"]);
    let done = run(doctor
        .env("HOOPCTL_RELAY", &world.relay)
        .env("HOOPCTL_CA_FILE", &world.ca))
    .expect_code(1);
    let all = done.json().as_array().unwrap().clone();
    for name in ["dns", "tcp", "tls", "version", "clock", "udp"] {
        assert_eq!(find(&all, name)["ok"], true, "{}", find(&all, name));
    }
    for name in ["credential", "provider", "policy"] {
        assert!(
            find(&all, name)["fix"].as_str().unwrap().starts_with("hoopctl login"),
            "{all:?}"
        );
    }
    // Without the relay's CA it is another machine's.
    let done = run(stranger
        .command(&["doctor", "-o", "json"])
        .env("HOOPCTL_RELAY", &world.relay))
    .expect_code(1);
    let all = done.json().as_array().unwrap().clone();
    assert_eq!(find(&all, "tls")["ok"], false);
}

#[test]
fn each_problem_comes_with_its_fix() {
    let world = World::start();
    let ana = world.person("ana");
    let folder = ana.home().join("hoopctl");
    let extra = folder.join("credentials/other.json");
    std::fs::write(&extra, "{}").unwrap();
    std::fs::set_permissions(&extra, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(folder.join("config.toml"), "quiet = true\n").unwrap();
    std::fs::set_permissions(folder.join("config.toml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let all = checks(&ana, 1);
    assert!(
        find(&all, "permissions")["fix"]
            .as_str()
            .unwrap()
            .starts_with("chmod 600"),
        "{all:?}"
    );
    assert!(
        find(&all, "config")["fix"].as_str().unwrap().starts_with("chmod go-w"),
        "{all:?}"
    );
    std::fs::remove_file(&extra).unwrap();
    std::fs::remove_file(folder.join("config.toml")).unwrap();
    world.signal("KILL");
    hoop_tests::eventually("the relay is gone", || {
        std::net::TcpStream::connect(&world.relay).is_err().then_some(())
    });
    let all = checks(&ana, 1);
    assert!(
        find(&all, "tcp")["fix"].as_str().unwrap().contains("start the relay"),
        "{all:?}"
    );
}

#[test]
fn somebody_who_may_use_nothing_is_told_whom_to_ask() {
    let world = World::new()
        .policy("@id(\"none\") forbid (principal, action, resource);")
        .start();
    let ana = world.person("ana");
    let all = checks(&ana, 1);
    assert!(
        find(&all, "policy")["fix"].as_str().unwrap().contains("operator"),
        "{all:?}"
    );
    assert_eq!(
        ana.hoopctl(&["ls", "-o", "json"]).expect_code(0).json(),
        serde_json::json!([])
    );
}

#[test]
fn ls_and_status_say_what_policy_will_ask_and_the_statements_get_it() {
    let world = World::new()
        .more_policy(
            r#"
@id("schema-is-closed") forbid (principal, action in Hoop::Action::"sql:read", resource == Hoop::Table::"db-prod/public.customers");
@id("night") forbid (principal, action == Hoop::Action::"sql:truncate", resource) when { context.hour >= 0 };
"#,
        )
        .start();
    let ana = world.person("ana");
    let listed = ana.hoopctl(&["ls", "-o", "json"]).expect_code(0).json();
    let asks: Vec<&str> = listed[0]["asks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ask| ask.as_str().unwrap())
        .collect();
    for ask in [
        "write (update, delete): depends (block where no-unbounded-writes, else approval by dba)",
        "write (truncate): block now",
        "ddl: block",
    ] {
        assert!(asks.contains(&ask), "{ask} is not in {asks:?}");
    }
    assert!(
        asks.iter()
            .any(|ask| ask.starts_with("read") && ask.contains("block where schema-is-closed, else allow")),
        "{asks:?}"
    );
    // What is said is what a statement gets.
    assert_ne!(ana.psql("SELECT name FROM customers").code, 0);
    ana.psql("SELECT count(*) FROM orders").expect_code(0);
    assert_ne!(ana.psql("TRUNCATE orders").code, 0);
    let status = ana.hoopctl(&["status"]).expect_code(0).stdout;
    assert!(
        status.contains("CONNECTION") && status.contains("write (truncate): block now"),
        "{status}"
    );
    let keys = ana.hoopctl(&["status", "-o", "json"]).expect_code(0).json();
    let mut keys: Vec<&String> = keys.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["expires", "relay", "rtt_ms", "transport", "version"]);
}

#[test]
fn a_relay_that_does_not_reach_its_provider_is_told_apart() {
    let free = hoop_tests::free_port();
    let world = World::new()
        .config(&format!(
            "[[identity_provider]]\nname = \"okta\"\nissuer = \"http://127.0.0.1:{free}\"\nclient_id = \"hoopctl\""
        ))
        .start();
    let ana = world.stranger();
    ana.log_in_with(&["--ca", &world.ca.display().to_string(), "--issuer", "dev"], "ana");
    let all = checks(&ana, 1);
    let providers: Vec<&Value> = all.iter().filter(|check| check["check"] == "provider").collect();
    assert_eq!(providers.len(), 2, "{all:?}");
    let lost = providers.iter().find(|check| check["ok"] == false).unwrap();
    assert!(
        lost["detail"].as_str().unwrap().contains("does not reach okta"),
        "{lost}"
    );
    assert!(lost["fix"].as_str().unwrap().contains("operator"), "{lost}");
    // Who is logged in works on, and the rest is well.
    assert!(
        all.iter()
            .filter(|check| check["check"] == "tunnel" || check["check"] == "policy")
            .all(|check| check["ok"] == true)
    );
    ana.psql("SELECT 1").expect_code(0);
}

#[test]
fn a_network_without_udp_is_slower_and_says_so() {
    let mut world = World::start();
    let network = world.through();
    let ana = world.person("ana");
    network.drop_udp(true);
    let all = checks(&ana, 1);
    let udp = find(&all, "udp");
    let port = world.relay.rsplit(':').next().unwrap();
    assert_eq!(udp["ok"], false, "{udp}");
    assert_eq!(udp["fix"], format!("open UDP port {port} to the relay"));
    for name in ["tcp", "tls", "tunnel", "policy"] {
        assert_eq!(find(&all, name)["ok"], true, "{}", find(&all, name));
    }
    let status = ana.hoopctl(&["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["transport"], "tcp");
    // The same for who has no login yet.
    let mut doctor = world.stranger().command(&["doctor", "-o", "json"]);
    let done = run(doctor
        .env("HOOPCTL_RELAY", &world.relay)
        .env("HOOPCTL_CA_FILE", &world.ca))
    .expect_code(1);
    let all = done.json().as_array().unwrap().clone();
    assert_eq!(find(&all, "udp")["ok"], false, "{all:?}");
}

#[test]
fn a_key_that_others_can_read_is_not_used_and_comes_with_the_command_that_mends_it() {
    let world = World::start();
    let ana = world.person("ana");
    let folder = ana.home().join("hoopctl/credentials");
    let mut files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let key = files
        .find(|path| path.file_name().is_some_and(|name| name == "default.json"))
        .unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let all = checks(&ana, 1);
    for name in ["permissions", "credential"] {
        let check = find(&all, name);
        assert_eq!(check["ok"], false, "{check}");
        let fix = check["fix"].as_str().unwrap();
        assert_eq!(fix, format!("chmod 600 '{}'", key.display()));
        run(std::process::Command::new("sh").args(["-c", fix])).expect_code(0);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    let refused = ana.hoopctl(&["exec", "db-prod", "-o", "json", "-c", "SELECT 1"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
    run(std::process::Command::new("sh").args(["-c", find(&all, "credential")["fix"].as_str().unwrap()]))
        .expect_code(0);
    checks(&ana, 0);
}

/// `hoopctl doctor` under a clock that is off by this much.
fn at_another_time(person: &Person<'_>, offset: &str) -> Vec<Value> {
    let mut faked = person.command_at(offset, &["doctor", "-o", "json"]);
    run(&mut faked).expect_code(1).json().as_array().unwrap().clone()
}

#[test]
fn a_clock_that_is_wrong_is_named_whatever_else_it_breaks() {
    let world = World::start();
    let ana = world.person("ana");
    let all = at_another_time(&ana, "+5m");
    let clock = find(&all, "clock");
    assert_eq!(clock["ok"], false, "{clock}");
    assert!(
        clock["detail"].as_str().unwrap().starts_with("30") || clock["detail"].as_str().unwrap().starts_with("29"),
        "{clock}"
    );
    assert!(clock["fix"].as_str().unwrap().contains("NTP"), "{clock}");
    assert_eq!(find(&all, "tls")["ok"], true);
    // So far off that the relay's certificate is not valid yet, or the login is over.
    let all = at_another_time(&ana, "-3000d");
    for name in ["tls", "tunnel"] {
        let fix = find(&all, name)["fix"].as_str().unwrap();
        assert!(
            fix.starts_with("set this machine's clock") && !fix.contains("--pin"),
            "{fix}"
        );
    }
    let all = at_another_time(&ana, "+2d");
    assert_eq!(find(&all, "certificate")["ok"], false, "{all:?}");
    assert_eq!(find(&all, "clock")["ok"], false, "{all:?}");
}
