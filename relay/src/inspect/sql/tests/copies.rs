//! Every way by which a masked value could be put where no mask follows it.

use super::*;

#[test]
fn no_copy_of_a_masked_value_is_made_unsaid() {
    let Some(catalog) = catalog() else { return };
    for sql in [
        "insert into partial (code) select ssn from customers",
        "insert into partial (code) values ((select max(ssn) from customers))",
        "insert into partial (code) values ('x') on conflict (id) where flag do update set code = (select max(ssn) from customers)",
        "insert into partial (code) select secret from customer_secrets",
        "with s as (select ssn from customers) insert into partial (code) select ssn from s",
        "with d as (delete from customers returning ssn) insert into partial (code) select ssn from d",
        "create table fresh as select ssn from customers",
        "create table fresh as table customers",
        "select ssn into fresh from customers",
        "select c.* into fresh from customers c",
        "create materialized view fresh as select ssn from customers",
        "create materialized view fresh as select count(*), ssn from customers group by 2",
        "create temp table fresh as select ssn from customers",
        "update partial set code = ssn from customers",
        "update partial set code = (select max(ssn) from customers)",
        "update partial set (code, id) = (select ssn, 1 from customers)",
        "update customers set name = ssn",
        "update customers set name = (select s.ssn from customers s where s.id = customers.id)",
        "merge into partial p using customers c on p.id = c.id when matched then update set code = c.ssn",
        "merge into partial p using customers c on p.id = c.id when not matched then insert (code) values (c.ssn)",
        "create table fresh (ssn text, again text generated always as (ssn) stored, foreign key (again) references customers (ssn))",
        "alter table customers add column again text generated always as (ssn) stored",
        "create index fresh on customers ((ssn || id::text))",
        "select set_config('a.b', max(ssn), false) from customers",
        "select setval('counter', length(ssn)) from customers",
        "select pg_notify('c', ssn) from customers",
        "select pg_advisory_lock(hashtext(ssn)) from customers",
        "select lo_from_bytea(0, convert_to(max(ssn), 'UTF8')) from customers",
        "select lo_put(1, 0, convert_to(max(ssn), 'UTF8')) from customers",
        "select pg_logical_emit_message(true, 'p', ssn) from customers",
        "create statistics fresh on (ssn || ''), id from customers",
        "create rule fresh as on update to customers do also insert into partial (code) values (old.ssn)",
        "prepare p as insert into partial (code) select ssn from customers",
        "explain analyze insert into partial (code) select ssn from customers",
        "copy (insert into partial (code) select ssn from customers returning id) to stdout",
        "declare c cursor with hold for select set_config('a.b', ssn, false) from customers",
    ] {
        let reading = reading(catalog, sql);
        let said = |statement: &Statement| {
            let inner = match &statement.kind {
                Kind::Prepare { inner, .. } => inner.effects.as_slice(),
                _ => &[],
            };
            statement
                .effects
                .iter()
                .chain(inner)
                .any(|effect| matches!(effect.action, Action::Sql(SqlAction::Infer | SqlAction::Unknown)))
        };
        assert!(
            reading.statements.iter().any(said) || reading.refused.is_some(),
            "{sql}: {:#?}",
            effects(catalog, sql)
        );
    }
    // A comment, a default and a COPY FROM take constants only, or what the client itself has.
    for sql in [
        "comment on table customers is 'x'",
        "copy partial (code) from stdin",
        "insert into partial (code) values ('105-15-1035')",
        "insert into partial (id) select id from customers",
        "create table fresh as select id, name from customers",
    ] {
        lacks(sql, "infer");
    }
}
