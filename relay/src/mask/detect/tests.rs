#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const ALL: [Detector; COUNT] = [
    Detector::Email,
    Detector::CreditCard,
    Detector::UsSsn,
    Detector::Iban,
    Detector::Phone,
    Detector::Jwt,
    Detector::PrivateKey,
    Detector::AwsKey,
    Detector::GithubToken,
    Detector::PasswordField,
];

fn key() -> HashKey {
    HashKey::new([3; 32])
}

fn all(with: MaskWith) -> Detectors {
    Detectors::new(ALL.map(|detector| (detector, with)), key())
}

fn only(detector: Detector) -> Detectors {
    Detectors::new([(detector, MaskWith::Redact)], key())
}

fn masked(detectors: &Detectors, text: &str) -> String {
    valued(detectors, 25, Format::Text, text.as_bytes()).unwrap()
}

/// The value after masking, `None` for NULL.
fn valued(detectors: &Detectors, oid: u32, format: Format, value: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let out = match detectors.value(Kind::of(oid), format, value, &mut out) {
        Applied::Same => {
            assert!(out.is_empty());
            value.to_vec()
        }
        Applied::Replaced => out,
        Applied::Null => return None,
    };
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn each_detector_finds_its_values_and_nothing_else() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let github = format!("ghp_{}", "a1B2".repeat(9));
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----";
    let cases: Vec<(Detector, String, &str)> = vec![
        (
            Detector::Email,
            "mail ana.b+c@example.co.uk, now".into(),
            "mail ***, now",
        ),
        (Detector::Email, "<o'neil@x.org>.".into(), "<***>."),
        (Detector::Email, "müller@bücher.example".into(), "***"),
        (Detector::Email, "mailto:ana%40example.com?x".into(), "mailto:***?x"),
        (
            Detector::CreditCard,
            "pay 4111 1111 1111 1111 now".into(),
            "pay *** now",
        ),
        (Detector::CreditCard, "4111-1111-1111-1111".into(), "***"),
        (
            Detector::CreditCard,
            "378282246310005;3782 822463 10005".into(),
            "***;***",
        ),
        (Detector::CreditCard, "PAN4111111111111111".into(), "PAN***"),
        (Detector::UsSsn, "ssn 123-45-6789.".into(), "ssn ***."),
        (Detector::UsSsn, "123 45 6789".into(), "***"),
        (
            Detector::Iban,
            "to DE89 3704 0044 0532 0130 00 today".into(),
            "to *** today",
        ),
        (Detector::Iban, "gb82west12345698765432".into(), "***"),
        (Detector::Phone, "call +49 (171) 123-4567 or".into(), "call *** or"),
        (Detector::Phone, "(415) 555-2671".into(), "***"),
        (Detector::Phone, "1-415-555-2671, 415.555.2671".into(), "***, ***"),
        (
            Detector::Phone,
            "0171 2345678; 06 12 34 56 78; 0049 171 2345678".into(),
            "***; ***; ***",
        ),
        (Detector::Jwt, format!("Bearer {jwt}!"), "Bearer ***!"),
        (Detector::PrivateKey, format!("k={pem};"), "k=***;"),
        (
            Detector::PrivateKey,
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl".into(),
            "***",
        ),
        (Detector::AwsKey, "id AKIAIOSFODNN7EXAMPLE,".into(), "id ***,"),
        (
            Detector::GithubToken,
            format!("git clone https://{github}@x"),
            "git clone https://***@x",
        ),
        (
            Detector::GithubToken,
            "github_pat_11AAAAAAA0aaaaaaaaaaaa_bbb".into(),
            "***",
        ),
        (
            Detector::PasswordField,
            "user=ana password=hunter2 host=x".into(),
            "user=ana password=*** host=x",
        ),
        (
            Detector::PasswordField,
            "{\"db_password\" : \"a b\"}".into(),
            "{\"db_password\" : \"***\"}",
        ),
        (
            Detector::PasswordField,
            "\"api_key\"=>\"x\\\"y\", \"k\"=>\"v\"".into(),
            "\"api_key\"=>\"***\", \"k\"=>\"v\"",
        ),
        (
            Detector::PasswordField,
            "clientSecret: s3cr3t".into(),
            "clientSecret: ***",
        ),
        (
            Detector::PasswordField,
            "postgres://ana:hunter2@db/x".into(),
            "postgres://ana:***@db/x",
        ),
        (
            Detector::PasswordField,
            "Key (password)=(hunter2) exists".into(),
            "Key (password)=***) exists",
        ),
    ];
    for (detector, text, expected) in cases {
        assert_eq!(masked(&only(detector), &text), expected, "{detector:?}");
        assert_ne!(masked(&all(MaskWith::Redact), &text), text, "{detector:?} among all");
    }
}

