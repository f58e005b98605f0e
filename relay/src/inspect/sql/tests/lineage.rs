use super::*;

/// The lineage of the last statement, as text: `=customers.ssn` copied, `~customers.ssn` derived, `?` unknown, `-` nothing.
fn shown(catalog: &Catalog, sql: &str) -> String {
    let reading = reading(catalog, sql);
    let statement = reading.statements.last().unwrap();
    let lineage = match &statement.kind {
        Kind::Declare { lineage, .. } => lineage.clone(),
        Kind::CopyOut(out) => out.lineage.clone(),
        _ => match &statement.lineage {
            Some(lineage) => lineage.clone(),
            None => return "none".to_owned(),
        },
    };
    let Lineage::Columns(columns) = lineage else {
        return "unknown".to_owned();
    };
    let name = |column: &ColumnRef| {
        let relation = catalog.relation(column.relation).unwrap();
        format!("{}.{}", relation.name, relation.column(column.attnum).unwrap().name)
    };
    let columns: Vec<String> = columns
        .iter()
        .map(|origin| {
            let mut parts: Vec<String> = origin
                .copied
                .iter()
                .map(|column| format!("={}", name(column)))
                .collect();
            parts.extend(origin.derived.iter().map(|column| format!("~{}", name(column))));
            parts.sort();
            if origin.unknown {
                parts.push("?".to_owned());
            }
            if parts.is_empty() {
                "-".to_owned()
            } else {
                parts.join("")
            }
        })
        .collect();
    columns.join(" ")
}

#[track_caller]
fn check(sql: &str, expected: &str) {
    let Some(catalog) = catalog() else { return };
    assert_eq!(shown(catalog, sql), expected, "{sql}");
}

#[test]
fn columns_are_followed_to_their_tables() {
    for (sql, expected) in [
        ("select ssn from customers", "=customers.ssn"),
        ("select c.ssn as x, 1 from customers c", "=customers.ssn -"),
        ("select * from people", "=people.id =people.ssn"),
        ("select p.*, 1 from people p", "=people.id =people.ssn -"),
        ("select x from (select ssn as x from customers) y", "=customers.ssn"),
        ("select y.a from (select ssn from customers) y(a)", "=customers.ssn"),
        (
            "with y as (select ssn from customers) select * from y",
            "=customers.ssn",
        ),
        (
            "with y(a) as (select ssn from customers) select a from y",
            "=customers.ssn",
        ),
        ("select upper(ssn) from customers", "~customers.ssn"),
        ("select ssn::varchar from customers", "~customers.ssn"),
        ("select ssn || name from customers", "~customers.name~customers.ssn"),
        (
            "select max(ssn), count(ssn), count(*) from customers",
            "~customers.ssn - -",
        ),
        ("select (select ssn from customers limit 1)", "~customers.ssn"),
        ("select array(select ssn from customers)", "~customers.ssn"),
        ("select exists (select ssn from customers)", "-"),
        (
            "select ssn from customers union all select code from partial",
            "=customers.ssn=partial.code",
        ),
        (
            "select ssn from customers except select upper(code) from partial",
            "=customers.ssn~partial.code",
        ),
        ("values (1, 'a')", "- -"),
        ("select c from people c", "~people.id~people.ssn"),
        ("select (c).ssn from people c", "=people.ssn"),
        ("select row(c.*) from people c", "~people.id~people.ssn"),
        ("select to_jsonb(c) from people c", "~people.id~people.ssn"),
        ("select ssn(c) from people c", "~people.ssn"),
        (
            "select secret, loud from customer_secrets",
            "=customer_secrets.secret =customer_secrets.loud",
        ),
        (
            "select a.ssn from people a left join people b using (id)",
            "=people.ssn",
        ),
        (
            "select id from customers full join orders using (id)",
            "=customers.id=orders.id",
        ),
        (
            "select id, region from customers left join (select id from orders) o using (id)",
            "=customers.id =customers.region",
        ),
        (
            "select x.ssn from orders o, lateral (select ssn from customers c where c.id = o.customer_id) x",
            "=customers.ssn",
        ),
        (
            "select * from unnest(array(select ssn from customers)) u",
            "~customers.ssn",
        ),
        (
            "select key, value from customers, jsonb_each_text(to_jsonb(ssn))",
            "~customers.ssn ~customers.ssn",
        ),
        (
            "insert into customers (id, name, region) values (1, 'a', 1) returning id, ssn",
            "=customers.id =customers.ssn",
        ),
        (
            "update customers set name = 'a' returning ssn, lower(ssn)",
            "=customers.ssn ~customers.ssn",
        ),
        ("delete from people returning *", "=people.id =people.ssn"),
        (
            "with d as (delete from people returning ssn) select * from d",
            "=people.ssn",
        ),
        (
            "with recursive r(a) as (select ssn from customers union all select a from r) select a from r",
            "~customers.ssn",
        ),
        ("declare c cursor for select ssn from customers", "=customers.ssn"),
        ("copy people to stdout", "=people.id =people.ssn"),
        ("copy people (ssn) to stdout", "=people.ssn"),
        ("copy (select upper(ssn) from people) to stdout", "~people.ssn"),
        (
            "copy customers to stdout",
            "=customers.id =customers.name =customers.email =customers.ssn =customers.region",
        ),
        ("show work_mem", "-"),
        ("explain select 1", "?"),
        (
            "select case when id = 1 then ssn else name end from customers",
            "~customers.id~customers.name~customers.ssn",
        ),
        ("select coalesce(ssn, 'x') from customers", "~customers.ssn"),
        ("select id from customers where ssn = 'x'", "=customers.id"),
        ("table people", "=people.id =people.ssn"),
        (
            "select tail, initials from customers",
            "=customers.tail =customers.initials",
        ),
        ("select s.* from staff s", "=staff.id =staff.ssn =staff.room"),
        ("select p.ssn from (people p join orders o on true)", "=people.ssn"),
        ("select j.ssn from (people p join items i on true) as j", "=people.ssn"),
        (
            "select u.id from people p join orders o using (id) as u",
            "=orders.id=people.id~",
        ),
    ] {
        if expected.ends_with('~') {
            // Columns of different types meet in a third.
            check(sql, "~orders.id~people.id");
        } else {
            check(sql, expected);
        }
    }
}

