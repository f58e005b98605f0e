//! One question to the token endpoint and what its answer means (RFC 8628, section 3.5).
//!
//! | answer | does |
//! |---|---|
//! | `authorization_pending` | waits the interval |
//! | `slow_down` | waits 5 s more, for good |
//! | `access_denied` | ends: denied |
//! | `expired_token`, `invalid_grant` | ends: start again |
//! | another error in JSON | ends: the provider and its configuration do not fit |
//! | no answer, 429, 5xx, no JSON | waits longer each time, and says so |

use std::time::{Duration, Instant};

use axum::http::{Request, Response, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openidconnect::url::form_urlencoded;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::http::Http;
use crate::config::IdentityProvider;

/// What `slow_down` adds (RFC 8628, section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest wait while the provider is in trouble, unless its own interval is longer.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// The intervals that are believed.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Errors of a provider are words; more of one is not passed on.
const LONGEST_WORD: usize = 64;

/// Where a provider's tokens are, and what the relay is there.
pub(super) struct Endpoint {
    url: String,
    client_id: String,
    secret: Option<SecretString>,
    in_body: bool,
}

/// What the token endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Token(String),
    Pending,
    SlowDown,
    Denied,
    Expired,
    Trouble(String),
    Refused(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait {
        interval: Duration,
        trouble: Option<String>,
    },
    Token(String),
    Denied,
    Expired,
    Refused(String),
}

/// When the next question may be asked.
#[derive(Debug)]
pub(super) struct Waits {
    interval: Duration,
    troubles: u32,
    next: Instant,
}

impl Waits {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        let interval = interval.clamp(INTERVALS.0, INTERVALS.1);
        Self {
            interval,
            troubles: 0,
            next: now + interval,
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// How much too early a question would be.
    pub(super) fn early(&self, now: Instant) -> Option<Duration> {
        self.next.checked_duration_since(now).filter(|early| !early.is_zero())
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, answer: Answer, now: Instant) -> Step {
        let mut trouble = None;
        match answer {
            Answer::Token(token) => return Step::Token(token),
            Answer::Denied => return Step::Denied,
            Answer::Expired => return Step::Expired,
            Answer::Refused(problem) => return Step::Refused(problem),
            Answer::Pending => self.troubles = 0,
            Answer::SlowDown => {
                self.troubles = 0;
                self.interval = self.interval.saturating_add(SLOW_DOWN).min(INTERVALS.1);
            }
            Answer::Trouble(what) => {
                self.troubles = self.troubles.saturating_add(1).min(16);
                trouble = Some(what);
            }
        }
        let longest = LONGEST_BACK_OFF.max(self.interval);
        let interval = self.interval.saturating_mul(1 << self.troubles).min(longest);
        self.next = now + interval;
        Step::Wait { interval, trouble }
    }
}

impl Endpoint {
    /// `in_body`: the provider takes a client secret in the body only (`client_secret_post`), not as HTTP Basic.
    pub(super) fn new(url: &str, config: &IdentityProvider, in_body: bool) -> Self {
        Self {
            url: url.to_owned(),
            client_id: config.client_id.clone(),
            secret: config.client_secret.clone(),
            in_body,
        }
    }

    /// Asks once.
    pub(super) async fn ask(&self, http: &Http, device_code: &SecretString) -> Answer {
        let Ok(request) = self.request(device_code) else {
            return Answer::Refused("its token endpoint has no usable address".to_owned());
        };
        match http.send(request).await {
            Ok(answer) => read(&answer),
            Err(error) => Answer::Trouble(format!("the identity provider does not answer: {error}")),
        }
    }

    fn request(&self, device_code: &SecretString) -> Result<Request<Vec<u8>>, axum::http::Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        form.append_pair("device_code", device_code.expose_secret());
        let mut request = Request::post(&self.url)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match &self.secret {
            Some(secret) if !self.in_body => {
                // RFC 6749, section 2.3.1: each part is form-encoded before the two are joined.
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.expose_secret()));
                let mut value = header::HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))?;
                value.set_sensitive(true);
                request = request.header(header::AUTHORIZATION, value);
            }
            secret => {
                form.append_pair("client_id", &self.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose_secret());
                }
            }
        }
        request.body(form.finish().into_bytes())
    }
}

