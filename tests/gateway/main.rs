//! The gateway, from outside: `hoopctl` and `hoop-relay` as they are installed, real PostgreSQL, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must say where"
)]

mod bad_input;
mod blocking;
mod clients;
mod holding;
mod login;
mod masking;
mod names;
mod recording;
mod workloads;
