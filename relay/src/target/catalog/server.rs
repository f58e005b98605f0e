//! A throwaway PostgreSQL for tests. Where none is installed, a test says so and ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::target::{Queries, QueryError, Rows};

/// A running server in a temporary directory, reached by its own socket; it ends with this value.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    bin: PathBuf,
}

impl Server {
    /// Starts a server and runs `sql` in it; `None`, with a line on stderr, where PostgreSQL is not installed.
    pub(crate) fn start(sql: &str) -> Option<Self> {
        let Some(bin) = newest_bin() else {
            eprintln!("skipped: no PostgreSQL under /usr/lib/postgresql");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("hoop-pg-").tempdir().unwrap();
        let server = Self { directory, bin };
        if rustix::process::geteuid().is_root() {
            // The server refuses to run as root.
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(server.directory.path())
                .status()
                .unwrap();
            assert!(owned.success());
        }
        let data = server.data();
        server.run(
            "initdb",
            &[
                "-D",
                &data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
            ],
        );
        let options = format!(
            "-k {} -c listen_addresses= -c fsync=off",
            server.directory.path().display()
        );
        let log = server.directory.path().join("log");
        server.run(
            "pg_ctl",
            &["-D", &data, "-o", &options, "-l", &log.to_string_lossy(), "-w", "start"],
        );
        server.ask(sql).unwrap();
        Some(server)
    }

    fn data(&self) -> String {
        self.directory.path().join("data").to_string_lossy().into_owned()
    }

    fn run(&self, program: &str, args: &[&str]) {
        let path = self.bin.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        // Files, not pipes: the server inherits them and would keep a pipe open.
        let output = command
            .args(args)
            .current_dir("/")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(output.success(), "{program} {args:?}");
    }

    /// Runs a text through psql; gives its rows.
    pub(crate) fn ask(&self, sql: &str) -> Result<Rows, QueryError> {
        self.output(sql).map(|text| rows(&text))
    }

    /// Runs a text through psql; gives what it prints.
    pub(crate) fn output(&self, sql: &str) -> Result<String, QueryError> {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-F",
                "\u{1f}",
                "-R",
                "\u{1e}",
                "-P",
            ])
            .arg(format!("null={NULL}"))
            .arg("-h")
            .arg(self.directory.path())
            .args(["-U", "postgres", "-d", "postgres", "-f", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                use std::io::Write as _;
                let mut input = child.stdin.take().unwrap();
                let sql = sql.to_owned();
                let writer = std::thread::spawn(move || input.write_all(sql.as_bytes()));
                let output = child.wait_with_output();
                let _ = writer.join();
                output
            })
            .unwrap();
        if !output.status.success() {
            return Err(QueryError::Refused {
                code: String::new(),
                message: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(String::from_utf8(output.stdout).unwrap())
    }

    /// The socket's directory, for other clients.
    pub(crate) fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// Where the server's programs are.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }
}

/// Stands for NULL in an answer.
const NULL: &str = "\u{1}null";

fn rows(text: &str) -> Rows {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split('\u{1e}')
        .map(|row| {
            row.split('\u{1f}')
                .map(|field| (field != NULL).then(|| field.to_owned()))
                .collect()
        })
        .collect()
}

/// Asks in a session that has run a text first.
pub(crate) struct Within<'s>(pub &'s Server, pub &'s str);

impl Queries for Within<'_> {
    async fn rows(&mut self, sql: &str) -> Result<Rows, QueryError> {
        let answers = self.all(vec![sql.to_owned()]).await?;
        Ok(answers.into_iter().next().unwrap())
    }

    async fn all(&mut self, queries: Vec<String>) -> Result<Vec<Rows>, QueryError> {
        let mut script = format!("{};\nSET search_path = pg_catalog, pg_temp;\n", self.1);
        for query in &queries {
            script.push_str(&format!("{query};\n\\echo <<end>>\n"));
        }
        let answer = self.0.output(&script)?;
        Ok(answer.split("<<end>>\n").take(queries.len()).map(rows).collect())
    }
}

impl Queries for Server {
    async fn rows(&mut self, sql: &str) -> Result<Rows, QueryError> {
        self.ask(&format!("SET search_path = pg_catalog;\n{sql};"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]);
    }
}

fn newest_bin() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("psql").exists())
        .collect();
    found.sort();
    Some(found.pop()?.1)
}