#[test]
fn what_cannot_be_followed_is_unknown() {
    for sql in [
        "select * from list_all() as x join nothing on true",
        "call tidy(1)",
        "select (json_populate_record(null::customers, '{}')).*",
    ] {
        check(sql, "unknown");
    }
    let Some(catalog) = catalog() else { return };
    // A function of a user may give anything.
    assert!(shown(catalog, "select is_fine('x')").contains('?'));
    assert!(shown(catalog, "select ssn from list_all()").contains('?'));
}

#[test]
fn masks_are_closed_over_the_catalog() {
    let Some(catalog) = catalog() else { return };
    let masked = masked(catalog);
    let mask = |table: &str, name: &str| masked.get(&column(catalog, table, name));
    let partial = Some(MaskWith::Partial { keep_last: 4 });
    assert_eq!(mask("customers", "ssn"), partial);
    assert_eq!(mask("customers", "tail"), Some(MaskWith::Redact), "a generated column");
    assert_eq!(mask("customers", "initials"), None);
    assert_eq!(mask("customer_secrets", "secret"), partial, "a view's copy");
    assert_eq!(
        mask("customer_secrets", "loud"),
        Some(MaskWith::Redact),
        "a view's computed column"
    );
    assert_eq!(mask("customer_secrets", "total"), None);
    assert_eq!(mask("secrets_of_secrets", "secret"), partial, "a view over a view");
    assert_eq!(mask("kept_secrets", "kept"), partial, "a materialized view");
    assert_eq!(mask("customer_names", "name"), None);
    assert_eq!(mask("events_2024", "token"), Some(MaskWith::Null), "a partition");
    assert_eq!(mask("staff", "ssn"), Some(MaskWith::Redact), "an inheritance child");
    let up = close(
        catalog,
        HashMap::from([(column(catalog, "staff", "ssn"), MaskWith::Hash)]),
    );
    assert_eq!(
        up.get(&column(catalog, "people", "ssn")),
        Some(MaskWith::Hash),
        "its parent shows its rows"
    );
}

#[test]
fn reach_is_known() {
    let Some(catalog) = catalog() else { return };
    let touches = |sql: &str| reading(catalog, sql).touches_masked.client;
    assert!(touches("select id from customers"));
    assert!(touches("select 1 from customer_secrets"));
    assert!(touches("select is_fine('x')"));
    assert!(touches("select nothing from nowhere"));
    assert!(touches("not sql"));
    assert!(!touches("select * from orders"));
    assert!(!touches("select 1"));
}
