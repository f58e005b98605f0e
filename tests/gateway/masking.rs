//! Sensitive values are replaced before they leave the relay, whatever they hide in.

use hoop_tests::{Cluster, World, WorldBuilder};

const MASKS: &str = r#"
[[mask]]
columns = ["customers.ssn"]
with = "redact"

[[mask]]
columns = ["customers.email"]
with = "partial"

[[mask]]
detect = ["credit_card"]
with = "redact"
"#;

fn masked() -> WorldBuilder {
    World::new().config(MASKS)
}

/// The clear values of customer 5, whose note holds a card number.
const SSN: &str = "105-15-1035";
const EMAIL: &str = "customer5@example.com";
const CARD: &str = "4111 1111 1111 1111";

#[test]
fn the_sample_data_is_what_the_tests_believe() {
    let world = World::start();
    assert_eq!(
        world
            .database
            .psql("SELECT ssn, email, note FROM customers WHERE id = 5")
            .trim(),
        format!("{SSN}|{EMAIL}|paid with {CARD}")
    );
}

#[test]
fn a_masked_column_never_shows_its_values_in_any_spelling() {
    let world = masked().start();
    let ana = world.person("ana");
    let spellings = [
        "SELECT ssn FROM customers WHERE id = 5",
        "SELECT * FROM customers WHERE id = 5",
        "SELECT c.ssn AS harmless FROM customers c WHERE id = 5",
        "SELECT (c).ssn FROM customers c WHERE id = 5",
        "SELECT c FROM customers c WHERE id = 5",
        "SELECT c::text FROM customers c WHERE id = 5",
        "SELECT row_to_json(c) FROM customers c WHERE id = 5",
        "SELECT to_jsonb(c)->>'ssn' FROM customers c WHERE id = 5",
        "SELECT upper(ssn) FROM customers WHERE id = 5",
        "SELECT ssn || '' FROM customers WHERE id = 5",
        "SELECT ssn::varchar(20) FROM customers WHERE id = 5",
        "SELECT coalesce(ssn, '') FROM customers WHERE id = 5",
        "SELECT reverse(ssn) FROM customers WHERE id = 5",
        "SELECT string_agg(ssn, ',') FROM customers WHERE id = 5",
        "SELECT max(ssn) FROM customers WHERE id = 5",
        "SELECT array_agg(ssn) FROM customers WHERE id = 5",
        "SELECT (SELECT ssn FROM customers WHERE id = 5)",
        "WITH a AS (SELECT ssn s FROM customers WHERE id = 5) SELECT s FROM a",
        "SELECT s FROM (SELECT ssn FROM customers WHERE id = 5) AS x(s)",
        "SELECT ssn FROM customers WHERE id = 5 UNION ALL SELECT 'x'",
        "SELECT x.ssn FROM orders o, LATERAL (SELECT ssn FROM customers WHERE id = 5) x WHERE o.id = 1",
        "TABLE customers",
        "COPY customers TO STDOUT",
        "COPY customers (ssn) TO STDOUT (FORMAT csv, HEADER)",
        "COPY (SELECT ssn, id FROM customers WHERE id = 5) TO STDOUT",
        "BEGIN; DECLARE cur CURSOR FOR SELECT ssn FROM customers WHERE id = 5; FETCH ALL FROM cur; COMMIT",
        "PREPARE p AS SELECT ssn FROM customers WHERE id = 5; EXECUTE p",
        "SELECT ssn::int FROM customers WHERE id = 5",
        "SELECT format('%s', ssn) FROM customers WHERE id = 5",
        "SELECT xmlelement(name x, ssn) FROM customers WHERE id = 5",
        "SELECT chr(ascii(substr(ssn, 1, 1))) || substr(ssn, 2) FROM customers WHERE id = 5",
    ];
    for statement in spellings {
        for single in [true, false] {
            let done = if single {
                ana.psql(statement)
            } else {
                ana.psql_script(&format!("{statement};\n"))
            };
            let all = format!("{}{}", done.stdout, done.stderr);
            assert!(!all.contains(SSN), "{statement} shows the value:\n{all}");
            assert!(
                !all.contains("105-15") && !all.contains("5301-51-501"),
                "{statement} shows a part:\n{all}"
            );
        }
    }
}

#[test]
fn a_plain_read_of_a_masked_column_works_and_is_masked() {
    let world = masked().start();
    let ana = world.person("ana");
    let done = ana
        .psql("SELECT id, ssn, name FROM customers WHERE id = 5")
        .expect_code(0);
    let fields: Vec<&str> = done.stdout.trim().split('|').collect();
    assert_eq!(fields[0], "5");
    assert!(
        fields[1].chars().all(|c| !c.is_ascii_digit()) && !fields[1].is_empty(),
        "{}",
        done.stdout
    );
    assert!(fields[2].contains(' '), "{}", done.stdout);
}

