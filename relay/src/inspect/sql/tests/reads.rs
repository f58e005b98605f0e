use super::*;

#[test]
fn what_stands_behind_a_name_is_meant_too() {
    let Some(catalog) = catalog() else { return };
    let masked = masked(catalog);
    let reading_along = |path: &[&str], sql: &str| {
        let scope = Scope {
            search_path: path.iter().map(|schema| (*schema).to_owned()).collect(),
            ..Scope::fresh()
        };
        let world = World {
            catalog,
            scope: &scope,
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: &[],
        };
        read(sql, &world)
    };
    let read_along = |path: &[&str], sql: &str| {
        let reading = reading_along(path, sql);
        let effects = reading.statements.iter().flat_map(|statement| &statement.effects);
        effects.map(effect_text).collect::<Vec<_>>()
    };
    let sql = "delete from customers where id = 1";
    let once = read_along(&["pg_catalog", "app"], sql);
    assert!(
        once.iter().all(|effect| !effect.starts_with("delete customers")),
        "{once:?}"
    );
    let twice = read_along(&["pg_catalog", "app", "public"], sql);
    for deleted in ["delete app.customers", "delete customers"] {
        assert!(
            twice.iter().any(|effect| effect.starts_with(deleted)),
            "{deleted}: {twice:?}"
        );
    }
    let read = read_along(
        &["pg_catalog", "app", "public"],
        "select id from customers where token = 'x'",
    );
    assert!(read.iter().any(|effect| effect.starts_with("infer")), "{read:?}");
    // The rows of COPY may be those of the other table, too.
    let masks_rows = |path: &[&str]| {
        let reading = reading_along(path, "copy customers to stdout");
        let Kind::CopyOut(out) = &reading.statements[0].kind else {
            panic!("{reading:?}")
        };
        let Lineage::Columns(columns) = &out.lineage else {
            panic!("{reading:?}")
        };
        columns.iter().any(|column| !column.derived.is_empty())
    };
    assert!(!masks_rows(&["pg_catalog", "app"]));
    assert!(masks_rows(&["pg_catalog", "app", "public"]));
}

#[test]
fn a_select_reads_tables_and_the_columns_it_names() {
    check(
        "select id, name from customers",
        "select customers; select customers.id; select customers.name",
    );
    check("select count(*) from customers", "select customers");
    check(
        "select c.id from customers c where c.region = 3 order by name",
        "select customers; select customers.id; select customers.region; select customers.name",
    );
    check(
        "table partial",
        "select partial; select partial.id; select partial.flag; select partial.code",
    );
    check("select 1, now(), 'a' || 'b'", "");
    check("values (1, 2), (3, 4)", "");
    check("", "");
    check(";;-- nothing\n", "");
}

#[test]
fn every_clause_is_walked() {
    for sql in [
        "select 1 from orders where exists (select 1 from customers)",
        "select (select count(*) from customers)",
        "select 1 from orders order by (select max(id) from customers)",
        "select 1 from orders limit (select 1 from customers)",
        "select 1 from orders offset (select 1 from customers)",
        "select 1 from orders group by id having count(*) > (select 1 from customers limit 1)",
        "select row_number() over (order by (select 1 from customers))",
        "select row_number() over w from orders window w as (partition by (select 1 from customers))",
        "select case when exists (select from customers) then 1 end",
        "select array(select id from customers)",
        "select 1 from orders o join items i on o.id = (select id from customers)",
        "select * from (select 1 from customers) x",
        "with a as (select 1 from customers) select 1",
        "with a as (with b as (select 1 from customers) select 1) select 1",
        "select 1 from orders, lateral (select 1 from customers) x",
        "select 1 union select 1 from customers",
        "values ((select 1 from customers))",
        "select coalesce(1, (select 1 from customers))",
        "select greatest(1, (select 1 from customers))",
        "select array[(select 1 from customers)]",
        "select row(1, (select 1 from customers))",
        "select ('{1}'::int[])[(select 1 from customers)]",
        "select count(*) filter (where exists (select from customers))",
        "select string_agg(note, ',' order by (select 1 from customers)) from orders",
        "select 1 from generate_series(1, (select 1 from customers))",
        "select 1 where 1 in (1, (select 1 from customers))",
        "select 1 where 1 = any (select 1 from customers)",
        "select xmlelement(name a, (select 1 from customers))",
        "select 1 from orders tablesample bernoulli ((select 1 from customers))",
        "select distinct on ((select 1 from customers)) 1",
        "select (select 1 from customers) is null",
        "select ((select 1 from customers) = 1) is true",
        "select (select 'x' from customers) collate \"C\"",
        "select (select 1 from customers)::text",
        "select 1 between 0 and (select 1 from customers)",
        "select extract(year from (select now() from customers))",
        "select substring('abc' from (select 1 from customers))",
    ] {
        has(sql, "select customers");
        lacks(sql, "unknown");
    }
}

