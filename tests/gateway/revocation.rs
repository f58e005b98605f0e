//! How rights end while a session runs: revoked, killed, no longer permitted. Each is measured; the promise is a second.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hoop_tests::{OidcProvider, POLICY, Person, Running, World, eventually, read_user_code, run};

/// Far more than the promise: what is tested is that it ends, what is printed is how soon.
const DEADLINE: Duration = Duration::from_secs(20);

/// Starts a statement that takes longer than the test, and waits until its session is there.
fn long_statement(somebody: &Person<'_>) -> (Running, String) {
    let mut psql = somebody.psql_command(&["-qAt", "-c", "SELECT pg_sleep(50)"]);
    let child = psql
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let psql = Running::new(child.unwrap());
    let id = eventually("the session is there", || {
        let listed = somebody
            .hoopctl(&["sessions", "ls", "-o", "json"])
            .expect_code(0)
            .json();
        listed.as_array()?.iter().find(|session| session["ended"].is_null())?["id"]
            .as_str()
            .map(str::to_owned)
    });
    (psql, id)
}

/// Waits for the end of a client, and says how long it took.
#[track_caller]
fn ends_as_revoked(mut psql: Running, what: &str) -> String {
    let begun = Instant::now();
    while !psql.ended() {
        assert!(begun.elapsed() < DEADLINE, "{what}: the session lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
    eprintln!("{what}: the client ended after {} ms", begun.elapsed().as_millis());
    psql.finish().expect_code(250).stderr
}

#[test]
fn an_operators_revocation_ends_sessions_and_is_listed() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let data = world.data().display().to_string();
    let (psql, _) = long_statement(&ana);
    let told = run(&mut world.relay_command(&["users", "revoke", "ana", "--data", &data])).expect_code(0);
    let said = ends_as_revoked(psql, "users revoke");
    assert!(told.stdout.contains("revoked 1 login"), "{}", told.stdout);
    assert!(said.contains("its login was revoked"), "{said}");
    assert_eq!(ana.hoopctl(&["whoami"]).code, 4);
    assert_eq!(ana.hoopctl(&["connect", "db-prod", "--", "true"]).code, 244);
    bo.hoopctl(&["whoami"]).expect_code(0);
    let list = || {
        run(&mut world.relay_command(&["users", "ls", "--data", &data, "-o", "json"]))
            .expect_code(0)
            .json()
    };
    let state = |name: &str| {
        let listed = list();
        let found = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|user| user["principal"] == name)
            .cloned();
        found.unwrap_or_else(|| panic!("no {name} in {listed}"))
    };
    assert_eq!(
        (state("ana")["state"].as_str(), state("ana")["revoked_by"].as_str()),
        (Some("revoked"), Some("operator"))
    );
    assert_eq!(
        (state("bo")["state"].as_str(), state("bo")["groups"][0].as_str()),
        (Some("valid"), Some("dba"))
    );
    // The name is still ana's: she may come back.
    world.person("ana").hoopctl(&["whoami"]).expect_code(0);
    assert_eq!(state("ana")["state"], "valid");
    let nobody = run(&mut world.relay_command(&["users", "revoke", "nobody", "--data", &data]));
    assert_eq!(nobody.code, 1, "{}", nobody.stderr);
}

#[test]
fn a_session_is_killed_by_its_owner_and_by_who_is_permitted_and_by_nobody_else() {
    let world = World::new()
        .more_policy("@id(\"dba-kills\") permit (principal in Hoop::Group::\"dba\", action == Hoop::Action::\"kill\", resource in Hoop::Tag::\"env:demo\");\n")
        .start();
    let (ana, bo, agent) = (world.person("ana"), world.person("bo"), world.person("agent"));
    let (psql, id) = long_statement(&ana);
    assert_ne!(agent.hoopctl(&["sessions", "kill", &id]).code, 0);
    bo.hoopctl(&["sessions", "kill", &id]).expect_code(0);
    let said = ends_as_revoked(psql, "sessions kill");
    assert!(said.contains("ended by bo"), "{said}");
    let (psql, id) = long_statement(&ana);
    ana.hoopctl(&["sessions", "kill", &id]).expect_code(0);
    ends_as_revoked(psql, "sessions kill by its owner");
}

#[test]
fn a_policy_that_no_longer_permits_connect_ends_sessions() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let (of_ana, _) = long_statement(&ana);
    let (mut of_bo, _) = long_statement(&bo);
    world.write_policy(
        &POLICY
            .replace(" || principal in Hoop::Group::\"agents\"", "")
            .replace("\"engineers\"", "\"nobody\""),
    );
    assert!(world.reload());
    let said = ends_as_revoked(of_ana, "a policy that no longer permits");
    assert!(said.contains("policy no longer permits this connection"), "{said}");
    assert_eq!(ana.hoopctl(&["connect", "db-prod", "--", "true"]).code, 245);
    assert!(!of_bo.ended(), "bo is still permitted");
    // A policy file with an error changes nothing.
    world.write_policy("permit (principal, action, resource);");
    assert!(!world.reload());
    assert!(!of_bo.ended());
}

#[test]
fn a_group_that_the_provider_took_away_ends_sessions_at_the_next_login() {
    let provider = OidcProvider::start();
    let world = World::new()
        .config(&format!(
            "[[identity_provider]]\nname = \"company\"\nissuer = \"{}\"\nclient_id = \"hoopctl\"\nscopes = [\"email\"]\n",
            provider.issuer
        ))
        .start();
    let log_in = |somebody: &Person<'_>| {
        let ca = world.ca.display().to_string();
        let mut login = somebody.command(&["login", &world.relay, "--ca", &ca, "--issuer", "company", "--no-input"]);
        let child = login
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut login = Running::new(child.unwrap());
        let code = read_user_code(login.child().stderr.take().unwrap());
        provider.approve(&code, "ivan");
        login.finish().expect_code(0);
    };
    let (laptop, phone) = (world.stranger(), world.stranger());
    log_in(&laptop);
    let (psql, _) = long_statement(&laptop);
    // ivan is a guest by now, and guests may not connect.
    log_in(&phone);
    let said = ends_as_revoked(psql, "a group that was taken away");
    assert!(said.contains("policy no longer permits this connection"), "{said}");
    // The older certificate has not kept the group either.
    assert_eq!(laptop.hoopctl(&["connect", "db-prod", "--", "true"]).code, 245);
}
