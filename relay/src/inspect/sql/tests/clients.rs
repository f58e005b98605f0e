//! What psql, pg_dump and drivers ask by themselves passes under a policy that only says what may be read.
//!
//! psql and pg_dump are run against a server that logs their statements, so that each version brings its own.

use std::process::Command;

use super::*;

/// What drivers ask: types, tables, keys, settings. One statement to a paragraph.
const DRIVERS: &str = include_str!("drivers.sql");

/// Commands of psql whose answers are in the catalog alone. `\deu`, `\drds` show options that may hold secrets and are not here.
const COMMANDS: &[&str] = &[
    r"\d",
    r"\d customers",
    r"\d+ customers",
    r"\d+ customer_secrets",
    r"\d counter",
    r"\d+ events",
    r"\d events_2024",
    r"\dt+",
    r"\l+",
    r"\df+",
    r"\df archive",
    r"\du+",
    r"\dn+",
    r"\dv+",
    r"\di+",
    r"\dT+",
    r"\dx+ plpgsql",
    r"\dx",
    r"\dp",
    r"\ddp",
    r"\ds",
    r"\dm+",
    r"\sf archive",
    r"\sv customer_names",
    r"\dC",
    r"\dD",
    r"\do +",
    r"\da",
    r"\dO",
    r"\dF+",
    r"\dFd",
    r"\det",
    r"\des+",
    r"\dew+",
    r"\dy",
    r"\dRp+",
    r"\dP+",
    r"\dX",
    r"\dconfig work_mem",
    r"\dL",
    r"\dA+",
    r"\dc",
    r"\db+",
    r"\dl",
    r"\dE",
    r"\dit",
    r"\dd",
];

/// What does not pass.
fn refusals(catalog: &Catalog, statement: &str) -> Vec<String> {
    let reading = reading(catalog, statement);
    let mut failed: Vec<String> = reading
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .filter(|effect| {
            let Action::Sql(action) = effect.action else {
                return true;
            };
            !matches!(action.group(), "sql:catalog" | "sql:session" | "sql:read")
        })
        .map(|effect| format!("{} ({:?}): {statement}", effect_text(effect), reading.unresolved))
        .collect();
    failed.extend(reading.refused.map(|refused| format!("{refused:?}: {statement}")));
    failed
}

#[test]
fn drivers_find_their_way() {
    let Some(catalog) = catalog() else { return };
    let failed: Vec<String> = DRIVERS
        .split("\n\n")
        .filter(|statement| !statement.trim().is_empty())
        .flat_map(|statement| refusals(catalog, statement))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn psql_and_pg_dump_find_their_way() {
    let Some(catalog) = catalog() else { return };
    let reader = "CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; ALTER SYSTEM SET log_statement = 'all';
        ALTER SYSTEM SET log_line_prefix = '@@@'; SELECT pg_reload_conf();";
    let Some(server) = Server::start(&format!("{SCHEMA}\n{reader}")) else {
        return;
    };
    let client = |program: &str| {
        let mut command = Command::new(server.bin().join(program));
        command
            .arg("-h")
            .arg(server.socket())
            .args(["-U", "reader", "-d", "postgres"])
            .env_remove("PGOPTIONS")
            .stdout(std::process::Stdio::null());
        command
    };
    let mut psql = client("psql");
    psql.arg("-X");
    for command in COMMANDS {
        psql.args(["-c", command]);
    }
    assert!(psql.status().unwrap().success(), "psql");
    assert!(client("pg_dump").status().unwrap().success(), "pg_dump");
    let log = std::fs::read_to_string(server.socket().join("log")).unwrap();
    let statements: std::collections::BTreeSet<String> = log
        .split("@@@")
        .filter_map(|entry| entry.strip_prefix("LOG:  statement: "))
        // The log indents the lines of a statement after its first.
        .map(|statement| statement.trim_end().replace("\n\t", "\n"))
        .collect();
    assert!(statements.len() > 100, "{}", statements.len());
    let failed: Vec<String> = statements
        .iter()
        .flat_map(|statement| refusals(catalog, statement))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