#[test]
fn names_are_resolved_as_the_server_does() {
    has("select * from app.customers", "select app.customers.token");
    lacks("select * from app.customers", "select customers");
    // A WITH query hides the table.
    check("with customers as (select 1 as id) select id from customers", "");
    // Not in its own first query.
    has(
        "with customers as (select id from customers) select id from customers",
        "select customers.id",
    );
    // A correlated column is the outer table's.
    has(
        "select 1 from customers c where exists (select 1 from orders where customer_id = c.id)",
        "select customers.id",
    );
    // The inner table's column comes first.
    lacks(
        "select 1 from customers where exists (select 1 from orders where orders.id = id)",
        "select customers.id",
    );
    has("select nothing from customers", "unknown");
    has("select * from nothing", "unknown");
    has("select id from customers, orders", "unknown");
    let Some(catalog) = catalog() else { return };
    assert_eq!(
        reading(catalog, "select * from nothing.there").unresolved,
        ["nothing.there"]
    );
}

#[test]
fn a_temporary_table_may_hide_a_table() {
    let Some(catalog) = catalog() else { return };
    let mut scope = Scope::fresh();
    scope.temporary = Some("pg_temp_3".into());
    let masked = MaskedColumns::default();
    let mut seen = |path: &[&str]| {
        scope.search_path = path.iter().map(|schema| (*schema).to_owned()).collect();
        let world = World {
            catalog,
            scope: &scope,
            masked: &masked,
            recorded: &masked,
            most_tokens: crate::inspect::sql::MOST_TOKENS,
            parameter_types: &[],
        };
        read("select id from orders", &world).statements[0]
            .effects
            .iter()
            .map(effect_text)
            .collect::<Vec<_>>()
    };
    assert!(seen(&["pg_temp", "pg_catalog", "public"]).contains(&"unknown".to_owned()));
    assert!(!seen(&["pg_catalog", "public", "pg_temp"]).contains(&"unknown".to_owned()));
}

