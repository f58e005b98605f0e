//! What is left behind by sessions that read sensitive values in many ways, one of them with a permit to see them: the recordings,
//! the store, the logs at their loudest, the processes' arguments and environments. No raw value is in any of it, whoever read it,
//! and not the target's password.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hoop_tests::{Person, World, WorldBuilder, eventually};

/// Every permit but the one to see masked values, which only the group dba has.
const POLICY: &str = r#"
@id("all") permit (principal, action, resource) unless { action == Hoop::Action::"unmask" };
@id("unmask") permit (principal in Hoop::Group::"dba", action == Hoop::Action::"unmask", resource);
"#;

const MASKS: &str = r#"
[[mask]]
columns = ["customers.ssn"]
with = "redact"

[[mask]]
detect = ["credit_card"]
with = "redact"
"#;

/// The values of customer 5.
const SSN: &str = "105-15-1035";
const CARD: &str = "4111 1111 1111 1111";
const PASSWORD: &str = "t0p-secret-of-the-target";

/// What makes the server itself tell a value.
const TELLING: &str = r"
CREATE UNIQUE INDEX customers_ssn ON customers (ssn);
ALTER TABLE customers ADD CONSTRAINT named CHECK (length(name) > 2);
CREATE FUNCTION tell(c customers) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'it is %', c.ssn USING DETAIL = c.ssn, HINT = c.ssn;
    RAISE EXCEPTION 'no: %', c.ssn USING DETAIL = c.ssn, HINT = c.ssn, COLUMN = c.ssn, CONSTRAINT = c.ssn, TABLE = c.ssn;
END $$;
CREATE FUNCTION fifth() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ssn FROM customers WHERE id = 5';
";

/// Ways of reading a value, each a line of a psql script.
const READS: &[&str] = &[
    "SELECT * FROM customers ORDER BY id;",
    "SELECT c FROM customers c WHERE id = 5;",
    "SELECT row_to_json(c), array_agg(ssn), max(note) FROM customers c WHERE id = 5 GROUP BY c;",
    "SELECT convert_to(note, 'UTF8') FROM customers WHERE id = 5;",
    "COPY customers TO STDOUT;",
    "COPY customers TO STDOUT (FORMAT csv, HEADER);",
    "COPY customers TO STDOUT (FORMAT binary);",
    "COPY (SELECT ssn, note FROM customers WHERE id = 5) TO STDOUT;",
    "BEGIN;",
    "DECLARE held CURSOR WITH HOLD FOR SELECT ssn, note FROM customers ORDER BY id;",
    "FETCH 10 FROM held;",
    "COMMIT;",
    "FETCH 10 FROM held;",
    "BEGIN;",
    "DECLARE raw BINARY CURSOR FOR SELECT ssn, note FROM customers;",
    "FETCH ALL FROM raw;",
    "ROLLBACK;",
    "PREPARE p AS SELECT ssn, email FROM customers WHERE id = $1;",
    "EXECUTE p(5);",
    "SELECT ssn::int FROM customers WHERE id = 5;",
    "UPDATE customers SET note = note WHERE id = 5 RETURNING *;",
    "UPDATE customers SET ssn = (SELECT ssn FROM customers WHERE id = 5) WHERE id = 6;",
    "UPDATE customers SET name = '' WHERE id = 5;",
    "UPDATE customers SET name = NULL WHERE id = 5;",
    "INSERT INTO customers SELECT 1000, name, email, ssn, phone, note, created_at FROM customers WHERE id = 5 RETURNING ssn;",
    "SELECT tell(c) FROM customers c WHERE id = 5;",
    "DO $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id = 5; RAISE NOTICE 'it is %', s; RAISE EXCEPTION '%', s; END $$;",
    "EXPLAIN SELECT * FROM orders WHERE item = fifth();",
    "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM orders WHERE item = fifth();",
    "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE attname = 'ssn';",
    "SELECT query_to_xml('SELECT ssn FROM customers WHERE id = 5', true, false, '');",
    "LISTEN told;",
    "SELECT count(pg_notify('told', ssn)) FROM customers WHERE id = 5;",
    "SELECT 1;",
    "BEGIN;",
    "CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT ssn AS s FROM customers;",
    "SELECT * FROM copied;",
    "COPY copied TO STDOUT;",
    "ROLLBACK;",
    "SELECT count(set_config('application_name', ssn, false)) FROM customers WHERE id = 5;",
    "SELECT count(set_config('TimeZone', '<' || ssn || '>5', false)) FROM customers WHERE id = 5;",
];

