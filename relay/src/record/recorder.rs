//! The recorder of one session: appends events, each before what it is about is released.
//!
//! [`Recorder::append`] has made its one `write` when it returns: the page cache keeps it when the process is killed.
//! What power failure may take is up to `[recording] sync`. [`Recorder::queue`] and [`Recorder::finish`] leave their
//! line for the next write, so that a wake-up costs one: whoever uses them calls [`Recorder::settle`] before it sends
//! anything. Results alone do not ask for a write: they go with the next decision, or when they are long, or with the
//! next sync. The first error is for ever: nothing is recorded behind a gap.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hoop_shared::id::SessionId;

use super::chain::{Chain, signature};
use super::error::RecordError;
use super::event::{Counts, Event, Extent, FORMAT, Header, Kind, Line};
use super::finish::{Finish, FinishQueue};
use super::keys::{Keys, hex};
use super::moment::now;
use super::sync::SyncQueue;
use crate::mask::Recordable;

/// Content up to this length stands in the event's line: no second file, no second write. 8 KiB are a screen of rows.
const INLINE: usize = 8 << 10;
/// Content is written in parts of this length.
const PART: usize = 64 << 10;
/// Queued lines are written when they are this long.
const PENDING: usize = 256 << 10;
/// What a seal and its signature need at most: kept free below the limit.
const SEAL_ROOM: u64 = 4 << 10;

/// The end of a recording that nobody ended.
pub(super) const INTERRUPTED: &str = "interrupted";

/// How recordings are written.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Results too; else statements only.
    pub full: bool,
    /// Whether each event is durable before it is released.
    pub always: bool,
    /// The longest recording of a session, in bytes; past it the recorder fails.
    pub longest: u64,
}

/// Records one session. Handles are cheap; the last one dropped seals what nobody has sealed.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Shared>);

/// A result's content on its way into the recording.
#[derive(Debug)]
pub struct Output {
    stream: Option<u32>,
    number: u64,
    buffer: Vec<u8>,
    /// Some of it stands in the content file.
    written: bool,
}

pub(super) struct Shared {
    session: SessionId,
    keys: Keys,
    settings: Settings,
    state: Mutex<State>,
    dirty: AtomicBool,
    syncs: Arc<SyncQueue>,
    finishes: Arc<FinishQueue>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({})", self.session)
    }
}

/// Where a recording stands.
pub(super) struct State {
    pub events: Arc<File>,
    pub events_path: PathBuf,
    pub content: Option<Arc<File>>,
    pub content_path: PathBuf,
    pub content_bytes: u64,
    pub events_bytes: u64,
    pub chain: Chain,
    pub seq: u64,
    pub outputs: u64,
    pub counts: Counts,
    pub pending: Vec<u8>,
    /// More than results is pending.
    pub urgent: bool,
    pub failed: Option<RecordError>,
    pub closed: bool,
}

/// Makes a file that only the relay may read, and that is only appended to.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

impl State {
    pub(super) fn new(events: File, events_path: PathBuf, content_path: PathBuf, chain: Chain) -> Self {
        Self {
            events: Arc::new(events),
            events_path,
            content: None,
            content_path,
            content_bytes: 0,
            events_bytes: 0,
            chain,
            seq: 0,
            outputs: 0,
            counts: Counts::default(),
            pending: Vec::new(),
            urgent: false,
            failed: None,
            closed: false,
        }
    }

    /// Adds a line to those that wait for the next write.
    pub(super) fn push(&mut self, line: &Line<'_>) -> Result<u64, RecordError> {
        let before = self.pending.len();
        self.chain
            .append(line, &mut self.pending)
            .map_err(|_| RecordError::Event)?;
        self.events_bytes += (self.pending.len() - before) as u64;
        self.counts.add(line);
        self.seq += 1;
        Ok(line.seq)
    }

