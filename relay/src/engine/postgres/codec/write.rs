//! Encoding what the relay says in its own name. A string is cut at a NUL, since the protocol has no other end for it.

use bytes::{BufMut, Bytes, BytesMut};
use hoop_shared::wire::run::WORD_FIELD;

use super::backend::{CancelKey, Column, Status};
use super::frame::{client, server};
use super::frontend::Format;

/// Appends one message: its tag, its length, and the body that `body` writes.
pub fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    counted(out, body);
}

/// Appends a body with its length before it, without a tag.
fn counted(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a string and its NUL.
pub fn string(out: &mut BytesMut, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    out.put_slice(text.get(..end).unwrap_or_default());
    out.put_u8(0);
}

/// How bad a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The session goes on.
    Error,
    /// The session ends.
    Fatal,
    /// Nothing is wrong.
    Notice,
    /// Something may be wrong.
    Warning,
}

impl Severity {
    /// The protocol's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// An error or notice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How bad it is.
    pub severity: Severity,
    /// SQLSTATE, five characters.
    pub code: String,
    /// What, in a sentence.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The same for the client of a run, as JSON (`hoop_shared::wire::run`).
    pub word: Option<String>,
}

impl Report {
    /// Makes a report without detail or hint.
    pub fn new(severity: Severity, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: None,
            word: None,
        }
    }

    /// Appends it as `ErrorResponse` or `NoticeResponse`.
    pub fn encode(&self, out: &mut BytesMut) {
        let tag = match self.severity {
            Severity::Error | Severity::Fatal => server::ERROR,
            Severity::Notice | Severity::Warning => server::NOTICE,
        };
        message(out, tag, |out| {
            for (letter, text) in [
                (b'S', Some(self.severity.as_str())),
                (b'V', Some(self.severity.as_str())),
                (b'C', Some(self.code.as_str())),
                (b'M', Some(self.message.as_str())),
                (b'D', self.detail.as_deref()),
                (b'H', self.hint.as_deref()),
                (WORD_FIELD, self.word.as_deref()),
            ] {
                if let Some(text) = text {
                    out.put_u8(letter);
                    string(out, text);
                }
            }
            out.put_u8(0);
        });
    }

    /// Encodes it alone.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64 + self.message.len());
        self.encode(&mut out);
        out.freeze()
    }
}

/// Appends a `ReadyForQuery`.
pub fn ready(out: &mut BytesMut, status: Status) {
    message(out, server::READY, |out| out.put_u8(status.letter()));
}

/// Appends an `AuthenticationOk`.
pub fn authentication_ok(out: &mut BytesMut) {
    message(out, server::AUTHENTICATION, |out| out.put_u32(0));
}

/// Appends a `ParameterStatus`.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, server::PARAMETER_STATUS, |out| {
        string(out, name);
        string(out, value);
    });
}

/// Appends a `BackendKeyData`.
pub fn backend_key(out: &mut BytesMut, key: CancelKey) {
    message(out, server::BACKEND_KEY, |out| {
        out.put_u32(key.process);
        out.put_u32(key.secret);
    });
}

/// Appends a `NegotiateProtocolVersion`: 3.0 at most, and the options that are not known.
pub fn negotiate(out: &mut BytesMut, unknown: &[&str]) {
    message(out, server::NEGOTIATE, |out| {
        // Servers put the whole version number here, not the minor alone as the documentation has it; libpq expects that.
        out.put_u32(3 << 16);
        out.put_u32(u32::try_from(unknown.len()).unwrap_or(0));
        for option in unknown {
            string(out, option);
        }
    });
}

/// Appends a startup message of protocol 3.0.
pub fn startup<'a>(out: &mut BytesMut, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) {
    counted(out, |out| {
        out.put_u32(3 << 16);
        for (name, value) in parameters {
            string(out, name);
            string(out, value);
        }
        out.put_u8(0);
    });
}

/// The code of an `SSLRequest`.
pub const SSL_REQUEST: u32 = 80_877_103;
/// The code of a `GSSENCRequest`.
pub const GSSENC_REQUEST: u32 = 80_877_104;
/// The code of a `CancelRequest`.
pub const CANCEL_REQUEST: u32 = 80_877_102;

/// Appends an `SSLRequest`.
pub fn ssl_request(out: &mut BytesMut) {
    counted(out, |out| out.put_u32(SSL_REQUEST));
}

/// Appends a `CancelRequest`.
pub fn cancel_request(out: &mut BytesMut, key: CancelKey) {
    counted(out, |out| {
        out.put_u32(CANCEL_REQUEST);
        out.put_u32(key.process);
        out.put_u32(key.secret);
    });
}

