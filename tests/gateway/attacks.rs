//! An agent that may log in and read, and would rather do more. It has a schema of its own where it may do everything; the others
//! are behind masks and approvals.

use hoop_tests::message::{bind, describe, execute, flush, parse, query, run, sync};
use hoop_tests::{Cluster, Wire, World};

/// Reads of `public`, everything in `scratch`, writes of `public` after approval; nothing else.
const POLICY: &str = r#"
@id("connect") permit (principal, action == Hoop::Action::"connect", resource);
@id("read") permit (principal, action in Hoop::Action::"sql:read", resource in Hoop::Schema::"db-prod/public");
@id("scratch") permit (principal, action in [Hoop::Action::"sql:read", Hoop::Action::"sql:write", Hoop::Action::"sql:ddl"],
    resource in Hoop::Schema::"db-prod/scratch");
@id("held") @approvers("dba") permit (principal, action in Hoop::Action::"sql:write", resource in Hoop::Schema::"db-prod/public");
"#;

const MASKS: &str = "[[mask]]\ncolumns = [\"public.customers.ssn\"]\nwith = \"redact\"\n";

/// What must not be seen: a masked value, and a value of a schema that nothing permits.
const SSN: &str = "105-15-1035";
const VAULT: &str = "vault-sentinel";

fn schema() -> String {
    let role = "shop_gateway";
    format!(
        "CREATE SCHEMA scratch; CREATE SCHEMA vault; GRANT USAGE, CREATE ON SCHEMA scratch TO {role}; GRANT USAGE ON SCHEMA vault TO {role};
         CREATE TABLE vault.orders (id int PRIMARY KEY, item text); INSERT INTO vault.orders VALUES (1, '{VAULT}');
         GRANT ALL ON vault.orders TO {role};
         CREATE VIEW numbers AS SELECT id, ssn FROM customers; GRANT SELECT ON numbers TO {role};
         CREATE SEQUENCE calls; GRANT ALL ON SEQUENCE calls TO {role};
         CREATE FUNCTION noted(text) RETURNS boolean LANGUAGE sql AS 'SELECT nextval(''calls'') > 0';
         CREATE DOMAIN checked AS text CHECK (noted(VALUE)); CREATE TYPE pair AS (a checked, b int)"
    )
}

fn world() -> World {
    let world = World::new().policy(POLICY).config(MASKS).start();
    world.database.psql(&schema());
    world
}

/// How many rows of `public.orders` an attack deleted.
fn deleted(world: &World) -> String {
    world
        .database
        .psql("SELECT 1000 - count(*) FROM public.orders")
        .trim()
        .to_owned()
}

#[test]
fn a_masked_value_does_not_come_back_in_a_copy_whose_options_are_spelt_otherwise() {
    let world = world();
    let mut wire = Wire::open(&world.person("agent"));
    for copy in [
        "COPY (SELECT 'p,q,r', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT (FORMAT csv, DELIMITER 7)",
        "COPY (SELECT 'p,q,r', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT (FORMAT csv, DELIMITER *)",
        "COPY (SELECT 'p', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT (DELIMITER *)",
        "COPY (SELECT 'p', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT (FORMAT csv, QUOTE 1, FORCE_QUOTE *)",
        "COPY (SELECT 'p', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT (FORMAT csv, ESCAPE 0, NULL 5)",
        "COPY (SELECT 'p', ssn, 'x' FROM customers WHERE id = 5) TO STDOUT CSV DELIMITER '1'",
    ] {
        let answers = wire.query(copy);
        assert!(!answers.text().contains(SSN), "{copy}:\n{}", answers.text());
    }
}