#[test]
fn temporary_objects_are_read_as_the_search_path_finds_them() {
    let Some(server) = Server::start(SCHEMA) else { return };
    let made = "CREATE TEMP TABLE orders (id int, note text, hidden text);
        CREATE TEMP TABLE scratch (a int PRIMARY KEY, ssn text);
        CREATE TEMP VIEW shown AS SELECT a, note FROM scratch JOIN pg_temp.orders ON a = id;
        CREATE FUNCTION pg_temp.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';";
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut session = Within(&server, made);
    let parts = runtime
        .block_on(load_temporary(&mut session, Around::default()))
        .unwrap();
    let shared = runtime.block_on(load(&mut Within(&server, ""))).unwrap();
    assert!(shared.relation_in("pg_temp", "orders").is_none());
    let catalog = shared.with_temporary(parts);
    let mut scope = Scope::fresh();
    scope.temporary = Some("pg_temp_3".into());
    let masked = MaskedColumns::default();
    let seen = |scope: &Scope, sql: &str| {
        let world = World {
            catalog: &catalog,
            scope,
            masked: &masked,
            recorded: &masked,
            most_tokens: MOST_TOKENS,
            parameter_types: &[],
        };
        let mut seen: Vec<String> = read(sql, &world).statements[0]
            .effects
            .iter()
            .map(effect_text)
            .collect();
        seen.sort();
        seen
    };
    scope.search_path = ["pg_temp", "pg_catalog", "public"].map(str::to_owned).into();
    let hidden = seen(&scope, "select hidden from orders");
    assert_eq!(hidden, ["select pg_temp.orders", "select pg_temp.orders.hidden"]);
    let update = seen(&scope, "update scratch set ssn = 'x' where a = 1");
    assert!(
        update.contains(&"update pg_temp.scratch.ssn by_key".to_owned()),
        "{update:?}"
    );
    assert_eq!(seen(&scope, "drop table orders"), ["drop pg_temp.orders"]);
    assert_eq!(seen(&scope, "create table made (id int)"), ["create made"]);
    assert!(seen(&scope, "select note from shown").contains(&"select pg_temp.orders.note".to_owned()));
    // Functions are never found there without the schema's name.
    assert!(seen(&scope, "select f(1)").contains(&"unknown".to_owned()));
    assert_eq!(
        seen(&scope, "select pg_temp.f(1)"),
        ["call pg_temp.f(integer) function"]
    );
    scope.search_path = ["pg_catalog", "public", "pg_temp"].map(str::to_owned).into();
    let note = seen(&scope, "select note from orders");
    assert_eq!(note, ["select orders", "select orders.note"]);
    for own in ["pg_temp.orders", "pg_temp_3.orders"] {
        assert_eq!(seen(&scope, &format!("select hidden from {own}")).len(), 2, "{own}");
    }
    assert!(seen(&scope, "select * from pg_temp_4.orders").contains(&"unknown".to_owned()));
}

#[test]
fn select_into_and_create_table_as_make_and_fill() {
    for sql in [
        "select id into copies from customers",
        "create table copies as select id from customers",
    ] {
        check(
            sql,
            "create copies; insert copies; select customers; select customers.id",
        );
    }
    has(
        "create table copies as select ssn from customers",
        "infer customers.ssn",
    );
    has(
        "create materialized view copies as select ssn from customers",
        "infer customers.ssn",
    );
}

#[test]
fn locking_is_an_effect_of_its_own() {
    check(
        "select id from customers for update",
        "lock customers; select customers; select customers.id",
    );
    check(
        "select c.id from customers c, orders o for share of o",
        "lock orders; select customers; select customers.id; select orders",
    );
    check("lock table customers in exclusive mode", "lock customers");
    check("lock table customers in access share mode", "select customers");
    has("select pg_advisory_lock(1)", "lock");
}

#[test]
fn views_have_the_effects_of_their_queries() {
    check(
        "select name from customer_names",
        "select customer_names; select customer_names.name; select customers; select customers.id; select customers.name; select customers.region",
    );
    has("select 1 from secrets_of_secrets", "select orders.customer_id");
    // What the view's own query compares was its owner's to decide.
    lacks("select id from customer_secrets", "infer");
}

#[test]
fn a_partition_is_its_parent_too() {
    has("select at from events_2024", "select events.at");
    has("delete from events_2024 where at = now()", "delete events");
    has("drop table events", "drop events_2024");
}

#[test]
fn functions_of_users_are_calls_whatever_they_are() {
    has("select is_fine('x')", "call is_fine(text) function");
    has("select * from list_all()", "call list_all() function");
    has("select archive(c) from customers c", "call archive(customers) function");
    // `c.archive` is archive(c).
    has("select c.archive from customers c", "call archive(customers) function");
    // A function behind pg_catalog's could match better.
    lacks("select lower('x')", "call");
    let Some(catalog) = catalog() else { return };
    let scope = Scope {
        search_path: ["pg_catalog", "public", "app"].map(str::to_owned).into(),
        ..Scope::fresh()
    };
    let world = World {
        catalog,
        scope: &scope,
        masked: &MaskedColumns::default(),
        recorded: &MaskedColumns::default(),
        most_tokens: crate::inspect::sql::MOST_TOKENS,
        parameter_types: &[],
    };
    let calls: Vec<String> = read("select lower('x')", &world).statements[0]
        .effects
        .iter()
        .map(effect_text)
        .collect();
    assert_eq!(calls, ["call app.lower(text) function"]);
    assert!(
        read("select pg_catalog.lower('x')", &world).statements[0]
            .effects
            .is_empty()
    );
}