#[derive(Deserialize)]
struct Tokens {
    // Access and refresh tokens are not even read.
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct OAuthError {
    error: String,
}

fn read(answer: &Response<Vec<u8>>) -> Answer {
    let status = answer.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Answer::Trouble(format!("the identity provider answers with status {}", status.as_u16()));
    }
    if status.is_success() {
        return match serde_json::from_slice::<Tokens>(answer.body()) {
            Ok(Tokens { id_token: Some(token) }) => Answer::Token(token),
            Ok(Tokens { id_token: None }) => Answer::Refused("it sends no ID token".to_owned()),
            Err(_) => Answer::Trouble("the identity provider's answer is not JSON".to_owned()),
        };
    }
    let Ok(OAuthError { error }) = serde_json::from_slice(answer.body()) else {
        return Answer::Trouble(format!("the identity provider answers with status {}", status.as_u16()));
    };
    match error.as_str() {
        "authorization_pending" => Answer::Pending,
        "slow_down" => Answer::SlowDown,
        "access_denied" => Answer::Denied,
        "expired_token" | "invalid_grant" => Answer::Expired,
        "server_error" | "temporarily_unavailable" => Answer::Trouble(format!("the identity provider says {error}")),
        _ => {
            let word: String = error
                .chars()
                .filter(char::is_ascii_graphic)
                .take(LONGEST_WORD)
                .collect();
            Answer::Refused(format!("it answers {word}"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(status: u16, body: &str) -> Answer {
        read(
            &Response::builder()
                .status(status)
                .body(body.as_bytes().to_vec())
                .unwrap(),
        )
    }

    fn wait(seconds: u64) -> Step {
        Step::Wait {
            interval: SECOND * u32::try_from(seconds).unwrap(),
            trouble: None,
        }
    }

    #[test]
    fn every_answer_of_the_table_is_read() {
        let error = |word: &str| answer(400, &format!("{{\"error\":\"{word}\"}}"));
        assert_eq!(error("authorization_pending"), Answer::Pending);
        assert_eq!(error("slow_down"), Answer::SlowDown);
        assert_eq!(error("access_denied"), Answer::Denied);
        assert_eq!(error("expired_token"), Answer::Expired);
        assert_eq!(error("invalid_grant"), Answer::Expired);
        assert_eq!(
            error("invalid_client"),
            Answer::Refused("it answers invalid_client".into())
        );
        assert_eq!(
            answer(401, "{\"error\":\"invalid_client\"}"),
            Answer::Refused("it answers invalid_client".into())
        );
        assert_eq!(
            answer(200, "{\"id_token\":\"a.b.c\",\"access_token\":\"x\"}"),
            Answer::Token("a.b.c".into())
        );
        assert_eq!(
            answer(200, "{\"access_token\":\"x\"}"),
            Answer::Refused("it sends no ID token".into())
        );
        for (status, body) in [
            (502, "<html>Bad Gateway</html>"),
            (500, "{\"error\":\"server_error\"}"),
            (503, "{\"error\":\"access_denied\"}"),
            (429, ""),
            (404, "<html>"),
            (302, ""),
            (200, "<html>"),
            (400, "{\"error\":\"temporarily_unavailable\"}"),
        ] {
            assert!(matches!(answer(status, body), Answer::Trouble(_)), "{status} {body}");
        }
    }

    #[test]
    fn an_error_of_the_provider_is_passed_on_without_control_characters() {
        let hostile = answer(400, "{\"error\":\"\\u001b[31mx\\n\u{202e}y\"}");
        assert_eq!(hostile, Answer::Refused("it answers [31mxy".into()));
    }

    #[test]
    fn slow_down_adds_five_seconds_for_good() {
        let now = Instant::now();
        let mut waits = Waits::new(SECOND * 5, now);
        assert_eq!(waits.take(Answer::Pending, now), wait(5));
        assert_eq!(waits.take(Answer::SlowDown, now), wait(10));
        assert_eq!(waits.take(Answer::Pending, now), wait(10));
        assert_eq!(waits.take(Answer::SlowDown, now), wait(15));
        assert_eq!(waits.early(now), Some(SECOND * 15));
        assert_eq!(waits.early(now + SECOND * 15), None);
    }

    #[test]
    fn trouble_waits_longer_each_time_and_is_forgotten_after_an_answer() {
        let now = Instant::now();
        let mut waits = Waits::new(SECOND * 5, now);
        let mut troubled = || match waits.take(Answer::Trouble("x".into()), now) {
            Step::Wait { interval, trouble } => (interval.as_secs(), trouble),
            other => panic!("{other:?}"),
        };
        assert_eq!(troubled(), (10, Some("x".into())));
        assert_eq!(troubled().0, 20);
        assert_eq!(troubled().0, 30);
        for _ in 0..100 {
            assert_eq!(troubled().0, 30);
        }
        assert_eq!(waits.take(Answer::Pending, now), wait(5));
    }

    #[test]
    fn an_interval_is_believed_within_reason() {
        let now = Instant::now();
        assert_eq!(Waits::new(Duration::ZERO, now).interval(), SECOND);
        assert_eq!(Waits::new(SECOND * 1_000_000, now).interval(), SECOND * 60);
    }

    #[test]
    fn a_client_secret_goes_where_the_provider_takes_it() {
        let mut config = IdentityProvider {
            name: "x".into(),
            issuer: "https://idp".into(),
            client_id: "id:1".into(),
            client_secret: None,
            scopes: Vec::new(),
            username_claim: "email".into(),
            groups_claim: "groups".into(),
            algorithms: Vec::new(),
            trust_unverified_email: false,
            ca: None,
        };
        let code = SecretString::from("code&more");
        let body = |request: &Request<Vec<u8>>| String::from_utf8(request.body().clone()).unwrap();

        let public = Endpoint::new("https://idp/token", &config, false)
            .request(&code)
            .unwrap();
        assert!(body(&public).ends_with("device_code=code%26more&client_id=id%3A1"));
        config.client_secret = Some(SecretString::from("s%"));
        let basic = Endpoint::new("https://idp/token", &config, false)
            .request(&code)
            .unwrap();
        assert!(!body(&basic).contains("client_"));
        let value = &basic.headers()[header::AUTHORIZATION];
        assert_eq!(value, &format!("Basic {}", STANDARD.encode("id%3A1:s%25")));
        assert!(value.is_sensitive());
        let post = Endpoint::new("https://idp/token", &config, true)
            .request(&code)
            .unwrap();
        assert!(body(&post).ends_with("client_id=id%3A1&client_secret=s%25"));
        assert!(!post.headers().contains_key(header::AUTHORIZATION));
    }
}
