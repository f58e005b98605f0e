//! Verifying: whether a recording is complete and as it was written.

use std::io::{self, BufRead};
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use hoop_shared::api::Verified;
use hoop_shared::id::SessionId;

use super::chain;
use super::event::Kind;
use super::keys::{Keys, hex, unhex};
use super::place::Place;
use super::walk::{Ending, Ignore, Trust, Walked, read_line, walk};

/// What state a recording is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Complete, signed, and as it was written.
    Sealed,
    /// As it was written so far; the session runs, or ended without a seal and the relay has not started since.
    Unsealed,
    /// Not as it was written.
    Tampered,
}

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// For people and JSON. An unsealed recording is not `ok`: nothing says that it is complete.
    pub verified: Verified,
    /// The state.
    pub state: State,
    /// The public key that sealed it, in hex: to be compared with the relay's own.
    pub public_key: Option<String>,
}

/// Verifies a recording as the relay that made it. `written`: how many events it must have at least, where that is known.
pub(super) fn by_relay(place: &Place, session: &SessionId, keys: &Keys, written: Option<u64>) -> io::Result<Check> {
    let walked = walk(
        &mut place.read_events()?,
        &mut place.read_content()?,
        session,
        &Trust::Relay(keys),
        &mut Ignore,
    )?;
    Ok(check(session, walked, place.sealed, written))
}

/// Verifies a sealed recording from its files, without the relay: `events` is `ID.events.jsonl`, `content` the file
/// beside it, packed or not. Without `key` the recording's own counts: compare [`Check::public_key`] with the relay's.
///
/// # Errors
/// A file cannot be read, or the first one is no recording.
pub fn verify(events: &Path, content: &Path, key: Option<VerifyingKey>) -> io::Result<Check> {
    let place = Place {
        events: events.to_owned(),
        content: content.to_owned(),
        sealed: true,
    };
    let (session, disclosed) = disclosed(&mut place.read_events()?)?;
    let Some(chain) = disclosed else {
        let verified = Verified {
            session,
            ok: false,
            events: 0,
            last_good: None,
            problem: Some("the seal is missing: only the relay can verify what is not sealed".to_owned()),
        };
        return Ok(Check {
            verified,
            state: State::Tampered,
            public_key: None,
        });
    };
    let trust = Trust::Public {
        chain,
        key: key.as_ref(),
    };
    let walked = walk(
        &mut place.read_events()?,
        &mut place.read_content()?,
        &session,
        &trust,
        &mut Ignore,
    )?;
    Ok(check(&session, walked, true, None))
}

/// Reads the session's id from the first line and the chain's key from the seal. Nothing is checked yet.
fn disclosed(events: &mut dyn BufRead) -> io::Result<(SessionId, Option<[u8; 32]>)> {
    let mut bytes = Vec::new();
    let mut session = None;
    let mut key = None;
    loop {
        read_line(events, &mut bytes)?;
        if bytes.is_empty() {
            let session = session.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no recording"))?;
            return Ok((session, key));
        }
        let Some(line) = bytes.strip_suffix(b"\n").and_then(chain::read) else {
            continue;
        };
        session = session.or_else(|| line.header.map(|header| header.session));
        if line.kind == Kind::Sealed {
            key = line.chain_key.as_deref().and_then(unhex);
        }
    }
}

fn check(session: &SessionId, walked: Walked, must_be_sealed: bool, written: Option<u64>) -> Check {
    let lost = written.is_some_and(|written| walked.events < written);
    let (state, problem) = match walked.ending {
        Ending::Sealed => (State::Sealed, None),
        Ending::Bad(problem) => (State::Tampered, Some(problem)),
        Ending::Unsealed { .. } if must_be_sealed => (
            State::Tampered,
            Some("the recording was cut: its seal is missing".to_owned()),
        ),
        Ending::Unsealed { .. } if lost => (
            State::Tampered,
            Some("the running recording has lost events".to_owned()),
        ),
        Ending::Unsealed { .. } => (
            State::Unsealed,
            Some("the recording is not sealed: the session runs, or was interrupted".to_owned()),
        ),
    };
    Check {
        verified: Verified {
            session: session.clone(),
            ok: state == State::Sealed,
            events: walked.events,
            last_good: walked.events.checked_sub(1),
            problem,
        },
        state,
        public_key: walked.public_key.map(|key| hex(key.as_bytes())),
    }
}
