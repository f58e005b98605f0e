//! The local end of a session: what a client program finds where it looks for its server, and the program itself.
//!
//! ```text
//! psql ──▶ socket in a directory of mode 0700 ────────────────────────────────┐
//!     └──▶ loopback TCP ─▶ postgres: first packet, SCRAM with one password ────┴─▶ pipe ─▶ a stream of the tunnel
//! ```
//!
//! A socket is for the user who owns its directory, so it asks for nothing. A port is for every user of the machine, so it asks for the
//! session's one-time password in PostgreSQL's own way before the relay hears of the client.

pub mod address;
pub mod directory;
pub mod door;
pub mod pipe;
pub mod postgres;
pub mod process;
