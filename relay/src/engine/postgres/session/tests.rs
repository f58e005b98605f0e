//! Scripted exchanges: what the client and the server say, and what must reach the other side. Each runs whole and cut at every
//! byte, with one result.
#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::{BufMut, BytesMut};

use super::*;
use crate::engine::postgres::codec::backend::{Column, Report as ReadReport};
use crate::engine::postgres::codec::frame::Side;
use crate::engine::postgres::codec::frontend::Format;
use crate::engine::postgres::lenient::Lenient;

const BOUNDS: Bounds = Bounds {
    statement: 1000,
    names: 100,
    masked_row: 1000,
    recorded_row: 256 << 10,
    outstanding: 1000,
};

enum Said {
    Client(BytesMut),
    Server(BytesMut),
    Release,
    Refuse,
}

fn client(build: impl FnOnce(&mut BytesMut)) -> Said {
    let mut out = BytesMut::new();
    build(&mut out);
    Said::Client(out)
}

fn server(build: impl FnOnce(&mut BytesMut)) -> Said {
    let mut out = BytesMut::new();
    build(&mut out);
    Said::Server(out)
}

/// What reached both sides, and what the judge saw.
#[derive(Debug, PartialEq, Eq)]
struct Reached {
    client: Vec<u8>,
    target: Vec<u8>,
    over: Option<Over>,
    cancels: usize,
}

fn run(script: &[Said], judge: &Lenient, piece: usize) -> Reached {
    let mut core = Conversation::new(judge.clone(), BOUNDS, Status::Idle, 1);
    let (mut client_in, mut server_in) = (BytesMut::new(), BytesMut::new());
    let mut reached = Reached {
        client: Vec::new(),
        target: Vec::new(),
        over: None,
        cancels: 0,
    };
    let mut held = None;
    for said in script {
        let (bytes, to_client) = match said {
            Said::Client(bytes) => (bytes.clone(), false),
            Said::Server(bytes) => (bytes.clone(), true),
            Said::Release => {
                core.release(Released::unjudged(held.take().unwrap()));
                (BytesMut::new(), false)
            }
            Said::Refuse => {
                core.refuse_held(&Refusal::new(Code::ApprovalDenied, "denied"));
                (BytesMut::new(), false)
            }
        };
        let mut pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        for piece in pieces {
            if to_client {
                server_in.extend_from_slice(piece);
            } else {
                client_in.extend_from_slice(piece);
            }
            // As the driver does.
            core.target_bytes(&mut server_in);
            core.client_bytes(&mut client_in);
            while let Some(attention) = core.attention() {
                match attention {
                    Attention::Hold(unit) => held = Some(unit),
                    Attention::Cancel => reached.cancels += 1,
                    Attention::Learn(_) => panic!("nothing is to be learnt"),
                }
            }
            reached.client.extend(core.to_client().take());
            reached.target.extend(core.to_target().take());
        }
    }
    reached.over = core.over().cloned();
    reached
}

/// Runs a script whole, then cut into pieces of every size.
fn exchange(script: &[Said]) -> Reached {
    exchange_with(script, &Lenient::new())
}

fn exchange_with(script: &[Said], judge: &Lenient) -> Reached {
    let whole = run(script, judge, usize::MAX);
    for piece in 1..40 {
        assert_eq!(run(script, judge, piece), whole, "in pieces of {piece}");
    }
    whole
}

fn tags(side: Side, bytes: &[u8]) -> String {
    let mut input = BytesMut::from(bytes);
    let mut tags = String::new();
    while let Some(frame) = Frame::next(side, &mut input).unwrap() {
        tags.push(char::from(frame.tag()));
    }
    assert!(input.is_empty());
    tags
}

