//! The login of people in a browser on their machine: authorization code with PKCE and a loopback redirect (RFC 8252, RFC 7636).
//!
//! ```text
//! hoopctl ── start (CSR, loopback redirect) ──▶ relay: makes state, nonce and PKCE's secret, keeps them
//!         ◀─ authorization URL, state, secret name of the login ─┘
//! browser ── logs in ──▶ provider ── code, state ──▶ hoopctl ── finish ──▶ relay ── code, PKCE's secret ──▶ provider
//!         hoopctl ◀─ certificate | refused ─┘
//! ```
//!
//! Who steals the code on its way has nothing: it is redeemed with a secret that never leaves the relay, for the key of the
//! CSR that started. `state` and `nonce` tie answer and token to this login, `iss` (RFC 9207) to this provider.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hoop_shared::api::{BrowserFinish, BrowserStart, BrowserStarted, Enrolled};
use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreGrantType};
use openidconnect::url::Url;
use openidconnect::{ClientId, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::enrol::again;
use super::issuer::Person;
use super::limits::Rate;
use super::provider::presentable;
use super::token_endpoint::{Answer, word};
use super::waiting::{Grant, State, Waiting, secret};
use super::{Applicant, Authn};

/// How long a login in a browser may take.
const LIFE: Duration = Duration::from_secs(600);
/// The path that a browser is sent back to.
const CALLBACK: &str = "/callback";
/// The longest code that is passed on.
const LONGEST_CODE: usize = 8192;
/// How often the token endpoint is asked while it is in trouble, and how long is waited in between.
const TRIES: usize = 3;
const BETWEEN: Duration = Duration::from_secs(1);

/// What ties the browser that comes back to the login that sent it.
pub(super) struct Redirect {
    uri: String,
    state: String,
    nonce: String,
    verifier: SecretString,
    /// The provider names itself in its answer (RFC 9207), so an answer without a name is not its.
    named: bool,
}

impl Redirect {
    /// What the ID token must have as its `nonce`.
    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }
}

impl Authn {
    /// Starts a login in a browser for the key of a CSR.
    ///
    /// # Errors
    /// There is no such provider, it does not answer or offers no such login, or too many logins are tried.
    pub async fn start_browser(&self, start: &BrowserStart, applicant: Applicant) -> Result<BrowserStarted, Refusal> {
        check_redirect(&start.redirect_uri)?;
        let asked = self.begin(&start.csr, start.issuer.as_deref(), applicant).await?;
        let prepared = prepare(&asked.person, &start.redirect_uri).await;
        self.record_beginning(&asked, &prepared).await;
        let (authorization_uri, redirect, endpoint) = prepared?;
        let (issuer, state) = (asked.person.config.name.clone(), redirect.state.clone());
        let login = self.logins.insert(Waiting {
            asked,
            ends: Instant::now() + LIFE,
            endpoint,
            grant: Grant::Browser(redirect),
            state: tokio::sync::Mutex::new(State::Open),
        })?;
        Ok(BrowserStarted {
            login,
            authorization_uri,
            state,
            expires_in: LIFE.as_secs(),
            issuer,
        })
    }

    /// Finishes a login in a browser with what the provider sent the browser back with.
    ///
    /// # Errors
    /// It was denied, expired, refused, answers another login, or never existed.
    pub async fn finish_browser(self: &Arc<Self>, finish: BrowserFinish, source: IpAddr) -> Result<Enrolled, Refusal> {
        self.admit(Rate::Poll, source)?;
        let found = self.logins.find(&finish.login);
        let Some(waiting) = found.filter(|waiting| matches!(waiting.grant, Grant::Browser(_))) else {
            self.admit(Rate::Guess, source)?;
            return Err(again("this login is over, or never began"));
        };
        // A client that goes away in the middle would lose a token that the issuer gives once.
        let authn = Arc::clone(self);
        let finished = self
            .tasks
            .spawn(async move { authn.finish_once(&waiting, &finish).await });
        finished
            .await
            .unwrap_or_else(|_| Err(Refusal::new(Code::RelayFault, "the login failed in the relay")))
    }

    async fn finish_once(&self, waiting: &Waiting, finish: &BrowserFinish) -> Result<Enrolled, Refusal> {
        // Who comes twice waits for the first answer.
        let mut state = waiting.state.lock().await;
        if let State::Ended(result) = &*state {
            return result.clone().map(|enrolled| *enrolled);
        }
        let result = self.redeem(waiting, finish).await.map(Box::new);
        *state = State::Ended(result.clone());
        result.map(|enrolled| *enrolled)
    }

    /// Whatever comes first ends the login: a code that may have gone astray is not tried a second time.
    async fn redeem(&self, waiting: &Waiting, finish: &BrowserFinish) -> Result<Enrolled, Refusal> {
        let Grant::Browser(redirect) = &waiting.grant else {
            return Err(again("this login is over, or never began"));
        };
        if Instant::now() >= waiting.ends {
            let refusal = again("nobody logged in before the time was over");
            return Err(self.end(waiting, "expired", refusal).await);
        }
        let person = &waiting.asked.person;
        if let Err(problem) = answers(redirect, &person.config.issuer, finish) {
            let refusal = again(problem);
            return Err(self.end(waiting, "refused", refusal).await);
        }
        let code = match (&finish.code, finish.error.as_deref()) {
            (Some(code), None) if !code.is_empty() && code.len() <= LONGEST_CODE => code,
            (None, Some("access_denied")) => return Err(self.denied(waiting).await),
            (None, Some(error)) => {
                let refusal = person.unfit(&format!("it sends the browser back with {}", word(error)));
                return Err(self.end(waiting, "failed", refusal).await);
            }
            _ => return Err(self.end(waiting, "refused", again("the browser brought no code")).await),
        };
        let answer = ask(waiting, redirect, code).await;
        let refusal = match answer {
            Answer::Token(token) => return self.accept_token(waiting, &token).await,
            Answer::Denied => return Err(self.denied(waiting).await),
            Answer::Expired => again("the identity provider does not take the code any more"),
            Answer::Refused(problem) => person.unfit(&problem),
            Answer::Pending | Answer::SlowDown => person.unfit("it answers a code with an error of device logins"),
            Answer::Trouble(trouble) => Refusal::new(Code::TargetUnreachable, trouble)
                .hint("try again later; if it stays, tell the relay's operator"),
        };
        Err(self.end(waiting, "failed", refusal).await)
    }
}

