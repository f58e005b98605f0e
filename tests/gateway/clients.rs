//! What people already use works unchanged: psql, pgbench, pg_dump, and drivers.

use std::process::Command;

use hoop_tests::{Cluster, World};

/// Everything is allowed, nothing is masked: what differs from a direct connection then is our own doing.
const OPEN: &str = r#"
@id("all") permit (principal, action, resource);
"#;

#[test]
fn psql_describes_tables_as_it_does_directly() {
    let world = World::start();
    let ana = world.person("ana");
    for command in [
        "\\d",
        "\\d customers",
        "\\dt+",
        "\\l",
        "\\dn",
        "\\df",
        "\\du",
        "\\dv",
        "\\d+ orders",
        "\\conninfo",
    ] {
        let done = ana.psql_with(&["-c", command]);
        assert_eq!(done.code, 0, "{command}: {}", done.stderr);
        assert!(!done.stderr.contains("blocked"), "{command}: {}", done.stderr);
    }
    let direct = hoop_tests::run(
        Command::new(Cluster::get().program("psql"))
            .args(["-X", "-h"])
            .arg(Cluster::get().socket_folder())
            .args([
                "-p",
                &Cluster::get().port().to_string(),
                "-U",
                "postgres",
                "-d",
                &world.database.name,
                "-c",
                "\\d customers",
            ]),
    );
    assert_eq!(ana.psql_with(&["-c", "\\d customers"]).stdout, direct.stdout);
}

#[test]
fn pgbench_runs_in_all_three_modes() {
    let world = World::new().policy(OPEN).start();
    let pgbench = Cluster::get().program("pgbench");
    let made = hoop_tests::run(
        Command::new(&pgbench)
            .args(["-i", "-q", "-s", "1", "-h"])
            .arg(Cluster::get().socket_folder())
            .args([
                "-p",
                &Cluster::get().port().to_string(),
                "-U",
                "postgres",
                &world.database.name,
            ]),
    );
    made.expect_code(0);
    world
        .database
        .psql("GRANT ALL ON ALL TABLES IN SCHEMA public TO shop_gateway");
    let ana = world.person("ana");
    for mode in ["simple", "extended", "prepared"] {
        let done = ana
            .hoopctl(&[
                "connect",
                "db-prod",
                "--",
                &pgbench.display().to_string(),
                "-n",
                "-M",
                mode,
                "-c",
                "4",
                "-t",
                "50",
            ])
            .expect_code(0);
        assert!(
            done.stdout
                .contains("number of transactions actually processed: 200/200"),
            "{mode}: {}{}",
            done.stdout,
            done.stderr
        );
        assert!(
            done.stdout.contains("number of failed transactions: 0"),
            "{mode}: {}",
            done.stdout
        );
    }
}

#[test]
fn pg_dump_is_equal_to_a_direct_one() {
    let world = World::new().policy(OPEN).start();
    let pg_dump = Cluster::get().program("pg_dump");
    let through = world
        .person("ana")
        .hoopctl(&[
            "connect",
            "db-prod",
            "--",
            &pg_dump.display().to_string(),
            "--no-owner",
            "--no-privileges",
        ])
        .expect_code(0);
    let direct = hoop_tests::run(
        Command::new(&pg_dump)
            .args([
                "--no-owner",
                "--no-privileges",
                "-h",
                "127.0.0.1",
                "-p",
                &Cluster::get().port().to_string(),
                "-U",
                "shop_gateway",
                "-d",
                &world.database.name,
            ])
            .env("PGPASSWORD", "t0p-secret-of-the-target"),
    )
    .expect_code(0);
    let comparable = |dump: &str| {
        dump.lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(comparable(&through.stdout), comparable(&direct.stdout));
    assert!(direct.stdout.contains("customer200@example.com"));
}

#[test]
fn copy_goes_in_and_out() {
    let world = World::new().policy(OPEN).start();
    let ana = world.person("ana");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    ana.psql_script(&format!(
        "\\copy (SELECT * FROM orders ORDER BY id) TO '{}' CSV\n",
        file.display()
    ))
    .expect_code(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1000);
    world
        .database
        .psql("CREATE TABLE loaded (LIKE orders); GRANT ALL ON loaded TO shop_gateway");
    ana.psql_script(&format!("\\copy loaded FROM '{}' CSV\n", file.display()))
        .expect_code(0);
    assert_eq!(world.database.psql("SELECT count(*) FROM loaded").trim(), "1000");
}

#[test]
fn ctrl_c_cancels_a_running_query_and_psql_goes_on() {
    let world = World::new().policy(OPEN).start();
    let ana = world.person("ana");
    let psql = ana.psql_start("SELECT pg_sleep(30);\nSELECT 'after';\n");
    hoop_tests::eventually("the query runs", || {
        (Cluster::get().executions(&world.database, "pg_sleep") == 1).then_some(())
    });
    psql.signal("INT");
    let started = std::time::Instant::now();
    let done = psql.finish();
    assert!(started.elapsed().as_secs() < 10);
    assert!(
        done.stderr.contains("canceling statement due to user request"),
        "{}",
        done.stderr
    );
}

fn python(script: &str) {
    let world = World::new().policy(OPEN).start();
    let ana = world.person("ana");
    let driver = hoop_tests::python(script);
    let mut command = ana.command(&["connect", "db-prod", "--"]);
    command
        .arg(driver.get_program())
        .args(driver.get_args())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let done = hoop_tests::run(&mut command);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout.trim(), "ok", "{}", done.stderr);
}

