//! Whose turn it is with a name, among the sessions of one target.
//!
//! The server finds out what a statement's names mean when it comes to it: behind a lock, behind what stands before it in its
//! message. What the relay judged is what the server finds only if nobody changes these names in between. So the relay keeps the
//! server's own discipline of locks, one step earlier:
//!
//! ```text
//! a unit is judged ─▶ its names are used ────────────▶ the server has answered
//! it changes names ─▶ they are its session's alone ──▶ its transaction has ended ▸ everybody who uses them looks again
//! ```
//!
//! Who must wait holds nothing meanwhile but what its open transaction has changed. Who waits to change names goes before those who
//! come later to use them, unless these are in a transaction themselves: somebody may be waiting for its end.
//!
//! Sessions of another relay, and whoever reaches the target without one, are not among them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::inspect::sql::Changes;

/// How long a session waits that may itself be what others wait for: it has a transaction open, or wants to change names.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long one waits that nobody waits for. At the server it would wait without end.
pub const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// How long a place at the front is kept for who had waited and now looks again at what names mean.
const KEPT: Duration = Duration::from_secs(2);
/// The most changes that are remembered by name; what is older counts as one of every name.
const REMEMBERED: usize = 256;
/// The most units in flight whose names are told apart; past that a session uses every name.
const APART: usize = 256;

/// The turns of one target.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    sessions: HashMap<u64, Held>,
    /// How many sessions have changed names, or wait to: while there is none nobody need be asked.
    busy: usize,
    /// The last changes, by their numbers.
    recent: VecDeque<(u64, Changes)>,
    /// The last change that is not remembered.
    forgotten: u64,
}

/// What one session has.
#[derive(Debug, Default)]
struct Held {
    /// The names that its units in flight use.
    used: Vec<Arc<[u64]>>,
    uses_all: bool,
    /// The names that its transaction has changed.
    changed: Changes,
    /// What that was before the unit that is being judged, and whether it added to the names in use.
    before: Option<(Changes, bool)>,
    wanted: Option<Wanted>,
}

/// What a session waits to change.
#[derive(Debug)]
struct Wanted {
    changes: Changes,
    /// It waits no more, but has not come yet.
    until: Option<Instant>,
}

/// Whether a unit may be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Granted,
    /// Another session has its names.
    Busy,
    /// Its names were changed since it was read.
    Stale,
}

/// What a unit does with names.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The names that it uses, sorted.
    pub uses: Arc<[u64]>,
    /// The names that it changes.
    pub changes: Changes,
    /// Its session has a transaction open.
    pub in_transaction: bool,
}

impl Claim {
    fn patience(&self) -> Duration {
        if self.in_transaction || self.changes != Changes::Nothing {
            PATIENCE
        } else {
            LONG_PATIENCE
        }
    }
}

impl Held {
    fn is_busy(&self) -> bool {
        self.changed != Changes::Nothing || self.wanted.is_some()
    }

    fn uses(&self, changes: &Changes) -> bool {
        *changes != Changes::Nothing && (self.uses_all || self.used.iter().any(|names| changes.meets(names)))
    }
}

impl State {
    /// Whether another session keeps this one from what it claims.
    fn keeps_out(&self, id: u64, claim: &Claim) -> bool {
        let quiet = self.busy == 0 && claim.changes == Changes::Nothing;
        if quiet {
            return false;
        }
        let queues = !claim.in_transaction
            && self
                .sessions
                .get(&id)
                .is_none_or(|held| held.changed == Changes::Nothing);
        self.sessions
            .iter()
            .filter(|(other, _)| **other != id)
            .any(|(_, held)| {
                let before = |wanted: &Wanted| {
                    wanted.until.is_none_or(|until| Instant::now() < until) && wanted.changes.meets(&claim.uses)
                };
                held.changed.meets(&claim.uses)
                    || held.changed.overlaps(&claim.changes)
                    || held.uses(&claim.changes)
                    || queues && claim.changes == Changes::Nothing && held.wanted.as_ref().is_some_and(before)
            })
    }

    /// Whether one of these names was changed after the change of that number.
    fn has_changed(&self, uses: &[u64], known: u64) -> bool {
        let newer = |(number, changes): &&(u64, Changes)| *number > known && changes.meets(uses);
        !uses.is_empty() && (known < self.forgotten || self.recent.iter().rev().find(newer).is_some())
    }

    fn held(&mut self, id: u64, change: impl FnOnce(&mut Held)) {
        let Some(held) = self.sessions.get_mut(&id) else { return };
        let before = held.is_busy();
        change(held);
        match (before, held.is_busy()) {
            (false, true) => self.busy += 1,
            (true, false) => self.busy -= 1,
            _ => {}
        }
    }
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a session take part.
    pub fn join(self: Arc<Self>) -> Session {
        let id = {
            let mut state = self.state();
            state.next += 1;
            let id = state.next;
            state.sessions.insert(id, Held::default());
            id
        };
        Session { turns: self, id }
    }

