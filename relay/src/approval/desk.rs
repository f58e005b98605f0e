//! The handle that every thread has: commands go to the [`Clerk`](super::Clerk), answers come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hoop_shared::api::Request;
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::refusal::{Code, Refusal};
use tokio::sync::{mpsc, oneshot, watch};

use super::clerk::Command;
use super::{Ask, Clerk, Decider, Held, HoldError, Outcome, Person};
use crate::store::{Store, StoreError};

/// Commands that wait for the clerk; past it, who asks waits.
const COMMANDS: usize = 256;

/// What the configuration says.
#[derive(Clone, Copy, Debug)]
pub struct DeskOptions {
    /// `[limits] pending_requests_per_session`.
    pub pending_per_session: usize,
}

/// Where operations are held and decided about. Clones are the same desk; any thread may use it.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    pending_per_session: Arc<AtomicUsize>,
    changes: watch::Receiver<()>,
}

impl Desk {
    /// Opens the desk over a store, and ends every request that an earlier run of the relay left open.
    ///
    /// The clerk does the work: its [`Clerk::run`] belongs on the control runtime.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open(store: Store, options: DeskOptions) -> Result<(Self, Clerk), StoreError> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let pending_per_session = Arc::new(AtomicUsize::new(options.pending_per_session));
        let (changed, changes) = watch::channel(());
        let clerk = Clerk::new(
            store,
            inbox,
            commands.downgrade(),
            Arc::clone(&pending_per_session),
            changed,
        );
        clerk.expire_left().await?;
        let desk = Self {
            commands,
            pending_per_session,
            changes,
        };
        Ok((desk, clerk))
    }

    /// Takes over a configuration that was loaded again. Requests that wait stay.
    pub fn set_options(&self, options: DeskOptions) {
        self.pending_per_session
            .store(options.pending_per_session, Ordering::Relaxed);
    }

    /// Makes a request and holds its place. Returns when it is in the store.
    ///
    /// # Errors
    /// The session's limit is reached, or the request could not be stored.
    pub async fn hold(&self, ask: Ask) -> Result<Held, HoldError> {
        let (reply, answer) = oneshot::channel();
        let ask = Box::new(ask);
        self.commands
            .send(Command::Hold { ask, reply })
            .await
            .map_err(|_| HoldError::Stopping)?;
        answer.await.map_err(|_| HoldError::Stopping)?
    }

    /// Decides about a request.
    ///
    /// # Errors
    /// [`Code::Blocked`] for who may not decide, also where there is no such request; else how it ended before.
    pub async fn decide(
        &self,
        id: &RequestId,
        by: Decider,
        approve: bool,
        reason: Option<String>,
    ) -> Result<Request, Refusal> {
        let id = id.clone();
        self.ask(|reply| Command::Decide {
            id,
            by,
            approve,
            reason,
            reply,
        })
        .await?
    }

    /// Withdraws a request, for who made it.
    ///
    /// # Errors
    /// [`Code::NotFound`] for everybody else; else how it ended before.
    pub async fn cancel(&self, id: &RequestId, by: Person) -> Result<Request, Refusal> {
        let id = id.clone();
        self.ask(|reply| Command::Cancel { id, by, reply }).await?
    }

    /// Withdraws what a session has waiting. Returns when that is stored.
    pub async fn session_ended(&self, session: &SessionId) {
        let session = session.clone();
        // A clerk that is gone has withdrawn everything.
        let _ = self.ask(|reply| Command::SessionEnded { session, reply }).await;
    }

    /// The outcome of a request that is still open, to wait for changes; `None` where it has ended or never was.
    pub async fn watch(&self, id: &RequestId) -> Option<watch::Receiver<Option<Outcome>>> {
        let id = id.clone();
        self.ask(|reply| Command::Watch { id, reply }).await.ok().flatten()
    }

    /// Is told that some request may have changed; which, the store says.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Refusal> {
        let stopping = || Refusal::new(Code::RelayFault, "the relay is stopping").hint("try again in a minute");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}
