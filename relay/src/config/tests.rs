#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;

/// Every key of every section. `DIR` is a folder that has the files.
const WHOLE: &str = include_str!("../../docs/example.toml");

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let certificate = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
        folder.write("tls.crt", certificate.cert.pem().as_bytes(), 0o644);
        folder.write("ca.crt", certificate.cert.pem().as_bytes(), 0o644);
        folder.write("tls.key", certificate.signing_key.serialize_pem().as_bytes(), 0o600);
        folder.write("db.password", b"s3cret\n", 0o600);
        folder.write(
            "issuer-keys.json",
            br#"{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}"#,
            0o644,
        );
        std::fs::create_dir(folder.path("policies")).unwrap();
        folder.write(
            "policies/a.cedar",
            br#"@id("a") permit (principal, action, resource);"#,
            0o644,
        );
        folder.write("policies/b.cedar", b"", 0o644);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn parse(&self, text: &str) -> Result<Loaded, Vec<Problem>> {
        Config::parse(Source::new(self.path("relay.toml"), text), Purpose::Serve)
    }
}

fn folder() -> Folder {
    Folder::new()
}

/// A connection and an identity provider, so that what is added is the only thing that can be wrong.
const BASE: &str = "[policy]\nfiles = [\"policies/*.cedar\"]\n[[identity_provider]]\nname = \"okta\"\nissuer = \"https://example.okta.com\"\nclient_id = \"hoopctl\"\n";

fn connection(lines: &str) -> String {
    format!(
        "{BASE}[[connection]]\nname = \"db\"\nprotocol = \"postgres\"\ndatabase = \"shop\"\nuser = \"hoop\"\n{lines}\n"
    )
}

/// The problems of a text, one line each.
fn problems(text: &str) -> Vec<String> {
    match folder().parse(text) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// There is one problem, an error, and it says this.
fn one(text: &str, word: &str) {
    let problems = problems(text);
    assert!(folder().parse(text).is_err(), "{text}");
    assert!(
        problems.len() == 1 && problems[0].contains("error: ") && problems[0].contains(word),
        "{word}: {problems:#?}\n{text}"
    );
}

fn good(text: &str) -> Config {
    match folder().parse(text) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{}", render(&problems, false)),
    }
}

#[test]
fn the_whole_example_is_read() {
    let folder = folder();
    let loaded = folder
        .parse(WHOLE)
        .unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.listen, "0.0.0.0:7443".parse().unwrap());
    assert_eq!(config.tls.unwrap().private_key, folder.path("tls.key"));
    assert_eq!(
        (config.recording.full, config.recording.sync),
        (true, Some(Duration::from_millis(200)))
    );
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.session, SessionTimes::default());
    assert_eq!(
        config.policy.files,
        [folder.path("policies/a.cedar"), folder.path("policies/b.cedar")]
    );
    let github = &config.workload_identities[0];
    let claims = vec![
        ("ref".to_owned(), "refs/heads/main".into()),
        ("repository".to_owned(), "acme/shop".into()),
    ];
    assert_eq!(github.groups, [("ci-deploy".to_owned(), claims)]);
    let Target::Postgres(target) = &config.connections[0].target;
    assert_eq!(
        (target.host.as_str(), target.port, target.tls),
        ("10.0.0.5", 5432, TlsMode::VerifyFull)
    );
    assert_eq!(target.password.as_ref().unwrap().expose_secret(), "s3cret");
    assert_eq!(config.masks[0].with, MaskWith::Redact);
    assert_eq!(config.masks[1].with, MaskWith::Partial { keep_last: 4 });
    assert_eq!(config.masks[1].connections, ["db-*"]);
    let MaskWhat::Detect(detectors) = &config.masks[1].what else {
        panic!("no detectors")
    };
    assert_eq!(detectors.len(), DETECTORS.len());
}

