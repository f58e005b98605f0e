//! What psql, pg_dump and drivers ask by themselves passes under a policy that only says what may be read.

use super::*;

const STATEMENTS: &str = include_str!("clients.sql");

#[test]
fn what_clients_ask_by_themselves_is_catalog_and_session() {
    let Some(catalog) = catalog() else { return };
    let mut failed = Vec::new();
    for statement in STATEMENTS
        .split("\n;;\n")
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        let reading = reading(catalog, statement);
        for effect in reading.statements.iter().flat_map(|statement| &statement.effects) {
            let group = match effect.action {
                Action::Sql(action) => action.group(),
                _ => "",
            };
            if !matches!(group, "sql:catalog" | "sql:session" | "sql:read") {
                failed.push(format!(
                    "{} in {statement}: {:?}",
                    effect_text(effect),
                    reading.unresolved
                ));
            }
        }
        if reading.refused.is_some() {
            failed.push(format!("refused: {statement}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
