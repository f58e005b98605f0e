//! Two sessions of one role at a target: what names mean changes in one of them between the moment that the relay reads a statement
//! of the other and the moment that the server does.

use std::time::{Duration, Instant};

use hoop_tests::message::{bind, execute, parse, query, run, sync};
use hoop_tests::{Wire, World};

/// Everything but what is masked, and what could not be read.
const POLICY: &str = r#"
@id("all") permit (principal, action, resource)
unless { action == Hoop::Action::"unmask" || action == Hoop::Action::"sql:infer" || action == Hoop::Action::"sql:unknown" };
"#;

const MASKS: &str = "[[mask]]\ncolumns = [\"public.customers.ssn\"]\nwith = \"redact\"\n";

/// A masked value.
const SSN: &str = "105-15-1035";

/// How long the other session is given to be where it waits.
const MEANWHILE: Duration = Duration::from_millis(500);

fn world() -> World {
    world_under(POLICY)
}

/// What the attacks need. The views of `secret` show what is masked under harmless names; those of `v` are harmless.
fn world_under(policy: &str) -> World {
    let world = World::new().policy(policy).config(MASKS).start();
    let role = "shop_gateway";
    world.database.psql(&format!(
        "CREATE SCHEMA scratch AUTHORIZATION {role}; CREATE SCHEMA second AUTHORIZATION {role}; GRANT CREATE ON DATABASE {} TO {role};
         SET ROLE {role};
         CREATE VIEW scratch.v AS SELECT 'harmless'::text AS s; CREATE VIEW scratch.outer AS SELECT s FROM scratch.v;
         CREATE VIEW scratch.secret AS SELECT ssn AS s FROM public.customers;
         CREATE VIEW scratch.pair AS SELECT ssn AS hidden, 'harmless'::text AS s FROM public.customers;
         CREATE VIEW second.late AS SELECT 'harmless'::text AS s; CREATE TABLE scratch.plain (s text);
         CREATE TABLE scratch.part (s text) PARTITION BY LIST (s)",
        world.database.name
    ));
    world
}

fn replaced(view: &str) -> String {
    format!("CREATE OR REPLACE VIEW {view} AS SELECT ssn AS s FROM public.customers")
}

/// The changes are made in a transaction, the reading is sent, the transaction commits: gives what the reader saw.
fn raced(world: &World, prepared: &[&str], changes: &[&str], read: &[Vec<u8>], answers: usize) -> String {
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    for statement in prepared {
        let ready = reader.query(statement);
        assert!(ready.errors().is_empty(), "{statement}: {}", ready.text());
    }
    writer.query("BEGIN");
    for statement in changes {
        let done = writer.query(statement);
        assert!(done.errors().is_empty(), "{statement}: {}", done.text());
    }
    let parts: Vec<&[u8]> = read.iter().map(Vec::as_slice).collect();
    reader.send(&parts);
    std::thread::sleep(MEANWHILE);
    let done = writer.query("COMMIT");
    assert!(done.errors().is_empty(), "{}", done.text());
    reader.answers(answers).text()
}

#[track_caller]
fn hidden(seen: &str) {
    assert!(!seen.contains(SSN), "{seen}");
    // It was answered, in one way or another.
    assert!(
        seen.contains("***") || seen.contains("sql:infer") || seen.contains("ERROR"),
        "{seen}"
    );
}

