//! Every message at every split, every truncation, and what no server would take.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::backend::{self, Authentication, CopyStart, Notification, Status};
use super::frame::{Frame, Side, header};
use super::frontend::{Bind, Execute, Format, Formats, Named, Parse};
use super::write::{self, Report, Severity};
use super::{DecodeError, backend::CancelKey};

fn one(build: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    build(&mut out);
    out
}

fn bind_bytes(portal: &str, statement: &str, formats: &[i16], values: &[Option<Vec<u8>>], results: &[i16]) -> BytesMut {
    one(|out| {
        write::message(out, b'B', |out| {
            write::string(out, portal);
            write::string(out, statement);
            out.put_u16(formats.len() as u16);
            formats.iter().for_each(|code| out.put_i16(*code));
            out.put_u16(values.len() as u16);
            for value in values {
                match value {
                    None => out.put_i32(-1),
                    Some(value) => {
                        out.put_i32(value.len() as i32);
                        out.put_slice(value);
                    }
                }
            }
            out.put_u16(results.len() as u16);
            results.iter().for_each(|code| out.put_i16(*code));
        });
    })
}

#[test]
fn a_header_is_checked_before_the_body_arrives() {
    assert_eq!(
        header(Side::Client, b"Q\xff\xff\xff\xff"),
        Err(DecodeError::Length {
            tag: b'Q',
            length: u32::MAX
        })
    );
    assert_eq!(
        header(Side::Client, b"S\0\0\x27\x11"),
        Err(DecodeError::Length {
            tag: b'S',
            length: 10_001
        })
    );
    assert_eq!(
        header(Side::Client, b"S\0\0\0\x03"),
        Err(DecodeError::Length { tag: b'S', length: 3 })
    );
    assert_eq!(
        header(Side::Client, b"G"),
        Err(DecodeError::UnknownTag(b'G')),
        "an HTTP request ends at its first byte"
    );
    assert_eq!(header(Side::Server, b"Q\0\0\0\x04"), Err(DecodeError::UnknownTag(b'Q')));
    assert_eq!(header(Side::Client, b"S\0\0\0"), Ok(None));
}

#[test]
fn nothing_may_follow_the_last_field() {
    let mut query = one(|out| write::message(out, b'Q', |out| out.put_slice(b"select 1\0drop table t\0")));
    let frame = Frame::next(Side::Client, &mut query).unwrap().unwrap();
    assert_eq!(super::frontend::query(frame.body()), Err(DecodeError::Trailing));
    assert_eq!(super::frontend::query(b"select 1"), Err(DecodeError::Unterminated));
    assert_eq!(super::frontend::query(b"select \xff\0"), Err(DecodeError::NotUtf8));
    assert_eq!(super::frontend::empty(b"x"), Err(DecodeError::Trailing));
    assert_eq!(Parse::decode(b"\0select 1\0\0\0x"), Err(DecodeError::Trailing));
    assert_eq!(Named::decode(b"Xname\0"), Err(DecodeError::Value("kind")));
    assert_eq!(Execute::decode(b"\0\0\0\0\0\0"), Err(DecodeError::Trailing));
}

#[test]
fn a_count_beyond_the_body_is_told_before_allocation() {
    assert_eq!(Parse::decode(b"\0select 1\0\xff\xff"), Err(DecodeError::Truncated));
    assert_eq!(Bind::decode(b"\0\0\0\0\xff\xff\0\0"), Err(DecodeError::Truncated));
    assert_eq!(backend::row_description(b"\xff\xff"), Err(DecodeError::Truncated));
    assert_eq!(backend::data_row(b"\xff\xff"), Err(DecodeError::Truncated));
    let negative = [0, 1, 0xff, 0xff, 0xff, 0xfe];
    assert_eq!(backend::data_row(&negative), Err(DecodeError::Value("length")));
}

#[test]
fn formats_reach_as_far_as_their_codes() {
    let bytes = bind_bytes("", "s", &[1, 0], &[Some(b"a".to_vec()), None], &[1]);
    let bind = Bind::decode(&bytes[5..]).unwrap();
    assert_eq!(bind.formats.of(0), Some(Format::Binary));
    assert_eq!(bind.formats.of(2), None);
    assert_eq!(bind.results.of(7), Some(Format::Binary), "one code stands for all");
    assert_eq!(Formats::default().of(3), Some(Format::Text));
    let bytes = bind_bytes("", "s", &[1, 0], &[None], &[]);
    assert_eq!(Bind::decode(&bytes[5..]), Err(DecodeError::Value("parameter formats")));
    let bytes = bind_bytes("", "s", &[2], &[None], &[]);
    assert_eq!(Bind::decode(&bytes[5..]), Err(DecodeError::Value("format")));
}

