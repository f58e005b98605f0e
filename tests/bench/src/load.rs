//! What is asked of each path: pgbench's reads, and one large COPY read from a raw socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Where a path's client end listens.
#[derive(Clone)]
pub struct Entry {
    /// A host, or the directory of a Unix socket.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The role to name.
    pub user: String,
}

/// What one pgbench run gave.
pub struct Rate {
    /// Transactions a second.
    pub tps: f64,
    /// Transactions that were run.
    pub transactions: u64,
}

/// Runs `pgbench -S`.
pub fn pgbench(pgbench: &std::path::Path, entry: &Entry, mode: &str, clients: u32, length: &[&str]) -> Fallible<Rate> {
    let output = Command::new(pgbench)
        .env("PGHOST", &entry.host)
        .env("PGPORT", entry.port.to_string())
        .env("PGUSER", &entry.user)
        .env("PGSSLMODE", "disable")
        .args(["-n", "-S", "-M", mode, "-j", "1", "-c", &clients.to_string()])
        .args(length)
        .arg("bench")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |prefix: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(prefix))
            .and_then(|rest| rest.split([' ', '/']).next())
            .and_then(|word| word.parse::<f64>().ok())
    };
    match (number("tps = "), number("number of transactions actually processed: ")) {
        (Some(tps), Some(transactions)) if output.status.success() => Ok(Rate {
            tps,
            transactions: transactions as u64,
        }),
        _ => Err(format!(
            "pgbench failed on {}: {}",
            entry.host,
            String::from_utf8_lossy(&output.stderr)
        )
        .into()),
    }
}

trait Socket: Read + Write {}
impl Socket for TcpStream {}
impl Socket for UnixStream {}

/// A client connection that has been let in and says nothing more.
pub struct Idle(#[expect(dead_code, reason = "held open")] Box<dyn Socket>);

/// Opens a connection and waits for ReadyForQuery.
pub fn idle(entry: &Entry) -> Fallible<Idle> {
    Ok(Idle(open(entry)?))
}

fn open(entry: &Entry) -> Fallible<Box<dyn Socket>> {
    let mut socket: Box<dyn Socket> = if entry.host.starts_with('/') {
        let stream = UnixStream::connect(PathBuf::from(&entry.host).join(format!(".s.PGSQL.{}", entry.port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Box::new(stream)
    } else {
        let stream = TcpStream::connect((entry.host.as_str(), entry.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Box::new(stream)
    };
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for word in ["user", &entry.user, "database", "bench"] {
        startup.extend(word.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    socket.write_all(&(startup.len() as u32 + 4).to_be_bytes())?;
    socket.write_all(&startup)?;
    drain(&mut *socket)?;
    Ok(socket)
}

/// Reads messages up to ReadyForQuery; gives the bytes that were read.
fn drain(socket: &mut dyn Socket) -> Fallible<u64> {
    let mut buffer = vec![0_u8; 1 << 20];
    let mut pending: Vec<u8> = Vec::new();
    let mut skip = 0_usize;
    let mut total = 0_u64;
    loop {
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        total += read as u64;
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            if skip > 0 {
                let step = skip.min(rest.len());
                skip -= step;
                rest = &rest[step..];
                continue;
            }
            let step = (5 - pending.len()).min(rest.len());
            pending.extend(&rest[..step]);
            rest = &rest[step..];
            if pending.len() == 5 {
                let length = u32::from_be_bytes([pending[1], pending[2], pending[3], pending[4]]) as usize;
                match pending[0] {
                    b'Z' => return Ok(total),
                    b'E' => return Err("the server answered with an error".into()),
                    _ => skip = length.saturating_sub(4),
                }
                pending.clear();
            }
        }
    }
}

/// Copies the million rows out once; gives bytes and time.
pub fn copy_out(entry: &Entry) -> Fallible<(u64, Duration)> {
    let mut socket = open(entry)?;
    let statement = b"COPY bulk TO STDOUT\0";
    socket.write_all(b"Q")?;
    socket.write_all(&(statement.len() as u32 + 4).to_be_bytes())?;
    let started = Instant::now();
    socket.write_all(statement)?;
    let bytes = drain(&mut *socket)?;
    Ok((bytes, started.elapsed()))
}
