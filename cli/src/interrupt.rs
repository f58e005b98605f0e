//! Signals that end a command: what it was doing is taken back before it goes.

use hoop_shared::refusal::Code;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// Listens for SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupt {
    /// Begins to listen: from here on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("cannot handle signals", &error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            hangup: signal(SignalKind::hangup()).map_err(failed)?,
        })
    }

    /// Waits for a signal; gives the error that says which. Cancel safe.
    pub async fn came(&mut self) -> Error {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        };
        Error::new(Code::Failed, format!("ended by {name}"))
    }
}