#[test]
fn the_reference_names_every_key_and_every_default() {
    let folder = folder();
    let reader = Reader::new(Source::new(folder.path("relay.toml"), WHOLE));
    assert!(read(&reader, Purpose::Serve).is_some());
    let reference = include_str!("../../docs/configuration.md");
    let documented = |section: &str, key: &str| {
        let heading = format!("`{section}`");
        let mut inside = false;
        for line in reference.lines() {
            if line.starts_with('#') {
                inside = line.contains(&heading)
                    || line.contains(&format!("`[{section}]`"))
                    || line.contains(&format!("`[[{section}]]`"));
            } else if inside && line.starts_with(&format!("| `{key}` |")) {
                return Some(line.to_owned());
            }
        }
        None
    };
    let asked = reader.asked();
    assert!(asked.len() > 50, "{asked:?}");
    for name in &asked {
        // Sections themselves, and the inner keys of a secret.
        let Some((section, key)) = name.rsplit_once('.') else {
            continue;
        };
        if ["env", "file", "command"].contains(&key) {
            continue;
        }
        assert!(
            documented(section, key).is_some(),
            "`{key}` of `{section}` is not in docs/configuration.md"
        );
    }
    for limit in LIMITS {
        let shown = match limit.unit {
            Unit::Bytes => quantity::show_size(limit.default),
            Unit::Count => limit.default.to_string(),
        };
        let line = documented("limits", limit.name).unwrap();
        assert!(
            line.contains(&format!("`{shown}`")) || line.contains(&format!("`\"{shown}\"`")),
            "{line}: default {shown}"
        );
    }
    for detector in DETECTORS {
        assert!(reference.contains(&format!("`{detector}`")), "{detector}");
    }
}

#[test]
fn an_empty_file_for_dev_is_all_defaults() {
    let loaded = Config::parse(Source::new("relay.toml", ""), Purpose::Dev).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.limits, Limits::default());
    let problems = Config::parse(Source::new("relay.toml", ""), Purpose::Serve).unwrap_err();
    assert!(render(&problems, false).contains("nobody could log in"));
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_known_one() {
    one(
        &format!("{BASE}[limits]\nstatment_bytes = \"1MiB\""),
        "relay.toml:8:1: error: unknown key `statment_bytes` in `limits` (did you mean `statement_bytes`?)",
    );
    one(&format!("{BASE}[sesion]\n"), "did you mean `session`?");
    one(
        &connection("address = \"h:1\"\ntls-mode = \"disable\""),
        "unknown key `tls-mode` in `connection`",
    );
    one(&format!("{BASE}[listen]\nzzz = 1"), "known keys: address");
    one(&format!("{BASE}[listen]\n\"\" = 1"), "unknown key ``");
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_file() {
    let text = "[listen]\naddress = \"nowhere\"\n[recording]\ncontent = \"ful\"\nsync = 5\n[session]\ndrain = \"soon\"\n[limits]\n\
        held_bytes = \"1B\"\nprepared_statements = -1\n[[connection]]\nname = \"DB\"\nprotocol = \"postgres\"\n[[mask]]\nwith = \"redact\"\n";
    let problems = folder().parse(text).unwrap_err();
    let mut lines: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.position().map(|(line, _)| line))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 4, 5, 7, 9, 10, 11, 11, 11, 12, 14]);
    let drawn = render(&problems, false);
    assert!(
        drawn.contains("relay.toml:2:11") && drawn.contains("did you mean `full`?"),
        "{drawn}"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    let secret = "hunter2-correct-horse";
    let texts = [
        connection(&format!("address = \"h:1\"\npassword = \"{secret}\"")),
        connection(&format!("address = \"h:1\"\npassword = [\"{secret}\"]")),
        connection(&format!("address = \"h:1\"\npasword = \"{secret}\"")),
        connection(&format!("address = \"h:1\"\npassword = {secret}")),
        connection(&format!("address = \"postgres://hoop:{secret}@h:1/shop\"")),
        connection(&format!("address = \"hoop:{secret}@h:1\"")),
        connection(&format!("address = \"h:1\"\npassword = {{ value = \"{secret}\" }}")),
        format!(
            "{BASE}[session]\nwat = 1 # \n[[connection]]\nname = \"a\"\npassword = {{ command = \"{secret}\" }}\nprotocol = \"postgres\""
        ),
        BASE.replace("https://", &format!("https://u:{secret}@")),
        format!("{BASE}client_secret = \"{secret}\""),
        format!("{BASE}[storage]\ndatabase = \"postgres://u:{secret}@h/db\""),
    ];
    for text in texts {
        let problems = folder().parse(&text).unwrap_err();
        let drawn = render(&problems, false);
        assert!(!drawn.contains(secret) && !drawn.contains("hunter2"), "{drawn}");
        assert!(
            problems.iter().all(|problem| !problem.to_string().contains("hunter2")),
            "{problems:?}"
        );
    }
    one(
        &connection("address = \"h:1\"\npassword = \"x\""),
        "holds a secret in the file itself",
    );
}