#[test]
fn what_we_write_can_be_read() {
    let key = CancelKey { process: 7, secret: 9 };
    let mut out = BytesMut::new();
    write::authentication_ok(&mut out);
    write::parameter_status(&mut out, "server_version", "15.18");
    write::backend_key(&mut out, key);
    write::ready(&mut out, Status::Failed);
    let mut report = Report::new(Severity::Error, "42501", "blocked\0 and cut");
    report.hint = Some("ask".into());
    report.encode(&mut out);
    write::notification(&mut out, 3, b"channel", b"");
    let mut next = || Frame::next(Side::Server, &mut out).unwrap().unwrap();
    assert_eq!(Authentication::decode(next().body()), Ok(Authentication::Ok));
    assert_eq!(
        backend::parameter_status(next().body()),
        Ok(("server_version", "15.18"))
    );
    assert_eq!(backend::backend_key(next().body()), Ok(key));
    assert_eq!(backend::ready(next().body()), Ok(Status::Failed));
    let frame = next();
    let read = backend::Report::decode(frame.body()).unwrap();
    assert_eq!(read.text(b'M').as_deref(), Some("blocked"));
    assert_eq!(read.text(b'H').as_deref(), Some("ask"));
    assert_eq!(read.field(b'D'), None);
    let frame = next();
    assert_eq!(Notification::decode(frame.body()).unwrap().channel, b"channel");
    assert!(out.is_empty());
}

#[test]
fn a_cancel_key_never_shows_its_secret() {
    let shown = format!(
        "{:?}",
        CancelKey {
            process: 5,
            secret: 123_456_789
        }
    );
    assert!(!shown.contains("123456789"), "{shown}");
}

#[test]
fn a_copy_response_has_as_many_formats_as_columns() {
    assert_eq!(CopyStart::decode(b"\0\0\x02\0\0\0\0").unwrap().columns, 2);
    assert_eq!(CopyStart::decode(b"\0\0\x02\0\0\0"), Err(DecodeError::Truncated));
    assert_eq!(CopyStart::decode(b"\0\0\x01\0\0\0"), Err(DecodeError::Trailing));
}

fn name() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}"
}

proptest! {
    #[test]
    fn parse_survives_the_round_trip(name in name(), text in name(), types in prop::collection::vec(any::<u32>(), 0..5)) {
        let bytes = one(|out| write::message(out, b'P', |out| {
            write::string(out, &name);
            write::string(out, &text);
            out.put_u16(types.len() as u16);
            types.iter().for_each(|oid| out.put_u32(*oid));
        }));
        let parse = Parse::decode(&bytes[5..]).unwrap();
        prop_assert_eq!((parse.name, parse.text, &parse.types), (name.as_str(), text.as_str(), &types));
        for cut in 5..bytes.len() {
            prop_assert!(Parse::decode(&bytes[5..cut]).is_err());
        }
    }

    #[test]
    fn bind_survives_the_round_trip(
        portal in name(),
        statement in name(),
        values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..9)), 0..4),
        results in prop::collection::vec(0..=1_i16, 0..3),
    ) {
        let bytes = bind_bytes(&portal, &statement, &[1], &values, &results);
        let bind = Bind::decode(&bytes[5..]).unwrap();
        prop_assert_eq!((bind.portal, bind.statement), (portal.as_str(), statement.as_str()));
        let read: Vec<Option<Vec<u8>>> = bind.values.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
        prop_assert_eq!(read, values);
        for cut in 5..bytes.len() {
            prop_assert!(Bind::decode(&bytes[5..cut]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Parse::decode(&body);
        let _ = Bind::decode(&body);
        let _ = Execute::decode(&body);
        let _ = Named::decode(&body);
        let _ = super::frontend::query(&body);
        let _ = super::frontend::copy_fail(&body);
        let _ = backend::row_description(&body);
        let _ = backend::parameter_description(&body);
        let _ = backend::data_row(&body);
        let _ = backend::Report::decode(&body);
        let _ = backend::parameter_status(&body);
        let _ = Authentication::decode(&body);
        let _ = CopyStart::decode(&body);
        let _ = Notification::decode(&body);
        let _ = header(Side::Client, &body);
        let _ = header(Side::Server, &body);
    }

    #[test]
    fn frames_are_the_same_at_every_split(texts in prop::collection::vec(name(), 1..4)) {
        let mut whole = BytesMut::new();
        for text in &texts {
            write::query(&mut whole, text);
            write::sync(&mut whole);
        }
        let expected: Vec<Frame> = {
            let mut input = whole.clone();
            std::iter::from_fn(|| Frame::next(Side::Client, &mut input).unwrap()).collect()
        };
        prop_assert_eq!(expected.len(), texts.len() * 2);
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            let mut frames = Vec::new();
            while let Some(frame) = Frame::next(Side::Client, &mut input).unwrap() {
                frames.push(frame);
            }
            input.extend_from_slice(&whole[cut..]);
            while let Some(frame) = Frame::next(Side::Client, &mut input).unwrap() {
                frames.push(frame);
            }
            prop_assert_eq!(&frames, &expected);
        }
    }
}
