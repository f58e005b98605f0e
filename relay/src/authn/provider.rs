//! What a provider for people says about its logins (OpenID Connect Discovery 1.0, RFC 8414), and the relay as its client.

use hoop_shared::refusal::{Code, Refusal};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DeviceAuthorizationUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};

use super::issuer::Person;
use super::token_endpoint::Endpoint;
use super::{http, workload};

/// The longest URI that is passed on.
const LONGEST_URI: usize = 8192;

/// What discovery says beside what every provider says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LoginMetadata {
    /// RFC 8628, section 4.
    pub(super) device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    /// RFC 9207, section 3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    /// RFC 8414, section 2.
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
}

impl LoginMetadata {
    /// Whether the provider says that it knows PKCE (RFC 7636) with SHA-256.
    pub(super) fn knows_pkce(&self) -> bool {
        let methods = self.code_challenge_methods_supported.as_ref();
        methods.is_some_and(|methods| methods.iter().any(|method| method == "S256"))
    }
}

impl AdditionalProviderMetadata for LoginMetadata {}

pub(super) type Metadata = ProviderMetadata<
    LoginMetadata,
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

/// A provider, discovered.
pub(super) struct Provider {
    pub(super) metadata: Metadata,
    pub(super) endpoint: Endpoint,
    /// It takes a client secret in the body only (`client_secret_post`), not as HTTP Basic.
    pub(super) in_body: bool,
}

impl Person {
    /// Asks the provider what it offers.
    ///
    /// # Errors
    /// It does not answer, or not as a provider does.
    pub(super) async fn provider(&self) -> Result<Provider, Refusal> {
        let discovered = self
            .issuer
            .discover()
            .await
            .map_err(|error| workload::refuse(&error.into()))?;
        let metadata: Metadata = serde_json::from_slice(&discovered.document)
            .map_err(|error| self.unfit(&format!("its discovery document cannot be read: {error}")))?;
        let token = metadata
            .token_endpoint()
            .ok_or_else(|| self.unfit("it has no token endpoint"))?;
        self.check(token.as_str())?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let endpoint = Endpoint::new(token.as_str(), &self.config, in_body);
        Ok(Provider {
            metadata,
            endpoint,
            in_body,
        })
    }

    /// The scopes that are asked for besides `openid`; never one that would bring a refresh token.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &String> {
        self.config
            .scopes
            .iter()
            .filter(|scope| !["openid", "offline_access"].contains(&scope.as_str()))
    }

    /// Checks an address of the discovery document.
    pub(super) fn check(&self, address: &str) -> Result<(), Refusal> {
        self.issuer
            .check_address(address)
            .map_err(|error| self.unfit(&error.to_string()))
    }

    /// The refusal where the provider is not fit for logins; operators read why in the log too.
    pub(super) fn unfit(&self, problem: &str) -> Refusal {
        let provider = &self.config.name;
        tracing::warn!(provider, problem, "identity provider");
        Refusal::new(
            Code::Configuration,
            format!("a login with {provider} is not possible: {problem}"),
        )
        .hint("tell the relay's operator")
    }

    /// The refusal where the provider offers another way to log in than the one that was asked for.
    pub(super) fn not_offered(&self, what: &str, instead: &str) -> Refusal {
        Refusal::new(Code::Unsupported, format!("{} offers {what}", self.config.name)).hint(instead)
    }
}

/// Whether a URI may be shown, opened and put into a QR code. Its host may be another than the issuer's.
pub(super) fn presentable(uri: &str) -> bool {
    uri.len() <= LONGEST_URI
        && !uri.starts_with('-')
        && uri.bytes().all(|byte| byte.is_ascii_graphic())
        && http::allowed(uri)
}

#[cfg(test)]
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
        let long = format!("https://idp.example/{}", "a".repeat(9000));
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
