//! People at Keycloak, with Chromium on its pages. In a full run only: `tests/run.sh --full`.

use std::process::Stdio;

use hoop_tests::{Keycloak, Running, World, read_user_code, read_word};
use serde_json::json;

#[test]
fn people_log_in_at_keycloak_with_a_real_browser() {
    let folder = tempfile::tempdir().unwrap();
    let Some(keycloak) = Keycloak::start(folder.path()) else {
        eprintln!("skipped: Keycloak and Chromium are part of a full run, `tests/run.sh --full`");
        return;
    };
    let entry = |name: &str, client: &str, more: &str| {
        format!(
            "[[identity_provider]]\nname = \"{name}\"\nissuer = \"{}\"\nclient_id = \"{client}\"\nscopes = [\"email\", \"profile\"]\n{more}\n",
            keycloak.issuer
        )
    };
    let world = World::new()
        .config(&entry("keycloak", "hoopctl", ""))
        .config(&entry("strict", "hoopctl-pkce", ""))
        .config(&entry(
            "roles",
            "hoopctl",
            "groups_claim = \"/realm_access/roles\"\nusername_claim = \"preferred_username\"",
        ))
        .start();
    let ca = world.ca.display().to_string();
    let start = |somebody: &hoop_tests::Person<'_>, options: &[&str]| {
        let mut login = somebody.command(&["login", &world.relay, "--ca", &ca, "--no-input"]);
        let child = login
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running::new(child.unwrap())
    };
    let device_page = format!("{}/device", keycloak.issuer);

    // The device page: Chromium types the code, logs in, agrees.
    let ana = world.stranger();
    let mut login = start(&ana, &["--issuer", "keycloak"]);
    let code = read_user_code(login.child().stderr.take().unwrap());
    keycloak.click_through(&device_page, &code, "ana", folder.path());
    login.finish().expect_code(0);
    let who = ana.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&who["principal"], &who["groups"]),
        (&json!("ana@example.com"), &json!(["dba", "engineers"]))
    );
    assert_eq!(ana.psql("SELECT 1").expect_code(0).stdout.trim(), "1");

    // A client of which Keycloak demands PKCE: a device login without it is refused, the relay's own goes through.
    let without = keycloak.device_login_without_pkce("hoopctl-pkce");
    assert!(
        without.starts_with("HTTP/1.1 400") && without.contains("code_challenge"),
        "{without}"
    );
    let strict = world.stranger();
    let mut login = start(&strict, &["--issuer", "strict"]);
    let code = read_user_code(login.child().stderr.take().unwrap());
    keycloak.click_through(&device_page, &code, "ana", folder.path());
    login.finish().expect_code(0);
    let who = strict.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json();
    assert_eq!(who["principal"], "ana@example.com");

    // In the browser, with PKCE, and groups of a nested claim.
    let again = world.stranger();
    let mut login = start(&again, &["--issuer", "roles", "--browser"]);
    let page = read_word(login.child().stderr.take().unwrap(), |word| {
        word.contains("redirect_uri=")
    });
    keycloak.click_through(&page, "-", "ana", folder.path());
    login.finish().expect_code(0);
    let who = again.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json();
    assert_eq!(who["principal"], "ana");
    assert!(who["groups"].as_array().unwrap().contains(&json!("auditor")), "{who}");

    // An address that nobody verified names nobody.
    let dave = world.stranger();
    let mut login = start(&dave, &["--issuer", "keycloak"]);
    let code = read_user_code(login.child().stderr.take().unwrap());
    keycloak.click_through(&device_page, &code, "dave", folder.path());
    assert_ne!(login.finish().code, 0);
    assert_eq!(dave.hoopctl(&["whoami"]).code, 4);
}
