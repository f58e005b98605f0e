//! The comparison itself: every round runs each path once, in shuffled order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::gateway::{self, Hop};
use crate::load::{self, Entry};
use crate::measure::{self, Calls};
use crate::postgres::Postgres;
use crate::report::{Spread, row};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Arguments of the comparison.
#[derive(Args)]
pub struct RunArgs {
    /// Fewer and shorter rounds: 3 of 3 seconds.
    #[arg(long)]
    quick: bool,
    /// Rounds of each load.
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of each pgbench run.
    #[arg(long)]
    seconds: Option<u32>,
    /// PostgreSQL's programs.
    #[arg(long)]
    pg_bin: PathBuf,
    /// Where hoopctl and hoop-relay were built.
    #[arg(long)]
    binaries: PathBuf,
}

/// Queries that are counted for system calls.
const COUNTED_QUERIES: u32 = 3000;
/// Sessions that stay idle for the memory figure.
const IDLE_SESSIONS: usize = 50;

const PATHS: [&str; 3] = ["direct", "floor", "ours"];

struct Paths {
    direct: Entry,
    floor: Hop,
    ours: Hop,
}

impl Paths {
    fn entry(&self, path: &str) -> &Entry {
        match path {
            "floor" => &self.floor.entry,
            "ours" => &self.ours.entry,
            _ => &self.direct,
        }
    }

    fn pids(&self, path: &str) -> Vec<u32> {
        match path {
            "floor" => self.floor.pids().to_vec(),
            "ours" => self.ours.pids().to_vec(),
            _ => Vec::new(),
        }
    }

    fn cpu(&self, path: &str) -> Duration {
        self.pids(path).into_iter().map(measure::cpu).sum()
    }
}