#[test]
fn a_statement_that_waits_for_a_lock_is_read_again_behind_it() {
    let view = replaced("scratch.v");
    let reads = "SELECT s || '' FROM scratch.v";
    let renamed = [
        "ALTER VIEW scratch.v RENAME TO w",
        "ALTER VIEW scratch.secret RENAME TO v",
    ];
    let moved = [
        "ALTER VIEW scratch.v SET SCHEMA second",
        "ALTER VIEW scratch.secret RENAME TO v",
    ];
    let columns = [
        "ALTER VIEW scratch.pair RENAME COLUMN s TO other",
        "ALTER VIEW scratch.pair RENAME COLUMN hidden TO s",
    ];
    let made_again = ["DROP VIEW scratch.v CASCADE", &view];
    let rule = [
        "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO scratch.v DO INSTEAD SELECT ssn AS s FROM public.customers",
    ];
    let table = [
        "ALTER TABLE scratch.plain RENAME TO gone",
        "ALTER VIEW scratch.secret RENAME TO plain",
    ];
    let cases: &[(&[&str], &str)] = &[
        (&[&view], reads),
        (&[&view], "SELECT s || '' FROM scratch.outer"),
        (&[&view], "COPY (SELECT s || '' FROM scratch.v) TO STDOUT"),
        (&[&view], "COPY (SELECT s FROM scratch.v) TO STDOUT"),
        (
            &[&view],
            "BEGIN; DECLARE c CURSOR FOR SELECT s || '' FROM scratch.v; FETCH ALL FROM c",
        ),
        (&[&view], "PREPARE p AS SELECT s || '' FROM scratch.v; EXECUTE p"),
        (
            &[&view],
            "CREATE TEMP TABLE t AS SELECT s || '' AS s FROM scratch.v; SELECT s FROM t",
        ),
        (&[&view], "INSERT INTO second.kept SELECT s FROM scratch.v"),
        (&renamed, reads),
        (&moved, reads),
        (&columns, "SELECT s || '' FROM scratch.pair"),
        (&made_again, reads),
        (&rule, reads),
        (&table, "SELECT s || '' FROM scratch.plain"),
        (&table, "COPY scratch.plain TO STDOUT"),
    ];
    for (changes, read) in cases {
        let world = world();
        world
            .database
            .psql("CREATE TABLE second.kept (s text); GRANT ALL ON second.kept TO shop_gateway");
        let seen = raced(&world, &[], changes, &[query(read)], 1);
        assert!(!seen.contains(SSN), "{changes:?} {read}: {seen}");
        let kept = world.database.psql("SELECT s FROM second.kept");
        assert!(!kept.contains(SSN), "{changes:?} {read}: {kept}");
        let seen = Wire::open(&world.person("agent"))
            .query("SELECT s || '' FROM scratch.v")
            .text();
        assert!(!seen.contains(SSN), "{seen}");
    }
}

#[test]
fn a_prepared_statement_that_waits_for_a_lock_is_read_again_behind_it() {
    let view = replaced("scratch.v");
    let reads = "SELECT s || '' FROM scratch.v";
    let runs: &[(&[&str], Vec<u8>)] = &[
        (&["PREPARE p AS SELECT s || '' FROM scratch.v"], query("EXECUTE p")),
        (
            &["PREPARE p AS SELECT s || '' FROM scratch.v", "EXECUTE p", "EXECUTE p"],
            [bind("", "p", &[]), execute("", 0), sync()].concat(),
        ),
        (&[], [run(reads), sync()].concat()),
        (
            &[],
            [
                parse("", reads, &[]),
                bind("", "", &[]),
                execute("", 1),
                execute("", 0),
                sync(),
            ]
            .concat(),
        ),
        // The first of them has waited already when the second comes.
        (&[], [run("SELECT pg_sleep(0)"), run(reads), sync()].concat()),
    ];
    for (prepared, read) in runs {
        let world = world();
        let seen = raced(&world, prepared, &[&view], std::slice::from_ref(read), 1);
        hidden(&seen);
    }
}

#[test]
fn what_a_message_comes_to_late_is_still_what_was_read() {
    let cases = [
        (replaced("scratch.v"), "SELECT s || '' FROM scratch.v"),
        ("CREATE VIEW scratch.late AS SELECT ssn AS s FROM public.customers".to_owned(), "SELECT s || '' FROM late"),
        (
            "CREATE VIEW scratch.made AS SELECT 1; CREATE OR REPLACE VIEW scratch.v AS SELECT ssn AS s FROM public.customers".to_owned(),
            "SELECT s || '' FROM scratch.outer",
        ),
        (
            "CREATE FUNCTION scratch.shout(text) RETURNS text LANGUAGE sql AS 'SELECT max(ssn) FROM public.customers'; \
             ALTER FUNCTION scratch.shout(text) RENAME TO upper2"
                .to_owned(),
            "SELECT s || '' FROM scratch.v",
        ),
    ];
    for (change, read) in cases {
        let world = world();
        let agent = world.person("agent");
        let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
        reader.query("SET search_path = scratch, second, public");
        reader.send(&[&query(&format!("SELECT pg_sleep(1.5); {read}"))]);
        std::thread::sleep(MEANWHILE);
        let changed = writer.query(&change);
        let seen = reader.answers(1).text();
        assert!(!seen.contains(SSN), "{read}: {seen}");
        // Nothing of it fails for it: one is done behind the other.
        assert!(changed.errors().is_empty(), "{change}: {}", changed.text());
        assert!(seen.contains("harmless"), "{read}: {seen}");
    }
}

