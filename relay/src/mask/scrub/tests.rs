#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use proptest::prelude::*;

use super::*;

fn scrubber(detectors: &[(Detector, MaskWith)]) -> Scrubber {
    Scrubber::new(detectors, HashKey::new([9; 32]))
}

fn sql(text: &str) -> String {
    scrubber(&[
        (Detector::Email, MaskWith::Redact),
        (Detector::CreditCard, MaskWith::Null),
    ])
    .statement(text)
    .text()
    .to_owned()
}

#[test]
fn passwords_are_never_recorded() {
    for (statement, expected) in [
        (
            "ALTER ROLE ana PASSWORD 'hunter2' VALID UNTIL '2030-01-01'",
            "ALTER ROLE ana PASSWORD '***' VALID UNTIL '2030-01-01'",
        ),
        (
            "create user ana with encrypted password /* x */ 'hunter2'",
            "create user ana with encrypted password /* x */ '***'",
        ),
        (
            "ALTER ROLE ana PASSWORD E'hun\\'ter2'",
            "ALTER ROLE ana PASSWORD E'***'",
        ),
        (
            "ALTER ROLE ana PASSWORD $x$hunter2$x$",
            "ALTER ROLE ana PASSWORD $x$***$x$",
        ),
        (
            "ALTER ROLE ana PASSWORD U&'hunter\\0032'",
            "ALTER ROLE ana PASSWORD U&'***'",
        ),
        (
            "CREATE USER MAPPING FOR ana SERVER s OPTIONS (user 'ana', password 'hunter2')",
            "CREATE USER MAPPING FOR ana SERVER s OPTIONS (user 'ana', password '***')",
        ),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2' PUBLICATION p",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=***' PUBLICATION p",
        ),
        (
            "SELECT dblink('postgresql://ana:hunter2@db/x', 'select 1')",
            "SELECT dblink('postgresql://ana:***@db/x', 'select 1')",
        ),
        (
            "UPDATE u SET \"password\" = crypt('hunter2', gen_salt('bf')), name = 'ana'",
            "UPDATE u SET \"password\" = crypt('***', gen_salt('bf')), name = 'ana'",
        ),
        (
            "UPDATE u SET api_token = $1, name = 'it''s'",
            "UPDATE u SET api_token = $1, name = 'it''s'",
        ),
        (
            "DO $$ BEGIN EXECUTE 'ALTER ROLE ana PASSWORD ''hunter2'''; END $$",
            "DO $$ BEGIN EXECUTE 'ALTER ROLE ana PASSWORD ''***'''; END $$",
        ),
        ("ALTER ROLE ana PASSWORD 'hunter2", "ALTER ROLE ana PASSWORD '***"),
        (
            "INSERT INTO t (name, password) VALUES ('ana', 'hunter2'), ('bo', 'x')",
            "INSERT INTO t (name, password) VALUES ('ana', '***'), ('bo', '***')",
        ),
        (
            "INSERT INTO s.t AS u (\"id\", token, n) VALUES (1, lower('a,b'), 'c')",
            "INSERT INTO s.t AS u (\"id\", token, n) VALUES (1, lower('***'), 'c')",
        ),
    ] {
        assert_eq!(sql(statement), expected);
    }
}

#[test]
fn detectors_see_literals_comments_and_code() {
    assert_eq!(
        sql("SELECT * FROM c WHERE email = 'ana@example.com' -- for bo@example.com"),
        "SELECT * FROM c WHERE email = '***' -- for ***"
    );
    assert_eq!(
        sql("SELECT 4111111111111111, 'o''neil@example.com'"),
        "SELECT ***, '***'"
    );
    assert_eq!(sql("SELECT E'ana\\x40example.com'"), "SELECT E'***'");
    assert_eq!(sql("SELECT U&'ana\\0040example.com'"), "SELECT U&'***'");
    assert_eq!(sql("SELECT \"ana@example.com\""), "SELECT \"***\"");
    let plain = "SELECT $1::text, a->>'b', '2024-01-01'::date /* nested /* x */ y */ FROM \"t\" WHERE x <> 'it''s' AND b = E'\\n'";
    assert_eq!(sql(plain), plain);
}