/// Runs the comparison and prints the table.
pub fn run(args: &RunArgs) -> Fallible<()> {
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 9 });
    let seconds = args.seconds.unwrap_or(if args.quick { 3 } else { 5 }).to_string();
    let directory = tempfile::Builder::new().prefix("hoop-bench").tempdir()?;
    make_reachable(directory.path())?;
    eprintln!("starting PostgreSQL");
    let postgres = Postgres::start(&args.pg_bin, directory.path())?;
    let direct = Entry {
        host: postgres.socket.display().to_string(),
        port: postgres.port,
        user: "postgres".to_owned(),
    };
    let floor = gateway::floor(&postgres, directory.path())?;
    let ours = gateway::ours(&postgres, &args.binaries, directory.path())?;
    let paths = Paths { direct, floor, ours };
    let pgbench = gateway::pgbench(&args.pg_bin);

    println!("Ratios inside each round: median (least–greatest). direct and ours over Unix sockets, floor over TCP.\n");
    println!("| measure | floor | ours | trust |");
    println!("|---|---|---|---|");
    // First of all: later on, what the loads have freed would hide what a connection takes.
    let memory = |path: &str| -> Fallible<f64> {
        let relay = paths.pids(path)[1];
        let before = measure::resident(relay);
        let sessions = (0..IDLE_SESSIONS)
            .map(|_| load::idle(paths.entry(path)))
            .collect::<Result<Vec<_>, _>>()?;
        std::thread::sleep(Duration::from_millis(500));
        let after = measure::resident(relay);
        drop(sessions);
        Ok(after.saturating_sub(before) as f64 / 1024.0 / IDLE_SESSIONS as f64)
    };
    row(
        "relay memory per idle client connection, KiB",
        Spread::of(&[memory("floor")?]),
        Spread::of(&[memory("ours")?]),
        "good",
    );
    for (mode, clients) in [("simple", 8), ("prepared", 32)] {
        let mut tps: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut cpu: Vec<f64> = Vec::new();
        for round in 0..rounds {
            eprintln!("{mode}, {clients} clients: round {} of {rounds}", round + 1);
            let mut rate = BTreeMap::new();
            let mut cost = BTreeMap::new();
            for path in shuffled()? {
                let before = paths.cpu(path);
                let run = load::pgbench(&pgbench, paths.entry(path), mode, clients, &["-T", &seconds])?;
                let used = paths.cpu(path) - before;
                rate.insert(path, run.tps);
                cost.insert(path, used.as_secs_f64() / run.transactions as f64);
            }
            for path in ["floor", "ours"] {
                tps.entry(path).or_default().push(rate[path] / rate["direct"]);
            }
            cpu.push(cost["ours"] / cost["floor"]);
        }
        row(
            &format!("TPS × direct, {mode}, {clients} clients"),
            Spread::of(&tps["floor"]),
            Spread::of(&tps["ours"]),
            "hint",
        );
        row(
            &format!("CPU per query × floor, {mode}, {clients} clients"),
            Spread::of(&[1.0]),
            Spread::of(&cpu),
            "good",
        );
    }

    let mut bulk: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut per_gigabyte: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for path in PATHS {
        load::copy_out(paths.entry(path))?;
    }
    for round in 0..rounds {
        eprintln!("COPY of a million rows: round {} of {rounds}", round + 1);
        let mut rate = BTreeMap::new();
        for path in shuffled()? {
            let before = paths.cpu(path);
            let (bytes, time) = load::copy_out(paths.entry(path))?;
            let used = paths.cpu(path) - before;
            rate.insert(path, bytes as f64 / time.as_secs_f64());
            per_gigabyte
                .entry(path)
                .or_default()
                .push(used.as_secs_f64() / (bytes as f64 / 1e9));
        }
        for path in ["floor", "ours"] {
            bulk.entry(path).or_default().push(rate[path] / rate["direct"]);
        }
    }
    row(
        "COPY out of 1 M rows, rate × direct",
        Spread::of(&bulk["floor"]),
        Spread::of(&bulk["ours"]),
        "hint",
    );
    row(
        "COPY out, CPU seconds per GB",
        Spread::of(&per_gigabyte["floor"]),
        Spread::of(&per_gigabyte["ours"]),
        "good",
    );

    let mut calls = BTreeMap::new();
    for path in ["floor", "ours"] {
        eprintln!("system calls: {path}");
        let counted = calls_per_query(&pgbench, &paths, path, directory.path())?;
        let detail: Vec<String> = counted
            .iter()
            .filter(|(_, count)| **count >= 0.1)
            .map(|(name, count)| format!("{name} {count:.1}"))
            .collect();
        eprintln!("  {path}: {}", detail.join(", "));
        calls.insert(path, counted.values().sum::<f64>());
    }
    row(
        "system calls per query, 1 client, simple",
        Spread::of(&[calls["floor"]]),
        Spread::of(&[calls["ours"]]),
        "firm",
    );

    Ok(())
}

fn calls_per_query(
    pgbench: &std::path::Path,
    paths: &Paths,
    path: &str,
    directory: &std::path::Path,
) -> Fallible<BTreeMap<String, f64>> {
    let queries = COUNTED_QUERIES.to_string();
    load::pgbench(pgbench, paths.entry(path), "simple", 1, &["-t", "100"])?;
    let counter = Calls::count(&paths.pids(path), directory)?;
    load::pgbench(pgbench, paths.entry(path), "simple", 1, &["-t", &queries])?;
    let calls = counter.finish()?;
    Ok(calls
        .into_iter()
        .map(|(name, count)| (name, count as f64 / f64::from(COUNTED_QUERIES)))
        .collect())
}

fn shuffled() -> Fallible<[&'static str; 3]> {
    let mut random = [0_u8; 2];
    getrandom::fill(&mut random)?;
    let mut order = PATHS;
    order.swap(0, usize::from(random[0] % 3));
    order.swap(1, 1 + usize::from(random[1] % 2));
    Ok(order)
}

/// The server's user must be able to enter the directory that holds its data.
fn make_reachable(directory: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711))
}
