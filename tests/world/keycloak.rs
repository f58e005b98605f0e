//! Keycloak and a real browser: the second OpenID provider, in a full run only (`tests/run.sh --full`).

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::oidc::script;
use crate::postgres::free_port;
use crate::process::{Running, run};

/// A cold start builds itself first.
const START: Duration = Duration::from_secs(300);
/// The password of everybody in `oidc/realm.json`.
const PASSWORD: &str = "only for tests";

/// A running Keycloak with the realm of `oidc/realm.json`; it ends when this is dropped.
pub struct Keycloak {
    /// The realm's issuer.
    pub issuer: String,
    _process: Running,
}

impl Keycloak {
    /// Starts it, where a full run has installed it.
    pub fn start(folder: &Path) -> Option<Self> {
        let home = PathBuf::from(std::env::var_os("HOOP_TEST_KEYCLOAK")?);
        let import = home.join("data/import");
        std::fs::create_dir_all(&import).expect("a folder");
        std::fs::copy(script("realm.json"), import.join("hoop.json")).expect("the realm");
        let port = free_port();
        let log = std::fs::File::create(folder.join("keycloak.log")).expect("a log");
        // Java itself, not a shell around it: what is ended is what was started.
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\""])
            .arg(home.join("bin/kc.sh"))
            .args(["start-dev", "--import-realm", "--db=dev-mem", "--http-host=127.0.0.1"])
            .arg(format!("--http-port={port}"))
            .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("Keycloak");
        let process = Running::new(child);
        let origin = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        let ready = || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
                && crate::http::http(&origin, "GET", "/realms/hoop/.well-known/openid-configuration", "", "")
                    .starts_with("HTTP/1.1 200")
        };
        while !ready() {
            let told = || std::fs::read_to_string(folder.join("keycloak.log")).unwrap_or_default();
            assert!(begun.elapsed() < START, "Keycloak did not start:\n{}", told());
            std::thread::sleep(Duration::from_millis(500));
        }
        Some(Self {
            issuer: format!("{origin}/realms/hoop"),
            _process: process,
        })
    }

    /// Asks for the codes of a device login as a client that knows no PKCE; gives the whole answer.
    #[track_caller]
    pub fn device_login_without_pkce(&self, client: &str) -> String {
        let (origin, realm) = self.issuer.split_once("/realms/").expect("a realm");
        let path = format!("/realms/{realm}/protocol/openid-connect/auth/device");
        crate::http::http(origin, "POST", &path, "", &format!("client_id={client}&scope=openid"))
    }

    /// Logs a person in with Chromium at a page of Keycloak, typing a code where it is asked for; leaves pictures in `folder`.
    #[track_caller]
    pub fn click_through(&self, page: &str, user_code: &str, person: &str, folder: &Path) {
        run(Command::new("node")
            .arg(script("click.mjs"))
            .args([page, user_code, person, PASSWORD])
            .arg(folder))
        .expect_code(0);
    }
}