#[test]
fn errors_and_parameters_are_scrubbed() {
    let scrubber = scrubber(&[(Detector::Email, MaskWith::Redact)]);
    let error = scrubber.text("Key (email)=(ana@example.com) already exists.");
    assert_eq!(error.text(), "Key (email)=(***) already exists.");
    let long = "x".repeat(LONGEST_PARAMETER + 1);
    let parameters = scrubber.parameters(
        &SecretParameters::of("SELECT $1, $2, $3, $4"),
        [
            (25, "text", Some("ana@example.com")),
            (3802, "jsonb", Some(r#"{"password": 1}"#)),
            (23, "int4", None),
            (25, "text", Some(long.as_str())),
        ],
    );
    let values: Vec<_> = parameters
        .as_slice()
        .iter()
        .map(|parameter| parameter.value.as_deref())
        .collect();
    assert_eq!(values[..3], [Some("***"), Some(r#"{"password": "***"}"#), None]);
    assert!(values[3].unwrap().ends_with(&format!("… ({} bytes)", long.len())));
}

#[test]
fn parameters_that_stand_where_a_password_does_are_replaced() {
    let scrubber = scrubber(&[]);
    for (statement, expected) in [
        ("UPDATE u SET name = $1, password = $2", ["a", "***"]),
        ("INSERT INTO u (password, name) VALUES ($1, $2)", ["***", "a"]),
        (
            "SELECT * FROM u WHERE \"api_key\" = lower($2) AND name = $1",
            ["a", "***"],
        ),
    ] {
        let parameters = scrubber.parameters(
            &SecretParameters::of(statement),
            [(25, "text", Some("a")), (25, "text", Some("a"))],
        );
        let values: Vec<_> = parameters
            .as_slice()
            .iter()
            .map(|parameter| parameter.value.as_deref().unwrap())
            .collect();
        assert_eq!(values, expected, "{statement}");
    }
}

#[test]
fn the_digest_is_of_the_exact_bytes_and_needs_the_key() {
    let of = |key: u8, text: &str| {
        Scrubber::new(&[], HashKey::new([key; 32]))
            .statement(text)
            .digest()
            .to_owned()
    };
    assert_eq!(of(1, "ALTER ROLE a PASSWORD 'x'"), of(1, "ALTER ROLE a PASSWORD 'x'"));
    assert_ne!(of(1, "ALTER ROLE a PASSWORD 'x'"), of(1, "ALTER ROLE a PASSWORD 'y'"));
    assert_ne!(of(1, "SELECT 1"), of(2, "SELECT 1"));
    assert_ne!(of(1, "SELECT 1"), blake3::hash(b"SELECT 1").to_hex().to_string());
}

proptest! {
    #[test]
    fn the_tokens_are_the_text(text in "[a-z'\"$\\\\/*\\- E&U\n]{0,60}") {
        let mut at = 0;
        for token in Tokens::new(text.as_bytes()) {
            prop_assert_eq!(token.start, at);
            prop_assert!(token.end > at);
            at = token.end;
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn without_anything_to_find_a_statement_stays_as_it_is(text in "[a-z'\"$\\\\/*()=, E&Uä\n]{0,80}") {
        prop_assume!(!["pwd", "pass", "secret", "token", "key"].iter().any(|word| text.to_ascii_lowercase().contains(word)));
        let scrubber = scrubber(&[]);
        let scrubbed = scrubber.statement(&text);
        prop_assert_eq!(scrubbed.text(), text);
    }

    #[test]
    fn a_password_is_not_seen_however_it_is_quoted(password in "[A-Z][A-Z0-9 ]{5,20}", style in 0..4_usize) {
        let literal = match style {
            0 => format!("'{password}'"),
            1 => format!("E'{password}'"),
            2 => format!("$q${password}$q$"),
            _ => format!("'it''s {password}'"),
        };
        for statement in [format!("ALTER ROLE a PASSWORD {literal}"), format!("ALTER USER MAPPING FOR a SERVER s OPTIONS (SET password {literal})")] {
            let scrubbed = sql(&statement);
            prop_assert!(!scrubbed.contains(&password), "{}", scrubbed);
        }
    }
}
