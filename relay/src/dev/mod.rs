//! The identity provider inside `hoop-relay dev`: OpenID Connect with the device flow (RFC 8628), on loopback only, for
//! trying out and for tests. It asks for no password: whoever reaches it may be anybody of its three people.
//!
//! ```text
//! relay ── POST /device_authorization ──▶ code ── shown by hoopctl ──▶ a person opens GET /device, chooses who to be
//!       ── POST /token, again and again ──▶ authorization_pending … ──▶ an ID token (ES256)
//! ```

mod codes;
mod page;
mod provider;

pub use provider::{Provider, ProviderError};

/// The client id that the relay uses here.
pub const CLIENT_ID: &str = "hoopctl";

/// The signature algorithm of the ID tokens.
pub const ALGORITHM: &str = "ES256";

/// The people of the embedded provider, with their groups.
pub const PEOPLE: &[(&str, &[&str])] = &[("ana", &["engineers"]), ("bo", &["dba"]), ("agent", &["agents"])];

/// The groups of a person; `None`: there is no such person.
pub fn groups(person: &str) -> Option<&'static [&'static str]> {
    PEOPLE
        .iter()
        .find(|(name, _)| *name == person)
        .map(|(_, groups)| *groups)
}
