//! The logins of people that wait, from their start until somebody has confirmed them at the provider or their time is
//! over: what both ways to log in, by a code for a device and by a browser, have in common.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_shared::api::Enrolled;
use hoop_shared::refusal::{Code, Refusal};
use time::OffsetDateTime;

use super::authority::ClientKey;
use super::browser::Redirect;
use super::device::{Codes, Waits};
use super::enrol::again;
use super::issuer::Person;
use super::limits::Rate;
use super::token::LoginExpected;
use super::token_endpoint::Endpoint;
use super::{Applicant, Authn, claims, workload};

/// Logins of one source that wait at a time.
const PER_SOURCE: usize = 50;
/// Logins of one issuer that wait at a time.
const PER_ISSUER: usize = 1000;

/// A login that begins: who asks, with which key, at which provider.
pub(super) struct Beginning {
    pub(super) applicant: Applicant,
    pub(super) key: ClientKey,
    pub(super) person: Arc<Person>,
    /// How long its certificate will live.
    life: Duration,
    begun: OffsetDateTime,
}

/// One login that waits for its person.
pub(super) struct Waiting {
    pub(super) asked: Beginning,
    pub(super) ends: Instant,
    pub(super) endpoint: Endpoint,
    pub(super) grant: Grant,
    pub(super) state: tokio::sync::Mutex<State>,
}

/// What the token endpoint is asked with.
pub(super) enum Grant {
    /// The device code, and what proves that it was asked for here.
    Device(Codes),
    /// An authorization code that is still to come.
    Browser(Redirect),
}

pub(super) enum State {
    /// A device login is asked about now and then.
    Polls(Waits),
    /// A browser will come back, once.
    Open,
    /// Kept until the login would have expired: an answer that was lost on its way is given again.
    Ended(Result<Box<Enrolled>, Refusal>),
}

/// The logins that wait, by the hash of the secret that names them.
#[derive(Default)]
pub(super) struct Logins(Mutex<HashMap<[u8; 32], Arc<Waiting>>>);

impl Logins {
    pub(super) fn find(&self, secret: &str) -> Option<Arc<Waiting>> {
        let logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.get(blake3::hash(secret.as_bytes()).as_bytes()).map(Arc::clone)
    }

    /// Forgets logins whose time is over.
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
        let of_source = logins
            .values()
            .filter(|login| login.asked.applicant.source == source)
            .count();
        let of_issuer = logins
            .values()
            .filter(|login| login.asked.person.config.issuer == issuer)
            .count();
        if of_source < PER_SOURCE && of_issuer < PER_ISSUER {
            return Ok(());
        }
        Err(Refusal::new(Code::LimitExceeded, "too many logins wait to be confirmed").hint("try again in some minutes"))
    }

    /// Lets a login wait; gives the secret that names it.
    pub(super) fn insert(&self, login: Waiting) -> Result<String, Refusal> {
        let secret = secret()?;
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logins.insert(*blake3::hash(secret.as_bytes()).as_bytes(), Arc::new(login));
        Ok(secret)
    }
}

/// Makes a secret of 256 bits in base64url.
pub(super) fn secret() -> Result<String, Refusal> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|_| Refusal::new(Code::RelayFault, "the relay has no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(secret))
}

impl Authn {
    /// Begins a login for the key of a CSR at an identity provider (the first, if none is named).
    ///
    /// # Errors
    /// There is no such provider, the request is none, or too many logins are tried.
    pub(super) async fn begin(
        &self,
        csr: &str,
        provider: Option<&str>,
        applicant: Applicant,
    ) -> Result<Beginning, Refusal> {
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
        Ok(Beginning {
            applicant,
            key,
            person,
            life: issuers.life,
            begun: OffsetDateTime::now_utc(),
        })
    }

    /// Records whether a login could begin.
    pub(super) async fn record_beginning<T>(&self, asked: &Beginning, begun: &Result<T, Refusal>) {
        let (outcome, detail) = match begun {
            Ok(_) => ("started", None),
            Err(refusal) => ("failed", Some(refusal.message.clone())),
        };
        self.record_as(asked, outcome, detail).await;
    }

    /// Makes the login of whomever the issuer's token names, if it withstands every check.
    pub(super) async fn accept_token(&self, waiting: &Waiting, token: &str) -> Result<Enrolled, Refusal> {
        let person = &waiting.asked.person;
        let expected = LoginExpected {
            begun: waiting.asked.begun,
            nonce: match &waiting.grant {
                Grant::Device(_) => None,
                Grant::Browser(redirect) => Some(redirect.nonce()),
            },
        };
        let verified = match person.verify(token, expected).await {
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
        let asked = &waiting.asked;
        match claims::person(&verified, &person.config, &workloads) {
            Ok(principal) => {
                self.enrol(principal, &asked.key, &asked.applicant, asked.life, None)
                    .await
            }
            Err(error) => {
                let refusal = Refusal::new(Code::LoginNeeded, error.to_string())
                    .hint("this is for the administrator of the identity provider");
                Err(self.end(waiting, "refused", refusal).await)
            }
        }
    }

    /// Records that somebody denied the login.
    pub(super) async fn denied(&self, waiting: &Waiting) -> Refusal {
        let refusal = again("the login was denied at the identity provider");
        self.end(waiting, "denied", refusal).await
    }

    /// Records how a login ended without a certificate.
    pub(super) async fn end(&self, waiting: &Waiting, outcome: &'static str, refusal: Refusal) -> Refusal {
        self.record_as(&waiting.asked, outcome, Some(refusal.message.clone()))
            .await;
        refusal
    }

    async fn record_as(&self, asked: &Beginning, outcome: &'static str, detail: Option<String>) {
        let mut attempt = asked.applicant.attempt(outcome);
        attempt.issuer = Some(asked.person.config.issuer.clone());
        attempt.fingerprint = Some(asked.key.fingerprint().to_owned());
        attempt.detail = detail;
        self.record(attempt).await;
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
