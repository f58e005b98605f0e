//! What policy forbids never reaches the target, and the connection goes on.

use hoop_tests::{Cluster, World};

#[test]
fn a_read_passes_and_gives_the_rows() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql("SELECT count(*) FROM orders").expect_code(0);
    assert_eq!(done.stdout.trim(), "1000");
}

#[test]
fn a_blocked_statement_never_reaches_the_target_and_the_connection_goes_on() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana
        .psql_script("SELECT 'before';\nDROP TABLE orders; -- marker_drop\nSELECT 'after';\n")
        .expect_code(0);
    assert_eq!(
        done.stdout.lines().collect::<Vec<_>>(),
        ["before", "after"],
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .contains("ERROR:  blocked by policy no-drop: DROP TABLE is not allowed on db-prod"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .contains("HINT:  ask the owners of the schema for a migration"),
        "{}",
        done.stderr
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_drop"), 0);
    assert_eq!(Cluster::get().executions(&world.database, "DROP TABLE"), 0);
    assert_eq!(world.database.psql("SELECT count(*) FROM orders").trim(), "1000");
}

#[test]
fn a_refusal_has_the_sqlstate_and_detail_of_the_contract() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql_script("\\set VERBOSITY verbose\nDROP TABLE orders;\n");
    assert!(
        done.stderr.contains("ERROR:  42501: blocked by policy no-drop"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("DETAIL:  ") && done.stderr.contains("session s-"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_no_policy_permits_is_blocked() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql_script("CREATE TABLE t (a int);\nSELECT 1;\n");
    assert!(done.stderr.contains("blocked by policy"), "{}", done.stderr);
    assert_eq!(done.stdout.trim(), "1");
    assert_eq!(Cluster::get().executions(&world.database, "CREATE TABLE t"), 0);
}

#[test]
fn an_unbounded_write_is_refused_with_the_rules_message() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql_script(
        "DELETE FROM orders;\nDELETE FROM orders WHERE true;\nUPDATE orders SET status = 'x' WHERE 1 = 1;\n",
    );
    assert_eq!(
        done.stderr.matches("blocked by policy no-unbounded-writes").count(),
        3,
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("add a WHERE clause that limits the rows"),
        "{}",
        done.stderr
    );
    assert_eq!(world.database.psql("SELECT count(*) FROM orders").trim(), "1000");
}

#[test]
fn a_transaction_fails_and_rolls_back_as_the_server_itself_would_do() {
    let world = World::start();
    let ana = world.person("ana");
    let script = "BEGIN;\nSELECT 1;\nDROP TABLE orders;\nSELECT 2;\nCOMMIT;\nSELECT 3;\n";
    let done = ana.psql_script(script).expect_code(0);
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), ["1", "3"], "{}", done.stderr);
    assert!(
        done.stderr.contains("current transaction is aborted"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_savepoint_survives_a_refusal() {
    let world = World::start();
    let ana = world.person("ana");
    let script = "BEGIN;\nSAVEPOINT a;\nDROP TABLE orders;\nROLLBACK TO a;\nSELECT 'alive';\nCOMMIT;\n";
    let done = ana.psql_script(script).expect_code(0);
    assert_eq!(done.stdout.trim(), "alive", "{}", done.stderr);
}

#[test]
fn nothing_of_a_message_with_a_blocked_statement_is_sent() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql_with(&[
        "-qAt",
        "-c",
        "SELECT 'marker_first'; DROP TABLE orders; SELECT 'marker_last'",
    ]);
    assert_eq!(done.code, 1);
    assert_eq!(done.stdout, "");
    assert_eq!(Cluster::get().executions(&world.database, "marker_"), 0);
}

#[test]
fn spellings_that_hide_a_drop_are_blocked_too() {
    let world = World::start();
    let ana = world.person("ana");
    let hidden = [
        "/* a */ DrOp /* b */ TABLE orders",
        "DO $$ BEGIN DROP TABLE orders; END $$",
        "SELECT 1; drop\ttable\npublic.orders",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM gone",
        "PREPARE p AS DELETE FROM orders; EXECUTE p",
        "COPY orders FROM PROGRAM 'true'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT query_to_xml('DELETE FROM orders RETURNING 1', true, true, '')",
        "ALTER TABLE orders RENAME TO gone",
        "SET ROLE postgres",
        "SET standard_conforming_strings = off",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
    ];
    for statement in hidden {
        let done = ana.psql_with(&["-qAt", "-c", statement]);
        assert_eq!(done.code, 1, "{statement} was not refused:\n{}", done.stdout);
        assert!(done.stderr.contains("ERROR:  blocked"), "{statement}: {}", done.stderr);
    }
    assert_eq!(world.database.psql("SELECT count(*) FROM orders").trim(), "1000");
}

#[test]
fn a_connect_that_policy_forbids_ends_with_245() {
    let world = World::new().more_policy("@id(\"not-ana\") forbid (principal == Hoop::User::\"ana\", action == Hoop::Action::\"connect\", resource);").start();
    let ana = world.person("ana");
    let done = ana.psql("SELECT 1").expect_code(245);
    assert!(done.stderr.contains("not-ana"), "{}", done.stderr);
}