#[test]
fn functions_of_the_server_are_on_a_list() {
    check("select upper('x'), count(*), sum(1), now(), random(), version()", "");
    has("select pg_read_file('/etc/passwd')", "server_file");
    has(
        "select query_to_xml('select 1', true, true, '')",
        "call pg_catalog.query_to_xml() function",
    );
    has(
        "select ts_rewrite('a'::tsquery, 'select 1')",
        "call pg_catalog.ts_rewrite() function",
    );
    lacks("select ts_rewrite('a'::tsquery, 'a'::tsquery, 'b'::tsquery)", "call");
    has(
        "select * from ts_stat('select 1')",
        "call pg_catalog.ts_stat() function",
    );
    has("select lo_get(1)", "server_data");
    has("select pg_notify('a', 'b')", "notify");
    has("select pg_terminate_backend(1)", "system");
    has("select nextval('counter')", "update counter");
    has("select setval('public.counter', 1)", "update counter");
    has(
        "select * from pg_logical_slot_get_changes('a', null, null)",
        "replication",
    );
    has("select does_not_exist(1)", "unknown");
}

#[test]
fn operators_casts_and_domains_call() {
    has(
        "select (1, 'a')::money_like + (2, 'b')::money_like",
        "call add_them(money_like, money_like) operator",
    );
    lacks("select 1 + 2, total + 1 from orders", "call");
    has("select 'x'::checked", "call is_fine(text) cast");
    has("insert into uses_domain values (1, 'x')", "call is_fine(text) cast");
    has(
        "insert into uses_default (id) values (1)",
        "call is_fine(text) function",
    );
    check("select 'sad'::mood", "");
    has("select 'x'::nothing", "unknown");
}

#[test]
fn catalogs_are_harmless_or_hold_data_of_others() {
    check("select relname from pg_class", "catalog pg_catalog.pg_class");
    check("select rolname from pg_roles", "catalog pg_catalog.pg_roles");
    check(
        "select * from information_schema.tables",
        "catalog information_schema.tables",
    );
    for name in [
        "pg_authid",
        "pg_shadow",
        "pg_stats",
        "pg_statistic",
        "pg_stat_activity",
        "pg_largeobject",
        "pg_user_mappings",
    ] {
        check(
            &format!("select * from {name}"),
            &format!("server_data pg_catalog.{name}"),
        );
    }
    check(
        "select subname from pg_subscription",
        "catalog pg_catalog.pg_subscription",
    );
    has(
        "select subconninfo from pg_subscription",
        "server_data pg_catalog.pg_subscription",
    );
    has(
        "select * from pg_subscription",
        "server_data pg_catalog.pg_subscription",
    );
    has(
        "select s from pg_subscription s",
        "server_data pg_catalog.pg_subscription",
    );
}

