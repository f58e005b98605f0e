#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;
use crate::id::SessionId;
use crate::protocol::Protocol;
use crate::refusal::{Code, Refusal};
use crate::wire::run::{Idempotency, Run};
use crate::wire::{
    Attach, Attached, Bye, Close, Detach, Detached, Hello, Notice, Open, Opened, Refused, Repeated, Welcome, WireLimits,
};

fn session() -> impl Strategy<Value = SessionId> {
    "s-[0-9a-hjkmnp-tv-z]{12}".prop_map(|text| text.parse().unwrap())
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (any::<String>(), proptest::option::of(any::<String>()), any::<bool>()).prop_map(|(message, hint, blocked)| {
        Refusal {
            hint,
            ..Refusal::new(if blocked { Code::Blocked } else { Code::SessionLimit }, message)
        }
    })
}

fn time() -> impl Strategy<Value = OffsetDateTime> {
    (0_i64..4_102_444_800).prop_map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap())
}

fn frame() -> impl Strategy<Value = Frame> {
    let optional = || proptest::option::of(any::<String>());
    prop_oneof![
        (
            any::<(u16, u16)>(),
            any::<String>(),
            proptest::collection::vec(".{0,8}", 0..4),
            any::<String>()
        )
            .prop_map(|(wire, build, features, machine)| {
                Hello {
                    wire,
                    build,
                    features,
                    machine,
                }
                .into()
            }),
        (
            any::<u16>(),
            any::<String>(),
            any::<(u32, u32)>(),
            time(),
            proptest::collection::vec(".{0,8}", 0..4)
        )
            .prop_map(|(version, relay, limits, time, features)| {
                Welcome {
                    version,
                    relay,
                    limits: WireLimits {
                        streams_per_session: limits.0,
                        sessions: limits.1,
                    },
                    time,
                    notices: Vec::new(),
                    features,
                }
                .into()
            }),
        (any::<u32>(), any::<String>(), optional(), optional(), any::<bool>()).prop_map(
            |(number, connection, reason, client, is_run)| {
                Open {
                    number,
                    connection,
                    run: is_run.then(|| Run {
                        idempotency: reason.clone().map(|key| Idempotency {
                            key,
                            digest: "d".to_owned(),
                        }),
                    }),
                    reason,
                    client,
                }
                .into()
            }
        ),
        (any::<u32>(), session(), any::<String>(), optional(), time()).prop_map(
            |(number, session, connection, database, expires)| {
                Opened {
                    number,
                    session,
                    connection,
                    protocol: Protocol::Postgres,
                    user: database.clone(),
                    mark: database.clone(),
                    database,
                    expires,
                }
                .into()
            }
        ),
        (any::<Option<u32>>(), refusal()).prop_map(|(number, refusal)| Refused { number, refusal }.into()),
        session().prop_map(|session| Attach { session }.into()),
        Just(Attached {}.into()),
        session().prop_map(|session| Detach { session }.into()),
        (session(), proptest::option::of(refusal()))
            .prop_map(|(session, refusal)| Detached { session, refusal }.into()),
        (any::<u32>(), session()).prop_map(|(number, session)| Repeated { number, session }.into()),
        (proptest::option::of(session()), proptest::option::of(refusal())).prop_map(|(session, refusal)| Close {
            session,
            refusal
        }
        .into()),
        Just(Bye {}.into()),
        (proptest::option::of(session()), any::<String>()).prop_map(|(session, text)| Notice { session, text }.into()),
    ]
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(frame in frame()) {
        let bytes = encoded(&frame);
        let length = bytes.len();
        prop_assert_eq!(decode(&bytes).unwrap(), Decoded::Frame(frame, length));
    }

    #[test]
    fn every_split_asks_for_no_more_than_the_frame_has(frame in frame()) {
        let bytes = encoded(&frame);
        for split in 0..bytes.len() {
            match decode(&bytes[..split]).unwrap() {
                Decoded::More(more) => prop_assert!(more > 0 && split + more <= bytes.len()),
                other => prop_assert!(false, "{split} of {} bytes gave {other:?}", bytes.len()),
            }
        }
    }

    #[test]
    fn what_follows_a_frame_is_not_touched(frame in frame(), rest in any::<Vec<u8>>()) {
        let mut bytes = encoded(&frame);
        let length = bytes.len();
        bytes.extend(rest);
        prop_assert_eq!(decode(&bytes).unwrap(), Decoded::Frame(frame, length));
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Decoded::Frame(_, length) | Decoded::Skip(length)) = decode(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }

    #[test]
    fn a_damaged_frame_gives_an_answer(frame in frame(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = encoded(&frame);
        let at = at.index(bytes.len());
        bytes[at] = with;
        let _answer = decode(&bytes);
    }
}

#[test]
fn an_unknown_type_closes_on_its_first_byte() {
    assert!(matches!(decode(&[0x7f]), Err(DecodeError::UnknownType(0x7f))));
    assert!(matches!(
        decode(b"GET / HTTP/1.1\r\n"),
        Err(DecodeError::UnknownType(b'G'))
    ));
}

#[test]
fn an_unknown_optional_type_is_skipped_whole() {
    assert_eq!(decode(&[0xff, 0, 2, 1]).unwrap(), Decoded::More(1));
    assert_eq!(decode(&[0xff, 0, 2, 1, 2, 3]).unwrap(), Decoded::Skip(5));
}

#[test]
fn a_length_past_the_limit_is_refused_by_the_header_alone() {
    assert!(matches!(
        decode(&[0x01, 0xff, 0xff]),
        Err(DecodeError::TooLong {
            kind: 1,
            length: 65535,
            limit: 4096
        })
    ));
}

#[test]
fn a_doubled_or_unknown_field_is_refused() {
    for payload in [
        r#"{"session":"s-000000000000","session":"s-111111111111"}"#,
        r#"{"session":"s-000000000000","as":"root"}"#,
        "{}",
        "[]",
        "",
    ] {
        let mut bytes = vec![0x06, 0, u8::try_from(payload.len()).unwrap()];
        bytes.extend(payload.as_bytes());
        assert!(
            matches!(decode(&bytes), Err(DecodeError::Payload { kind: 6, .. })),
            "{payload}"
        );
    }
}

#[test]
fn a_newer_hello_is_still_read() {
    let payload = br#"{"wire":[2,9],"build":"9.0","colour":"blue"}"#;
    let mut bytes = vec![0x01, 0, u8::try_from(payload.len()).unwrap()];
    bytes.extend(payload);
    assert!(matches!(decode(&bytes).unwrap(), Decoded::Frame(Frame::Hello(hello), _) if hello.wire == (2, 9)));
}

#[test]
fn a_newer_relays_fields_are_ignored_and_a_newer_clients_are_not() {
    let with = |kind: u8, payload: &str| {
        let mut bytes = vec![kind, 0, u8::try_from(payload.len()).unwrap()];
        bytes.extend(payload.as_bytes());
        decode(&bytes)
    };
    for (kind, payload) in [
        (
            0x05,
            r#"{"number":1,"refusal":{"code":"blocked","message":"m","more":1},"colour":"red"}"#,
        ),
        (0x07, r#"{"compression":"zstd"}"#),
        (0x08, r#"{"session":"s-000000000000","colour":"red"}"#),
        (0x8a, r#"{"text":"t","level":3}"#),
    ] {
        assert!(matches!(with(kind, payload), Ok(Decoded::Frame(..))), "{payload}");
    }
    for (kind, payload) in [
        (0x03, r#"{"number":1,"connection":"db","read_only":true}"#),
        (0x06, r#"{"session":"s-000000000000","read_only":true}"#),
    ] {
        assert!(
            matches!(with(kind, payload), Err(DecodeError::Payload { .. })),
            "{payload}"
        );
    }
}

#[test]
fn too_long_a_content_is_not_written() {
    let mut out = vec![7];
    let open = Open {
        number: 1,
        connection: "c".repeat(20_000),
        reason: None,
        client: None,
        run: None,
    };
    assert!(matches!(
        encode(&open.into(), &mut out),
        Err(EncodeError::TooLong { name: "Open", .. })
    ));
    assert_eq!(out, [7]);
}
