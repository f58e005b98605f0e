//! PostgreSQL's messages of both sides: no panic, and every split gives the same frames.

use bytes::BytesMut;
use hoop_relay::engine::postgres::codec::frame::{Frame, Side};
use hoop_relay::engine::postgres::codec::{backend, frontend};
use hoop_relay::engine::postgres::replay;

/// Frames that bytes hold, fed in pieces.
fn frames<'a>(side: Side, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut input = BytesMut::new();
    let mut found = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match Frame::next(side, &mut input) {
                Ok(Some(frame)) => found.push(frame.bytes().to_vec()),
                Ok(None) => break,
                Err(_) => return found,
            }
        }
    }
    found
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    for side in [Side::Client, Side::Server] {
        let whole = frames(side, std::iter::once(bytes));
        assert_eq!(whole, frames(side, bytes.chunks(1)));
        for frame in whole {
            let body = frame.get(5..).unwrap_or_default();
            let _ = frontend::query(body);
            let _ = frontend::Parse::decode(body);
            let _ = frontend::Bind::decode(body);
            let _ = frontend::Named::decode(body);
            let _ = frontend::Execute::decode(body);
            let _ = frontend::copy_fail(body);
            let _ = backend::row_description(body);
            let _ = backend::parameter_description(body);
            let _ = backend::data_row(body);
            let _ = backend::parameter_status(body);
            let _ = backend::command_complete(body);
            let _ = backend::ready(body);
            let _ = backend::backend_key(body);
            let _ = backend::Authentication::decode(body);
            let _ = backend::CopyStart::decode(body);
            let _ = backend::Notification::decode(body);
            if let Ok(report) = backend::Report::decode(body) {
                let _ = report.text(b'M');
            }
        }
    }
    // A recorded result is read back by the same rules.
    let rows = replay::decode(bytes, 100);
    assert!(rows.rows.len() <= 100);
}