    /// Writes the lines that wait, with one call.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        self.urgent = false;
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = (&*self.events).write_all(&self.pending);
        self.pending.clear();
        self.pending.shrink_to(PENDING);
        written.map_err(|error| self.fail(error.into()))
    }

    pub(super) fn fail(&mut self, error: RecordError) -> RecordError {
        self.failed.get_or_insert(error).clone()
    }

    /// Writes content; gives where it stands.
    fn write_content(&mut self, bytes: &[u8]) -> Result<Extent, RecordError> {
        let file = match &self.content {
            Some(file) => Arc::clone(file),
            None => {
                let file = create(&self.content_path).map_err(|error| self.fail(error.into()))?;
                Arc::clone(self.content.insert(Arc::new(file)))
            }
        };
        (&*file).write_all(bytes).map_err(|error| self.fail(error.into()))?;
        let extent = Extent {
            offset: self.content_bytes,
            length: bytes.len() as u64,
            digest: blake3::hash(bytes).to_hex().to_string(),
        };
        self.content_bytes += extent.length;
        Ok(extent)
    }

    /// Writes the end and its signature, and closes the recording.
    pub(super) fn seal(
        &mut self,
        session: &SessionId,
        keys: &Keys,
        end: &str,
        detail: Option<String>,
    ) -> Result<(), RecordError> {
        let mut line = Line::new(self.seq, now().into(), Kind::Sealed);
        line.end = Some(end.to_owned());
        line.detail = detail.map(Into::into);
        line.counts = Some(self.counts);
        line.content_bytes = Some(self.content_bytes);
        line.chain_key = Some(hex(self.chain.key()));
        self.push(&line)?;
        let signature = signature(session, self.chain.value(), keys.signing());
        self.pending.extend_from_slice(signature.as_bytes());
        self.closed = true;
        self.flush()
    }
}

impl Recorder {
    /// Begins a recording with its header.
    pub(super) fn begin(
        header: &Header,
        mut state: State,
        keys: Keys,
        settings: Settings,
        syncs: Arc<SyncQueue>,
        finishes: Arc<FinishQueue>,
    ) -> Result<Self, RecordError> {
        let mut line = Line::new(0, now().into(), Kind::Session);
        line.format = Some(FORMAT);
        line.header = Some(header.clone());
        line.relay = Some(env!("CARGO_PKG_VERSION").to_owned());
        line.public_key = Some(hex(keys.public().as_bytes()));
        state.push(&line)?;
        let shared = Shared {
            session: header.session.clone(),
            keys,
            settings,
            state: Mutex::new(state),
            dirty: AtomicBool::new(false),
            syncs,
            finishes,
        };
        let recorder = Self(Arc::new(shared));
        recorder.flush()?;
        Ok(recorder)
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.0.session
    }

    /// Records an event, and everything queued before it, with one write. Gives its number.
    ///
    /// # Errors
    /// It is not recorded, and nothing will be any more: what it is about must not be released.
    pub fn append(&self, event: &Event) -> Result<u64, RecordError> {
        let mut state = self.0.open()?;
        let seq = self.0.add(&mut state, event, None)?;
        self.0.flush(state)?;
        Ok(seq)
    }

