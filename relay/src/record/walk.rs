//! Walks a recording from its first byte to its last, and checks everything on the way: chain, numbers, content, seal
//! and signature. Verifying, recovering and showing are three uses of the same walk.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use hoop_shared::id::SessionId;

use super::chain::{Chain, is_signature};
use super::event::{Counts, Extent, FORMAT, Header, Kind, Line};
use super::keys::{Keys, hex, unhex};

/// The longest line: a statement of the longest recorded length, every byte of it escaped, and its parameters.
const LONGEST_LINE: u64 = 128 << 20;
/// Content is read in pieces of this length.
const PIECE: usize = 64 << 10;

/// Who checks.
pub(super) enum Trust<'a> {
    /// The relay that wrote it: knows the chain's key, sealed or not.
    Relay(&'a Keys),
    /// Anybody: the chain's key as the seal discloses it, and the public key that must have signed it; `None`: the one
    /// that the recording names.
    Public {
        /// From the seal.
        chain: [u8; 32],
        /// Known from elsewhere.
        key: Option<&'a VerifyingKey>,
    },
}

/// Takes what a walk finds good.
pub(super) trait Visitor {
    /// An event whose line and content are as they were written.
    fn event(&mut self, line: Line<'static>);
    /// A piece of the content of the next event.
    fn content(&mut self, output: u64, piece: &[u8]);
}

/// Takes nothing.
pub(super) struct Ignore;

impl Visitor for Ignore {
    fn event(&mut self, _: Line<'static>) {}
    fn content(&mut self, _: u64, _: &[u8]) {}
}

/// How a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its seal and signature, and nothing behind.
    Sealed,
    /// Without: so many bytes of its file are good lines, so many behind them are a line that was not finished.
    Unsealed {
        /// Good bytes.
        good: u64,
        /// Bytes of what is not finished.
        torn: u64,
    },
    /// It is not as it was written.
    Bad(String),
}

/// What a walk found.
pub(super) struct Walked {
    pub header: Option<Header>,
    pub public_key: Option<VerifyingKey>,
    /// Good events, without the seal of an unsealed recording.
    pub events: u64,
    /// Where chain, content and counts stand behind the last good event, for going on.
    pub chain: Chain,
    pub content_bytes: u64,
    pub outputs: u64,
    pub counts: Counts,
    pub last_time: String,
    pub ending: Ending,
}

/// Walks a recording of `session`.
pub(super) fn walk(
    events: &mut dyn BufRead,
    content: &mut dyn Read,
    session: &SessionId,
    trust: &Trust<'_>,
    visitor: &mut dyn Visitor,
) -> io::Result<Walked> {
    let chain = match trust {
        Trust::Relay(keys) => *keys.chain_key(session),
        Trust::Public { chain, .. } => *chain,
    };
    let mut walk = Walk {
        events,
        content,
        session,
        trust,
        visitor,
        good: 0,
        found: Walked {
            header: None,
            public_key: None,
            events: 0,
            chain: Chain::new(chain),
            content_bytes: 0,
            outputs: 0,
            counts: Counts::default(),
            last_time: String::new(),
            ending: Ending::Sealed,
        },
    };
    walk.found.ending = walk.run()?;
    Ok(walk.found)
}

/// Reads a line with its line break; empty at the end. A longer one than any recorder writes is cut.
pub(super) fn read_line(events: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    events.take(LONGEST_LINE).read_until(b'\n', line)?;
    Ok(())
}

struct Walk<'a> {
    events: &'a mut dyn BufRead,
    content: &'a mut dyn Read,
    session: &'a SessionId,
    trust: &'a Trust<'a>,
    visitor: &'a mut dyn Visitor,
    good: u64,
    found: Walked,
}

