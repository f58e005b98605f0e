//! A world: a relay of its own in front of a database of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::network::Network;
use crate::person::{Person, choose_on_the_device_page};
use crate::postgres::{Cluster, Database, PASSWORD, ROLE};
use crate::process::{Running, eventually, program};

/// What everybody may do unless a test says otherwise: connect and read; a dba approves writes; nobody drops.
pub const POLICY: &str = include_str!("../../relay/demo/policy.cedar");

/// Prepares a world.
pub struct WorldBuilder {
    policy: String,
    config: String,
    settings: String,
    target: Option<String>,
    files: Vec<(String, String)>,
    surroundings: Surroundings,
}

/// What a relay's process gets besides its configuration.
#[derive(Clone)]
struct Surroundings {
    log: Option<String>,
    password_in_environment: bool,
}

/// A running relay, its database, and a folder for all their files.
pub struct World {
    /// The relay's address.
    pub relay: String,
    /// The pin that `hoopctl login --pin` takes.
    pub pin: String,
    /// The file of the relay's CA.
    pub ca: PathBuf,
    /// The embedded identity provider.
    pub issuer: String,
    /// The database behind the connection `db-prod`.
    pub database: Database,
    folder: tempfile::TempDir,
    surroundings: Surroundings,
    process: Option<Running>,
    /// Where the relay itself listens; `relay` may be the address of something in between.
    listens: String,
}

impl World {
    /// Begins a world with the demo's policy and without masks.
    #[allow(clippy::new_ret_no_self, reason = "a world is built step by step")]
    pub fn new() -> WorldBuilder {
        WorldBuilder {
            policy: POLICY.to_owned(),
            config: String::new(),
            settings: String::new(),
            target: None,
            files: Vec::new(),
            surroundings: Surroundings {
                log: None,
                password_in_environment: true,
            },
        }
    }

    /// A world with everything as the demo has it.
    pub fn start() -> Self {
        Self::new().start()
    }

    /// Logs a person in by the device flow, with a configuration folder of their own.
    pub fn person(&self, user: &str) -> Person<'_> {
        Person::log_in(self, user)
    }

    /// Chooses who to be on the device page of the embedded provider, as a person in a browser does.
    pub fn choose(&self, code: &str, user: &str) {
        crate::person::choose_on_the_device_page(&self.issuer, code, user);
    }

    /// Somebody who was here before the world changed, with what their folder holds.
    pub fn returning(&self, home: PathBuf) -> Person<'_> {
        Person::at(self, home)
    }

    /// A person of this machine who has not logged in.
    pub fn stranger(&self) -> Person<'_> {
        Person::stranger(self)
    }

    /// Confirms a device code as a person of the embedded identity provider.
    #[track_caller]
    pub fn confirm(&self, code: &str, user: &str) {
        choose_on_the_device_page(&self.issuer, code, user);
    }

    /// A `hoop-relay` command.
    pub fn relay_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("hoop-relay"));
        command.args(arguments).env("TEST_DB_PASSWORD", PASSWORD);
        command
    }

    /// The world's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The relay's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the relay has logged.
    pub fn relay_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("relay.log")).unwrap_or_default()
    }

    /// Writes another policy file; the relay reads it at `reload`.
    pub fn write_policy(&self, policy: &str) {
        std::fs::write(self.folder.path().join("policy.cedar"), policy).expect("policy file");
    }

    /// Changes relay.toml; the relay reads it at `reload`.
    pub fn change_config(&self, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join("relay.toml");
        let text = std::fs::read_to_string(&file).expect("relay.toml");
        std::fs::write(&file, change(text)).expect("relay.toml");
    }

    /// Has the relay read its files again; gives whether it took them.
    #[track_caller]
    pub fn reload(&self) -> bool {
        let count = |log: &str, what: &str| log.matches(what).count();
        let (done, refused) = ("configuration and policies reloaded", "reload refused");
        let before = self.relay_log();
        let (done_before, refused_before) = (count(&before, done), count(&before, refused));
        self.process.as_ref().expect("the relay runs").signal("HUP");
        eventually("the relay reloads", || {
            let log = self.relay_log();
            if count(&log, done) > done_before {
                return Some(true);
            }
            (count(&log, refused) > refused_before).then_some(false)
        })
    }

    /// Where the relay itself listens.
    pub fn listens(&self) -> &str {
        &self.listens
    }

    /// Puts a network of the test's own between people and the relay: they log in and connect through it.
    pub fn through(&mut self) -> Network {
        let network = Network::towards(&self.listens);
        self.relay = network.address();
        network
    }

    /// The relay's process id.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the relay runs").pid()
    }

    /// Sends the relay a signal.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("the relay runs").signal(name);
    }

    /// Waits until the relay has ended by itself; gives its exit code.
    #[track_caller]
    pub fn wait_for_the_relays_end(&mut self) -> i32 {
        self.process.take().expect("the relay runs").finish().code
    }

    /// Ends the relay at once and starts it again on the same data and address.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Ends the relay at once.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the relay runs");
        process.signal("KILL");
        let _ = process.child().wait();
    }

    /// Starts a relay that has ended on the same data and address.
    pub fn restart(&mut self) {
        let (process, _) = launch(self.folder.path(), &self.listens, &self.surroundings);
        self.process = Some(process);
    }
}

