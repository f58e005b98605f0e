//! The start of a device login: codes from the issuer, checked before they are shown.

use std::time::Instant;

use hoop_shared::api::DeviceStarted;
use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{CoreClient, CoreDeviceAuthorizationResponse};
use openidconnect::{AuthType, ClientId, ClientSecret, PkceCodeChallenge, PkceCodeVerifier, RequestTokenError, Scope};
use secrecy::{ExposeSecret, SecretString};

use super::super::http::HttpError;
use super::super::issuer::Person;
use super::super::provider::presentable;
use super::super::token::unprintable;
use super::super::token_endpoint::Endpoint;
use super::super::waiting::{Grant, State, Waiting, secret};
use super::super::{Applicant, Authn};
use super::poll::Waits;
use super::{Codes, LONGEST};

/// The longest user code that is passed on.
const LONGEST_CODE: usize = 64;

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
        let asked = self.begin(csr, provider, applicant).await?;
        let started = authorize(&asked.person).await;
        self.record_beginning(&asked, &started).await;
        let Started {
            codes,
            verifier,
            endpoint,
        } = started?;
        let life = codes.expires_in().min(LONGEST);
        let shown = shown(&codes)?;
        let waits = Waits::new(codes.interval(), Instant::now());
        let (interval, issuer) = (waits.interval().as_secs(), asked.person.config.name.clone());
        let login = self.logins.insert(Waiting {
            asked,
            ends: Instant::now() + life,
            endpoint,
            grant: Grant::Device(Codes {
                device: SecretString::from(codes.device_code().secret().clone()),
                verifier,
            }),
            state: tokio::sync::Mutex::new(State::Polls(waits)),
        })?;
        Ok(DeviceStarted {
            login,
            verification_uri: shown.uri,
            verification_uri_complete: shown.complete,
            user_code: shown.code,
            interval,
            expires_in: life.as_secs(),
            issuer,
        })
    }
}

/// A device login that the provider knows.
struct Started {
    codes: CoreDeviceAuthorizationResponse,
    verifier: Option<SecretString>,
    /// Where its token is.
    endpoint: Endpoint,
}

/// Asks the provider for codes.
async fn authorize(person: &Person) -> Result<Started, Refusal> {
    let config = &person.config;
    let provider = person.provider().await?;
    let metadata = provider.metadata;
    let Some(device) = metadata.additional_metadata().device_authorization_endpoint.clone() else {
        return Err(person.not_offered(
            "no device login (RFC 8628)",
            "log in on a machine with a browser: `hoopctl login --browser`",
        ));
    };
    person.check(device.as_str())?;
    // Standards say nothing of PKCE here; a provider that does not name it is not asked for it.
    let verifier = match metadata.additional_metadata().knows_pkce() {
        true => Some(secret()?),
        false => None,
    };
    let secret = config
        .client_secret
        .as_ref()
        .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret)
        .set_auth_type(if provider.in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        })
        .set_device_authorization_url(device);
    let mut request = client.exchange_device_code();
    if let Some(verifier) = &verifier {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        request = request
            .add_extra_param("code_challenge", challenge.as_str().to_owned())
            .add_extra_param("code_challenge_method", challenge.method().as_str().to_owned());
    }
    for scope in person.scopes() {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    let codes = request
        .request_async(person.issuer.http())
        .await
        .map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => {
                person.unfit(&format!("it refuses a device login: {}", answer.error()))
            }
            RequestTokenError::Request(error) => unreachable_issuer(&config.name, &error),
            RequestTokenError::Parse(error, _) => {
                person.unfit(&format!("its answer to a device login cannot be read: {error}"))
            }
            RequestTokenError::Other(problem) => person.unfit(&problem),
        })?;
    Ok(Started {
        codes,
        verifier: verifier.map(SecretString::from),
        endpoint: provider.endpoint,
    })
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

fn unreachable_issuer(provider: &str, error: &HttpError) -> Refusal {
    tracing::warn!(provider, %error, "identity provider");
    Refusal::new(
        Code::TargetUnreachable,
        format!("the identity provider {provider} cannot be asked: {error}"),
    )
    .hint("try again later; if it stays, tell the relay's operator")
}
