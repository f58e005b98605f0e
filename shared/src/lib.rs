//! What `hoopctl` and `hoop-relay` must agree on: ids, the frames of the tunnel, the API's JSON, refusals, pins.

pub mod api;
pub mod id;
pub mod protocol;
pub mod refusal;
pub mod tls;
pub mod wire;
