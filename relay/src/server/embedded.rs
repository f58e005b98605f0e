//! `hoop-relay dev`'s own identity provider, as one of the configuration's.

use std::net::SocketAddr;

use tracing::warn;

use super::{DevOptions, ServeError};
use crate::config::{Config, IdentityProvider};
use crate::dev::{self, Provider, ProviderError};

/// The name of the embedded identity provider.
const DEV: &str = "dev";
/// Where `dev` keeps its identity provider's address: principals belong to their issuer, whose name has the port in it.
const DEV_ISSUER: &str = "dev-issuer";

/// Puts the embedded identity provider into a configuration.
pub(super) fn with_provider(mut config: Config, dev: Option<&IdentityProvider>) -> Config {
    config.identity_providers.extend(dev.cloned());
    config
}

/// Starts the embedded identity provider, where it was the last time if that is free.
pub(super) async fn embedded(config: &Config, options: &DevOptions) -> Result<Provider, ServeError> {
    let kept = config.data_dir.join(DEV_ISSUER);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let last = std::fs::read_to_string(&kept)
        .ok()
        .and_then(|text| text.trim().parse::<SocketAddr>().ok());
    let provider = match last {
        Some(last) => match Provider::start(last, options.sign_in_as.clone()).await {
            Err(ProviderError::Listen(error)) => {
                warn!(%last, %error, "the embedded identity provider has moved: its users are other users now");
                Provider::start(any, options.sign_in_as.clone()).await?
            }
            other => other?,
        },
        None => Provider::start(any, options.sign_in_as.clone()).await?,
    };
    let address = provider.issuer().trim_start_matches("http://");
    std::fs::write(&kept, address).map_err(ServeError::system(
        "the embedded identity provider's address is not kept",
    ))?;
    Ok(provider)
}

/// The provider, as a configuration names it.
pub(super) fn entry_of(provider: &Provider) -> IdentityProvider {
    IdentityProvider {
        name: DEV.to_owned(),
        issuer: provider.issuer().to_owned(),
        client_id: dev::CLIENT_ID.to_owned(),
        client_secret: None,
        scopes: Vec::new(),
        username_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        algorithms: vec![dev::ALGORITHM.to_owned()],
        trust_unverified_email: false,
        ca: None,
    }
}
