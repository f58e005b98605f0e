//! The way to the target: TLS in all four modes and every login that PostgreSQL has a password for, against a real server.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use hoop_tests::{Authority, Cluster, Extra, Finished, World};

const SECRET: &str = "t0p-secret-of-the-target";

/// One server that speaks TLS, known as 127.0.0.1 and not as localhost, with a role for each way to log in.
struct Target {
    cluster: Cluster,
    /// Its CA's certificate, PEM.
    ca: String,
}

const HBA: &str = "\
host all by_scram all scram-sha-256\n\
host all by_md5 all md5\n\
host all by_password all password\n\
hostssl all only_tls all scram-sha-256\n\
hostnossl all only_tls all reject\n";

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let authority = Authority::new();
        let (certificate, key) = authority.server("127.0.0.1");
        let cluster = Cluster::with(Extra {
            tls: Some((&certificate, &key)),
            hba: HBA,
        });
        for (encryption, roles) in [
            ("scram-sha-256", &["by_scram", "by_password", "only_tls"][..]),
            ("md5", &["by_md5"]),
        ] {
            for role in roles {
                cluster.psql(
                    "postgres",
                    &format!("SET password_encryption = '{encryption}'; CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'"),
                );
            }
        }
        Target {
            cluster,
            ca: authority.read("ca.pem"),
        }
    })
}

/// A database of one's own there: the server's log tells by its name who came how.
fn database() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let name = format!("there{}", COUNT.fetch_add(1, Ordering::Relaxed));
    target()
        .cluster
        .psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
    name
}

/// A relay with one connection `db-tls` to that server.
fn world(database: &str, host: &str, user: &str, tls: &str, ca: Option<&str>, password: &str) -> World {
    let mut config = format!(
        "[[connection]]\nname = \"db-tls\"\nprotocol = \"postgres\"\ntags = [\"env:demo\"]\naddress = \"{host}:{}\"\ndatabase = \"{database}\"\n\
         user = \"{user}\"\npassword = {{ command = [\"echo\", \"{password}\"] }}\ntls = \"{tls}\"\n",
        target().cluster.port()
    );
    if ca.is_some() {
        config.push_str("ca = \"ca.pem\"\n");
    }
    let pem = ca.unwrap_or_default();
    World::new().config(&config).file("ca.pem", pem).start()
}

/// Opens `db-tls` and asks for a row.
fn ask(world: &World) -> Finished {
    let psql = Cluster::get().program("psql").display().to_string();
    world
        .person("ana")
        .hoopctl(&["connect", "db-tls", "--", &psql, "-XqAtc", "SELECT 'there'"])
}

/// The connection works; gives whether the server saw TLS.
#[track_caller]
fn works(host: &str, user: &str, tls: &str, ca: Option<&str>) -> bool {
    let database = database();
    let world = world(&database, host, user, tls, ca, SECRET);
    assert_eq!(ask(&world).expect_code(0).stdout.trim(), "there");
    let log = target().cluster.log();
    let prefix = format!("connection authorized: user={user} database={database} ");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&prefix)).collect();
    assert!(!lines.is_empty(), "{log}");
    assert!(!world.relay_log().contains(SECRET));
    let encrypted = lines.iter().filter(|line| line.contains("SSL enabled")).count();
    assert!(
        encrypted == 0 || encrypted == lines.len(),
        "some connections are encrypted, others not: {lines:?}"
    );
    encrypted > 0
}

/// The connection is refused with these words, no secret in them; others go on.
#[track_caller]
fn refused(host: &str, user: &str, tls: &str, ca: Option<&str>, password: &str, words: &str) {
    let world = world("postgres", host, user, tls, ca, password);
    let done = ask(&world);
    assert_ne!(done.code, 0, "{}", done.stdout);
    assert!(
        done.stderr.contains(words),
        "`{words}` is not in:\n{}\nthe relay's log:\n{}",
        done.stderr,
        world.relay_log()
    );
    for (place, text) in [("psql", &done.stderr), ("log", &world.relay_log())] {
        assert!(!text.contains(password), "{place} shows the password");
    }
    assert_eq!(
        world.person("ana").psql("SELECT 'others'").expect_code(0).stdout.trim(),
        "others"
    );
}

#[test]
fn verify_full_takes_the_right_certificate_for_the_right_name() {
    assert!(works("127.0.0.1", "by_scram", "verify-full", Some(&target().ca)));
}

#[test]
fn verify_full_refuses_a_certificate_for_another_name() {
    refused(
        "localhost",
        "by_scram",
        "verify-full",
        Some(&target().ca),
        SECRET,
        "does not show the expected certificate",
    );
}

#[test]
fn verify_full_and_verify_ca_refuse_a_certificate_of_another_authority() {
    let other = Authority::new();
    for mode in ["verify-full", "verify-ca"] {
        refused(
            "127.0.0.1",
            "by_scram",
            mode,
            Some(&other.read("ca.pem")),
            SECRET,
            "does not show the expected certificate",
        );
    }
    refused(
        "127.0.0.1",
        "by_scram",
        "verify-full",
        None,
        SECRET,
        "does not show the expected certificate",
    );
}

#[test]
fn verify_ca_takes_any_name_of_its_authority() {
    assert!(works("localhost", "by_scram", "verify-ca", Some(&target().ca)));
}

#[test]
fn require_encrypts_without_knowing_the_server_and_disable_does_not_encrypt() {
    assert!(works("127.0.0.1", "only_tls", "require", None));
    assert!(!works("127.0.0.1", "by_scram", "disable", None));
    refused("127.0.0.1", "only_tls", "disable", None, SECRET, "db-tls");
}

#[test]
fn md5_and_scram_log_in_with_and_without_tls() {
    for user in ["by_md5", "by_scram"] {
        assert!(works("127.0.0.1", user, "verify-full", Some(&target().ca)));
        assert!(!works("127.0.0.1", user, "disable", None));
    }
}

#[test]
fn a_password_in_clear_goes_only_to_a_server_that_proved_who_it_is() {
    assert!(works("127.0.0.1", "by_password", "verify-full", Some(&target().ca)));
    for mode in ["require", "disable"] {
        refused(
            "127.0.0.1",
            "by_password",
            mode,
            None,
            SECRET,
            "asks for a login that the relay does not have",
        );
    }
}

#[test]
fn a_wrong_password_is_the_relays_trouble_and_is_not_shown() {
    refused(
        "127.0.0.1",
        "by_scram",
        "verify-full",
        Some(&target().ca),
        "wr0ng-secret-of-the-relay",
        "refuses the relay's login",
    );
    refused(
        "127.0.0.1",
        "by_md5",
        "disable",
        None,
        "wr0ng-secret-of-the-relay",
        "refuses the relay's login",
    );
}
