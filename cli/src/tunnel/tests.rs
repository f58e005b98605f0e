//! The tunnel against the relay's own port, over both transports. Behind the port stands an echo in place of an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod hostile;
mod upgrade;
mod world;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use hoop_shared::refusal::Code;
use hoop_shared::tls::{Pin, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use world::{Ca, World, client, in_both, run};

#[test]
fn a_session_carries_bytes_both_ways_over_quic_and_over_tcp() {
    in_both(async |world, dial, transport| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        assert_eq!(tunnel.transport(), transport);
        assert_eq!(tunnel.welcome().version, 1);
        assert!(tunnel.rtt() < Duration::from_secs(1));
        let opened = tunnel.open("echo", Some("to see"), Some("test")).await.unwrap();
        assert_eq!(opened.connection, "echo");
        let mut stream = tunnel.stream(&opened.session).await.unwrap();
        // More than any window or buffer on the way holds.
        let sent: Vec<u8> = (0..20_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let (mut read, mut write) = tokio::io::split(&mut stream);
        let (received, ()) = tokio::join!(
            async {
                let mut received = Vec::new();
                read.read_to_end(&mut received).await.unwrap();
                received
            },
            async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            }
        );
        assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
        tunnel.close().await;
        world.until(|seen| seen.closed.contains(&opened.session)).await;
    });
}

#[test]
fn several_sessions_and_streams_share_a_tunnel() {
    in_both(async |_world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let (one, other) = (
            tunnel.open("echo", None, None).await.unwrap(),
            tunnel.open("echo", None, None).await.unwrap(),
        );
        assert_ne!(one.session, other.session);
        let mut streams = Vec::new();
        for n in 0..20_u8 {
            let session = if n % 2 == 0 { &one.session } else { &other.session };
            let mut stream = tunnel.stream(session).await.unwrap();
            stream.write_all(&[n; 100]).await.unwrap();
            streams.push(stream);
        }
        for (n, stream) in (0..).zip(&mut streams) {
            let mut back = [0_u8; 100];
            stream.read_exact(&mut back).await.unwrap();
            assert_eq!(back, [n; 100]);
        }
        tunnel.end(&one.session).await;
        assert_eq!(streams[0].chunk(10).await.unwrap(), None);
        streams[1].write_all(b"still").await.unwrap();
        assert_eq!(streams[1].chunk(10).await.unwrap().unwrap(), "still");
        let refused = tunnel.stream(&one.session).await.unwrap_err().refusal();
        assert_eq!(refused.code, Code::NotFound);
    });
}

#[test]
fn a_refusal_comes_with_its_code_and_hint_and_the_tunnel_goes_on() {
    in_both(async |_world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let refused = tunnel.open("forbidden", None, None).await.unwrap_err().refusal();
        assert_eq!((refused.code, refused.rule.as_deref()), (Code::Blocked, Some("nobody")));
        let long = "r".repeat(70_000);
        assert_eq!(
            tunnel.open("echo", Some(&long), None).await.unwrap_err().refusal().code,
            Code::Usage
        );
        tunnel.open("echo", None, None).await.unwrap();
    });
}

#[test]
fn a_session_that_waits_says_so_and_leaves_what_runs_alone() {
    in_both(async |_world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let opened = tunnel.open("echo", None, None).await.unwrap();
        let mut slow = std::pin::pin!(tunnel.open("slow", None, None));
        tokio::select! {
            answer = &mut slow => panic!("{answer:?}"),
            notice = tunnel.notice() => assert_eq!(notice.unwrap(), "waits for approval"),
        }
        let mut stream = tunnel.stream(&opened.session).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        assert_eq!(stream.chunk(4).await.unwrap().unwrap(), "ping");
    });
}

#[test]
fn the_end_of_a_session_reaches_its_client_with_the_reason() {
    in_both(async |world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let opened = tunnel.open("echo", None, None).await.unwrap();
        let mut stream = tunnel.stream(&opened.session).await.unwrap();
        let since = Instant::now();
        world.kill(&opened.session);
        let why = tunnel.ended(&opened.session).await;
        assert_eq!(
            (why.code, why.message.as_str()),
            (Code::SessionRevoked, "ended by a test")
        );
        assert_eq!(stream.chunk(10).await.unwrap(), None);
        assert!(since.elapsed() < Duration::from_secs(1));
        let still = tokio::time::timeout(Duration::from_millis(50), tunnel.closed()).await;
        assert!(still.is_err(), "the tunnel itself goes on");
    });
}