/// The same in the extended protocol and in binary.
const DRIVER: &str = r#"
import asyncio, asyncpg, io, os, sys
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    notices = []
    connection.add_log_listener(lambda _, message: notices.append(message))
    async def read(sql, *arguments):
        try:
            print(await connection.fetch(sql, *arguments))
        except asyncpg.PostgresError as error:
            print(error.as_dict())
    await read("SELECT * FROM customers WHERE id = $1", 5)
    await read("SELECT c, array_agg(ssn), array_agg(c) FROM customers c WHERE id = $1 GROUP BY c", 5)
    await read("SELECT convert_to(note, 'UTF8'), row_to_json(c) FROM customers c WHERE id = $1", 5)
    await read("SELECT ssn::int FROM customers WHERE id = $1", 5)
    await read("UPDATE customers SET note = note WHERE id = $1 RETURNING *", 5)
    await read("UPDATE customers SET ssn = (SELECT ssn FROM customers WHERE id = 5) WHERE id = $1", 6)
    await read("UPDATE customers SET name = $1 WHERE id = 5", "")
    await read("SELECT tell(c) FROM customers c WHERE id = $1", 5)
    await read("EXPLAIN (ANALYZE) SELECT * FROM orders WHERE item = fifth()")
    async with connection.transaction():
        print([row async for row in connection.cursor("SELECT ssn, note FROM customers ORDER BY id", prefetch=7)])
    for format in ["text", "csv", "binary"]:
        data = io.BytesIO()
        await connection.copy_from_query("SELECT id, ssn, note FROM customers WHERE id < $1", 7, output=data, format=format)
        print(data.getvalue())
    for notice in notices:
        print(notice.as_dict())
    await read("SELECT set_config('application_name', ssn, false) IS NULL FROM customers WHERE id = $1", 5)
    print(connection.get_settings())
    await connection.close()
asyncio.run(main())
"#;

fn world() -> WorldBuilder {
    World::new().policy(POLICY).config(MASKS).password_in_a_file()
}

fn set_up(world: &World) {
    world.database.psql(TELLING);
    world.database.psql("ANALYZE");
    world.database.psql(
        "GRANT TEMPORARY ON DATABASE CURRENT TO shop_gateway"
            .replace("CURRENT", &world.database.name)
            .as_str(),
    );
}

/// Reads in every way; gives what the person saw.
fn read(person: &Person<'_>) -> String {
    let script = format!("\\set VERBOSITY verbose\n{}\n\\conninfo\n", READS.join("\n"));
    let typed = person.psql_script(&script);
    let interpreter = std::env::var("HOOP_TEST_PYTHON").expect("tests/run.sh sets HOOP_TEST_PYTHON");
    let driven = hoop_tests::run(
        person
            .command(&["connect", "db-prod", "--", &interpreter, "-c", DRIVER])
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )
    .expect_code(0);
    [typed.stdout, typed.stderr, driven.stdout, driven.stderr].concat()
}

/// Every way to write the value that a search must find.
fn holds(bytes: &[u8], value: &str) -> bool {
    let find = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    find(value.as_bytes()) || find(hex.as_bytes())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            // A client that was ended leaves its socket behind.
            found.push(path);
        }
    }
    found
}

