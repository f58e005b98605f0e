//! `hoopctl`: the command line.

use std::process::ExitCode;

use hoopctl::settings::environment::Environment;

fn main() -> ExitCode {
    ExitCode::from(hoopctl::run::run(
        std::env::args_os().collect(),
        &Environment::of_process(),
    ))
}
