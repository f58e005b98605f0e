use super::*;

#[test]
fn definitions_and_administration() {
    for (sql, expected) in [
        ("create table t (id int)", "create t"),
        ("create temp table t (id int)", "create pg_temp.t"),
        ("create table app.t (id int)", "create app.t"),
        ("create table t (id int default length('x'))", "create t"),
        (
            "create table t (b boolean default is_fine('x'))",
            "create t; call is_fine(text) function",
        ),
        (
            "create table t (x text default pg_read_file('x'))",
            "create t; server_file",
        ),
        ("alter table orders add column x int", "alter orders"),
        ("alter table orders drop column note", "alter orders; drop orders.note"),
        ("alter table orders owner to bob", "alter orders; grant orders"),
        ("drop table orders", "drop orders"),
        ("drop view customer_names", "drop customer_names"),
        ("drop function archive(customers)", "drop archive(customers)"),
        ("create index on orders (note)", "create orders"),
        (
            "create index n on orders (lower(note))",
            "create orders; create n; select orders.note",
        ),
        ("create schema s", "create s"),
        ("drop schema app", "drop app"),
        ("create sequence s", "create s"),
        ("alter sequence counter restart", "alter counter"),
        ("comment on table orders is 'x'", "comment orders"),
        ("comment on column orders.note is 'x'", "comment orders"),
        ("alter table orders rename to other", "alter orders"),
        ("alter table orders rename column note to other", "alter orders"),
        ("alter table orders set schema app", "alter orders; create app"),
        ("grant select on orders to bob", "grant orders"),
        ("grant execute on function archive(customers) to bob", "grant"),
        ("revoke select on orders from bob", "revoke orders"),
        ("grant admins to bob", "grant; role"),
        ("create role bob", "create; grant; role"),
        ("alter role bob password 'x'", "alter; grant; role"),
        ("drop role bob", "drop; grant; role"),
        ("alter default privileges grant select on tables to bob", "alter; grant"),
        ("vacuum orders", "maintenance orders"),
        ("vacuum", "maintenance"),
        ("analyze orders", "maintenance orders"),
        ("reindex table orders", "maintenance orders"),
        ("cluster orders using orders_pkey", "maintenance orders"),
        ("refresh materialized view totals", "maintenance totals"),
        ("checkpoint", "system"),
        ("load 'x'", "extension; server_file"),
        ("create extension hstore", "create; extension; server_file"),
        ("drop extension plpgsql", "drop; extension; server_file"),
        ("create database d", "create; system"),
        ("drop database d", "drop; system"),
        ("create tablespace t location '/x'", "create; server_file; system"),
        ("create server s foreign data wrapper w", "create; server_file"),
        ("create user mapping for bob server s", "create; server_file"),
        (
            "create publication p for table orders",
            "create; replication; replication orders",
        ),
        (
            "create subscription s connection 'x' publication p",
            "create; replication",
        ),
        (
            "alter system set work_mem = '1GB'",
            "alter; configure work_mem=1GB; maintenance; system",
        ),
        (
            "create function f(a int) returns int language sql as 'select 1'",
            "create f(integer)",
        ),
        (
            "create function f() returns int language c as 'x'",
            "create f(); extension",
        ),
        (
            "create trigger t after insert on orders execute function on_order()",
            "alter orders; create orders; call on_order() trigger",
        ),
        ("call tidy(1)", "call tidy(integer) procedure"),
        ("do 'begin end'", "call procedure; unknown"),
        ("create type m as enum ('a')", "create"),
        ("create foreign table t (id int) server s", "create t; server_file"),
        (
            "/* x */ Create Foreign Table if not exists app.server (server int options (a 'server')) inherits (partial) SERVER server options (b 'x')",
            "alter partial; create app.server; server_file",
        ),
        (
            "create foreign table t (b boolean default is_fine('server x')) server s",
            "call is_fine(text) function; create t; server_file",
        ),
        (
            "create rule r as on insert to orders do nothing",
            "alter orders; create orders",
        ),
        (
            "create rule r as on insert to orders where new.total > 1 do also delete from partial where code = new.note",
            "alter orders; create orders; delete partial; select partial.code",
        ),
        (
            "create rule r as on delete to orders do instead (update partial set id = old.id; notify gone)",
            "alter orders; create orders; notify; update partial unbounded; update partial.id unbounded",
        ),
        (
            "create table t (a int, b int4range, exclude using gist (a with =, b with &&))",
            "create t",
        ),
        ("drop table if exists nothing", "drop nothing"),
        ("drop table if exists app.nothing", "drop app.nothing"),
        ("drop trigger t on app.nothing", "alter app.nothing; drop app.nothing"),
        (
            "alter table if exists app.nothing add column id int",
            "alter app.nothing",
        ),
        ("truncate app.nothing", "truncate app.nothing"),
        ("comment on table app.nothing is 'x'", "comment app.nothing"),
        ("drop sequence numbers cascade", "alter numbered; drop numbers"),
        (
            "create view v as select id from orders",
            "create v; select orders; select orders.id",
        ),
    ] {
        check(sql, expected);
    }
}

