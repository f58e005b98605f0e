//! Where a workload's token comes from, in the order of `login --workload`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hoop_shared::refusal::Code;
use hoop_shared::tls::provider;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::context::local_failure;
use crate::error::{Error, Result};
use crate::settings::workload::GitHub;
use crate::settings::{Settings, read_small};

/// The audience of the relay's documentation.
pub const DEFAULT_AUDIENCE: &str = "hoop";
/// What gives a job its token.
pub const PLATFORMS: &str = "`permissions: id-token: write` on GitHub, `id_tokens: HOOP_ID_TOKEN` on GitLab, a projected volume at \
                             /var/run/secrets/hoop on Kubernetes";
/// Bytes of a token: no issuer comes near.
const MAX_TOKEN: u64 = 16 * 1024;
/// How long GitHub's token service may take.
const TOKEN_SERVICE_TIMEOUT: Duration = Duration::from_secs(20);

/// Finds the token: the flag's file, the variables, GitHub Actions, GitLab, Kubernetes.
///
/// # Errors
/// There is none, or the one that is named cannot be had.
pub async fn token(file: Option<&Path>, audience: &str, settings: &Settings) -> Result<SecretString> {
    let sources = &settings.workload;
    if let Some(file) = file {
        return of_file(file);
    }
    if let Some(token) = &sources.token {
        return checked(token.expose_secret(), "the token of HOOPCTL_ID_TOKEN");
    }
    if let Some(file) = &sources.token_file {
        return of_file(file);
    }
    if let Some(github) = &sources.github {
        return of_github(github, audience).await;
    }
    if let Some(token) = &sources.gitlab {
        return checked(token.expose_secret(), "the token of HOOP_ID_TOKEN");
    }
    if let Some(file) = &sources.kubernetes {
        return of_file(file);
    }
    let hint = format!("pass --token-file, set HOOPCTL_ID_TOKEN, or give the job one: {PLATFORMS}");
    Err(Error::login_needed("no workload token was found").hint(hint))
}

fn of_file(file: &Path) -> Result<SecretString> {
    let what = format!("the token of {}", file.display());
    let text = read_small(file, MAX_TOKEN)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Error::new(Code::Configuration, error.to_string()).doing(format!("cannot read {what}")))?;
    checked(&text, &what)
}

/// Takes a token that looks like one: three parts of base 64. Anything else is not sent anywhere, it may be another secret.
fn checked(text: &str, what: &str) -> Result<SecretString> {
    let token = text.trim();
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let looks_like_one =
        token.len() as u64 <= MAX_TOKEN && token.split('.').count() == 3 && token.split('.').all(is_part);
    if looks_like_one {
        return Ok(SecretString::from(token.to_owned()));
    }
    Err(Error::new(
        Code::Configuration,
        format!("{what} is not a signed OIDC token"),
    ))
}

/// Asks GitHub Actions for a token (GitHub: "OpenID Connect reference", requesting the JWT).
async fn of_github(github: &GitHub, audience: &str) -> Result<SecretString> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }

    let doing = "cannot get a token from GitHub Actions";
    let failed = |error: &dyn std::fmt::Display| local_failure(doing, error);
    let mut url = reqwest::Url::parse(&github.url).map_err(|error| failed(&error))?;
    let on_loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && on_loopback) {
        return Err(failed(&"ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL"));
    }
    url.query_pairs_mut().append_pair("audience", audience);
    let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| failed(&error))?;
    let tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TOKEN_SERVICE_TIMEOUT)
        .build()
        .map_err(|error| failed(&error))?;
    // The URL carries what authorises nothing by itself, yet it is left out of errors.
    let request = http
        .get(url)
        .bearer_auth(github.bearer.expose_secret())
        .header("accept", "application/json");
    let answer = request.send().await.map_err(|error| failed(&error.without_url()))?;
    if !answer.status().is_success() {
        return Err(failed(&format_args!("it answered HTTP {}", answer.status().as_u16()))
            .hint("the job needs `permissions: id-token: write`"));
    }
    let body = answer.bytes().await.map_err(|error| failed(&error.without_url()))?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| failed(&"its answer has no token"))?;
    checked(&answer.value, "what GitHub Actions gave")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_sent() {
        assert_eq!(checked(" a.b.c\n", "x").unwrap().expose_secret(), "a.b.c");
        for text in ["", "a.b", "a..c", "a.b.c.d", "a b.c.d", "postgres://u:secret@h/d"] {
            let error = checked(text, "it").unwrap_err();
            assert_eq!(error.code(), Code::Configuration, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[tokio::test]
    async fn github_is_asked_for_the_audience_with_its_bearer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"value\":\"a.b.c\"}";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let github = GitHub {
            url,
            bearer: SecretString::from("let-me"),
        };
        assert_eq!(of_github(&github, "my hoop").await.unwrap().expose_secret(), "a.b.c");
        let request = server.await.unwrap();
        assert!(
            request.starts_with("GET /token?api-version=2.0&audience=my+hoop HTTP/1.1"),
            "{request}"
        );
        assert!(
            request.to_lowercase().contains("authorization: bearer let-me"),
            "{request}"
        );
    }

    #[tokio::test]
    async fn github_is_not_asked_in_the_clear() {
        let github = GitHub {
            url: "http://token.example/".to_owned(),
            bearer: SecretString::from("let-me"),
        };
        assert!(
            of_github(&github, "hoop")
                .await
                .unwrap_err()
                .to_string()
                .contains("not an https URL")
        );
    }
}
