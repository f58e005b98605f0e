//! The first packets of a PostgreSQL client: no panic in one piece or byte by byte; what is asked of the target is for the
//! connection's own role, each setting once, and cannot break out of the message that is built from it.

use std::collections::HashSet;

use bytes::BytesMut;
use hoop_relay::engine::postgres::startup::{Greeter, Identity, Opening, Progress};

const IDENTITY: Identity<'static> = Identity {
    user: "hoop",
    database: "shop",
};

/// Feeds pieces until the client is let in or refused.
fn greet<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Opening> {
    let mut greeter = Greeter::default();
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match greeter.packet(&mut input, IDENTITY) {
                Ok(Progress::More) => break,
                Ok(Progress::Reply(_)) => {}
                Ok(Progress::Done(opening, _)) => return Some(opening),
                Err(error) => {
                    let refusal = error.refusal();
                    assert!(!refusal.message.is_empty());
                    return None;
                }
            }
        }
    }
    None
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let whole = greet(std::iter::once(bytes));
    let slowly = greet(bytes.chunks(1));
    // A request for encryption must come alone, so what is refused in one piece may be served in many; never the other way.
    if let Some(opening) = &whole {
        assert_eq!(Some(opening), slowly.as_ref());
    }
    for opening in [whole, slowly].into_iter().flatten() {
        if let Opening::Start(asked) = opening {
            let mut seen = HashSet::new();
            for (name, value) in asked.settings() {
                assert!(!name.is_empty() && !name.contains('\0') && !value.contains('\0'));
                assert!(!["user", "database", "replication", "options", "search_path"].contains(&name.as_str()));
                assert!(seen.insert(name.clone()), "{name} twice");
            }
        }
    }
}
