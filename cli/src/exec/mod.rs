//! One-shot, non-interactive runs on a connection, without any client installed.
//!
//! ```text
//! -c, -f, stdin ─▶ script: units ─▶ conversation: one after the other over a stream of the tunnel, each waits for the one before
//!                                        │ messages: columns, rows, errors, the relay's own words
//! stdout, --result-file ◀─ rows ◀────────┤
//! stderr                ◀─ waiting ◀─────┘ held: progress, and how to leave it
//! ```
//!
//! A run stops at its first error. What it leaves waiting goes on at the relay (`hoop_shared::wire::run`), and [`follow`] gives its result
//! to whoever comes back for it.

pub mod conversation;
pub mod follow;
pub mod job;
pub mod messages;
pub mod nested;
pub mod rows;
pub mod script;
pub mod types;
pub mod value;
pub mod waiting;
