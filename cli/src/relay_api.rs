//! The relay's HTTPS API (`hoop_shared::api`): JSON over TLS 1.3 with the login's certificate, refusals as errors.

use std::sync::Arc;
use std::time::Duration;

use hoop_shared::api::{ErrorBody, NEW_LOGINS};
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::tls::{ALPN_HTTP, Credential, RelayVerifier, Trust, Untrusted, client_config};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::local_failure;
use crate::credentials::Login;
use crate::error::{Error, Result};
use crate::news::News;
use crate::relay_address::RelayAddress;
use crate::tunnel::{OTHER_TIME, refused_in_tls};

/// How long a connection may take: what does not answer in this time is unreachable for a person.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take where nothing is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer. A recording with its results is the largest.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// This build's version.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// A client of one relay's API.
#[derive(Clone, Debug)]
pub struct RelayApi {
    http: reqwest::Client,
    relay: RelayAddress,
    verifier: Arc<RelayVerifier>,
    /// Whose login it is, and where to put what the relay says about others of theirs.
    told: Option<(String, News)>,
}

impl RelayApi {
    /// Makes a client with a login's certificate. Nothing is sent yet.
    ///
    /// # Errors
    /// The certificate and its key cannot be used.
    pub fn of(login: &Login, news: &News) -> Result<Self> {
        let mut api = Self::new(&login.relay, &login.trust, Some(login.credential()?))?;
        api.told = Some((login.whoami.principal.clone(), news.clone()));
        Ok(api)
    }

    /// Makes a client without a certificate, for logging in. Nothing is sent yet.
    ///
    /// # Errors
    /// The trust cannot be used.
    pub fn anonymous(relay: &RelayAddress, trust: &Trust) -> Result<Self> {
        Self::new(relay, trust, None)
    }

    fn new(relay: &RelayAddress, trust: &Trust, credential: Option<Credential>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| local_failure("cannot prepare TLS", error);
        let verifier = RelayVerifier::new(trust).map_err(|error| failed(&error))?;
        let tls = client_config(Arc::clone(&verifier), credential, &[ALPN_HTTP]).map_err(|error| failed(&error))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("hoopctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self {
            http,
            relay: relay.clone(),
            verifier,
            told: None,
        })
    }

    /// The relay that is spoken to.
    pub fn relay(&self) -> &RelayAddress {
        &self.relay
    }

    /// What the relay presented, where its certificate was refused.
    pub fn untrusted(&self) -> Option<Untrusted> {
        self.verifier.refused()
    }

    /// Gets JSON from a path such as `/v1/whoami`.
    ///
    /// # Errors
    /// The relay's refusal, or that it cannot be reached, trusted or understood.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.get_within(path, ANSWER_TIMEOUT).await
    }

    /// Gets JSON from a path where the relay waits for something itself, for at most `within`.
    ///
    /// # Errors
    /// As for [`RelayApi::get`].
    pub async fn get_within<T: DeserializeOwned>(&self, path: &str, within: Duration) -> Result<T> {
        self.send(self.http.get(self.url(path)).timeout(within)).await
    }

    /// Posts JSON to a path and reads the JSON of the answer.
    ///
    /// # Errors
    /// As for [`RelayApi::get`].
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|error| Error::failed(error.to_string()))?;
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/json")
            .timeout(ANSWER_TIMEOUT)
            .body(body);
        self.send(request).await
    }

    /// Begins to get bytes from a path.
    ///
    /// # Errors
    /// As for [`RelayApi::get`].
    pub async fn download(&self, path: &str) -> Result<Download<'_>> {
        let asked = self.http.get(self.url(path)).send().await;
        let answer = asked.map_err(|error| self.not_sent(&error))?;
        if answer.status().is_success() {
            return Ok(Download { api: self, answer });
        }
        let status = answer.status().as_u16();
        let theirs = relay_version(answer.headers());
        let body = answer.bytes().await.map_err(|error| self.not_sent(&error))?;
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(refused) => of_another_version(refused.error, theirs.as_deref()),
            Err(_) => self.not_understood(&format!("it answered HTTP {status}"), theirs.as_deref()),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.relay.url())
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let mut answer = request.send().await.map_err(|error| self.not_sent(&error))?;
        if let (Some((principal, news)), Some(header)) = (&self.told, answer.headers().get(NEW_LOGINS)) {
            news.hear_of_logins(principal, header.as_bytes());
        }
        let status = answer.status();
        let theirs = relay_version(answer.headers());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.not_sent(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(self.not_understood("its answer is too large", theirs.as_deref()));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(match serde_json::from_slice::<ErrorBody>(&body) {
                Ok(refused) => of_another_version(refused.error, theirs.as_deref()),
                Err(_) => self.not_understood(&format!("it answered HTTP {}", status.as_u16()), theirs.as_deref()),
            });
        }
        serde_json::from_slice(&body).map_err(|error| self.not_understood(&error.to_string(), theirs.as_deref()))
    }

    fn not_understood(&self, problem: &str, theirs: Option<&str>) -> Error {
        let error = Error::new(Code::RelayFault, problem).doing(format!("the relay {} was not understood", self.relay));
        match theirs {
            Some(theirs) if theirs != OURS => error.hint(versions(theirs)),
            _ => error.hint("compare the versions with `hoopctl doctor`"),
        }
    }

    fn not_sent(&self, error: &reqwest::Error) -> Error {
        if let Some(untrusted) = self.untrusted() {
            return untrusted_relay(&self.relay, &untrusted);
        }
        if let Some(refusal) = refused_in_tls(error) {
            return refusal.into();
        }
        let reason = if error.is_timeout() {
            "it did not answer in time".to_owned()
        } else {
            innermost(error)
        };
        unreachable(&self.relay, reason)
    }
}

