//! Somebody with `hoopctl`: a configuration folder of their own, and a login.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::http::http;
use crate::postgres::Cluster;
use crate::process::{Finished, Running, eventually, program, run};
use crate::relay::World;

/// A person of one world.
pub struct Person<'w> {
    world: &'w World,
    home: PathBuf,
}

impl<'w> Person<'w> {
    pub(crate) fn stranger(world: &'w World) -> Self {
        let home = tempfile::Builder::new()
            .prefix("home-")
            .tempdir_in(world.folder())
            .expect("home")
            .keep();
        Self { world, home }
    }

    pub(crate) fn at(world: &'w World, home: PathBuf) -> Self {
        Self { world, home }
    }

    pub(crate) fn log_in(world: &'w World, user: &str) -> Self {
        let person = Self::stranger(world);
        person.log_in_with(&["--ca", &world.ca.display().to_string()], user);
        person
    }

    /// Logs in by the device flow as `user` of the embedded provider, with these options.
    #[track_caller]
    pub fn log_in_with(&self, options: &[&str], user: &str) {
        let mut login = self.command(&["login", &self.world.relay, "--no-input"]);
        let login = login
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut login = Running::new(login.spawn().expect("hoopctl"));
        let code = read_user_code(login.child().stderr.take().expect("a pipe"));
        self.world.confirm(&code, user);
        login.finish().expect_code(0);
    }

    /// Their configuration folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A `hoopctl` command of this person.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("hoopctl"));
        command
            .args(arguments)
            .env_remove("PGPASSWORD")
            .env_remove("BROWSER")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env("HOME", &self.home)
            .env("HOOPCTL_CONFIG_DIR", self.home.join("hoopctl"))
            .env("HOOPCTL_CREDENTIAL_STORE", "file")
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("PSQLRC", "/dev/null")
            .env("PSQL_HISTORY", "/dev/null");
        command
    }

    /// The same under a clock that is off by so much, as `faketime -f` has it: `+5m`.
    pub fn command_at(&self, offset: &str, arguments: &[&str]) -> Command {
        let told = self.command(arguments);
        let mut command = Command::new("faketime");
        command
            .args(["-f", offset])
            .arg(told.get_program())
            .args(told.get_args());
        for (name, value) in told.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs `hoopctl` to its end.
    #[track_caller]
    pub fn hoopctl(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments))
    }

    /// `hoopctl connect db-prod -- psql ARGUMENTS…`, prepared.
    pub fn psql_command(&self, arguments: &[&str]) -> Command {
        let psql = Cluster::get().program("psql").display().to_string();
        let mut command = self.command(&["connect", "db-prod", "--reason", "test", "--", &psql, "-X"]);
        command.args(arguments);
        command
    }

    /// Runs psql through the gateway with these arguments.
    #[track_caller]
    pub fn psql_with(&self, arguments: &[&str]) -> Finished {
        run(&mut self.psql_command(arguments))
    }

    /// Runs one command string in psql through the gateway: unaligned, rows only.
    #[track_caller]
    pub fn psql(&self, sql: &str) -> Finished {
        self.psql_with(&["-qAt", "-c", sql])
    }

    /// Runs several commands one after another in one psql, as if typed; an error does not stop it.
    #[track_caller]
    pub fn psql_script(&self, script: &str) -> Finished {
        self.psql_start(script).finish()
    }

    /// Starts psql with a script on its standard input.
    #[track_caller]
    pub fn psql_start(&self, script: &str) -> Running {
        let mut command = self.psql_command(&["-qAt"]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hoopctl");
        let mut running = Running::new(child);
        running
            .child()
            .stdin
            .take()
            .expect("a pipe")
            .write_all(script.as_bytes())
            .expect("psql reads");
        running
    }

    /// Waits until there is a pending request that this person may see; gives it.
    #[track_caller]
    pub fn pending_request(&self) -> Value {
        eventually("a pending request", || {
            let listed = self.hoopctl(&["requests", "ls", "-o", "json"]).expect_code(0).json();
            listed
                .as_array()?
                .iter()
                .find(|request| request["status"] == "pending")
                .cloned()
        })
    }

    /// Opens a session without a client; gives it with its line of JSON.
    #[track_caller]
    pub fn connect(&self, more: &[&str]) -> Connected {
        let mut command = self.command(&["connect", "db-prod", "--reason", "test", "-o", "json"]);
        let child = command
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hoopctl");
        let mut running = Running::new(child);
        let mut line = String::new();
        BufReader::new(running.child().stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let Ok(opened) = serde_json::from_str(&line) else {
            let finished = running.finish();
            panic!("no line of JSON: {line}\n{}\ncode {}", finished.stderr, finished.code);
        };
        Connected { running, opened }
    }
}

/// A session that `hoopctl connect` keeps open.
pub struct Connected {
    /// The process.
    pub running: Running,
    /// What it said when ready.
    pub opened: Value,
}

impl Connected {
    /// A member of the line of JSON, as text.
    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        match &self.opened[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Reads the code that hoopctl shows, then leaves a thread reading the rest.
pub fn read_user_code(stderr: impl Read + Send + 'static) -> String {
    read_word(stderr, |word| {
        word.len() == 9 && word.as_bytes().get(4) == Some(&b'-') && *word == word.to_uppercase()
    })
}

/// Reads what hoopctl says until there is such a word, then leaves a thread reading the rest.
#[track_caller]
pub fn read_word(stderr: impl Read + Send + 'static, fits: impl Fn(&str) -> bool) -> String {
    let mut lines = BufReader::new(stderr).lines();
    let mut seen = String::new();
    for line in lines.by_ref() {
        let line = line.expect("text");
        if let Some(word) = line.split_whitespace().find(|word| fits(word)) {
            let word = word.to_owned();
            std::thread::spawn(move || lines.for_each(drop));
            return word;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    panic!("hoopctl did not show it:\n{seen}");
}

/// Fills in the device page of the embedded identity provider, as a browser would: opens it, takes the form's token, sends it.
pub(crate) fn choose_on_the_device_page(issuer: &str, code: &str, user: &str) {
    let page = http(issuer, "GET", &format!("/device?user_code={code}"), "", "");
    let cookie = page
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .starts_with("set-cookie: ")
                .then(|| line["set-cookie: ".len()..].to_owned())
        })
        .and_then(|line| line.split(';').next().map(str::to_owned))
        .unwrap_or_else(|| panic!("no form:\n{page}"));
    let token = page
        .split("name=\"token\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a form token");
    let form = format!("user_code={code}&token={token}&decision=approve&user={user}");
    let done = http(issuer, "POST", "/device", &cookie, &form);
    assert!(done.starts_with("HTTP/1.1 200"), "{done}");
}
