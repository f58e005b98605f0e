//! TLS between `hoopctl` and the relay: versions, ciphers, names of the protocols, and how a client knows its relay.
//!
//! TLS 1.3 alone, by aws-lc-rs. No tickets and no early data: a resumed handshake would take the client certificate from
//! the ticket without looking at its date or its login, and early data can be replayed.
//!
//! A client knows its relay by one of three ([`Trust`]):
//! - a **pin**, the SHA-256 of a `SubjectPublicKeyInfo` in hex: of the relay's own certificate (then neither its names nor
//!   its dates matter, only that the relay holds that key), or of a CA certificate that the relay presents behind it. A
//!   relay with a private CA prints the pin of that CA, which outlives its server certificates;
//! - a **CA file**: the chain must end in it and the name that was dialled must be in the certificate;
//! - the **system's** roots, in the same way.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};

/// ALPN name of the tunnel's frames, over QUIC and over TCP.
pub const ALPN_TUNNEL: &[u8] = b"hoop/1";
/// ALPN name of the HTTPS API.
pub const ALPN_HTTP: &[u8] = b"http/1.1";
/// A name that every server certificate of a relay's private CA carries, so that a client that pins this CA finds its
/// relay at any address. `.internal` is reserved: no public CA issues it, so pinning one still asks for the dialled name.
pub const PRIVATE_NAME: &str = "relay.hoop.internal";
/// Certificates that a relay may present behind its own.
const MAX_INTERMEDIATES: usize = 8;

/// The cryptography of both ends: aws-lc-rs, AES-128-GCM first (the data path's cheapest on machines with AES).
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| *suite != TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// SHA-256 of a `SubjectPublicKeyInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

/// A text that is not a pin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a pin: expected the 64 hexadecimal digits of a SHA-256")]
pub struct InvalidPin;

impl Pin {
    /// The pin of a certificate's public key.
    ///
    /// # Errors
    /// It is not an X.509 certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let hash = TLS13_AES_128_GCM_SHA256
            .tls13()
            .map(|suite| suite.common.hash_provider.hash(key.as_ref()))
            .ok_or_else(|| Error::General("the provider has no SHA-256".into()))?;
        let bytes = hash.as_ref().try_into();
        bytes
            .map(Self)
            .map_err(|_| Error::General("SHA-256 has another length".into()))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Pin {
    type Err = InvalidPin;

    /// Reads hexadecimal digits in either case, with or without `sha256:` before and colons between them.
    fn from_str(text: &str) -> Result<Self, InvalidPin> {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let mut digits = text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16));
        let mut bytes = [0_u8; 32];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else {
                return Err(InvalidPin);
            };
            *byte = u8::try_from(high << 4 | low).map_err(|_| InvalidPin)?;
        }
        if digits.next().is_some() {
            Err(InvalidPin)
        } else {
            Ok(Self(bytes))
        }
    }
}

/// How a client knows its relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By the key of its certificate or of its private CA.
    Pin(Pin),
    /// By a CA, and the dialled name.
    Ca(Vec<CertificateDer<'static>>),
    /// By the system's CAs, and the dialled name.
    System,
}

/// Verifies a relay's certificate, and keeps what a refused relay presented, so that a person can be asked about it.
#[derive(Debug)]
pub struct RelayVerifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<Untrusted>>,
}

#[derive(Debug)]
enum Rule {
    Pin(Pin),
    Chain(Arc<dyn ServerCertVerifier>),
}

/// A relay whose certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The pin with which this relay would be trusted: of its private CA where it presents one, else of its certificate.
    pub pin: Option<Pin>,
    /// What is wrong with the certificate, under the rule that was asked for.
    pub problem: String,
    /// It is not valid at this machine's time: that the clock is wrong is the likeliest cause.
    pub about_time: bool,
}

