//! What an operation does, in the words of policy, and the one place that decides about it.
//!
//! An engine reads an operation, `inspect` gives it its [`Effect`]s, [`decide`](Policies) asks Cedar about each effect on its own,
//! and the strictest answer holds: block > approval > allow. Whatever cannot be decided blocks.

pub mod decision;
pub mod effect;

pub use decision::{Blocked, Decision, Judged, Permit, Reason, Requirement, Review};
pub use effect::{Action, CallKind, Effect, Facts, Resource, SqlAction};
