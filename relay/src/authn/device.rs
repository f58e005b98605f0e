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
//! the token endpoint; it is asked when `hoopctl` polls, so a login that nobody waits for asks nothing. Where the provider
//! knows PKCE, the device code is tied to a secret of the relay's too: some providers demand it of their clients.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hoop_shared::api::DevicePolled;
use hoop_shared::refusal::{Code, Refusal};
use secrecy::{ExposeSecret, SecretString};

use super::Authn;
use super::enrol::again;
use super::limits::Rate;
use super::waiting::{Grant, State, Waiting};
use poll::Step;
pub(super) use poll::Waits;

mod poll;
mod start;

/// The grant of a device code.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The longest that a code may wait for its person: the shorter, the less time to talk somebody into typing a stranger's code.
const LONGEST: Duration = Duration::from_secs(600);
/// What a device login is redeemed with.
pub(super) struct Codes {
    device: SecretString,
    /// The secret whose digest went along at the start (RFC 7636), where the provider knows PKCE: without it the code is worth nothing.
    verifier: Option<SecretString>,
}

impl Codes {
    /// What the token endpoint is asked with.
    fn grant(&self) -> Vec<(&str, &str)> {
        let verifier = self.verifier.as_ref().map(ExposeSecret::expose_secret);
        let mut grant = vec![("grant_type", GRANT), ("device_code", self.device.expose_secret())];
        grant.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        grant
    }
}

/// A poll that comes this much early waits for the interval to end instead of being sent away.
const EARLY: Duration = Duration::from_secs(1);

impl Authn {
    /// Asks whether a device login is done.
    ///
    /// # Errors
    /// It was denied, expired, refused, or never existed.
    pub async fn poll_device(self: &Arc<Self>, login: &str, source: IpAddr) -> Result<DevicePolled, Refusal> {
        self.admit(Rate::Poll, source)?;
        let found = self.logins.find(login);
        let Some(waiting) = found.filter(|waiting| matches!(waiting.grant, Grant::Device(_))) else {
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
        let (State::Polls(_) | State::Ended(_), Grant::Device(codes)) = (&*state, &waiting.grant) else {
            return Err(again("this login is over, or never began"));
        };
        let step = match &mut *state {
            State::Ended(result) => return result.clone().map(|enrolled| DevicePolled::Done(*enrolled)),
            State::Open => Step::Expired,
            State::Polls(waits) => {
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
                    let http = waiting.asked.person.issuer.http();
                    let answer = waiting.endpoint.ask(http, &codes.grant()).await;
                    waits.take(answer, Instant::now())
                }
            }
        };
        let ended = match step {
            Step::Wait { interval, trouble } => return Ok(pending(interval, trouble)),
            Step::Token(token) => self.accept_token(waiting, &token).await.map(Box::new),
            Step::Denied => Err(self.denied(waiting).await),
            Step::Expired => Err(self
                .end(
                    waiting,
                    "expired",
                    again("the code expired before anybody confirmed it"),
                )
                .await),
            Step::Refused(problem) => Err(self.end(waiting, "failed", waiting.asked.person.unfit(&problem)).await),
        };
        *state = State::Ended(ended.clone());
        ended.map(|enrolled| DevicePolled::Done(*enrolled))
    }
}

fn pending(interval: Duration, trouble: Option<String>) -> DevicePolled {
    DevicePolled::Pending {
        interval: interval.as_secs() + u64::from(interval.subsec_nanos() > 0),
        trouble,
    }
}
