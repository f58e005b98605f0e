//! A real OpenID provider, npm's `oidc-provider`, and what a person does with it in a browser.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::postgres::free_port;
use crate::process::{Running, run};

/// A running provider with the people of `oidc/provider.mjs`; it ends when this is dropped.
pub struct OidcProvider {
    /// The issuer's URL.
    pub issuer: String,
    issued: Arc<Mutex<Vec<String>>>,
    _process: Running,
}

pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("world/oidc").join(name)
}

impl OidcProvider {
    /// Starts one that knows device logins and logins in a browser.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that knows logins in a browser only.
    pub fn start_without_device_logins() -> Self {
        Self::start_with(&["no-device"])
    }

    fn start_with(options: &[&str]) -> Self {
        assert!(
            std::env::var_os("HOOP_TEST_OIDC").is_some(),
            "tests/run.sh installs oidc-provider and sets HOOP_TEST_OIDC"
        );
        let child = Command::new("node")
            .arg(script("provider.mjs"))
            .arg(free_port().to_string())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut process = Running::new(child);
        let mut lines = BufReader::new(process.child().stdout.take().expect("a pipe")).lines();
        let line = lines.next().expect("a line").expect("text");
        let issued = Arc::new(Mutex::new(Vec::new()));
        // The provider must never meet a closed pipe: it ends when it cannot write.
        std::thread::spawn({
            let issued = Arc::clone(&issued);
            move || {
                for line in lines.map_while(Result::ok) {
                    let grant: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                    let tokens = grant["tokens"].as_array().into_iter().flatten();
                    let tokens = tokens.filter_map(|token| token.as_str().map(str::to_owned));
                    issued.lock().expect("no panic").extend(tokens);
                }
            }
        });
        let ready: serde_json::Value = serde_json::from_str(&line).expect("the provider's line");
        Self {
            issuer: ready["issuer"].as_str().expect("an issuer").to_owned(),
            issued,
            _process: process,
        }
    }

    /// Goes through the provider's pages as a person: types the code, logs in, agrees.
    #[track_caller]
    pub fn approve(&self, user_code: &str, person: &str) {
        self.log_in_at(&format!("{}/device", self.issuer), user_code, person);
    }

    /// Opens a page of the provider and logs in there as a person.
    #[track_caller]
    pub fn log_in_at(&self, page: &str, user_code: &str, person: &str) {
        run(Command::new("node")
            .arg(script("browser.mjs"))
            .args([page, user_code, person]))
        .expect_code(0);
    }

    /// A program that a `BROWSER` variable can name: it logs in as a person at the page it is given.
    pub fn browser_of(&self, folder: &Path, person: &str) -> PathBuf {
        let path = folder.join(format!("browser-of-{person}"));
        let text = format!(
            "#!/bin/sh\nexec node '{}' \"$1\" - {person} >'{}' 2>&1\n",
            script("browser.mjs").display(),
            folder.join("browser.log").display()
        );
        std::fs::write(&path, text).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        path
    }

    /// Every token that it has issued: access, refresh and ID tokens.
    pub fn issued(&self) -> Vec<String> {
        self.issued.lock().expect("no panic").clone()
    }
}
