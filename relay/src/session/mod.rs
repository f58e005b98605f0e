//! A session: one opened use of a connection by a principal. Only this module makes a [`Grant`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

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
