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

use hoop_shared::api::{DevicePolled, Enrolled};
use hoop_shared::refusal::{Code, Refusal};
use secrecy::SecretString;
use time::OffsetDateTime;

use super::authority::ClientKey;
use super::enrol::again;
use super::issuer::Person;
use super::limits::Rate;
use super::token::LoginExpected;
use super::{Applicant, Authn, claims, workload};
use poll::{Endpoint, Step, Waits};

mod poll;
mod start;

/// The longest that a code may wait for its person: the shorter, the less time to talk somebody into typing a stranger's code.
const LONGEST: Duration = Duration::from_secs(600);
/// Logins of one source that wait at a time.
const PER_SOURCE: usize = 50;
/// Logins of one issuer that wait at a time.
const PER_ISSUER: usize = 1000;
/// A poll that comes this much early waits for the interval to end instead of being sent away.
const EARLY: Duration = Duration::from_secs(1);

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
                    let answer = waiting
                        .endpoint
                        .ask(waiting.person.issuer.http(), &waiting.device_code)
                        .await;
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
        let expected = LoginExpected {
            begun: waiting.begun,
            nonce: None,
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

fn pending(interval: Duration, trouble: Option<String>) -> DevicePolled {
    DevicePolled::Pending {
        interval: interval.as_secs() + u64::from(interval.subsec_nanos() > 0),
        trouble,
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