#[test]
fn psycopg_runs_unchanged() {
    python(
        r#"
import psycopg, datetime, decimal
with psycopg.connect("") as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, item, amount, placed_at FROM orders WHERE id = %s", (1,))
        row = cursor.fetchone()
        assert row[0] == 1 and isinstance(row[2], decimal.Decimal), row
        cursor.execute("SELECT id, name FROM customers WHERE id = ANY(%s) ORDER BY id", ([3, 1, 2],), binary=True)
        assert [r[0] for r in cursor.fetchall()] == [1, 2, 3]
        cursor.executemany("UPDATE orders SET status = %s WHERE id = %s", [("paid", n) for n in range(1, 50)])
    with connection.cursor(name="server_side") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT id FROM orders ORDER BY id")
        assert sum(1 for _ in cursor) == 1000
    with connection.pipeline():
        results = [connection.execute("SELECT %s::int + 1", (n,)) for n in range(20)]
    assert [r.fetchone()[0] for r in results] == list(range(1, 21))
    with connection.cursor().copy("COPY (SELECT id FROM orders ORDER BY id) TO STDOUT") as copy:
        assert len(list(copy.rows())) == 1000
    try:
        connection.execute("SELECT 1/0")
        raise SystemExit("no error")
    except psycopg.errors.DivisionByZero:
        connection.rollback()
print("ok")
"#,
    );
}

#[test]
fn asyncpg_runs_unchanged() {
    python(
        r#"
import asyncio, asyncpg, os
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    row = await connection.fetchrow("SELECT id, item, amount FROM orders WHERE id = $1", 1)
    assert row["id"] == 1, row
    async with connection.transaction():
        rows = [r async for r in connection.cursor("SELECT id FROM orders ORDER BY id", prefetch=50)]
        assert len(rows) == 1000
    statement = await connection.prepare("SELECT count(*) FROM orders WHERE status = ANY($1::text[])")
    assert await statement.fetchval(["open", "paid"]) > 0
    await connection.executemany("UPDATE orders SET status = $1 WHERE id = $2", [("paid", n) for n in range(1, 50)])
    try:
        await connection.fetch("SELECT 1/0")
        raise SystemExit("no error")
    except asyncpg.DivisionByZeroError:
        pass
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
asyncio.run(main())
print("ok")
"#,
    );
}

