//! Whatever comes in from anybody: a clear error, the relay lives on, and others do not notice.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use hoop_tests::{Cluster, World, eventually, program};

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
fn garbage_on_the_relays_ports_hurts_nobody() {
    let metrics = format!("127.0.0.1:{}", hoop_tests::free_port());
    let world = World::new()
        .config(&format!("[telemetry]\nmetrics = \"{metrics}\""))
        .start();
    let ana = world.person("ana");
    let issuer = world.issuer.strip_prefix("http://").unwrap();
    let meanwhile = ana.connect(&[]);
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
        &[],
    ] {
        for port in [world.relay.as_str(), issuer, &metrics] {
            let mut socket = TcpStream::connect(port).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            socket.write_all(garbage).unwrap();
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = socket.read(&mut [0; 1024]);
        }
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.send_to(garbage, &world.relay).unwrap();
        udp.send_to(&[0xc0; 1200], &world.relay).unwrap();
    }
    // A session that was open all the time, and a new one.
    let psql = Command::new(Cluster::get().program("psql"))
        .args(["-XqAtc", "SELECT 1"])
        .arg(meanwhile.text("url"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&psql.stdout).trim(), "1");
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

/// Puts one person's certificate and key in the place of another's login, as a thief would.
fn use_credential_of(thief: &hoop_tests::Person<'_>, victim: &hoop_tests::Person<'_>, parts: &[&str]) {
    let file = |person: &hoop_tests::Person<'_>| person.home().join("hoopctl/credentials/default.json");
    let read = |person| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(file(person)).unwrap()).unwrap()
    };
    let (mut login, stolen) = (read(thief), read(victim));
    for part in parts {
        login[part] = stolen[part].clone();
    }
    std::fs::write(file(thief), login.to_string()).unwrap();
}

#[test]
fn a_certificate_of_another_relay_is_refused_with_the_way_out() {
    let (here, elsewhere) = (World::start(), World::start());
    let (ana, other, foreign) = (here.person("ana"), here.person("bo"), elsewhere.person("ana"));
    use_credential_of(&ana, &foreign, &["certificate", "key"]);
    for arguments in [&["ls"][..], &["status"], &["connect", "db-prod", "--", "true"]] {
        let done = ana.hoopctl(arguments);
        assert!(
            [4, 244].contains(&done.code),
            "{arguments:?}: {}: {}",
            done.code,
            done.stderr
        );
        assert!(done.stderr.contains("hoopctl login"), "{arguments:?}: {}", done.stderr);
    }
    assert_eq!(other.hoopctl(&["ls"]).code, 0, "others do not notice");
}

#[test]
fn a_certificate_without_its_key_opens_nothing() {
    let world = World::start();
    let (ana, thief) = (world.person("ana"), world.person("agent"));
    use_credential_of(&thief, &ana, &["certificate", "whoami"]);
    let done = thief.hoopctl(&["ls"]);
    assert_ne!(done.code, 0);
    assert_ne!(thief.psql("SELECT 1").code, 0);
    ana.psql("SELECT 1").expect_code(0);
}

#[test]
fn a_target_that_is_no_postgresql_is_a_clear_error() {
    // Says anything to whoever connects.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.write_all(b"E\x7f\xff\xff\xff SSH-2.0-OpenSSH\r\n");
            let _ = socket.read(&mut [0; 1024]);
        }
    });
    for tls in ["disable", "require"] {
        let world = World::new()
            .target(&address)
            .connection(&format!("tls = \"{tls}\""))
            .start();
        let done = world.person("ana").psql("SELECT 1");
        assert_ne!(done.code, 0);
        assert!(done.stderr.contains("the target of db-prod"), "{tls}: {}", done.stderr);
    }
}

#[test]
fn a_target_that_never_answers_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let world = World::new().target(&address).start();
    let started = std::time::Instant::now();
    let done = world.person("ana").psql("SELECT 1");
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("does not answer in time"), "{}", done.stderr);
    assert!(started.elapsed() < Duration::from_secs(60));
    drop(listener);
}

#[test]
fn an_expired_certificate_opens_nothing_whatever_the_clients_clock_says() {
    let world = World::new().config("[session]\ncredential_ttl = \"10s\"").start();
    let ana = world.person("ana");
    eventually("hoopctl itself finds the login expired", || {
        (ana.hoopctl(&["connect", "db-prod", "--", "true"]).code == 244).then_some(())
    });
    let mut late = ana.command_at("-12s", &["connect", "db-prod", "--", "true"]);
    let done = hoop_tests::run(&mut late);
    assert_eq!(done.code, 244, "{}", done.stderr);
    assert!(
        done.stderr.contains("expired") && done.stderr.contains("hoopctl login"),
        "{}",
        done.stderr
    );
    world.person("bo").psql("SELECT 1").expect_code(0);
}
