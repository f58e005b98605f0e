//! A run: a session of one client connection, whose client may leave it while an operation waits for approval.
//!
//! ```text
//! Attached ⇄ Held ─▶ Left        left is one atomic step out of Held: what is released behind it is kept, not sent
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::{Says, Word};
use tokio_util::sync::CancellationToken;

use crate::policy::{Action, Effect};
use crate::record::KeptResults;

const ATTACHED: u8 = 0;
const HELD: u8 = 1;
const LEFT: u8 = 2;

/// What a session is told when it is to be a run.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its result is kept from the beginning: somebody may ask for the same run again.
    pub has_key: bool,
}

/// A session's run.
#[derive(Debug)]
pub struct Run {
    mark: String,
    has_key: bool,
    results: Arc<KeptResults>,
    state: AtomicU8,
    left: CancellationToken,
    begun: AtomicBool,
    released: AtomicBool,
    whole: AtomicBool,
    seen: AtomicU64,
}

impl Run {
    pub(super) fn new(new: &NewRun, results: Arc<KeptResults>) -> Result<Self, getrandom::Error> {
        let mut mark = [0; 32];
        getrandom::fill(&mut mark)?;
        Ok(Self {
            mark: blake3::Hash::from_bytes(mark).to_hex().to_string(),
            has_key: new.has_key,
            results,
            state: AtomicU8::new(ATTACHED),
            left: CancellationToken::new(),
            begun: AtomicBool::new(false),
            released: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            seen: AtomicU64::new(0),
        })
    }

    /// What marks the relay's own words. It goes to the client and nowhere else.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether its result is kept from the beginning.
    pub fn has_key(&self) -> bool {
        self.has_key
    }

    /// Where its result is kept.
    pub fn results(&self) -> &Arc<KeptResults> {
        &self.results
    }

    /// A word of the relay, as the client reads it.
    pub fn word(&self, says: Says) -> Option<String> {
        let mark = self.mark.clone();
        serde_json::to_string(&Word { mark, says }).ok()
    }

    /// Takes the one client connection that a run has; false where it has one.
    pub fn begin(&self) -> bool {
        !self.begun.swap(true, Ordering::AcqRel)
    }

    /// An operation waits for people, until this is dropped.
    pub fn hold(self: &Arc<Self>) -> Holding {
        let _ = self.change(ATTACHED, HELD);
        Holding(Arc::clone(self))
    }

    /// The client leaves.
    ///
    /// # Errors
    /// Nothing waits at this moment.
    pub(super) fn leave(&self) -> Result<(), Refusal> {
        if self.change(HELD, LEFT) {
            self.left.cancel();
            return Ok(());
        }
        Err(Refusal::new(
            Code::NotFound,
            "nothing of this session waits for approval",
        ))
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Whether its client has left it.
    pub fn is_left(&self) -> bool {
        self.state.load(Ordering::SeqCst) == LEFT
    }

    /// Waits until its client leaves it.
    pub async fn left(&self) {
        self.left.cancelled().await;
    }

    /// Notes that an operation with these effects goes to the target.
    pub fn release(&self, effects: &[Effect]) {
        let harmless =
            |effect: &Effect| matches!(effect.action, Action::Sql(action) if action.group() == "sql:session");
        // What has no effect on any object runs, too.
        if effects.is_empty() || !effects.iter().all(harmless) {
            self.released.store(true, Ordering::Release);
        }
    }

    /// Whether anything but the control of transactions and harmless settings went to the target.
    pub fn has_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Its last answer was seen: nothing that it did is unknown.
    pub fn set_whole(&self) {
        self.whole.store(true, Ordering::Release);
    }

    /// Whether its last answer was seen.
    pub fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// So many bytes of what is kept went to the client before it left.
    pub fn set_seen(&self, bytes: u64) {
        self.seen.store(bytes, Ordering::Release);
    }

    /// How many bytes of what is kept went to the client before it left.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }
}

/// An operation of a run waits for people.
#[derive(Debug)]
pub struct Holding(Arc<Run>);

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.0.change(HELD, ATTACHED);
    }
}
