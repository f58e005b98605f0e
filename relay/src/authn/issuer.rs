//! Issuers: their discovery documents (OpenID Connect Discovery 1.0) and key sets, fetched when first needed and kept.
//!
//! Keys rotate: a token with an unknown `kid` makes the relay look again, once a minute and issuer at most, however many
//! such tokens come and from whomever; all that wait share that one fetch. Who has a key already never waits for it. Ages
//! are by the monotonic clock.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use time::OffsetDateTime;

use super::AuthnError;
use super::http::{Http, HttpError, allowed};
use super::keys::{self, Keys, NoKey};
use super::token::{self, Claims, Expected, LoginExpected, TokenError};
use crate::config::{Config, IdentityProvider, JWKS_BYTES, WorkloadIdentity};

/// How long documents count. A key that the issuer has withdrawn is believed no longer.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// Between two fetches because of an unknown key.
const UNKNOWN_EVERY: Duration = Duration::from_secs(60);
/// Between two tries while the issuer does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// Everybody whose word the relay takes, as configured.
pub(super) struct Issuers {
    pub(super) people: Vec<Arc<Person>>,
    pub(super) workloads: Vec<Arc<Workload>>,
    /// How long a login's certificate lives.
    pub(super) life: Duration,
}

/// An identity provider for people.
pub(super) struct Person {
    pub(super) config: IdentityProvider,
    pub(super) issuer: Arc<Issuer>,
    algorithms: Vec<Algorithm>,
}

/// An issuer of workload tokens, for one audience.
pub(super) struct Workload {
    pub(super) config: WorkloadIdentity,
    pub(super) issuer: Arc<Issuer>,
    algorithms: Vec<Algorithm>,
}

/// Why a token could not be verified.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
}

/// Why an issuer's documents are not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IssuerError {
    #[error("the issuer cannot be asked: {0}")]
    Http(#[from] HttpError),
    #[error("the issuer answers {what} with status {status}")]
    Status { what: &'static str, status: u16 },
    #[error("the issuer's {0} cannot be read")]
    Document(&'static str),
    #[error("the issuer calls itself by another name in its discovery document")]
    Name,
    #[error(
        "the issuer's discovery document names an address that is neither https nor, for an issuer on loopback, http on loopback"
    )]
    Address,
}

impl Issuers {
    pub(super) fn new(config: &Config, http: &Arc<Http>) -> Result<Self, AuthnError> {
        let mut remotes: HashMap<String, Arc<Issuer>> = HashMap::new();
        let mut remote = |name: &str, url: &str, files: Files| {
            if !allowed(url) {
                return Err(wrong(name, "its issuer is neither https nor http on loopback"));
            }
            if let Some(made) = remotes.get(url) {
                let same = made.files == files;
                return same
                    .then(|| Arc::clone(made))
                    .ok_or_else(|| wrong(name, "another entry for the same issuer has another `ca` or `jwks`"));
            }
            let http = match &files.ca {
                Some(ca) => Arc::new(Http::new(Some(ca)).map_err(|problem| wrong(name, &problem))?),
                None => Arc::clone(http),
            };
            let made = Arc::new(Issuer::new(url, http, files));
            remotes.insert(url.to_owned(), Arc::clone(&made));
            Ok(made)
        };
        let mut people = Vec::new();
        for provider in &config.identity_providers {
            people.push(Arc::new(Person {
                issuer: remote(
                    &provider.name,
                    &provider.issuer,
                    Files {
                        ca: provider.ca.clone(),
                        jwks: None,
                    },
                )?,
                algorithms: algorithms(&provider.name, &provider.algorithms)?,
                config: provider.clone(),
            }));
        }
        let mut workloads = Vec::new();
        for identity in &config.workload_identities {
            let same = |issuer: &str, audience: &str| identity.issuer == issuer && identity.audience == audience;
            // One token must have one meaning.
            if config
                .identity_providers
                .iter()
                .any(|person| same(&person.issuer, &person.client_id))
            {
                return Err(wrong(
                    &identity.name,
                    "its tokens are those of an identity provider for people: give it an audience of its own",
                ));
            }
            if workloads
                .iter()
                .any(|other: &Arc<Workload>| same(&other.config.issuer, &other.config.audience))
            {
                return Err(wrong(
                    &identity.name,
                    "another workload identity has the same issuer and audience",
                ));
            }
            workloads.push(Arc::new(Workload {
                issuer: remote(&identity.name, &identity.issuer, Files::of_workloads(identity))?,
                algorithms: algorithms(&identity.name, &identity.algorithms)?,
                config: identity.clone(),
            }));
        }
        Ok(Self {
            people,
            workloads,
            life: config.session.credential_ttl,
        })
    }
}

