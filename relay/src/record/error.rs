//! Why something was not recorded, or cannot be read.

use std::path::PathBuf;

use hoop_shared::id::SessionId;

use crate::store::files::FileError;

/// Why an event is not recorded. Nothing may be released that it belongs to; every later event fails too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The files cannot be written.
    #[error("the recording cannot be written: {0}")]
    Write(String),
    /// The recording has reached its limit.
    #[error("the recording has reached its limit of {0} bytes")]
    Full(u64),
    /// The recording is sealed.
    #[error("the recording is sealed")]
    Sealed,
    /// The event's own kind belongs to the recorder, or it cannot be written as JSON.
    #[error("the event cannot be recorded")]
    Event,
}

impl From<std::io::Error> for RecordError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error.to_string())
    }
}

/// Why recordings cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingsError {
    /// There is none of this session.
    #[error("there is no recording of {0}")]
    NotFound(SessionId),
    /// A file or directory cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// Another relay writes there.
    #[error("{}: another relay uses this directory", .0.display())]
    Busy(PathBuf),
    /// A thread cannot be started.
    #[error("no thread for recordings: {0}")]
    Thread(std::io::Error),
    /// The recording cannot be read at all.
    #[error("the recording cannot be read: {0}")]
    Unreadable(String),
}
