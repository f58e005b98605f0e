//! Errors and notices of statements that could reach a masked column: they quote values (`Failing row contains …`), so only what
//! the server did not take from the data stays.

use bytes::{BufMut, Bytes, BytesMut};

use crate::engine::postgres::codec::backend::Report;
use crate::engine::postgres::codec::{DecodeError, write};

/// Rewrites an `ErrorResponse` or `NoticeResponse`: severity, code and position stay, the condition's name takes the message's place.
pub(super) fn scrub(tag: u8, body: &[u8]) -> Result<Bytes, DecodeError> {
    let report = Report::decode(body)?;
    let code = report.text(b'C').unwrap_or_default();
    let mut out = BytesMut::new();
    write::message(&mut out, tag, |out| {
        for (letter, text) in report.fields() {
            if matches!(letter, b'S' | b'V' | b'C' | b'P') {
                out.put_u8(letter);
                write::string(out, text);
            }
        }
        out.put_u8(b'M');
        write::string(out, condition(&code));
        out.put_u8(b'D');
        write::string(out, "The server's words are left out: they may quote a masked value.");
        out.put_u8(0);
    });
    Ok(out.freeze())
}

/// Rewrites an `ErrorResponse` or `NoticeResponse` in which `find` finds something: it gives a replacement of a text. `None`: it finds
/// nothing. Severity, code and positions are the server's own.
pub(super) fn detect(
    tag: u8,
    body: &[u8],
    find: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Option<Bytes>, DecodeError> {
    let report = Report::decode(body)?;
    let own = |letter: u8| matches!(letter, b'S' | b'V' | b'C' | b'P' | b'p' | b'F' | b'L' | b'R');
    let replaced: Vec<_> = report
        .fields()
        .map(|(letter, text)| if own(letter) { None } else { find(text) })
        .collect();
    if replaced.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut out = BytesMut::new();
    write::message(&mut out, tag, |out| {
        for ((letter, text), replaced) in report.fields().zip(&replaced) {
            out.put_u8(letter);
            write::string(out, replaced.as_deref().unwrap_or(text));
        }
        out.put_u8(0);
    });
    Ok(Some(out.freeze()))
}

/// What a SQLSTATE says in words (PostgreSQL, appendix A): the common ones by name, the others by class.
fn condition(code: &str) -> &'static str {
    match code {
        "22P02" => "invalid text representation",
        "22P03" => "invalid binary representation",
        "22001" => "a value is too long for its type",
        "22003" => "a numeric value is out of range",
        "22007" => "invalid date or time format",
        "22008" => "a date or time is out of range",
        "22012" => "division by zero",
        "22023" => "invalid parameter value",
        "23502" => "a NOT NULL constraint is violated",
        "23503" => "a foreign key constraint is violated",
        "23505" => "a unique constraint is violated",
        "23514" => "a check constraint is violated",
        "23P01" => "an exclusion constraint is violated",
        "25P02" => "current transaction is aborted, commands ignored until end of transaction block",
        "40001" => "could not serialize access",
        "40P01" => "deadlock detected",
        "42501" => "permission denied",
        "42601" => "syntax error",
        "42703" => "a column does not exist",
        "42883" => "a function or operator does not exist",
        "42P01" => "a relation does not exist",
        "42804" => "datatype mismatch",
        "55P03" => "a lock is not available",
        "57014" => "canceling statement",
        "57P01" => "terminating connection",
        "P0001" => "an exception was raised by a function",
        _ => match code.get(..2).unwrap_or_default() {
            "00" | "01" | "02" => "a notice of the server",
            "08" => "a connection exception",
            "0A" => "a feature is not supported",
            "21" => "a query returned more rows than it may",
            "22" => "a data exception",
            "23" => "an integrity constraint is violated",
            "25" => "the transaction's state does not allow it",
            "40" => "the transaction was rolled back",
            "42" => "a syntax error or a missing permission",
            "53" => "the server's resources do not suffice",
            "54" => "a limit of the server was reached",
            "55" => "an object is not in the state that this needs",
            "57" => "an operator intervened",
            _ => "an error of the server",
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_data_did_not_give_stays() {
        let body = b"SERROR\0VERROR\0C22P02\0Minvalid input syntax for type integer: \"123-45-6789\"\0P8\0Wat 123-45-6789\0snull\0\0";
        let scrubbed = scrub(b'E', body).unwrap();
        assert!(!scrubbed.windows(5).any(|window| window == b"123-4"));
        let report = Report::decode(&scrubbed[5..]).unwrap();
        assert_eq!(report.text(b'C').as_deref(), Some("22P02"));
        assert_eq!(report.text(b'P').as_deref(), Some("8"));
        assert_eq!(report.text(b'M').as_deref(), Some("invalid text representation"));
        assert_eq!(report.field(b'W'), None);
    }
}
