#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;

use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use hoop_shared::tls::PRIVATE_NAME;

use super::super::PrincipalKind;
use super::*;

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}

fn principal() -> Principal {
    Principal {
        label: "ana".into(),
        kind: PrincipalKind::User,
        issuer: "https://idp.example/a".into(),
        subject: "a/b?c\u{e9}".into(),
        groups: Vec::new(),
    }
}

fn request(change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

fn issue(ca: &Authority, csr: &str) -> CertificateDer<'static> {
    let key = ClientKey::of_csr(csr).unwrap();
    let certificate = ca
        .issue_client(
            &key,
            &principal(),
            &Serial::random().unwrap(),
            now(),
            now() + Duration::hours(1),
        )
        .unwrap();
    certificate.der().clone()
}

fn client_verifier(ca: &Authority) -> std::sync::Arc<dyn rustls::server::danger::ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    WebPkiClientVerifier::builder_with_provider(std::sync::Arc::new(roots), hoop_shared::tls::provider())
        .build()
        .unwrap()
}

#[test]
fn only_the_public_key_of_a_request_counts() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    let greedy = request(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Any];
        params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from("relay.hoop.internal").unwrap())];
        params.distinguished_name.push(DnType::CommonName, "admin");
    });
    let certificate = issue(&ca, &greedy);
    let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
    assert!(!parsed.is_ca());
    assert!(!parsed.subject().to_string().contains("admin"));
    let usage = parsed.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let extended = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any);
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    let uri = format!("hoop://{}/https%3A%2F%2Fidp.example%2Fa/a%2Fb%3Fc%C3%A9", ca.relay);
    assert_eq!(names.as_slice(), [GeneralName::URI(&uri)]);
}

#[test]
fn a_certificate_says_its_login_and_its_dates() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    let csr = request(|_| {});
    let key = ClientKey::of_csr(&csr).unwrap();
    let (serial, from) = (Serial::random().unwrap(), now());
    let made = ca
        .issue_client(&key, &principal(), &serial, from, from + Duration::hours(12))
        .unwrap();
    assert_eq!(
        presented(made.der()),
        Some((serial.text(), key.fingerprint().to_owned()))
    );
    let (_, parsed) = X509Certificate::from_der(made.der()).unwrap();
    assert_eq!(parsed.validity().not_before.timestamp(), from.unix_timestamp() - 60);
    assert_eq!(
        parsed.validity().not_after.timestamp(),
        from.unix_timestamp() + 12 * 3600
    );
    assert_eq!(serial.text().len(), 32);
    let pin = hoop_shared::tls::Pin::of(made.der()).unwrap().to_string();
    assert_eq!(
        pin,
        key.fingerprint(),
        "the fingerprint is what openssl and pins call it"
    );
}

#[test]
fn tls_accepts_our_client_certificate_and_no_other() {
    let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ca = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    let other = Authority::open(other_dir.path(), Purpose::Clients, now()).unwrap();
    let certificate = issue(&ca, &request(|_| {}));
    client_verifier(&ca)
        .verify_client_cert(&certificate, &[], UnixTime::now())
        .unwrap();
    assert!(
        client_verifier(&other)
            .verify_client_cert(&certificate, &[], UnixTime::now())
            .is_err()
    );
    let server = ca.issue_server(&[], &[], now()).unwrap();
    assert!(
        client_verifier(&ca)
            .verify_client_cert(&server.chain[0], &[], UnixTime::now())
            .is_err(),
        "a server's is no client's"
    );
    // What a client key signs is never trusted: it is no CA.
    let client_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let own = CertificateParams::default()
        .serialize_request(&client_key)
        .unwrap()
        .pem()
        .unwrap();
    let intermediate = issue(&ca, &own);
    let issuer = Issuer::from_ca_cert_der(&intermediate, client_key).unwrap();
    let forged_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let forged = params.signed_by(&forged_key, &issuer).unwrap();
    assert!(
        client_verifier(&ca)
            .verify_client_cert(forged.der(), &[intermediate], UnixTime::now())
            .is_err()
    );
}

