//! A throwaway PostgreSQL server for tests: a data directory of its own, TLS, one role for each way to log in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian and others put the programs that belong to a server.
const PLACES: [&str; 5] = [
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/local/bin",
];

/// A running server. It ends with the value.
pub(crate) struct Server {
    child: Child,
    directory: tempfile::TempDir,
    port: u16,
    bin: PathBuf,
}

impl Server {
    /// Starts one. `None`, and a line on stderr that says why, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = PLACES
            .iter()
            .map(PathBuf::from)
            .find(|place| place.join("initdb").exists())
        else {
            eprintln!("skipped: no PostgreSQL server is installed");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let root = rustix::process::geteuid().is_root();
        if root && run(Command::new("id").args(["-u", "postgres"])).is_none() {
            eprintln!("skipped: PostgreSQL does not run as root, and there is no user postgres");
            return None;
        }
        if root {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let as_server = |program: &Path| {
            let mut command = if root {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                    .arg(program);
                command
            } else {
                Command::new(program)
            };
            command.current_dir(directory.path()).stdin(Stdio::null());
            command
        };
        let data = directory.path().join("data");
        run(as_server(&bin.join("initdb")).arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        ]))
        .expect("initdb");
        certificates(&data);
        write_file(
            &data.join("pg_hba.conf"),
            "local all clear password\nlocal all all trust\nhost all scram 127.0.0.1/32 scram-sha-256\nhost all md5 127.0.0.1/32 md5\nhost all clear 127.0.0.1/32 password\nhost all all 127.0.0.1/32 trust\nhost all scram ::1/128 scram-sha-256\nhost all all ::1/128 trust\n",
        );
        if root {
            run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(&data)).expect("chown");
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = as_server(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                &format!("port={port}"),
                "-c",
                "listen_addresses=localhost",
                "-c",
                "fsync=off",
                "-c",
                "ssl=on",
            ])
            .args([
                "-c",
                "ssl_cert_file=server.crt",
                "-c",
                "ssl_key_file=server.key",
                "-c",
                "max_connections=60",
            ])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", directory.path().display()))
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            directory,
            port,
            bin,
        };
        let begun = Instant::now();
        while server.try_psql("select 1").is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{}",
                fs::read_to_string(server.directory.path().join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        server.psql(
            "create role scram superuser login password 'secret'; set password_encryption = md5; \
             create role md5 login password 'secret'; create role clear login password 'secret'",
        );
        Some(server)
    }

    /// Its TCP port on localhost.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its Unix socket is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The certificate that its own is signed with. Its own is for `localhost`, not for 127.0.0.1.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("data/ca.crt")
    }

    /// A program of its version.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Runs SQL as its superuser.
    pub(crate) fn psql(&self, sql: &str) -> String {
        self.try_psql(sql).expect("psql")
    }

    fn try_psql(&self, sql: &str) -> Option<String> {
        run(Command::new(self.program("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-h",
            ])
            .arg(self.directory.path())
            .args(["-p", &self.port.to_string(), "-c", sql]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown, which also ends the server's own children.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write_file(path: &Path, text: &str) {
    let mut file = fs::File::create(path).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn certificates(data: &Path) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    write_file(&data.join("ca.crt"), &issuer_certificate.pem());
    write_file(&data.join("server.crt"), &certificate.pem());
    write_file(&data.join("server.key"), &key.serialize_pem());
}