#[test]
fn copy_in_all_its_forms() {
    for (sql, expected) in [
        (
            "copy partial to stdout",
            "select partial; select partial.id; select partial.flag; select partial.code",
        ),
        ("copy partial (id) to stdout", "select partial; select partial.id"),
        ("copy partial (id) from stdin", "copy_in partial; copy_in partial.id"),
        (
            "copy partial (id) to '/tmp/x'",
            "select partial; select partial.id; server_file",
        ),
        (
            "copy partial (id) from '/tmp/x'",
            "copy_in partial; copy_in partial.id; server_file",
        ),
        (
            "copy partial (id) to program 'x'",
            "copy_program; select partial; select partial.id",
        ),
        ("copy (select 1) to program 'x'", "copy_program"),
        (
            "copy partial (id) from stdin where is_fine('x')",
            "call is_fine(text) function; copy_in partial; copy_in partial.id",
        ),
    ] {
        check(sql, expected);
    }
    let Some(catalog) = catalog() else { return };
    let out = |sql: &str| match reading(catalog, sql).statements.remove(0).kind {
        Kind::CopyOut(out) => out,
        other => panic!("{sql}: {other:?}"),
    };
    let plain = out("copy partial to stdout");
    assert_eq!(
        (plain.format, plain.delimiter, plain.null.as_str(), plain.header),
        (CopyFormat::Text, b'\t', "\\N", false)
    );
    for sql in [
        "copy partial to stdout (format csv, header, delimiter ';', null 'N', quote '''', escape '\\', force_quote (code))",
        "copy partial to stdout with delimiter ';' null 'N' csv header quote '''' escape '\\' force quote code",
    ] {
        let csv = out(sql);
        assert_eq!(
            (csv.format, csv.delimiter, csv.null.as_str(), csv.header),
            (CopyFormat::Csv, b';', "N", true),
            "{sql}"
        );
        assert_eq!(
            (csv.quote, csv.escape, csv.force_quote),
            (b'\'', b'\\', Some(vec![2])),
            "{sql}"
        );
    }
    assert_eq!(
        out("copy partial to stdout (format csv, force_quote *)").force_quote,
        None
    );
    assert_eq!(out("copy binary partial to stdout").format, CopyFormat::Binary);
    assert_eq!(out("copy partial to stdout binary").format, CopyFormat::Binary);
    assert_eq!(
        reading(catalog, "copy partial to stdout (encoding 'latin1')").refused,
        Some(Refused::Encoding)
    );
    assert_eq!(
        reading(catalog, "copy partial from stdin encoding 'sjis'").refused,
        Some(Refused::Encoding)
    );
    assert_eq!(
        reading(catalog, "copy partial to stdout (encoding 'utf-8')").refused,
        None
    );
    assert_eq!(
        reading(catalog, "copy partial from stdin").statements[0].kind,
        Kind::CopyIn
    );
}

