//! The cancel keys of a session's streams: what stands for the target's own process id and key, which a client never sees.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The cancel keys of one session, so that a stream can ask for the cancellation of another.
#[derive(Debug, Default)]
pub struct CancelKeys {
    streams: Arc<Streams>,
}

/// By process id and key, as the client was told.
type Streams = Mutex<HashMap<(i32, i32), Arc<Notify>>>;

impl CancelKeys {
    /// Makes a random key for one stream. It is valid until it is dropped.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn issue(&self) -> Result<CancelKey, getrandom::Error> {
        let requested = Arc::new(Notify::new());
        loop {
            let mut bytes = [0_u8; 8];
            getrandom::fill(&mut bytes)?;
            let [a, b, c, d, key @ ..] = bytes;
            // Some drivers take a process id that is not positive for "none".
            let pid = i32::from_be_bytes([a & 0x7f, b, c, d]).max(1);
            let key = i32::from_be_bytes(key);
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            if let std::collections::hash_map::Entry::Vacant(free) = streams.entry((pid, key)) {
                free.insert(Arc::clone(&requested));
                return Ok(CancelKey {
                    pid,
                    key,
                    requested,
                    streams: Arc::clone(&self.streams),
                });
            }
        }
    }

    /// Asks the stream with this key to cancel what it runs; false where the session has no such stream.
    pub fn cancel(&self, pid: i32, key: i32) -> bool {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let found = streams.get(&(pid, key));
        if let Some(requested) = found {
            requested.notify_one();
        }
        found.is_some()
    }
}

/// The cancel key of one stream.
#[derive(Debug)]
pub struct CancelKey {
    pid: i32,
    key: i32,
    requested: Arc<Notify>,
    streams: Arc<Streams>,
}

impl CancelKey {
    /// The process id to tell the client.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The key to tell the client.
    pub fn key(&self) -> i32 {
        self.key
    }

    /// Waits until the client asks to cancel. Cancel safe: a request that nobody waits for is kept for the next call.
    pub async fn requested(&self) {
        self.requested.notified().await;
    }
}

impl Drop for CancelKey {
    fn drop(&mut self) {
        self.streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(self.pid, self.key));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_cancels_its_stream_until_it_is_dropped() {
        let keys = CancelKeys::default();
        let (one, other) = (keys.issue().unwrap(), keys.issue().unwrap());
        assert!(one.pid() > 0 && (one.pid(), one.key()) != (other.pid(), other.key()));
        assert!(!keys.cancel(one.pid(), one.key().wrapping_add(1)));
        assert!(keys.cancel(one.pid(), one.key()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            one.requested().await;
            let wait = std::time::Duration::from_millis(5);
            assert!(tokio::time::timeout(wait, other.requested()).await.is_err());
        });
        let (pid, key) = (one.pid(), one.key());
        drop(one);
        assert!(!keys.cancel(pid, key));
    }
}
