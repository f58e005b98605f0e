//! People at a real OpenID provider: by a code, in a browser, with every shape of groups; what is kept of them, and what is not.

use std::path::Path;
use std::process::{Command, Stdio};

use hoop_tests::{Finished, OidcProvider, Person, Running, World, eventually, read_user_code, read_word, run};
use serde_json::{Value, json};

/// A world that knows a provider under two names: with groups in `groups`, and with groups of a nested claim.
fn world_of(provider: &OidcProvider) -> World {
    let entry = |name: &str, more: &str| {
        format!(
            "[[identity_provider]]\nname = \"{name}\"\nissuer = \"{}\"\nclient_id = \"hoopctl\"\nscopes = [\"email\"]\n{more}\n",
            provider.issuer
        )
    };
    World::new()
        .config(&entry("company", ""))
        .config(&entry("nested", "groups_claim = \"/realm_access/roles\""))
        .start()
}

/// Starts a login with these options.
fn start(world: &World, somebody: &Person<'_>, options: &[&str]) -> Running {
    let ca = world.ca.display().to_string();
    let mut login = somebody.command(&["login", &world.relay, "--ca", &ca, "--no-input"]);
    let child = login
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running::new(child.unwrap())
}

/// Logs a person of the provider in by a code.
fn by_code(world: &World, provider: &OidcProvider, somebody: &Person<'_>, person: &str, issuer: &str) -> Finished {
    let mut login = start(world, somebody, &["--issuer", issuer]);
    let code = read_user_code(login.child().stderr.take().unwrap());
    provider.approve(&code, person);
    login.finish()
}

fn who(somebody: &Person<'_>) -> Value {
    somebody.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json()
}

/// Every file below a folder, as text.
fn everything_in(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                all.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    all
}

#[test]
fn a_person_logs_in_in_a_browser_that_opens_by_itself() {
    let provider = OidcProvider::start();
    let world = world_of(&provider);
    let carol = world.stranger();
    let ca = world.ca.display().to_string();
    let browser = provider.browser_of(world.folder(), "carol");
    let mut login = carol.command(&[
        "login",
        &world.relay,
        "--ca",
        &ca,
        "--no-input",
        "--browser",
        "--issuer",
        "company",
    ]);
    let done = run(login.env("BROWSER", &browser)).expect_code(0);
    assert!(done.stderr.contains("Your browser opens"), "{}", done.stderr);
    assert_eq!(who(&carol)["principal"], "carol@example.com");
    assert_eq!(who(&carol)["groups"], json!(["dba", "platform"]));
    assert_eq!(carol.hoopctl(&["connect", "db-prod", "--", "true"]).code, 0);
    let page = eventually("the browser has shown its page", || {
        std::fs::read_to_string(world.folder().join("browser.log")).ok()
    });
    assert!(!page.contains("error"), "{page}");
}

#[test]
fn an_answer_with_another_state_or_of_nobody_is_not_taken() {
    let provider = OidcProvider::start();
    let world = world_of(&provider);
    let carol = world.stranger();
    let mut login = start(&world, &carol, &["--browser", "--issuer", "company"]);
    let url = read_word(login.child().stderr.take().unwrap(), |word| {
        word.contains("redirect_uri=")
    });
    assert!(
        url.contains("code_challenge_method=S256") && url.contains("&nonce=") && url.contains("scope=openid+email"),
        "{url}"
    );
    assert!(!url.contains("offline_access"), "{url}");
    let redirect = url.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
    let callback = redirect.replace("%3A", ":").replace("%2F", "/");
    // Whoever guesses the port can neither end the login nor feed it a code of their own.
    for forged in [
        "?code=mine&state=guessed",
        "?error=access_denied&state=",
        "",
        "?code=mine",
    ] {
        let script =
            format!("fetch('{callback}{forged}').then((answer) => process.exit(answer.status === 404 ? 0 : 1))");
        run(Command::new("node").args(["-e", &script])).expect_code(0);
    }
    assert!(!login.ended());
    provider.log_in_at(&url, "-", "carol");
    login.finish().expect_code(0);
    assert_eq!(who(&carol)["principal"], "carol@example.com");
}

#[test]
fn a_provider_without_device_logins_is_used_by_a_browser() {
    let provider = OidcProvider::start_without_device_logins();
    let world = world_of(&provider);
    let ca = world.ca.display().to_string();
    let carol = world.stranger();
    let browser = provider.browser_of(world.folder(), "carol");
    let arguments = ["login", &world.relay, "--ca", &ca, "--no-input", "--issuer", "company"];
    let done = run(carol.command(&arguments).env("BROWSER", browser)).expect_code(0);
    assert!(done.stderr.contains("offers no device login"), "{}", done.stderr);
    assert_eq!(who(&carol)["principal"], "carol@example.com");
    // Where nobody could open one, the error says where to go instead of waiting.
    let done = world.stranger().hoopctl(&arguments);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("hoopctl login --browser"), "{}", done.stderr);
}

#[test]
fn groups_come_as_a_list_a_text_or_a_nested_claim_and_never_in_part() {
    let provider = OidcProvider::start();
    let world = world_of(&provider);
    for (person, issuer, groups) in [
        ("carol", "company", json!(["dba", "platform"])),
        // One text is one group, whatever is in it.
        ("judy", "company", json!(["platform, dba"])),
        ("grace", "nested", json!(["dba"])),
        ("grace", "company", json!([])),
    ] {
        let somebody = world.stranger();
        by_code(&world, &provider, &somebody, person, issuer).expect_code(0);
        assert_eq!(who(&somebody)["groups"], groups, "{person} at {issuer}");
    }
    let somebody = world.stranger();
    let done = by_code(&world, &provider, &somebody, "erin", "company");
    assert_ne!(done.code, 0, "a group that was left out could switch off a forbid");
    assert_eq!(somebody.hoopctl(&["whoami"]).code, 4);
}