#[test]
fn partial_keeps_the_last_characters() {
    let world = masked().start();
    let done = world
        .person("ana")
        .psql("SELECT email FROM customers WHERE id = 5")
        .expect_code(0);
    let shown = done.stdout.trim();
    assert!(shown.ends_with(".com") && !shown.contains("customer5"), "{shown}");
}

#[test]
fn detectors_find_a_card_number_in_free_text() {
    let world = masked().start();
    let ana = world.person("ana");
    for statement in [
        "SELECT note FROM customers WHERE id = 5",
        "SELECT json_build_object('a', note) FROM customers WHERE id = 5",
        "COPY (SELECT note FROM customers WHERE id = 5) TO STDOUT",
    ] {
        let done = ana.psql(statement).expect_code(0);
        assert!(!done.stdout.contains("4111 1111"), "{statement}: {}", done.stdout);
    }
}

#[test]
fn a_view_over_a_masked_column_is_masked() {
    let world = masked().start();
    let done = world
        .person("ana")
        .psql("SELECT email FROM open_orders ORDER BY id LIMIT 3")
        .expect_code(0);
    assert!(!done.stdout.contains("customer"), "{}", done.stdout);
}

#[test]
fn a_masked_column_that_decides_the_outcome_is_refused_without_a_permit() {
    let world = masked().start();
    let ana = world.person("ana");
    for statement in [
        "SELECT id FROM customers WHERE ssn LIKE '105%'",
        "SELECT id FROM customers ORDER BY ssn",
        "SELECT count(*) FROM customers GROUP BY ssn",
        "SELECT CASE WHEN ssn > '5' THEN 1 ELSE 0 END FROM customers WHERE id = 5",
        "SELECT o.id FROM orders o JOIN customers c ON c.ssn = '105-15-1035' AND o.id = c.id",
    ] {
        let done = ana.psql_with(&["-qAt", "-c", statement]);
        assert_eq!(done.code, 1, "{statement} was not refused:\n{}", done.stdout);
        assert!(done.stderr.contains("sql:infer"), "{statement}: {}", done.stderr);
    }
}

#[test]
fn an_unmask_permit_shows_the_value() {
    let world = masked()
        .more_policy("@id(\"unmask\") permit (principal in Hoop::Group::\"dba\", action == Hoop::Action::\"unmask\", resource in Hoop::Tag::\"env:demo\");")
        .start();
    let done = world
        .person("bo")
        .psql("SELECT ssn, email FROM customers WHERE id = 5")
        .expect_code(0);
    assert_eq!(done.stdout.trim(), format!("{SSN}|{EMAIL}"));
    let done = world
        .person("ana")
        .psql("SELECT ssn, email FROM customers WHERE id = 5")
        .expect_code(0);
    assert!(!done.stdout.contains(SSN));
}

#[test]
fn errors_that_quote_a_masked_value_are_scrubbed() {
    let world = masked()
        .more_policy(
            "@id(\"w\") permit (principal in Hoop::Group::\"dba\", action in Hoop::Action::\"sql:write\", resource);",
        )
        .start();
    let ana = world.person("ana");
    let done = ana.psql_script("SELECT ssn::int FROM customers WHERE id = 5;\n\\echo done\n");
    assert!(done.stderr.contains("ERROR"), "{}", done.stderr);
    assert!(!done.stderr.contains("105-15"), "{}", done.stderr);
}

/// Reads a column of customer 5, which nobody may see.
#[track_caller]
fn is_masked(world: &World, column: &str, table: &str) {
    let done = world
        .person("ana")
        .psql(&format!("SELECT {column} FROM {table} WHERE id = 5"))
        .expect_code(0);
    assert_eq!(done.stdout.trim(), "***", "{column} of {table}: {}", done.stderr);
}

#[test]
fn renaming_frees_nothing_not_even_after_a_restart() {
    let mut world = masked().start();
    is_masked(&world, "ssn", "customers");
    world
        .database
        .psql("ALTER TABLE customers RENAME COLUMN ssn TO harmless");
    is_masked(&world, "harmless", "customers");
    world.kill();
    world.database.psql(
        "ALTER TABLE customers RENAME COLUMN harmless TO dull; ALTER TABLE customers RENAME TO people; \
         CREATE SCHEMA archive; ALTER TABLE people SET SCHEMA archive; GRANT USAGE ON SCHEMA archive TO shop_gateway",
    );
    world.restart();
    is_masked(&world, "dull", "archive.people");
}

#[test]
fn a_masked_column_that_takes_another_ones_name_keeps_its_mask() {
    let mut world = masked().start();
    is_masked(&world, "ssn", "customers");
    world.kill();
    world
        .database
        .psql("ALTER TABLE customers RENAME COLUMN email TO mail; ALTER TABLE customers RENAME COLUMN ssn TO email");
    world.restart();
    // By its new name it would be shown in part.
    is_masked(&world, "email", "customers");
}

