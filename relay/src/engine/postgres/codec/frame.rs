//! Where messages end: headers and their limits, before anything is allocated.

use bytes::{Bytes, BytesMut};

use super::{DecodeError, HEADER};

/// Tags that a client sends behind the startup.
pub mod client {
    /// Bind.
    pub const BIND: u8 = b'B';
    /// Close.
    pub const CLOSE: u8 = b'C';
    /// `CopyData`.
    pub const COPY_DATA: u8 = b'd';
    /// `CopyDone`.
    pub const COPY_DONE: u8 = b'c';
    /// `CopyFail`.
    pub const COPY_FAIL: u8 = b'f';
    /// Describe.
    pub const DESCRIBE: u8 = b'D';
    /// Execute.
    pub const EXECUTE: u8 = b'E';
    /// Flush.
    pub const FLUSH: u8 = b'H';
    /// `FunctionCall`.
    pub const FUNCTION_CALL: u8 = b'F';
    /// Parse.
    pub const PARSE: u8 = b'P';
    /// A password, or a step of SASL.
    pub const PASSWORD: u8 = b'p';
    /// Query.
    pub const QUERY: u8 = b'Q';
    /// Sync.
    pub const SYNC: u8 = b'S';
    /// Terminate.
    pub const TERMINATE: u8 = b'X';
}

/// Tags that a server sends.
pub mod server {
    /// Every step of authentication.
    pub const AUTHENTICATION: u8 = b'R';
    /// `BackendKeyData`.
    pub const BACKEND_KEY: u8 = b'K';
    /// `BindComplete`.
    pub const BIND_COMPLETE: u8 = b'2';
    /// `CloseComplete`.
    pub const CLOSE_COMPLETE: u8 = b'3';
    /// `CommandComplete`.
    pub const COMMAND_COMPLETE: u8 = b'C';
    /// `CopyData`.
    pub const COPY_DATA: u8 = b'd';
    /// `CopyDone`.
    pub const COPY_DONE: u8 = b'c';
    /// `CopyInResponse`.
    pub const COPY_IN: u8 = b'G';
    /// `CopyOutResponse`.
    pub const COPY_OUT: u8 = b'H';
    /// `CopyBothResponse`.
    pub const COPY_BOTH: u8 = b'W';
    /// `DataRow`.
    pub const DATA_ROW: u8 = b'D';
    /// `EmptyQueryResponse`.
    pub const EMPTY_QUERY: u8 = b'I';
    /// `ErrorResponse`.
    pub const ERROR: u8 = b'E';
    /// `FunctionCallResponse`.
    pub const FUNCTION_RESULT: u8 = b'V';
    /// `NegotiateProtocolVersion`.
    pub const NEGOTIATE: u8 = b'v';
    /// `NoData`.
    pub const NO_DATA: u8 = b'n';
    /// `NoticeResponse`.
    pub const NOTICE: u8 = b'N';
    /// `NotificationResponse`.
    pub const NOTIFICATION: u8 = b'A';
    /// `ParameterDescription`.
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    /// `ParameterStatus`.
    pub const PARAMETER_STATUS: u8 = b'S';
    /// `ParseComplete`.
    pub const PARSE_COMPLETE: u8 = b'1';
    /// `PortalSuspended`.
    pub const PORTAL_SUSPENDED: u8 = b's';
    /// `ReadyForQuery`.
    pub const READY: u8 = b'Z';
    /// `RowDescription`.
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// The longest of the messages that carry neither text nor values, in bytes: what the server itself takes.
pub const SMALL: u32 = 10_000;
/// The longest message of all, in bytes: what the server's own buffers take (1 GiB − 1).
pub const LARGE: u32 = (1 << 30) - 1;
/// The longest message of a server that is neither a row nor a piece of COPY, in bytes.
pub const ANSWER: u32 = 64 << 20;

/// A message's first five bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub tag: u8,
    /// The whole message, its header included, in bytes.
    pub total: usize,
}

/// Which side sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// Reads the header at the front of `input`; `None` while it is not whole.
///
/// # Errors
/// The tag is none of this side's, or the length is outside the tag's limits.
pub fn header(side: Side, input: &[u8]) -> Result<Option<Header>, DecodeError> {
    let Some(&[tag, a, b, c, d]) = input.first_chunk::<HEADER>() else {
        // A wrong tag is told at once: a peer that speaks another protocol may never send four more bytes.
        return match input.first() {
            Some(&tag) => limit(side, tag).map(|_| None),
            None => Ok(None),
        };
    };
    let length = u32::from_be_bytes([a, b, c, d]);
    let most = limit(side, tag)?;
    if length < 4 || length > most {
        return Err(DecodeError::Length { tag, length });
    }
    let total = usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(1))
        .ok_or(DecodeError::Length { tag, length })?;
    Ok(Some(Header { tag, total }))
}

/// The largest length field of a tag.
fn limit(side: Side, tag: u8) -> Result<u32, DecodeError> {
    match side {
        Side::Client => match tag {
            client::CLOSE
            | client::DESCRIBE
            | client::EXECUTE
            | client::FLUSH
            | client::SYNC
            | client::TERMINATE
            | client::COPY_DONE
            | client::COPY_FAIL
            | client::PASSWORD => Ok(SMALL),
            client::QUERY | client::PARSE | client::BIND | client::FUNCTION_CALL | client::COPY_DATA => Ok(LARGE),
            other => Err(DecodeError::UnknownTag(other)),
        },
        Side::Server => match tag {
            server::DATA_ROW | server::COPY_DATA | server::FUNCTION_RESULT => Ok(LARGE),
            server::AUTHENTICATION
            | server::BACKEND_KEY
            | server::BIND_COMPLETE
            | server::CLOSE_COMPLETE
            | server::COPY_DONE
            | server::EMPTY_QUERY
            | server::NO_DATA
            | server::PARSE_COMPLETE
            | server::PORTAL_SUSPENDED
            | server::READY => Ok(SMALL),
            server::COMMAND_COMPLETE
            | server::COPY_IN
            | server::COPY_OUT
            | server::COPY_BOTH
            | server::ERROR
            | server::NEGOTIATE
            | server::NOTICE
            | server::NOTIFICATION
            | server::PARAMETER_DESCRIPTION
            | server::PARAMETER_STATUS
            | server::ROW_DESCRIPTION => Ok(ANSWER),
            other => Err(DecodeError::UnknownTag(other)),
        },
    }
}

/// One whole message with its header. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
}

impl Frame {
    /// What it is.
    pub fn tag(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// What stands behind the header.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// The whole message.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole message.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Takes one message off the front of `input`, given its header; `None` while it is not whole.
    pub fn split(header: Header, input: &mut BytesMut) -> Option<Self> {
        (input.len() >= header.total).then(|| Self {
            bytes: input.split_to(header.total).freeze(),
        })
    }

    /// Takes one message off the front of `input`; `None` while it is not whole.
    ///
    /// # Errors
    /// See [`header`].
    pub fn next(side: Side, input: &mut BytesMut) -> Result<Option<Self>, DecodeError> {
        Ok(header(side, input)?.and_then(|header| Self::split(header, input)))
    }
}
