//! The two paths that are compared with a direct connection: the naive hop, and hoopctl with the relay.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::load::Entry;
use crate::postgres::Postgres;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A running path; its processes end when it is dropped.
pub struct Hop {
    /// Where clients connect.
    pub entry: Entry,
    client: Child,
    relay: Child,
    _stdin: Option<ChildStdin>,
}

impl Hop {
    /// The client end's and the relay's process.
    pub fn pids(&self) -> [u32; 2] {
        [self.client.id(), self.relay.id()]
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.relay] {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn first_line(child: &mut Child) -> Fallible<String> {
    let stdout = child.stdout.as_mut().ok_or("no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.is_empty() {
        return Err("a process ended before it was ready".into());
    }
    Ok(line.trim().to_owned())
}

/// Starts the naive hop: TCP at both ends.
pub fn floor(postgres: &Postgres, directory: &Path) -> Fallible<Hop> {
    let program = std::env::current_exe()?;
    let certificate = directory.join("floor.pem");
    let mut relay = Command::new(&program)
        .args([
            "floor-server",
            "--target",
            &format!("127.0.0.1:{}", postgres.port),
            "--certificate",
        ])
        .arg(&certificate)
        .stdout(Stdio::piped())
        .spawn()?;
    let address = first_line(&mut relay)?;
    let mut client = Command::new(&program)
        .args(["floor-client", "--relay", &address, "--certificate"])
        .arg(&certificate)
        .stdout(Stdio::piped())
        .spawn()?;
    let listening: std::net::SocketAddr = first_line(&mut client)?.parse()?;
    let entry = Entry {
        host: listening.ip().to_string(),
        port: listening.port(),
        user: "postgres".to_owned(),
    };
    Ok(Hop {
        entry,
        client,
        relay,
        _stdin: None,
    })
}

/// Starts a relay with policy and recording on, logs an agent in and opens a session: Unix sockets at both ends.
pub fn ours(postgres: &Postgres, binaries: &Path, directory: &Path) -> Fallible<Hop> {
    let policy = directory.join("policy.cedar");
    std::fs::write(
        &policy,
        r#"
@id("connect") permit (principal in Hoop::Group::"agents", action == Hoop::Action::"connect", resource in Hoop::Tag::"env:bench");
@id("read") permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:read", resource in Hoop::Tag::"env:bench");
@id("no-drop") forbid (principal, action == Hoop::Action::"sql:drop", resource);
"#,
    )?;
    let config = directory.join("relay.toml");
    std::fs::write(
        &config,
        format!(
            "[policy]\nfiles = [\"policy.cedar\"]\n\n[[connection]]\nname = \"bench\"\nprotocol = \"postgres\"\ntags = [\"env:bench\"]\naddress = \"{}:{}\"\ndatabase = \"bench\"\nuser = \"postgres\"\ntls = \"disable\"\n",
            postgres.socket.display(),
            postgres.port
        ),
    )?;
    let mut relay = Command::new(binaries.join("hoop-relay"))
        .args(["dev", "--sign-in-as", "agent", "--listen", "127.0.0.1:0", "--data"])
        .arg(directory.join("data"))
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(directory.join("relay.log"))?)
        .spawn()?;
    let ready: serde_json::Value = serde_json::from_str(&first_line(&mut relay)?)?;
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().map(str::to_owned).ok_or(format!("no {key}"));
    let hoopctl = |arguments: &[&str]| {
        let mut command = Command::new(binaries.join("hoopctl"));
        command
            .env("HOOPCTL_CONFIG_DIR", directory.join("hoopctl"))
            .env("HOOPCTL_CREDENTIAL_STORE", "file")
            .env("XDG_RUNTIME_DIR", directory)
            .args(arguments);
        command
    };
    let login = hoopctl(&[
        "login",
        &text(&ready, "relay")?,
        "--ca",
        &text(&ready, "ca")?,
        "--no-input",
    ])
    .output()?;
    if !login.status.success() {
        return Err(format!("login failed: {}", String::from_utf8_lossy(&login.stderr)).into());
    }
    let mut client = hoopctl(&["connect", "bench", "--reason", "benchmark", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let opened: serde_json::Value = serde_json::from_str(&first_line(&mut client)?)?;
    let port = opened["port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .ok_or("no port")?;
    let entry = Entry {
        host: text(&opened, "host")?,
        port,
        user: text(&opened, "user")?,
    };
    let stdin = client.stdin.take();
    Ok(Hop {
        entry,
        client,
        relay,
        _stdin: stdin,
    })
}

/// Where pgbench is.
pub fn pgbench(pg_bin: &Path) -> PathBuf {
    pg_bin.join("pgbench")
}
