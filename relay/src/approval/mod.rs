//! Held operations and who decides about them.
//!
//! ```text
//! data reactor                     control runtime                          store
//! Desk::hold(Ask) ──command──▶ Clerk: limit of the session, insert ──▶ pending
//! Held::decided() ◀──outcome── Clerk ◀──decide── API                ──▶ approved | denied
//!                              Clerk: timer                         ──▶ expired
//! drop(Held)      ──gone─────▶ Clerk                                ──▶ cancelled
//! Held::release() ──command──▶ Clerk: approvers still stand? digest ──▶ spent ──▶ Approved
//! ```
//!
//! What may happen to a request is in [`Record`], which knows neither the store nor a clock. The clerk is the only one that changes
//! records, each change is one transaction of the store, and the answer leaves only when it is durable. So:
//!
//! - a request is spent at most once, and never after a denial, an expiry or a cancellation;
//! - nobody decides about their own, also not from another login; a workload never decides;
//! - each rule has its number of different people, counted again at release from the groups that they have then.

mod ask;
mod clerk;
mod desk;
mod held;
mod outcome;
mod record;
#[cfg(test)]
pub(crate) mod samples;

pub use ask::{Ask, Digest};
pub use clerk::Clerk;
pub use desk::{Desk, DeskOptions};
pub use held::{Approved, Held, HoldError};
pub use outcome::Outcome;
pub use record::{DecideError, Decider, Ended, Person, Record, ReleaseError, Standing, Standings, Verdict};
