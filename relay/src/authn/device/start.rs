//! The start of a device login: codes from the issuer, checked before they are shown.

use std::time::Instant;

use hoop_shared::api::DeviceStarted;
use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{CoreClient, CoreDeviceAuthorizationResponse};
use openidconnect::{AuthType, ClientId, ClientSecret, RequestTokenError, Scope};
use secrecy::{ExposeSecret, SecretString};

use super::super::http::HttpError;
use super::super::issuer::Person;
use super::super::provider::presentable;
use super::super::token::unprintable;
use super::super::token_endpoint::Endpoint;
use super::super::waiting::{Grant, State, Waiting};
use super::super::{Applicant, Authn};
use super::LONGEST;
use super::poll::Waits;

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
        let (codes, endpoint) = started?;
        let life = codes.expires_in().min(LONGEST);
        let shown = shown(&codes)?;
        let waits = Waits::new(codes.interval(), Instant::now());
        let (interval, issuer) = (waits.interval().as_secs(), asked.person.config.name.clone());
        let login = self.logins.insert(Waiting {
            asked,
            ends: Instant::now() + life,
            endpoint,
            grant: Grant::Device(SecretString::from(codes.device_code().secret().clone())),
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

/// Asks the provider for codes. Gives them with the endpoint where their token is.
async fn authorize(person: &Person) -> Result<(CoreDeviceAuthorizationResponse, Endpoint), Refusal> {
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
    Ok((codes, provider.endpoint))
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
