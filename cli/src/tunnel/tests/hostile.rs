//! What a relay's port is sent that no hoopctl sends.

use std::time::{Duration, Instant};

use hoop_shared::refusal::Code;
use hoop_shared::tls::{ALPN_TUNNEL, RelayVerifier, client_config};
use hoop_shared::wire::{Bye, Frame, FrameReader, Hello, encode};
use quinn::Connection;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::io::AsyncWriteExt;

use hoop_relay::connection::Bounds;

use super::world::{Ca, World, exchange, run};
use super::*;

/// A QUIC connection with a good certificate, before its first frame.
pub(super) async fn connection(dial: &Dial) -> (quinn::Endpoint, Connection) {
    let verifier = RelayVerifier::new(&dial.trust).unwrap();
    let tls = client_config(verifier, Some(dial.credential.clone()), &[ALPN_TUNNEL]).unwrap();
    let config = quinn::ClientConfig::new(std::sync::Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = dial.relay.to_string().parse().unwrap();
    let connection = endpoint
        .connect_with(config, address, "127.0.0.1")
        .unwrap()
        .await
        .unwrap();
    (endpoint, connection)
}

pub(super) fn bytes(frame: impl Into<Frame>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&frame.into(), &mut bytes).unwrap();
    bytes
}

pub(super) fn hello() -> Hello {
    Hello {
        wire: (1, 1),
        build: "test".into(),
        features: Vec::new(),
        machine: String::new(),
    }
}

/// Another client is served at once.
async fn still_serves(dial: &Dial) {
    let since = Instant::now();
    let tunnel = Tunnel::connect(dial).await.unwrap();
    let opened = tunnel.open("echo", None, None).await.unwrap();
    let mut stream = tunnel.stream(&opened.session).await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    assert_eq!(stream.chunk(4).await.unwrap().unwrap(), "ping");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[test]
fn garbage_on_the_port_is_dropped_and_others_are_served() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        for garbage in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[0xff; 4096],
            &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0],
        ] {
            // The last one promises more than it sends: it is held until the deadline, and so not waited for.
            let answer = tokio::time::timeout(Duration::from_secs(2), exchange(world.address, garbage)).await;
            assert!(answer.is_err() || answer.unwrap().len() < 64);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for length in [1, 20, 1200, 1452] {
            for first in [0x00_u8, 0x40, 0xc0, 0xff] {
                let mut datagram = vec![0xa5; length];
                datagram[0] = first;
                socket.send_to(&datagram, world.address).unwrap();
            }
        }
        still_serves(&world.dial(&ca)).await;
    });
}

#[test]
fn frames_that_break_the_protocol_close_their_connection_only() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let dial = world.dial(&ca);
        let oversized = vec![0x01, 0xff, 0xff];
        let unknown = vec![0x7e, 0, 0];
        let misplaced = bytes(Bye {});
        let unreadable = vec![0x01, 0, 2, b'{', b'}'];
        let mut late = bytes(hello());
        late.extend(bytes(hello()));
        for (bytes, says) in [
            (oversized, "65535 bytes"),
            (unknown, "unknown frame type 0x7e"),
            (misplaced, "Bye frame instead of a hello"),
            (unreadable, "missing field"),
            (late, "Hello frame on the control stream"),
        ] {
            let (_endpoint, connection) = connection(&dial).await;
            let (mut send, _receive) = connection.open_bi().await.unwrap();
            send.write_all(&bytes).await.unwrap();
            let quinn::ConnectionError::ApplicationClosed(close) = connection.closed().await else {
                panic!("{says}")
            };
            let reason = String::from_utf8_lossy(&close.reason).into_owned();
            assert!(reason.contains(says), "{reason}");
        }
        still_serves(&dial).await;
    });
}

#[test]
fn an_unknown_optional_frame_is_skipped() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let (_endpoint, connection) = connection(&world.dial(&ca)).await;
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let mut both = vec![0xee, 0, 3, 1, 2, 3];
        both.extend(bytes(hello()));
        send.write_all(&both).await.unwrap();
        assert!(matches!(
            FrameReader::new(receive).read().await.unwrap(),
            Some(Frame::Welcome(_))
        ));
    });
}

