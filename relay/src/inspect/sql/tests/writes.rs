use super::*;

#[test]
fn writes_name_the_table_and_its_columns() {
    check(
        "insert into partial (id, code) values (1, 'a')",
        "insert partial; insert partial.id; insert partial.code",
    );
    check(
        "insert into partial values (1, true)",
        "insert partial; insert partial.id; insert partial.flag",
    );
    check("insert into partial default values", "insert partial");
    check(
        "insert into partial (id) select id from orders",
        "insert partial; insert partial.id; select orders; select orders.id",
    );
    check(
        "update partial set code = 'x' where id = 1",
        "update partial; update partial.code; select partial.id",
    );
    check("delete from partial where id = 1", "delete partial; select partial.id");
    check(
        "delete from partial returning code",
        "delete partial unbounded; select partial.code",
    );
    check("truncate partial", "truncate partial");
    has(
        "update partial set (id, code) = (select id, note from orders)",
        "select orders.note",
    );
    has(
        "update partial p set code = o.note from orders o where o.id = p.id",
        "select orders.note",
    );
    has("delete from only partial", "delete partial unbounded");
    has("insert into nothing values (1)", "unknown");
    has("insert into partial (nothing) values (1)", "unknown");
}

#[test]
fn on_conflict_and_merge_have_each_branch() {
    check(
        "insert into partial (id) values (1) on conflict (id) do update set code = excluded.code",
        "insert partial; insert partial.id; update partial; update partial.code",
    );
    check(
        "insert into partial (id) values (1) on conflict do nothing",
        "insert partial; insert partial.id",
    );
    let sql = "merge into partial p using orders o on o.id = p.id when matched and o.total > 1 then delete
        when matched then update set code = o.note when not matched then insert (id) values (o.id)";
    for effect in [
        "merge partial",
        "delete partial",
        "update partial",
        "update partial.code",
        "insert partial",
        "insert partial.id",
        "select orders.total",
    ] {
        has(sql, effect);
    }
}

#[test]
fn data_modifying_queries_count_at_any_depth() {
    for sql in [
        "with d as (delete from partial returning id) select 1",
        "with d as (delete from partial) select 1",
        "with a as (with d as (delete from partial) select 1) select 1",
        "insert into orders (id) with d as (delete from partial returning id) select id from d",
        "explain analyze with d as (delete from partial) select 1",
        "copy (delete from partial returning id) to stdout",
        "copy (with d as (delete from partial returning id) select 1) to stdout",
        "create table t as with d as (delete from partial returning id) select * from d",
    ] {
        has(sql, "delete partial unbounded");
    }
}

#[test]
fn a_where_that_is_always_true_is_none() {
    for condition in [
        "",
        "where true",
        "where 1 = 1",
        "where 't'",
        "where id = id",
        "where p.id = id",
        "where not false",
        "where 1 = 1 and true",
        "where code = 'x' or true",
        "where code = 'x' or id = id",
        "where id is not distinct from id",
        "where not (id <> id)",
        "where $1",
        "where 'a' < 'b'",
        "where id in (id)",
        "where code like '%'",
        "where (select true)",
        "where exists (select 1)",
        "where now() > '2000-01-01'",
        "where id between id and id",
        "where id >= id",
    ] {
        has(
            &format!("delete from partial p {condition}"),
            "delete partial unbounded",
        );
        has(
            &format!("update partial p set code = 'x' {condition}"),
            "update partial.code unbounded",
        );
    }
    has(
        "delete from customers where name is not null",
        "delete customers unbounded",
    );
    for condition in [
        "where id = 1",
        "where code is not null",
        "where false",
        "where id = 1 and true",
        "where id <> id",
        "where id in (1, 2)",
    ] {
        has(&format!("delete from partial p {condition}"), "delete partial");
    }
}