    /// Adds an event to the next write. For what need not stand before a release by itself: [`Self::settle`] follows
    /// before anything is sent.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn queue(&self, event: &Event) -> Result<u64, RecordError> {
        let mut state = self.0.open()?;
        let seq = self.0.add(&mut state, event, None)?;
        self.0.later(state)?;
        Ok(seq)
    }

    /// Writes what is queued, if anything is.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn flush(&self) -> Result<(), RecordError> {
        let state = self.0.open()?;
        if state.pending.is_empty() {
            return Ok(());
        }
        self.0.flush(state)
    }

    /// Writes what is queued, if something in it must stand before more is sent: anything but results, and those too
    /// where each event is to be durable.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn settle(&self) -> Result<(), RecordError> {
        let state = self.0.open()?;
        if !self.0.is_behind(&state) {
            return Ok(());
        }
        self.0.flush(state)
    }

    /// Whether [`Self::settle`] would write.
    pub fn is_behind(&self) -> bool {
        self.0.open().is_ok_and(|state| self.0.is_behind(&state))
    }

    /// Begins the content of a result. It takes no room until there is some.
    pub fn output(&self, stream: Option<u32>) -> Output {
        let number = match self.0.lock() {
            Ok(mut state) => {
                state.outputs += 1;
                state.outputs
            }
            // the next call says so
            Err(_) => 0,
        };
        Output {
            stream,
            number,
            buffer: Vec::new(),
            written: false,
        }
    }

    /// Adds to a result's content. Written in parts.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn extend(&self, output: &mut Output, content: &Recordable) -> Result<(), RecordError> {
        if !self.0.settings.full {
            return Ok(());
        }
        output.buffer.extend_from_slice(content.bytes());
        if output.buffer.len() < PART {
            return Ok(());
        }
        let mut state = self.0.open()?;
        self.0.part(&mut state, output)?;
        self.0.later(state)
    }

    /// Writes what a result's content has so far, for a result that takes long.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn persist(&self, output: &mut Output) -> Result<(), RecordError> {
        let mut state = self.0.open()?;
        if !output.buffer.is_empty() {
            self.0.part(&mut state, output)?;
        }
        self.0.flush(state)
    }

    /// Ends a result: queues its event ([`Kind::Result`] or [`Kind::CopyIn`]) with the rest of its content. Gives the
    /// event's number; [`Self::settle`] follows before its last bytes are sent.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn finish(&self, output: Output, event: &Event) -> Result<u64, RecordError> {
        let mut state = self.0.open()?;
        let seq = self.0.add(&mut state, event, Some(output))?;
        self.0.later(state)?;
        Ok(seq)
    }

    /// What the session has done so far.
    pub fn counts(&self) -> Counts {
        self.0.lock().map(|state| state.counts).unwrap_or_default()
    }

    /// Why nothing is recorded any more; `None` while all is well.
    pub fn failed(&self) -> Option<RecordError> {
        self.0.open().err()
    }

    /// Ends the recording: nothing follows. Compressing and moving it happens behind. `end` is a word of the session's
    /// end. A recording that failed is not sealed: its file may end in the middle of a line.
    ///
    /// # Errors
    /// It could not be written, or is sealed already.
    pub fn seal(&self, end: &str) -> Result<Counts, RecordError> {
        let mut state = self.0.lock()?;
        self.0.seal(&mut state, end)
    }
}

