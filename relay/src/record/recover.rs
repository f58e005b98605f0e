//! After a crash: what is in `open/` when a relay starts belongs to sessions of a previous run, since only one relay may
//! use the directory. Good recordings are sealed as interrupted; their content behind the last event is taken in. What
//! is not as it was written is left as it is and moved away unsealed, which is what verifying will say.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use hoop_shared::id::SessionId;

use super::event::{Counts, Extent, Kind, Line};
use super::finish::{Finish, FinishQueue};
use super::keys::Keys;
use super::moment::now;
use super::place::{CONTENT, EVENTS, OPEN, Place};
use super::recorder::{INTERRUPTED, State};
use super::walk::{Ending, Ignore, Trust, Walked, walk};

/// A recording that a previous run left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The session.
    pub session: SessionId,
    /// What it has done.
    pub counts: Counts,
    /// When its last event was, RFC 3339; empty where there is none.
    pub ended: String,
    /// It is sealed now.
    pub sealed: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
}

pub(super) fn recover(root: &Path, keys: &Keys, finishes: &FinishQueue) -> io::Result<Vec<Recovered>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(OPEN))? {
        let name = entry?.file_name();
        if let Some(session) = session_of(&name, EVENTS) {
            found.push(one(root, &session, keys, finishes)?);
        } else if let Some(session) = session_of(&name, CONTENT)
            && !Place::open(root, &session).events.exists()
            && Place::sealed(root, &session).content.exists()
        {
            // packed and moved; only the last step was missing
            std::fs::remove_file(root.join(OPEN).join(&name))?;
        }
    }
    found.sort_by(|a, b| a.session.cmp(&b.session));
    Ok(found)
}

fn session_of(name: &OsStr, ending: &str) -> Option<SessionId> {
    name.to_str()?.strip_suffix(ending)?.parse().ok()
}

fn one(root: &Path, session: &SessionId, keys: &Keys, finishes: &FinishQueue) -> io::Result<Recovered> {
    let place = Place::open(root, session);
    let walked = walk(
        &mut place.read_events()?,
        &mut place.read_content()?,
        session,
        &Trust::Relay(keys),
        &mut Ignore,
    )?;
    let mut recovered = Recovered {
        session: session.clone(),
        counts: walked.counts,
        ended: walked.last_time.clone(),
        sealed: true,
        problem: None,
    };
    let content = place.content.exists().then(|| place.content.clone());
    match walked.ending {
        Ending::Sealed => finishes.add(Finish::recovered(session.clone(), place.events.clone(), content)),
        Ending::Unsealed { good, .. } if good > 0 => finishes.add(reseal(&place, session, keys, walked, good)?),
        Ending::Unsealed { .. } => {
            recovered.problem = Some("the recording has no header".to_owned());
        }
        Ending::Bad(problem) => recovered.problem = Some(problem),
    }
    if let Some(problem) = &recovered.problem {
        recovered.sealed = false;
        tracing::error!(%session, problem, "a recording of a previous run is not as it was written");
        let away = Place::sealed(root, session);
        if let Some(directory) = away.events.parent() {
            crate::store::files::private_directory(directory).map_err(io::Error::other)?;
            if place.content.exists() {
                std::fs::rename(&place.content, away.content.with_extension(""))?;
            }
            std::fs::rename(&place.events, &away.events)?;
        }
    }
    Ok(recovered)
}

/// Cuts off what was not finished, takes in content that no event names yet, and seals.
fn reseal(place: &Place, session: &SessionId, keys: &Keys, walked: Walked, good: u64) -> io::Result<Finish> {
    let events = OpenOptions::new().append(true).open(&place.events)?;
    let torn = events.metadata()?.len().saturating_sub(good);
    events.set_len(good)?;
    let mut state = State::new(events, place.events.clone(), place.content.clone(), walked.chain);
    state.seq = walked.events;
    state.counts = walked.counts;
    state.content_bytes = walked.content_bytes;
    if let Some((extent, file)) = left_over(place, walked.content_bytes)? {
        let mut line = Line::new(state.seq, now().into(), Kind::Part);
        line.output = Some(walked.outputs + 1);
        state.content_bytes += extent.length;
        line.extent = Some(extent);
        line.detail = Some("content that no event named".into());
        state.content = Some(Arc::new(file));
        state.push(&line).map_err(io::Error::other)?;
    }
    let detail = (torn > 0).then(|| format!("{torn} bytes of an event that was not finished are cut off"));
    state
        .seal(session, keys, INTERRUPTED, detail)
        .map_err(io::Error::other)?;
    Ok(Finish::of(session, &state))
}

/// Content behind what the events name.
fn left_over(place: &Place, named: u64) -> io::Result<Option<(Extent, File)>> {
    let mut file = match File::open(&place.content) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.metadata()?.len().saturating_sub(named);
    if length == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(named))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader((&file).take(length))?;
    let extent = Extent {
        offset: named,
        length,
        digest: hasher.finalize().to_hex().to_string(),
    };
    Ok(Some((extent, file)))
}