#[test]
fn a_whole_key_pins_rows() {
    for sql in [
        "delete from orders where id = 1",
        "delete from orders where 1 = id",
        "delete from orders where id = $1",
        "delete from orders where id = '1'",
        "delete from orders where id = 1 and note = 'x'",
        "delete from orders o where o.id = 1::bigint",
        "delete from orders where id = 9999999999",
        "delete from only orders where id = 1",
    ] {
        has(sql, "delete orders by_key");
    }
    has("delete from customers where email = 'a@b.c'", "delete customers by_key");
    has(
        "delete from items where order_id = 1 and sku = 'x'",
        "delete items by_key",
    );
    has("delete from moods where m = 'sad'", "delete moods by_key");
    has("update orders set note = 'x' where id = 1", "update orders.note by_key");
    for sql in [
        "delete from orders where id = 1::float8",
        "delete from orders where id = 1.5",
        "delete from orders where id in (1)",
        "delete from orders where id = any('{1}')",
        "delete from orders where id > 1",
        "delete from orders where id = 1 or id = 2",
        "delete from orders where not id = 1",
        "delete from orders where id = 1 is true",
        "delete from orders using customers where orders.id = 1",
        "delete from orders where id + 0 = 1",
        "delete from orders where customer_id = 1",
        "delete from orders where id = (select 1)",
        "delete from orders where id = total",
        "delete from orders where current of c",
    ] {
        lacks(sql, "delete orders by_key");
    }
    lacks(
        "delete from customers where email = 'x' collate \"C\"",
        "delete customers by_key",
    );
    lacks("delete from items where order_id = 1", "delete items by_key");
    lacks("delete from partial where id = 1", "delete partial by_key");
    lacks("delete from partial where lower(code) = 'x'", "delete partial by_key");
    // A parent's key says nothing of its children's rows.
    lacks("delete from people where id = 1", "delete people by_key");
    has("delete from only people where id = 1", "delete people by_key");
    // A row's children go with it.
    lacks("delete from tree where id = 1", "delete tree by_key");
    // Two writes of one table: both must be by key.
    lacks(
        "with a as (delete from orders where id = 1) delete from orders where note = 'x'",
        "delete orders by_key",
    );
    let Some(catalog) = catalog() else { return };
    let masked = MaskedColumns::default();
    let by_parameter = |types: &[u32]| {
        let world = World {
            catalog,
            scope: &Scope::fresh(),
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: types,
        };
        read("delete from orders where id = $1", &world).statements[0]
            .effects
            .iter()
            .any(|effect| effect.by_key)
    };
    assert!(by_parameter(&[]) && by_parameter(&[0]) && by_parameter(&[23]));
    assert!(!by_parameter(&[701]), "float8");
}

#[test]
fn a_join_of_equal_names_limits_and_a_column_equal_to_itself_does_not() {
    for sql in [
        "update orders o set note = c.name from customers c where o.id = c.id",
        "update orders set note = 'x' from customers c where c.id = orders.id",
        "delete from orders using customers c where orders.id = c.id",
    ] {
        lacks(sql, "delete orders unbounded");
        lacks(sql, "update orders unbounded");
    }
    for sql in [
        "delete from orders where id = orders.id",
        "delete from orders o where o.id = o.id",
        "delete from orders where public.orders.id = id",
        "delete from orders using customers c where c.id = c.id",
    ] {
        has(sql, "delete orders unbounded");
    }
}

#[test]
fn what_follows_from_a_write_is_an_effect() {
    let cascade = "delete from customers where id = 1";
    has(cascade, "delete customers by_key");
    has(cascade, "delete orders");
    has(cascade, "update items.order_id");
    has("update orders set id = 2 where id = 1", "update items.order_id");
    lacks("update orders set note = 'x' where id = 1", "update items");
    has("update audited set v = 'x' where id = 1", "call on_order() trigger");
    lacks("insert into audited values (1, 'x')", "call");
    // A rule's action, for the rows that the statement means.
    has("delete from ruled where id = 1", "delete audited unbounded");
    lacks("delete from ruled where id = 1", "unknown");
    lacks("insert into ruled values (1)", "delete");
    has("update all_ruled set v = 'x' where id = 1", "update partial.code");
    // Which rows those are, the view's query says.
    has("update all_ruled set v = 'x' where id = 1", "select audited.v");
    lacks("update all_ruled set v = 'x' where id = 1", "update audited");
    lacks("update all_ruled set v = 'x' where id = 1", "unknown");
    check("call answer(1, null)", "call answer(integer) procedure");
    has("truncate customers cascade", "truncate orders");
    has("truncate customers cascade", "truncate items");
    has("drop table customers cascade", "drop customer_secrets");
    has("drop table customers cascade", "drop secrets_of_secrets");
    has("drop table customers cascade", "alter orders");
    lacks("drop table customers", "drop customer_secrets");
    has("drop schema app cascade", "drop app.customers");
}

#[test]
fn a_view_is_written_through() {
    has(
        "update customer_names set name = 'x'",
        "update customer_names.name unbounded",
    );
    has(
        "update customer_names set name = 'x'",
        "update customers.name unbounded",
    );
    has("delete from customer_names", "delete customers unbounded");
    has(
        "insert into customer_names (id, name) values (1, 'x')",
        "insert customers.name",
    );
}
