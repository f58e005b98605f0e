//! A real OpenID provider, npm's `oidc-provider`, and what a person does with it in a browser.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::postgres::free_port;
use crate::process::{Running, run};

/// A running provider with the people carol, frank, dave and erin; it ends when this is dropped.
pub struct OidcProvider {
    /// The issuer's URL.
    pub issuer: String,
    _process: Running,
}

pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("world/oidc").join(name)
}

impl OidcProvider {
    /// Starts it.
    pub fn start() -> Self {
        assert!(
            std::env::var_os("HOOP_TEST_OIDC").is_some(),
            "tests/run.sh installs oidc-provider and sets HOOP_TEST_OIDC"
        );
        let child = Command::new("node")
            .arg(script("provider.mjs"))
            .arg(free_port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut process = Running::new(child);
        let mut lines = BufReader::new(process.child().stdout.take().expect("a pipe")).lines();
        let line = lines.next().expect("a line").expect("text");
        // The provider must never meet a closed pipe: it ends when it cannot write.
        std::thread::spawn(move || lines.for_each(drop));
        let ready: serde_json::Value = serde_json::from_str(&line).expect("the provider's line");
        Self {
            issuer: ready["issuer"].as_str().expect("an issuer").to_owned(),
            _process: process,
        }
    }

    /// Goes through the provider's pages as a person: types the code, logs in, agrees.
    #[track_caller]
    pub fn approve(&self, user_code: &str, person: &str) {
        run(Command::new("node").arg(script("browser.mjs")).args([
            &format!("{}/device", self.issuer),
            user_code,
            person,
        ]))
        .expect_code(0);
    }
}
