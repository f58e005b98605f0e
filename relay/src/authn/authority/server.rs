//! The relay's own server certificate where the operator brings none: below its private CA, new at every start.

use std::net::IpAddr;

use hoop_shared::tls::PRIVATE_NAME;
use rcgen::string::Ia5String;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use super::{Authority, AuthorityError, Serial, leaf_params};

/// Longer than any relay runs without a restart.
const LIFE: Duration = Duration::days(825);

/// A server certificate with its chain (the private CA last, for clients that pin it) and its key.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The server's certificate, then its CA's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The server's private key; it is made at every start and never stored.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Issues a server certificate with a new key, for the private name and for `names` and `addresses`.
    ///
    /// # Errors
    /// A name cannot stand in a certificate, or there is no randomness.
    pub fn issue_server(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<ServerIdentity, AuthorityError> {
        let mut params = leaf_params(now, now + LIFE, PRIVATE_NAME);
        params.serial_number = Some(SerialNumber::from_slice(&Serial::random()?.0));
        for name in [PRIVATE_NAME].into_iter().chain(names.iter().map(String::as_str)) {
            params
                .subject_alt_names
                .push(SanType::DnsName(Ia5String::try_from(name)?));
        }
        params
            .subject_alt_names
            .extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}