/// What a folder holds, by name: files, what is compressed in them, and what stands in lines as base64.
fn unpacked(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files(folder) {
        let name = path.display().to_string();
        let mut bytes = std::fs::read(&path).unwrap();
        if name.ends_with(".zst") {
            let mut content = Vec::new();
            zstd::Decoder::new(&*bytes)
                .unwrap()
                .read_to_end(&mut content)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            bytes = content;
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            let inline = serde_json::from_slice::<serde_json::Value>(line)
                .ok()
                .and_then(|event| event["inline"].as_str().map(|text| STANDARD.decode(text).unwrap()));
            all.extend(inline.map(|content| (format!("{name}, inline"), content)));
        }
        all.push((name, bytes));
    }
    all
}

/// Waits until every recording is put away.
fn sealed(world: &World) {
    eventually("the recordings are sealed", || {
        files(&world.data().join("recordings/open")).is_empty().then_some(())
    });
}

/// Arguments and environments of a process and of all below it.
fn processes(root: u32) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            if let Ok(bytes) = std::fs::read(&path) {
                all.push((path, bytes));
            }
        }
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        }
    }
    all
}

#[test]
fn whoever_reads_sensitive_values_leaves_none_of_them_behind() {
    let world = world().log("trace").start();
    set_up(&world);
    let mut traces = Vec::new();
    {
        let bo = world.person("bo");
        let seen = read(&bo);
        assert!(holds(seen.as_bytes(), SSN) && holds(seen.as_bytes(), CARD), "{seen}");
        let open = bo.psql_start("SELECT * FROM customers;\nSELECT pg_sleep(60);\n");
        eventually("the statement runs", || {
            let running = world.database.psql(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
            );
            (running.trim() != "0").then_some(())
        });
        traces.extend(processes(open.pid()));
    }
    traces.extend(processes(world.pid()));
    assert!(traces.len() >= 6, "the processes are looked at");
    {
        let ana = world.person("ana");
        let seen = read(&ana);
        for value in [SSN, CARD] {
            let lines: Vec<&str> = seen.lines().filter(|line| holds(line.as_bytes(), value)).collect();
            assert!(lines.is_empty(), "who may not see {value} sees it: {lines:#?}");
        }
    }
    sealed(&world);
    // The password's own file is where the operator put it.
    let data = unpacked(world.folder());
    traces.extend(data.into_iter().filter(|(name, _)| !name.ends_with("/password")));
    for (name, bytes) in &traces {
        for value in [SSN, CARD, PASSWORD] {
            assert!(
                !holds(bytes, value),
                "{name} holds {value}:\n{}",
                String::from_utf8_lossy(bytes)
                    .lines()
                    .filter(|line| holds(line.as_bytes(), value))
                    .collect::<Vec<_>>()
                    .join("\n")
            );
        }
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let world = world().start();
    let bo = world.person("bo");
    // Short content stands in the event's line, long content in a compressed file; both are unmasked here.
    bo.psql("SELECT 'short ' || name FROM customers WHERE id = 5")
        .expect_code(0);
    bo.psql("SELECT 'long ' || name || repeat('.', 300) FROM customers ORDER BY id")
        .expect_code(0);
    bo.psql("SELECT 1 AS planted").expect_code(0);
    sealed(&world);
    let name = world.database.psql("SELECT name FROM customers WHERE id = 5");
    let found = |value: &str| -> Vec<String> {
        let all = unpacked(world.folder());
        let holding = all.into_iter().filter(|(_, bytes)| holds(bytes, value));
        holding.map(|(name, _)| name).collect()
    };
    let short = found(&format!("short {}", name.trim()));
    assert!(short.iter().any(|name| name.ends_with("inline")), "{short:?}");
    let long = found(&format!("long {}", name.trim()));
    assert!(long.iter().any(|name| name.ends_with(".zst")), "{long:?}");
    let planted = found("AS planted");
    assert!(planted.iter().any(|name| name.ends_with(".jsonl")), "{planted:?}");
}
