#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::json;
use time::macros::datetime;

use super::super::keys::{Keys, NoKey};
use super::super::testing::{Signer, encode};
use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const ISSUER: &str = "https://idp.example";
const CLIENT: &str = "hoopctl";

static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rs256("rsa"));
static EC: LazyLock<Signer> = LazyLock::new(|| Signer::es256("ec"));

fn claims() -> Value {
    let now = NOW.unix_timestamp();
    json!({"iss": ISSUER, "aud": CLIENT, "sub": "1234", "iat": now, "exp": now + 300, "email": "ana@example.com"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Verifies as a device login that began ten seconds ago, or as a workload.
fn verify_as(token: &str, login: bool) -> Result<Claims, TokenError> {
    let set = json!({"keys": [RSA.jwk, EC.jwk]});
    let keys = Keys::read(set.to_string().as_bytes()).unwrap();
    let unverified = open(token, &[Algorithm::RS256, Algorithm::ES256])?;
    let key = keys
        .find(unverified.algorithm, unverified.kid.as_deref())
        .map_err(|missing| match missing {
            NoKey::Unknown => TokenError::UnknownKey {
                kid: unverified.kid.clone(),
            },
            NoKey::Ambiguous => TokenError::AmbiguousKey,
        })?;
    let expected = Expected {
        issuer: ISSUER,
        audience: CLIENT,
        login: login.then_some(LoginExpected {
            begun: NOW - Duration::seconds(10),
            nonce: None,
        }),
    };
    unverified.verify(key, &expected, NOW)
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    verify_as(token, true)
}

#[track_caller]
fn refused(token: &str, why: &str) {
    refused_as(token, true, why);
}

#[track_caller]
fn refused_as(token: &str, login: bool, why: &str) {
    let error = verify_as(token, login)
        .map(|claims| claims.all)
        .unwrap_err()
        .to_string();
    assert!(error.contains(why), "{why}: {error}");
}

#[track_caller]
fn refused_claims(claims: &Value, why: &str) {
    refused(&RSA.token(claims), why);
}

#[test]
fn good_tokens_of_both_kinds_of_key_are_accepted() {
    for signer in [&*RSA, &*EC] {
        let read = verify(&signer.token(&claims())).unwrap();
        assert_eq!(read.subject, "1234");
        assert_eq!(read.expires, NOW + Duration::seconds(300));
        assert!(read.token.starts_with("sha256:"));
    }
    assert_eq!(verify(&RSA.token(&with("jti", json!("7")))).unwrap().token, "jti:7");
    verify(&RSA.token(&with("azp", json!(CLIENT)))).unwrap();
    verify(&RSA.token(&with("aud", json!([CLIENT])))).unwrap();
    verify(&RSA.token_of(r#"{"alg":"RS256"}"#, &claims().to_string())).unwrap();
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = encode(json!({ "alg": alg }).to_string().as_bytes());
        let payload = encode(claims().to_string().as_bytes());
        refused(&format!("{header}.{payload}."), "signed with the algorithm");
    }
    let signed = RSA.token(&claims());
    let (message, _) = signed.rsplit_once('.').unwrap();
    refused(&format!("{message}."), "signature is wrong");
    let header = encode(b"{}");
    refused(&format!("{header}.{}.x", encode(b"{}")), "no `alg`");
}

#[test]
fn hmac_with_the_public_key_as_its_secret_is_refused() {
    for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS512", Algorithm::HS512)] {
        for secret in [RSA.public_pem.as_bytes(), RSA.jwk["n"].as_str().unwrap().as_bytes()] {
            let header = encode(json!({"alg": name, "kid": "rsa"}).to_string().as_bytes());
            let message = format!("{header}.{}", encode(claims().to_string().as_bytes()));
            let key = EncodingKey::from_secret(secret);
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
            refused(&format!("{message}.{signature}"), "signed with the algorithm");
        }
    }
}

#[test]
fn an_algorithm_that_is_not_on_the_list_is_refused_before_the_key_is_looked_for() {
    for alg in ["RS512", "PS256", "ES384", "EdDSA"] {
        let header = json!({"alg": alg, "kid": "rsa"}).to_string();
        refused(
            &RSA.token_of(&header, &claims().to_string()),
            "signed with the algorithm",
        );
    }
    let header = json!({"alg": ["RS256"], "kid": "rsa"}).to_string();
    refused(
        &RSA.token_of(&header, &claims().to_string()),
        "`alg` is not of the right type",
    );
}

#[test]
fn a_foreign_key_is_refused_whatever_the_header_brings_along() {
    let foreign = Signer::rs256("rsa");
    refused(&foreign.token(&claims()), "signature is wrong");
    let mut header = json!({"alg": "RS256", "kid": "rsa", "jwk": foreign.jwk, "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/chain", "x5c": ["AAAA"]});
    refused(
        &foreign.token_of(&header.to_string(), &claims().to_string()),
        "signature is wrong",
    );
    header["kid"] = json!("other");
    refused(
        &foreign.token_of(&header.to_string(), &claims().to_string()),
        "no key of the issuer",
    );
    header["kid"] = json!("../../dev/null");
    refused(
        &foreign.token_of(&header.to_string(), &claims().to_string()),
        "no key of the issuer",
    );
    header["kid"] = json!(1);
    refused(
        &foreign.token_of(&header.to_string(), &claims().to_string()),
        "`kid` is not of the right type",
    );
}

#[test]
fn a_key_of_another_kind_under_the_same_name_is_not_used() {
    let header = json!({"alg": "ES256", "kid": "rsa"}).to_string();
    refused(&EC.token_of(&header, &claims().to_string()), "no key of the issuer");
}

#[test]
fn another_issuer_audience_or_party_is_refused() {
    refused_claims(&with("iss", json!("https://idp.example/")), "another issuer");
    refused_claims(&with("iss", json!([ISSUER])), "`iss` is not of the right type");
    refused_claims(&without("iss"), "no `iss`");
    refused_claims(&with("aud", json!("other")), "another audience");
    refused_claims(&with("aud", json!([CLIENT, "other"])), "another audience");
    refused_claims(&with("aud", json!([])), "another audience");
    refused_claims(&with("aud", json!({"a": CLIENT})), "`aud` is not of the right type");
    refused_claims(&with("aud", json!([CLIENT, 1])), "`aud` is not of the right type");
    refused_claims(&without("aud"), "no `aud`");
    refused_claims(&with("azp", json!("other")), "another client");
    refused_claims(&with("azp", json!(null)), "another client");
    refused_claims(&with("nonce", json!("of another login")), "another login (nonce)");
}

#[test]
fn an_error_says_what_was_expected_and_shows_nothing_that_moves_a_cursor() {
    let error = |claims: &Value| {
        verify(&RSA.token(claims))
            .map(|claims| claims.all)
            .unwrap_err()
            .to_string()
    };
    for (claims, expected) in [
        (
            with("iss", json!("https://evil\u{1b}[2J\n.example")),
            "`https://evil[2J.example`; expected `https://idp.example`",
        ),
        (
            with("aud", json!(["a", "b"])),
            "`a` and `b`; expected `hoopctl` and no other",
        ),
        (with("azp", json!("x")), "expected `hoopctl`"),
        (
            with("exp", json!(1)),
            "at 1970-01-01T00:00:01Z and it is 2026-11-24T12:00:00Z; expected",
        ),
    ] {
        let error = error(&claims);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    refused(
        &RSA.token_of(r#"{"alg":"HS256","kid":"rsa"}"#, "{}"),
        "algorithm `HS256`; expected RS256 or ES256",
    );
    assert!(error(&with("iss", json!("x".repeat(5000)))).len() < 400);
}

#[test]
fn a_nonce_that_was_sent_must_come_back() {
    let with_nonce = |claims: &Value| {
        let set = json!({"keys": [RSA.jwk]});
        let keys = Keys::read(set.to_string().as_bytes()).unwrap();
        let token = RSA.token(claims);
        let unverified = open(&token, &[Algorithm::RS256]).unwrap();
        let expected = Expected {
            issuer: ISSUER,
            audience: CLIENT,
            login: Some(LoginExpected {
                begun: NOW,
                nonce: Some("n-1"),
            }),
        };
        let key = keys.find(Algorithm::RS256, Some("rsa")).unwrap();
        unverified.verify(key, &expected, NOW).map(|claims| claims.subject)
    };
    assert_eq!(with_nonce(&with("nonce", json!("n-1"))).unwrap(), "1234");
    assert_eq!(with_nonce(&with("nonce", json!("n-2"))), Err(TokenError::Nonce));
    assert_eq!(with_nonce(&with("nonce", json!(1))), Err(TokenError::Nonce));
    assert_eq!(with_nonce(&claims()), Err(TokenError::Missing("nonce")));
}

#[test]
fn times_count_in_both_directions_with_a_minute_of_skew() {
    let now = NOW.unix_timestamp();
    for (name, seconds) in [("exp", -59), ("nbf", 59), ("iat", 59), ("iat", -69)] {
        verify(&RSA.token(&with(name, json!(now + seconds)))).unwrap();
    }
    refused_claims(&with("exp", json!(now - 60)), "expired at");
    refused_claims(&with("nbf", json!(now + 61)), "not valid yet");
    refused_claims(&with("iat", json!(now + 61)), "in the future");
    refused_claims(&with("iat", json!(now - 71)), "older than this login");
    verify(&RSA.token(&with("exp", json!(now as f64 + 0.5)))).unwrap();
}

#[test]
fn missing_and_mistyped_times_are_refused() {
    let now = NOW.unix_timestamp();
    refused_claims(&without("exp"), "no `exp`");
    refused_claims(&without("iat"), "no `iat`");
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!((now + 300).to_string()),
            json!(null),
            json!([now + 300]),
            json!(true),
            json!({}),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!(-0.5e300),
        ] {
            let mistyped = RSA.token(&with(name, value.clone()));
            let error = verify(&mistyped).map(|claims| claims.all).unwrap_err();
            assert!(
                matches!(error, TokenError::Mistyped(claim) if claim == name),
                "{name} {value}: {error}"
            );
        }
    }
}

#[test]
fn a_workload_needs_no_iat_and_may_have_azp_and_nonce() {
    verify_as(&RSA.token(&without("iat")), false).unwrap();
    verify_as(&RSA.token(&with("azp", json!("platform"))), false).unwrap();
    verify_as(&RSA.token(&with("iat", json!(1))), false).unwrap();
    let future = with("iat", json!(NOW.unix_timestamp() + 100));
    refused_as(&RSA.token(&future), false, "in the future");
    refused_as(&RSA.token(&without("sub")), false, "no `sub`");
    refused_as(&RSA.token(&without("exp")), false, "no `exp`");
}

#[test]
fn a_subject_is_printable() {
    for subject in ["", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{200b}b", &"x".repeat(1025)] {
        refused_claims(&with("sub", json!(subject)), "`sub` is empty");
    }
    refused_claims(&with("sub", json!(7)), "`sub` is not of the right type");
    refused_claims(&without("sub"), "no `sub`");
    verify(&RSA.token(&with("sub", json!("system:serviceaccount:shop:deploy")))).unwrap();
}

#[test]
fn doubled_names_are_refused_in_header_and_payload() {
    let payload = claims().to_string();
    let twice = payload.replacen('{', r#"{"sub":"admin","#, 1);
    let error = verify(&RSA.token_of(r#"{"alg":"RS256","kid":"rsa"}"#, &twice))
        .map(|claims| claims.all)
        .unwrap_err();
    assert!(matches!(error, TokenError::Json { part: "payload", .. }), "{error}");
    let error = open(
        &RSA.token_of(r#"{"alg":"RS256","kid":"rsa","kid":"rsa"}"#, &payload),
        &[Algorithm::RS256],
    )
    .err();
    assert!(matches!(error, Some(TokenError::Json { part: "header", .. })));
}

#[test]
fn encrypted_cut_and_padded_tokens_are_refused() {
    let token = RSA.token(&claims());
    refused("a.b.c.d.e", "encrypted");
    for form in ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "...."] {
        assert!(
            matches!(
                open(form, &[Algorithm::RS256]).err(),
                Some(TokenError::Form | TokenError::Encrypted)
            ),
            "{form}"
        );
    }
    refused(&format!("={token}"), "three parts");
    refused(&format!("{token}="), "signature is wrong");
    refused(&format!(" {token}"), "three parts");
    refused(&format!("{token}\n"), "signature is wrong");
    refused(&"a".repeat(16_001), "longer than 16 kB");
}

#[test]
fn other_types_and_critical_extensions_are_refused() {
    for header in [
        r#"{"alg":"RS256","kid":"rsa","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","kid":"rsa","typ":"logout+jwt"}"#,
        r#"{"alg":"RS256","kid":"rsa","typ":1}"#,
    ] {
        refused(&RSA.token_of(header, &claims().to_string()), "another type");
    }
    let critical = r#"{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}"#;
    refused(&RSA.token_of(critical, &claims().to_string()), "(crit)");
}

#[test]
fn the_second_form_of_an_ecdsa_signature_is_the_same_token_for_replay() {
    let token = EC.token(&claims());
    let again = EC.token_of(
        std::str::from_utf8(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap(),
        &claims().to_string(),
    );
    assert_ne!(token, again, "ECDSA signatures are random");
    assert_eq!(verify(&token).unwrap().token, verify(&again).unwrap().token);
}

#[test]
fn the_claimed_issuer_is_read_without_belief() {
    let foreign = Signer::es256("x").token(&claims());
    assert_eq!(
        claimed_issuer(&foreign).unwrap(),
        (ISSUER.to_owned(), vec![CLIENT.to_owned()])
    );
    assert!(claimed_issuer("a.b.c").is_err());
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC{0,60}(\\.\\PC{0,60}){0,5}") {
        prop_assert!(verify(&text).is_err());
        let _ = claimed_issuer(&text);
    }

    #[test]
    fn any_change_of_one_character_is_refused(place in 0_usize..600, with in "[A-Za-z0-9_.-]") {
        let token = EC.token(&claims());
        let place = place % token.len();
        let mut changed = token.clone();
        changed.replace_range(place..=place, &with);
        prop_assume!(changed != token);
        prop_assert!(verify(&changed).is_err());
    }
}