#[test]
fn a_secret_names_exactly_one_source() {
    let with = |value: &str| connection(&format!("address = \"h:1\"\npassword = {value}"));
    one(&with("{}"), "names 0 sources");
    one(&with("{ env = \"A\", file = \"B\" }"), "names 2 sources");
    one(&with("{ env = \"HOOP_TEST_NOT_SET\" }"), "HOOP_TEST_NOT_SET is not set");
    one(&with("{ env = \"A=B\" }"), "is not set");
    one(&with("{ file = \"missing\" }"), "missing");
    one(&with("{ file = \"policies\" }"), "not a regular file");
    one(&with("{ file = \"tls.crt\" }"), "chmod 600");
    one(&with("{ command = [] }"), "empty list");
    one(&with("{ command = [\"false\"] }"), "failed (exit status: 1)");
    let config = good(&with("{ command = [\"printf\", \"a b\"] }"));
    let Target::Postgres(target) = &config.connections[0].target;
    assert_eq!(target.password.as_ref().unwrap().expose_secret(), "a b");
}

#[test]
fn a_secret_file_that_is_a_link_is_refused() {
    let folder = folder();
    symlink(folder.path("db.password"), folder.path("link")).unwrap();
    let problems = folder
        .parse(&connection("address = \"h:1\"\npassword = { file = \"link\" }"))
        .unwrap_err();
    assert!(problems[0].to_string().contains("symbolic link"), "{}", problems[0]);
}

#[test]
fn what_this_version_does_not_support_says_so() {
    one(
        &format!("{BASE}[storage]\ndatabase = \"x\""),
        "`storage.database` is not supported by this version",
    );
    one(
        &format!("{BASE}[storage]\nrecordings = \"s3://b\""),
        "not supported by this version",
    );
    one(
        &format!("{BASE}[telemetry]\notlp = \"http://x\""),
        "not supported by this version",
    );
    one(
        &format!("{BASE}[limits]\nhttp_hold = \"60s\""),
        "not supported by this version",
    );
    one(
        &format!("{BASE}[[mask]]\nfields = [\"configmaps:data\"]\nwith = \"redact\""),
        "not supported by this version",
    );
    one(
        &format!("{BASE}[[connection]]\nname = \"w\"\nprotocol = \"ssh\"\naddress = \"x:22\"\nhost_key = [\"k\"]"),
        "`ssh` are not supported",
    );
    one(
        &format!("{BASE}[[connection]]\nname = \"k\"\nprotocol = \"kubernetes\"\ntoken = {{ file = \"x\" }}"),
        "`kubernetes` are not supported",
    );
    one(
        &format!("{BASE}[[connection]]\nname = \"k\"\nprotocol = \"postgresql\""),
        "did you mean `postgres`?",
    );
}

#[test]
fn names_stand_once() {
    let twice = format!(
        "{}{}",
        connection("address = \"h:1\""),
        connection("address = \"h:2\"").replace(BASE, "")
    );
    one(&twice, "there is another connection called `db`, on line 7");
    let workload = "[[workload_identity]]\nname = \"okta\"\nissuer = \"https://x\"\naudience = \"hoop\"\ngroups = { a = { sub = \"x\" } }\n";
    one(&format!("{BASE}{workload}"), "another identity provider called `okta`");
}

