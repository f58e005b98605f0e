#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::config::{MaskRule, MaskWhat, MaskWith};
use crate::inspect::catalog::{Parts, RelationKind};
use crate::policy::Resource;

const KEY: [u8; 32] = [3; 32];

/// `customers(id, email, ssn)`, with these names.
fn catalog(oid: u32, schema: &str, table: &str, columns: [&str; 3]) -> Catalog {
    let column = |(index, name): (usize, &&str)| Column {
        attnum: i16::try_from(index + 1).unwrap(),
        name: Arc::from(*name),
        type_oid: 25,
        not_null: false,
        generated: false,
        generated_from: Vec::new(),
    };
    let relation = Relation {
        oid,
        schema: Arc::from(schema),
        name: Arc::from(table),
        kind: RelationKind::Table,
        columns: columns.iter().enumerate().map(column).collect(),
        keys: Vec::new(),
        view: None,
        parents: Vec::new(),
        partition: false,
        rules: Vec::new(),
        triggers: Vec::new(),
        write_calls: Vec::new(),
        read_calls: Vec::new(),
    };
    Parts {
        relations: vec![relation],
        ..Parts::default()
    }
    .build()
}

fn masks(columns: &[(&str, MaskWith)]) -> Masks {
    let rules: Vec<MaskRule> = columns
        .iter()
        .map(|(column, with)| MaskRule {
            what: MaskWhat::Columns(vec![(*column).to_owned()]),
            with: *with,
            connections: Vec::new(),
        })
        .collect();
    Masks::compile(&rules, "db", &KEY).unwrap()
}

fn redact() -> Masks {
    masks(&[("customers.ssn", MaskWith::Redact)])
}

fn database(cluster: &str) -> DatabaseId {
    DatabaseId {
        cluster: cluster.to_owned(),
        oid: 5,
    }
}

fn fresh(cluster: &str) -> Bindings {
    Bindings::of(database(cluster), Vec::new())
}

fn ssn(relation: u32) -> ColumnRef {
    ColumnRef { relation, attnum: 3 }
}

fn mask(masks: &Masks, catalog: &Catalog, bound: &Bindings) -> Option<MaskWith> {
    masks.views(catalog, bound, |_| false).masked().get(&ssn(20_000))
}

#[test]
fn renaming_frees_nothing() {
    let masks = redact();
    let before = catalog(20_000, "public", "customers", ["id", "email", "ssn"]);
    let bound = masks.bind(&before, &fresh("a"));
    assert_eq!(mask(&masks, &before, &bound), Some(MaskWith::Redact));
    for renamed in [
        catalog(20_000, "public", "customers", ["id", "email", "harmless"]),
        catalog(20_000, "public", "people", ["id", "email", "ssn"]),
        catalog(20_000, "archive", "people", ["id", "email", "x"]),
    ] {
        let again = masks.bind(&renamed, &bound);
        assert_eq!(mask(&masks, &renamed, &again), Some(MaskWith::Redact));
        let changes = again.since(&bound);
        assert_eq!(changes.keep.len(), 1, "its new name is kept");
        assert!(changes.forget.is_empty());
        assert_eq!(again.column(&ssn(20_000))[0].bound_as.column.as_ref(), "ssn");
    }
    assert!(masks.bind(&before, &bound).since(&bound).is_empty());
}

#[test]
fn a_column_that_takes_a_masked_ones_name_does_not_free_it() {
    let masks = masks(&[
        ("customers.ssn", MaskWith::Redact),
        ("customers.email", MaskWith::Partial { keep_last: 4 }),
    ]);
    let before = catalog(20_000, "public", "customers", ["id", "email", "ssn"]);
    let bound = masks.bind(&before, &fresh("a"));
    let swapped = catalog(20_000, "public", "customers", ["id", "ssn", "email"]);
    let again = masks.bind(&swapped, &bound);
    let views = masks.views(&swapped, &again, |_| false);
    for attnum in [2, 3] {
        let column = ColumnRef {
            relation: 20_000,
            attnum,
        };
        assert_eq!(
            views.masked().get(&column),
            Some(MaskWith::Redact),
            "the stricter holds"
        );
    }
}

#[test]
fn a_permit_for_the_new_name_alone_shows_nothing() {
    let masks = redact();
    let before = catalog(20_000, "public", "customers", ["id", "email", "ssn"]);
    let bound = masks.bind(&before, &fresh("a"));
    let renamed = catalog(20_000, "public", "customers", ["id", "email", "note"]);
    let bound = masks.bind(&renamed, &bound);
    let permits = |names: &'static [&'static str]| {
        let views = masks.views(&renamed, &bound, |resource| match resource {
            Resource::Column(_, _, column) => names.contains(&column.as_ref()),
            _ => false,
        });
        views.masked().get(&ssn(20_000)).is_none()
    };
    assert!(!permits(&["note"]));
    assert!(!permits(&["ssn"]));
    assert!(permits(&["note", "ssn"]));
}

#[test]
fn a_binding_ends_with_its_rule_or_its_column() {
    let masks_before = redact();
    let before = catalog(20_000, "public", "customers", ["id", "email", "ssn"]);
    let bound = masks_before.bind(&before, &fresh("a"));
    let renamed = catalog(20_000, "public", "customers", ["id", "email", "harmless"]);
    let other_rule = masks(&[("customers.email", MaskWith::Redact)]);
    let again = other_rule.bind(&renamed, &bound);
    assert_eq!(mask(&other_rule, &renamed, &again), None);
    assert_eq!(again.since(&bound).forget.len(), 1);
    // The same rule with another mask is the same rule.
    let hash = masks(&[("Customers.SSN", MaskWith::Hash)]);
    let again = hash.bind(&renamed, &bound);
    assert_eq!(mask(&hash, &renamed, &again), Some(MaskWith::Hash));
    let gone = catalog(20_001, "public", "customers", ["id", "email", "harmless"]);
    let again = masks_before.bind(&gone, &bound);
    assert_eq!(again.since(&bound).forget.len(), 1);
}

#[test]
fn a_restored_copy_begins_with_the_names_that_its_forerunner_had_last() {
    let masks = redact();
    let before = catalog(20_000, "public", "customers", ["id", "email", "ssn"]);
    let renamed = catalog(20_000, "public", "customers", ["id", "email", "harmless"]);
    let bound = masks.bind(&renamed, &masks.bind(&before, &fresh("a")));
    let kept: Vec<KeptBinding> = bound
        .iter()
        .map(|binding| KeptBinding {
            database: database("a"),
            binding: binding.clone(),
        })
        .collect();
    // Other numbers, the new names; the old number is another column here.
    let copy = catalog(30_000, "public", "customers", ["id", "email", "harmless"]);
    let there = masks.bind(&copy, &Bindings::of(database("b"), kept.clone()));
    let views = masks.views(&copy, &there, |_| false);
    assert_eq!(views.masked().get(&ssn(30_000)), Some(MaskWith::Redact));
    assert_eq!(views.masked().iter().count(), 1);
    // The same numbers in another database mean nothing.
    let stranger = catalog(20_000, "public", "lamps", ["id", "colour", "watts"]);
    let there = masks.bind(&stranger, &Bindings::of(database("c"), kept));
    assert_eq!(mask(&masks, &stranger, &there), None);
}
