//! Waiting until a socket that was full takes bytes again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::register;

/// A registration for writing that exists only while a write would block: of a duplicate, since the socket itself is
/// registered for reading.
#[derive(Debug, Default)]
pub(super) struct Writable {
    waiting: Option<AsyncFd<OwnedFd>>,
}

impl Writable {
    /// Waits until `socket` may take bytes. The registration is gone when this is ready.
    pub(super) fn poll(&mut self, socket: &impl AsFd, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            None => {
                let duplicate = socket.as_fd().try_clone_to_owned()?;
                self.waiting.insert(register(duplicate, Interest::WRITABLE)?)
            }
        };
        let ready = ready!(waiting.poll_write_ready(cx)).map(drop);
        self.waiting = None;
        Poll::Ready(ready)
    }
}
