//! TLS towards a server, in libpq's words: `require`, `verify-ca`, `verify-full`.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::DialError;
use crate::config::{PostgresTarget, TlsMode};

/// Makes TLS over a connection whose server agreed to it.
pub(super) async fn handshake(target: &PostgresTarget, tcp: TcpStream) -> Result<TlsStream<TcpStream>, DialError> {
    let config = client_config(target).await?;
    let name = ServerName::try_from(target.host.clone())
        .map_err(|_| DialError::TlsSetup(format!("`{}` is no host name that a certificate can have", target.host)))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(DialError::Tls)
}

async fn client_config(target: &PostgresTarget) -> Result<ClientConfig, DialError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let setup = |problem: &dyn std::fmt::Display| DialError::TlsSetup(problem.to_string());
    let verifier: Arc<dyn ServerCertVerifier> = match (target.tls, &target.ca) {
        // libpq, too, verifies the chain under `require` where it is given a CA.
        (TlsMode::VerifyCa | TlsMode::Require, Some(ca)) => Arc::new(ChainOnly {
            roots: roots(ca).await?,
            provider: provider.clone(),
        }),
        (TlsMode::VerifyFull, Some(ca)) => {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca).await?), provider.clone())
                .build()
                .map_err(|problem| setup(&problem))?
        }
        (TlsMode::VerifyFull, None) => {
            Arc::new(rustls_platform_verifier::Verifier::new(provider.clone()).map_err(|problem| setup(&problem))?)
        }
        // A certificate of any public authority for any name would do: that verifies nothing.
        (TlsMode::VerifyCa, None) => return Err(setup(&"`tls = \"verify-ca\"` needs `ca`")),
        (TlsMode::Require | TlsMode::Disable, _) => Arc::new(Unverified {
            provider: provider.clone(),
        }),
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|problem| setup(&problem))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

async fn roots(path: &Path) -> Result<RootCertStore, DialError> {
    let failed = |problem: String| DialError::Ca {
        path: path.display().to_string(),
        problem,
    };
    let pem = tokio::fs::read(path).await.map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Verifies the chain, not the name.
#[derive(Debug)]
struct ChainOnly {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

/// Takes any certificate whose key the server has. SCRAM's channel binding still tells a stranger in between.
#[derive(Debug)]
struct Unverified {
    provider: Arc<CryptoProvider>,
}

macro_rules! verify_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!();
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!();
}

/// The data of `tls-server-end-point` (RFC 5929): the certificate's hash by the hash of its signature, SHA-256 for MD5 and SHA-1.
/// `None` where the signature has no such hash (Ed25519, PSS): the server has none either.
pub(super) fn end_point(stream: &TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => &digest::SHA224,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// Whether an error of the handshake is about the certificate.
#[cfg(test)]
pub(super) fn is_certificate(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|inner| matches!(inner, rustls::Error::InvalidCertificate(_)))
}
