//! A job that never says `login`: `exec` takes the workload token that is at hand, and the commands of a job share one login.

use hoop_tests::{Finished, Job, Platform, World};
use serde_json::json;

const POLICY: &str = r#"
@id("ci-connects") permit (principal in Hoop::Group::"ci", action == Hoop::Action::"connect", resource);
@id("ci-reads") permit (principal in Hoop::Group::"ci", action in Hoop::Action::"sql:read", resource);
"#;

fn world_of(platform: &Platform) -> World {
    World::new()
        .config(&format!(
            "[[workload_identity]]\nname = \"ci\"\nissuer = \"{}\"\naudience = \"hoop\"\ngroups = {{ ci = {{ repository = \"acme/shop\" }} }}\n",
            platform.issuer
        ))
        .more_policy(POLICY)
        .start()
}

fn job(world: &World) -> Job {
    let mut job = Job::new(world);
    job.variable("HOOPCTL_RELAY", &world.relay);
    job
}

fn bash(job: &Job, script: &str) -> Finished {
    job.run(&["bash", "-euc"], script)
}

/// How many logins a job's commands say that they made.
fn logins(done: &Finished) -> usize {
    done.stderr.matches("logged in at ").count()
}

#[test]
fn exec_logs_in_with_the_token_of_a_variable_a_file_or_github() {
    let platform = Platform::start();
    let world = world_of(&platform);
    let sql = "SELECT count(*) AS n FROM orders";
    let ask = format!(
        "hoopctl exec db-prod -o csv -c '{sql}'; hoopctl exec db-prod -o csv -c '{sql}'; hoopctl whoami -o json >&2"
    );
    let expect = |job: &Job, principal: &str| {
        let done = bash(job, &ask).expect_code(0);
        assert_eq!(done.stdout, "n\n1000\nn\n1000\n");
        assert_eq!(logins(&done), 1, "{}", done.stderr);
        assert!(
            done.stderr.contains(&format!("\"principal\":\"{principal}\"")),
            "{}",
            done.stderr
        );
    };
    let mut with_variable = job(&world);
    let token = platform.mint(&json!({"claims": {"sub": "of the variable"}}));
    with_variable.variable("HOOPCTL_ID_TOKEN", &token);
    expect(&with_variable, "ci:of the variable");
    let mut with_file = job(&world);
    let token = platform.mint(&json!({"claims": {"sub": "of the file", "jti": "(absent)"}}));
    with_file
        .projected("token", &token)
        .variable("HOOPCTL_ID_TOKEN_FILE", "/var/run/secrets/hoop/token");
    expect(&with_file, "ci:of the file");
    let mut with_github = job(&world);
    for (name, value) in platform.github_variables() {
        with_github.variable(&name, &value);
    }
    expect(&with_github, "ci:repo:acme/shop:ref:refs/heads/main");
    // A client of one's own gets the same login; without a token there is none, and the hint says what to do.
    let done = bash(&with_github, "hoopctl exec db-prod -- psql -XqAtc 'SELECT 6 * 7'").expect_code(0);
    assert_eq!((done.stdout.trim(), logins(&done)), ("42", 0), "{}", done.stderr);
    let without = bash(&job(&world), "hoopctl exec db-prod -o json -c 'SELECT 1'").expect_code(4);
    assert!(
        without.stderr.contains("\"code\":\"login_needed\""),
        "{}",
        without.stderr
    );
    let client = bash(&job(&world), "hoopctl exec db-prod -- psql -c 'SELECT 1'").expect_code(244);
    assert!(client.stderr.contains("hoopctl login"), "{}", client.stderr);
}

