//! What names mean: a statement is judged by what it would reach in its own session at its own moment.

use hoop_tests::World;

/// All but what could not be read, and nothing in the schema `vault`.
const READABLE: &str = r#"
@id("readable") permit (principal, action, resource)
unless { action == Hoop::Action::"sql:unknown" || action == Hoop::Action::"unmask" };
@id("no-vault") forbid (principal, action in Hoop::Action::"sql:read", resource in Hoop::Schema::"db-prod/vault");
"#;

const VAULT: &str = "CREATE SCHEMA vault; CREATE TABLE vault.orders (id int, secret text); \
    INSERT INTO vault.orders VALUES (1, 'vault-secret'); GRANT USAGE ON SCHEMA vault TO PUBLIC; \
    GRANT SELECT ON vault.orders TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC";

#[test]
fn what_a_transaction_made_can_be_used_in_it_and_is_masked() {
    let world = World::new()
        .policy(READABLE)
        .config("[[mask]]\ncolumns = [\"*.ssn\"]\nwith = \"redact\"\n")
        .start();
    world.database.psql(VAULT);
    let ana = world.person("ana");
    let script = "BEGIN;\nCREATE TABLE people (id int, ssn text);\nINSERT INTO people VALUES (1, '105-15-1035');\n\
        SELECT 'made', id, ssn FROM people;\nALTER TABLE people RENAME ssn TO note;\nROLLBACK;\n\
        SELECT 'gone' FROM people;\nCREATE TABLE people (id int, ssn text);\nINSERT INTO people VALUES (2, '106-16-1036');\n\
        SELECT 'kept', id, ssn FROM people;\n";
    let done = ana.psql_script(script);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("made|1|***"), "{all}");
    assert!(done.stdout.contains("kept|2|***"), "{all}");
    assert!(all.contains("relation \"people\" does not exist"), "{all}");
    assert!(!all.contains("105-15") && !all.contains("106-16"), "{all}");
}

#[test]
fn a_table_is_the_one_that_the_search_path_finds() {
    let world = World::new().policy(READABLE).start();
    world.database.psql(VAULT);
    let ana = world.person("ana");
    let hidden = [
        "SELECT secret FROM vault.orders;\n",
        "SET search_path = vault;\nSELECT secret FROM orders;\n",
        "SELECT set_config('search_path', 'vault', false);\nSELECT secret FROM orders;\n",
        "BEGIN;\nSET LOCAL search_path = vault, public;\nSELECT secret FROM orders;\nROLLBACK;\n",
        "BEGIN;\nSET search_path = vault;\nSAVEPOINT a;\nSET search_path = public;\nROLLBACK TO a;\nSELECT secret FROM orders;\n",
        "SET search_path = vault;\nBEGIN;\nSET search_path = public;\nROLLBACK;\nSELECT secret FROM orders;\n",
        "SET search_path = vault;\nPREPARE p AS SELECT secret FROM orders;\nEXECUTE p;\n",
        "PREPARE p AS SELECT * FROM orders;\nSET search_path = vault;\nEXECUTE p;\n",
        "SET search_path = vault; SELECT secret FROM orders;\n",
        "SET search_path = vault\\; SELECT secret FROM orders;\n",
    ];
    for script in hidden {
        let done = ana.psql_script(script);
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(!all.contains("vault-secret"), "{script}:\n{all}");
        assert!(
            all.contains("no-vault") || all.contains("search_path"),
            "{script}:\n{all}"
        );
    }
    let back = "SET search_path = vault;\nRESET search_path;\nSELECT count(*) FROM orders;\n\
        BEGIN;\nSET LOCAL search_path = vault;\nCOMMIT;\nSELECT count(*) FROM orders;\n";
    let done = ana.psql_script(back).expect_code(0);
    assert_eq!(done.stdout.matches("1000").count(), 2, "{}{}", done.stdout, done.stderr);
}

#[test]
fn a_function_that_moves_the_search_path_moves_nothing_unseen() {
    let world = World::new().policy(READABLE).start();
    world.database.psql(VAULT);
    world.database.psql(
        "CREATE FUNCTION move_on() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'vault', false) $$",
    );
    let ana = world.person("ana");
    for script in [
        "SELECT move_on();\nSELECT secret FROM orders;\n",
        "BEGIN;\nSELECT move_on();\nSELECT secret FROM orders;\nCOMMIT;\n",
        "SELECT move_on();\nBEGIN;\nSELECT secret FROM orders;\n",
    ] {
        let done = ana.psql_script(script);
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(
            !all.contains("vault-secret") && all.contains("no-vault"),
            "{script}:\n{all}"
        );
    }
}