impl WorldBuilder {
    /// Replaces the policies.
    #[must_use]
    pub fn policy(mut self, policy: &str) -> Self {
        self.policy = policy.to_owned();
        self
    }

    /// Adds to the policies.
    #[must_use]
    pub fn more_policy(mut self, policy: &str) -> Self {
        self.policy.push_str(policy);
        self
    }

    /// Adds tables to relay.toml: `[[mask]]`, `[limits]`, …
    #[must_use]
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Adds keys to the connection `db-prod`.
    #[must_use]
    pub fn connection(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }

    /// Points `db-prod` at another address than the test's PostgreSQL.
    #[must_use]
    pub fn target(mut self, address: &str) -> Self {
        self.target = Some(address.to_owned());
        self
    }

    /// Puts a file beside relay.toml, which may name it.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Has the relay log by this filter.
    #[must_use]
    pub fn log(mut self, filter: &str) -> Self {
        self.surroundings.log = Some(filter.to_owned());
        self
    }

    /// Gives the relay the target's password in a file, and not in its environment.
    #[must_use]
    pub fn password_in_a_file(mut self) -> Self {
        self.surroundings.password_in_environment = false;
        self
    }

    /// Starts the relay.
    pub fn start(self) -> World {
        let cluster = Cluster::get();
        let database = cluster.database();
        let folder = tempfile::Builder::new()
            .prefix("hoop-world")
            .tempdir()
            .expect("tempdir");
        let address = self.target.unwrap_or_else(|| format!("127.0.0.1:{}", cluster.port()));
        for (name, text) in self.files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        std::fs::write(folder.path().join("policy.cedar"), self.policy).expect("policy file");
        let password = if self.surroundings.password_in_environment {
            "env = \"TEST_DB_PASSWORD\"".to_owned()
        } else {
            let file = folder.path().join("password");
            std::fs::write(&file, PASSWORD).expect("password file");
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
            format!("file = \"{}\"", file.display())
        };
        let config = format!(
            "[policy]\nfiles = [\"policy.cedar\"]\n\n{}\n[[connection]]\nname = \"db-prod\"\nprotocol = \"postgres\"\ntags = [\"env:demo\"]\n\
             address = \"{address}\"\ndatabase = \"{}\"\nuser = \"{ROLE}\"\npassword = {{ {password} }}\n{}",
            self.config,
            database.name,
            if self.settings.contains("tls") {
                self.settings
            } else {
                format!("tls = \"disable\"\n{}", self.settings)
            },
        );
        std::fs::write(folder.path().join("relay.toml"), config).expect("relay.toml");
        let (process, ready) = launch(folder.path(), "127.0.0.1:0", &self.surroundings);
        let text = |key: &str| {
            ready[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {ready}"))
                .to_owned()
        };
        World {
            relay: text("relay"),
            pin: text("pin"),
            ca: text("ca").into(),
            issuer: text("issuer"),
            listens: text("relay"),
            database,
            process: Some(process),
            surroundings: self.surroundings,
            folder,
        }
    }
}

/// Starts `hoop-relay dev` in a folder and waits for its line of JSON.
fn launch(folder: &Path, listen: &str, surroundings: &Surroundings) -> (Running, serde_json::Value) {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("relay.log"))
        .expect("relay.log");
    let mut command = Command::new(program("hoop-relay"));
    if let Some(filter) = &surroundings.log {
        command.env("HOOP_LOG", filter);
    }
    if surroundings.password_in_environment {
        command.env("TEST_DB_PASSWORD", PASSWORD);
    }
    let child = command
        .args(["dev", "--listen", listen, "--data"])
        .arg(folder.join("data"))
        .arg("--config")
        .arg(folder.join("relay.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("hoop-relay");
    let mut process = Running::new(child);
    let stdout = process.child().stdout.take().expect("a pipe");
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        let _ = send.send(lines.next());
        // The relay must never block on a full pipe.
        lines.for_each(drop);
    });
    let log = || std::fs::read_to_string(folder.join("relay.log")).unwrap_or_default();
    let line = match receive.recv_timeout(Duration::from_secs(120)) {
        Ok(Some(Ok(line))) => line,
        _ => panic!("the relay did not become ready:\n{}", log()),
    };
    let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", log()));
    (process, ready)
}
