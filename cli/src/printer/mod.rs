//! What `hoopctl` prints.

pub mod escape;