#[test]
fn a_copy_of_the_database_in_its_place_frees_nothing() {
    let mut world = masked().start();
    is_masked(&world, "ssn", "customers");
    world
        .database
        .psql("ALTER TABLE customers RENAME COLUMN ssn TO harmless");
    is_masked(&world, "harmless", "customers");
    world.kill();
    let name = &world.database.name;
    hoop_tests::eventually("the database is left alone", || {
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        (Cluster::get().psql("postgres", &count).trim() == "0").then_some(())
    });
    for statement in [
        format!("CREATE DATABASE {name}_copy TEMPLATE {name}"),
        format!("ALTER DATABASE {name} RENAME TO {name}_before"),
        format!("ALTER DATABASE {name}_copy RENAME TO {name}"),
    ] {
        Cluster::get().psql("postgres", &statement);
    }
    world.restart();
    is_masked(&world, "harmless", "customers");
}

/// A card number in every type that text can stand in.
const TYPED: &str = r"
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE DOMAIN words AS text;
CREATE TYPE pair AS (a text, b integer);
CREATE TYPE wordrange AS RANGE (subtype = text);
CREATE TABLE typed (
    id integer, c citext, d words, x xml, b bytea, h hstore, p pair, r wordrange,
    cs citext[], ds words[], bs bytea[], hs hstore[], ps pair[], rs wordrange[], v tsvector,
    secret_c citext, secret_d words
);
INSERT INTO typed
SELECT 1, t, t, xmlelement(name a, t), convert_to(t, 'UTF8'), hstore('k', t), (t, 1)::pair, wordrange(t, NULL),
    ARRAY[t::citext], ARRAY[t::words], ARRAY[convert_to(t, 'UTF8')], ARRAY[hstore('k', t)], ARRAY[(t, 1)::pair],
    ARRAY[wordrange(t, NULL)], array_to_tsvector(ARRAY[t]), t, t
FROM (VALUES ('4111 1111 1111 1111')) AS v(t);
GRANT SELECT ON typed TO shop_gateway;
";

const TYPED_MASKS: &str = r#"
[[mask]]
columns = ["typed.secret_*"]
with = "partial"

[[mask]]
detect = ["credit_card"]
with = "redact"
"#;

/// Whether output shows the card, as text or as bytes in hex.
fn shows_card(output: &str) -> bool {
    let hex: String = CARD.bytes().map(|byte| format!("{byte:02x}")).collect();
    output.contains(CARD) || output.contains(&hex)
}

#[test]
fn detectors_look_into_every_type_that_text_can_stand_in() {
    let world = World::new().config(TYPED_MASKS).start();
    world.database.psql(TYPED);
    assert!(shows_card(&world.database.psql("SELECT b FROM typed")));
    let ana = world.person("ana");
    let columns = [
        "c",
        "d",
        "x",
        "b",
        "h",
        "p",
        "r",
        "cs",
        "ds",
        "bs",
        "hs",
        "ps",
        "rs",
        "v",
        "typed",
        "b::text",
        "row(b, c)",
        "to_jsonb(typed)",
    ];
    let reads = |column: &&str| {
        format!(
            "SELECT {column} FROM typed;\nCOPY (SELECT {column} FROM typed) TO STDOUT;\n\
             COPY (SELECT {column} FROM typed) TO STDOUT (FORMAT csv);\n\
             COPY (SELECT {column} FROM typed) TO STDOUT (FORMAT binary);\n"
        )
    };
    let all: String = columns.iter().map(reads).collect();
    let done = ana.psql_script(&format!("{all}SET bytea_output = escape;\n{all}\\echo done\n"));
    let shown: Vec<&str> = done.stdout.lines().filter(|line| shows_card(line)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert_eq!(done.stderr, "");
    assert!(done.stdout.ends_with("done\n"));
    let interpreter = std::env::var("HOOP_TEST_PYTHON").expect("tests/run.sh sets HOOP_TEST_PYTHON");
    let script = r#"
import psycopg
with psycopg.connect("", autocommit=True) as connection:
    cursor = connection.cursor(binary=True)
    for column in "c d x b h p r cs ds bs hs ps rs v secret_c secret_d".split():
        cursor.execute(f"SELECT {column} FROM typed", binary=True)
        value = cursor.pgresult.get_value(0, 0)
        print(column, value)
"#;
    let done = hoop_tests::run(
        ana.command(&["connect", "db-prod", "--", &interpreter, "-c", script])
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )
    .expect_code(0);
    assert!(!shows_card(&done.stdout), "{}", done.stdout);
    assert_eq!(done.stdout.lines().count(), 16, "{}", done.stdout);
}

#[test]
fn a_mask_on_a_type_made_of_text_is_the_mask_of_text() {
    let world = World::new().config(TYPED_MASKS).start();
    world.database.psql(TYPED);
    let ana = world.person("ana");
    for statement in [
        "SELECT secret_c, secret_d FROM typed",
        "COPY (SELECT secret_c, secret_d FROM typed) TO STDOUT (DELIMITER '|')",
    ] {
        let done = ana.psql(statement).expect_code(0);
        assert_eq!(
            done.stdout.trim(),
            "***************1111|***************1111",
            "{statement}"
        );
    }
}
