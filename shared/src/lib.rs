//! What `hoopctl` and `hoop-relay` must agree on: ids, the frames of the tunnel, the API's JSON, refusals, pins; and the sockets of both.

pub mod api;
pub mod id;
pub mod protocol;
pub mod refusal;
#[cfg(unix)]
pub mod socket;
pub mod tls;
pub mod wire;
