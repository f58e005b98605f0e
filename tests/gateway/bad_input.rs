//! Whatever comes in from anybody: a clear error, the relay lives on, and others do not notice.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use hoop_tests::{Cluster, World, program};

#[test]
fn an_unknown_connection_names_the_nearest_ones() {
    let world = World::start();
    let done = world.person("ana").hoopctl(&["connect", "db-prd", "--", "true"]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("db-prod"), "{}", done.stderr);
}

#[test]
fn a_connect_without_a_login_says_to_log_in() {
    let world = World::start();
    let done = world.stranger().hoopctl(&["connect", "db-prod", "--", "true"]);
    assert!(done.code == 4 || done.code == 244, "{}: {}", done.code, done.stderr);
    assert!(done.stderr.contains("hoopctl login"), "{}", done.stderr);
}

#[test]
fn garbage_on_the_relays_port_hurts_nobody() {
    let world = World::start();
    let ana = world.person("ana");
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
        &[],
    ] {
        let mut socket = TcpStream::connect(&world.relay).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        socket.write_all(garbage).unwrap();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read(&mut [0; 1024]);
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.send_to(garbage, &world.relay).unwrap();
        udp.send_to(&[0xc0; 1200], &world.relay).unwrap();
    }
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");
}

#[test]
fn a_wrong_password_at_the_loopback_listener_is_refused() {
    let world = World::start();
    let ana = world.person("ana");
    let connected = ana.connect(&["--listen", "127.0.0.1:0"]);
    let psql = |password: &str| {
        hoop_tests::run(
            Command::new(Cluster::get().program("psql"))
                .args([
                    "-XqAt",
                    "-h",
                    &connected.text("host"),
                    "-p",
                    &connected.text("port"),
                    "-U",
                    &connected.text("user"),
                    "-d",
                    &connected.text("database"),
                    "-c",
                    "SELECT 1",
                ])
                .env("PGPASSWORD", password),
        )
    };
    let wrong = psql("wrong");
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("password authentication failed"),
        "{}",
        wrong.stderr
    );
    assert_eq!(psql(&connected.text("password")).expect_code(0).stdout.trim(), "1");
}

#[test]
fn garbage_on_the_local_listener_hurts_nobody() {
    let world = World::start();
    let ana = world.person("ana");
    let connected = ana.connect(&["--listen", "127.0.0.1:0"]);
    let address = format!("{}:{}", connected.text("host"), connected.text("port"));
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 3],
        &[0xff; 64],
    ] {
        let mut socket = TcpStream::connect(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(garbage).unwrap();
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read(&mut [0; 1024]);
    }
    let done = hoop_tests::run(
        Command::new(Cluster::get().program("psql"))
            .args(["-XqAt", "-c", "SELECT 1"])
            .arg(connected.text("url")),
    );
    assert_eq!(done.expect_code(0).stdout.trim(), "1");
}

#[test]
fn a_length_of_a_gigabyte_ends_that_session_and_no_other() {
    let world = World::start();
    let ana = world.person("ana");
    let connected = ana.connect(&[]);
    let path = format!("{}/.s.PGSQL.{}", connected.text("host"), connected.text("port"));
    let mut socket = std::os::unix::net::UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for word in ["user", &connected.text("user"), "database", &connected.text("database")] {
        startup.extend(word.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    socket.write_all(&(startup.len() as u32 + 4).to_be_bytes()).unwrap();
    socket.write_all(&startup).unwrap();
    socket.write_all(b"Q\x3f\xff\xff\xff").unwrap();
    let mut all = Vec::new();
    let _ = socket.read_to_end(&mut all);
    assert!(
        String::from_utf8_lossy(&all).contains("54000") || String::from_utf8_lossy(&all).contains("08P01"),
        "{}",
        String::from_utf8_lossy(&all)
    );
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");
}

#[test]
fn a_target_that_is_down_is_named_as_the_cause() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::new().target(&format!("127.0.0.1:{port}")).start();
    let done = world.person("ana").psql("SELECT 1");
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("db-prod"), "{}", done.stderr);
    assert!(!done.stderr.contains("t0p-secret"), "{}", done.stderr);
}

#[test]
fn a_target_that_refuses_tls_is_not_spoken_to_in_clear() {
    let world = World::new().connection("tls = \"require\"").start();
    let done = world.person("ana").psql("SELECT 1");
    assert_ne!(done.code, 0);
    assert!(done.stderr.to_lowercase().contains("tls"), "{}", done.stderr);
}

#[test]
fn broken_configuration_and_policies_are_reported_all_at_once_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("relay.toml"),
        "[policy]\nfiles = [\"p.cedar\"]\n[limits]\nstatement_byte = \"1MiB\"\n[[connection]]\nname = \"a\"\nprotocol = \"postgres\"\naddress = \"x\"\npassword = \"inline\"\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("p.cedar"),
        "permit (principal, action == Hoop::Action::\"sql:selekt\", resource);\n",
    )
    .unwrap();
    let done = hoop_tests::run(
        Command::new(program("hoop-relay"))
            .arg("check")
            .arg("--config")
            .arg(folder.path().join("relay.toml")),
    );
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    let said = format!("{}{}", done.stdout, done.stderr);
    for expected in ["statement_byte", "password", "relay.toml:4", "p.cedar:1", "selekt"] {
        assert!(said.contains(expected), "{expected} is not in:\n{said}");
    }
}

#[test]
fn a_client_that_never_reads_does_not_delay_others() {
    let world = World::start();
    let ana = world.person("ana");
    let connected = ana.connect(&[]);
    let path = format!("{}/.s.PGSQL.{}", connected.text("host"), connected.text("port"));
    let mut socket = std::os::unix::net::UnixStream::connect(path).unwrap();
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for word in ["user", &connected.text("user"), "database", &connected.text("database")] {
        startup.extend(word.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    socket.write_all(&(startup.len() as u32 + 4).to_be_bytes()).unwrap();
    socket.write_all(&startup).unwrap();
    let query = b"SELECT repeat('x', 1000) FROM generate_series(1, 200000)\0";
    socket.write_all(b"Q").unwrap();
    socket.write_all(&(query.len() as u32 + 4).to_be_bytes()).unwrap();
    socket.write_all(query).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");
    let second = hoop_tests::run(
        Command::new(Cluster::get().program("psql"))
            .args(["-XqAt", "-c", "SELECT 2"])
            .arg(connected.text("url")),
    );
    assert_eq!(second.expect_code(0).stdout.trim(), "2");
}
