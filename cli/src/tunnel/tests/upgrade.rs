//! Clients and relays of neighbouring versions: what is understood, what is ignored, and what is said where neither will do.

use std::time::SystemTime;

use hoop_shared::refusal::Code;
use hoop_shared::tls::ALPN_TUNNEL;
use hoop_shared::wire::{Frame, FrameReader, NEWEST};
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::hostile::{bytes, connection, hello};
use super::world::{Ca, World, client, run};
use super::*;

/// A relay of another version: it reads a hello over TCP and answers with these bytes.
async fn other_relay(ca: &Ca, answer: Vec<u8>) -> (Dial, AbortOnDropHandle<()>) {
    let server = ca.issue(
        ExtendedKeyUsagePurpose::ServerAuth,
        SystemTime::now() + Duration::from_secs(3600),
    );
    let chain = vec![server.chain[0].clone(), ca.certificate().clone()];
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, server.key)
        .unwrap();
    tls.alpn_protocols = vec![ALPN_TUNNEL.to_vec()];
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = Dial {
        relay: listener.local_addr().unwrap().to_string().parse().unwrap(),
        credential: client(ca, Duration::from_secs(600)),
        trust: ca.trust(),
        machine: "test".into(),
        memory: None,
        head_start: Duration::ZERO,
    };
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut reader = FrameReader::new(stream);
            assert!(matches!(reader.read().await, Ok(Some(Frame::Hello(_)))));
            reader.get_mut().write_all(&answer).await.unwrap();
            // It keeps the connection until the client leaves.
            while let Ok(Some(_)) = reader.read().await {}
        }
    });
    (dial, AbortOnDropHandle::new(task))
}

fn frame(kind: u8, payload: &str) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload.as_bytes());
    bytes
}

#[test]
fn what_a_newer_relay_adds_is_ignored() {
    run(async {
        let ca = Ca::new();
        let mut answer = frame(0xee, r#"{"news":"of another time"}"#);
        answer.extend(frame(
            0x02,
            r#"{"version":1,"relay":"9.9.9","limits":{"streams_per_session":7,"sessions":8,"colours":9},
                "time":"2030-01-01T00:00:00Z","notices":[],"weather":{"tomorrow":"fine"}}"#,
        ));
        answer.extend(frame(0x8a, r#"{"text":"hello","level":"loud"}"#));
        let (dial, _relay) = other_relay(&ca, answer).await;
        let tunnel = Tunnel::connect(&dial).await.unwrap();
        assert_eq!(
            (
                tunnel.welcome().relay.as_str(),
                tunnel.welcome().limits.streams_per_session
            ),
            ("9.9.9", 7)
        );
        assert_eq!(tunnel.notice().await.as_deref(), Some("hello"));
    });
}

#[test]
fn a_relay_that_speaks_no_common_version_is_named_with_what_to_do() {
    run(async {
        let ca = Ca::new();
        let refused = frame(
            0x05,
            r#"{"refusal":{"code":"version_mismatch","message":"hoopctl is too old for this relay","hint":"install a newer hoopctl"}}"#,
        );
        let (dial, _relay) = other_relay(&ca, refused).await;
        let refusal = Tunnel::connect(&dial).await.unwrap_err().refusal();
        assert_eq!(
            (refusal.code, refusal.hint.as_deref()),
            (Code::VersionMismatch, Some("install a newer hoopctl"))
        );
    });
}

#[test]
fn a_refusal_whose_code_is_not_known_keeps_its_words() {
    run(async {
        let ca = Ca::new();
        let refused = frame(
            0x05,
            r#"{"refusal":{"code":"quota_reached","message":"too much for today","hint":"come back","quota":7},"more":1}"#,
        );
        let (dial, _relay) = other_relay(&ca, refused).await;
        let refusal = Tunnel::connect(&dial).await.unwrap_err().refusal();
        assert_eq!(
            (refusal.code, refusal.message.as_str(), refusal.hint.as_deref()),
            (Code::Failed, "too much for today", Some("come back"))
        );
    });
}

#[test]
fn a_relay_that_chooses_a_version_that_was_not_offered_is_not_spoken_to() {
    run(async {
        let ca = Ca::new();
        let welcome = frame(
            0x02,
            r#"{"version":77,"relay":"9.9.9","limits":{"streams_per_session":7,"sessions":8},"time":"2030-01-01T00:00:00Z"}"#,
        );
        let (dial, _relay) = other_relay(&ca, welcome).await;
        let error = Tunnel::connect(&dial).await.unwrap_err().to_string();
        assert!(error.contains("wire version 77"), "{error}");
    });
}

#[test]
fn a_newer_client_is_served_with_what_both_know() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        let (_endpoint, connection) = connection(&world.dial(&ca)).await;
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let hello = frame(
            0x01,
            r#"{"wire":[1,9],"build":"9.9.9","features":["x"],"machine":"m","weather":"fine"}"#,
        );
        send.write_all(&hello).await.unwrap();
        let Some(Frame::Welcome(welcome)) = FrameReader::new(receive).read().await.unwrap() else {
            panic!("not welcome")
        };
        assert_eq!(welcome.version, NEWEST);
    });
}

#[test]
fn a_newer_client_is_told_which_of_its_frames_this_relay_does_not_know() {
    run(async {
        let ca = Ca::new();
        let world = World::start(&ca).await;
        for (unknown, says) in [
            (frame(0x7d, "{}"), "unknown frame type 0x7d"),
            (
                frame(0x03, r#"{"number":1,"connection":"echo","read_only":true}"#),
                "read_only",
            ),
        ] {
            let (_endpoint, connection) = connection(&world.dial(&ca)).await;
            let (mut send, receive) = connection.open_bi().await.unwrap();
            let mut both = bytes(hello());
            both.extend(unknown);
            send.write_all(&both).await.unwrap();
            let mut reader = FrameReader::new(receive);
            assert!(matches!(reader.read().await, Ok(Some(Frame::Welcome(_)))));
            let Ok(Some(Frame::Close(close))) = reader.read().await else {
                panic!("not told: {says}")
            };
            let refusal = close.refusal.unwrap();
            assert!(refusal.message.contains(says), "{refusal}");
            assert!(refusal.hint.unwrap().contains(env!("CARGO_PKG_VERSION")));
        }
    });
}
