//! The token endpoint of a provider for people: one question and what its answer means (RFC 6749, section 5; RFC 8628, section 3.5).
//! Of an answer only the ID token is read: access and refresh tokens are dropped unread.

use axum::http::{Request, Response, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openidconnect::url::form_urlencoded;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::http::Http;
use crate::config::IdentityProvider;

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

    /// Asks once, with the parameters of a grant.
    pub(super) async fn ask(&self, http: &Http, grant: &[(&str, &str)]) -> Answer {
        let Ok(request) = self.request(grant) else {
            return Answer::Refused("its token endpoint has no usable address".to_owned());
        };
        match http.send(request).await {
            Ok(answer) => read(&answer),
            Err(error) => Answer::Trouble(format!("the identity provider does not answer: {error}")),
        }
    }

    fn request(&self, grant: &[(&str, &str)]) -> Result<Request<Vec<u8>>, axum::http::Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(grant);
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
        _ => Answer::Refused(format!("it answers {}", word(&error))),
    }
}

/// An error of a provider as it may be shown.
pub(super) fn word(error: &str) -> String {
    error
        .chars()
        .filter(char::is_ascii_graphic)
        .take(LONGEST_WORD)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        read(
            &Response::builder()
                .status(status)
                .body(body.as_bytes().to_vec())
                .unwrap(),
        )
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
        let grant = [("grant_type", "x"), ("device_code", "code&more")];
        let body = |request: &Request<Vec<u8>>| String::from_utf8(request.body().clone()).unwrap();

        let public = Endpoint::new("https://idp/token", &config, false)
            .request(&grant)
            .unwrap();
        assert!(body(&public).ends_with("device_code=code%26more&client_id=id%3A1"));
        config.client_secret = Some(SecretString::from("s%"));
        let basic = Endpoint::new("https://idp/token", &config, false)
            .request(&grant)
            .unwrap();
        assert!(!body(&basic).contains("client_"));
        let value = &basic.headers()[header::AUTHORIZATION];
        assert_eq!(value, &format!("Basic {}", STANDARD.encode("id%3A1:s%25")));
        assert!(value.is_sensitive());
        let post = Endpoint::new("https://idp/token", &config, true)
            .request(&grant)
            .unwrap();
        assert!(body(&post).ends_with("client_id=id%3A1&client_secret=s%25"));
        assert!(!post.headers().contains_key(header::AUTHORIZATION));
    }
}
