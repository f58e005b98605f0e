//! The login of people: the device authorization grant (RFC 8628), run by the relay on behalf of `hoopctl`.
//!
//! ```text
//! hoopctl ── start (CSR) ──▶ relay ── device authorization ──▶ issuer
//!         ◀─ URL, code, secret name of the login ─┘
//!         ── poll (secret) ──▶ relay ── token, no sooner than the interval ──▶ issuer
//!         ◀─ pending | certificate | refused ─┘
//! ```
//!
//! Tokens go from the issuer to the relay and no further. The result can only become a certificate for the key of the
//! CSR that started: this binding stands in for the nonce, which the device flow does not have. `poll` has the answer of
//! the token endpoint; it is asked when `hoopctl` polls, so a login that nobody waits for asks nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_shared::api::{DevicePolled, DeviceStarted, Enrolled};
use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreDeviceAuthorizationResponse,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, DeviceAuthorizationUrl, ProviderMetadata,
    RequestTokenError, Scope,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::authority::ClientKey;
use super::enrol::again;
use super::issuer::Person;
use super::limits::Rate;
use super::token::unprintable;
use super::{Applicant, Authn, claims, http, workload};
use poll::{Endpoint, Step, Waits};

mod poll;

/// The longest that a code may wait for its person: the shorter, the less time to talk somebody into typing a stranger's code.
const LONGEST: Duration = Duration::from_secs(600);
/// Logins of one source that wait at a time.
const PER_SOURCE: usize = 50;
/// Logins of one issuer that wait at a time.
const PER_ISSUER: usize = 1000;
/// The longest URI and user code that are passed on.
const LONGEST_URI: usize = 2048;
const LONGEST_CODE: usize = 64;
/// A poll that comes this much early waits for the interval to end instead of being sent away.
const EARLY: Duration = Duration::from_secs(1);

/// What discovery says about device logins, beside what every provider says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DeviceMetadata {
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
}

impl AdditionalProviderMetadata for DeviceMetadata {}

type Metadata = ProviderMetadata<
    DeviceMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The device logins that wait, by the hash of the secret that names them.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<[u8; 32], Arc<Waiting>>>);

/// One login that waits for its person.
struct Waiting {
    applicant: Applicant,
    key: ClientKey,
    person: Arc<Person>,
    life: Duration,
    begun: OffsetDateTime,
    ends: Instant,
    endpoint: Endpoint,
    device_code: SecretString,
    state: tokio::sync::Mutex<State>,
}

enum State {
    Waits(Waits),
    /// Kept until the code would have expired: an answer that was lost on its way is given again.
    Ended(Result<Box<Enrolled>, Refusal>),
}

impl Logins {
    fn find(&self, secret: &str) -> Option<Arc<Waiting>> {
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.get(blake3::hash(secret.as_bytes()).as_bytes()).map(Arc::clone)
    }

    /// Forgets logins whose codes have expired.
    pub(super) fn forget_expired(&self) {
        let now = Instant::now();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, login| login.ends > now);
    }

    fn check_room(&self, source: IpAddr, issuer: &str) -> Result<(), Refusal> {
        self.forget_expired();
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = logins.values().filter(|login| login.applicant.source == source).count();
        let of_issuer = logins
            .values()
            .filter(|login| login.person.config.issuer == issuer)
            .count();
        if of_source < PER_SOURCE && of_issuer < PER_ISSUER {
            return Ok(());
        }
        Err(Refusal::new(Code::LimitExceeded, "too many logins wait to be confirmed").hint("try again in some minutes"))
    }

    fn insert(&self, secret: &str, login: Waiting) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.insert(*blake3::hash(secret.as_bytes()).as_bytes(), Arc::new(login));
    }
}