#[test]
fn a_transaction_that_changed_names_itself_sees_what_others_change() {
    let world = world();
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    reader.query("SET search_path = scratch, second, public");
    reader.query("BEGIN");
    reader.query("CREATE TABLE scratch.mine (id int)");
    assert!(reader.query("SELECT count(*) FROM scratch.mine").errors().is_empty());
    let done = writer.query("CREATE VIEW scratch.late AS SELECT ssn AS s FROM public.customers");
    assert!(done.errors().is_empty(), "{}", done.text());
    hidden(&reader.query("SELECT s || '' FROM late").text());
}

#[test]
fn a_schema_that_the_search_path_names_in_advance_is_found_once_it_is_there() {
    let world = world();
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    reader.query("SET search_path = early, second, public");
    assert!(reader.query("SELECT s || '' FROM late").text().contains("harmless"));
    for change in [
        "CREATE SCHEMA early",
        "CREATE VIEW early.late AS SELECT ssn AS s FROM public.customers",
    ] {
        let done = writer.query(change);
        assert!(done.errors().is_empty(), "{change}: {}", done.text());
    }
    hidden(&reader.query("SELECT s || '' FROM late").text());
    // A schema may also be kept from the role, and given back.
    for (schema, change) in [
        ("second", "REVOKE USAGE ON SCHEMA early FROM shop_gateway"),
        ("early", "GRANT USAGE ON SCHEMA early TO shop_gateway"),
    ] {
        let done = writer.query(change);
        assert!(done.errors().is_empty(), "{change}: {}", done.text());
        let seen = reader.query("SELECT s || '' FROM late").text();
        assert!(!seen.contains(SSN), "{schema}: {seen}");
        assert_eq!(schema == "second", seen.contains("harmless"), "{schema}: {seen}");
    }
}

#[test]
fn a_held_statement_is_compared_behind_what_it_waits_for() {
    let policy = format!(
        "{}\n@id(\"held\") @approvers(\"dba\") permit (principal, action in Hoop::Action::\"sql:write\", resource in Hoop::Schema::\"db-prod/public\");",
        POLICY.replace(
            "|| action ==",
            "|| (action in Hoop::Action::\"sql:write\" && resource in Hoop::Schema::\"db-prod/public\") || action =="
        )
    );
    let world = world_under(&policy);
    world.database.psql("GRANT UPDATE ON public.orders TO shop_gateway");
    let (agent, bo) = (world.person("agent"), world.person("bo"));
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    let held = reader
        .query("UPDATE public.orders SET item = (SELECT max(s) FROM scratch.v) WHERE id = 7 RETURNING item || ''");
    assert!(held.holds(), "{}", held.text());
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    writer.query("BEGIN");
    let done = writer.query(&replaced("scratch.v"));
    assert!(done.errors().is_empty(), "{}", done.text());
    bo.hoopctl(&["approve", &id]).expect_code(0);
    std::thread::sleep(MEANWHILE);
    writer.query("COMMIT");
    let seen = reader.answers(1).text();
    assert!(seen.contains("void"), "{seen}");
    let item = world.database.psql("SELECT item FROM public.orders WHERE id = 7");
    assert!(
        !item.contains('-') || !item.trim().starts_with(char::is_numeric),
        "{item}"
    );
}