#[test]
fn nothing_shows_by_failing_or_by_being_null_what_a_masked_value_is() {
    let world = world();
    let mut wire = Wire::open(&world.person("agent"));
    let of = |value: &str| format!("SELECT {value} FROM customers WHERE id = 5");
    for value in [
        "nullif(ssn, '105-15-1035')",
        "1 / (ascii(ssn) - 49)",
        "ssn::date",
        "substring(ssn from '^1')",
        "pg_sleep(length(ssn))",
        "ssn = '105-15-1035' AND 1 / (id - 5) = 0",
        "ssn IN ('105-15-1035', (1 / (id - 5))::text)",
        "(ssn, 1 / (id - 5)) = ('105-15-1035', 0)",
        "ssn BETWEEN '105' AND (1 / (id - 5))::text",
        "'105-15-1035' = ANY (SELECT ssn FROM customers)",
        "(ARRAY['a', NULL])[length(ssn) - 10]",
        "jsonb_build_object(ssn, 1) -> '105-15-1035'",
        "xmlparse(document ssn)",
        "repeat('x', ascii(ssn))",
        "array_position(ARRAY['105-15-1035'], ssn)",
        "length(ssn)::numeric(1, 0)",
    ] {
        let answers = wire.query(&of(value));
        assert!(answers.text().contains("sql:infer"), "{value}:\n{}", answers.text());
    }
    // What cannot fail is computed, and redacted.
    for value in [
        "upper(ssn)",
        "ssn || ' '",
        "coalesce(ssn, '-')",
        "ssn::text",
        "left(ssn, 3)",
        "length(ssn)",
        "ssn = '105-15-1035'",
        "max(ssn)",
        "string_agg(ssn, ',')",
        "to_json(customers)",
        "customers::text",
        "CASE WHEN id = 5 THEN ssn END",
    ] {
        let answers = wire.query(&of(value));
        assert!(answers.errors().is_empty(), "{value}:\n{}", answers.text());
        assert!(!answers.text().contains("105"), "{value}:\n{}", answers.text());
    }
    let null = wire
        .query("SELECT CASE WHEN id = 4 THEN ssn END FROM customers WHERE id = 5")
        .text();
    assert!(null.contains("***"), "{null}");
}

#[test]
fn no_setting_that_reading_rests_on_changes() {
    let world = world();
    let mut wire = Wire::open(&world.person("agent"));
    let columns = |name: &str| {
        let names: Vec<String> = (1..17).map(|number| format!("{name}{number}")).collect();
        format!("{name}({name}, {})", names.join(", "))
    };
    for statement in [
        format!(
            "SELECT set_config(y, 'off', false) FROM (pg_settings {} JOIN pg_settings {} ON y = 'standard_conforming_strings') AS j WHERE x = 'jit'",
            columns("x"),
            columns("y")
        ),
        "SELECT (SELECT count(*) FROM pg_settings b, LATERAL set_config(b.name, 'off', false)
             WHERE b.name = 'standard_conforming_strings') FROM pg_settings WHERE name = 'jit'"
            .to_owned(),
        "SELECT (SELECT 1 FROM pg_settings b WHERE b.name = 'standard_conforming_strings' ORDER BY set_config(b.name, 'off', false))
             FROM pg_settings WHERE name = 'jit'"
            .to_owned(),
        "SET \"standard_conforming_strings\" = off".to_owned(),
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET standard_conforming_strings TO f".to_owned(),
        "PREPARE s AS SELECT set_config('standard_conforming_strings', $1, false)".to_owned(),
    ] {
        let answers = wire.query(&statement);
        assert!(!answers.errors().is_empty(), "{statement}:\n{}", answers.text());
    }
    let shown = wire.query("SHOW standard_conforming_strings").text();
    assert!(shown.contains("on"), "{shown}");
    // What pg_dump says.
    let dump =
        wire.query("SELECT pg_catalog.set_config(name, 'off', false) FROM pg_catalog.pg_settings WHERE name = 'jit'");
    assert!(dump.errors().is_empty(), "{}", dump.text());
}