impl Authn {
    /// Starts a device login for the key of a CSR at an identity provider (the first, if none is named).
    ///
    /// # Errors
    /// There is no such provider, it does not answer or offers no device login, or too many logins are tried.
    pub async fn start_device(
        &self,
        csr: &str,
        provider: Option<&str>,
        applicant: Applicant,
    ) -> Result<DeviceStarted, Refusal> {
        self.admit(Rate::Start, applicant.source)?;
        let key = self.client_key(csr, &applicant).await?;
        let issuers = self.issuers();
        let person = match provider {
            Some(name) => issuers.people.iter().find(|person| person.config.name == name),
            None => issuers.people.first(),
        };
        let person = person
            .map(Arc::clone)
            .ok_or_else(|| no_provider(provider, &self.providers()))?;
        self.logins.check_room(applicant.source, &person.config.issuer)?;
        let mut attempt = applicant.attempt("started");
        attempt.issuer = Some(person.config.issuer.clone());
        attempt.fingerprint = Some(key.fingerprint().to_owned());
        let begun = OffsetDateTime::now_utc();
        let started = self.authorize(&person).await;
        if let Err(refusal) = &started {
            attempt.outcome = "failed";
            attempt.detail = Some(refusal.message.clone());
        }
        self.record(attempt).await;
        let (codes, endpoint) = started?;
        let life = codes.expires_in().min(LONGEST);
        let shown = shown(&codes)?;
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|_| Refusal::new(Code::RelayFault, "the relay has no randomness"))?;
        let login = URL_SAFE_NO_PAD.encode(secret);
        let waits = Waits::new(codes.interval(), Instant::now());
        let started = DeviceStarted {
            login: login.clone(),
            verification_uri: shown.uri,
            verification_uri_complete: shown.complete,
            user_code: shown.code,
            interval: waits.interval().as_secs(),
            expires_in: life.as_secs(),
            issuer: person.config.name.clone(),
        };
        self.logins.insert(
            &login,
            Waiting {
                applicant,
                key,
                person,
                life: issuers.life,
                begun,
                ends: Instant::now() + life,
                endpoint,
                device_code: SecretString::from(codes.device_code().secret().clone()),
                state: tokio::sync::Mutex::new(State::Waits(waits)),
            },
        );
        Ok(started)
    }

    /// Asks the provider for codes. Gives them with the endpoint where their token is.
    async fn authorize(&self, person: &Person) -> Result<(CoreDeviceAuthorizationResponse, Endpoint), Refusal> {
        let config = &person.config;
        let discovered = person
            .issuer
            .discover(&self.http)
            .await
            .map_err(|error| workload::refuse(&error.into()))?;
        let metadata: Metadata = serde_json::from_slice(&discovered.document).map_err(|error| {
            unfit(
                config.name.as_str(),
                &format!("its discovery document cannot be read: {error}"),
            )
        })?;
        let device = metadata.additional_metadata().device_authorization_endpoint.clone();
        let (Some(device), Some(token)) = (device, metadata.token_endpoint().cloned()) else {
            return Err(unfit(&config.name, "it offers no device login (RFC 8628)"));
        };
        for address in [device.as_str(), token.as_str()] {
            person
                .issuer
                .check_address(address)
                .map_err(|error| unfit(&config.name, &error.to_string()))?;
        }
        let secret = config
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let methods = metadata.token_endpoint_auth_methods_supported();
        let in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let endpoint = Endpoint::new(token.as_str(), config, in_body);
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret)
            .set_auth_type(if in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            })
            .set_device_authorization_url(device);
        let mut request = client.exchange_device_code();
        for scope in config
            .scopes
            .iter()
            .filter(|scope| !["openid", "offline_access"].contains(&scope.as_str()))
        {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let codes = request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => {
                unfit(&config.name, &format!("it refuses a device login: {}", answer.error()))
            }
            RequestTokenError::Request(error) => unreachable_issuer(&config.name, &error),
            RequestTokenError::Parse(error, _) => unfit(
                &config.name,
                &format!("its answer to a device login cannot be read: {error}"),
            ),
            RequestTokenError::Other(problem) => unfit(&config.name, &problem),
        })?;
        Ok((codes, endpoint))
    }

    /// Asks whether a device login is done.
    ///
    /// # Errors
    /// It was denied, expired, refused, or never existed.
    pub async fn poll_device(self: &Arc<Self>, login: &str, source: IpAddr) -> Result<DevicePolled, Refusal> {
        self.admit(Rate::Poll, source)?;
        let Some(waiting) = self.logins.find(login) else {
            self.admit(Rate::Guess, source)?;
            return Err(again("this login is over, or never began"));
        };
        // A client that goes away in the middle would lose a token that the issuer gives once.
        let authn = Arc::clone(self);
        let polled = self.tasks.spawn(async move { authn.poll_waiting(&waiting).await });
        polled
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::RelayFault, "the login failed in the relay")))
    }

    async fn poll_waiting(&self, waiting: &Waiting) -> Result<DevicePolled, Refusal> {
        // One poll of a login at a time; who polls beside it comes again.
        let Ok(mut state) = waiting.state.try_lock() else {
            return Ok(DevicePolled::Pending {
                interval: EARLY.as_secs(),
                trouble: None,
            });
        };
        let step = match &mut *state {
            State::Ended(result) => return result.clone().map(|enrolled| DevicePolled::Done(*enrolled)),
            State::Waits(waits) => {
                let now = Instant::now();
                if let Some(early) = waits.early(now).filter(|early| *early > EARLY) {
                    return Ok(pending(early, None));
                }
                if let Some(early) = waits.early(now) {
                    tokio::time::sleep(early).await;
                }
                if Instant::now() >= waiting.ends {
                    Step::Expired
                } else {
                    let answer = waiting.endpoint.ask(&self.http, &waiting.device_code).await;
                    waits.take(answer, Instant::now())
                }
            }
        };
        let ended = match step {
            Step::Wait { interval, trouble } => return Ok(pending(interval, trouble)),
            Step::Token(token) => self.finish(waiting, &token).await.map(Box::new),
            Step::Denied => Err(self
                .end(
                    waiting,
                    "denied",
                    again("the login was denied at the identity provider"),
                )
                .await),
            Step::Expired => Err(self
                .end(
                    waiting,
                    "expired",
                    again("the code expired before anybody confirmed it"),
                )
                .await),
            Step::Refused(problem) => Err(self
                .end(waiting, "failed", unfit(&waiting.person.config.name, &problem))
                .await),
        };
        *state = State::Ended(ended.clone());
        ended.map(|enrolled| DevicePolled::Done(*enrolled))
    }

    /// Makes the login of whomever the issuer's token names, if it withstands every check.
    async fn finish(&self, waiting: &Waiting, token: &str) -> Result<Enrolled, Refusal> {
        let person = &waiting.person;
        let verified = match person.verify(&self.http, token, waiting.begun).await {
            Ok(verified) => verified,
            Err(error) => {
                let refusal = workload::refuse(&error)
                    .hint("tell the relay's operator: the identity provider's token was not accepted");
                return Err(self.end(waiting, "refused", refusal).await);
            }
        };
        let workloads: Vec<_> = self
            .issuers()
            .workloads
            .iter()
            .map(|workload| workload.config.name.clone())
            .collect();
        match claims::person(&verified, &person.config, &workloads) {
            Ok(principal) => {
                self.enrol(principal, &waiting.key, &waiting.applicant, waiting.life, None)
                    .await
            }
            Err(error) => {
                let refusal = Refusal::new(Code::LoginNeeded, error.to_string())
                    .hint("this is for the administrator of the identity provider");
                Err(self.end(waiting, "refused", refusal).await)
            }
        }
    }

    /// Records how a login ended without a certificate.
    async fn end(&self, waiting: &Waiting, outcome: &'static str, refusal: Refusal) -> Refusal {
        let mut attempt = waiting.applicant.attempt(outcome);
        attempt.issuer = Some(waiting.person.config.issuer.clone());
        attempt.fingerprint = Some(waiting.key.fingerprint().to_owned());
        attempt.detail = Some(refusal.message.clone());
        self.record(attempt).await;
        refusal
    }
}