#[test]
fn tokio_postgres_runs_unchanged() {
    let world = World::new().policy(OPEN).start();
    let ana = world.person("ana");
    let connected = ana.connect(&["--listen", "127.0.0.1:0"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut config: tokio_postgres::Config = connected.text("url").parse().unwrap();
        config.ssl_mode(tokio_postgres::config::SslMode::Disable);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let row = client
            .query_one("SELECT id, item FROM orders WHERE id = $1", &[&1_i32])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i32>(0), 1);
        let statement = client.prepare("SELECT $1::int4 + 1").await.unwrap();
        let many = futures::future::join_all((0..100_i32).map(|n| {
            let (client, statement) = (&client, &statement);
            async move { client.query_one(statement, &[&n]).await.unwrap().get::<_, i32>(0) }
        }))
        .await;
        assert_eq!(many, (1..=100).collect::<Vec<_>>());
        assert!(client.query("SELECT 1/0", &[]).await.unwrap_err().code().is_some());
        assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn database_url_is_enough_for_libpq_and_for_drivers() {
    let world = World::new().policy(OPEN).start();
    let ana = world.person("ana");
    let psql = Cluster::get().program("psql").display().to_string();
    // The other variables are taken away: what is left must do, through the socket and through a port.
    let alone = "unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSSLMODE; exec \"$@\" \"$DATABASE_URL\"";
    let done = ana
        .hoopctl(&[
            "connect",
            "db-prod",
            "--",
            "sh",
            "-c",
            alone,
            "sh",
            &psql,
            "-XqAtc",
            "SELECT 'libpq'",
        ])
        .expect_code(0);
    assert_eq!(done.stdout.trim(), "libpq");
    let script = "import psycopg, sys\nwith psycopg.connect(sys.argv[1]) as connection:\n    print(connection.execute('SELECT %s', ('psycopg',)).fetchone()[0])";
    let driver = hoop_tests::python(script);
    for listen in [&[][..], &["--listen", "127.0.0.1:0"]] {
        let mut command = ana.command(&["connect", "db-prod"]);
        command
            .args(listen)
            .args(["--", "sh", "-c", alone, "sh"])
            .arg(driver.get_program())
            .args(driver.get_args());
        assert_eq!(
            hoop_tests::run(&mut command).expect_code(0).stdout.trim(),
            "psycopg",
            "{listen:?}"
        );
    }
}

#[test]
fn connect_without_a_client_says_one_line_and_stays_until_it_is_told_to_go() {
    let world = World::start();
    let ana = world.person("ana");
    let works = |url: &str| {
        hoop_tests::run(
            Command::new(Cluster::get().program("psql"))
                .args(["-XqAtc", "SELECT 1"])
                .arg(url),
        )
        .code
            == 0
    };
    for (listen, ending) in [
        (&[][..], "EOF"),
        (&["--listen", "127.0.0.1:0"], "TERM"),
        (&[], "INT"),
        (&[], "HUP"),
    ] {
        let connected = ana.connect(listen);
        for key in [
            "session",
            "connection",
            "protocol",
            "host",
            "port",
            "user",
            "password",
            "database",
            "url",
        ] {
            assert!(!connected.opened[key].is_null(), "{key} is not in {}", connected.opened);
        }
        let (url, host) = (connected.text("url"), connected.text("host"));
        assert!(works(&url), "{ending}");
        if host.starts_with('/') {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&host).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{host}");
        }
        let done = if ending == "EOF" {
            connected.running.finish()
        } else {
            connected.running.signal(ending);
            connected.running.finish_without_eof()
        };
        assert_eq!(done.code, 0, "{ending}: {}", done.stderr);
        assert!(!works(&url), "{ending} leaves the door open");
        assert!(
            !host.starts_with('/') || !std::path::Path::new(&host).exists(),
            "{ending} leaves {host}"
        );
    }
    let ended = hoop_tests::eventually("the relay has ended the sessions", || {
        let listed = ana.hoopctl(&["sessions", "ls", "-o", "json"]).expect_code(0).json();
        listed
            .as_array()?
            .iter()
            .all(|session| session["sealed"] == true)
            .then_some(listed)
    });
    assert_eq!(ended.as_array().unwrap().len(), 4);
}

#[test]
fn a_client_gets_the_variables_of_the_contract_and_none_that_hold_our_credentials() {
    let world = World::start();
    let ana = world.person("ana");
    let mut env = ana.command(&["connect", "db-prod", "--", "env"]);
    env.env("HOOPCTL_ID_TOKEN", "a token")
        .env("HOOPCTL_ID_TOKEN_FILE", "/nowhere")
        .env("PGSERVICE", "other")
        .env("PGSSLROOTCERT", "/nowhere");
    let done = hoop_tests::run(&mut env).expect_code(0);
    let variable = |name: &str| {
        done.stdout
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")))
    };
    for name in [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "PGAPPNAME",
        "DATABASE_URL",
        "HOOPCTL_HOST",
        "HOOPCTL_PORT",
        "HOOPCTL_SESSION",
    ] {
        assert!(
            variable(name).is_some_and(|value| !value.is_empty()),
            "{name} is not set:\n{}",
            done.stdout
        );
    }
    assert_eq!(variable("PGSSLMODE"), Some("disable"));
    assert_eq!(variable("PGAPPNAME"), Some("env"));
    for name in [
        "HOOPCTL_ID_TOKEN",
        "HOOPCTL_ID_TOKEN_FILE",
        "PGSERVICE",
        "PGSSLROOTCERT",
    ] {
        assert_eq!(variable(name), None, "{name} is still there");
    }
    assert!(
        !done.stdout.contains(hoop_tests::PASSWORD),
        "the target's credential is the relay's"
    );
}