#[test]
fn grammar_of_a_newer_server_is_unknown() {
    let Some(catalog) = catalog() else { return };
    let mut old = catalog.clone();
    old.server_version = 150_018;
    let mut new = catalog.clone();
    new.server_version = 180_000;
    let unknown = |catalog: &Catalog, sql: &str| effects(catalog, sql).contains(&"unknown".to_owned());
    for sql in [
        "select json_object('a': 1)",
        "select json_array(1)",
        "select system_user",
        "select json_scalar(1)",
        "select json_value('{}', '$' returning int)",
        "select * from json_table('{}', '$' columns (a int))",
        "select '{}' is json",
        "select json_arrayagg(id) from orders",
        "select merge_action()",
    ] {
        assert!(unknown(&old, sql), "{sql}");
    }
    // There it is a user's function of that name, or a conversion.
    assert_eq!(
        effects(&old, "select json_value('{}', '$')"),
        ["call json_value(text, text) function"]
    );
    assert!(effects(&old, "select json('{}')").is_empty());
    for sql in [
        "select json_object('a': 1)",
        "select json_object('a': note returning jsonb) from orders",
        "select json_array(1, id absent on null returning text) from orders",
        "select json_array(select id from orders)",
        "select json_scalar(1), json('{}'), json_serialize('{}' returning bytea)",
        "select json_value(note::jsonb, '$.a' passing total as x returning int default 1 on empty null on error) from orders",
        "select json_query(note::jsonb, '$.a' with wrapper), json_exists(note::jsonb, '$') from orders",
        "select json_arrayagg(id order by total returning jsonb) filter (where id > 1) over (partition by customer_id) from orders",
        "select json_objectagg(id: note absent on null) from orders",
        "select '{}' is json object with unique keys",
        "select t.a, t.n, t.b, t.c from orders o, json_table(o.note::jsonb, '$[*]' passing 1 as x columns (n for ordinality, \
         a int path '$.a' default 1 on empty, b text exists path '$.b', nested path '$.c[*]' columns (c jsonb format json path '$'))) t",
    ] {
        assert!(!unknown(&new, sql), "{sql}: {:?}", effects(&new, sql));
    }
    for (sql, effect) in [
        ("select json_object(name: ssn) from customers", "select customers.ssn"),
        (
            "select json_value(ssn::jsonb, '$') from customers",
            "select customers.ssn",
        ),
        ("select json_array(select ssn from customers)", "select customers.ssn"),
        (
            "select json_arrayagg(id order by ssn) from customers",
            "infer customers.ssn",
        ),
        (
            "select json_arrayagg(id) filter (where ssn = '1') from customers",
            "infer customers.ssn",
        ),
        (
            "select 1 from customers c, json_table(c.ssn, '$' columns (a int)) t",
            "infer customers.ssn",
        ),
        (
            "select json_value('{}', '$' default is_fine('x') on error)",
            "call is_fine(text) function",
        ),
        (
            "select json_value('{}', '$' returning checked)",
            "call is_fine(text) cast",
        ),
        (
            "select * from json_table('{}', '$' columns (a checked)) t",
            "call is_fine(text) cast",
        ),
    ] {
        assert!(
            effects(&new, sql).contains(&effect.to_owned()),
            "{sql}: {:?}",
            effects(&new, sql)
        );
    }
}

#[test]
fn a_type_by_its_name_is_a_conversion() {
    check("select inet('::1'), regtype('int4'), '{}'::_text, _int4('{1}')", "");
    check("select checked('x')", "call is_fine(text) cast");
    check("select mood(m::text) from moods", "select moods; select moods.m");
    has("select no_such_type('x')", "unknown");
    check("select lexeme, positions from unnest('a:1'::tsvector)", "");
}

#[test]
fn explain_plans_or_runs() {
    check("explain select id from customers", "explain customers");
    check("explain delete from partial", "explain partial");
    for options in [
        "analyze",
        "(analyze)",
        "(analyse)",
        "(analyze 1)",
        "(analyze on)",
        "(analyze off, analyze)",
        "(verbose, analyze true)",
        "analyze verbose",
    ] {
        has(
            &format!("explain {options} delete from partial"),
            "delete partial unbounded",
        );
    }
    for options in [
        "",
        "(analyze off)",
        "(analyze 0)",
        "(analyze, analyze false)",
        "verbose",
    ] {
        lacks(&format!("explain {options} delete from partial"), "delete");
    }
    has("explain select 1 from customers where ssn = '1'", "infer customers.ssn");
    has("explain select is_fine('x')", "call is_fine(text) function");
    let Some(catalog) = catalog() else { return };
    assert!(matches!(
        &reading(catalog, "explain analyze execute p").statements[0].kind,
        Kind::Execute { name } if name == "p"
    ));
}

