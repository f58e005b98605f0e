//! The relay's library. Its modules stand in the order in which a statement meets them.
//!
//! ```text
//! connection ▸ authn ▸ session ▸ engine ▸ inspect ▸ policy ▸ (approval) ▸ target
//!                                    ◂ record ◂ mask ◂
//! ```
//!
//! Dependencies point one way: engines use `inspect`, `inspect` uses the words of `policy`, never back; `mask` and
//! `record` know no protocol. Only [`authn`] makes an [`authn::Identity`], only [`session`] a [`session::Grant`], only
//! [`policy`] and [`approval`] a [`policy::Permit`].

pub mod api;
pub mod approval;
pub mod authn;
pub mod command;
pub mod config;
pub mod connection;
pub mod dev;
pub mod engine;
pub mod inspect;
pub mod mask;
pub mod policy;
pub mod record;
pub mod server;
pub mod session;
pub mod shutdown;
pub mod store;
pub mod target;
pub mod telemetry;
