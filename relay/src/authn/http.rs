//! The client that speaks to issuers: TLS verified against the system's roots, no redirects, 5 s and 1 MiB an answer.
//! openidconnect sends its requests through it too.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response, Uri};
use futures::future::BoxFuture;
use openidconnect::AsyncHttpClient;
use rustls::ClientConfig;

/// The longest that one request may take, from its first byte to the answer's last.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer. Entra's key set has some 10 kB.
const LONGEST: usize = 1 << 20;

/// Why an issuer gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpError {
    #[error("its address is neither https nor http on loopback")]
    Address,
    #[error("it does not answer within {} s", DEADLINE.as_secs())]
    Timeout,
    #[error("no connection to it: {0}")]
    Connect(String),
    #[error("the connection to it broke: {0}")]
    Broken(String),
    #[error("its answer is longer than 1 MiB")]
    Size,
    #[error("this system has no CA certificates: {0}")]
    NoRoots(String),
}

/// The HTTPS client for issuers.
pub(super) struct Http {
    /// For `https`. A system without CA certificates can still speak to an issuer on loopback.
    tls: Result<reqwest::Client, String>,
    /// For `http` on loopback, which no proxy reaches.
    loopback: reqwest::Client,
}

impl Http {
    /// A client that trusts the system's CAs, or those of a PEM file and no others.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, String> {
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| error.to_string());
        let tls = match ca {
            Some(file) => Ok(trusting(file)?),
            None => tls().map_err(|error| error.to_string()),
        };
        Ok(Self {
            tls: match tls {
                Ok(tls) => Ok(build(builder().tls_backend_preconfigured(tls).https_only(true))?),
                Err(error) => Err(error),
            },
            // The certificates of the system have no part in it.
            loopback: build(
                builder()
                    .tls_backend_preconfigured(no_tls().map_err(|error| error.to_string())?)
                    .no_proxy(),
            )?,
        })
    }

    /// Sends one request. An answer of whatever status is an answer.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        let client = match request.uri().scheme_str() {
            Some("https") => self.tls.as_ref().map_err(|error| HttpError::NoRoots(error.clone()))?,
            Some("http") if on_loopback(request.uri()) => &self.loopback,
            _ => return Err(HttpError::Address),
        };
        let request = request.try_into().map_err(|error| failed(&error))?;
        let mut answer = client.execute(request).await.map_err(|error| failed(&error))?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(HttpError::Size);
            }
            body.extend_from_slice(&chunk);
        }
        response
            .body(body)
            .map_err(|error| HttpError::Broken(error.to_string()))
    }

    /// Fetches a document. Gives its status and body.
    pub(super) async fn get(&self, url: &str) -> Result<Response<Vec<u8>>, HttpError> {
        let request = Request::get(url).header("accept", "application/json").body(Vec::new());
        self.send(request.map_err(|_| HttpError::Address)?).await
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<Response<Vec<u8>>, HttpError>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Whether an issuer's address may be used: https, or http on loopback, without a user or password in it.
pub(super) fn allowed(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let user = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    !user
        && match uri.scheme_str() {
            Some("https") => uri.host().is_some_and(|host| !host.is_empty()),
            Some("http") => on_loopback(&uri),
            _ => false,
        }
}

fn on_loopback(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("hoop-relay/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .timeout(DEADLINE)
        .pool_idle_timeout(Duration::from_secs(30))
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = hoop_shared::tls::provider();
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// A configuration that trusts the CAs of a file alone.
fn trusting(file: &Path) -> Result<ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in crate::config::read_chain(file)? {
        let unfit = |error| format!("{}: {error}", file.display());
        roots.add(certificate).map_err(unfit)?;
    }
    let config = ClientConfig::builder_with_provider(hoop_shared::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A configuration that trusts nobody, for a client that never uses TLS.
fn no_tls() -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(hoop_shared::tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// Says what failed without the address, which may hold a code.
fn failed(error: &reqwest::Error) -> HttpError {
    if error.is_timeout() {
        return HttpError::Timeout;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause = if std::ptr::addr_eq(cause, error) {
        "the request failed".to_owned()
    } else {
        cause.to_string()
    };
    if error.is_connect() {
        HttpError::Connect(cause)
    } else {
        HttpError::Broken(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn issuers_speak_tls_or_are_on_loopback() {
        for url in [
            "https://login.example.com/tenant",
            "http://127.0.0.1:8080",
            "http://127.9.9.9/",
            "http://[::1]:80/x",
            "http://localhost:3000",
        ] {
            assert!(allowed(url), "{url}");
        }
        for url in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://user@127.0.0.1/",
            "https://user:pass@example.com/",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "//127.0.0.1",
            "localhost:80",
            "",
        ] {
            assert!(!allowed(url), "{url}");
        }
    }
}
