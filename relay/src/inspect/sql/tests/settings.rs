use super::*;

fn refused(sql: &str) -> Option<Refused> {
    catalog().and_then(|catalog| reading(catalog, sql).refused)
}

fn kind(sql: &str) -> Option<Kind> {
    catalog().map(|catalog| reading(catalog, sql).statements.remove(0).kind)
}

#[test]
fn settings_are_set_or_configured() {
    for (sql, expected) in [
        ("set application_name = 'x'", "set application_name=x"),
        ("set local timezone to 'UTC'", "set timezone=UTC"),
        ("set time zone 'UTC'", "set timezone=UTC"),
        ("set datestyle to iso, mdy", "set datestyle=iso, mdy"),
        ("set statement_timeout = 5000", "set statement_timeout=5000"),
        (
            "set session_replication_role = replica",
            "configure session_replication_role=replica",
        ),
        ("set log_statement to none", "configure log_statement=none"),
        ("set role bob", "set_role role=bob"),
        ("set session authorization bob", "set_role session_authorization=bob"),
        ("reset role", "set role"),
        ("reset all", "set"),
        ("reset work_mem", "configure work_mem"),
        ("select set_config('jit', $1, false)", "set jit"),
        (
            "select set_config('application_name', 'x', false)",
            "set application_name=x",
        ),
        (
            "select pg_catalog.set_config('search_path', '', false)",
            "set search_path=",
        ),
        ("show search_path", "show search_path"),
        ("begin isolation level serializable", "transaction"),
        ("set transaction read only", "transaction"),
        ("commit prepared 'x'", "transaction; unknown"),
        ("prepare transaction 'x'", "transaction"),
        ("discard all", "set"),
        ("listen x", "listen"),
        ("notify x, 'y'", "notify"),
        ("set app.user_id = '7'", "set app.user_id=7"),
        ("fetch 5 from c", "cursor"),
        ("close all", "cursor"),
        ("deallocate all", "prepare"),
    ] {
        check(sql, expected);
    }
}

#[test]
fn pins_hold() {
    if catalog().is_none() {
        return;
    }
    for sql in [
        "set standard_conforming_strings = off",
        "set client_encoding to 'SJIS'",
        "set names 'latin1'",
        "select set_config('standard_conforming_strings', 'off', true)",
        "select set_config('client_encoding', $1, false)",
        "select set_config($1, $2, false)",
        "select set_config('client_' || 'encoding', 'x', false)",
        "select set_config(value => 'off', setting_name => 'standard_conforming_strings', is_local => false)",
        "alter role bob set standard_conforming_strings = off",
        "alter database d set client_encoding = 'SJIS'",
        "alter system set backslash_quote = on",
        "create function f() returns int language sql set standard_conforming_strings = off as ''",
        "select 1; set search_path to app",
        "select set_config('search_path', $1, false)",
        "prepare x as select set_config($1, 'a', false)",
        "declare c cursor for select set_config('search_path', 'app', false)",
        "copy (select set_config('search_path', 'app', false)) to stdout",
    ] {
        assert!(refused(sql).is_some(), "{sql}");
    }
    for sql in [
        "set client_encoding = 'utf-8'",
        "set names 'UTF8'",
        "set standard_conforming_strings to on",
        "set search_path to app, public",
        "reset client_encoding",
    ] {
        assert_eq!(refused(sql), None, "{sql}");
    }
}

#[test]
fn session_state_is_told() {
    if catalog().is_none() {
        return;
    }
    assert_eq!(kind("set search_path to app"), Some(Kind::SearchPath));
    assert_eq!(kind("set schema 'app'"), Some(Kind::SearchPath));
    assert_eq!(kind("set role bob"), Some(Kind::SearchPath));
    assert_eq!(kind("begin"), Some(Kind::Begin));
    assert_eq!(kind("end"), Some(Kind::Commit));
    assert_eq!(kind("abort"), Some(Kind::Rollback));
    assert_eq!(kind("rollback to savepoint a"), Some(Kind::RollbackTo));
    assert_eq!(kind("release a"), Some(Kind::Savepoint));
    assert_eq!(kind("discard all"), Some(Kind::Discard { all: true }));
    assert_eq!(kind("discard plans"), Some(Kind::Discard { all: false }));
    assert_eq!(
        kind("deallocate X"),
        Some(Kind::Deallocate {
            name: Some("x".to_owned())
        })
    );
    assert_eq!(
        kind("move all in \"C\""),
        Some(Kind::Fetch {
            name: "C".to_owned(),
            moves: true
        })
    );
    assert_eq!(kind("execute P(1)"), Some(Kind::Execute { name: "p".to_owned() }));
    let Some(Kind::Prepare { name, inner }) = kind("prepare p (int) as delete from orders where id = $1") else {
        panic!("PREPARE");
    };
    assert_eq!(name, "p");
    assert!(
        inner
            .effects
            .iter()
            .any(|effect| effect_text(effect) == "delete orders by_key")
    );
    let Some(Kind::Declare { name, hold, binary, .. }) = kind("declare c binary cursor with hold for select 1") else {
        panic!("DECLARE");
    };
    assert_eq!((name.as_str(), hold, binary), ("c", true, true));
    // Names are cut at 63 bytes, as the server cuts them.
    let long = "x".repeat(80);
    assert_eq!(
        kind(&format!("deallocate {long}")),
        Some(Kind::Deallocate {
            name: Some("x".repeat(63))
        })
    );
}
