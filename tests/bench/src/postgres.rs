//! A throwaway PostgreSQL for the measurements: pgbench's tables and a table of a million rows.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// A running server, stopped when dropped.
pub struct Postgres {
    bin: PathBuf,
    /// Where its Unix socket is.
    pub socket: PathBuf,
    /// Its port.
    pub port: u16,
    server: Child,
}

impl Postgres {
    /// Makes a cluster in `directory`, starts it and fills it.
    pub fn start(bin: &Path, directory: &Path) -> Fallible<Self> {
        let data = directory.join("postgres");
        std::fs::create_dir_all(&data)?;
        let root = whoami_is_root();
        if root {
            let chown = Command::new("chown").arg("postgres").arg(&data).status()?;
            if !chown.success() {
                return Err("no user called postgres to run the server as".into());
            }
        }
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let cluster = data.join("cluster");
        let initdb = as_postgres(root, &bin.join("initdb"))
            .arg("-D")
            .arg(&cluster)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"])
            .stdout(Stdio::null())
            .status()?;
        if !initdb.success() {
            return Err("initdb failed".into());
        }
        let server = as_postgres(root, &bin.join("postgres"))
            .arg("-D")
            .arg(&cluster)
            .args(["-p", &port.to_string(), "-k"])
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
                "-c",
                "shared_buffers=256MB",
            ])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("postgres.log"))?)
            .spawn()?;
        let postgres = Self {
            bin: bin.to_owned(),
            socket: data,
            port,
            server,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while postgres.psql("postgres", "SELECT 1").is_err() {
            if Instant::now() > deadline {
                return Err("PostgreSQL did not start within 30 s".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        postgres.psql("postgres", "CREATE DATABASE bench")?;
        let fill = postgres
            .client("pgbench")
            .args(["-i", "-s", "10", "-q", "bench"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if !fill.success() {
            return Err("pgbench -i failed".into());
        }
        postgres.psql(
            "bench",
            "CREATE TABLE bulk AS SELECT n AS id, md5(n::text) AS digest, 'row number ' || n AS title, n * 1.5 AS amount FROM generate_series(1, 1000000) n",
        )?;
        postgres.psql("bench", "VACUUM ANALYZE")?;
        Ok(postgres)
    }

    /// One of the client programs, pointed at the server's Unix socket.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command
            .env("PGHOST", &self.socket)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres");
        command
    }

    /// Runs one statement.
    pub fn psql(&self, database: &str, statement: &str) -> Fallible<()> {
        let done = self
            .client("psql")
            .args(["-qXtA", "-d", database, "-c", statement])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if done.success() {
            Ok(())
        } else {
            Err(format!("failed: {statement}").into())
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is the fast shutdown; a SIGKILL would leave shared memory behind.
        let _ = Command::new("kill")
            .args(["-INT", &self.server.id().to_string()])
            .status();
        let _ = self.server.wait();
    }
}

fn whoami_is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
}

/// The server refuses to run as root.
fn as_postgres(root: bool, program: &Path) -> Command {
    if root {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}