    /// Says that names were changed, whose transaction has ended. `number` gives the change its number.
    pub fn changed(&self, changes: Changes, number: impl FnOnce() -> u64) {
        let mut state = self.state();
        let number = number();
        state.recent.push_back((number, changes));
        if state.recent.len() > REMEMBERED
            && let Some((forgotten, _)) = state.recent.pop_front()
        {
            state.forgotten = state.forgotten.max(forgotten);
        }
    }
}

/// A session's part in the turns of its target.
#[derive(Debug)]
pub struct Session {
    turns: Arc<Turns>,
    id: u64,
}

impl Session {
    /// Takes the names of a unit that is about to be judged, if it was read with what is known since the change numbered `known`.
    pub fn take(&self, claim: &Claim, known: u64) -> Turn {
        let mut state = self.turns.state();
        if state.keeps_out(self.id, claim) {
            return Turn::Busy;
        }
        if state.has_changed(&claim.uses, known) {
            return Turn::Stale;
        }
        state.held(self.id, |held| {
            held.wanted = None;
            held.before = Some((held.changed.clone(), false));
            if claim.changes != Changes::Nothing {
                held.changed = held.changed.and(&claim.changes);
            }
            let again = held.used.last().is_some_and(|last| Arc::ptr_eq(last, &claim.uses));
            if again || claim.uses.is_empty() || held.uses_all {
                return;
            }
            if held.used.len() < APART {
                held.used.push(claim.uses.clone());
                held.before = held.before.take().map(|(changed, _)| (changed, true));
            } else {
                held.uses_all = true;
            }
        });
        Turn::Granted
    }

    /// The unit that was being judged does not pass.
    pub fn give_back(&self) {
        let mut state = self.turns.state();
        state.held(self.id, |held| {
            if let Some((changed, used)) = held.before.take() {
                held.changed = changed;
                if used {
                    held.used.pop();
                }
            }
        });
        drop(state);
        self.turns.moved.notify_waiters();
    }

    /// Nothing of the session is in flight, or the server has found what the names mean.
    pub fn answered(&self) {
        let mut state = self.turns.state();
        let Some(held) = state.sessions.get_mut(&self.id) else {
            return;
        };
        if held.used.is_empty() && !held.uses_all {
            return;
        }
        held.used.clear();
        held.uses_all = false;
        let waited_for = state.busy > 0;
        drop(state);
        if waited_for {
            self.turns.moved.notify_waiters();
        }
    }

    /// What the session's transaction has changed so far.
    pub fn changes(&self) -> Changes {
        let state = self.turns.state();
        state
            .sessions
            .get(&self.id)
            .map(|held| held.changed.clone())
            .unwrap_or_default()
    }

    /// The session's transaction has ended, and what it changed was said.
    pub fn ended(&self) {
        let mut state = self.turns.state();
        state.held(self.id, |held| {
            held.changed = Changes::Nothing;
            held.before = None;
        });
        drop(state);
        self.turns.moved.notify_waiters();
    }

    /// Waits until the claim may be granted; false where that takes too long. It takes nothing. A dropped call waits no more.
    pub async fn wait(&self, claim: &Claim) -> bool {
        self.wait_for(claim, claim.patience()).await
    }

    async fn wait_for(&self, claim: &Claim, patience: Duration) -> bool {
        let mut waiting = Waiting {
            session: self,
            keeps: false,
        };
        if claim.changes != Changes::Nothing {
            self.turns.state().held(self.id, |held| {
                held.wanted = Some(Wanted {
                    changes: claim.changes.clone(),
                    until: None,
                });
            });
        }
        let granted = async {
            loop {
                let mut moved = std::pin::pin!(self.turns.moved.notified());
                moved.as_mut().enable();
                if !self.turns.state().keeps_out(self.id, claim) {
                    return;
                }
                // A place that is kept runs out without a word.
                let _ = timeout(KEPT, moved).await;
            }
        };
        let in_time = timeout(patience, granted).await.is_ok();
        waiting.keeps = in_time;
        in_time
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.held(self.id, |held| *held = Held::default());
        state.sessions.remove(&self.id);
        drop(state);
        self.turns.moved.notify_waiters();
    }
}

/// A session that waits.
struct Waiting<'a> {
    session: &'a Session,
    /// It comes to take what it waited for.
    keeps: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let until = self.keeps.then(|| Instant::now() + KEPT);
        self.session
            .turns
            .state()
            .held(self.session.id, |held| match (&mut held.wanted, until) {
                (Some(wanted), Some(until)) => wanted.until = Some(until),
                (wanted, _) => *wanted = None,
            });
        if !self.keeps {
            self.session.turns.moved.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