#[test]
fn names_that_a_message_itself_changes_are_not_trusted() {
    // The server may know a newer one of that name; a view names what a rename hides.
    has(
        "alter table customers rename to x; select id from customer_names",
        "unknown",
    );
    has(
        "create view fresh as select id from orders; select id from fresh",
        "unknown",
    );
    has(
        "alter table orders enable trigger all; select id from partial",
        "unknown",
    );
    has("do 'begin end'; select id from partial", "unknown");
    lacks("create table fresh (id int); select id from partial", "unknown");
    has("select is_fine('x'); select id from partial", "unknown");
    lacks("begin; select id from partial; commit", "unknown");
    lacks(
        "create table a1 (id int); create table a2 (id int); create index on partial (id)",
        "unknown",
    );
}

#[test]
fn a_message_may_use_what_it_makes() {
    for sql in [
        "create temp table t (id int, note text); insert into t values (1, 'x'); select note from t where id = 1; drop table t",
        "begin; create table t (id serial primary key, c bigint references customers on delete cascade); \
         create index t_c on t (c); insert into t (c) select id from customers; grant usage on sequence t_id_seq to public; \
         comment on table t is 'x'; comment on index t_c is 'y'; commit",
        "create table t as select id, name as n from customers; update t set n = 'x' where id = 1; alter table t rename to u; delete from u where n = 'y'",
        "alter table partial add column extra int; update partial set extra = 1 where id = 1; alter table partial rename extra to more; select more from partial",
        "drop table if exists nothing; drop table items; create table items (id int); insert into items (id) values (1)",
        "create type colour as enum ('r'); create domain small as int check (value < 9); create table t (c colour, s small); insert into t values ('r', 1)",
        "create schema s; create table s.t (id int); select id from s.t",
        "create schema s create table t (id int) create view v as select id from t",
        "create sequence q; select nextval('q'); create table t (id int default nextval('q')); insert into t default values",
        "create function f(a int) returns int language sql as 'select 1'; comment on function f(int) is 'x'; select id from orders",
        "create function g() returns trigger language plpgsql as 'begin return new; end'; create table t (id int); \
         create trigger r before insert on t for each row execute function g(); select id from t",
    ] {
        lacks(sql, "unknown");
    }
    has(
        "create table t (c bigint references customers on delete cascade); delete from customers where id = 1",
        "delete t",
    );
    has(
        "create function g() returns trigger language plpgsql as 'x'; create table t (id int); \
         create trigger r before insert on t for each row execute function g(); insert into t values (1)",
        "call g() trigger",
    );
    has(
        "create table t (b boolean default is_fine('x')); insert into t default values",
        "call is_fine(text) function",
    );
    has(
        "create table t (id int); insert into t values (1); select missing from t",
        "unknown",
    );
    has(
        "create function f(a int) returns int language sql as 'select 1'; select f(1)",
        "call f(integer) function",
    );
    for gone in [
        "begin; create temp table orders (id int); rollback; delete from orders where id = 1",
        "begin; savepoint a; create table t (id int); rollback to a; delete from t where id = 1",
        "begin; create temp table t (id int) on commit drop; commit; select id from t",
        "begin; drop table items; rollback; select sku from items",
    ] {
        has(gone, "unknown");
    }
    has("drop table items; select sku from items", "unknown");
    has(
        "create temp table orders (secret text); select secret from orders",
        "select pg_temp.orders.secret",
    );
    has(
        "create temp table orders (secret text); select note from orders",
        "unknown",
    );
    // What of it is masked is known only when it is there.
    let Some(catalog) = catalog() else { return };
    let reading = reading(catalog, "create table t (ssn text); select ssn from t");
    assert_eq!(reading.touches_masked, Reach::BOTH);
    assert_eq!(
        reading.statements[1].lineage,
        Some(Lineage::Columns(vec![Origin {
            unknown: true,
            ..Origin::default()
        }]))
    );
}