#[test]
fn what_only_looks_alike_stays() {
    let detectors = all(MaskWith::Redact);
    for text in [
        "",
        "a@b",
        "@example.com",
        "user@localhost",
        "4111111111111112",
        "1234567890123456",
        "0.4111111111111111",
        "9b74c9897bac770ffc029102a200c5de4111111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000",
        "2024-01-02 10:11:12.131415+00",
        "2024-01-02T10:11:12Z 192.168.100.200",
        "DE89370400440532013001",
        "00012345678",
        "12 + 1234567",
        "eyJ.x",
        "AKIAIOSFODNN7EXAMPL",
        "ghp_short",
        "tokens: 12, token_count=3",
        "http://example.com:80/x",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(masked(&detectors, text), text);
    }
}

#[test]
fn masks_apply_to_the_span_alone() {
    let partial = all(MaskWith::Partial { keep_last: 4 });
    assert_eq!(masked(&partial, "card 4111111111111111!"), "card ************1111!");
    assert_eq!(
        masked(&partial, "password=hunter2!!"),
        "password=***",
        "the end of a password is a part of it"
    );
    let hash = all(MaskWith::Hash);
    let of = |text: &str| masked(&hash, text);
    assert_eq!(of("ana@example.com"), of("ana@example.com"));
    assert_ne!(of("ana@example.com"), of("bob@example.com"));
    assert_eq!(
        valued(&all(MaskWith::Null), 25, Format::Text, b"see ana@example.com"),
        None
    );
}

#[test]
fn overlapping_finds_take_the_strictest_mask() {
    let detectors = Detectors::new(
        [
            (Detector::PasswordField, MaskWith::Redact),
            (Detector::Email, MaskWith::Partial { keep_last: 4 }),
        ],
        key(),
    );
    assert_eq!(masked(&detectors, "password=ana@example.com"), "password=***");
}