fn algorithms(issuer: &str, names: &[String]) -> Result<Vec<Algorithm>, AuthnError> {
    let list: Option<Vec<_>> = names.iter().map(|name| keys::algorithm(name)).collect();
    list.filter(|list| !list.is_empty())
        .ok_or_else(|| wrong(issuer, "`algorithms` must name asymmetric signature algorithms"))
}

fn wrong(name: &str, problem: &str) -> AuthnError {
    AuthnError::Issuer {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

impl Person {
    /// Verifies the ID token of a login.
    pub(super) async fn verify(&self, token: &str, login: LoginExpected<'_>) -> Result<Claims, VerifyError> {
        let expected = Expected {
            issuer: &self.config.issuer,
            audience: &self.config.client_id,
            login: Some(login),
        };
        self.issuer.verify(token, &self.algorithms, &expected).await
    }
}

impl Workload {
    /// Verifies a token that a workload presents.
    pub(super) async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        let expected = Expected {
            issuer: &self.config.issuer,
            audience: &self.config.audience,
            login: None,
        };
        self.issuer.verify(token, &self.algorithms, &expected).await
    }
}

/// Files that stand in for the system's CAs, and for asking the issuer for its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Files {
    ca: Option<PathBuf>,
    jwks: Option<PathBuf>,
}

impl Files {
    fn of_workloads(identity: &WorkloadIdentity) -> Self {
        Self {
            ca: identity.ca.clone(),
            jwks: identity.jwks.clone(),
        }
    }
}

/// What an issuer publishes. The people and workloads that name the same issuer share it.
pub(super) struct Issuer {
    url: String,
    files: Files,
    http: Arc<Http>,
    discovered: RwLock<Option<Kept<Discovered>>>,
    keys: RwLock<Option<Kept<Keys>>>,
    fetching: tokio::sync::Mutex<Fetching>,
}

struct Kept<T> {
    value: Arc<T>,
    since: Instant,
}

#[derive(Default)]
struct Fetching {
    failed: Option<(Instant, IssuerError)>,
    unknown: Option<Instant>,
}

/// A discovery document whose issuer and key address were checked.
pub(super) struct Discovered {
    pub(super) document: Vec<u8>,
    jwks_uri: String,
}

