//! `hoop-bench run`: `direct`, `floor` and `ours` in shuffled rounds of one run, compared by ratios inside each round.
//!
//! `floor` is a naive QUIC hop of the gateway's shape (TCP → quinn stream → TCP, no inspection). Counts are firm, CPU
//! from `schedstat` is good, wall time on a shared machine is only a hint: the table says which is which.

mod floor;
mod gateway;
mod load;
mod measure;
mod postgres;
mod report;
mod run;

use clap::{Parser, Subcommand};

/// Measures the gateway against a direct connection and a naive QUIC hop.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the comparison and prints the table.
    Run(run::RunArgs),
    /// The floor's relay: a QUIC listener that copies each stream to a TCP target.
    FloorServer(floor::ServerArgs),
    /// The floor's client: a TCP listener that copies each connection to a QUIC stream.
    FloorClient(floor::ClientArgs),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Args::parse().command {
        Command::Run(args) => run::run(&args),
        Command::FloorServer(args) => floor::server(&args),
        Command::FloorClient(args) => floor::client(&args),
    }
}
