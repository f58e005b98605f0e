//! The frames' types and contents.
//!
//! What the relay says may have fields that this build does not know: a newer relay adds them, and they are ignored. What a client asks for
//! (`Open`, `Attach`) may not: a relay that ignored a field would give more than was asked for, so it refuses.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::run::Run;
use crate::id::SessionId;
use crate::protocol::Protocol;
use crate::refusal::Refusal;

/// The client's first frame. Fields that a newer client adds are ignored, so that the versions can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest and newest wire version that the client speaks.
    pub wire: (u16, u16),
    /// The client's version, for logs.
    pub build: String,
    /// Optional behaviour that the client knows.
    #[serde(default)]
    pub features: Vec<String>,
    /// The machine's name, as the client says it.
    #[serde(default)]
    pub machine: String,
}

/// The relay's answer to [`Hello`]. Fields that a newer relay adds are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The wire version that both use from here on.
    pub version: u16,
    /// The relay's version, for `hoopctl status`.
    pub relay: String,
    /// What the relay allows on this connection.
    pub limits: WireLimits,
    /// The relay's time, to notice a wrong clock.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// What the person should see.
    #[serde(default)]
    pub notices: Vec<String>,
    /// Optional behaviour that the relay knows: a client asks for none other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// What a relay allows on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireLimits {
    /// Client connections (streams) of one session at a time.
    pub streams_per_session: u32,
    /// Sessions of one principal at a time.
    pub sessions: u32,
}

/// Asks for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Correlates the answer; chosen by the client.
    pub number: u32,
    /// The connection's name.
    pub connection: String,
    /// Why, for policy, approvers and the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The program that will use it, for the recording: `psql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// One run, whose client may leave what waits. Only where the relay's welcome has [`super::run::FEATURE_RUNS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// A session was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The number of the [`Open`].
    pub number: u32,
    /// The session's id.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// What the session speaks.
    pub protocol: Protocol,
    /// The database, where the protocol has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The user name to give to the client program, where the protocol has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When the session ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// Of a run: what marks the relay's own words in its stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// Answers an [`Open`] whose idempotency key was used for the same run before. No session was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    /// The number of the [`Open`].
    pub number: u32,
    /// The session of the first.
    pub session: SessionId,
}

/// Refuses an [`Open`] (with its number), an [`Attach`] or a [`Hello`] (without).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The number of the [`Open`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// What, why, what next.
    pub refusal: Refusal,
}

/// Makes this stream one of a session's client connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// The session.
    pub session: SessionId,
}

/// From here on the stream carries the protocol's own bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {}

/// Something for the person to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The session that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Plain text; whoever prints it escapes it.
    pub text: String,
}

/// The client leaves a run. What it has sent, to the clean end of its stream, runs without it; what waits for approval goes on waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// The session.
    pub session: SessionId,
}

/// Answers a [`Detach`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detached {
    /// The session.
    pub session: SessionId,
    /// Why it cannot be left; absent where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// Ends a session, or without one the whole connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Why; absent where the client ends what it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// The client ends the connection and all its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {}

macro_rules! frames {
    ($($kind:literal $name:ident at most $limit:expr;)*) => {
        /// A frame.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Frame {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl Frame {
            /// The type byte.
            pub const fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// The name, for logs and errors.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// The longest payload of a type in bytes; `None` for a type that this build does not know.
            pub(super) const fn limit(kind: u8) -> Option<usize> {
                match kind { $($kind => Some($limit),)* _ => None }
            }

            pub(super) fn payload(&self) -> serde_json::Result<Vec<u8>> {
                match self { $(Self::$name(content) => serde_json::to_vec(content),)* }
            }

            /// `None` for a type that this build does not know.
            pub(super) fn from_payload(kind: u8, payload: &[u8]) -> Option<serde_json::Result<Self>> {
                match kind {
                    $($kind => Some(serde_json::from_slice(payload).map(Self::$name)),)*
                    _ => None,
                }
            }
        }

        $(impl From<$name> for Frame {
            fn from(content: $name) -> Self {
                Self::$name(content)
            }
        })*
    };
}

// What a client may send stays small, since the relay reads Hello and Attach from whoever holds a certificate.
frames! {
    0x01 Hello at most 4 << 10;
    0x02 Welcome at most super::MAX_PAYLOAD;
    0x03 Open at most 16 << 10;
    0x04 Opened at most super::MAX_PAYLOAD;
    0x05 Refused at most super::MAX_PAYLOAD;
    0x06 Attach at most 256;
    0x07 Attached at most 256;
    0x08 Close at most super::MAX_PAYLOAD;
    0x09 Bye at most 256;
    0x8a Notice at most super::MAX_PAYLOAD;
    0x0b Detach at most 256;
    0x0c Detached at most super::MAX_PAYLOAD;
    0x0d Repeated at most 256;
}