fn errors(bytes: &[u8]) -> Vec<(String, String)> {
    let mut input = BytesMut::from(bytes);
    let mut errors = Vec::new();
    while let Some(frame) = Frame::next(Side::Server, &mut input).unwrap() {
        if frame.tag() == b'E' {
            let report = ReadReport::decode(frame.body()).unwrap();
            errors.push((
                report.text(b'C').unwrap().into_owned(),
                report.text(b'M').unwrap().into_owned(),
            ));
        }
    }
    errors
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn columns(name: &str) -> Vec<Column> {
    vec![Column {
        name: name.as_bytes().into(),
        relation: 1,
        attnum: 1,
        type_oid: 25,
        modifier: -1,
        format: Format::Text,
    }]
}

fn row(out: &mut BytesMut, value: &str) {
    write::message(out, b'D', |out| {
        out.put_u16(1);
        out.put_i32(value.len() as i32);
        out.put_slice(value.as_bytes());
    });
}

fn complete(out: &mut BytesMut, tag: &str) {
    write::message(out, b'C', |out| write::string(out, tag));
}

fn simple(out: &mut BytesMut, tag: u8) {
    write::message(out, tag, |_| {});
}

fn failed(out: &mut BytesMut, code: &str) {
    Report::new(Severity::Error, code, "the server's words").encode(out);
}

use crate::engine::postgres::codec::write;

#[test]
fn what_needs_no_mask_passes_as_it_is() {
    let mut answer = BytesMut::new();
    write::row_description(&mut answer, &columns("a"));
    row(&mut answer, "one");
    row(&mut answer, "two");
    complete(&mut answer, "SELECT 2");
    write::ready(&mut answer, Status::Idle);
    let reached = exchange(&[
        client(|out| write::query(out, "select a from t")),
        Said::Server(answer.clone()),
    ]);
    assert_eq!(reached.client, answer);
    assert_eq!(tags(Side::Client, &reached.target), "Q");
}

#[test]
fn masked_rows_are_rewritten_in_both_protocols() {
    let rows = |out: &mut BytesMut| {
        row(out, "105-15-1035");
        complete(out, "SELECT 1");
    };
    let reached = exchange(&[
        client(|out| write::query(out, "select secret from t")),
        server(|out| {
            write::row_description(out, &columns("a"));
            rows(out);
            write::ready(out, Status::Idle);
        }),
        client(|out| {
            write::parse(out, "s", "select secret from t");
            write::bind(out, "", "s");
            write::execute(out, "");
            write::sync(out);
        }),
        // The relay's own Describe is answered here.
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            write::row_description(out, &columns("a"));
            rows(out);
            write::ready(out, Status::Idle);
        }),
        client(|out| {
            write::bind(out, "", "s");
            write::execute(out, "");
            write::sync(out);
        }),
        server(|out| {
            simple(out, b'2');
            rows(out);
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.client, "105"), "a clear value passed");
    assert_eq!(tags(Side::Server, &reached.client), "TDCZ12DCZ2DCZ");
    // Described once: the shape serves the second Bind.
    assert_eq!(tags(Side::Client, &reached.target), "QPBDESBES");
}

#[test]
fn a_row_that_nobody_described_does_not_pass() {
    let reached = exchange(&[
        client(|out| write::query(out, "select secret from t")),
        server(|out| {
            row(out, "105-15-1035");
            complete(out, "SELECT 1");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.client, "105"));
    assert_eq!(tags(Side::Server, &reached.client), "EZ");
    assert_eq!(reached.cancels, 1);
}

#[test]
fn witnesses_that_disagree_stop_the_result_and_fail_the_batch() {
    let reached = exchange(&[
        client(|out| {
            write::parse(out, "", "select secret from t");
            write::bind(out, "", "");
            write::execute(out, "");
            write::flush(out);
        }),
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            write::row_description(out, &columns("unmaskable"));
            row(out, "105-15-1035");
            complete(out, "SELECT 1");
        }),
        // The marker's error is the server's state, not another error for the client.
        server(|out| failed(out, "34000")),
        client(write::sync),
        server(|out| write::ready(out, Status::Idle)),
    ]);
    assert!(!contains(&reached.client, "105"));
    assert_eq!(tags(Side::Server, &reached.client), "12EZ");
    assert_eq!(tags(Side::Client, &reached.target), "PBDEHES");
}

#[test]
fn a_refused_query_never_reaches_the_server() {
    let reached = exchange(&[client(|out| write::query(out, "select forbidden"))]);
    assert!(reached.target.is_empty());
    assert_eq!(tags(Side::Server, &reached.client), "EZ");

    let reached = exchange(&[
        client(|out| write::query(out, "begin")),
        server(|out| {
            complete(out, "BEGIN");
            write::ready(out, Status::Transaction);
        }),
        client(|out| write::query(out, "select forbidden")),
        server(|out| {
            failed(out, "34000");
            write::ready(out, Status::Failed);
        }),
    ]);
    assert!(!contains(&reached.target, "forbidden"));
    assert_eq!(tags(Side::Client, &reached.target), "QES");
    assert_eq!(tags(Side::Server, &reached.client), "CZEZ");
    assert_eq!(errors(&reached.client), [("42501".to_owned(), "forbidden".to_owned())]);
}

#[test]
fn a_refused_statement_fails_its_batch_at_the_server() {
    let reached = exchange(&[
        client(|out| {
            write::parse(out, "", "select 1");
            write::bind(out, "", "");
            write::execute(out, "");
            write::parse(out, "", "select forbidden");
            write::bind(out, "", "");
            write::execute(out, "");
            write::query(out, "select 'skipped by the server, too'");
            write::sync(out);
            write::query(out, "select 2");
        }),
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            complete(out, "SELECT 0");
            failed(out, "34000");
            write::ready(out, Status::Idle);
            complete(out, "SELECT 0");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.target, "forbidden") && !contains(&reached.target, "skipped"));
    assert_eq!(tags(Side::Client, &reached.target), "PBEESQ");
    assert_eq!(tags(Side::Server, &reached.client), "12CEZCZ");
    assert_eq!(errors(&reached.client)[0].1, "forbidden");
}

#[test]
fn nothing_of_a_held_unit_passes_before_its_release() {
    let held = [client(|out| {
        write::parse(out, "", "select risky");
        write::bind(out, "", "");
        write::execute(out, "");
        write::sync(out);
        write::query(out, "select 'behind'");
    })];
    let reached = exchange(&held);
    assert!(reached.target.is_empty(), "{:?}", reached.target);
    let [script] = held;
    let reached = exchange(&[
        script,
        Said::Release,
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            complete(out, "SELECT 0");
            write::ready(out, Status::Idle);
            complete(out, "SELECT 0");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert_eq!(tags(Side::Client, &reached.target), "PBESQ");
    assert_eq!(tags(Side::Server, &reached.client), "12CZCZ");
}

#[test]
fn a_denied_unit_fails_like_a_refused_one() {
    let reached = exchange(&[
        client(|out| write::query(out, "select risky")),
        Said::Refuse,
        client(|out| {
            write::parse(out, "", "select risky");
            write::bind(out, "", "");
        }),
        Said::Refuse,
        client(|out| {
            write::execute(out, "");
            write::sync(out);
        }),
        server(|out| {
            failed(out, "34000");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.target, "risky"));
    assert_eq!(tags(Side::Client, &reached.target), "ES");
    assert_eq!(tags(Side::Server, &reached.client), "EZEZ");
}

#[test]
fn a_prepared_risky_statement_stands_alone_once_the_client_waits_for_it() {
    let reached = exchange(&[
        client(|out| {
            write::parse(out, "s", "select risky");
            write::describe_statement(out, "s");
            write::sync(out);
        }),
        server(|out| {
            simple(out, b'1');
            write::message(out, b't', |out| out.put_u16(0));
            simple(out, b'n');
            write::ready(out, Status::Idle);
        }),
        client(|out| {
            write::bind(out, "", "s");
            write::execute(out, "");
            write::sync(out);
        }),
    ]);
    // Parsing runs nothing; the Bind waits.
    assert_eq!(tags(Side::Client, &reached.target), "PDS");
}

#[test]
fn an_error_among_earlier_answers_makes_asking_people_needless() {
    let reached = exchange(&[
        client(|out| {
            write::parse(out, "", "select broken");
            write::bind(out, "", "");
            write::execute(out, "");
            write::parse(out, "x", "select risky");
            write::bind(out, "", "x");
        }),
        server(|out| failed(out, "42P01")),
        client(|out| {
            write::execute(out, "");
            write::sync(out);
        }),
        server(|out| write::ready(out, Status::Idle)),
    ]);
    assert!(!contains(&reached.target, "risky"));
    assert_eq!(
        tags(Side::Client, &reached.target),
        "PBEHS",
        "a Flush makes the answers come"
    );
    assert_eq!(tags(Side::Server, &reached.client), "EZ");
}

#[test]
fn a_name_is_what_the_server_took_it_for() {
    // The second Parse of a name fails at the server: the Bind in the next batch would meet the first text.
    let judge = Lenient::new();
    let reached = exchange_with(
        &[
            client(|out| {
                write::parse(out, "s", "select 1");
                write::sync(out);
            }),
            server(|out| {
                simple(out, b'1');
                write::ready(out, Status::Idle);
            }),
            client(|out| {
                write::parse(out, "s", "select 2");
                write::sync(out);
                write::bind(out, "", "s");
                write::execute(out, "");
                write::sync(out);
            }),
            server(|out| {
                failed(out, "42P05");
                write::ready(out, Status::Idle);
            }),
            server(|out| {
                simple(out, b'2');
                complete(out, "SELECT 1");
                write::ready(out, Status::Idle);
            }),
        ],
        &judge,
    );
    assert_eq!(tags(Side::Server, &reached.client), "1ZEZ2CZ");
    let units = &judge.seen.borrow().units;
    assert!(units.iter().all(|text| text == "select 1"), "{units:?}");
}

#[test]
fn names_that_nobody_saw_made_are_refused_with_the_servers_words() {
    let reached = exchange(&[
        client(|out| {
            write::bind(out, "", "nothing");
            write::sync(out);
        }),
        server(|out| {
            failed(out, "34000");
            write::ready(out, Status::Idle);
        }),
        client(|out| {
            write::execute(out, "nobody");
            write::sync(out);
        }),
        server(|out| {
            failed(out, "34000");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.target, "nothing") && !contains(&reached.target, "nobody"));
    assert_eq!(
        errors(&reached.client),
        [
            (
                "26000".to_owned(),
                "prepared statement \"nothing\" does not exist".to_owned()
            ),
            ("34000".to_owned(), "portal \"nobody\" does not exist".to_owned()),
        ]
    );
}

#[test]
fn copy_begins_with_the_servers_word_only() {
    let copy_in = |out: &mut BytesMut| write::message(out, b'G', |out| out.put_slice(b"\0\0\0"));
    let data = |out: &mut BytesMut, text: &str| write::message(out, b'd', |out| out.put_slice(text.as_bytes()));
    let reached = exchange(&[
        client(|out| write::query(out, "copy t from stdin")),
        server(copy_in),
        client(|out| {
            data(out, "Q\0\0\0\x10drop table t\0");
            simple(out, b'S');
            simple(out, b'c');
            write::query(out, "select 'after'");
        }),
        server(|out| {
            complete(out, "COPY 1");
            write::ready(out, Status::Idle);
        }),
        // The server cannot answer what waits here for the copy's end.
        server(|out| {
            complete(out, "SELECT 1");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert_eq!(
        tags(Side::Client, &reached.target),
        "QdcQ",
        "a Sync inside of a copy is ignored"
    );
    assert_eq!(tags(Side::Server, &reached.client), "GCZCZ");

    // Outside of a copy its data goes nowhere; a copy that fails before it begins leaves the next Query alone.
    let reached = exchange(&[
        client(|out| {
            data(out, "left over");
            write::query(out, "copy t from stdin");
            write::query(out, "select 'after'");
        }),
        server(|out| {
            failed(out, "42P01");
            write::ready(out, Status::Idle);
        }),
        server(|out| {
            complete(out, "SELECT 1");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert_eq!(tags(Side::Client, &reached.target), "QQ");
    assert_eq!(tags(Side::Server, &reached.client), "EZCZ");

    // In a batch, the Sync that the client sent before the copy began is the one that the server would ignore.
    let reached = exchange(&[
        client(|out| {
            write::parse(out, "", "copy t from stdin");
            write::bind(out, "", "");
            write::execute(out, "");
            write::sync(out);
        }),
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            copy_in(out);
        }),
        client(|out| {
            data(out, "1\n");
            simple(out, b'c');
            write::sync(out);
        }),
        server(|out| {
            complete(out, "COPY 1");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert_eq!(tags(Side::Client, &reached.target), "PBEHdcS");
    assert_eq!(tags(Side::Server, &reached.client), "12GCZ");
}

#[test]
fn a_copy_that_nobody_asked_for_ends_the_session() {
    let reached = exchange(&[
        client(|out| write::query(out, "select 1")),
        server(|out| write::message(out, b'G', |out| out.put_slice(b"\0\0\0"))),
    ]);
    assert_eq!(reached.over, Some(Over::Broken));
    assert_eq!(errors(&reached.client)[0].0, "08P01");
}

#[test]
fn what_cannot_be_decoded_ends_the_session() {
    for bytes in [
        &b"Q\0\0\0\x08abcd"[..],
        b"Q\0\0\0\x09a\0bc\0",
        b"S\0\0\0\x05x",
        b"G",
        b"B\0\0\0\x06\0\0",
        b"P\0\0\0\x0a\0\xff\xfe\0\0\0",
        b"p\0\0\0\x05x",
    ] {
        let reached = exchange(&[client(|out| out.put_slice(bytes))]);
        assert_eq!(reached.over, Some(Over::Broken), "{bytes:?}");
        assert_eq!(errors(&reached.client)[0].0, "08P01");
        assert!(reached.target.is_empty());
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_and_the_next_is_heard() {
    let long = "x".repeat(100_000);
    let reached = exchange(&[
        client(|out| {
            write::query(out, &long);
            write::query(out, "select 1");
        }),
        server(|out| {
            complete(out, "SELECT 1");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert_eq!(tags(Side::Server, &reached.client), "EZCZ");
    assert_eq!(errors(&reached.client)[0].0, "54000");
    assert_eq!(tags(Side::Client, &reached.target), "Q");
}

#[test]
fn calling_by_oid_is_refused() {
    let reached = exchange(&[client(|out| write::message(out, b'F', |out| out.put_slice(&[0; 12])))]);
    assert_eq!(errors(&reached.client)[0].0, "0A000");
    assert_eq!(tags(Side::Server, &reached.client), "EZ");
}

#[test]
fn names_of_the_relay_are_nobodys() {
    let reserved = "_hoop_relay_0000000000000001_";
    let reached = exchange(&[
        client(|out| {
            write::parse(out, reserved, "select 1");
            write::sync(out);
        }),
        server(|out| {
            failed(out, "34000");
            write::ready(out, Status::Idle);
        }),
        client(|out| write::query(out, &format!("declare {reserved} cursor for select 1"))),
    ]);
    assert_eq!(tags(Side::Server, &reached.client), "EZEZ");
    assert_eq!(tags(Side::Client, &reached.target), "ES");
}

#[test]
fn errors_of_statements_that_reach_masked_values_lose_their_words() {
    let reached = exchange(&[
        client(|out| write::query(out, "select secret::int from t")),
        server(|out| {
            Report::new(Severity::Error, "22P02", "invalid input: \"105-15-1035\"").encode(out);
            write::ready(out, Status::Idle);
        }),
        client(|out| write::query(out, "select x")),
        server(|out| {
            failed(out, "42703");
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.client, "105"));
    assert_eq!(errors(&reached.client)[0].0, "22P02");
    assert_eq!(errors(&reached.client)[1].1, "the server's words");
}

#[test]
fn what_detectors_find_beside_the_rows_is_replaced_too() {
    let reached = exchange(&[
        client(|out| write::query(out, "select x")),
        server(|out| {
            write::row_description(out, &columns("hidden name"));
            write::parameter_status(out, "application_name", "hidden setting");
            let mut notice = Report::new(Severity::Notice, "00000", "hidden notice");
            notice.detail = Some("hidden detail".to_owned());
            notice.hint = Some("a hint".to_owned());
            notice.encode(out);
            Report::new(Severity::Error, "22P02", "hidden error").encode(out);
            write::ready(out, Status::Idle);
        }),
    ]);
    assert!(!contains(&reached.client, "hidden"));
    assert!(contains(&reached.client, "a hint"));
    assert_eq!(tags(Side::Server, &reached.client), "TSNEZ");
    assert_eq!(errors(&reached.client), [("22P02".to_owned(), "***".to_owned())]);
}

#[test]
fn a_setting_that_was_set_from_masked_data_is_not_reported_in_words() {
    let set = |text: &'static str, name: &'static str, value: &'static str| {
        [
            client(move |out| write::query(out, text)),
            server(move |out| {
                complete(out, "SELECT 1");
                write::parameter_status(out, name, value);
                write::ready(out, Status::Idle);
            }),
        ]
    };
    let from_constants = exchange(&set("select set_config('TimeZone', 'UTC', false)", "TimeZone", "UTC"));
    assert!(contains(&from_constants.client, "UTC"));
    let from_data = "select set_config('application_name', secret, false) from t";
    let first = set(from_data, "application_name", "105-15-1035");
    // A rollback to it reports it again.
    let again = set("rollback", "application_name", "105-15-1035");
    let plain = set("set datestyle = iso", "DateStyle", "ISO, MDY");
    let script: Vec<Said> = first.into_iter().chain(again).chain(plain).collect();
    let reached = exchange(&script);
    assert!(!contains(&reached.client, "105"));
    assert!(contains(&reached.client, "ISO, MDY"));
    assert_eq!(tags(Side::Server, &reached.client), "CSZCSZCSZ");
}

#[test]
fn the_scope_is_asked_in_band_and_its_answer_swallowed() {
    let judge = Lenient::default();
    let judge_for = || Lenient {
        seen: Default::default(),
        ..judge.clone()
    };
    let scope = |out: &mut BytesMut| {
        simple(out, b'1');
        simple(out, b'2');
        write::message(out, b'D', |out| {
            out.put_u16(3);
            for _ in 0..3 {
                out.put_i32(-1);
            }
        });
        complete(out, "SELECT 1");
        simple(out, b'3');
        simple(out, b'3');
        write::ready(out, Status::Idle);
    };
    let reached = exchange_with(
        &[
            client(|out| write::query(out, "select 1")),
            server(scope),
            server(|out| {
                complete(out, "SELECT 1");
                write::ready(out, Status::Idle);
            }),
        ],
        &judge_for(),
    );
    assert_eq!(tags(Side::Client, &reached.target), "PBECCSQ");
    assert_eq!(tags(Side::Server, &reached.client), "CZ");
}

#[test]
fn a_suspended_portal_keeps_its_mask() {
    let limited = |out: &mut BytesMut| {
        write::message(out, b'E', |out| {
            write::string(out, "p");
            out.put_i32(1);
        });
    };
    let reached = exchange(&[
        client(|out| write::query(out, "begin")),
        server(|out| {
            complete(out, "BEGIN");
            write::ready(out, Status::Transaction);
        }),
        client(|out| {
            write::parse(out, "", "select secret from t");
            write::bind(out, "p", "");
            limited(out);
            write::sync(out);
        }),
        server(|out| {
            simple(out, b'1');
            simple(out, b'2');
            write::row_description(out, &columns("a"));
            row(out, "105-15-1035");
            simple(out, b's');
            write::ready(out, Status::Transaction);
        }),
        client(|out| {
            limited(out);
            write::sync(out);
        }),
        server(|out| {
            row(out, "106-15-1036");
            simple(out, b's');
            write::ready(out, Status::Transaction);
        }),
    ]);
    assert!(!contains(&reached.client, "-15-"));
    assert_eq!(tags(Side::Server, &reached.client), "CZ12DsZDsZ");
}

#[test]
fn what_the_relay_cannot_read_the_server_explains() {
    let tried = |answer: fn(&mut BytesMut)| {
        server(move |out| {
            simple(out, b'3');
            answer(out);
            write::ready(out, Status::Idle);
        })
    };
    let judge = Lenient::new;
    let reached = run(
        &[
            client(|out| write::query(out, "select doubtful")),
            tried(|out| failed(out, "42P01")),
            client(|out| write::query(out, "select 1")),
        ],
        &judge(),
        usize::MAX,
    );
    assert_eq!(tags(Side::Client, &reached.target), "CPSQ");
    assert_eq!(tags(Side::Server, &reached.client), "EZ");
    assert_eq!(errors(&reached.client)[0].1, "the server's words");

    // The server knows it: the relay learns, judges again, and sends the client's own message.
    for piece in 1..30 {
        let reached = run(
            &[
                client(|out| write::query(out, "select doubtful")),
                tried(|out| simple(out, b'1')),
                server(|out| {
                    complete(out, "SELECT 0");
                    write::ready(out, Status::Idle);
                }),
            ],
            &judge(),
            piece,
        );
        assert_eq!(tags(Side::Client, &reached.target), "CPSQ");
        assert_eq!(tags(Side::Server, &reached.client), "CZ");
    }
}

#[test]
fn a_doubtful_statement_is_bound_only_after_the_server_took_it() {
    let judge = Lenient::new();
    let reached = run(
        &[
            client(|out| {
                write::parse(out, "", "select doubtful");
                write::bind(out, "", "");
                write::execute(out, "");
                write::sync(out);
            }),
            server(|out| simple(out, b'1')),
            server(|out| {
                simple(out, b'2');
                complete(out, "SELECT 0");
                write::ready(out, Status::Idle);
            }),
        ],
        &judge,
        usize::MAX,
    );
    assert_eq!(tags(Side::Client, &reached.target), "PHBES");
    assert_eq!(tags(Side::Server, &reached.client), "12CZ");
    assert_eq!(judge.seen.borrow().mistrusted, 1);
}