#[test]
fn tls_towards_a_target_is_verified_unless_the_file_says_otherwise() {
    let target = |lines: &str| {
        let config = good(&connection(lines));
        let Target::Postgres(target) = &config.connections[0].target;
        target.clone()
    };
    assert_eq!(target("address = \"h:1\"").tls, TlsMode::VerifyFull);
    assert_eq!(target("address = \"/run/postgresql:5432\"").tls, TlsMode::Disable);
    assert_eq!(target("address = \"/run/postgresql:5432\"").host, "/run/postgresql");
    assert!(
        target("address = \"h:1\"\ntls = \"verify-ca\"\nca = \"ca.crt\"")
            .ca
            .is_some()
    );
    one(
        &connection("address = \"/run/postgresql:5432\"\ntls = \"require\""),
        "a Unix socket has no TLS",
    );
    one(
        &connection("address = \"h:1\"\ntls = \"require\"\nca = \"ca.crt\""),
        "`ca` is only used",
    );
    one(&connection("address = \"h:1\"\nca = \"missing.crt\""), "missing.crt");
    one(
        &connection("address = \"h:1\"\nca = \"db.password\""),
        "no PEM certificate",
    );
    one(&connection("address = \"h:1\"\ntls = \"prefer\""), "is not `prefer`");
    let weak = problems(&connection(
        "address = \"db.example.com:1\"\ntls = \"disable\"\npassword = { file = \"db.password\" }",
    ));
    assert!(
        weak.len() == 1 && weak[0].contains("warning: tls = \"disable\""),
        "{weak:?}"
    );
    assert_eq!(
        problems(&connection(
            "address = \"127.0.0.1:1\"\ntls = \"disable\"\npassword = { file = \"db.password\" }"
        )),
        [""; 0]
    );
}

