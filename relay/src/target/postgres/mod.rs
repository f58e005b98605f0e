//! The way to a PostgreSQL server: TCP or a Unix socket, TLS in libpq's four modes, SCRAM-SHA-256 (with channel binding over TLS),
//! md5, and a clear password only to a server that is known to be the right one.
//!
//! The startup message is built from the configuration and from pinned settings, never copied from a client.

mod authenticate;
mod dial;
mod error;
mod estimate;
mod names;
mod queries;
mod stream;
mod tls;
mod turns;

pub use dial::{Dialled, cancel, dial};
pub use error::DialError;
pub use estimate::{Bound, Question};
pub use names::{AGE, NamesError, TargetNames, Targets};
pub use queries::OwnConnection;
pub use stream::TargetIo;
pub use turns::{Claim, Session as TurnSession, Turn};

#[cfg(test)]
mod tests;
