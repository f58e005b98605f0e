//! Makes recordings durable every so often, on a thread of its own. It sleeps while nothing is recorded.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::recorder::Shared;

/// Recordings that have something to make durable.
#[derive(Debug, Default)]
pub(super) struct SyncQueue {
    state: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    dirty: Vec<Weak<Shared>>,
    stop: bool,
}

impl SyncQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // a list is whole whatever happened to its holder
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, recorder: Weak<Shared>) {
        let mut state = self.lock();
        state.dirty.push(recorder);
        if state.dirty.len() == 1 {
            self.wake.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.wake.notify_one();
    }

    /// Runs until it is stopped; makes everything durable before it returns.
    pub(super) fn run(self: &Arc<Self>, every: Duration) {
        loop {
            let idle = |state: &mut Waiting| state.dirty.is_empty() && !state.stop;
            let state = self
                .wake
                .wait_while(self.lock(), idle)
                .unwrap_or_else(PoisonError::into_inner);
            // what comes within this time is made durable together
            let pause = |state: &mut Waiting| !state.stop;
            let (mut state, _) = self
                .wake
                .wait_timeout_while(state, every, pause)
                .unwrap_or_else(PoisonError::into_inner);
            let dirty = std::mem::take(&mut state.dirty);
            let stop = state.stop;
            drop(state);
            for recorder in &dirty {
                if let Some(recorder) = recorder.upgrade() {
                    recorder.sync();
                }
            }
            if stop && dirty.is_empty() {
                return;
            }
        }
    }
}