/// Asks the token endpoint, again while it is in trouble: the code is still good where no answer came.
async fn ask(waiting: &Waiting, redirect: &Redirect, code: &str) -> Answer {
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect.uri.as_str()),
        ("code_verifier", redirect.verifier.expose_secret()),
    ];
    let http = waiting.asked.person.issuer.http();
    let mut answer = waiting.endpoint.ask(http, &grant).await;
    for _ in 1..TRIES {
        if !matches!(answer, Answer::Trouble(_)) {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        answer = waiting.endpoint.ask(http, &grant).await;
    }
    answer
}

/// Asks the provider what it offers; gives where to send the browser.
async fn prepare(
    person: &Person,
    redirect_uri: &str,
) -> Result<(String, Redirect, super::token_endpoint::Endpoint), Refusal> {
    let provider = person.provider().await?;
    let metadata = provider.metadata;
    let offered = metadata
        .grant_types_supported()
        .is_none_or(|grants| grants.contains(&CoreGrantType::AuthorizationCode));
    if !offered {
        return Err(person.not_offered("no login in a browser", "log in by a code, without --browser"));
    }
    person.check(metadata.authorization_endpoint().as_str())?;
    let named = metadata
        .additional_metadata()
        .authorization_response_iss_parameter_supported;
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| wrong_redirect())?;
    let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(person.config.client_id.clone()), None)
        .set_redirect_uri(redirect);
    let (sent_state, sent_nonce) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || sent_state,
            move || sent_nonce,
        )
        .set_pkce_challenge(challenge);
    for scope in person.scopes() {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    let (url, ..) = request.url();
    let url = url.to_string();
    if !presentable(&url) {
        return Err(person.unfit("its login page is neither https nor on loopback, or has too long an address"));
    }
    let redirect = Redirect {
        uri: redirect_uri.to_owned(),
        state,
        nonce,
        verifier: SecretString::from(verifier),
        named,
    };
    Ok((url, redirect, provider.endpoint))
}

/// Whether the browser brought the answer to this login, from this provider.
fn answers(redirect: &Redirect, issuer: &str, finish: &BrowserFinish) -> Result<(), &'static str> {
    if !bool::from(redirect.state.as_bytes().ct_eq(finish.state.as_bytes())) {
        return Err("the browser brought the answer to another login (state)");
    }
    match &finish.iss {
        Some(named) if named != issuer => Err("the browser brought the answer of another provider (iss)"),
        None if redirect.named => Err("the browser's answer does not name the provider (iss), which does so always"),
        _ => Ok(()),
    }
}

/// A browser is sent back to an address literal of its own machine and to our path there, nowhere else.
fn check_redirect(uri: &str) -> Result<(), Refusal> {
    let url = Url::parse(uri).map_err(|_| wrong_redirect())?;
    let literal = url
        .host_str()
        .map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
    let fits = url.scheme() == "http"
        && matches!(literal, Some(Ok(address)) if address.is_loopback())
        && url.port().is_some()
        && url.path() == CALLBACK
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.as_str() == uri;
    fits.then_some(()).ok_or_else(wrong_redirect)
}

fn wrong_redirect() -> Refusal {
    Refusal::new(
        Code::ProtocolViolation,
        "a browser is sent back to http://127.0.0.1:PORT/callback only",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_back_to_its_own_machine_only() {
        for uri in ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"] {
            assert!(check_redirect(uri).is_ok(), "{uri}");
        }
        for uri in [
            "https://127.0.0.1:1/callback",
            "http://localhost:1/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:80/callback",
            "http://10.0.0.1:1/callback",
            "http://127.0.0.1.evil.example:1/callback",
            "http://127.0.0.1:1@evil.example:2/callback",
            "http://127.0.0.1:1/callback/../x",
            "http://127.0.0.1:1/other",
            "http://127.0.0.1:1/callback?x=1",
            "http://127.0.0.1:1/callback#x",
            "http://0x7f000001:1/callback",
            "",
        ] {
            assert!(check_redirect(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn an_answer_is_for_this_login_and_from_this_provider() {
        let redirect = |named| Redirect {
            uri: String::new(),
            state: "s".into(),
            nonce: String::new(),
            verifier: SecretString::from(""),
            named,
        };
        let answer = |state: &str, iss: Option<&str>| BrowserFinish {
            login: String::new(),
            state: state.into(),
            code: Some("c".into()),
            error: None,
            iss: iss.map(str::to_owned),
        };
        assert!(answers(&redirect(false), "https://a", &answer("s", None)).is_ok());
        assert!(answers(&redirect(true), "https://a", &answer("s", Some("https://a"))).is_ok());
        assert!(answers(&redirect(false), "https://a", &answer("t", None)).is_err());
        assert!(answers(&redirect(false), "https://a", &answer("", None)).is_err());
        assert!(answers(&redirect(false), "https://a", &answer("s", Some("https://b"))).is_err());
        assert!(answers(&redirect(true), "https://a", &answer("s", None)).is_err());
    }
}