#[test]
fn a_search_path_that_changes_unseen_leads_nowhere() {
    let world = world();
    let agent = world.person("agent");
    let reads = "SELECT item, 1, 2, 3, 4, 5 FROM orders LIMIT 1";
    let changes = "SELECT set_config('search_path', 'vault', false)";
    let mut wire = Wire::open(&agent);
    // Executed by name, in front of a statement of the same message.
    wire.query(&format!("PREPARE p AS {changes}"));
    let seen = wire.query(&format!("EXECUTE p; {reads}")).text();
    assert!(!seen.contains(VAULT), "{seen}");
    let seen = wire.query(&format!("EXPLAIN ANALYZE EXECUTE p; {reads}")).text();
    assert!(!seen.contains(VAULT), "{seen}");
    // Run by a FETCH.
    let mut wire = Wire::open(&agent);
    wire.query("BEGIN");
    wire.send(&[&parse("", changes, &[]), &bind("c", "", &[]), &sync()]);
    wire.answers(1);
    wire.query("FETCH ALL FROM c");
    let seen = wire.query(reads).text();
    assert!(!seen.contains(VAULT), "{seen}");
    // Run by an Execute that gets no further than its first row.
    let mut wire = Wire::open(&agent);
    let endless = format!("{changes} FROM generate_series(1, 2)");
    wire.send(&[&parse("", &endless, &[]), &bind("", "", &[]), &execute("", 1), &sync()]);
    wire.answers(1);
    let seen = wire.query(reads).text();
    assert!(!seen.contains(VAULT), "{seen}");
    assert!(seen.contains("42501"), "{seen}");
}

#[test]
fn a_statement_is_judged_by_what_its_names_mean_when_it_runs() {
    let world = world();
    let agent = world.person("agent");
    let delete = |id: u32| query(&format!("DELETE FROM orders WHERE id = {id}"));
    let shadow = "CREATE TABLE scratch.orders (id int PRIMARY KEY, item text)";
    Wire::open(&agent).query(shadow);
    // A path of a transaction, in front of its end, which is sent with what follows.
    for (ready, end, count) in [
        ("", query("COMMIT"), 2),
        ("", query("ROLLBACK"), 2),
        ("", run("COMMIT"), 1),
        ("SAVEPOINT s", query("ROLLBACK TO s"), 2),
        ("SAVEPOINT s", query("RELEASE s"), 2),
        ("failed", query("ROLLBACK"), 2),
    ] {
        let mut wire = Wire::open(&agent);
        wire.query("BEGIN");
        if ready.starts_with("SAVEPOINT") {
            wire.query(ready);
        }
        wire.query("SET LOCAL search_path = scratch");
        assert!(wire.query("SELECT count(*) FROM orders").errors().is_empty());
        if ready == "failed" {
            wire.query("SELECT 1 / 0");
        }
        wire.send(&[&end, &delete(7)]);
        wire.answers(count);
        drop(wire);
        assert_eq!(deleted(&world), "0", "{ready} {}", String::from_utf8_lossy(&end));
    }
    // The same for a batch's own transaction, which Sync ends.
    let mut wire = Wire::open(&agent);
    wire.send(&[&run("SET LOCAL search_path = scratch"), &flush()]);
    wire.until(b'C');
    wire.send(&[&sync(), &run("DELETE FROM orders WHERE id = 7"), &sync()]);
    wire.answers(2);
    drop(wire);
    assert_eq!(deleted(&world), "0");
    // A table that is made and gone again.
    let mut wire = Wire::open(&agent);
    wire.query("DROP TABLE scratch.orders");
    wire.query("SET search_path = scratch, public");
    wire.query("BEGIN");
    wire.query(shadow);
    wire.query("SELECT count(*) FROM orders");
    wire.send(&[&query("ROLLBACK"), &delete(7)]);
    wire.answers(2);
    drop(wire);
    assert_eq!(deleted(&world), "0");
}