#[test]
fn a_held_change_waits_for_what_was_read_without_it() {
    let policy = format!(
        "{}\n@id(\"held\") @approvers(\"dba\") permit (principal, action in Hoop::Action::\"sql:ddl\", resource);",
        POLICY.replace("|| action ==", "|| action in Hoop::Action::\"sql:ddl\" || action ==")
    );
    let world = world_under(&policy);
    let (agent, bo) = (world.person("agent"), world.person("bo"));
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    let held = writer.query(&replaced("scratch.v"));
    assert!(held.holds(), "{}", held.text());
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    reader.send(&[&query("SELECT pg_sleep(3); SELECT s || '' FROM scratch.v")]);
    std::thread::sleep(MEANWHILE);
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let seen = reader.answers(1).text();
    assert!(!seen.contains(SSN) && seen.contains("harmless"), "{seen}");
    let done = writer.answers(1);
    assert!(done.errors().is_empty(), "{}", done.text());
    hidden(&reader.query("SELECT s || '' FROM scratch.v").text());
}

#[test]
fn a_run_waits_as_a_session_does() {
    let world = world();
    let agent = world.person("agent");
    let mut writer = Wire::open(&agent);
    writer.query("BEGIN");
    writer.query(&replaced("scratch.v"));
    let mut command = agent.command(&[
        "exec",
        "db-prod",
        "--reason",
        "test",
        "-c",
        "SELECT s || '' FROM scratch.v",
    ]);
    let child = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(MEANWHILE * 4);
    writer.query("COMMIT");
    let output = child.wait_with_output().unwrap();
    let seen = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!seen.contains(SSN) && seen.contains("***"), "{seen}");
}

#[test]
fn what_is_not_concerned_does_not_wait() {
    let world = world();
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    let started = Instant::now();
    reader.send(&[&query("SELECT pg_sleep(6), s FROM scratch.v")]);
    std::thread::sleep(MEANWHILE);
    for statement in [
        "CREATE TABLE scratch.unrelated (id int PRIMARY KEY, s text)",
        "CREATE INDEX unrelated_s ON scratch.unrelated (s)",
        "ALTER TABLE scratch.unrelated ADD COLUMN v text",
        "CREATE FUNCTION scratch.of_mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON VIEW scratch.v IS 'read by many'",
        "DROP TABLE scratch.unrelated",
        "BEGIN",
        "CREATE TABLE scratch.unrelated (id int)",
    ] {
        let done = writer.query(statement);
        assert!(done.errors().is_empty(), "{statement}: {}", done.text());
    }
    // Who reads does not wait for a transaction that changes other names, nor a session for itself.
    let mut third = Wire::open(&agent);
    assert!(third.query("SELECT s FROM scratch.v").errors().is_empty());
    assert!(
        writer
            .query("SELECT count(*) FROM scratch.unrelated")
            .errors()
            .is_empty()
    );
    writer.send(&[
        &query("DROP TABLE scratch.unrelated"),
        &query("ROLLBACK"),
        &query("SELECT s FROM scratch.v"),
    ]);
    let all = writer.answers(3);
    assert!(all.errors().is_empty(), "{}", all.text());
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(reader.answers(1).errors().is_empty());
}

#[test]
fn who_waits_too_long_is_told_to_try_again() {
    let world = world();
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    writer.query("BEGIN");
    writer.query("ALTER TABLE scratch.plain ADD COLUMN more text");
    reader.query("BEGIN");
    let refused = reader.query("SELECT s || '' FROM scratch.plain");
    assert!(refused.errors()[0].contains("another session"), "{}", refused.text());
    assert!(refused.errors()[0].contains("55P03"), "{}", refused.text());
    reader.query("ROLLBACK");
    // What it may do next does not depend on the other.
    assert!(reader.query("SELECT s FROM second.late").errors().is_empty());
    writer.query("ROLLBACK");
    let seen = reader.query("SELECT s || '' FROM scratch.plain").text();
    assert!(seen.contains("SELECT 0"), "{seen}");
}

