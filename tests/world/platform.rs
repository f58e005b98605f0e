//! A CI platform or a cluster, as its jobs and a relay see it: an issuer, and its ways to give a job its token.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::http::http;
use crate::oidc::script;
use crate::postgres::free_port;
use crate::process::Running;

/// A running platform; it ends when this is dropped.
pub struct Platform {
    /// The issuer's URL.
    pub issuer: String,
    mint: String,
    runtime: String,
    _process: Running,
}

impl Platform {
    /// Starts it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one whose issuer speaks TLS with this certificate for 127.0.0.1 and its key, PEM files.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        Self::start_with(&[certificate, key])
    }

    fn start_with(files: &[&Path]) -> Self {
        let child = Command::new("node")
            .arg(script("platform.mjs"))
            .arg(free_port().to_string())
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut process = Running::new(child);
        let mut line = String::new();
        BufReader::new(process.child().stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("the platform's line");
        let text = |key: &str| ready[key].as_str().expect("text").to_owned();
        Self {
            issuer: text("issuer"),
            mint: text("mint"),
            runtime: text("runtime"),
            _process: process,
        }
    }

    /// The variables that a GitHub job has whose permissions include `id-token: write`.
    pub fn github_variables(&self) -> Vec<(String, String)> {
        vec![
            (
                "ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(),
                format!("{}/idtoken?api-version=2.0", self.issuer),
            ),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), self.runtime.clone()),
        ]
    }

    /// A token of one of the platforms' shapes: `github`, `gitlab`, `kubernetes`.
    #[track_caller]
    pub fn token(&self, shape: &str, audience: &str) -> String {
        self.mint(&json!({"shape": shape, "aud": audience}))
    }

    /// A token as the test wants it; what may be wanted stands in `oidc/platform.mjs`.
    #[track_caller]
    pub fn mint(&self, wish: &Value) -> String {
        let answer = http(&self.mint, "POST", "/mint", "", &wish.to_string());
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        // Short answers come in one chunk or with a length.
        let token = body.split_whitespace().max_by_key(|part| part.len()).expect("a token");
        token.to_owned()
    }
}

/// A block of a guide in relay/docs, by the language of its fence and its place among those, from 0.
#[track_caller]
pub fn block_of_guide(guide: &str, language: &str, place: usize) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../relay/docs").join(guide);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1);
    let block = blocks
        .nth(place)
        .and_then(|rest| rest.split("\n```").next())
        .unwrap_or_else(|| panic!("{guide} has no block {place} of {language}"));
    format!("{block}\n")
}
