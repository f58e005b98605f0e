//! Plain SQL that a policy permits is not refused, and gives what it gives without a relay.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hoop_tests::{Cluster, Database, Finished, PASSWORD, ROLE, Running, World};

/// Whatever can be read.
const READABLE: &str = r#"
@id("readable") permit (principal, action, resource) unless { action == Hoop::Action::"sql:unknown" };
"#;

/// Statements of every family, one to a paragraph.
fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gateway/plain.sql")
}

/// Lets the relay's role do in a database what its owner may.
fn give(database: &Database) {
    database.psql(&format!(
        "ALTER DATABASE {} OWNER TO {ROLE}; ALTER SCHEMA public OWNER TO {ROLE}; ALTER TABLE customers OWNER TO {ROLE}; \
         ALTER TABLE orders OWNER TO {ROLE}; ALTER VIEW open_orders OWNER TO {ROLE}",
        database.name
    ));
}

fn direct(database: &Database) -> String {
    let port = Cluster::get().port();
    format!("postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{}", database.name)
}

/// Much is made and dropped, after each of which names are learnt again.
const LIMIT: Duration = Duration::from_secs(300);

fn finish(command: &mut Command) -> Finished {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running::new(child.unwrap()).finish_within(LIMIT)
}

#[track_caller]
fn assert_same(direct: &str, through: &str) {
    for (number, (here, there)) in direct.lines().zip(through.lines()).enumerate() {
        let from = number.saturating_sub(8);
        let before: Vec<&str> = direct.lines().skip(from).take(number - from).collect();
        assert_eq!(here, there, "line {number}, behind:\n{}", before.join("\n"));
    }
    assert_eq!(direct.lines().count(), through.lines().count());
}

#[test]
fn statements_of_every_family_give_what_they_give_directly() {
    let world = World::new().policy(READABLE).start();
    let other = Cluster::get().database();
    give(&world.database);
    give(&other);
    let ana = world.person("ana");
    let text = std::fs::read_to_string(corpus()).unwrap();
    let script: String = text
        .split("\n\n")
        .map(|statement| format!("{};\n", statement.trim()))
        .collect();
    let file = world.folder().join("plain.sql");
    std::fs::write(&file, script).unwrap();
    let file = file.display().to_string();
    let mut psql = Command::new(Cluster::get().program("psql"));
    psql.args(["-X", "-a", "-f", &file, "-d", &direct(&other)]);
    let [here, there] = [psql, ana.psql_command(&["-a", "-f", &file])].map(|mut command| finish(&mut command));
    assert!(here.stdout.lines().count() > 800, "{}", here.stdout);
    assert_same(&here.stderr, &there.stderr);
    assert_same(&here.stdout, &there.stdout);
}

#[test]
fn so_they_do_by_the_extended_protocol() {
    let python = std::env::var_os("HOOP_TEST_PYTHON").expect("tests/run.sh sets HOOP_TEST_PYTHON");
    let world = World::new().policy(READABLE).start();
    let other = Cluster::get().database();
    give(&world.database);
    give(&other);
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gateway/plain.py");
    let (program, corpus) = (program.display().to_string(), corpus().display().to_string());
    let here = finish(
        Command::new(&python)
            .args([&program, &corpus])
            .env("DATABASE_URL", direct(&other)),
    )
    .expect_code(0);
    let ana = world.person("ana");
    let python = python.to_string_lossy();
    let mut through = ana.command(&["connect", "db-prod", "--", &python, &program, &corpus]);
    let there = finish(&mut through).expect_code(0);
    assert!(here.stdout.lines().count() > 500, "{}", here.stdout);
    assert_same(&here.stdout, &there.stdout);
}