/// Appends a Query.
pub fn query(out: &mut BytesMut, text: &str) {
    message(out, client::QUERY, |out| string(out, text));
}

/// `Parse` with types for its parameters; 0 leaves one to the server.
pub fn parse_typed(out: &mut BytesMut, name: &str, text: &str, types: &[u32]) {
    message(out, client::PARSE, |out| {
        string(out, name);
        string(out, text);
        out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
        for ty in types {
            out.put_u32(*ty);
        }
    });
}

/// `Bind` with values, each binary or text, `None` for NULL; all results are text.
pub fn bind_values<'v>(
    out: &mut BytesMut,
    portal: &str,
    statement: &str,
    values: impl ExactSizeIterator<Item = (bool, Option<&'v [u8]>)> + Clone,
) {
    let count = u16::try_from(values.len()).unwrap_or(u16::MAX);
    message(out, client::BIND, |out| {
        string(out, portal);
        string(out, statement);
        out.put_u16(count);
        for (binary, _) in values.clone() {
            out.put_u16(u16::from(binary));
        }
        out.put_u16(count);
        for (_, value) in values {
            match value {
                Some(value) => {
                    out.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
                    out.put_slice(value);
                }
                None => out.put_i32(-1),
            }
        }
        out.put_u16(0);
    });
}

/// Appends a Parse without prescribed types.
pub fn parse(out: &mut BytesMut, name: &str, text: &str) {
    message(out, client::PARSE, |out| {
        string(out, name);
        string(out, text);
        out.put_u16(0);
    });
}

/// Appends a Bind of a statement without parameters; all its columns as text.
pub fn bind(out: &mut BytesMut, portal: &str, statement: &str) {
    message(out, client::BIND, |out| {
        string(out, portal);
        string(out, statement);
        out.put_u16(0);
        out.put_u16(0);
        out.put_u16(0);
    });
}

/// Appends a Describe of a portal.
pub fn describe_portal(out: &mut BytesMut, portal: &str) {
    message(out, client::DESCRIBE, |out| {
        out.put_u8(b'P');
        string(out, portal);
    });
}

/// Appends a Describe of a statement.
pub fn describe_statement(out: &mut BytesMut, name: &str) {
    message(out, client::DESCRIBE, |out| {
        out.put_u8(b'S');
        string(out, name);
    });
}

/// Appends an Execute of all rows of a portal.
pub fn execute(out: &mut BytesMut, portal: &str) {
    message(out, client::EXECUTE, |out| {
        string(out, portal);
        out.put_u32(0);
    });
}

/// Appends a Close of a statement.
pub fn close_statement(out: &mut BytesMut, name: &str) {
    message(out, client::CLOSE, |out| {
        out.put_u8(b'S');
        string(out, name);
    });
}

/// Appends a Close of a portal.
pub fn close_portal(out: &mut BytesMut, name: &str) {
    message(out, client::CLOSE, |out| {
        out.put_u8(b'P');
        string(out, name);
    });
}

/// Appends a Sync.
pub fn sync(out: &mut BytesMut) {
    message(out, client::SYNC, |_| {});
}

/// Appends a Flush.
pub fn flush(out: &mut BytesMut) {
    message(out, client::FLUSH, |_| {});
}

/// Appends a Terminate.
pub fn terminate(out: &mut BytesMut) {
    message(out, client::TERMINATE, |_| {});
}

/// Appends a `CopyFail` with its reason.
pub fn copy_fail(out: &mut BytesMut, reason: &str) {
    message(out, client::COPY_FAIL, |out| string(out, reason));
}

/// Appends a password, or a step of SASL: the body is as it is.
pub fn password(out: &mut BytesMut, body: &[u8]) {
    message(out, client::PASSWORD, |out| out.put_slice(body));
}

/// Appends a `RowDescription`. A type's size is not kept: it says 0.
pub fn row_description(out: &mut BytesMut, columns: &[Column]) {
    message(out, server::ROW_DESCRIPTION, |out| {
        out.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
        for column in columns {
            string(out, &column.name);
            out.put_u32(column.relation);
            out.put_i16(column.attnum);
            out.put_u32(column.type_oid);
            out.put_i16(0);
            out.put_i32(column.modifier);
            out.put_i16(i16::from(column.format == Format::Binary));
        }
    });
}

/// Appends a `NotificationResponse`.
pub fn notification(out: &mut BytesMut, process: u32, channel: &[u8], payload: &[u8]) {
    message(out, server::NOTIFICATION, |out| {
        out.put_u32(process);
        string(out, channel);
        string(out, payload);
    });
}
