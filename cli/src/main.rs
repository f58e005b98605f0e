//! `hoopctl`: the command line.
fn main() {}
