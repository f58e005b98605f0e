//! What a session was opened with.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hoop_shared::id::SessionId;

use crate::authn::Identity;
use crate::config::Connection;

/// What a session was opened with: who, to what, why, until when.
#[derive(Clone, Debug)]
pub struct Grant {
    session: SessionId,
    identity: Arc<Identity>,
    connection: Arc<Connection>,
    reason: Option<String>,
    source: IpAddr,
    expires: SystemTime,
}

impl Grant {
    /// Makes the grant. It ends with the credential, or after `max_duration`.
    pub(in crate::session) fn new(
        session: SessionId,
        identity: Arc<Identity>,
        connection: Arc<Connection>,
        reason: Option<String>,
        source: IpAddr,
        max_duration: Duration,
    ) -> Self {
        let credential = identity.expires();
        let expires = SystemTime::now()
            .checked_add(max_duration)
            .map_or(credential, |longest| longest.min(credential));
        Self {
            session,
            identity,
            connection,
            reason,
            source,
            expires,
        }
    }

    /// A grant of a new session from loopback, for tests.
    #[cfg(test)]
    pub(crate) fn sample(identity: Arc<Identity>, connection: Arc<Connection>) -> Self {
        #[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
        let session = SessionId::random().unwrap();
        let source = IpAddr::from([127, 0, 0, 1]);
        Self::new(session, identity, connection, None, source, Duration::from_secs(3600))
    }

    /// The session's id.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Who acts.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The connection.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Why, as they said.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The address it came from.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// When the session ends at the latest.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}

#[cfg(test)]
impl Grant {
    /// A grant for tests of other modules.
    pub fn for_tests(identity: Identity, connection: Arc<Connection>) -> Self {
        Self {
            session: SessionId::random().unwrap_or_else(|error| unreachable!("{error}")),
            identity: Arc::new(identity),
            connection,
            reason: None,
            source: IpAddr::from([127, 0, 0, 1]),
            expires: SystemTime::now() + Duration::from_secs(3600),
        }
    }
}