#[test]
fn commands_that_start_at_once_share_one_login_though_the_token_is_for_one_key() {
    let platform = Platform::start();
    let world = world_of(&platform);
    let mut job = job(&world);
    job.variable("HOOPCTL_ID_TOKEN", &platform.token("github", "hoop"));
    let done = bash(
        &job,
        "for n in $(seq 12); do hoopctl exec db-prod -o csv -c \"SELECT $n AS n\" >/tmp/out.$n & pids=\"${pids:-} $!\"; done\n\
         for pid in $pids; do wait $pid; done\ncat /tmp/out.* | grep -v n | sort -n | tr '\\n' ' '",
    )
    .expect_code(0);
    assert_eq!(done.stdout, "1 2 3 4 5 6 7 8 9 10 11 12 ");
    assert_eq!(logins(&done), 1, "{}", done.stderr);
    let listed = bash(&job, "hoopctl sessions ls -o json").expect_code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 12);
    // Of the token nothing is kept.
    let kept = bash(&job, "cat /tmp/hoopctl-*/credentials/*").expect_code(0).stdout;
    assert!(kept.contains("CERTIFICATE") && !kept.contains("eyJ"), "{kept}");
}

#[test]
fn a_home_that_is_read_only_is_no_obstacle() {
    let platform = Platform::start();
    let world = world_of(&platform);
    let twice = "hoopctl exec db-prod -o csv -c 'SELECT 1 AS a'; hoopctl exec db-prod -o csv -c 'SELECT 2 AS a'";
    // Container runtimes set HOME, also where the file system is read-only: then the temporary directory is taken.
    let mut with_home = job(&world);
    with_home
        .variable("HOME", "/root")
        .variable("HOOPCTL_ID_TOKEN", &platform.token("github", "hoop"));
    let done = bash(&with_home, twice).expect_code(0);
    assert_eq!(
        (done.stdout.as_str(), logins(&done)),
        ("a\n1\na\n2\n", 1),
        "{}",
        done.stderr
    );
    bash(
        &with_home,
        "test -d /tmp/hoopctl-$(id -u)/credentials; hoopctl login --workload; hoopctl whoami",
    )
    .expect_code(0);
    // Nowhere to keep anything: each command logs in for itself, with a token of its own where the platform gives one.
    let mut nowhere = job(&world);
    nowhere.variable("HOOPCTL_CONFIG_DIR", "/nothing/here");
    for (name, value) in platform.github_variables() {
        nowhere.variable(&name, &value);
    }
    let done = bash(&nowhere, twice).expect_code(0);
    assert_eq!(
        (done.stdout.as_str(), logins(&done)),
        ("a\n1\na\n2\n", 2),
        "{}",
        done.stderr
    );
    let mut no_temporary = job(&world);
    no_temporary.variable("TMPDIR", "/usr");
    for (name, value) in platform.github_variables() {
        no_temporary.variable(&name, &value);
    }
    let done = bash(&no_temporary, twice).expect_code(0);
    assert_eq!(
        (done.stdout.as_str(), logins(&done)),
        ("a\n1\na\n2\n", 2),
        "{}",
        done.stderr
    );
    // With one token for all, only the first has one: what is missing is said.
    let mut one_token = job(&world);
    one_token
        .variable("HOOPCTL_CONFIG_DIR", "/nothing/here")
        .variable("HOOPCTL_ID_TOKEN", &platform.token("github", "hoop"));
    let done = bash(&one_token, twice).expect_code(4);
    assert_eq!(done.stdout, "a\n1\n");
    assert!(
        done.stderr.contains("used with another key before") && done.stderr.contains("set HOOPCTL_CONFIG_DIR"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_login_of_a_profile_comes_before_a_token() {
    let platform = Platform::start();
    let world = world_of(&platform);
    let ana = world.person("ana");
    let token = platform.token("github", "hoop");
    let exec = |person: &hoop_tests::Person<'_>| {
        let mut command = person.command(&["exec", "db-prod", "-o", "csv", "-c", "SELECT 1 AS a"]);
        hoop_tests::run(
            command
                .env("HOOPCTL_ID_TOKEN", &token)
                .env("HOOPCTL_RELAY", &world.relay)
                .env("HOOPCTL_CA_FILE", &world.ca),
        )
    };
    assert_eq!(logins(&exec(&ana).expect_code(0)), 0);
    assert_eq!(ana.hoopctl(&["whoami", "-o", "json"]).json()["principal"], "ana");
    let other = world.stranger();
    assert_eq!(logins(&exec(&other).expect_code(0)), 1);
    assert_eq!(other.hoopctl(&["whoami", "-o", "json"]).json()["kind"], "workload");
}
