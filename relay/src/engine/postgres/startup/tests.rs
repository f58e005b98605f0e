//! Startups as clients and attackers send them.
#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::BufMut;
use proptest::prelude::*;

use super::*;

const IDENTITY: Identity<'static> = Identity {
    user: "hoop",
    database: "shop",
};

fn packet(version: u32, parameters: &[(&str, &str)]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u32(version);
    for (name, value) in parameters {
        write::string(&mut body, name);
        write::string(&mut body, value);
    }
    body.put_u8(0);
    let mut out = BytesMut::new();
    out.put_u32(body.len() as u32 + 4);
    out.extend_from_slice(&body);
    out
}

fn read(parameters: &[(&str, &str)]) -> Result<Asked, StartupError> {
    let mut all = vec![("user", "hoop"), ("database", "shop")];
    all.extend_from_slice(parameters);
    match Greeter::default().packet(&mut packet(3 << 16, &all), IDENTITY)? {
        Progress::Done(Opening::Start(asked), None) => Ok(asked),
        other => panic!("{other:?}"),
    }
}

fn message(parameters: &[(&str, &str)]) -> String {
    read(parameters).unwrap_err().refusal().message
}

#[test]
fn harmless_settings_go_on_and_the_last_of_one_name_counts() {
    let asked = read(&[
        ("application_name", "psql"),
        ("Application_Name", "other"),
        ("client_encoding", "'utf-8'"),
        ("app.tenant", "7"),
        ("options", "-c extra_float_digits=2 --DateStyle=ISO\\ , -cjit=off"),
    ])
    .unwrap();
    let settings: Vec<_> = asked
        .settings()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        settings,
        [
            ("application_name", "other"),
            ("client_encoding", "'utf-8'"),
            ("app.tenant", "7"),
            ("extra_float_digits", "2"),
            ("datestyle", "ISO ,"),
            ("jit", "off"),
        ]
    );
}

#[test]
fn every_spelling_of_a_pin_or_a_power_is_refused_by_name() {
    for (name, value) in [
        ("client_encoding", "SJIS"),
        ("Standard_Conforming_Strings", "off"),
        ("options", "-c standard_conforming_strings=off"),
        ("options", "--standard-conforming-strings=off"),
        ("options", "-cstandard_conforming\\_strings=off"),
        ("options", "--Backslash-Quote=on"),
        ("role", "postgres"),
        ("session_authorization", "postgres"),
        ("options", "-c role=postgres"),
        ("session_replication_role", "replica"),
        ("search_path", "PG_TEMP, public"),
        ("options", "-c search_path=\"pg_temp\""),
        ("log_statement", "none"),
        ("options", "-d5"),
        ("options", "-c"),
        ("options", "-W 10"),
        ("replication", "true"),
        ("replication", "YES"),
        ("replication", "database"),
        ("replication", "nonsense"),
    ] {
        assert!(read(&[(name, value)]).is_err(), "{name}={value}");
    }
    assert!(message(&[("options", "-c log_statement=none")]).contains("log_statement"));
    assert!(read(&[("replication", "off")]).is_ok());
}

#[test]
fn another_identity_is_refused_by_name() {
    assert!(message(&[("user", "postgres")]).contains("\"postgres\""));
    assert!(message(&[("database", "other")]).contains("\"other\""));
    let none = Greeter::default()
        .packet(&mut packet(3 << 16, &[]), IDENTITY)
        .unwrap_err();
    assert_eq!(none.refusal().code, Code::ProtocolViolation);
    let alone = Greeter::default().packet(&mut packet(3 << 16, &[("user", "hoop")]), IDENTITY);
    assert!(alone.is_ok(), "the database may be left out");
}

#[test]
fn encryption_is_declined_once_each_and_nothing_may_wait_behind() {
    let request = |code: u32| {
        let mut out = BytesMut::new();
        out.put_u32(8);
        out.put_u32(code);
        out
    };
    let mut greeter = Greeter::default();
    assert_eq!(
        greeter.packet(&mut request(write::GSSENC_REQUEST), IDENTITY),
        Ok(Progress::Reply(b'N'))
    );
    assert_eq!(
        greeter.packet(&mut request(write::SSL_REQUEST), IDENTITY),
        Ok(Progress::Reply(b'N'))
    );
    assert_eq!(
        greeter.packet(&mut request(write::SSL_REQUEST), IDENTITY),
        Err(StartupError::Negotiation)
    );
    let mut stuffed = request(write::SSL_REQUEST);
    stuffed.put_u8(b'Q');
    assert_eq!(
        Greeter::default().packet(&mut stuffed, IDENTITY),
        Err(StartupError::Negotiation)
    );
    assert_eq!(
        Greeter::default().packet(&mut BytesMut::from(&b"\x16\x03\x01"[..]), IDENTITY),
        Err(StartupError::DirectTls)
    );
}

#[test]
fn newer_protocols_and_options_are_negotiated_down() {
    for (version, parameters) in [((3 << 16) | 2, vec![]), (3 << 16, vec![("_pq_.fancy", "1")])] {
        let mut all = vec![("user", "hoop")];
        all.extend(parameters);
        let Progress::Done(_, Some(out)) = Greeter::default().packet(&mut packet(version, &all), IDENTITY).unwrap()
        else {
            panic!("not negotiated")
        };
        assert_eq!(out[0], b'v');
    }
    assert_eq!(
        Greeter::default().packet(&mut packet(2 << 16, &[]), IDENTITY),
        Err(StartupError::Version(2, 0))
    );
}

#[test]
fn lengths_are_checked_before_the_packet_arrives() {
    for length in [0_u32, 7, 10_001, u32::MAX] {
        let mut input = BytesMut::from(&length.to_be_bytes()[..]);
        assert!(Greeter::default().packet(&mut input, IDENTITY).is_err(), "{length}");
    }
    let mut trailing = packet(3 << 16, &[("user", "hoop")]);
    trailing.put_u8(0);
    let length = trailing.len() as u32;
    trailing[..4].copy_from_slice(&length.to_be_bytes());
    assert!(Greeter::default().packet(&mut trailing, IDENTITY).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut input = BytesMut::from(&bytes[..]);
        let _ = Greeter::default().packet(&mut input, IDENTITY);
        let mut framed = BytesMut::new();
        framed.put_u32(bytes.len() as u32 + 8);
        framed.put_u32(3 << 16);
        framed.extend_from_slice(&bytes);
        let _ = Greeter::default().packet(&mut framed, IDENTITY);
    }
}
