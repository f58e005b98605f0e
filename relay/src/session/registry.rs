//! All running sessions. Its lock is held for a look-up, never across an await, and never on the path of a statement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use hoop_shared::refusal::{Code, Refusal};
use tokio::sync::Notify;

use super::{End, Grant, Session};
use crate::authn::Identity;

/// All running sessions, for every thread.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    fewer: Notify,
}

/// A running session, in a line.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its id.
    pub id: SessionId,
    /// The connection's name.
    pub connection: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// The principal's label.
    pub principal: String,
    /// Why, as they said.
    pub reason: Option<String>,
    /// When it was opened.
    pub started: SystemTime,
}

impl Registry {
    /// Adds a session.
    ///
    /// # Errors
    /// Its principal has as many as it may.
    pub fn add(&self, session: Arc<Session>) -> Result<(), Refusal> {
        let mut sessions = self.lock();
        room(
            &sessions,
            session.grant().identity(),
            session.limits().sessions_per_principal,
        )?;
        sessions.insert(session.id().clone(), session);
        Ok(())
    }

    /// Says whether a principal may have one more session.
    ///
    /// # Errors
    /// It has `limit` sessions.
    pub fn room(&self, identity: &Identity, limit: usize) -> Result<(), Refusal> {
        room(&self.lock(), identity, limit)
    }

    /// Forgets a session that has ended.
    pub fn remove(&self, id: &SessionId) {
        self.lock().remove(id);
        self.fewer.notify_waiters();
    }

    /// A session, for whoever holds the login that opened it. One and the same refusal where it is another's or none.
    ///
    /// # Errors
    /// There is no such session of this login.
    pub fn of_login(&self, id: &SessionId, identity: &Identity) -> Result<Arc<Session>, Refusal> {
        let found = self
            .get(id)
            .filter(|session| session.grant().identity().login() == identity.login());
        found.ok_or_else(|| {
            Refusal::new(Code::NotFound, format!("there is no session {id}")).hint("open one with `hoopctl connect`")
        })
    }

    /// A session by its id.
    pub fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.lock().get(id).cloned()
    }

    /// Ends a session in somebody's name; false where there is none.
    pub fn kill(&self, id: &SessionId, by: &str) -> bool {
        let session = self.get(id);
        if let Some(session) = &session {
            session.end(End::Killed { by: by.to_owned() });
        }
        session.is_some()
    }

    /// Ends the sessions of a login that is no longer valid.
    pub fn revoke_login(&self, login: &str) {
        self.end_where(|grant| (grant.identity().login() == login).then_some(End::Revoked));
    }

    /// Ends the sessions for which `why` gives a reason.
    pub fn end_where(&self, why: impl Fn(&Grant) -> Option<End>) {
        // Deciding may take time (a policy is asked about each): not under the lock.
        let all: Vec<_> = self.lock().values().cloned().collect();
        for session in all {
            if let Some(end) = why(session.grant()) {
                session.end(end);
            }
        }
    }

    /// Running sessions.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Every running session, in a line.
    pub fn running(&self) -> Vec<Running> {
        let line = |session: &Arc<Session>| {
            let grant = session.grant();
            Running {
                id: session.id().clone(),
                connection: grant.connection().name.clone(),
                protocol: grant.connection().protocol,
                principal: grant.identity().label().to_owned(),
                reason: grant.reason().map(str::to_owned),
                started: session.started(),
            }
        };
        self.lock().values().map(line).collect()
    }

    /// Waits until no session runs.
    pub async fn empty(&self) {
        loop {
            let fewer = self.fewer.notified();
            if self.count() == 0 {
                return;
            }
            fewer.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room(sessions: &HashMap<SessionId, Arc<Session>>, identity: &Identity, limit: usize) -> Result<(), Refusal> {
    let theirs = |session: &&Arc<Session>| session.grant().identity().same_principal(identity);
    if sessions.values().filter(theirs).count() < limit {
        return Ok(());
    }
    let message = format!("{} has {limit} sessions, the most that one may have", identity.label());
    Err(Refusal::new(Code::LimitExceeded, message).hint("close some of them"))
}
