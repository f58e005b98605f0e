//! `hoop-relay`: the server.

use std::process::ExitCode;

fn main() -> ExitCode {
    hoop_relay::command::main()
}
