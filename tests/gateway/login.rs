//! Who acts: logins, what they leave behind, and how they end.

use std::process::{Command, Stdio};

use hoop_tests::{OidcProvider, Running, World};

#[test]
fn whoami_names_the_principal_as_the_provider_does() {
    let world = World::start();
    let who = world
        .person("bo")
        .hoopctl(&["whoami", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(who["principal"], "bo");
    assert_eq!(who["kind"], "user");
    assert_eq!(who["groups"], serde_json::json!(["dba"]));
    assert_eq!(who["issuer"], world.issuer);
    assert!(who["expires"].as_str().unwrap().contains('T'));
}

#[test]
fn a_relay_with_a_private_ca_is_not_trusted_unasked() {
    let world = World::start();
    let done = world.stranger().hoopctl(&["login", &world.relay, "--no-input"]);
    assert_ne!(done.code, 0);
    assert!(
        done.stderr.contains("--pin") || done.stderr.contains("--ca"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_wrong_pin_is_refused() {
    let world = World::start();
    let wrong = "0".repeat(64);
    let done = world
        .stranger()
        .hoopctl(&["login", &world.relay, "--pin", &wrong, "--no-input"]);
    assert_ne!(done.code, 0);
}

#[test]
fn a_login_by_pin_works() {
    let world = World::start();
    let ana = world.stranger();
    ana.log_in_with(&["--pin", &world.pin], "ana");
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");
}

#[test]
fn status_shows_transport_and_expiry() {
    let world = World::start();
    let ana = world.person("ana");
    // A busy machine may answer so late that TCP was taken.
    let status = hoop_tests::eventually("status says quic", || {
        let status = ana.hoopctl(&["status", "-o", "json"]).expect_code(0).json();
        (status["transport"] == "quic").then_some(status)
    });
    assert!(status["rtt_ms"].is_number());
    assert!(status["expires"].is_string());
}

#[test]
fn ls_tells_what_policy_will_ask() {
    let world = World::start();
    let listed = world.person("ana").hoopctl(&["ls", "-o", "json"]).expect_code(0).json();
    assert_eq!(listed[0]["name"], "db-prod");
    assert_eq!(listed[0]["protocol"], "postgres");
    assert_eq!(listed[0]["tags"], serde_json::json!(["env:demo"]));
    assert!(listed[0]["asks"].to_string().contains("dba"), "{listed}");
}

#[test]
fn after_logout_the_credential_opens_nothing() {
    let world = World::start();
    let ana = world.person("ana");
    let stolen = ana.home().join("stolen");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(ana.home().join("hoopctl"))
        .arg(&stolen)
        .status()
        .unwrap();
    assert!(copied.success());
    ana.hoopctl(&["logout"]).expect_code(0);
    assert_eq!(ana.hoopctl(&["whoami"]).code, 4);
    let done = hoop_tests::run(
        ana.command(&["connect", "db-prod", "--", "true"])
            .env("HOOPCTL_CONFIG_DIR", &stolen),
    );
    assert_ne!(done.code, 0, "a revoked certificate still opens sessions");
}

#[test]
fn a_running_session_ends_when_its_login_does() {
    let world = World::start();
    let ana = world.person("ana");
    let mut psql = ana.psql_command(&["-qAt", "-c", "SELECT pg_sleep(20)"]);
    let psql = Running::new(
        psql.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    hoop_tests::eventually("the session is there", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        (!listed.as_array()?.is_empty()).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    ana.hoopctl(&["logout"]).expect_code(0);
    let started = std::time::Instant::now();
    let done = psql.finish();
    assert!(
        started.elapsed().as_secs() < 5,
        "the session lived on for {:?}",
        started.elapsed()
    );
    assert_eq!(done.code, 250, "{}", done.stderr);
}

#[test]
fn a_killed_session_says_so_in_the_clients_protocol() {
    let world = World::start();
    let ana = world.person("ana");
    let mut psql = ana.psql_command(&["-qAt", "-c", "SELECT pg_sleep(20)"]);
    let psql = Running::new(
        psql.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let id = hoop_tests::eventually("the session is there", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        listed[0]["id"].as_str().map(str::to_owned)
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    ana.hoopctl(&["sessions", "kill", &id]).expect_code(0);
    let done = psql.finish();
    assert_eq!(done.code, 250, "{}", done.stderr);
    assert!(done.stderr.contains("FATAL:  "), "{}", done.stderr);
}

#[test]
fn doctor_finds_nothing_wrong_after_a_login() {
    let world = World::start();
    let checks = world.person("ana").hoopctl(&["doctor", "-o", "json"]).json();
    for check in checks.as_array().unwrap() {
        assert_eq!(check["ok"], true, "{check}");
    }
}

/// Logs `person` in at npm's oidc-provider; gives how `hoopctl login` ended.
fn log_in_at_a_real_provider(
    world: &World,
    provider: &OidcProvider,
    person: &str,
) -> (hoop_tests::Finished, serde_json::Value) {
    let somebody = world.stranger();
    let mut login = somebody.command(&[
        "login",
        &world.relay,
        "--ca",
        &world.ca.display().to_string(),
        "--issuer",
        "company",
        "--no-input",
    ]);
    let mut login = Running::new(
        login
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let code = hoop_tests::read_user_code(login.child().stderr.take().unwrap());
    provider.approve(&code, person);
    let finished = login.finish();
    let who = if finished.code == 0 {
        somebody.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json()
    } else {
        serde_json::Value::Null
    };
    (finished, who)
}

#[test]
fn people_log_in_at_a_real_openid_provider() {
    let provider = OidcProvider::start();
    let world = World::new()
        .config(&format!(
            "[[identity_provider]]\nname = \"company\"\nissuer = \"{}\"\nclient_id = \"hoopctl\"\nscopes = [\"email\"]\nusername_claim = \"email\"\n",
            provider.issuer
        ))
        .start();
    let (finished, who) = log_in_at_a_real_provider(&world, &provider, "carol");
    finished.expect_code(0);
    assert_eq!(who["principal"], "carol@example.com");
    assert_eq!(who["groups"], serde_json::json!(["dba", "platform"]));
    for refused in ["dave", "erin"] {
        let (finished, _) = log_in_at_a_real_provider(&world, &provider, refused);
        assert_ne!(
            finished.code, 0,
            "{refused} must not be let in: unverified mail, group overage"
        );
    }
}

/// What was said of new logins.
fn told(done: &hoop_tests::Finished) -> usize {
    done.stderr.matches("new login as ana").count()
}

#[test]
fn a_new_login_is_told_to_its_principal_at_the_next_command_and_only_once() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let other = world.person("ana");
    assert_eq!(told(&bo.hoopctl(&["ls"])), 0, "others need not know");
    let first = ana.hoopctl(&["ls", "-o", "json"]).expect_code(0);
    assert_eq!(told(&first), 1, "{}", first.stderr);
    assert!(first.json().is_array(), "JSON is as ever");
    for part in ["from 127.0.0.1", "on the machine \"", "`hoopctl logout --all`"] {
        assert!(first.stderr.contains(part), "{part} is not in: {}", first.stderr);
    }
    assert_eq!(told(&ana.hoopctl(&["ls"])), 0, "once is enough");
    assert_eq!(told(&other.hoopctl(&["ls"])), 0, "it is older than this login");

    world.person("ana");
    assert_eq!(told(&ana.psql("SELECT 1").expect_code(0)), 1, "a tunnel tells it too");
    world.person("ana");
    assert_eq!(told(&ana.hoopctl(&["status"]).expect_code(0)), 1);
    world.person("ana");
    assert_eq!(told(&ana.hoopctl(&["ls", "--quiet"]).expect_code(0)), 0);
    world.person("ana");
    let failed = ana.hoopctl(&["requests", "show", "r-000000000000", "-o", "json"]);
    assert_eq!(told(&failed), 1, "{}", failed.stderr);
    let last = failed.stderr.lines().last().unwrap();
    let error: serde_json::Value = serde_json::from_str(last).expect("the last line is the error in JSON");
    assert!(error["error"]["code"].is_string(), "{last}");
    world.person("ana");
    let who = ana.hoopctl(&["whoami", "-o", "json"]).expect_code(0);
    assert_eq!(who.json()["new_logins"].as_array().unwrap().len(), 1);
    assert_eq!(told(&who), 1, "{}", who.stderr);
}

#[test]
fn logout_all_ends_every_login_of_the_principal_and_no_other() {
    let world = World::start();
    let (ana, stranger, bo) = (world.person("ana"), world.person("ana"), world.person("bo"));
    ana.hoopctl(&["logout", "--all"]).expect_code(0);
    let ended = stranger.psql("SELECT 1");
    assert_eq!(ended.code, 244, "{}", ended.stderr);
    assert_eq!(stranger.hoopctl(&["ls"]).code, 4);
    bo.hoopctl(&["ls"]).expect_code(0);
    let nobody = ana.hoopctl(&["logout", "--all"]);
    assert_eq!(
        nobody.code, 4,
        "who is not logged in can end nothing: {}",
        nobody.stderr
    );
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let mut world = World::start();
    let home = world.person("ana").home().to_owned();
    world.signal("KILL");
    world.wait_for_the_relays_end();
    let done = world.returning(home).hoopctl(&["doctor", "-o", "json"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let checks = done.json();
    let wrong: Vec<&serde_json::Value> = checks
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["ok"] == false)
        .collect();
    assert!(!wrong.is_empty(), "{checks}");
    for check in wrong {
        assert!(check["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{check}");
    }
}
