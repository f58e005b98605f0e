//! The start of a device login: codes from the issuer, checked before they are shown.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hoop_shared::api::DeviceStarted;
use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreDeviceAuthorizationResponse,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, DeviceAuthorizationUrl, ProviderMetadata,
    RequestTokenError, Scope,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::http::HttpError;
use super::super::issuer::Person;
use super::super::limits::Rate;
use super::super::token::unprintable;
use super::super::{Applicant, Authn, http, workload};
use super::poll::{Endpoint, Waits};
use super::{LONGEST, State, Waiting, unfit};

/// The longest URI and user code that are passed on.
const LONGEST_URI: usize = 2048;
const LONGEST_CODE: usize = 64;

/// What discovery says about device logins, beside what every provider says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DeviceMetadata {
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
}

impl AdditionalProviderMetadata for DeviceMetadata {}

type Metadata = ProviderMetadata<
    DeviceMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

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
        let mut attempt = applicant.attempt("started");
        attempt.issuer = Some(person.config.issuer.clone());
        attempt.fingerprint = Some(key.fingerprint().to_owned());
        let begun = OffsetDateTime::now_utc();
        let started = self.authorize(&person).await;
        if let Err(refusal) = &started {
            attempt.outcome = "failed";
            attempt.detail = Some(refusal.message.clone());
        }
        self.record(attempt).await;
        let (codes, endpoint) = started?;
        let life = codes.expires_in().min(LONGEST);
        let shown = shown(&codes)?;
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|_| Refusal::new(Code::RelayFault, "the relay has no randomness"))?;
        let login = URL_SAFE_NO_PAD.encode(secret);
        let waits = Waits::new(codes.interval(), Instant::now());
        let started = DeviceStarted {
            login: login.clone(),
            verification_uri: shown.uri,
            verification_uri_complete: shown.complete,
            user_code: shown.code,
            interval: waits.interval().as_secs(),
            expires_in: life.as_secs(),
            issuer: person.config.name.clone(),
        };
        self.logins.insert(
            &login,
            Waiting {
                applicant,
                key,
                person,
                life: issuers.life,
                begun,
                ends: Instant::now() + life,
                endpoint,
                device_code: SecretString::from(codes.device_code().secret().clone()),
                state: tokio::sync::Mutex::new(State::Waits(waits)),
            },
        );
        Ok(started)
    }

    /// Asks the provider for codes. Gives them with the endpoint where their token is.
    async fn authorize(&self, person: &Person) -> Result<(CoreDeviceAuthorizationResponse, Endpoint), Refusal> {
        let config = &person.config;
        let discovered = person
            .issuer
            .discover()
            .await
            .map_err(|error| workload::refuse(&error.into()))?;
        let metadata: Metadata = serde_json::from_slice(&discovered.document).map_err(|error| {
            unfit(
                config.name.as_str(),
                &format!("its discovery document cannot be read: {error}"),
            )
        })?;
        let device = metadata.additional_metadata().device_authorization_endpoint.clone();
        let (Some(device), Some(token)) = (device, metadata.token_endpoint().cloned()) else {
            return Err(unfit(&config.name, "it offers no device login (RFC 8628)"));
        };
        for address in [device.as_str(), token.as_str()] {
            person
                .issuer
                .check_address(address)
                .map_err(|error| unfit(&config.name, &error.to_string()))?;
        }
        let secret = config
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let methods = metadata.token_endpoint_auth_methods_supported();
        let in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let endpoint = Endpoint::new(token.as_str(), config, in_body);
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret)
            .set_auth_type(if in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            })
            .set_device_authorization_url(device);
        let mut request = client.exchange_device_code();
        for scope in config
            .scopes
            .iter()
            .filter(|scope| !["openid", "offline_access"].contains(&scope.as_str()))
        {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let codes = request
            .request_async(person.issuer.http())
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(answer) => {
                    unfit(&config.name, &format!("it refuses a device login: {}", answer.error()))
                }
                RequestTokenError::Request(error) => unreachable_issuer(&config.name, &error),
                RequestTokenError::Parse(error, _) => unfit(
                    &config.name,
                    &format!("its answer to a device login cannot be read: {error}"),
                ),
                RequestTokenError::Other(problem) => unfit(&config.name, &problem),
            })?;
        Ok((codes, endpoint))
    }
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

/// Whether a URI may be shown, opened and put into a QR code. Its host may be another than the issuer's.
fn presentable(uri: &str) -> bool {
    uri.len() <= LONGEST_URI
        && !uri.starts_with('-')
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && http::allowed(uri)
}

fn no_provider(named: Option<&str>, known: &[String]) -> Refusal {
    match named {
        Some(_) if !known.is_empty() => Refusal::new(Code::NotFound, "the relay has no identity provider of that name")
            .hint(format!("it has: {}", known.join(", "))),
        _ => Refusal::new(Code::Unsupported, "the relay has no identity provider for people")
            .hint("use `hoopctl login --workload`"),
    }
}

fn unreachable_issuer(provider: &str, error: &HttpError) -> Refusal {
    tracing::warn!(provider, %error, "identity provider");
    Refusal::new(
        Code::TargetUnreachable,
        format!("the identity provider {provider} cannot be asked: {error}"),
    )
    .hint("try again later; if it stays, tell the relay's operator")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::presentable;

    #[test]
    fn only_harmless_pages_are_shown() {
        for uri in [
            "https://idp.example/device",
            "http://127.0.0.1:1/device?user_code=A-B",
            "https://other.example/x#y",
        ] {
            assert!(presentable(uri), "{uri}");
        }
        let long = format!("https://idp.example/{}", "a".repeat(3000));
        for uri in [
            "http://idp.example/device",
            "javascript:alert(1)",
            "-https://idp.example",
            "https://idp.example/\u{1b}[31m",
            "https://idp.example/\n",
            "https://idp.example/\u{202e}",
            "https://user@idp.example/",
            "",
            &long,
        ] {
            assert!(!presentable(uri), "{uri:?}");
        }
    }
}