#[test]
fn json_keeps_its_shape() {
    let detectors = all(MaskWith::Redact);
    let json = |text: &str| {
        let out = valued(&detectors, 3802, Format::Text, text.as_bytes()).unwrap();
        serde_json::from_str::<serde_json::Value>(&out).expect("it is JSON still");
        out
    };
    assert_eq!(
        json(r#"{"a": ["ana@example.com", 1, null], "b": "x"}"#),
        r#"{"a": ["***", 1, null], "b": "x"}"#
    );
    assert_eq!(json(r#"{"mail": "ana@example.com"}"#), r#"{"mail": "***"}"#);
    assert_eq!(
        json(r#"{"card": 4111111111111111, "n": 4111111111111112}"#),
        r#"{"card": "***", "n": 4111111111111112}"#
    );
    assert_eq!(json(r#"{"ana@example.com": 1}"#), r#"{"***": 1}"#);
    assert_eq!(
        json(r#"{"password": {"old": "x", "n": 5, "t": true}, "next": "y"}"#),
        r#"{"password": {"old": "***", "n": "***", "t": true}, "next": "y"}"#
    );
    assert_eq!(
        json(r#"{"password": null, "next": "y"}"#),
        r#"{"password": null, "next": "y"}"#
    );
    assert_eq!(json(r#"{"token": [], "next": "y"}"#), r#"{"token": [], "next": "y"}"#);
    assert_eq!(
        json(r#"{"note": "say \"ana@example.com\"\n"}"#),
        r#"{"note": "say \"***\"\u000a"}"#
    );
    assert_eq!(
        json(r#"{"x": "{\"password\": \"hunter2\"}"}"#),
        r#"{"x": "{\"password\": \"***\"}"}"#
    );
    assert_eq!(
        valued(&detectors, 3802, Format::Binary, b"\x01\"ana@example.com\"").unwrap(),
        "\u{1}\"***\""
    );
}

#[test]
fn escapes_hide_nothing() {
    let detectors = all(MaskWith::Redact);
    let escaped = r#"{"m": "ana\u0040example.com"}"#;
    assert_eq!(
        valued(&detectors, 114, Format::Text, escaped.as_bytes()).unwrap(),
        r#"{"m": "***"}"#
    );
    assert_eq!(masked(&detectors, escaped), "***", "a text that holds JSON");
    assert_eq!(masked(&detectors, "<m>ana&#64;example.com</m>"), "***");
    assert_eq!(masked(&detectors, "<m>ana&#x40;example.com</m>"), "***");
    assert_eq!(masked(&detectors, "50% of \\u"), "50% of \\u");
}

#[test]
fn arrays_are_read_element_by_element() {
    let detectors = all(MaskWith::Redact);
    let array = |text: &str| valued(&detectors, 1009, Format::Text, text.as_bytes());
    assert_eq!(
        array(r#"{ana@example.com,x,NULL,"b c"}"#).unwrap(),
        r#"{"***",x,NULL,"b c"}"#
    );
    assert_eq!(
        array(r#"[0:1]={{"say \"ana@example.com\""},{x}}"#).unwrap(),
        r#"[0:1]={{"say \"***\""},{x}}"#
    );
    assert_eq!(array("{}").unwrap(), "{}");
    let json = r#"{"{\"m\": \"ana@example.com\"}"}"#;
    assert_eq!(
        valued(&detectors, 3807, Format::Text, json.as_bytes()).unwrap(),
        r#"{"{\"m\": \"***\"}"}"#
    );

    let mut binary: Vec<u8> = [1, 0, 25, 2, 1].into_iter().flat_map(i32::to_be_bytes).collect();
    for element in [&b"ana@example.com"[..], b"x"] {
        binary.extend(i32::try_from(element.len()).unwrap().to_be_bytes());
        binary.extend(element);
    }
    let mut out = Vec::new();
    assert_eq!(
        detectors.value(Kind::of(1009), Format::Binary, &binary, &mut out),
        Applied::Replaced
    );
    let mut expected = binary[..20].to_vec();
    expected.extend(b"\0\0\0\x03***\0\0\0\x01x");
    assert_eq!(out, expected);
    for cut in 0..binary.len() {
        out.clear();
        let applied = detectors.value(Kind::of(1009), Format::Binary, &binary[..cut], &mut out);
        let shown = if applied == Applied::Same {
            &binary[..cut]
        } else {
            &out[..]
        };
        assert!(!shown.windows(15).any(|part| part == b"ana@example.com"), "{cut}");
    }
}

#[test]
fn rows_and_unknown_types_are_read_too() {
    let detectors = all(MaskWith::Redact);
    assert_eq!(
        valued(&detectors, 2249, Format::Text, b"(1,ana@example.com)").unwrap(),
        "(1,***)"
    );
    assert_eq!(
        valued(&detectors, 99_999, Format::Text, b"ana@example.com").unwrap(),
        "***"
    );
    assert_eq!(valued(&detectors, 99_999, Format::Binary, b"ana@example.com"), None);
    let mut record = 1_i32.to_be_bytes().to_vec();
    record.extend(25_i32.to_be_bytes());
    record.extend(15_i32.to_be_bytes());
    record.extend(b"ana@example.com");
    assert_eq!(valued(&detectors, 2249, Format::Binary, &record), None);
    assert_eq!(
        valued(&detectors, 20, Format::Text, b"4111111111111111").unwrap(),
        "4111111111111111"
    );
}

#[test]
fn hostile_input_takes_linear_time() {
    let detectors = all(MaskWith::Redact);
    let pieces = [
        "@",
        "a@",
        "%40",
        "1 ",
        "1",
        "4111 ",
        "1-",
        "+1",
        "DE89 ",
        "DE89",
        "eyJ",
        "eyJ.",
        "-----BEGIN PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----",
        "AKIA",
        "ghp_",
        "ghp_aaaa",
        "password",
        "password=",
        "password=\"",
        "token:",
        "://",
        "://a:",
        "\\u0040",
        "&#",
        "a.b@",
        "x:=",
        "\"",
        "{\"password\":",
        "(0",
    ];
    for piece in pieces {
        let text = piece.repeat(400_000 / piece.len());
        for oid in [25, 114, 1009] {
            let begin = Instant::now();
            let mut out = Vec::new();
            detectors.value(Kind::of(oid), Format::Text, text.as_bytes(), &mut out);
            // a quadratic walk over 400 kB takes minutes
            assert!(
                begin.elapsed() < Duration::from_secs(15),
                "{piece:?} as {oid}: {:?}",
                begin.elapsed()
            );
        }
    }
}

/// Values that every detector must find, with what must not be seen of them.
fn sensitive() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}@[a-z]{2,8}\\.(com|org|io)",
        Just("4111 1111 1111 1111".to_owned()),
        Just("5555555555554444".to_owned()),
        Just("123-45-6789".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("+14155552671".to_owned()),
        Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
        "gho_[a-zA-Z0-9]{36}",
    ]
}

proptest! {
    #[test]
    fn no_clear_value_survives_between_other_text(before in "[a-z ,;\n]{0,20}", value in sensitive(), after in "[,;\n][a-z ,;\n]{0,20}") {
        let detectors = all(MaskWith::Redact);
        let text = format!("{before} {value}{after}");
        let out = masked(&detectors, &text);
        prop_assert!(!out.contains(&value), "{out}");
        prop_assert!(out.starts_with(&before) && out.ends_with(&after), "{out}");
        prop_assert_eq!(masked(&detectors, &out), out.clone(), "masking twice changes nothing");
        let json = serde_json::json!({ "k": [text.clone(), { "x": value.clone() }] }).to_string();
        let out = valued(&detectors, 114, Format::Text, json.as_bytes()).unwrap();
        prop_assert!(!out.contains(&value), "{out}");
        prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
        let array = format!("{{\"{}\",x}}", text.replace('\\', "\\\\").replace('"', "\\\""));
        prop_assert!(!valued(&detectors, 1009, Format::Text, array.as_bytes()).unwrap().contains(&value));
    }

    #[test]
    fn any_bytes_in_any_type_are_taken(value in proptest::collection::vec(any::<u8>(), 0..200), oid in prop::sample::select(vec![25_u32, 114, 3802, 1009, 199, 3807, 2249, 2287, 99_999]), binary in any::<bool>()) {
        let detectors = all(MaskWith::Partial { keep_last: 4 });
        let format = if binary { Format::Binary } else { Format::Text };
        let mut out = Vec::new();
        let applied = detectors.value(Kind::of(oid), format, &value, &mut out);
        prop_assert_eq!(applied == Applied::Replaced, !out.is_empty() || applied == Applied::Replaced);
    }

    #[test]
    fn no_row_passes_that_a_value_of_it_would_stop(parts in proptest::collection::vec(prop_oneof!["[ -~]{0,30}", sensitive()], 1..6)) {
        let detectors = all(MaskWith::Redact);
        let row: Vec<u8> = parts.iter().flat_map(|part| (part.len() as u32).to_be_bytes().into_iter().chain(part.bytes())).collect();
        let stopped = parts.iter().any(|part| masked(&detectors, part) != *part);
        prop_assert!(!stopped || detectors.suspects(&row));
    }

    #[test]
    fn json_stays_json_and_what_is_harmless_stays_the_same(value in json_value()) {
        let text = value.to_string();
        let out = valued(&all(MaskWith::Partial { keep_last: 4 }), 3802, Format::Text, text.as_bytes()).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
        let harmless = Detectors::new([(Detector::AwsKey, MaskWith::Redact)], key());
        prop_assert_eq!(valued(&harmless, 3802, Format::Text, text.as_bytes()).unwrap(), text);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
        Just(serde_json::json!("ana@example.com")),
        Just(serde_json::json!(4_111_111_111_111_111_u64)),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec(("(password|[a-z\"\\\\]{0,5})", inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}
