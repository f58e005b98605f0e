//! Reads a recorded result back: the masked messages that went to the client become columns and rows of text.
//!
//! A result's content begins with its `RowDescription` (with the formats of its portal) or `CopyOutResponse`, then come
//! its rows. Content that was cut is shown as far as it goes.

mod text;

pub use self::text::value_text;
use super::codec::HEADER;
use super::codec::backend::{self, Column};
use super::codec::frame::server;
use super::codec::frontend::Format;
use crate::record::Rows;

/// The longest value that is shown, in bytes of its text.
const LONGEST_VALUE: usize = 64 << 10;

/// Decodes the content of a recorded result; at most `most` rows.
pub fn decode(content: &[u8], most: usize) -> Rows {
    let mut shown = Rows::default();
    let mut columns: Vec<Column> = Vec::new();
    let mut rest = content;
    while let Some((tag, body, after)) = message(rest) {
        rest = after;
        match tag {
            server::ROW_DESCRIPTION => {
                columns = backend::row_description(body).unwrap_or_default();
                shown.columns = columns
                    .iter()
                    .map(|column| String::from_utf8_lossy(&column.name).into_owned())
                    .collect();
            }
            server::DATA_ROW if shown.rows.len() < most => {
                let Ok(values) = backend::data_row(body) else { break };
                let text = |(index, value): (usize, Option<&[u8]>)| {
                    let (oid, format) = columns
                        .get(index)
                        .map_or((0, Format::Text), |column| (column.type_oid, column.format));
                    value.map(|value| cut(value_text(oid, format, value)))
                };
                shown.rows.push(values.into_iter().enumerate().map(text).collect());
            }
            server::COPY_DATA if shown.rows.len() < most => {
                if shown.columns.is_empty() {
                    shown.columns.push("copy".to_owned());
                }
                shown.rows.push(vec![Some(cut(line(body)))]);
            }
            _ => {}
        }
    }
    shown
}

/// Takes one message off the front.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, a, b, c, d], _) = bytes.split_first_chunk::<HEADER>()?;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let body = bytes.get(HEADER..length.checked_add(1)?)?;
    Some((tag, body, &bytes[HEADER + body.len()..]))
}

/// A piece of COPY: its text, or its bytes in hex.
fn line(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => text.strip_suffix('\n').unwrap_or(text).to_owned(),
        _ => text::hex(body),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_VALUE {
        let whole = text.len();
        let mut end = LONGEST_VALUE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(&format!("… ({whole} bytes)"));
    }
    text
}

#[cfg(test)]
mod tests;