#[test]
fn the_servers_certificate_holds_for_its_names_under_the_private_ca() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::open(dir.path(), Purpose::Server, now()).unwrap();
    let server = ca
        .issue_server(&["localhost".into()], &["192.0.2.5".parse().unwrap()], now())
        .unwrap();
    assert_eq!(server.chain.last(), Some(ca.certificate()));
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        std::sync::Arc::new(roots),
        hoop_shared::tls::provider(),
    )
    .build()
    .unwrap();
    let verify = |name: &'static str| {
        verifier.verify_server_cert(
            &server.chain[0],
            &[],
            &ServerName::try_from(name).unwrap(),
            &[],
            UnixTime::now(),
        )
    };
    for name in ["localhost", "192.0.2.5", PRIVATE_NAME] {
        verify(name).unwrap();
    }
    for name in ["example.com", "192.0.2.6"] {
        assert!(verify(name).is_err(), "{name}");
    }
}

#[test]
fn an_authority_is_kept_and_its_key_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let first = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    let again = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    assert_eq!(first.certificate(), again.certificate());
    let server = Authority::open(dir.path(), Purpose::Server, now()).unwrap();
    assert_ne!(first.fingerprint(), server.fingerprint());
    let key = dir.path().join("client-ca.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    client_verifier(&again)
        .verify_client_cert(&issue(&first, &request(|_| {})), &[], UnixTime::now())
        .unwrap();

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Authority::open(dir.path(), Purpose::Clients, now())
        .err()
        .unwrap()
        .to_string();
    assert!(error.ends_with("lets others in; fix it with `chmod 600`"), "{error}");
}

#[test]
fn a_damaged_or_expired_authority_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (key, certificate) = (dir.path().join("client-ca.key"), dir.path().join("client-ca.pem"));
    let open = || {
        Authority::open(dir.path(), Purpose::Clients, now())
            .err()
            .map(|error| error.to_string())
    };
    Authority::open(dir.path(), Purpose::Clients, now() - CA_LIFE - Duration::days(1)).unwrap();
    assert!(open().unwrap().contains("expired"));
    std::fs::remove_file(&certificate).unwrap();
    assert_eq!(
        open(),
        None,
        "a key that was written before a crash gets its certificate"
    );

    let other = tempfile::tempdir().unwrap();
    Authority::open(other.path(), Purpose::Clients, now()).unwrap();
    std::fs::copy(other.path().join("client-ca.pem"), &certificate).unwrap();
    assert!(open().unwrap().contains("does not belong to the key"));
    std::fs::remove_file(&key).unwrap();
    assert!(open().unwrap().contains("is gone"));
    files::write(&key, b"no key").unwrap();
    assert!(open().unwrap().contains("not a private key"));
}

#[test]
fn requests_that_prove_nothing_are_refused() {
    let refused = |csr: &str| ClientKey::of_csr(csr).err().unwrap();
    assert_eq!(refused(""), CsrError::Form);
    assert_eq!(refused(&"x".repeat(9000)), CsrError::Size);
    let good = request(|_| {});
    // The signature of another request.
    let body = |pem: &str| x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents;
    let (mut mixed, other) = (body(&good), body(&request(|_| {})));
    let end = mixed.len();
    if other.len() != end {
        mixed[end - 1] ^= 1;
    } else {
        mixed[end - 8..].copy_from_slice(&other[end - 8..]);
    }
    let mixed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mixed);
    let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{mixed}\n-----END CERTIFICATE REQUEST-----\n");
    assert_eq!(refused(&pem), CsrError::Form);
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&p384)
        .unwrap()
        .pem()
        .unwrap();
    assert_eq!(refused(&csr), CsrError::Key);
    let ed = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&ed)
        .unwrap()
        .pem()
        .unwrap();
    assert_eq!(refused(&csr), CsrError::Key);
}

#[test]
fn the_ca_may_sign_leaves_alone() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::open(dir.path(), Purpose::Clients, now()).unwrap();
    let (_, parsed) = X509Certificate::from_der(ca.certificate()).unwrap();
    let constraints = parsed.basic_constraints().unwrap().unwrap().value;
    assert_eq!((constraints.ca, constraints.path_len_constraint), (true, Some(0)));
    assert!(
        parsed
            .extensions()
            .iter()
            .any(|ext| matches!(ext.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(_)))
    );
}
