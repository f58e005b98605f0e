//! Where recordings stand.
//!
//! ```text
//! recordings/open/ID.events.jsonl        running, or interrupted
//!            open/ID.content
//!            XX/ID.events.jsonl          sealed; XX are the first two characters of the id behind `s-`
//!            XX/ID.content.zst
//! ```
//!
//! A recording without a seal outside of `open/` has lost it: that is how a cut one is told from a running one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use hoop_shared::id::SessionId;

/// The directory of recordings that are not sealed.
pub(super) const OPEN: &str = "open";
/// How files of events end.
pub(super) const EVENTS: &str = ".events.jsonl";
/// How files of content end, while they are written.
pub(super) const CONTENT: &str = ".content";
/// How files of content end, when they are sealed.
const PACKED: &str = ".content.zst";

/// The two files of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Events, one a line.
    pub events: PathBuf,
    /// Content of results. Absent where no result was long.
    pub content: PathBuf,
    /// It is the place of sealed recordings.
    pub sealed: bool,
}

impl Place {
    pub(super) fn open(root: &Path, session: &SessionId) -> Self {
        let directory = root.join(OPEN);
        Self {
            events: directory.join(format!("{session}{EVENTS}")),
            content: directory.join(format!("{session}{CONTENT}")),
            sealed: false,
        }
    }

    pub(super) fn sealed(root: &Path, session: &SessionId) -> Self {
        // ids are `s-` and twelve characters of an alphabet without separators
        let shard = session.as_str().get(2..4).unwrap_or("xx");
        let directory = root.join(shard);
        Self {
            events: directory.join(format!("{session}{EVENTS}")),
            content: directory.join(format!("{session}{PACKED}")),
            sealed: true,
        }
    }

    /// Finds a recording's files, wherever they stand.
    pub(super) fn find(root: &Path, session: &SessionId) -> Option<Self> {
        // sealed in between: it is at the one or the other place when looked at in this order, twice
        (0..2).find_map(|_| {
            [Self::open(root, session), Self::sealed(root, session)]
                .into_iter()
                .find(|place| place.events.is_file())
        })
    }

    /// Opens the events.
    pub(super) fn read_events(&self) -> io::Result<BufReader<File>> {
        Ok(BufReader::with_capacity(256 << 10, File::open(&self.events)?))
    }

    /// Opens the content, unpacked; empty where there is none.
    pub(super) fn read_content(&self) -> io::Result<Box<dyn Read>> {
        let file = match File::open(&self.content) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // that of a recording which could not be sealed was never packed
                return match File::open(self.content.with_extension("")) {
                    Ok(file) if self.sealed => Ok(Box::new(BufReader::new(file))),
                    _ => Ok(Box::new(io::empty())),
                };
            }
            other => other?,
        };
        if self.content.extension().is_some_and(|extension| extension == "zst") {
            // memory is bounded by the window, which the frame may not choose freely
            let mut decoder = zstd::Decoder::new(file)?;
            decoder.window_log_max(27)?;
            return Ok(Box::new(decoder));
        }
        Ok(Box::new(BufReader::with_capacity(256 << 10, file)))
    }
}