impl Issuer {
    fn new(url: &str, http: Arc<Http>, files: Files) -> Self {
        Self {
            url: url.to_owned(),
            files,
            http,
            discovered: RwLock::default(),
            keys: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The client that reaches this issuer.
    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    async fn verify(
        &self,
        token: &str,
        accepted: &[Algorithm],
        expected: &Expected<'_>,
    ) -> Result<Claims, VerifyError> {
        let unverified = token::open(token, accepted)?;
        let (algorithm, kid) = (unverified.algorithm, unverified.kid.clone());
        let mut keys = self.keys(None).await?;
        if keys
            .find(algorithm, kid.as_deref())
            .is_err_and(|missing| missing == NoKey::Unknown)
        {
            keys = self.keys(Some(&keys)).await?;
        }
        let key = keys.find(algorithm, kid.as_deref()).map_err(|missing| match missing {
            NoKey::Unknown => TokenError::UnknownKey { kid: kid.clone() },
            NoKey::Ambiguous => TokenError::AmbiguousKey,
        })?;
        Ok(unverified.verify(key, expected, OffsetDateTime::now_utc())?)
    }

    /// Gives the key set; another one than `insufficient` if the issuer may be asked for it now.
    async fn keys(&self, insufficient: Option<&Arc<Keys>>) -> Result<Arc<Keys>, IssuerError> {
        let enough = |keys: &Arc<Keys>| insufficient.is_none_or(|old| !Arc::ptr_eq(old, keys));
        if let Some(keys) = fresh(&self.keys).filter(enough) {
            return Ok(keys);
        }
        let mut fetching = self.fetching.lock().await;
        // Another login may have fetched them while this one waited.
        if let Some(keys) = fresh(&self.keys).filter(enough) {
            return Ok(keys);
        }
        if let Some(old) = insufficient {
            if fetching.unknown.is_some_and(|last| last.elapsed() < UNKNOWN_EVERY) {
                return Ok(Arc::clone(old));
            }
            fetching.unknown = Some(Instant::now());
        }
        fetching.retry()?;
        let fetched = async {
            let body = match &self.files.jwks {
                Some(file) => read_key_file(file).await?,
                None => fetch(&self.http, &self.discover_now().await?.jwks_uri, "its keys").await?,
            };
            Keys::read(&body).ok_or(IssuerError::Document("key set"))
        };
        let keys = Arc::new(fetching.outcome(fetched.await)?);
        tracing::debug!(issuer = self.url, keys = keys.len(), "key set fetched");
        keep(&self.keys, &keys);
        Ok(keys)
    }

    /// Gives the discovery document.
    pub(super) async fn discover(&self) -> Result<Arc<Discovered>, IssuerError> {
        if let Some(discovered) = fresh(&self.discovered) {
            return Ok(discovered);
        }
        let mut fetching = self.fetching.lock().await;
        fetching.retry()?;
        let discovered = self.discover_now().await;
        fetching.outcome(discovered)
    }

    async fn discover_now(&self) -> Result<Arc<Discovered>, IssuerError> {
        if let Some(discovered) = fresh(&self.discovered) {
            return Ok(discovered);
        }
        let discovered = Arc::new(self.read_discovery().await?);
        keep(&self.discovered, &discovered);
        Ok(discovered)
    }

    /// Asks the issuer who it is, whatever is known already.
    pub(super) async fn reach(&self) -> Result<(), IssuerError> {
        self.read_discovery().await.map(drop)
    }

    async fn read_discovery(&self) -> Result<Discovered, IssuerError> {
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let document = fetch(&self.http, &url, "its discovery").await?;
        let fields: Value =
            serde_json::from_slice(&document).map_err(|_| IssuerError::Document("discovery document"))?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&self.url) {
            return Err(IssuerError::Name);
        }
        let jwks_uri = text("jwks_uri")
            .ok_or(IssuerError::Document("discovery document"))?
            .to_owned();
        self.check_address(&jwks_uri)?;
        Ok(Discovered { document, jwks_uri })
    }

    /// Checks an address of the discovery document: one of an issuer in the net may not lead the relay to its own loopback.
    pub(super) fn check_address(&self, url: &str) -> Result<(), IssuerError> {
        let fits = allowed(url) && (url.starts_with("https:") || self.url.starts_with("http:"));
        fits.then_some(()).ok_or(IssuerError::Address)
    }
}

impl Fetching {
    /// While the issuer does not answer, those that come within a moment share the last answer.
    fn retry(&self) -> Result<(), IssuerError> {
        match &self.failed {
            Some((at, error)) if at.elapsed() < RETRY => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn outcome<T>(&mut self, result: Result<T, IssuerError>) -> Result<T, IssuerError> {
        self.failed = result.as_ref().err().map(|error| (Instant::now(), error.clone()));
        result
    }
}

/// Reads a key set from a file, on a thread that may wait for the disk.
async fn read_key_file(file: &Path) -> Result<Vec<u8>, IssuerError> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || crate::config::read_file(&path, JWKS_BYTES));
    match read.await {
        Ok(Ok(text)) => Ok(text.into_bytes()),
        Ok(Err(problem)) => {
            tracing::warn!(problem = %problem.render(false), "key set of an issuer");
            Err(IssuerError::Document("key set file"))
        }
        Err(_) => Err(IssuerError::Document("key set file")),
    }
}

async fn fetch(http: &Http, url: &str, what: &'static str) -> Result<Vec<u8>, IssuerError> {
    let answer = http.get(url).await?;
    if answer.status() == StatusCode::OK {
        return Ok(answer.into_body());
    }
    Err(IssuerError::Status {
        what,
        status: answer.status().as_u16(),
    })
}

fn fresh<T>(kept: &RwLock<Option<Kept<T>>>) -> Option<Arc<T>> {
    let kept = kept.read().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref()
        .filter(|kept| kept.since.elapsed() < MAX_AGE)
        .map(|kept| Arc::clone(&kept.value))
}

fn keep<T>(kept: &RwLock<Option<Kept<T>>>, value: &Arc<T>) {
    *kept.write().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
        value: Arc::clone(value),
        since: Instant::now(),
    });
}
