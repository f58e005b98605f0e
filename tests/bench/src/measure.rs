//! Counting what processes cost: CPU time from `schedstat`, system calls from strace, resident memory from `smaps_rollup`.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// CPU time that a process's threads have used so far.
pub fn cpu(pid: u32) -> Duration {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Duration::ZERO;
    };
    let nanoseconds = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// Resident memory of a process that is its own, in bytes.
pub fn resident(pid: u32) -> u64 {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
        return 0;
    };
    text.lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok())
        .sum::<u64>()
        * 1024
}

/// System calls of some processes, counted while it lives.
pub struct Calls {
    strace: Vec<(Child, std::path::PathBuf)>,
}

impl Calls {
    /// Attaches to the processes.
    pub fn count(pids: &[u32], directory: &std::path::Path) -> std::io::Result<Self> {
        let mut strace = Vec::new();
        for pid in pids {
            let summary = directory.join(format!("strace-{pid}"));
            let child = Command::new("strace")
                .args(["-f", "-c", "-U", "calls,name", "-p", &pid.to_string(), "-o"])
                .arg(&summary)
                .stderr(Stdio::null())
                .spawn()?;
            strace.push((child, summary));
        }
        std::thread::sleep(Duration::from_millis(800));
        Ok(Self { strace })
    }

    /// Detaches; gives calls by name, summed over the processes.
    pub fn finish(self) -> std::io::Result<std::collections::BTreeMap<String, u64>> {
        let mut calls = std::collections::BTreeMap::new();
        for (mut child, summary) in self.strace {
            Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
            child.wait()?;
            for line in std::fs::read_to_string(summary)?.lines() {
                let mut words = line.split_ascii_whitespace();
                if let (Some(Ok(count)), Some(name), None) =
                    (words.next().map(str::parse::<u64>), words.next(), words.next())
                    && name != "total"
                {
                    *calls.entry(name.to_owned()).or_default() += count;
                }
            }
        }
        Ok(calls)
    }
}