#[test]
fn a_relay_that_shuts_down_says_so() {
    in_both(async |world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        world.drain();
        assert!(tunnel.notice().await.unwrap().contains("shutting down"));
        let refused = tunnel.open("echo", None, None).await.unwrap_err().refusal();
        assert!(refused.message.contains("shutting down"), "{refused}");
        world.close();
        let why = tunnel.closed().await;
        assert_eq!(why.code, Code::RelayUnreachable);
        assert!(why.message.contains("shutting down"), "{why}");
        assert_eq!(tunnel.notice().await, None);
    });
}

#[test]
fn a_client_that_vanishes_leaves_a_lost_session() {
    in_both(async |world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let opened = tunnel.open("echo", None, None).await.unwrap();
        drop(tunnel);
        world.until(|seen| seen.lost.contains(&opened.session)).await;
    });
}

#[test]
fn tcp_takes_over_within_300_ms_where_udp_is_swallowed_and_is_remembered() {
    run(async {
        let ca = Ca::new();
        let world = World::without_udp(&ca).await;
        let folder = tempfile::tempdir().unwrap();
        let mut dial = world.dial(&ca);
        dial.memory = Some(folder.path().join("transport.json"));
        let since = Instant::now();
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let took = since.elapsed();
        assert_eq!(tunnel.transport(), Transport::Tcp);
        assert!(
            (Duration::from_millis(250)..Duration::from_millis(400)).contains(&took),
            "{took:?}"
        );
        let since = Instant::now();
        let again = Tunnel::connect(&dial).await.unwrap();
        assert_eq!(again.transport(), Transport::Tcp);
        assert!(since.elapsed() < Duration::from_millis(200), "{:?}", since.elapsed());
    });
}

#[test]
fn an_address_where_nobody_listens_is_unreachable_by_both() {
    run(async {
        let ca = Ca::new();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dial = Dial {
            relay: free.to_string().parse().unwrap(),
            credential: client(&ca, Duration::from_secs(600)),
            trust: ca.trust(),
            machine: "test".into(),
            memory: None,
            head_start: super::HEAD_START,
        };
        let unreachable = tokio::time::timeout(Duration::from_secs(12), Tunnel::connect(&dial))
            .await
            .unwrap()
            .unwrap_err();
        assert!(matches!(unreachable, TunnelError::Unreachable { .. }), "{unreachable}");
        assert_eq!(unreachable.refusal().code, Code::RelayUnreachable);
    });
}

#[test]
fn a_relay_with_another_key_is_refused_with_its_pin_and_tcp_is_not_tried() {
    in_both(async |world, mut dial, _| {
        dial.trust = Trust::Pin(Pin::of(Ca::new().certificate()).unwrap());
        let error = Tunnel::connect(&dial).await.unwrap_err();
        let TunnelError::Untrusted(untrusted) = &error else {
            panic!("{error}")
        };
        let right = untrusted.pin.unwrap();
        assert!(error.refusal().hint.unwrap().contains(&right.to_string()));
        assert_eq!(world.seen().authenticated, 0);
        dial.trust = Trust::Pin(right);
        Tunnel::connect(&dial).await.unwrap();
    });
}

#[test]
fn a_login_that_the_relay_does_not_know_is_told_to_log_in() {
    in_both(async |world, dial, transport| {
        let foreign = Dial {
            credential: client(&Ca::new(), Duration::from_secs(600)),
            ..dial.clone()
        };
        let expired = Dial {
            credential: client(world.ca(), Duration::ZERO),
            ..dial.clone()
        };
        for (dial, says) in [(foreign, "does not accept"), (expired, "expired")] {
            let error = Tunnel::connect(&dial).await.unwrap_err();
            let refusal = error.refusal();
            assert_eq!(refusal.code, Code::LoginNeeded, "{transport:?} {error:?}");
            assert!(refusal.message.contains(says), "{refusal}");
            assert!(refusal.hint.unwrap().contains("hoopctl login"));
        }
        world.revoke();
        let refusal = Tunnel::connect(&dial).await.unwrap_err().refusal();
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (Code::LoginNeeded, "the login was revoked")
        );
    });
}
