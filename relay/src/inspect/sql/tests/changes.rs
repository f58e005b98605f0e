//! Which names a text rests on, and which it changes for everybody.

use super::super::changes::{Changes, name, writes_of};
use super::*;

/// Asserts that a text changes these names, and no other.
#[track_caller]
fn changes(sql: &str, names: &[&str]) {
    let Some(catalog) = catalog() else { return };
    let numbers = names.iter().map(|text| match text.strip_prefix("writes ") {
        Some(text) => writes_of(text),
        None => name(text),
    });
    let found = reading(catalog, sql).changes;
    assert_eq!(found, Changes::of(numbers.collect()), "{sql}");
}

#[track_caller]
fn changes_all(sql: &str) {
    let Some(catalog) = catalog() else { return };
    assert_eq!(reading(catalog, sql).changes, Changes::All, "{sql}");
}

/// Asserts that a change of each of these names is one of what a text means.
#[track_caller]
fn rests_on(sql: &str, names: &[&str]) {
    let Some(catalog) = catalog() else { return };
    let found = reading(catalog, sql).uses;
    for text in names {
        let number = match text.strip_prefix("writes ") {
            Some(text) => writes_of(text),
            None => name(text),
        };
        assert!(found.binary_search(&number).is_ok(), "{sql}: {text}");
    }
}

#[test]
fn a_statement_rests_on_all_that_it_reads_through() {
    rests_on("select id from customers", &["customers"]);
    rests_on("select kept from kept_secrets", &["kept_secrets"]);
    rests_on(
        "select * from secrets_of_secrets",
        &["secrets_of_secrets", "customer_secrets", "customers", "orders"],
    );
    rests_on("select * from events_2024", &["events_2024", "events"]);
    rests_on("select lower(name) from app.customers", &["customers"]);
    rests_on(
        "select is_fine(name), upper(name) from customers",
        &["is_fine", "upper"],
    );
    rests_on("select 'sad'::mood", &["mood"]);
    rests_on(
        "delete from customers where id = 1",
        &["customers", "orders", "writes orders", "writes customers"],
    );
    rests_on("update audited set v = 'x'", &["audited", "writes audited", "on_order"]);
    rests_on("prepare p as select id from customers", &["customers"]);
    rests_on(
        "declare c cursor for select id from customer_names",
        &["customer_names", "customers"],
    );
    rests_on("copy (select id from customers) to stdout", &["customers"]);
    rests_on("copy customers to stdout", &["customers"]);
    rests_on("explain select id from customers", &["customers"]);
    rests_on("select nextval('counter')", &["counter"]);
    rests_on("select 1; select id from customers", &["customers"]);
}

#[test]
fn what_defines_changes_the_names_that_it_defines() {
    changes("select id from customers", &[]);
    changes("insert into moods values ('sad')", &[]);
    changes("create table fresh (id int primary key, customers text)", &["fresh"]);
    changes("create temp table customers (id int)", &[]);
    changes("create view app.fresh as select id from customers", &["fresh"]);
    changes("create or replace view customer_names as select 1", &["customer_names"]);
    changes(
        "create table fresh (c bigint references customers)",
        &["fresh", "writes customers"],
    );
    changes("create table fresh () inherits (people)", &["fresh", "people"]);
    changes("create index concurrently fresh on customers (id)", &["fresh"]);
    changes(
        "create index fresh on customers (is_fine(name))",
        &["fresh", "writes customers"],
    );
    changes("alter table partial validate constraint c", &[]);
    changes("alter table partial rename to other", &["partial", "other"]);
    changes("alter table partial rename code to other", &["partial", "other"]);
    changes("alter table partial add column more int", &["partial"]);
    changes("alter table partial alter code set not null", &["writes partial"]);
    changes("alter table staff no inherit people", &["staff", "people"]);
    changes(
        "create trigger t after insert on partial for each row execute function on_order()",
        &["writes partial"],
    );
    changes(
        "drop view customer_secrets cascade",
        &["customer_secrets", "secrets_of_secrets"],
    );
    changes(
        "create function fresh() returns int language sql as 'select 1'",
        &["fresh"],
    );
    changes("create type app.fresh as enum ('a')", &["fresh"]);
    changes("create domain fresh as text", &["fresh"]);
    changes("create schema fresh", &[]);
    changes("comment on table customers is 'x'", &[]);
    changes("lock table partial", &["partial"]);
    changes("truncate partial", &["partial"]);
    changes("grant select on partial to public", &[]);
    changes(
        "begin; create table one (id int); create table two (id int); commit",
        &["one", "two"],
    );
}

#[test]
fn what_may_change_anything_changes_every_name() {
    for sql in [
        "do $$ begin end $$",
        "alter schema app rename to other",
        "drop schema app cascade",
        "create operator <> (leftarg = mood, rightarg = mood, function = add_them)",
        "create cast (text as mood) with inout as implicit",
        "alter type mood rename to other",
        "create extension hstore",
        "create role other",
        "grant usage on schema app to public",
        "drop owned by current_user",
        "select * from nowhere",
        "no statement",
    ] {
        changes_all(sql);
    }
}

#[test]
fn a_sequence_that_is_named_late_is_not_known_behind_another_path() {
    has(
        "select set_config('search_path', 'app', false), nextval('counter'::text)",
        "unknown",
    );
    lacks("select nextval('counter'::text)", "unknown");
}

#[test]
fn what_changes_one_of_two_of_a_name_says_which() {
    let Some(catalog) = catalog() else { return };
    let refused = |sql: &str| reading(catalog, sql).refused;
    let last = "create temp table customers (id int, name text)";
    let scope = |sql: &str| {
        let masked = masked(catalog);
        let scope = Scope {
            temporary_at: Some(2),
            ..Scope::fresh()
        };
        let world = World {
            catalog,
            scope: &scope,
            masked: &masked,
            recorded: &masked,
            most_tokens: MOST_TOKENS,
            parameter_types: &[],
        };
        read(&format!("{last}; {sql}"), &world).refused
    };
    for sql in [
        "drop table customers",
        "delete from customers",
        "truncate customers",
        "alter table customers add x int",
    ] {
        assert!(
            matches!(scope(sql), Some(Refused::TwoOfAName { .. })),
            "{sql}: {:?}",
            scope(sql)
        );
        // Where it is searched first there is no doubt.
        assert_eq!(refused(&format!("{last}; {sql}")), None, "{sql}");
    }
    for sql in [
        "drop table pg_temp.customers",
        "drop table public.customers",
        "select * from customers",
    ] {
        assert_eq!(scope(sql), None, "{sql}");
    }
}