impl Walk<'_> {
    fn run(&mut self) -> io::Result<Ending> {
        let mut bytes = Vec::new();
        loop {
            read_line(self.events, &mut bytes)?;
            let Some(text) = bytes.strip_suffix(b"\n") else {
                return Ok(self.unsealed(bytes.len() as u64));
            };
            let before = self.found.chain.clone();
            let Some(line) = self.found.chain.check(text) else {
                return Ok(self.bad("was altered, removed, added or moved"));
            };
            let line_bytes = bytes.len() as u64;
            if line.seq != self.found.events {
                return Ok(self.bad("has another number"));
            }
            if (line.kind == Kind::Session) != (line.seq == 0) {
                return Ok(self.bad("is a header in the middle, or no header at the beginning"));
            }
            if line.kind == Kind::Session
                && let Err(problem) = self.begin(&line)
            {
                return Ok(Ending::Bad(problem.to_owned()));
            }
            if line.kind == Kind::Sealed {
                return self.seal(&line, line_bytes, before);
            }
            if let Err(problem) = self.read_content(&line)? {
                return Ok(self.bad(problem));
            }
            self.take(line);
            self.good += line_bytes;
        }
    }

    fn take(&mut self, line: Line<'static>) {
        self.found.events += 1;
        self.found.counts.add(&line);
        self.found.outputs = self.found.outputs.max(line.output.unwrap_or(0));
        line.time.as_ref().clone_into(&mut self.found.last_time);
        self.visitor.event(line);
    }

    fn bad(&self, what: &str) -> Ending {
        Ending::Bad(format!("event {} {what}", self.found.events))
    }

    const fn unsealed(&self, torn: u64) -> Ending {
        Ending::Unsealed { good: self.good, torn }
    }

    fn begin(&mut self, line: &Line<'_>) -> Result<(), &'static str> {
        let header = line.header.as_ref().ok_or("there is no header")?;
        if line.format != Some(FORMAT) {
            return Err("the format is of another version");
        }
        if header.session != *self.session {
            return Err("the recording is of another session");
        }
        let key = line
            .public_key
            .as_deref()
            .and_then(unhex)
            .and_then(|key| VerifyingKey::from_bytes(&key).ok());
        let key = key.ok_or("the header has no public key")?;
        let expected = match self.trust {
            Trust::Relay(keys) => Some(keys.public()),
            Trust::Public { key, .. } => key.copied(),
        };
        if expected.is_some_and(|expected| expected != key) {
            return Err("the recording was made with another relay's key");
        }
        self.found.public_key = Some(key);
        self.found.header = Some(header.clone());
        Ok(())
    }

    /// Checks the content of an event, and shows it to the visitor.
    fn read_content(&mut self, line: &Line<'_>) -> io::Result<Result<(), &'static str>> {
        let output = line.output.unwrap_or(0);
        if let Some(inline) = &line.inline {
            let Ok(bytes) = STANDARD.decode(inline) else {
                return Ok(Err("has content that cannot be decoded"));
            };
            self.visitor.content(output, &bytes);
        }
        let Some(Extent { offset, length, digest }) = &line.extent else {
            return Ok(Ok(()));
        };
        if *offset != self.found.content_bytes {
            return Ok(Err("has content that does not follow the content before"));
        }
        let mut hasher = blake3::Hasher::new();
        let mut left = *length;
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        while left > 0 {
            let want = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
            let read = match self.content.read(&mut piece[..want]) {
                Ok(0) => return Ok(Err("has lost content")),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // a packed file that cannot be unpacked
                Err(_) => return Ok(Err("has content that cannot be read")),
            };
            hasher.update(&piece[..read]);
            self.visitor.content(output, &piece[..read]);
            left -= read as u64;
        }
        if hasher.finalize().to_hex().as_str() != digest {
            return Ok(Err("has content that was altered"));
        }
        self.found.content_bytes += length;
        Ok(Ok(()))
    }

    /// Checks the seal, its signature, and that nothing follows.
    fn seal(&mut self, line: &Line<'static>, line_bytes: u64, before: Chain) -> io::Result<Ending> {
        if line.content_bytes != Some(self.found.content_bytes) || line.counts != Some(self.found.counts) {
            return Ok(self.bad("seals something else"));
        }
        if line.chain_key != Some(hex(self.found.chain.key())) {
            return Ok(self.bad("discloses another key"));
        }
        let mut signature = Vec::new();
        read_line(self.events, &mut signature)?;
        if !signature.ends_with(b"\n") {
            // the seal and its signature are one write: it was not finished
            self.found.chain = before;
            return Ok(self.unsealed(line_bytes + signature.len() as u64));
        }
        let signed = self
            .found
            .public_key
            .is_some_and(|key| is_signature(&signature, self.session, self.found.chain.value(), &key));
        if !signed {
            return Ok(self.bad("has no valid signature"));
        }
        self.take(line.clone());
        if self.content.read(&mut [0]).map_or(true, |read| read > 0) {
            return Ok(Ending::Bad("content was appended to the sealed recording".to_owned()));
        }
        read_line(self.events, &mut signature)?;
        if !signature.is_empty() {
            return Ok(Ending::Bad("something was appended to the sealed recording".to_owned()));
        }
        Ok(Ending::Sealed)
    }
}