impl Shared {
    /// The state, whatever has happened to it.
    fn lock(&self) -> Result<MutexGuard<'_, State>, RecordError> {
        // a panic while it was held may have left half a line behind
        self.state
            .lock()
            .map_err(|_| RecordError::Write("the recorder panicked".to_owned()))
    }

    /// The state of a recording that can go on.
    fn open(&self) -> Result<MutexGuard<'_, State>, RecordError> {
        let state = self.lock()?;
        match (&state.failed, state.closed) {
            (Some(error), _) => Err(error.clone()),
            (None, true) => Err(RecordError::Sealed),
            (None, false) => Ok(state),
        }
    }

    fn is_behind(&self, state: &State) -> bool {
        !state.pending.is_empty() && (state.urgent || self.settings.always)
    }

    /// Adds an event's line, and the content that belongs to it.
    fn add(&self, state: &mut State, event: &Event, output: Option<Output>) -> Result<u64, RecordError> {
        if matches!(event.kind, Kind::Session | Kind::Part | Kind::Sealed) {
            return Err(RecordError::Event);
        }
        let mut line = Line::of(0, now().into(), event);
        if let Some(output) = output {
            let Output {
                stream,
                number,
                buffer,
                written,
            } = output;
            line.stream = line.stream.or(stream);
            line.output = (written || !buffer.is_empty()).then_some(number);
            if buffer.is_empty() {
            } else if !written && buffer.len() <= INLINE {
                line.inline = Some(STANDARD.encode(&buffer));
            } else {
                self.room(state, buffer.len())?;
                line.extent = Some(state.write_content(&buffer)?);
            }
        }
        line.seq = state.seq;
        let seq = state.push(&line)?;
        state.urgent |= !matches!(event.kind, Kind::Result | Kind::CopyIn);
        self.room(state, 0)?;
        Ok(seq)
    }

    /// Writes a part of a result's content.
    fn part(&self, state: &mut State, output: &mut Output) -> Result<(), RecordError> {
        self.room(state, output.buffer.len())?;
        let extent = state.write_content(&output.buffer)?;
        output.buffer.clear();
        output.buffer.shrink_to(PART * 2);
        output.written = true;
        let mut line = Line::new(state.seq, now().into(), Kind::Part);
        line.stream = output.stream;
        line.output = Some(output.number);
        line.extent = Some(extent);
        state.push(&line)?;
        Ok(())
    }

    /// Checks that the limit leaves room.
    fn room(&self, state: &mut State, more: usize) -> Result<(), RecordError> {
        let used = state.events_bytes + state.content_bytes + more as u64;
        if used + SEAL_ROOM > self.settings.longest {
            return Err(state.fail(RecordError::Full(self.settings.longest)));
        }
        Ok(())
    }

    /// Writes what is queued when it is long, else leaves it for the next write.
    fn later(self: &Arc<Self>, state: MutexGuard<'_, State>) -> Result<(), RecordError> {
        if state.pending.len() >= PENDING {
            return self.flush(state);
        }
        drop(state);
        self.mark();
        Ok(())
    }

    fn flush(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Result<(), RecordError> {
        state.flush()?;
        if self.settings.always {
            return durable(&state.events, state.content.as_ref()).map_err(|error| state.fail(error.into()));
        }
        drop(state);
        self.mark();
        Ok(())
    }

    fn mark(self: &Arc<Self>) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.syncs.add(Arc::downgrade(self));
        }
    }

    /// Makes everything recorded so far durable. The lock is not held meanwhile.
    pub(super) fn sync(&self) {
        self.dirty.store(false, Ordering::Release);
        let files = match self.lock() {
            Ok(mut state) if state.failed.is_none() => match state.flush() {
                Ok(()) => (Arc::clone(&state.events), state.content.clone()),
                Err(_) => return,
            },
            _ => return,
        };
        if let Err(error) = durable(&files.0, files.1.as_ref())
            && let Ok(mut state) = self.lock()
        {
            tracing::error!(session = %self.session, %error, "a recording cannot be made durable");
            state.fail(error.into());
        }
    }

    fn seal(&self, state: &mut State, end: &str) -> Result<Counts, RecordError> {
        match (&state.failed, state.closed) {
            (_, true) => return Err(RecordError::Sealed),
            // what is written is whole, and there is room for a seal
            (Some(RecordError::Full(_)) | None, false) => {}
            (Some(error), false) => return Err(error.clone()),
        }
        state.seal(&self.session, &self.keys, end, None)?;
        self.finishes.add(Finish::of(&self.session, state));
        Ok(state.counts)
    }

    /// The number of the next event, for telling whether a file has lost some.
    pub(super) fn written(&self) -> Option<u64> {
        let state = self.lock().ok()?;
        (state.pending.is_empty() && state.failed.is_none()).then_some(state.seq)
    }
}

/// Content first: no durable event names content that is not.
fn durable(events: &File, content: Option<&Arc<File>>) -> std::io::Result<()> {
    if let Some(content) = content {
        content.sync_data()?;
    }
    events.sync_data()
}

impl Drop for Shared {
    /// Whoever recorded is gone without an end: a panic, or an error on the way.
    fn drop(&mut self) {
        let sealed = match self.state.lock() {
            Ok(mut state) if !state.closed => self.seal(&mut state, INTERRUPTED),
            // sealed, or poisoned: the next start looks at it
            _ => return,
        };
        if let Err(error) = sealed {
            tracing::error!(session = %self.session, %error, "a recording stays unsealed");
        }
    }
}