#[test]
fn the_relays_key_must_fit_its_certificate_and_be_private() {
    let tls =
        |certificate: &str, key: &str| format!("{BASE}[tls]\ncertificate = \"{certificate}\"\nprivate_key = \"{key}\"");
    good(&tls("tls.crt", "tls.key"));
    one(&tls("tls.crt", "tls.crt"), "chmod 600");
    one(&tls("tls.crt", "db.password"), "no PEM private key");
    one(
        &format!("{BASE}[tls]\ncertificate = \"tls.crt\""),
        "`tls.private_key` is missing",
    );
    let folder = folder();
    let other = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    folder.write("other.key", other.signing_key.serialize_pem().as_bytes(), 0o600);
    let problems = folder.parse(&tls("tls.crt", "other.key")).unwrap_err();
    assert!(
        problems[0].to_string().contains("do not fit together"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_workload_mapping_pins_its_tenant() {
    let with = |claims: &str| {
        format!(
            "{BASE}[[workload_identity]]\nname = \"ci\"\nissuer = \"https://x\"\naudience = \"hoop\"\ngroups = {{ deploy = {claims} }}\n"
        )
    };
    for claims in [
        "{ repository = \"acme/shop\" }",
        "{ repository_id = 42 }",
        "{ sub = \"spiffe://acme/ci\", ref_protected = \"true\" }",
        "{ \"/kubernetes.io/namespace\" = \"ci\", \"/kubernetes.io/serviceaccount/name\" = \"deploy\" }",
    ] {
        good(&with(claims));
    }
    for claims in [
        "{}",
        "{ ref = \"refs/heads/main\" }",
        "{ repository_owner = \"acme\" }",
        "{ repository = \"\" }",
        "{ sub = true }",
        "{ \"/kubernetes.io/namespace\" = \"ci\" }",
        "{ \"/x/sub\" = \"acme\" }",
    ] {
        one(&with(claims), "does not pin a tenant");
    }
    one(
        &with("{ repository = \"acme/shop\", ref = [\"a\"] }"),
        "must be a string, a whole number",
    );
    one(
        &with("{ repository = \"acme/shop\", \"/a~b\" = \"x\" }"),
        "not a JSON pointer",
    );
    assert!(problems(&with("\"acme\""))[0].contains("must be a table"));
    one(
        &format!(
            "{BASE}[[workload_identity]]\nname = \"ci\"\nissuer = \"https://x\"\naudience = \"hoop\"\ngroups = {{}}\n"
        ),
        "maps no group",
    );
}

#[test]
fn keys_of_an_issuer_that_cannot_be_asked_stand_in_a_file() {
    let with = |jwks: &str| {
        format!(
            "{BASE}[[workload_identity]]\nname = \"ci\"\nissuer = \"https://x\"\naudience = \"hoop\"\njwks = \"{jwks}\"\n\
             groups = {{ deploy = {{ repository = \"acme/shop\" }} }}\n"
        )
    };
    good(&with("issuer-keys.json"));
    one(&with("db.password"), "is not a key set");
    one(&with("none.json"), "cannot be read");
}

#[test]
fn an_identity_provider_signs_with_keys_of_its_own() {
    one(&format!("{BASE}algorithms = [\"HS256\"]"), "is not `HS256`");
    one(&format!("{BASE}algorithms = [\"none\"]"), "is not `none`");
    one(&format!("{BASE}scopes = [\"offline_access\"]"), "never keeps");
    one(&BASE.replace("https://", "http://"), "is http");
    one(&format!("{BASE}ca = \"db.password\""), "no PEM certificate");
    let trusting = problems(&format!("{BASE}trust_unverified_email = true"));
    assert!(trusting.len() == 1 && trusting[0].contains("warning"), "{trusting:?}");
}

#[test]
fn masks_say_what_and_how() {
    let mask = |lines: &str| format!("{}[[mask]]\n{lines}\n", connection("address = \"h:1\""));
    good(&mask(
        "columns = [\"*.password_hash\", \"billing.cards.*\"]\nwith = \"null\"",
    ));
    good(&mask("detect = [\"email\"]\nwith = \"partial\"\nkeep_last = 2"));
    one(
        &mask("columns = [\"ssn\"]\nwith = \"redact\""),
        "does not name a column",
    );
    one(
        &mask("columns = [\"a.b.c.d\"]\nwith = \"redact\""),
        "does not name a column",
    );
    one(
        &mask("columns = [\"a.b\"]\ndetect = [\"email\"]\nwith = \"redact\""),
        "not both",
    );
    one(
        &mask("detect = [\"e-mail\"]\nwith = \"redact\""),
        "did you mean `email`?",
    );
    one(&mask("detect = [\"email\", \"email\"]\nwith = \"redact\""), "twice");
    one(
        &mask("detect = [\"email\"]\nwith = \"redact\"\nkeep_last = 2"),
        "only used with",
    );
    one(
        &mask("detect = [\"email\"]\nwith = \"partial\"\nkeep_last = 0"),
        "from 1 to 16",
    );
    one(&mask("detect = [\"email\"]"), "`mask.with` is missing");
    let odd = problems(&mask(
        "detect = [\"email\"]\nwith = \"redact\"\nconnections = [\"prod-*\"]",
    ));
    assert!(odd.len() == 1 && odd[0].contains("warning: `prod-*`"), "{odd:?}");
}

#[test]
fn policy_files_are_found_from_the_files_folder() {
    let files = |pattern: &str| {
        format!(
            "{}[policy]\nfiles = [{pattern}]\n",
            BASE.split_once("[[")
                .map_or("", |(_, rest)| rest)
                .replacen("identity", "[[identity", 1)
        )
    };
    let config = good(&files("\"policies/b.cedar\", \"policies/*.cedar\""));
    assert_eq!(config.policy.files.len(), 2);
    one(&files("\"policies/none.cedar\""), "there is no policy file");
    one(&files("\"policies/[\""), "is not a pattern");
    one(&files(""), "empty list");
    let none = problems(&files("\"elsewhere/*.cedar\""));
    assert!(
        none.len() == 1 && none[0].contains("warning") && none[0].contains("matches no file"),
        "{none:?}"
    );
    // A folder whose own name looks like a pattern.
    let odd = tempfile::Builder::new().prefix("a[b]*").tempdir().unwrap();
    std::fs::write(odd.path().join("p.cedar"), "").unwrap();
    let source = Source::new(odd.path().join("relay.toml"), files("\"*.cedar\""));
    assert_eq!(
        Config::parse(source, Purpose::Serve).unwrap().config.policy.files,
        [odd.path().join("p.cedar")]
    );
}

#[test]
fn a_file_that_others_could_change_is_refused() {
    let folder = folder();
    let path = folder.write("relay.toml", BASE.as_bytes(), 0o646);
    let problems = Config::load(&path, Purpose::Serve).unwrap_err();
    assert!(
        problems[0].to_string().contains("may be written by everybody"),
        "{}",
        problems[0]
    );
    let problems = Config::load(&folder.path("policies"), Purpose::Serve).unwrap_err();
    assert!(
        problems[0].to_string().contains("not a regular file"),
        "{}",
        problems[0]
    );
    let path = folder.write("bad.toml", b"[listen]\naddress = \"\xff\"", 0o644);
    let problems = Config::load(&path, Purpose::Serve).unwrap_err();
    assert!(
        problems[0].to_string().contains("bad.toml:2:12: error: is not UTF-8"),
        "{}",
        problems[0]
    );
}

#[test]
fn check_tells_the_problems_of_configuration_and_policies_together() {
    let folder = folder();
    folder.write("policies/a.cedar", b"permit (principal, action, resource);", 0o644);
    let path = folder.write(
        "relay.toml",
        format!("{BASE}[listen]\nadress = \"x\"").as_bytes(),
        0o644,
    );
    let (whole, problems) = Config::check(&path, Purpose::Serve);
    assert!(whole.is_none());
    let drawn = render(&problems, false);
    assert!(
        drawn.contains("did you mean `address`?") && drawn.contains("no `@id`"),
        "{drawn}"
    );
}

#[test]
fn hostile_files_are_refused_without_a_panic() {
    let many = 100_000;
    for text in [
        "\0".to_owned(),
        "[".repeat(many),
        format!("a = {}", "[".repeat(many)),
        format!("a = {}", "{a=".repeat(many)),
        format!("{} = 1", vec!["a"; many].join(".")),
        format!("[{}]", vec!["a"; many].join(".")),
        format!("[limits]\nprepared_statements = {}", "9".repeat(many)),
        "[limits]\nprepared_statements = 9223372036854775807".to_owned(),
        "[limits]\nprepared_statements = 0xffffffffffffffff".to_owned(),
        "[limits]\nprepared_statements = 1e3".to_owned(),
        "[limits]\nprepared_statements = -0".to_owned(),
        format!("[limits]\nstatement_bytes = \"{}GiB\"", "9".repeat(many)),
        format!("[session]\ndrain = \"{}d\"", "9".repeat(many)),
        format!("{} = 1", "x".repeat(many)),
        "[listen]\naddress = \"\\u0000\"".to_owned(),
        "[listen]\n[listen]\n".to_owned(),
        "listen = 1\npolicy = []\nconnection = {}\nmask = [1]\nlimits = \"x\"".to_owned(),
        "[[listen]]\n[connection]\nname = 1".to_owned(),
    ] {
        let problems = folder().parse(&text).unwrap_err();
        let drawn = render(&problems, false);
        assert!(drawn.contains("relay.toml"), "{}", &drawn[..drawn.len().min(200)]);
        for problem in &problems {
            assert!(problem.severity() == Severity::Warning || !problem.message().is_empty());
        }
    }
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn is_read_or_refused(text in "(\\[\\[?(limits|mask|connection|policy|identity_provider|workload_identity)\\]\\]?\n|[a-z_]{1,8} = |\"[^\"\n]{0,9}\"\n|[0-9]{1,4}\n|\\{ env = \"A\" \\}\n|.){0,20}") {
            if let Err(problems) = Config::parse(Source::new("/nonexistent/relay.toml", text), Purpose::Dev) {
                let _ = render(&problems, true);
                prop_assert!(!problems.is_empty());
            }
        }
    }
}
