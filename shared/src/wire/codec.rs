//! Bytes to frames and back. Total: any bytes give a frame, an error or the number of bytes that are missing.

use super::frame::Frame;

/// Bytes before the payload: the type and the length.
pub const HEADER: usize = 3;
/// The longest payload: what the length field can say.
pub const MAX_PAYLOAD: usize = u16::MAX as usize;
/// The bit of a type that may be skipped by who does not know it.
const OPTIONAL: u8 = 0x80;

/// Bytes that are not a frame. The connection ends.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A type that this build does not know and may not skip.
    #[error("unknown frame type {0:#04x}")]
    UnknownType(u8),
    /// More payload than the type may have.
    #[error("a frame of type {kind:#04x} has {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// The type byte.
        kind: u8,
        /// What the header says.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The payload is not what the type has.
    #[error("a frame of type {kind:#04x} cannot be read: {error}")]
    Payload {
        /// The type byte.
        kind: u8,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// A frame that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The content is longer than the type may have.
    #[error("a {name} frame would have {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// The frame's name.
        name: &'static str,
        /// What it would have.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The content has no JSON form.
    #[error("a {name} frame cannot be written: {error}")]
    Payload {
        /// The frame's name.
        name: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// What stands at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// At least this many more bytes are needed to go on, and no more than the frame has.
    More(usize),
    /// A frame, and how many bytes it took.
    Frame(Frame, usize),
    /// An optional frame of a type that this build does not know, and how many bytes it took.
    Skip(usize),
}

/// Reads the frame at the front of `bytes`. The length is checked against the type's limit before more is asked for.
///
/// # Errors
/// The bytes are not a frame, whatever follows.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let (kind, high, low) = match bytes {
        [kind, high, low, ..] => (*kind, *high, *low),
        // A type that must close does so on its first byte.
        [kind, ..] if Frame::limit(*kind).is_none() && kind & OPTIONAL == 0 => {
            return Err(DecodeError::UnknownType(*kind));
        }
        short => return Ok(Decoded::More(HEADER - short.len())),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let limit = match Frame::limit(kind) {
        Some(limit) => limit,
        None if kind & OPTIONAL != 0 => MAX_PAYLOAD,
        None => return Err(DecodeError::UnknownType(kind)),
    };
    if length > limit {
        return Err(DecodeError::TooLong { kind, length, limit });
    }
    let Some(payload) = bytes.get(HEADER..HEADER + length) else {
        return Ok(Decoded::More(HEADER + length - bytes.len()));
    };
    match Frame::from_payload(kind, payload) {
        None => Ok(Decoded::Skip(HEADER + length)),
        Some(Ok(frame)) => Ok(Decoded::Frame(frame, HEADER + length)),
        Some(Err(error)) => Err(DecodeError::Payload { kind, error }),
    }
}

/// Appends a frame's bytes to `out`; on an error `out` is as before.
///
/// # Errors
/// The content is longer than its type may have.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let name = frame.name();
    let payload = frame.payload().map_err(|error| EncodeError::Payload { name, error })?;
    let limit = Frame::limit(frame.kind()).unwrap_or(MAX_PAYLOAD);
    let too_long = EncodeError::TooLong {
        name,
        length: payload.len(),
        limit,
    };
    if payload.len() > limit {
        return Err(too_long);
    }
    let Ok(length) = u16::try_from(payload.len()) else {
        return Err(too_long);
    };
    out.reserve(HEADER + payload.len());
    out.push(frame.kind());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&payload);
    Ok(())
}

#[cfg(test)]
mod tests;