#[test]
fn a_wrong_name_is_told_in_the_servers_own_words() {
    let world = World::start();
    let ana = world.person("ana");
    let done = ana.psql_script("SELECT * FROM custmers;\nSELEC 1;\nSELECT 'on';\n");
    assert!(
        done.stderr.contains("relation \"custmers\" does not exist"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("syntax error at or near \"SELEC\""),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("on"), "{}", done.stderr);
}

#[test]
fn what_others_change_is_noticed() {
    let world = World::new()
        .policy(READABLE)
        .config("[[mask]]\ncolumns = [\"customers.ssn\"]\nwith = \"redact\"\n")
        .start();
    let ana = world.person("ana");
    ana.psql("SELECT ssn FROM customers WHERE id = 5").expect_code(0);
    world
        .database
        .psql("CREATE VIEW fresh AS SELECT ssn AS harmless FROM customers");
    world.database.psql("GRANT SELECT ON fresh TO PUBLIC");
    let done = ana.psql("SELECT harmless FROM fresh LIMIT 5");
    let all = format!("{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout.matches("***").count(), 5, "{all}");
}

#[test]
fn temporary_tables_can_be_used_and_are_masked() {
    let world = World::new()
        .policy(READABLE)
        .config("[[mask]]\ncolumns = [\"*.ssn\"]\nwith = \"redact\"\n")
        .start();
    let ana = world.person("ana");
    let script = "CREATE TEMP TABLE t (id int, ssn text);\nINSERT INTO t VALUES (1, '105-15-1035');\nSELECT 'one', * FROM t;\n\
        BEGIN;\nCREATE TEMP TABLE u (id int) ON COMMIT DROP;\nINSERT INTO u SELECT id FROM t;\nSELECT 'two', id FROM u;\n\
        COMMIT;\nSELECT 'gone' FROM u;\nSELECT id + 2 AS n INTO TEMP v FROM t;\nSELECT 'three', n FROM v;\n\
        BEGIN;\nCREATE TABLE public.kept AS SELECT n FROM v;\nUPDATE kept SET n = 4;\nSELECT 'four', n FROM kept;\nROLLBACK;\n\
        CREATE TEMP VIEW w AS SELECT ssn AS harmless FROM t;\nSELECT 'five', harmless FROM w;\n\
        ALTER TABLE t ADD COLUMN more int DEFAULT 6;\nSELECT 'six', more FROM pg_temp.t;\nDROP TABLE t CASCADE;\nSELECT 'dropped' FROM t;\n\
        DROP TABLE IF EXISTS t;\nSELECT 'on';\n";
    world.database.psql("GRANT CREATE ON SCHEMA public TO PUBLIC");
    let done = ana.psql_script(script);
    let all = format!("{}{}", done.stdout, done.stderr);
    for line in ["one|1|***", "two|1", "three|3", "four|4", "five|***", "six|6", "on"] {
        assert!(done.stdout.lines().any(|found| found == line), "{line}:\n{all}");
    }
    assert!(!all.contains("blocked") && !all.contains("105-15"), "{all}");
    assert_eq!(all.matches("does not exist").count(), 3, "{all}");
}

#[test]
fn a_temporary_catalog_deceives_nobody() {
    let world = World::new().policy(READABLE).start();
    world.database.psql(VAULT);
    let ana = world.person("ana");
    // What would be read in place of the server's own tables, if temporary ones were searched first.
    let fakes = "CREATE TEMP TABLE pg_class AS SELECT * FROM pg_catalog.pg_class WHERE relname <> 'orders';\n\
        CREATE TEMP TABLE pg_namespace AS SELECT oid, 'public'::name AS nspname, nspowner, nspacl FROM pg_catalog.pg_namespace;\n";
    for (path, table) in [("public", "vault.orders"), ("vault", "orders")] {
        let script = format!(
            "SET search_path = {path};\n{fakes}BEGIN;\n{fakes}SELECT secret FROM {table};\nROLLBACK;\nSELECT secret FROM {table};\n"
        );
        let done = ana.psql_script(&script);
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(!all.contains("vault-secret") && all.contains("no-vault"), "{all}");
    }
}

#[test]
fn a_temporary_table_that_goes_uncovers_no_other() {
    let world = World::new().policy(READABLE).start();
    world.database.psql(VAULT);
    let ana = world.person("ana");
    // Under this path the temporary table is searched first; when it goes, the name means the one in vault.
    let script = "SET search_path = vault;\nBEGIN;\nCREATE TEMP TABLE orders (secret text) ON COMMIT DROP;\n\
        INSERT INTO orders VALUES ('own');\nSELECT secret FROM orders;\nCOMMIT\\; SELECT secret FROM orders;\nROLLBACK;\n\
        SELECT secret FROM orders;\n\
        BEGIN;\nCREATE TEMP TABLE orders (secret text) ON COMMIT DROP;\nCOMMIT;\nSELECT secret FROM orders;\n\
        BEGIN;\nSAVEPOINT s;\nCREATE TEMP TABLE orders (secret text);\nROLLBACK TO s;\nSELECT secret FROM orders;\n";
    let done = ana.psql_script(script);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(done.stdout.lines().any(|line| line == "own"), "{all}");
    assert!(!all.contains("vault-secret"), "{all}");
    assert!(all.matches("no-vault").count() >= 2, "{all}");
}
