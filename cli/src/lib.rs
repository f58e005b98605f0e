//! The library of `hoopctl`, in modules that the binary and the generators of completions share.
//!
//! | module | does |
//! |---|---|
//! | [`args`] | the command line; its doc comments are the help |
//! | [`settings`] | flag, environment, file, default: resolved once |
//! | [`command`] | one file for each command |
//! | [`login`] | how a person or a workload gets a certificate |
//! | [`credentials`] | where the key and the certificate are kept |
//! | [`complete`] | what the shell's TAB key offers |
//! | [`approve`] | the live queue of requests, and a request in full |
//! | [`replay`] | a recorded session, as it was |
//! | [`relay_api`] | the relay's HTTPS API |
//! | [`tunnel`] | sessions and their streams, over QUIC or TCP |
//! | [`client`] | the local end of a session: listener, environment, process |
//! | [`printer`], [`error`] | what is written, and where |

pub mod approve;
pub mod args;
pub mod client;
pub mod command;
pub mod complete;
pub mod context;
pub mod credentials;
pub mod error;
pub mod exec;
pub mod interrupt;
pub mod login;
pub mod news;
pub mod printer;
pub mod relay_address;
pub mod relay_api;
pub mod replay;
pub mod run;
pub mod settings;
pub mod tunnel;
