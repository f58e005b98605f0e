//! What the system tells the relay: reload, stop.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// A signal that means something to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT: end. The second one means: now.
    Stop,
}

/// The signals of the process, from when this is made.
#[derive(Debug)]
pub struct Signals {
    hangup: Stream,
    terminate: Stream,
    interrupt: Stream,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.hangup.recv() => Signal::Reload,
            Some(()) = self.terminate.recv() => Signal::Stop,
            Some(()) = self.interrupt.recv() => Signal::Stop,
            else => std::future::pending().await,
        }
    }
}