/// The version that a relay says to be of.
fn relay_version(headers: &reqwest::header::HeaderMap) -> Option<String> {
    let server = headers.get(reqwest::header::SERVER)?.to_str().ok()?;
    server.strip_prefix("hoop-relay/").map(str::to_owned)
}

/// A refusal; where the relay does not know what it was asked, or how, and is of another version, that is why.
fn of_another_version(refusal: Refusal, theirs: Option<&str>) -> Error {
    let unknown =
        matches!(refusal.code, Code::NotFound | Code::Usage | Code::ProtocolViolation) && refusal.hint.is_none();
    match theirs.filter(|theirs| unknown && *theirs != OURS) {
        Some(theirs) => Error::from(refusal).hint(versions(theirs)),
        None => refusal.into(),
    }
}

fn versions(theirs: &str) -> String {
    format!(
        "the relay is version {theirs}, this hoopctl is {OURS}: install the hoopctl of the relay's version, or ask for the relay to be updated"
    )
}

/// Bytes on their way from the relay.
#[derive(Debug)]
pub struct Download<'a> {
    api: &'a RelayApi,
    answer: reqwest::Response,
}

impl Download<'_> {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The way to the relay is lost.
    pub async fn chunk(&mut self) -> Result<Option<bytes::Bytes>> {
        match tokio::time::timeout(ANSWER_TIMEOUT, self.answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.api.not_sent(&error)),
            Err(_) => Err(unreachable(&self.api.relay, "it did not go on in time")),
        }
    }
}

/// The error of a relay that does not answer.
pub fn unreachable(relay: &RelayAddress, reason: impl Into<String>) -> Error {
    Error::new(Code::RelayUnreachable, reason)
        .doing(format!("cannot reach the relay {relay}"))
        .hint("check the address and the network with `hoopctl doctor`")
}

/// The error of a relay whose certificate is not trusted.
pub fn untrusted_relay(relay: &RelayAddress, untrusted: &Untrusted) -> Error {
    let error =
        Error::new(Code::Configuration, untrusted.problem.clone()).doing(format!("the relay {relay} is not trusted"));
    match &untrusted.pin {
        _ if untrusted.about_time => error.hint(OTHER_TIME),
        Some(pin) => error.hint(format!(
            "ask its operator for its CA or pin, then `hoopctl login {relay} --ca FILE` or `--pin SHA256`; it presents {pin}"
        )),
        None => error.hint(format!("ask its operator for its CA, then `hoopctl login {relay} --ca FILE`")),
    }
}

/// The cause at the bottom: what the system or TLS said.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_relay_of_another_version_does_not_know_is_said_to_be_of_another_version() {
        let unknown = || Refusal::new(Code::NotFound, "the relay has no such path");
        let hint = |refusal, theirs| of_another_version(refusal, theirs).refusal().hint.clone();
        assert!(hint(unknown(), Some("9.9.9")).is_some_and(|hint| hint.contains("version 9.9.9")));
        assert_eq!(hint(unknown(), Some(OURS)), None);
        assert_eq!(hint(unknown(), None), None);
        let blocked = Refusal::new(Code::Blocked, "no").hint("ask");
        assert_eq!(hint(blocked, Some("9.9.9")).as_deref(), Some("ask"));
    }
}
