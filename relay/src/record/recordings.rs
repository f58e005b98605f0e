//! All recordings of a relay: begins them, finds them, and at start puts in order what a previous run left behind.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use hoop_shared::id::SessionId;

use super::chain::Chain;
use super::error::{RecordError, RecordingsError};
use super::event::Header;
use super::finish::FinishQueue;
use super::keys::Keys;
use super::place::{OPEN, Place};
use super::recorder::{Recorder, Settings, Shared, State, create};
use super::recover::{Recovered, recover};
use super::show::{Decode, ShowLimits, Shown, show};
use super::sync::SyncQueue;
use super::verify::{Check, by_relay};
use crate::store::files::{self, FileError};

/// The directory in `data_dir`.
const DIRECTORY: &str = "recordings";
/// Held while a relay runs.
const LOCK: &str = "lock";
/// Durable every so often even where each event is before its release: content of a result that still runs.
const LONGEST_SYNC: Duration = Duration::from_millis(200);

/// The recordings in a data directory.
#[derive(Debug)]
pub struct Recordings {
    root: PathBuf,
    keys: Keys,
    settings: Settings,
    running: Mutex<HashMap<SessionId, Weak<Shared>>>,
    syncs: Arc<SyncQueue>,
    finishes: Arc<FinishQueue>,
    threads: Vec<JoinHandle<()>>,
    /// Released by the system when the process ends, however it does.
    _lock: File,
}

impl Recordings {
    /// Opens the recordings of `data_dir`, which only one relay may do at a time. `sync`: what a power cut may lose;
    /// `None`: each event is durable before it is released.
    ///
    /// # Errors
    /// A directory or key cannot be used, or another relay uses it.
    pub fn open(
        data_dir: &Path,
        keys: Keys,
        full: bool,
        sync: Option<Duration>,
        longest: u64,
    ) -> Result<Self, RecordingsError> {
        let root = data_dir.join(DIRECTORY);
        for directory in [&root, &root.join(OPEN)] {
            files::private_directory(directory).map_err(|source| RecordingsError::File {
                path: directory.clone(),
                source,
            })?;
        }
        let lock = lock(&root.join(LOCK))?;
        let syncs = Arc::new(SyncQueue::default());
        let finishes = Arc::new(FinishQueue::default());
        let mut recordings = Self {
            root: root.clone(),
            keys,
            settings: Settings {
                full,
                always: sync.is_none(),
                longest,
            },
            running: Mutex::default(),
            syncs: Arc::clone(&syncs),
            finishes: Arc::clone(&finishes),
            threads: Vec::new(),
            _lock: lock,
        };
        let every = sync.unwrap_or(LONGEST_SYNC);
        recordings.spawn("recording-sync", move || syncs.run(every))?;
        recordings.spawn("recording-seal", move || finishes.run(&root))?;
        Ok(recordings)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), RecordingsError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(RecordingsError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Checks and seals what a previous run left unsealed: everything that was released is in it. Called once, before
    /// the first session begins. Gives every recording that it found, with its counts.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn recover(&self) -> Result<Vec<Recovered>, RecordingsError> {
        recover(&self.root, &self.keys, &self.finishes).map_err(|error| RecordingsError::File {
            path: self.root.join(OPEN),
            source: FileError::Io(error),
        })
    }

    /// Begins the recording of a session.
    ///
    /// # Errors
    /// It cannot be written: the session must not begin.
    pub fn start(&self, header: &Header) -> Result<Recorder, RecordError> {
        let place = Place::open(&self.root, &header.session);
        let events = create(&place.events)?;
        let chain = Chain::new(*self.keys.chain_key(&header.session));
        let state = State::new(events, place.events, place.content, chain);
        let recorder = Recorder::begin(
            header,
            state,
            self.keys.clone(),
            self.settings,
            Arc::clone(&self.syncs),
            Arc::clone(&self.finishes),
        )?;
        if self.settings.always {
            File::open(self.root.join(OPEN))?.sync_all()?;
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, shared| shared.strong_count() > 0);
        running.insert(header.session.clone(), Arc::downgrade(recorder.shared()));
        Ok(recorder)
    }

    fn find(&self, session: &SessionId) -> Result<Place, RecordingsError> {
        Place::find(&self.root, session).ok_or_else(|| RecordingsError::NotFound(session.clone()))
    }

    /// Shows a recording, running or sealed, up to the first event that is not as it was written. Reads files: not for
    /// a reactor.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn show(&self, session: &SessionId, decode: Decode, limits: ShowLimits) -> Result<Shown, RecordingsError> {
        let place = self.find(session)?;
        let shown = show(&place, session, &self.keys, decode, limits).map_err(|error| file(&place, error))?;
        shown.ok_or_else(|| RecordingsError::Unreadable("its header is missing or altered".to_owned()))
    }

    /// Verifies a recording. Reads files: not for a reactor.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn verify(&self, session: &SessionId) -> Result<Check, RecordingsError> {
        let written = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running
                .get(session)
                .and_then(Weak::upgrade)
                .and_then(|shared| shared.written())
        };
        let place = self.find(session)?;
        by_relay(&place, session, &self.keys, written).map_err(|error| file(&place, error))
    }

    /// Where the files of a recording are, for export. Those of a running session still move.
    ///
    /// # Errors
    /// There is none.
    pub fn place(&self, session: &SessionId) -> Result<Place, RecordingsError> {
        self.find(session)
    }

    /// The keys.
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Waits until every sealed recording is at its place.
    pub fn settle(&self) {
        self.finishes.settle();
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        self.syncs.stop();
        self.finishes.stop();
        for thread in self.threads.drain(..) {
            // a thread that panicked has said so
            let _ = thread.join();
        }
    }
}

fn file(place: &Place, error: std::io::Error) -> RecordingsError {
    RecordingsError::File {
        path: place.events.clone(),
        source: FileError::Io(error),
    }
}

fn lock(path: &Path) -> Result<File, RecordingsError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    let file = file.map_err(|error| RecordingsError::File {
        path: path.to_owned(),
        source: FileError::Io(error),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(RecordingsError::Busy(path.to_owned())),
    }
}
