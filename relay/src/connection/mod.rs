//! Connections of clients: QUIC and TCP on one port.

mod peer;

pub use peer::Peer;