impl RelayVerifier {
    /// Makes the verifier for one relay.
    ///
    /// # Errors
    /// A CA certificate cannot be read, there is none, or the system has no roots.
    pub fn new(trust: &Trust) -> Result<Arc<Self>, Error> {
        let provider = provider();
        let rule = match trust {
            Trust::Pin(pin) => Rule::Pin(*pin),
            Trust::Ca(certificates) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates {
                    roots.add(certificate.clone())?;
                }
                Rule::Chain(chain_verifier(roots, &provider)?)
            }
            Trust::System => Rule::Chain(Arc::new(rustls_platform_verifier::Verifier::new(Arc::clone(
                &provider,
            ))?)),
        };
        Ok(Arc::new(Self {
            rule,
            provider,
            refused: Mutex::new(None),
        }))
    }

    /// What the last refused relay presented.
    pub fn refused(&self) -> Option<Untrusted> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn by_pin(&self, pin: &Pin, presented: &Presented<'_>) -> Result<(), Error> {
        if Pin::of(presented.leaf)? == *pin {
            return Ok(());
        }
        for ca in presented.intermediates.iter().take(MAX_INTERMEDIATES) {
            if Pin::of(ca)? == *pin {
                return self.below(ca, presented);
            }
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    /// Verifies the chain with one presented certificate as its root.
    fn below(&self, ca: &CertificateDer<'_>, presented: &Presented<'_>) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let verifier = chain_verifier(roots, &self.provider)?;
        let verify = |name: &ServerName<'_>| {
            verifier
                .verify_server_cert(presented.leaf, presented.intermediates, name, &[], presented.now)
                .map(|_| ())
        };
        let private = ServerName::try_from(PRIVATE_NAME).map_err(|_| Error::General("not a name".into()))?;
        verify(&private).or_else(|_| verify(presented.name))
    }

    fn keep(&self, presented: &Presented<'_>, error: &Error) {
        let ca = presented
            .intermediates
            .iter()
            .take(MAX_INTERMEDIATES)
            .find(|ca| self.below(ca, presented).is_ok());
        let untrusted = Untrusted {
            pin: Pin::of(ca.unwrap_or(presented.leaf)).ok(),
            problem: match (&self.rule, error) {
                (Rule::Pin(_), Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                    "its certificate does not have the pinned key".to_owned()
                }
                (_, Error::InvalidCertificate(problem)) => problem.to_string(),
                (_, other) => other.to_string(),
            },
            about_time: matches!(
                error,
                Error::InvalidCertificate(
                    CertificateError::Expired
                        | CertificateError::ExpiredContext { .. }
                        | CertificateError::NotValidYet
                        | CertificateError::NotValidYetContext { .. }
                )
            ),
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(untrusted);
    }
}

struct Presented<'a> {
    leaf: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    now: UnixTime,
}

fn chain_verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

impl ServerCertVerifier for RelayVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented {
            leaf: end_entity,
            intermediates,
            name: server_name,
            now,
        };
        let result = match &self.rule {
            Rule::Pin(pin) => self.by_pin(pin, &presented),
            Rule::Chain(chain) => chain
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|_| ()),
        };
        result
            .inspect_err(|error| self.keep(&presented, error))
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A client's certificate chain and key.
#[derive(Debug)]
pub struct Credential {
    /// The certificate, then those behind it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Credential {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
        }
    }
}

/// Makes a client's TLS configuration: TLS 1.3, no resumption, no early data.
///
/// # Errors
/// The key does not fit the certificate, or is of a kind that the provider does not have.
pub fn client_config(
    verifier: Arc<RelayVerifier>,
    credential: Option<Credential>,
    alpn: &[&[u8]],
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match credential {
        Some(Credential { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// Makes the relay's TLS configuration: TLS 1.3, no tickets, no session cache, no early data.
///
/// # Errors
/// The key does not fit the certificate, or is of a kind that the provider does not have.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Arc<dyn ClientCertVerifier>,
    alpn: &[&[u8]],
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

#[cfg(test)]
mod tests;
