//! End-to-end tests of the gateway: one builder makes a world of real servers, and the tests are sentences against it.
//!
//! ```text
//! World::new("name").policy("…").start()  ──▶ a database of its own in one shared PostgreSQL, a relay, no one logged in
//! world.person("ana")                     ──▶ logged in by the device flow, with a configuration folder of its own
//! ana.psql("SELECT 1")                    ──▶ `hoopctl connect db-prod -- psql -c 'SELECT 1'`
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must say where"
)]

mod authority;
mod http;
mod job;
mod keycloak;
mod network;
mod oidc;
mod person;
mod platform;
mod postgres;
mod process;
mod relay;
mod terminal;
mod wire;

pub use authority::Authority;
pub use job::Job;
pub use keycloak::Keycloak;
pub use network::Network;
pub use oidc::OidcProvider;
pub use person::{Connected, Person, read_user_code, read_word};
pub use platform::{Platform, block_of_guide};
pub use postgres::{Cluster, Database, Extra, PASSWORD, ROLE, free_port};
pub use process::{Finished, Running, eventually, program, python, run};
pub use relay::{POLICY, World, WorldBuilder};
pub use terminal::{Kind, Terminal};
pub use wire::{Answers, Wire, message};