#[test]
fn a_name_stays_with_the_account_that_had_it_first_until_an_operator_frees_it() {
    let provider = OidcProvider::start();
    let world = world_of(&provider);
    let (carol, heidi) = (world.stranger(), world.stranger());
    by_code(&world, &provider, &carol, "carol", "company").expect_code(0);
    // heidi's account has carol's address.
    assert_ne!(by_code(&world, &provider, &heidi, "heidi", "company").code, 0);
    assert_eq!(heidi.hoopctl(&["whoami"]).code, 4);
    let data = world.data().display().to_string();
    run(&mut world.relay_command(&["users", "revoke", "carol@example.com", "--free", "--data", &data])).expect_code(0);
    by_code(&world, &provider, &heidi, "heidi", "company").expect_code(0);
    assert_eq!(who(&heidi)["principal"], "carol@example.com");
    assert_ne!(by_code(&world, &provider, &carol, "carol", "company").code, 0);
}

#[test]
fn no_token_of_the_provider_is_kept_anywhere() {
    let provider = OidcProvider::start();
    let world = world_of(&provider);
    let (carol, grace) = (world.stranger(), world.stranger());
    by_code(&world, &provider, &carol, "carol", "company").expect_code(0);
    let mut login = start(&world, &grace, &["--browser", "--issuer", "nested"]);
    let url = read_word(login.child().stderr.take().unwrap(), |word| {
        word.contains("redirect_uri=")
    });
    provider.log_in_at(&url, "-", "grace");
    login.finish().expect_code(0);
    let issued = eventually("both grants", || {
        Some(provider.issued()).filter(|issued| issued.len() >= 6)
    });
    assert!(
        issued.iter().any(|token| token.contains('.')),
        "an ID token is among them"
    );
    // The world's folder has the relay's data and log, and what hoopctl keeps of both people.
    let files = everything_in(world.folder());
    assert!(files.iter().any(|(path, _)| path.ends_with("relay.db")));
    assert!(files.iter().any(|(path, _)| path.ends_with("default.json")));
    for (path, text) in files {
        for token in &issued {
            assert!(!text.contains(token), "{path} has a token of the provider");
        }
    }
}

#[test]
fn one_person_has_a_profile_for_each_of_several_relays() {
    let (here, there) = (World::start(), World::start());
    let ana = here.person("ana");
    let ca = there.ca.display().to_string();
    let mut login = ana.command(&["login", &there.relay, "--profile", "there", "--ca", &ca, "--no-input"]);
    let child = login
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut login = Running::new(child.unwrap());
    let code = read_user_code(login.child().stderr.take().unwrap());
    there.confirm(&code, "bo");
    login.finish().expect_code(0);
    let at = |options: &[&str]| {
        let mut arguments = vec!["whoami", "-o", "json"];
        arguments.extend(options);
        let who = ana.hoopctl(&arguments).expect_code(0).json();
        (
            who["principal"].as_str().unwrap().to_owned(),
            who["relay"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(at(&[]), ("ana".to_owned(), here.relay.clone()));
    assert_eq!(at(&["--profile", "there"]), ("bo".to_owned(), there.relay.clone()));
    let by_variable = run(ana.command(&["whoami", "-o", "json"]).env("HOOPCTL_PROFILE", "there"));
    assert_eq!(by_variable.expect_code(0).json()["principal"], "bo");
    ana.hoopctl(&["logout", "--profile", "there"]).expect_code(0);
    assert_eq!(ana.hoopctl(&["whoami", "--profile", "there"]).code, 4);
    assert_eq!(at(&[]).0, "ana");
}

#[test]
fn a_login_and_a_session_that_are_about_to_end_say_so_in_time() {
    let world = World::new()
        .config("[session]\ncredential_ttl = \"40s\"\nmax_duration = \"8s\"\n")
        .start();
    let ana = world.person("ana");
    let mut session = ana.command(&["connect", "db-prod"]);
    let child = session
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let done = Running::new(child.unwrap()).finish();
    let (warning, end) = (done.stderr.find(" ends in "), done.stderr.find("longest time"));
    assert!(warning.is_some() && warning < end, "{}", done.stderr);
    // A quarter of its life before the end, every command says it on its standard error.
    let said = eventually("the login is about to end", || {
        let done = ana.hoopctl(&["ls", "-o", "json"]).expect_code(0);
        (!done.stderr.is_empty()).then_some(done)
    });
    assert!(
        said.stderr.contains("log in again with `hoopctl login`"),
        "{}",
        said.stderr
    );
    assert!(said.json().is_array(), "the data is as ever");
    let fresh = World::start();
    assert_eq!(fresh.person("ana").hoopctl(&["ls"]).expect_code(0).stderr, "");
}

#[test]
fn a_credential_that_others_could_read_is_refused_with_the_fix() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::start();
    let ana = world.person("ana");
    let folder = ana.home().join("hoopctl/credentials");
    let file = folder.join("default.json");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    for (path, wrong, right) in [(&file, 0o644, 0o600), (&file, 0o660, 0o600), (&folder, 0o755, 0o700)] {
        mode(path, wrong);
        let done = ana.hoopctl(&["whoami"]).expect_code(3);
        assert!(
            done.stderr.contains(&format!("chmod {right:o} '{}'", path.display())),
            "{}",
            done.stderr
        );
        mode(path, right);
        ana.hoopctl(&["whoami"]).expect_code(0);
    }
}
