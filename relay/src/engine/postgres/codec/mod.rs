//! The messages of PostgreSQL's protocol 3.0: a total codec that borrows from the bytes it reads.
//!
//! A message is a tag byte, a big-endian length that counts itself, and a body. [`frame`] finds where messages end and checks
//! their lengths before anything is allocated; [`frontend`] and [`backend`] decode bodies strictly: a string ends at its NUL, and
//! nothing follows the last field. [`write`](mod@write) encodes what the relay says in its own name.
//!
//! Source: PostgreSQL documentation, "Message Formats".

pub mod backend;
pub mod fields;
pub mod frame;
pub mod frontend;
pub mod write;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The tag is none that this side may send.
    #[error("unknown message type {0:#04x}")]
    UnknownTag(u8),
    /// The length is below its own four bytes, or above the limit of the tag.
    #[error("message {tag:?} has the length {length}, which is outside its limits", tag = char::from(*.tag))]
    Length {
        /// The message's tag.
        tag: u8,
        /// The length as it was sent.
        length: u32,
    },
    /// The body ends inside a field.
    #[error("a message ends inside a field")]
    Truncated,
    /// A string has no NUL.
    #[error("a string in a message is not terminated")]
    Unterminated,
    /// Bytes follow the last field.
    #[error("bytes follow the last field of a message")]
    Trailing,
    /// A text is not UTF-8.
    #[error("a text in a message is not valid UTF-8")]
    NotUtf8,
    /// A field holds a value that has no meaning.
    #[error("a message's field {0} holds a value without a meaning")]
    Value(&'static str),
}

/// The length of tag and length field.
pub const HEADER: usize = 5;

#[cfg(test)]
mod tests;