#[test]
fn a_prepared_statement_does_not_run_as_what_it_would_mean_by_now() {
    let world = world();
    let agent = world.person("agent");
    let orders = "CREATE TABLE scratch.orders (id int PRIMARY KEY, item text)";
    let numbers = "CREATE TABLE scratch.numbers (id int, ssn text)";
    let mut wire = Wire::open(&agent);
    wire.query("SET search_path = scratch, public");
    wire.query("PREPARE d AS DELETE FROM orders WHERE id = 7");
    wire.query("PREPARE r AS SELECT ssn || '' FROM numbers WHERE id = 5");
    assert!(wire.query(orders).errors().is_empty());
    assert!(wire.query(numbers).errors().is_empty());
    let ran = wire.query("EXECUTE d");
    assert_eq!(deleted(&world), "0", "{}", ran.text());
    let ran = wire.query("EXECUTE r");
    assert!(!ran.text().contains(SSN), "{}", ran.text());
    assert!(ran.errors()[0].contains("0A000"), "{}", ran.text());
    wire.send(&[&bind("", "r", &[]), &execute("", 0), &sync()]);
    let ran = wire.answers(1);
    assert!(!ran.text().contains(SSN), "{}", ran.text());
    // Prepared again, it is what it says.
    wire.query("DEALLOCATE r; PREPARE r AS SELECT ssn || '' FROM numbers WHERE id = 5");
    assert!(wire.query("EXECUTE r").errors().is_empty());

    // The server looks again when it describes, too.
    wire.query("DROP TABLE scratch.orders");
    wire.query("SET search_path = public");
    wire.send(&[&parse("s", "DELETE FROM orders WHERE id = 8", &[]), &sync()]);
    wire.answers(1);
    wire.query("SET search_path = scratch, public");
    wire.send(&[&describe("s"), &sync()]);
    wire.answers(1);
    wire.query(orders);
    wire.send(&[&bind("", "s", &[]), &execute("", 0), &sync()]);
    wire.answers(1);
    drop(wire);
    assert_eq!(deleted(&world), "0");
}

#[test]
fn a_prepared_statement_follows_the_search_path() {
    let world = world();
    world.database.psql(
        "CREATE TABLE scratch.orders (id int, item text); INSERT INTO scratch.orders VALUES (1, 'mine'); GRANT ALL ON scratch.orders TO shop_gateway",
    );
    let mut wire = Wire::open(&world.person("agent"));
    wire.query("PREPARE p AS SELECT item FROM orders WHERE id = 1");
    for (path, found) in [
        ("scratch", "mine"),
        ("public", "desk"),
        ("scratch", "mine"),
        ("vault", "42501"),
    ] {
        wire.query(&format!("SET search_path = {path}"));
        let seen = wire.query("EXECUTE p").text();
        assert!(seen.contains(found), "{path}: {seen}");
    }
}

#[test]
fn what_a_values_type_calls_is_a_call() {
    let world = world();
    let mut wire = Wire::open(&world.person("agent"));
    let domain: u32 = world
        .database
        .psql("SELECT 'checked'::regtype::oid")
        .trim()
        .parse()
        .unwrap();
    let pair: u32 = world
        .database
        .psql("SELECT 'pair'::regtype::oid")
        .trim()
        .parse()
        .unwrap();
    for statement in [
        "SELECT 'x'::checked",
        "SELECT row('x', 1)::pair",
        "SELECT '(x,1)'::pair",
        "SELECT '{\"(x,1)\"}'::pair[]",
        "SELECT jsonb_populate_record(NULL::pair, '{\"a\": \"x\"}')",
        "SELECT * FROM json_to_record('{\"a\": \"x\"}') AS r(a checked)",
        "PREPARE p(checked) AS SELECT $1",
        "PREPARE q(pair) AS SELECT $1",
    ] {
        wire.query(statement);
        wire.query("EXECUTE p('x')");
        wire.query("EXECUTE q('(x,1)')");
    }
    for (ty, value) in [(domain, "x"), (pair, "(x,1)")] {
        wire.send(&[
            &parse("", "SELECT $1::text", &[ty]),
            &bind("", "", &[value]),
            &execute("", 0),
            &sync(),
        ]);
        let answers = wire.answers(1).text();
        assert!(answers.contains("sql:call"), "{answers}");
    }
    assert_eq!(world.database.psql("SELECT is_called FROM calls").trim(), "f");
}