#[test]
fn a_client_without_a_common_version_is_told_which_end_is_old() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let (_endpoint, connection) = connection(&world.dial(&ca)).await;
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let future = Hello {
            wire: (7, 9),
            ..hello()
        };
        send.write_all(&bytes(future)).await.unwrap();
        let Some(Frame::Refused(refused)) = FrameReader::new(receive).read().await.unwrap() else {
            panic!("not refused")
        };
        assert_eq!(refused.refusal.code, Code::VersionMismatch);
        assert!(refused.refusal.message.contains("7 to 9"), "{}", refused.refusal);
    });
}

#[test]
fn a_stream_that_begins_with_anything_but_an_attach_is_refused_alone() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let (_endpoint, connection) = connection(&world.dial(&ca)).await;
        let (mut control, receive) = connection.open_bi().await.unwrap();
        control.write_all(&bytes(hello())).await.unwrap();
        assert!(FrameReader::new(receive).read().await.unwrap().is_some());
        for first in [bytes(Bye {}), b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec()] {
            let (mut send, receive) = connection.open_bi().await.unwrap();
            send.write_all(&first).await.unwrap();
            let Some(Frame::Refused(refused)) = FrameReader::new(receive).read().await.unwrap() else {
                panic!("not refused")
            };
            assert_eq!(refused.refusal.code, Code::ProtocolViolation);
        }
        assert!(connection.close_reason().is_none());
    });
}

#[test]
fn a_client_that_never_reads_does_not_hold_up_another_session() {
    super::in_both(async |_world, dial, _| {
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        let deaf = tunnel.open("echo", None, None).await.unwrap();
        let mut stream = tunnel.stream(&deaf.session).await.unwrap();
        // The echo's answers fill every buffer on the way back, then its reading stops.
        let fill = async { while stream.write_all(&[7; 1 << 16]).await.is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_secs(2), fill).await.is_err());
        // On the same tunnel, and on another.
        let heard = tunnel.open("echo", None, None).await.unwrap();
        let mut other = tunnel.stream(&heard.session).await.unwrap();
        other.write_all(b"ping").await.unwrap();
        let back = tokio::time::timeout(Duration::from_secs(1), other.chunk(4))
            .await
            .expect("held up");
        assert_eq!(back.unwrap().unwrap(), "ping");
        still_serves(&dial).await;
    });
}

#[test]
fn silent_connections_do_not_hold_up_the_port() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let dial = world.dial(&ca);
        let mut silent = Vec::new();
        for _ in 0..100 {
            silent.push(tokio::net::TcpStream::connect(world.address).await.unwrap());
        }
        let (_endpoint, _no_hello) = connection(&dial).await;
        still_serves(&dial).await;
    });
}

#[test]
fn a_busy_relay_asks_quic_clients_to_prove_their_address_first() {
    run(async {
        let ca = Ca::new();
        let world = World::bounded(
            &ca,
            Bounds {
                retry_past: 0,
                ..Bounds::default()
            },
        )
        .await;
        let tunnel = Tunnel::connect(&world.dial(&ca)).await.unwrap();
        assert_eq!(tunnel.transport(), Transport::Quic);
        still_serves(&world.dial(&ca)).await;
    });
}

#[test]
fn a_source_with_all_its_places_taken_gets_no_more_until_one_is_free() {
    run(async {
        let ca = Ca::new();
        let world = World::bounded(
            &ca,
            Bounds {
                connections_per_source: 1,
                ..Bounds::default()
            },
        )
        .await;
        let dial = world.dial(&ca);
        let first = Tunnel::connect(&dial).await.unwrap();
        let refused = Tunnel::connect(&dial).await.unwrap_err();
        assert!(matches!(refused, TunnelError::Unreachable { .. }), "{refused}");
        first.close().await;
        while Tunnel::connect(&dial).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}
