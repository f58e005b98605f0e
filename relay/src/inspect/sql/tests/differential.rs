//! What we read against what the server did: the columns that it notes for a view of the same query.

use super::*;

/// The SELECT statements that these tests spell.
fn queries() -> Vec<String> {
    [
        include_str!("reads.rs"),
        include_str!("lineage.rs"),
        include_str!("differential.rs"),
    ]
    .iter()
    .flat_map(|text| text.split('"'))
    .filter(|part| {
        ["select ", "with ", "table ", "values "].iter().any(|word| part.starts_with(word))
                && !part.contains("\\")
                && !part.contains('$')
                && !part.contains('{')
                // The server notes the columns of a row type that a function gives, which is a call here.
                && !part.contains("list_all")
    })
    .map(str::to_owned)
    .collect()
}

/// More shapes of names.
const MORE: &[&str] = &[
    "select o.id from orders o join items i on i.order_id = o.id and i.quantity > o.total",
    "select c.* from customers c join orders using (id) where orders.note is not null",
    "select id, region from customers natural join (select id, total from orders) o",
    "select a.name, b.name from customers a, customers b where a.id = b.region",
    "with recursive t(n, s) as (select 1, ssn from people union all select n + 1, s from t where n < 5) select n, s from t",
    "with a as (select id, ssn from people), b as (select a.ssn, a.id from a) select b.id from b join a using (id)",
    "select sum(total) over (partition by customer_id order by placed rows between 1 preceding and current row) from orders",
    "select grouping(customer_id), count(*) from orders group by grouping sets ((customer_id), (placed), ())",
    "select (select max(o.total) from orders o where o.customer_id = c.id) as m from customers c order by m",
    "select x.a, y.b from (values (1, 'a')) x(a, s), lateral (select x.a + c.region as b from customers c where c.name = x.s) y",
    "select n, c.email from customers c, generate_series(1, c.region) as n",
    "select e.key, e.value from customers c, jsonb_each(to_jsonb(c)) as e where e.key = 'name'",
    "select t.m from (select m from moods union select 'sad'::mood) t(m) where t.m > 'sad'",
    "select coalesce(o.note, c.email) from orders o full join customers c on c.id = o.customer_id",
    "select array_agg(distinct sku order by sku desc) filter (where quantity > 1) from items",
    "select case region when 1 then email else name end from customers",
    "select p.ssn, s.room from people p left join staff s on s.id = p.id",
    "select loud, c.secret from secrets_of_secrets c where total > 1",
    "select (c).name, (c.*)::text from customers c",
    "select exists (select from orders where customer_id = c.id and placed > current_date) from customers c",
    "select percentile_cont(0.5) within group (order by total) from orders",
    "select * from (people p cross join staff s) as both_of(a, b, c, d, e)",
];

#[test]
fn every_column_that_the_server_notes_was_read() {
    let Some(catalog) = catalog() else { return };
    let Some(server) = Server::start(SCHEMA) else { return };
    let mut compared = 0;
    let mut missed = Vec::new();
    for query in queries()
        .into_iter()
        .chain(MORE.iter().map(|query| (*query).to_owned()))
    {
        let probe = format!(
            "BEGIN; CREATE TEMP VIEW probe AS {query};
             SELECT DISTINCT n.nspname, c.relname, a.attname FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
             JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
             WHERE r.ev_class = 'probe'::regclass AND d.refclassid = 'pg_class'::regclass AND c.relname <> 'probe'
               AND n.nspname IN ('public', 'app') AND c.relkind <> 'S';
             ROLLBACK;"
        );
        // What the server itself refuses has nothing to compare with.
        let Ok(used) = server.ask(&probe) else { continue };
        compared += 1;
        let found = effects(catalog, &query);
        for row in used {
            let part = |at: usize| row.get(at).cloned().flatten();
            let table = format!("{}.{}", part(0).unwrap(), part(1).unwrap()).replace("public.", "");
            let effect = match part(2) {
                Some(column) => format!("select {table}.{column}"),
                None => format!("select {table}"),
            };
            if !found.contains(&effect) {
                missed.push(format!("{effect}: {query}"));
            }
        }
        if found.contains(&"unknown".to_owned()) {
            missed.push(format!("not understood: {query}"));
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn an_extension_that_overloads_operators_is_only_called_where_it_can_be() {
    let Some(server) = Server::start(&format!(
        "{SCHEMA}\nCREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE nicks (nick citext PRIMARY KEY);"
    )) else {
        return;
    };
    let mut server = server;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let catalog = runtime.block_on(load(&mut server)).unwrap();
    let calls = |sql: &str| effects(&catalog, sql).iter().any(|effect| effect.starts_with("call"));
    for sql in [
        "select id from customers where name = 'x' and email <> 'y' and id = 1 and region > 2",
        "select id from orders where note = 'x' and total >= 1.5",
        "select max(id), min(region) from customers",
        "select replace(name, 'a', 'b') from customers",
        "select c.id from customers c join orders o on o.customer_id = c.id",
    ] {
        assert!(!calls(sql), "{sql}: {:?}", effects(&catalog, sql));
    }
    for sql in [
        "select 1 from nicks where nick = 'x'",
        "select max(nick) from nicks",
        "select 'x'::citext",
    ] {
        assert!(calls(sql), "{sql}");
    }
}

#[test]
fn a_snapshot_is_loaded_quickly_and_keeps_its_generation() {
    let Some(mut server) = Server::start(SCHEMA) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let catalogs = crate::target::catalog::Catalogs::default();
    let first = catalogs.install(runtime.block_on(load(&mut server)).unwrap(), catalogs.begin());
    let again = catalogs.install(runtime.block_on(load(&mut server)).unwrap(), catalogs.begin());
    assert_eq!(first.generation, 1);
    assert_eq!(again.generation, 1, "nothing changed");
    server.ask("CREATE TABLE one_more (id int)").unwrap();
    let changed = catalogs.install(runtime.block_on(load(&mut server)).unwrap(), catalogs.begin());
    assert_eq!(changed.generation, 2);
    assert!(changed.relation_in("public", "one_more").is_some());
    assert!(catalogs.fresh(std::time::Duration::from_secs(60)).is_some());
    catalogs.invalidate();
    assert!(catalogs.fresh(std::time::Duration::from_secs(60)).is_none());
    assert!(catalogs.current().is_some());
}