#[test]
fn a_masked_column_that_decides_is_inferred() {
    for sql in [
        "select 1 from customers where ssn = '1'",
        "select 1 from customers where ssn like '1%'",
        "select 1 from customers c join orders o on o.note = c.ssn",
        "select 1 from customers c join people p using (ssn)",
        "select 1 from customers natural join people",
        "select count(*) from customers group by ssn",
        "select id from customers group by id having max(ssn) > '5'",
        "select id from customers order by ssn",
        "select id, ssn from customers order by 2",
        "select id, ssn as s from customers order by s",
        "select id, ssn as s from customers group by 1, s",
        "select distinct ssn from customers",
        "select distinct on (ssn) id from customers",
        "select case when ssn = '1' then 1 end from customers",
        "select case ssn when '1' then 1 end from customers",
        "select row_number() over (order by ssn) from customers",
        "select row_number() over w from customers window w as (partition by ssn)",
        "select id from customers limit (select length(ssn) from customers)",
        "select count(*) filter (where ssn = '1') from customers",
        "select count(distinct ssn) from customers",
        "select string_agg(name, ',' order by ssn) from customers",
        "select ssn from customers union select '1'",
        "select ssn from customers intersect select '1'",
        "select 1 from generate_series(1, (select length(ssn) from customers))",
        "select is_fine(ssn) from customers",
        "select pg_notify('a', ssn) from customers",
        "select set_config('a.b', ssn, false) from customers",
        "select x.s from (select ssn as s from customers) x where x.s = '1'",
        "with x as (select ssn as s from customers) select 1 from x where s = '1'",
        "select 1 from customers c where c = row(1)",
        "insert into partial (code) select ssn from customers",
        "update partial set code = (select ssn from customers)",
        "update customers set name = ssn",
        "delete from customers where ssn = '1'",
        "insert into customers (id) values (1) on conflict (ssn) do nothing",
        "create table t as select ssn from customers",
        "create view v as select 1 from customers where ssn = '1'",
        "create unique index on customers (ssn)",
        "alter table customers alter name type text using ssn",
        "copy (select ssn from customers) to '/tmp/x'",
        "copy customers to program 'cat'",
        "merge into partial p using customers c on p.code = c.ssn when matched then delete",
        "merge into partial p using customers c on p.id = c.id when matched then update set code = c.ssn",
        "with recursive r as (select ssn from customers union all select ssn from r) select 1 from r where ssn = '1'",
    ] {
        has(sql, "infer customers.ssn");
    }
}

#[test]
fn a_masked_column_that_is_only_shown_is_not_inferred() {
    for sql in [
        "select ssn from customers",
        "select upper(ssn) from customers where id = 1",
        "select ssn || name from customers order by name",
        "select c from customers c",
        "select * from customers",
        "select max(ssn) from customers",
        "select count(ssn) from customers",
        "select ssn is null from customers where ssn is not null",
        "select ssn from customers union all select '1'",
        "select coalesce(ssn, 'x') from customers",
        "select (select ssn from customers limit 1)",
        "explain select ssn from customers",
    ] {
        lacks(sql, "infer");
        lacks(sql, "unknown");
    }
}

#[test]
fn texts_of_one_pattern_mean_the_same() {
    let Some(catalog) = catalog() else { return };
    let texts = [
        "select ssn from customers where id = {}",
        "select id, name from customers c where c.id = {} and region <= {};",
        "select * from orders o where o.customer_id = {} order by 1",
        "select total from orders where note = {} or id >= {}",
        "select case when region = {} then ssn end from customers group by 1",
        "select o.id from orders o, customers c where c.id = o.customer_id and c.ssn = {}",
        "select secret from customer_secrets where id = {} limit 5",
        "select count(*) from customers where id = {}",
        "select name, setting from pg_settings where name = {}",
        "select a from nothing where b = {}",
    ];
    let mut of_pattern = 0;
    for text in texts {
        let (one, other) = (text.replace("{}", "17"), text.replace("{}", "94"));
        assert!(Pattern::of(&one).is_some(), "{one}");
        assert_eq!(Pattern::of(&one), Pattern::of(&other), "{one}");
        let (one, other) = (reading(catalog, &one), reading(catalog, &other));
        if one.is_of_pattern() {
            of_pattern += 1;
            assert_eq!(one, other, "{text}");
        }
        assert_eq!(one.is_of_pattern(), other.is_of_pattern(), "{text}");
    }
    assert!(of_pattern >= 5, "{of_pattern}");
    for text in [
        "select set_config(name, setting, true) from pg_settings where name = 17",
        "select pg_sleep(a = 17)",
        "select id into t2 from customers where id = 17",
        "select id from customers where id = 17 for update",
    ] {
        assert!(!reading(catalog, text).is_of_pattern(), "{text}");
    }
}
