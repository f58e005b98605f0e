//! The gateway, from outside: `hoopctl` and `hoop-relay` as they are installed, real PostgreSQL, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must say where"
)]

mod approving;
mod at_hand;
mod attacks;
mod bad_input;
mod blocking;
mod clients;
mod completing;
mod doctor;
mod endings;
mod examples;
mod exec;
mod exec_types;
mod exec_waiting;
mod fuzz;
mod holding;
mod keycloak;
mod keyring;
mod login;
mod masking;
mod names;
mod network;
mod operating;
mod people;
mod plain;
mod races;
mod readme;
mod recording;
mod relay_examples;
mod remains;
mod revocation;
mod target;
mod terminal;
mod workloads;
