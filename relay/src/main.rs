//! `hoop-relay`: the server.
fn main() {}
