//! The relay's certificate authorities: one whose certificates stand for logins, and one for the relay's own server
//! certificate where the operator brings none. Two keys, so that what a client pins signs nothing else.
//!
//! Of a client's request only the public key counts (RFC 2986: the signature over it proves that the client holds the
//! private key). Names, usages and extensions that it asks for are dropped.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey, PublicKeyData,
    SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Principal;
use crate::store::files::{self, FileError};

mod server;

pub use server::ServerIdentity;

/// A clock that is a minute behind ours accepts a new certificate at once.
const SKEW: Duration = Duration::seconds(60);
/// A CA lives until an operator replaces it.
const CA_LIFE: Duration = Duration::days(3650);
/// The longest CSR, PEM. One for a P-256 key has some 500 bytes.
const LONGEST_CSR: usize = 8 << 10;
/// An uncompressed point of P-256.
const POINT: usize = 65;

/// What an authority signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Client certificates: one for each login.
    Clients,
    /// The relay's own server certificate.
    Server,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Clients => "client",
            Self::Server => "server",
        }
    }
}

/// Why an authority cannot be used, or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of it cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
    /// A file of it is damaged, or key and certificate are not a pair.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Sign(#[from] rcgen::Error),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// Why a certificate request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// More than 8 KiB.
    #[error("the certificate request is longer than 8 KiB")]
    Size,
    /// Not a PKCS #10 request in PEM, or its signature is wrong.
    #[error("the certificate request cannot be read, or its signature does not prove the key")]
    Form,
    /// Not a P-256 key.
    #[error("the certificate request is not for a P-256 key")]
    Key,
}

/// A public key whose holder proved that it has the private one.
#[derive(Clone, Debug)]
pub struct ClientKey {
    key: PublicKey,
    fingerprint: String,
}

impl ClientKey {
    /// Reads the key of a certificate request (PEM) and checks its signature. Nothing else of the request counts.
    ///
    /// # Errors
    /// It is not a request for a P-256 key, signed by it.
    pub fn of_csr(pem: &str) -> Result<Self, CsrError> {
        if pem.len() > LONGEST_CSR {
            return Err(CsrError::Size);
        }
        let request = CertificateSigningRequestParams::from_pem(pem).map_err(|_| CsrError::Form)?;
        let key = request.public_key;
        let point = PublicKeyData::der_bytes(&key);
        if *key.algorithm() != PKCS_ECDSA_P256_SHA256 || point.len() != POINT || point.first() != Some(&4) {
            return Err(CsrError::Key);
        }
        let fingerprint = sha256(&key.subject_public_key_info());
        Ok(Self { key, fingerprint })
    }

    /// SHA-256 of its SubjectPublicKeyInfo, hex.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// A certificate authority of this relay. Its private key never leaves it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    fingerprint: String,
    path: PathBuf,
    relay: String,
}

impl Authority {
    /// Opens an authority in `data_dir`, or makes it.
    ///
    /// # Errors
    /// A file is a link, another user's, open to others or damaged.
    pub fn open(data_dir: &Path, purpose: Purpose, now: OffsetDateTime) -> Result<Self, AuthorityError> {
        let key_path = data_dir.join(format!("{}-ca.key", purpose.word()));
        let path = data_dir.join(format!("{}-ca.pem", purpose.word()));
        let key = match read(&key_path)? {
            Some(pem) => text(&pem)
                .and_then(|pem| KeyPair::from_pem(pem).ok())
                .ok_or_else(|| damaged(&key_path, "it is not a private key in PEM"))?,
            None if read(&path)?.is_some() => {
                return Err(damaged(&path, &format!("its key {} is gone", key_path.display())));
            }
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                write(&key_path, zeroize::Zeroizing::new(key.serialize_pem()).as_bytes())?;
                key
            }
        };
        let relay = sha256(&key.subject_public_key_info())[..16].to_owned();
        // The key is written first: after a crash in between, the same key gets its certificate now.
        let certificate = match read(&path)? {
            Some(pem) => {
                CertificateDer::from_pem_slice(&pem).map_err(|_| damaged(&path, "it is not a certificate in PEM"))?
            }
            None => {
                let certificate = ca_params(purpose, &relay, now)?.self_signed(&key)?;
                write(&path, certificate.pem().as_bytes())?;
                certificate.der().clone()
            }
        };
        check_pair(&path, &certificate, &key, now)?;
        Ok(Self {
            fingerprint: sha256(&certificate),
            issuer: Issuer::from_ca_cert_der(&certificate, key)?,
            certificate,
            path,
            relay,
        })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The file of its certificate, PEM.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of its certificate, hex.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Issues a client certificate for a key. It says who logged in where, and serves for TLS clients alone.
    pub(super) fn issue_client(
        &self,
        key: &ClientKey,
        principal: &Principal,
        serial: &Serial,
        now: OffsetDateTime,
        expires: OffsetDateTime,
    ) -> Result<Certificate, AuthorityError> {
        let uri = format!(
            "hoop://{}/{}/{}",
            self.relay,
            percent(&principal.issuer),
            percent(&principal.subject)
        );
        let mut params = leaf_params(now, expires, &serial.text());
        params.serial_number = Some(SerialNumber::from_slice(&serial.0));
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params.signed_by(&key.key, &self.issuer)?)
    }
}

/// A certificate's serial number, which is a login's id: 126 random bits, positive and of full length as RFC 5280 wants it.
#[derive(Clone, Debug)]
pub(super) struct Serial([u8; 16]);

impl Serial {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Ok(Self(bytes))
    }

    pub(super) fn text(&self) -> String {
        hex(&self.0)
    }
}

/// The serial number and the key's fingerprint of a certificate that a client presents, in hex.
pub(super) fn presented(certificate: &CertificateDer<'_>) -> Option<(String, String)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some((hex(parsed.raw_serial()), sha256(parsed.public_key().raw)))
}

/// SHA-256, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Everything but letters, digits and `-._~` as `%XX`: a claim cannot end its part of the URI.
fn percent(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

fn ca_params(purpose: Purpose, relay: &str, now: OffsetDateTime) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.not_before = now - SKEW;
    params.not_after = now + CA_LIFE;
    params.serial_number = Some(SerialNumber::from_slice(&Serial::random()?.0));
    params.distinguished_name = DistinguishedName::new();
    // A name of its own for each authority, so that a verifier with several finds the right one.
    params
        .distinguished_name
        .push(DnType::CommonName, format!("hoop relay {} CA {relay}", purpose.word()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(now: OffsetDateTime, expires: OffsetDateTime, name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = now - SKEW;
    params.not_after = expires;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn check_pair(
    path: &Path,
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
    now: OffsetDateTime,
) -> Result<(), AuthorityError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| damaged(path, "it is not a certificate"))?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(damaged(path, "it does not belong to the key beside it"));
    }
    if parsed.validity().not_after.timestamp() <= now.unix_timestamp() {
        return Err(damaged(
            path,
            "it has expired; move it and its key away and a new one is made",
        ));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, AuthorityError> {
    files::read(path).map_err(|source| AuthorityError::File {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), AuthorityError> {
    files::write(path, content).map_err(|source| AuthorityError::File {
        path: path.to_owned(),
        source,
    })
}

fn text(pem: &[u8]) -> Option<&str> {
    std::str::from_utf8(pem).ok()
}

fn damaged(path: &Path, problem: &str) -> AuthorityError {
    AuthorityError::Damaged {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests;
