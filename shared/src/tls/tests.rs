#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::server::NoClientAuth;
use rustls::{ClientConnection, ServerConnection};

use super::*;

struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Ca {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// A server certificate for `names`, usable for `usage`, with its CA behind it.
fn server(ca: &Ca, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.extended_key_usages = vec![usage];
    let certificate = params.signed_by(&key, &ca.issuer).unwrap();
    Server {
        chain: vec![certificate.der().clone(), ca.certificate.clone()],
        key,
    }
}

/// One handshake in memory; the client's error where it has one.
fn handshake(server: &Server, trust: &Trust, name: &str) -> (Result<(), Error>, Arc<RelayVerifier>) {
    let key = PrivateKeyDer::try_from(server.key.serialize_der()).unwrap();
    let config = server_config(server.chain.clone(), key, Arc::new(NoClientAuth), &[ALPN_TUNNEL]);
    // A certificate whose key is another's is refused here by rustls; the test of that goes around this check.
    handshake_with(Arc::new(config.unwrap()), trust, name)
}

fn handshake_with(config: Arc<ServerConfig>, trust: &Trust, name: &str) -> (Result<(), Error>, Arc<RelayVerifier>) {
    let verifier = RelayVerifier::new(trust).unwrap();
    let client = client_config(Arc::clone(&verifier), None, &[ALPN_TUNNEL]).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut server = ServerConnection::new(config).unwrap();
    let mut wire = Vec::new();
    for _ in 0..8 {
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            if server.process_new_packets().is_err() {
                break;
            }
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            if let Err(error) = client.process_new_packets() {
                return (Err(error), verifier);
            }
        }
    }
    assert!(!client.is_handshaking());
    client.writer().write_all(b"x").unwrap();
    let _nothing_yet = server.reader().read(&mut [0]);
    (Ok(()), verifier)
}

const SERVER: ExtendedKeyUsagePurpose = ExtendedKeyUsagePurpose::ServerAuth;

#[test]
fn a_pin_of_the_certificate_is_enough_whatever_the_name() {
    let server = server(&ca(), &["elsewhere.example"], SERVER);
    let pin = Pin::of(&server.chain[0]).unwrap();
    handshake(&server, &Trust::Pin(pin), "127.0.0.1").0.unwrap();
}

#[test]
fn a_pin_of_the_private_ca_accepts_its_relay_at_any_address_and_nothing_else_it_signed() {
    let ca = ca();
    let trust = Trust::Pin(Pin::of(&ca.certificate).unwrap());
    handshake(&server(&ca, &[PRIVATE_NAME], SERVER), &trust, "10.1.2.3")
        .0
        .unwrap();
    handshake(&server(&ca, &["relay.example"], SERVER), &trust, "relay.example")
        .0
        .unwrap();
    assert!(
        handshake(&server(&ca, &["other.example"], SERVER), &trust, "relay.example")
            .0
            .is_err()
    );
    // A client certificate of the same CA must not pass for a relay.
    let client = server(&ca, &[PRIVATE_NAME], ExtendedKeyUsagePurpose::ClientAuth);
    assert!(handshake(&client, &trust, "10.1.2.3").0.is_err());
}

#[test]
fn a_ca_certificate_that_is_only_shown_does_not_help() {
    let (real, other) = (ca(), ca());
    let trust = Trust::Pin(Pin::of(&real.certificate).unwrap());
    let mut forged = server(&other, &[PRIVATE_NAME], SERVER);
    forged.chain = vec![forged.chain[0].clone(), real.certificate.clone()];
    assert!(handshake(&forged, &trust, "127.0.0.1").0.is_err());
}

#[test]
fn a_pinned_certificate_without_its_key_is_refused() {
    // The forger shows the pinned certificate and signs with another key.
    #[derive(Debug)]
    struct Forger(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Forger {
        fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let server = server(&ca(), &["localhost"], SERVER);
    let other = KeyPair::generate().unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&PrivateKeyDer::try_from(other.serialize_der()).unwrap()).unwrap();
    let forger = Forger(Arc::new(rustls::sign::CertifiedKey::new(server.chain.clone(), key)));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(forger));
    config.alpn_protocols = vec![ALPN_TUNNEL.to_vec()];
    let trust = Trust::Pin(Pin::of(&server.chain[0]).unwrap());
    let error = handshake_with(Arc::new(config), &trust, "localhost").0.unwrap_err();
    assert_eq!(error, Error::InvalidCertificate(CertificateError::BadSignature));
}

#[test]
fn a_ca_file_asks_for_the_dialled_name() {
    let ca = ca();
    let trust = Trust::Ca(vec![ca.certificate.clone()]);
    let server = server(&ca, &["relay.example", PRIVATE_NAME], SERVER);
    handshake(&server, &trust, "relay.example").0.unwrap();
    assert!(handshake(&server, &trust, "other.example").0.is_err());
    assert!(
        handshake(&server, &Trust::Ca(vec![self::ca().certificate]), "relay.example")
            .0
            .is_err()
    );
    assert!(RelayVerifier::new(&Trust::Ca(Vec::new())).is_err());
}

#[test]
fn a_refused_relay_shows_the_pin_that_would_accept_it() {
    let ca = ca();
    let private = server(&ca, &[PRIVATE_NAME], SERVER);
    let (refused, verifier) = handshake(&private, &Trust::Ca(vec![self::ca().certificate]), "localhost");
    assert!(refused.is_err());
    let pin = verifier.refused().unwrap().pin.unwrap();
    assert_eq!(pin, Pin::of(&ca.certificate).unwrap());
    handshake(&private, &Trust::Pin(pin), "localhost").0.unwrap();

    let mut alone = server(&ca, &["localhost"], SERVER);
    alone.chain.truncate(1);
    let pin = handshake(&alone, &Trust::Pin(pin), "localhost")
        .1
        .refused()
        .unwrap()
        .pin
        .unwrap();
    assert_eq!(pin, Pin::of(&alone.chain[0]).unwrap());
}

#[test]
fn a_pin_reads_as_it_is_written() {
    let pin = Pin::of(&ca().certificate).unwrap();
    let text = pin.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text.parse(), Ok(pin));
    assert_eq!(format!("sha256:{}", text.to_uppercase()).parse(), Ok(pin));
    for wrong in [
        "",
        "ab",
        &text[1..],
        &format!("{text}0"),
        &text.replace(|c: char| c.is_ascii_digit(), "g"),
    ] {
        assert_eq!(wrong.parse::<Pin>(), Err(InvalidPin), "{wrong}");
    }
}
