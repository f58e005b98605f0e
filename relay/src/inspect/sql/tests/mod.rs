//! What statements are read as, under the catalog of a real server with the schema of `schema.sql`.

#![allow(clippy::unwrap_used, clippy::panic)] // Tests state what must be there.

mod administration;
mod changes;
mod clients;
mod copies;
mod differential;
mod generated;
mod hostile;
mod lineage;
mod reads;
mod settings;
mod writes;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::*;
use crate::config::MaskWith;
use crate::inspect::masked::close;
use crate::policy::Resource;
use crate::target::catalog::server::{Server, Within};
use crate::target::catalog::{Around, load, load_temporary};

const SCHEMA: &str = include_str!("schema.sql");

/// The catalog of the schema; `None` where no server is installed.
fn catalog() -> Option<&'static Catalog> {
    static CATALOG: OnceLock<Option<Catalog>> = OnceLock::new();
    CATALOG
        .get_or_init(|| {
            let mut server = Server::start(SCHEMA)?;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            Some(runtime.block_on(load(&mut server)).unwrap())
        })
        .as_ref()
}

/// `customers.ssn` is masked with the last four shown, `events.token` by NULL, `people.ssn` redacted.
fn masked(catalog: &Catalog) -> MaskedColumns {
    close(
        catalog,
        HashMap::from([
            (column(catalog, "customers", "ssn"), MaskWith::Partial { keep_last: 4 }),
            (column(catalog, "events", "token"), MaskWith::Null),
            (column(catalog, "people", "ssn"), MaskWith::Redact),
        ]),
    )
}

fn column(catalog: &Catalog, table: &str, name: &str) -> ColumnRef {
    let relation = catalog
        .relation_in("public", table)
        .unwrap_or_else(|| panic!("{table}"));
    ColumnRef {
        relation: relation.oid,
        attnum: relation
            .column_named(name)
            .unwrap_or_else(|| panic!("{table}.{name}"))
            .attnum,
    }
}

/// Reads with masks, on the default path.
fn reading(catalog: &Catalog, sql: &str) -> Reading {
    let masked = masked(catalog);
    read(
        sql,
        &World {
            catalog,
            scope: &Scope::fresh(),
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: &[],
        },
    )
}

/// The effects of a text, sorted: `select public.customers.id`.
fn effects(catalog: &Catalog, sql: &str) -> Vec<String> {
    let reading = reading(catalog, sql);
    let mut all: Vec<String> = reading
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .map(effect_text)
        .collect();
    all.sort();
    all.dedup();
    all
}

fn effect_text(effect: &Effect) -> String {
    let action = effect.action.as_str().trim_start_matches("sql:");
    let mut text = match &effect.resource {
        Resource::Connection => action.to_owned(),
        resource => format!("{action} {}", resource.id("").trim_start_matches('/')),
    };
    if effect.unbounded {
        text.push_str(" unbounded");
    }
    if effect.by_key {
        text.push_str(" by_key");
    }
    if let Some(kind) = effect.call_kind {
        text.push(' ');
        text.push_str(kind.as_str());
    }
    if let Some(setting) = &effect.setting {
        text.push(' ');
        text.push_str(setting);
        if let Some(value) = &effect.value {
            text.push('=');
            text.push_str(value);
        }
    }
    text.replace("public.", "")
}

/// Asserts the effects, given as lines.
#[track_caller]
fn check(sql: &str, expected: &str) {
    let Some(catalog) = catalog() else { return };
    let mut expected: Vec<String> = expected
        .split([';', '\n'])
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    expected.sort();
    assert_eq!(effects(catalog, sql), expected, "{sql}");
}

/// Asserts that an effect is there.
#[track_caller]
fn has(sql: &str, effect: &str) {
    let Some(catalog) = catalog() else { return };
    let found = effects(catalog, sql);
    assert!(found.iter().any(|found| found == effect), "{sql}: {found:#?}");
}

/// Asserts that no effect starts so.
#[track_caller]
fn lacks(sql: &str, start: &str) {
    let Some(catalog) = catalog() else { return };
    let found = effects(catalog, sql);
    assert!(found.iter().all(|found| !found.starts_with(start)), "{sql}: {found:#?}");
}
