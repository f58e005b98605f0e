//! The login's private key: P-256, made here. The relay sees its public half in a signing request.

use std::fmt;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use zeroize::Zeroizing;

use crate::context::local_failure;
use crate::error::Result;

/// Hexadecimal digits of a public key's hash that tell keys apart.
const FINGERPRINT_DIGITS: usize = 16;

/// A private key, PKCS #8 in PEM. Overwritten in memory at the end; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<String>);

impl Key {
    /// Makes a new key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(|pair| Self(Zeroizing::new(pair.serialize_pem())))
            .map_err(|error| local_failure("cannot make a key", &error))
    }

    /// Takes a key as it was kept.
    pub fn from_pem(pem: String) -> Self {
        Self(Zeroizing::new(pem))
    }

    /// The key as it is kept.
    pub fn pem(&self) -> &str {
        &self.0
    }

    /// A signing request (PKCS #10, PEM) that proves possession. It has no names: the relay decides about these.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn signing_request(&self) -> Result<String> {
        let failed = |error: rcgen::Error| local_failure("cannot make a signing request", &error);
        let pair = self.pair()?;
        let request = CertificateParams::default().serialize_request(&pair).map_err(failed)?;
        request.pem().map_err(failed)
    }

    /// What tells this key from others, made of its public half.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let hash = blake3::hash(&self.pair()?.subject_public_key_info()).to_hex();
        Ok(hash.chars().take(FINGERPRINT_DIGITS).collect())
    }

    fn pair(&self) -> Result<KeyPair> {
        KeyPair::from_pem(&self.0).map_err(|error| local_failure("cannot read the login's key", &error))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_request_is_signed_and_names_nobody() {
        let key = Key::generate().unwrap();
        let pem = key.signing_request().unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        let (_, request) =
            <x509_parser::certification_request::X509CertificationRequest as x509_parser::prelude::FromDer<_>>::from_der(
                &pem.contents,
            )
            .unwrap();
        let own = request.certification_request_info.subject_pki;
        assert_eq!(own.raw, key.pair().unwrap().subject_public_key_info());
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_fingerprint_tells_keys_apart_and_stays() {
        let (one, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        let again = Key::from_pem(one.pem().to_owned());
        assert_eq!(one.fingerprint().unwrap(), again.fingerprint().unwrap());
    }
}