/// What the person is shown, checked.
struct Shown {
    uri: String,
    complete: Option<String>,
    code: String,
}

fn shown(codes: &CoreDeviceAuthorizationResponse) -> Result<Shown, Refusal> {
    let uri = codes.verification_uri().to_string();
    let code = codes.user_code().secret().clone();
    if !presentable(&uri) {
        return Err(Refusal::new(
            Code::TargetUnreachable,
            "the identity provider names a login page that is neither https nor on loopback",
        ));
    }
    if code.is_empty() || code.len() > LONGEST_CODE || code.starts_with('-') || code.chars().any(unprintable) {
        return Err(Refusal::new(
            Code::TargetUnreachable,
            "the identity provider's code cannot be shown",
        ));
    }
    let complete = codes
        .verification_uri_complete()
        .map(|complete| complete.secret().clone());
    Ok(Shown {
        uri,
        complete: complete.filter(|complete| presentable(complete)),
        code,
    })
}

/// Whether a URI may be shown, opened and put into a QR code. Its host may be another than the issuer's.
fn presentable(uri: &str) -> bool {
    uri.len() <= LONGEST_URI
        && !uri.starts_with('-')
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && http::allowed(uri)
}

fn pending(interval: Duration, trouble: Option<String>) -> DevicePolled {
    DevicePolled::Pending {
        interval: interval.as_secs() + u64::from(interval.subsec_nanos() > 0),
        trouble,
    }
}

fn no_provider(named: Option<&str>, known: &[String]) -> Refusal {
    match named {
        Some(_) if !known.is_empty() => Refusal::new(Code::NotFound, "the relay has no identity provider of that name")
            .hint(format!("it has: {}", known.join(", "))),
        _ => Refusal::new(Code::Unsupported, "the relay has no identity provider for people")
            .hint("use `hoopctl login --workload`"),
    }
}

/// The refusal where an identity provider is not fit for device logins; operators read why in the log too.
fn unfit(provider: &str, problem: &str) -> Refusal {
    tracing::warn!(provider, problem, "identity provider");
    Refusal::new(
        Code::Configuration,
        format!("a login with {provider} is not possible: {problem}"),
    )
    .hint("tell the relay's operator")
}

fn unreachable_issuer(provider: &str, error: &http::HttpError) -> Refusal {
    tracing::warn!(provider, %error, "identity provider");
    Refusal::new(
        Code::TargetUnreachable,
        format!("the identity provider {provider} cannot be asked: {error}"),
    )
    .hint("try again later; if it stays, tell the relay's operator")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::presentable;

    #[test]
    fn only_harmless_pages_are_shown() {
        for uri in [
            "https://idp.example/device",
            "http://127.0.0.1:1/device?user_code=A-B",
            "https://other.example/x#y",
        ] {
            assert!(presentable(uri), "{uri}");
        }
        let long = format!("https://idp.example/{}", "a".repeat(3000));
        for uri in [
            "http://idp.example/device",
            "javascript:alert(1)",
            "-https://idp.example",
            "https://idp.example/\u{1b}[31m",
            "https://idp.example/\n",
            "https://idp.example/\u{202e}",
            "https://user@idp.example/",
            "",
            &long,
        ] {
            assert!(!presentable(uri), "{uri:?}");
        }
    }
}
