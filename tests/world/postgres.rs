//! One real PostgreSQL for the whole test binary, with a database for each world. It logs every statement: what is not
//! in its log never reached it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::process;

/// The role that relays log in as.
pub const ROLE: &str = "shop_gateway";
/// Its password: a word that must not appear in any output, log or recording.
pub const PASSWORD: &str = "t0p-secret-of-the-target";

/// A running server.
pub struct Cluster {
    bin: PathBuf,
    directory: PathBuf,
    port: u16,
    /// Holds the pipe whose end stops the server when the test binary ends.
    _keeper: std::sync::Mutex<Child>,
}

/// A database with the sample data.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name.
    pub name: String,
}

/// What a server has beside the ordinary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra<'a> {
    /// Its certificate and key, PEM: it speaks TLS.
    pub tls: Option<(&'a str, &'a str)>,
    /// Lines of `pg_hba.conf` that go before the ordinary ones.
    pub hba: &'a str,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(1);

impl Cluster {
    /// The server, started at the first call.
    pub fn get() -> &'static Self {
        CLUSTER.get_or_init(|| Self::start(Extra::default()))
    }

    /// A server of one's own, for as long as it is kept.
    pub fn with(extra: Extra<'_>) -> Self {
        Self::start(extra)
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.directory
    }

    /// A client program of the same version.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn start(extra: Extra<'_>) -> Self {
        let bin = PathBuf::from(std::env::var_os("PG_BIN").unwrap_or_else(|| newest_installed().into_os_string()));
        assert!(
            bin.join("initdb").exists(),
            "no PostgreSQL in {}: run tests/run.sh, which installs it",
            bin.display()
        );
        let directory = tempfile::Builder::new()
            .prefix("hoop-tests-pg")
            .tempdir()
            .expect("tempdir")
            .keep();
        let root = process::run(Command::new("id").arg("-u")).stdout.trim() == "0";
        let prefix: &[&str] = if root {
            &["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        } else {
            &[]
        };
        if root {
            process::run(Command::new("chown").arg("postgres:postgres").arg(&directory)).expect_code(0);
        }
        let data = directory.join("data");
        let mut settings = vec!["listen_addresses=127.0.0.1".to_owned(), "log_connections=on".to_owned()];
        if let Some((certificate, key)) = extra.tls {
            settings.push("ssl=on".to_owned());
            for (setting, name, text) in [
                ("ssl_cert_file", "server.crt", certificate),
                ("ssl_key_file", "server.key", key),
            ] {
                let file = directory.join(name);
                std::fs::write(&file, text).expect("a file of the server");
                if root {
                    process::run(Command::new("chown").arg("postgres:postgres").arg(&file)).expect_code(0);
                }
                process::run(Command::new("chmod").arg("600").arg(&file)).expect_code(0);
                settings.push(format!("{setting}={}", file.display()));
            }
        }
        let with_prefix = |program: &Path| {
            let mut words = prefix
                .iter()
                .map(|word| (*word).to_owned())
                .chain([program.display().to_string()]);
            let mut command = Command::new(words.next().expect("a program"));
            command.args(words);
            command
        };
        process::run(with_prefix(&bin.join("initdb")).arg("-D").arg(&data).args([
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]))
        .expect_code(0);
        let hba = data.join("pg_hba.conf");
        let ordinary = std::fs::read_to_string(&hba).expect("pg_hba.conf");
        std::fs::write(&hba, format!("{}\n{ordinary}", extra.hba)).expect("pg_hba.conf");
        let port = free_port();
        // The shell's stdin is a pipe of ours: when the test binary ends, however it ends, the server stops.
        let script = r#""$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$FOLDER""#;
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", script, "keeper"])
            .args(prefix)
            .arg(bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(&directory)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .args(["-c", "fsync=off", "-c", "max_connections=300"])
            .args([
                "-c",
                "log_statement=all",
                "-c",
                "log_line_prefix=%d|%a|",
                "-c",
                "max_prepared_transactions=10",
            ])
            .env("FOLDER", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("log")).expect("log"));
        // A terminal's Ctrl-C must reach the tests first, which then close the pipe.
        std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
        let keeper = keeper.spawn().expect("sh");
        let cluster = Self {
            bin,
            directory,
            port,
            _keeper: std::sync::Mutex::new(keeper),
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while cluster.try_psql("postgres", "SELECT 1").code != 0 {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL did not start:\n{}",
                cluster.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster.psql(
            "postgres",
            &format!("CREATE ROLE {ROLE} LOGIN NOINHERIT PASSWORD '{PASSWORD}'"),
        );
        cluster.psql("postgres", "CREATE DATABASE sample");
        let sample = include_str!("../../relay/demo/shop.sql");
        // The role belongs to the cluster and exists already.
        let sample: String = sample
            .lines()
            .filter(|line| !line.starts_with("CREATE ROLE"))
            .map(|line| format!("{line}\n"))
            .collect();
        let sample = sample.replace(":\"role\"", ROLE);
        cluster.psql("sample", &sample);
        cluster
    }

    /// Makes a database with the sample data.
    pub fn database(&self) -> Database {
        let name = format!("shop{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        // Two copies of one template cannot be made at the same time.
        static COPYING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _copying = COPYING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE sample"));
        Database { name }
    }

    /// Runs SQL as the superuser, past the gateway; gives its unaligned output.
    #[track_caller]
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).expect_code(0).stdout
    }

    fn try_psql(&self, database: &str, sql: &str) -> process::Finished {
        process::run(
            Command::new(self.bin.join("psql"))
                .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-h"])
                .arg(&self.directory)
                .args([
                    "-p",
                    &self.port.to_string(),
                    "-U",
                    "postgres",
                    "-d",
                    database,
                    "-c",
                    sql,
                ]),
        )
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// How many log lines of this database show a statement that contains `text`.
    pub fn executions(&self, database: &Database, text: &str) -> usize {
        let prefix = format!("{}|", database.name);
        self.log()
            .lines()
            .filter(|line| line.starts_with(&prefix) && line.contains(text) && is_execution(line))
            .count()
    }
}

/// `statement:` is a simple query, `execute NAME:` an extended one.
fn is_execution(line: &str) -> bool {
    line.contains("LOG:  statement: ") || line.contains("LOG:  execute ")
}

impl Database {
    /// Runs SQL as the superuser, past the gateway.
    #[track_caller]
    pub fn psql(&self, sql: &str) -> String {
        Cluster::get().psql(&self.name, sql)
    }
}

fn newest_installed() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found.pop().unwrap_or_default()
}

/// A TCP port that nobody listens on right now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
