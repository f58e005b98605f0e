//! What a loopback port says in PostgreSQL's protocol before the relay hears of the client (PostgreSQL, chapter "Frontend/Backend
//! Protocol"): the first packet, SCRAM-SHA-256, and errors.

pub mod first;
pub mod greet;
pub mod scram;
pub mod words;