#[test]
fn a_mask_stays_on_its_column_whatever_it_is_called() {
    let world = World::new().policy(POLICY).config(MASKS).start();
    let mut wire = Wire::open(&world.person("agent"));
    assert!(
        wire.query("SELECT ssn FROM customers WHERE id = 5")
            .text()
            .contains("***")
    );
    for (change, read) in [
        (
            "ALTER TABLE customers RENAME COLUMN ssn TO remark",
            "SELECT remark FROM customers WHERE id = 5",
        ),
        (
            "ALTER TABLE customers RENAME TO clients",
            "SELECT remark FROM clients WHERE id = 5",
        ),
        (
            "CREATE VIEW all_of_them AS SELECT * FROM clients; GRANT SELECT ON all_of_them TO shop_gateway",
            "SELECT remark FROM all_of_them WHERE id = 5",
        ),
    ] {
        world.database.psql(change);
        // What others change is found after a short time.
        std::thread::sleep(std::time::Duration::from_secs(6));
        let seen = wire.query(read).text();
        assert!(seen.contains("***") && !seen.contains(SSN), "{change}: {seen}");
    }
}

#[test]
fn a_name_that_is_gone_when_the_server_looks_does_not_lead_to_the_next_one() {
    let world = world();
    let agent = world.person("agent");
    let mut first = Wire::open(&agent);
    first.query("CREATE TABLE scratch.orders (id int PRIMARY KEY, item text)");
    first.query("CREATE TABLE scratch.numbers (id int, ssn text)");
    let mut second = Wire::open(&agent);
    second.query("SET search_path = scratch, public");
    first.query("BEGIN");
    first.query("DROP TABLE scratch.orders, scratch.numbers");
    // The first waits for the lock; what it finds then is another table.
    second.send(&[&query("DELETE FROM orders WHERE id = 7")]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    first.query("COMMIT");
    let answer = second.answers(1);
    drop(second);
    assert_eq!(deleted(&world), "0", "{}", answer.text());
    // So does one that stands behind another in its message.
    first.query("CREATE TABLE scratch.numbers (id int, ssn text)");
    let mut second = Wire::open(&agent);
    second.query("SET search_path = scratch, public");
    second.send(&[&query("SELECT pg_sleep(2); SELECT ssn || '' FROM numbers WHERE id = 5")]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    first.query("DROP TABLE scratch.numbers");
    let answer = second.answers(1);
    assert!(!answer.text().contains(SSN), "{}", answer.text());
}

#[test]
fn a_client_that_does_not_read_does_not_hide_what_it_changed() {
    let world = world();
    let agent = world.person("agent");
    for size in [200_u32, 1_000, 4_000, 8_000] {
        let mut other = Wire::open(&agent);
        let mut wire = Wire::open(&agent);
        wire.query("CREATE TABLE scratch.orders (id int PRIMARY KEY, item text)");
        other.query("SET search_path = scratch, public");
        assert!(other.query("SELECT count(*) FROM orders").errors().is_empty());
        // The answers to what stands before the COMMIT are more than the client takes, and less than the way to the relay holds.
        let many = format!("SELECT repeat('x', 1000) FROM generate_series(1, {size})");
        wire.query("BEGIN");
        wire.query("DROP TABLE scratch.orders");
        wire.send(&[&query(&many), &query("COMMIT")]);
        std::thread::sleep(std::time::Duration::from_millis(700));
        other.send(&[&query("DELETE FROM orders WHERE id = 7")]);
        std::thread::sleep(std::time::Duration::from_millis(700));
        drop(wire);
        let answer = other.answers(1);
        drop(other);
        assert_eq!(deleted(&world), "0", "{size}: {}", answer.text());
        Wire::open(&agent).query("DROP TABLE scratch.orders");
    }
}

#[test]
fn an_approver_sees_what_execute_runs() {
    let world = world();
    let bo = world.person("bo");
    let mut wire = Wire::open(&world.person("agent"));
    wire.query("PREPARE harmless AS DELETE FROM orders WHERE id > 1");
    assert!(wire.query("EXECUTE harmless").holds());
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    let shown = bo
        .hoopctl(&["requests", "show", &id, "-o", "json"])
        .expect_code(0)
        .stdout;
    assert!(shown.contains("DELETE FROM orders WHERE id > 1"), "{shown}");
    drop(wire);
    assert_eq!(deleted(&world), "0");
}

#[test]
fn a_statement_that_was_refused_never_reached_the_server() {
    let world = world();
    let mut wire = Wire::open(&world.person("agent"));
    let refused = [
        "SELECT item FROM vault.orders /* attack */",
        "SELECT (SELECT item FROM vault.orders LIMIT 1) /* attack */",
        "SELECT query_to_xml('SELECT item FROM vault.orders /* attack */', true, false, '')",
        "SELECT table_to_xml('vault.orders', true, false, '') /* attack */",
        "SELECT * FROM pg_stats /* attack */",
        "SELECT * FROM pg_stat_activity /* attack */",
        "SELECT pg_read_file('/etc/passwd') /* attack */",
        "SELECT noted('x') /* attack */",
        "DO $$ BEGIN PERFORM noted('attack'); END $$",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1 /* attack */'",
        "CREATE VIEW scratch.v AS SELECT item FROM vault.orders /* attack */",
        "CREATE VIEW scratch.v AS SELECT nullif(ssn, 'x') AS n FROM customers /* attack */",
        "CREATE TABLE scratch.t AS SELECT ssn FROM customers /* attack */",
        "INSERT INTO scratch.t SELECT ssn FROM customers /* attack */",
        "CREATE STATISTICS scratch.s ON (noted(item)), id FROM orders /* attack */",
        "CREATE TABLE scratch.d (a text DEFAULT noted('attack')::text)",
        "WITH d AS (DELETE FROM vault.orders RETURNING *) SELECT 1 /* attack */",
        "EXPLAIN ANALYZE DELETE FROM vault.orders /* attack */",
        "EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM vault.orders /* attack */",
        "SELECT 1 OPERATOR(pg_catalog.+) 1 FROM vault.orders /* attack */",
        "SELECT 1 /* /* */ */; DELETE FROM vault.orders /* attack */",
        "SELECT 1>--'\n1; DELETE FROM vault.orders /* attack */ --'",
        "SELECT $a$ $b$ $a$; DELETE FROM vault.orders /* attack */ -- $b$",
        "SELECT U&'\\0027'; DELETE FROM vault.orders /* attack */ --'",
        "SELECT E'\\''; DELETE FROM vault.orders /* attack */ --'",
        "COPY vault.orders TO STDOUT /* attack */",
        "COPY (DELETE FROM vault.orders RETURNING *) TO STDOUT /* attack */",
        "COPY orders TO PROGRAM 'cat # attack'",
        "LOCK vault.orders IN ACCESS EXCLUSIVE MODE /* attack */",
        "SELECT 1 FROM orders FOR UPDATE /* attack */",
        "SELECT lo_from_bytea(0, 'attack')",
        "SELECT pg_terminate_backend(1) /* attack */",
        "SELECT pg_notify('c', 'attack')",
        "SELECT pg_advisory_lock(1) /* attack */",
        "SET ROLE postgres /* attack */",
        "SET session_replication_role = replica /* attack */",
        "ALTER ROLE shop_gateway SET search_path = vault /* attack */",
        "MERGE INTO vault.orders t USING orders s ON t.id = s.id WHEN MATCHED THEN DELETE /* attack */",
    ];
    for statement in refused {
        let answers = wire.query(statement);
        assert!(!answers.errors().is_empty(), "{statement}:\n{}", answers.text());
        assert!(!answers.text().contains(VAULT), "{statement}:\n{}", answers.text());
        wire.send(&[&run(statement), &sync()]);
        let answers = wire.answers(1);
        assert!(!answers.errors().is_empty(), "{statement}:\n{}", answers.text());
    }
    assert_eq!(Cluster::get().executions(&world.database, "attack"), 0);
    assert_eq!(world.database.psql("SELECT count(*) FROM vault.orders").trim(), "1");
    assert!(wire.query("SELECT count(*) FROM orders").errors().is_empty());
}