#[test]
fn two_sessions_that_wait_for_each_other_both_go_on() {
    let world = world();
    let agent = world.person("agent");
    let (mut one, mut two) = (Wire::open(&agent), Wire::open(&agent));
    one.query("BEGIN");
    one.query("ALTER TABLE scratch.plain ADD COLUMN a int");
    two.query("BEGIN");
    two.query("ALTER TABLE scratch.part ADD COLUMN a int");
    one.send(&[&query("SELECT count(*) FROM scratch.part")]);
    two.send(&[&query("SELECT count(*) FROM scratch.plain")]);
    let (first, second) = (one.answers(1), two.answers(1));
    let failed = first.errors().len() + second.errors().len();
    assert!((1..=2).contains(&failed), "{}{}", first.text(), second.text());
    one.query("ROLLBACK");
    two.query("ROLLBACK");
    assert!(one.query("SELECT count(*) FROM scratch.part").errors().is_empty());
}

#[test]
fn a_session_that_ends_leaves_nothing_closed() {
    let world = world();
    let agent = world.person("agent");
    let (mut writer, mut reader) = (Wire::open(&agent), Wire::open(&agent));
    writer.query("BEGIN");
    writer.query(&replaced("scratch.v"));
    reader.send(&[&query("SELECT s || '' FROM scratch.v")]);
    std::thread::sleep(MEANWHILE);
    drop(writer);
    let seen = reader.answers(1).text();
    assert!(seen.contains("harmless"), "{seen}");
    // One that waits and goes takes nothing with it.
    let (mut writer, mut waiting) = (Wire::open(&agent), Wire::open(&agent));
    writer.query("BEGIN");
    writer.query(&replaced("scratch.v"));
    waiting.send(&[&query(&replaced("scratch.v"))]);
    std::thread::sleep(MEANWHILE);
    drop(waiting);
    writer.query("COMMIT");
    hidden(&reader.query("SELECT s || '' FROM scratch.v").text());
}

#[test]
fn a_change_that_outlives_its_session_is_not_forgotten() {
    let world = world();
    let agent = world.person("agent");
    let mut lock = Wire::open(&agent);
    // The change waits at the server for a lock that the relay does not know, and its session ends meanwhile.
    let blocker = std::thread::spawn({
        let database = world.database.clone();
        move || database.psql("BEGIN; SELECT pg_sleep(0); LOCK TABLE scratch.v; SELECT pg_sleep(4); COMMIT")
    });
    std::thread::sleep(MEANWHILE);
    let mut writer = Wire::open(&agent);
    writer.send(&[&query(&replaced("scratch.v"))]);
    std::thread::sleep(MEANWHILE);
    drop(writer);
    std::thread::sleep(MEANWHILE);
    let seen = lock.query("SELECT s || '' FROM scratch.v").text();
    assert!(!seen.contains(SSN), "{seen}");
    blocker.join().unwrap();
    let seen = lock.query("SELECT s || '' FROM scratch.v").text();
    assert!(!seen.contains(SSN), "{seen}");
}

#[test]
fn who_changes_names_past_the_relay_keeps_nobody_else_waiting() {
    let world = world();
    let agent = world.person("agent");
    let blocker = std::thread::spawn({
        let database = world.database.clone();
        let change = "ALTER TABLE public.customers ADD COLUMN more int; ALTER VIEW scratch.v RENAME COLUMN s TO t";
        move || database.psql(&format!("BEGIN; {change}; SELECT pg_sleep(8); COMMIT"))
    });
    std::thread::sleep(MEANWHILE);
    let mut reader = Wire::open(&agent);
    let seen = reader.query("SELECT count(*) FROM orders");
    assert!(seen.errors().is_empty(), "{}", seen.text());
    // What the views mean that are changed, or use what is, nobody can know.
    for view in ["v", "outer", "secret"] {
        let seen = reader.query(&format!("SELECT s || '' FROM scratch.{view}")).text();
        assert!(seen.contains("sql:unknown"), "{view}: {seen}");
    }
    assert!(!blocker.is_finished(), "it waited");
    blocker.join().unwrap();
    drop(reader);
    hidden(&Wire::open(&agent).query("SELECT s FROM scratch.secret").text());
}
