//! The relay's own certificate: the operator's, or one of the private CA in `data_dir`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use hoop_shared::tls::Pin;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

use super::ServeError;
use crate::authn::Authn;
use crate::authn::authority::{Authority, Purpose};
use crate::config::{Config, read_chain, read_key};
use crate::connection::Tls;

/// What the relay shows to its clients, and how they know it.
pub(super) struct ServerCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Of the private CA, else of the operator's certificate.
    pub pin: Pin,
    /// The private CA's file.
    pub ca: Option<PathBuf>,
}

impl ServerCertificate {
    /// Reads the operator's files, or issues a new certificate from the private CA.
    pub fn open(config: &Config) -> Result<Self, ServeError> {
        if let Some(files) = &config.tls {
            let chain = read_chain(&files.certificate).map_err(ServeError::Certificate)?;
            let key = read_key(&files.private_key)
                .map_err(|error| ServeError::Certificate(format!("{}: {error}", files.private_key.display())))?;
            let leaf = chain
                .first()
                .ok_or_else(|| ServeError::Certificate("no certificate".to_owned()))?;
            let pin = Pin::of(leaf).map_err(|error| ServeError::Certificate(error.to_string()))?;
            return Ok(Self {
                chain,
                key,
                pin,
                ca: None,
            });
        }
        let now = OffsetDateTime::now_utc();
        let authority = Authority::open(&config.data_dir, Purpose::Server, now)?;
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let listen = config.listen.ip();
        if !listen.is_unspecified() && !addresses.contains(&listen) {
            addresses.push(listen);
        }
        let mut names = vec!["localhost".to_owned()];
        names.extend(host_name());
        let identity = authority.issue_server(&names, &addresses, now)?;
        let pin = Pin::of(authority.certificate()).map_err(|error| ServeError::Certificate(error.to_string()))?;
        Ok(Self {
            chain: identity.chain,
            key: identity.key,
            pin,
            ca: Some(authority.path().to_owned()),
        })
    }

    /// Makes the port's TLS from it, for clients of the CAs that `authn` trusts.
    pub fn tls(&self, authn: &Authn) -> Result<Tls, ServeError> {
        let mut clients = RootCertStore::empty();
        for certificate in authn.trusted() {
            clients
                .add(certificate.clone())
                .map_err(|error| ServeError::Certificate(error.to_string()))?;
        }
        Ok(Tls::new(&self.chain, &self.key, clients)?)
    }
}

/// The machine's name, where it is one that a certificate can carry.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/etc/hostname")
        .ok()?
        .trim()
        .to_ascii_lowercase();
    let labels = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() < 254 && name != "localhost" && name.split('.').all(labels)).then_some(name)
}
