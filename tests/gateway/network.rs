//! The way to the relay, when the network is not as it should be.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hoop_tests::{Cluster, Network, Person, Running, World, eventually};

/// A world whose people reach the relay through a network that can be spoilt.
fn world() -> (World, Network) {
    let mut world = World::start();
    let network = world.through();
    (world, network)
}

fn transport(person: &Person<'_>) -> String {
    let status = person.hoopctl(&["status", "-o", "json"]).expect_code(0).json();
    status["transport"].as_str().unwrap().to_owned()
}

/// Forgets what was found out about UDP.
fn forget(person: &Person<'_>) {
    std::fs::remove_file(person.home().join("hoopctl/networks")).unwrap();
}

/// psql with a statement that takes its time.
fn sleeper(person: &Person<'_>, statement: &str) -> Running {
    let mut psql = person.psql_command(&["-qAt", "-c", statement]);
    let psql = psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::new(psql.spawn().unwrap())
}

fn runs(world: &World, marker: &str) {
    eventually("the statement runs", || {
        (Cluster::get().executions(&world.database, marker) == 1).then_some(())
    });
}

/// The same, over QUIC: a busy machine may answer so late that TCP was taken.
fn sleeper_over_quic(world: &World, network: &Network, person: &Person<'_>, seconds: u32, marker: &str) -> Running {
    for turn in 0..10 {
        let before = network.connections();
        let marker = format!("{marker}_{turn}_");
        let psql = sleeper(
            person,
            &format!("SELECT 'whole' FROM pg_sleep({seconds}) /* {marker} */"),
        );
        runs(world, &marker);
        if network.connections() == before {
            return psql;
        }
    }
    panic!("QUIC is too slow for this machine");
}

/// QUIC is taken where it passes. A busy machine may answer so late that TCP is.
fn quic_passes(person: &Person<'_>) {
    eventually("status says quic", || (transport(person) == "quic").then_some(()));
}

#[test]
fn where_no_udp_passes_tcp_takes_over_within_300_ms_and_status_says_so() {
    let (world, network) = world();
    let ana = world.person("ana");
    quic_passes(&ana);
    network.drop_udp(true);
    // A busy machine may be late with either; what the gateway itself waits shows in the best of some tries.
    let mut tries = Vec::new();
    let on_time = (0..12).any(|_| {
        network.head_start();
        assert_eq!(transport(&ana), "tcp");
        forget(&ana);
        let waited = network.head_start().expect("QUIC was tried, then TCP");
        tries.push(waited);
        (Duration::from_millis(200)..Duration::from_millis(300)).contains(&waited)
    });
    assert!(on_time, "TCP came after {tries:?}");
}

#[test]
fn over_tcp_everything_works_and_what_was_found_out_is_remembered() {
    let (world, network) = world();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    network.drop_udp(true);
    assert_eq!(
        ana.psql("SELECT count(*) FROM orders").expect_code(0).stdout.trim(),
        "1000"
    );
    let tried = network.datagrams();
    assert!(tried > 0, "QUIC is tried first");
    let psql = ana.psql_start(
        "SELECT 'before';\nDROP TABLE orders;\nDELETE FROM orders WHERE id = 7;\nSELECT count(*) FROM orders;\n",
    );
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["approve", &id]).expect_code(0);
    let done = psql.finish().expect_code(0);
    assert_eq!(
        done.stdout.lines().collect::<Vec<_>>(),
        ["before", "999"],
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("blocked by policy no-drop"), "{}", done.stderr);
    assert_eq!(
        network.datagrams(),
        tried,
        "the network is remembered: no second try so soon"
    );
    // Several client connections of one session, each a TLS connection of its own.
    let pgbench = Cluster::get().program("pgbench").display().to_string();
    let script = world.folder().join("read.sql");
    std::fs::write(&script, "SELECT count(*) FROM customers;\n").unwrap();
    let done = ana.hoopctl(&[
        "connect",
        "db-prod",
        "--",
        &pgbench,
        "-n",
        "-c",
        "4",
        "-t",
        "10",
        "-f",
        &script.display().to_string(),
    ]);
    assert!(
        done.stdout.contains("processed: 40/40"),
        "{}{}",
        done.stdout,
        done.stderr
    );
}

#[test]
fn udp_that_stops_half_way_ends_the_session_with_a_word_and_the_next_one_takes_tcp() {
    let (world, network) = world();
    let ana = world.person("ana");
    let psql = sleeper_over_quic(&world, &network, &ana, 100, "marker_cut");
    network.drop_udp(true);
    let started = Instant::now();
    let done = psql.finish();
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "silence was noticed after {:?}: {}",
        started.elapsed(),
        done.stderr
    );
    assert_eq!(done.code, 249, "{}", done.stderr);
    assert!(done.stderr.contains("relay"), "{}", done.stderr);
    let next = ana.psql("SELECT 'again'").expect_code(0);
    assert_eq!(next.stdout.trim(), "again");
    assert_eq!(transport(&ana), "tcp");
}

#[test]
fn an_address_that_changes_under_a_running_query_does_not_end_it() {
    let (world, network) = world();
    let ana = world.person("ana");
    let psql = sleeper_over_quic(&world, &network, &ana, 14, "marker_moved");
    network.change_addresses();
    assert_eq!(psql.finish().expect_code(0).stdout.trim(), "whole");
}

#[test]
fn datagrams_of_1200_bytes_are_enough_and_where_they_do_not_pass_tcp_does() {
    let (world, network) = world();
    let ana = world.person("ana");
    let large = "SELECT sum(length(x)) FROM (SELECT repeat('x', 1000) AS x FROM generate_series(1, 2000)) AS rows";
    let rows = "SELECT repeat('x', 1000) FROM generate_series(1, 500)";
    network.largest_datagram(1200);
    quic_passes(&ana);
    assert_eq!(ana.psql(large).expect_code(0).stdout.trim(), "2000000");
    assert_eq!(ana.psql(rows).expect_code(0).stdout.len(), 500 * 1001);
    network.largest_datagram(1199);
    assert_eq!(transport(&ana), "tcp");
    assert_eq!(ana.psql(rows).expect_code(0).stdout.len(), 500 * 1001);
}

#[test]
fn a_slow_and_lossy_path_loses_nothing() {
    let (world, network) = world();
    let ana = world.person("ana");
    // 300 ms there and back, 3 % lost.
    network.spoil(Duration::from_millis(150), 33);
    let rows = ana
        .psql("SELECT repeat('x', 1000) FROM generate_series(1, 300)")
        .expect_code(0);
    assert_eq!(rows.stdout.len(), 300 * 1001);
    let done = ana
        .psql_script("SELECT 1;\nDROP TABLE orders;\nSELECT 2;\n")
        .expect_code(0);
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), ["1", "2"], "{}", done.stderr);
}

#[test]
fn a_relay_that_is_restarted_ends_its_sessions_soon_and_takes_new_ones() {
    let mut world = World::start();
    let (ana, home) = {
        let ana = world.person("ana");
        let psql = sleeper(&ana, "SELECT pg_sleep(100) /* marker_restart */");
        runs(&world, "marker_restart");
        (psql, ana.home().to_owned())
    };
    world.kill_and_restart();
    let started = Instant::now();
    let done = ana.finish();
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        started.elapsed()
    );
    assert_eq!(done.code, 249, "{}", done.stderr);
    // The same login opens the next session.
    let again = world.returning(home);
    assert_eq!(again.psql("SELECT 'again'").expect_code(0).stdout.trim(), "again");
}
