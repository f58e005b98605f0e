//! What happens to a sealed recording: it is made durable, its content is compressed, and both files move from `open/`
//! to their place. On a thread of its own; each step can be done again after a crash.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hoop_shared::id::SessionId;

use super::place::Place;
use super::recorder::State;
use crate::store::files;

/// zstd's own default: rows shrink to a tenth, at hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// A sealed recording in `open/`.
#[derive(Debug)]
pub(super) struct Finish {
    session: SessionId,
    events: PathBuf,
    content: Option<PathBuf>,
}

impl Finish {
    pub(super) fn of(session: &SessionId, state: &State) -> Self {
        Self {
            session: session.clone(),
            events: state.events_path.clone(),
            content: (state.content_bytes > 0).then(|| state.content_path.clone()),
        }
    }

    pub(super) fn recovered(session: SessionId, events: PathBuf, content: Option<PathBuf>) -> Self {
        Self {
            session,
            events,
            content,
        }
    }

    pub(super) fn run(&self, root: &Path) -> io::Result<()> {
        let place = Place::sealed(root, &self.session);
        let directory = place.events.parent().ok_or_else(|| io::Error::other("no directory"))?;
        files::private_directory(directory).map_err(io::Error::other)?;
        File::open(&self.events)?.sync_all()?;
        if let Some(content) = &self.content {
            compress(content, &place.content)?;
        }
        std::fs::rename(&self.events, &place.events)?;
        File::open(directory)?.sync_all()?;
        if let Some(content) = &self.content {
            std::fs::remove_file(content)?;
        }
        Ok(())
    }
}

/// Compresses a file under a temporary name, makes it durable and renames it into place.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = to.with_extension("tmp");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    let mut encoder = zstd::Encoder::new(file, LEVEL)?;
    encoder.include_checksum(true)?;
    let written = io::copy(&mut BufReader::with_capacity(1 << 20, File::open(from)?), &mut encoder)
        .and_then(|_| encoder.finish())
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, to));
    if written.is_err() {
        // the first error is the one to report
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Sealed recordings that wait.
#[derive(Debug, Default)]
pub(super) struct FinishQueue {
    state: Mutex<Waiting>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<Finish>,
    working: bool,
    stop: bool,
}

impl FinishQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // a list is whole whatever happened to its holder
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, job: Finish) {
        self.lock().jobs.push(job);
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    /// Waits until nothing is left to do.
    pub(super) fn settle(&self) {
        let busy = |state: &mut Waiting| (state.working || !state.jobs.is_empty()) && !state.stop;
        drop(
            self.done
                .wait_while(self.lock(), busy)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Runs until it is stopped, and everything is done.
    pub(super) fn run(&self, root: &Path) {
        loop {
            let idle = |state: &mut Waiting| state.jobs.is_empty() && !state.stop;
            let mut state = self
                .wake
                .wait_while(self.lock(), idle)
                .unwrap_or_else(PoisonError::into_inner);
            if state.jobs.is_empty() {
                return;
            }
            let job = state.jobs.remove(0);
            state.working = true;
            drop(state);
            if let Err(error) = job.run(root) {
                // it stays where it is, complete; the next start tries again
                tracing::error!(session = %job.session, %error, "a sealed recording cannot be put away");
            }
            let mut state = self.lock();
            state.working = false;
            if state.jobs.is_empty() {
                self.done.notify_all();
            }
        }
    }
}
