//! Jobs without a person: the guides' own YAML from a clean container, and every token that must not log in.

use hoop_tests::{Authority, Finished, Job, Platform, World, WorldBuilder, block_of_guide};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};

/// A world whose relay has what a guide says, with the platform in place of the issuer that the guide names.
fn world_of(guide: &str, platform: &Platform) -> WorldBuilder {
    let toml = block_of_guide(guide, "toml", 0);
    let issuer = toml.split("issuer = \"").nth(1).and_then(|rest| rest.split('"').next());
    let toml = toml.replace(issuer.expect("an issuer"), &platform.issuer);
    World::new()
        .config(&toml)
        .more_policy(&block_of_guide(guide, "cedar", 0))
}

fn text<'y>(yaml: &'y Yaml<'_>, path: &[&str]) -> &'y str {
    let found = path.iter().fold(yaml, |yaml, key| &yaml[*key]);
    found.as_str().unwrap_or_else(|| panic!("no text at {path:?}"))
}

/// Sets the variables of a table of the YAML, `relay.example.com` being the world's relay.
fn set_variables(job: &mut Job, world: &World, table: &Yaml<'_>) {
    for (name, value) in table.as_mapping().expect("a table of variables") {
        let value = value.as_str().expect("text").replace("relay.example.com", &world.relay);
        job.variable(name.as_str().expect("a name"), &value);
    }
}

/// The job's last line on standard output is the answer of the database, and it logged in as expected.
#[track_caller]
fn expect_the_count_of_orders(world: &World, done: Finished, principal: &str) {
    let done = done.expect_code(0);
    let count = world.database.psql("SELECT count(*) FROM orders");
    assert_eq!(done.stdout.lines().last(), Some(count.trim()), "{}", done.stderr);
    assert!(
        done.stderr.contains(&format!("as {principal} (ci-deploy) until")),
        "{}",
        done.stderr
    );
}

#[test]
fn the_guides_github_workflow_works_as_printed() {
    let platform = Platform::start();
    let world = world_of("github-actions.md", &platform).start();
    let documents = Yaml::load_from_str(&block_of_guide("github-actions.md", "yaml", 0)).expect("YAML");
    let workflow = &documents[0];
    assert_eq!(text(workflow, &["permissions", "id-token"]), "write");
    let report = &workflow["jobs"]["report"];
    let mut job = Job::new(&world);
    set_variables(&mut job, &world, &report["env"]);
    job.variable("CI", "true").variable("GITHUB_ACTIONS", "true");
    for (name, value) in platform.github_variables() {
        job.variable(&name, &value);
    }
    let mut stderr = String::new();
    let mut last = None;
    // GitHub runs each step by a shell of its own, in one container.
    for step in report["steps"].as_vec().expect("steps") {
        let done = job.run(&["bash", "-e", "-c"], text(step, &["run"])).expect_code(0);
        stderr.push_str(&done.stderr);
        last = Some(done);
    }
    let last = last.expect("a step");
    expect_the_count_of_orders(
        &world,
        Finished { stderr, ..last },
        "github:repo:acme/shop:ref:refs/heads/main",
    );

    // Without the permission the platform gives the job no token, and the login says what is missing.
    let mut without = Job::new(&world);
    set_variables(&mut without, &world, &report["env"]);
    let done = without
        .run(&["bash", "-e", "-c"], "hoopctl login --workload")
        .expect_code(4);
    assert!(done.stderr.contains("permissions: id-token: write"), "{}", done.stderr);
    let done = without
        .run(&["bash", "-e", "-c"], "hoopctl exec db-prod -c 'SELECT 1'")
        .expect_code(4);
    assert!(done.stderr.contains("permissions: id-token: write"), "{}", done.stderr);
}

#[test]
fn the_guides_gitlab_job_works_as_printed() {
    let platform = Platform::start();
    let world = world_of("gitlab-ci.md", &platform).start();
    let documents = Yaml::load_from_str(&block_of_guide("gitlab-ci.md", "yaml", 0)).expect("YAML");
    let report = &documents[0]["report"];
    let mut job = Job::new(&world);
    set_variables(&mut job, &world, &report["variables"]);
    job.variable("CI", "true").variable("GITLAB_CI", "true");
    for (name, token) in report["id_tokens"].as_mapping().expect("tokens") {
        job.variable(
            name.as_str().expect("a name"),
            &platform.token("gitlab", text(token, &["aud"])),
        );
    }
    // GitLab runs all lines by one shell.
    let lines: Vec<_> = report["script"]
        .as_vec()
        .expect("a script")
        .iter()
        .map(|line| line.as_str().expect("a line"))
        .collect();
    let done = job.run(&["bash", "-eo", "pipefail", "-c"], &lines.join("\n"));
    expect_the_count_of_orders(&world, done, "gitlab:project_path:acme/shop:ref_type:branch:ref:main");
}

#[test]
fn the_guides_kubernetes_job_works_as_printed() {
    let platform = Platform::start();
    let guide = "kubernetes-workloads.md";
    let world = {
        // This cluster's issuer can be asked; that the keys may stand in a file has a test of its own.
        let toml =
            block_of_guide(guide, "toml", 0).replace("https://kubernetes.default.svc.cluster.local", &platform.issuer);
        let toml: String = toml
            .lines()
            .filter(|line| !line.starts_with("jwks"))
            .map(|line| format!("{line}\n"))
            .collect();
        World::new()
            .config(&toml)
            .more_policy(&block_of_guide(guide, "cedar", 0))
            .start()
    };
    let documents = Yaml::load_from_str(&block_of_guide(guide, "yaml", 0)).expect("YAML");
    let pod = &documents[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert!(
        container["securityContext"]["readOnlyRootFilesystem"]
            .as_bool()
            .unwrap()
    );
    let mut job = Job::new(&world);
    // Container runtimes set a home, writable or not.
    job.variable("KUBERNETES_SERVICE_HOST", "10.96.0.1")
        .variable("HOME", "/root");
    for variable in container["env"].as_vec().expect("variables") {
        let value = text(variable, &["value"]).replace("relay.example.com", &world.relay);
        job.variable(text(variable, &["name"]), &value);
    }
    let volumes = pod["volumes"].as_vec().expect("volumes");
    let source = &volumes[0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(
        text(&container["volumeMounts"][0], &["mountPath"]),
        "/var/run/secrets/hoop"
    );
    job.projected(
        text(source, &["path"]),
        &platform.token("kubernetes", text(source, &["audience"])),
    );
    let command: Vec<_> = container["command"]
        .as_vec()
        .expect("a command")
        .iter()
        .map(|word| word.as_str().expect("a word"))
        .collect();
    let (script, shell) = command.split_last().expect("a command");
    let done = job.run(shell, script);
    expect_the_count_of_orders(&world, done, "cluster:system:serviceaccount:shop:report");
}

#[test]
fn the_guides_generic_job_works_as_printed() {
    let platform = Platform::start();
    let world = world_of("workloads.md", &platform).start();
    // With `exec` alone, and with a login before a client of one's own.
    for blocks in [&[0][..], &[0, 1]] {
        let mut job = Job::new(&world);
        job.variable("TOKEN_FILE", "/var/run/secrets/hoop/of-the-platform")
            .projected("of-the-platform", &platform.token("github", "hoop"));
        let script: String = blocks
            .iter()
            .map(|place| block_of_guide("workloads.md", "sh", *place))
            .collect();
        let script = script.replace("relay.example.com", &world.relay);
        let done = job.run(&["sh", "-euc"], &script);
        expect_the_count_of_orders(&world, done, "ci:repo:acme/shop:ref:refs/heads/main");
    }
}

#[test]
fn a_token_is_taken_from_the_first_place_that_has_one() {
    let platform = Platform::start();
    let world = World::new()
        .config(&format!(
            "[[workload_identity]]\nname = \"ci\"\nissuer = \"{}\"\naudience = \"hoop\"\ngroups = {{ ci = {{ repository = \"acme/shop\" }} }}\n",
            platform.issuer
        ))
        .start();
    let token = |place: &str| platform.mint(&json!({"claims": {"sub": place}}));
    let mut job = Job::new(&world);
    job.variable("HOOPCTL_RELAY", &world.relay)
        .variable("KUBERNETES_SERVICE_HOST", "10.96.0.1")
        .projected("token", &token("of the projected volume"));
    let principal = |job: &Job, options: &str| {
        let script = format!("hoopctl logout --quiet; hoopctl login --workload {options} -o json");
        let done = job.run(&["sh", "-c"], &script).expect_code(0);
        done.json()["principal"].as_str().expect("a principal").to_owned()
    };
    // Each platform has its say only until one before it in the order speaks.
    assert_eq!(principal(&job, ""), "ci:of the projected volume");
    job.variable("GITLAB_CI", "true")
        .variable("HOOP_ID_TOKEN", &token("of GitLab"));
    assert_eq!(principal(&job, ""), "ci:of GitLab");
    for (name, value) in platform.github_variables() {
        job.variable(&name, &value);
    }
    assert_eq!(principal(&job, ""), "ci:repo:acme/shop:ref:refs/heads/main");
    job.projected("variable", &token("of the file that a variable names"))
        .variable("HOOPCTL_ID_TOKEN_FILE", "/var/run/secrets/hoop/variable");
    assert_eq!(principal(&job, ""), "ci:of the file that a variable names");
    job.variable("HOOPCTL_ID_TOKEN", &token("of the variable"));
    assert_eq!(principal(&job, ""), "ci:of the variable");
    job.projected("named", &token("of the flag"));
    assert_eq!(
        principal(&job, "--token-file /var/run/secrets/hoop/named"),
        "ci:of the flag"
    );
}

#[test]
fn every_forged_token_is_refused_and_told_what_was_expected() {
    let platform = Platform::start();
    let world = world_of("github-actions.md", &platform).start();
    let somebody = world.stranger();
    let file = world.folder().join("token");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let good = json!({});
    let with = |name: &str, value: Value| json!({"claims": {name: value}});
    let doubled = format!(
        "{{\"iss\":\"{}\",\"aud\":\"hoop\",\"sub\":\"a\",\"sub\":\"b\",\"exp\":{}}}",
        platform.issuer,
        now + 300
    );
    let cases = [
        (
            json!({"header": {"alg": "none"}, "how": "none"}),
            "algorithm `none`; expected RS256",
        ),
        (
            json!({"header": {"alg": "HS256"}, "how": "hmac"}),
            "algorithm `HS256`; expected RS256",
        ),
        (json!({"how": "hmac"}), "signature is wrong"),
        (json!({"header": {"alg": "RS512"}}), "algorithm `RS512`; expected RS256"),
        (
            json!({"how": "foreign"}),
            "expected that of the issuer's key (kid `key-of-the-platform`)",
        ),
        (
            json!({"how": "foreign", "header": {"kid": "mine", "jku": "http://127.0.0.1:9/jwks"}}),
            "no key of the issuer fits the token (kid `mine`)",
        ),
        (
            with("iss", json!("https://token.example")),
            &format!(
                "of another issuer, `https://token.example`; expected `{}`",
                platform.issuer
            ),
        ),
        (
            with("aud", json!("https://github.com/acme")),
            "another audience, `https://github.com/acme`; expected `hoop`",
        ),
        (with("aud", json!(["hoop", "other"])), "expected `hoop` and no other"),
        (with("exp", json!(now - 120)), "expired at "),
        (
            with("exp", json!((now + 300).to_string())),
            "`exp` is not of the right type",
        ),
        (with("exp", json!("(absent)")), "has no `exp`"),
        (with("nbf", json!(now + 300)), "not valid yet"),
        (with("iat", json!(now + 300)), "issued in the future"),
        (with("iat", json!([now])), "`iat` is not of the right type"),
        (with("sub", json!("(absent)")), "has no `sub`"),
        (with("sub", json!("a\u{1b}[31mb")), "not printable"),
        (json!({"payload": doubled}), "doubled names"),
        (json!({"header": {"typ": "at+jwt"}}), "expected a JWT"),
        (json!({"header": {"crit": ["b64"]}}), "(crit)"),
        // One condition of two is not enough, and nothing but the exact value is one.
        (with("ref", json!("refs/heads/mainline")), "no group of `github`"),
        (with("ref", json!("refs/tags/main")), "no group of `github`"),
        (with("repository_id", json!(123_456_789)), "no group of `github`"),
        (with("repository_id", json!("1234567890")), "no group of `github`"),
    ];
    let ca = world.ca.display().to_string();
    let path = file.display().to_string();
    let log_in = |wish: &Value| {
        std::fs::write(&file, platform.mint(wish)).expect("a file");
        somebody.hoopctl(&["login", &world.relay, "--ca", &ca, "--workload", "--token-file", &path])
    };
    for (wish, expected) in &cases {
        let done = log_in(wish).expect_code(4);
        assert!(done.stderr.contains(expected), "{wish}: {expected}\n{}", done.stderr);
        assert!(!done.stderr.contains('\u{1b}'), "{wish}: {}", done.stderr);
    }
    // A clock that is half a minute off is forgiven.
    log_in(&with("exp", json!(now - 20))).expect_code(0);
    log_in(&with("nbf", json!(now + 50))).expect_code(0);
    log_in(&good).expect_code(0);
    assert!(
        world.relay_log().contains("ci-deploy: ref"),
        "the operator is told which claim did not fit"
    );
}

#[test]
fn a_token_is_for_the_first_key_that_presents_it() {
    let platform = Platform::start();
    let world = world_of("github-actions.md", &platform).start();
    let ca = world.ca.display().to_string();
    for wish in [json!({}), json!({"claims": {"jti": "(absent)"}})] {
        let token = platform.mint(&wish);
        let log_in = |person: &hoop_tests::Person<'_>| {
            hoop_tests::run(
                person
                    .command(&["login", &world.relay, "--ca", &ca, "--workload"])
                    .env("HOOPCTL_ID_TOKEN", &token),
            )
        };
        let (job, thief) = (world.stranger(), world.stranger());
        log_in(&job).expect_code(0);
        log_in(&job).expect_code(0);
        let done = log_in(&thief).expect_code(4);
        assert!(done.stderr.contains("used with another key before"), "{}", done.stderr);
        assert!(!done.stderr.contains(&token), "the token is not shown");
        assert!(!world.relay_log().contains(&token[..80]), "nor logged");
    }
}

#[test]
fn an_issuer_with_a_private_ca_is_known_by_it_and_by_nothing_else() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.server("127.0.0.1");
    let platform = Platform::start_with_tls(&authority.path("server.pem"), &authority.path("server.key"));
    assert!(platform.issuer.starts_with("https://"));
    let world_with = |ca: &str, text: &str| {
        let people = format!(
            "[[identity_provider]]\nname = \"okta\"\nissuer = \"{}\"\nclient_id = \"people\"\n{ca}\n",
            platform.issuer
        );
        let workloads = format!(
            "[[workload_identity]]\nname = \"ci\"\nissuer = \"{}\"\naudience = \"hoop\"\ngroups = {{ ci = {{ repository = \"acme/shop\" }} }}\n{ca}\n",
            platform.issuer
        );
        World::new()
            .config(&people)
            .config(&workloads)
            .file("issuer-ca.pem", text)
            .start()
    };
    let log_in = |world: &World| {
        let mut login = world.stranger().command(&["login", &world.relay, "--workload"]);
        hoop_tests::run(
            login
                .env("HOOPCTL_CA_FILE", &world.ca)
                .env("HOOPCTL_ID_TOKEN", platform.token("github", "hoop")),
        )
    };
    // Whether the relay reaches the same issuer for people.
    let reaches_for_people = |world: &World| {
        let ana = world.stranger();
        ana.log_in_with(&["--ca", &world.ca.display().to_string(), "--issuer", "dev"], "ana");
        let doctor = ana.hoopctl(&["doctor", "-o", "json"]).json();
        let checks = doctor.as_array().expect("checks").iter();
        let okta = checks.filter(|check| {
            check["check"] == "provider" && check["detail"].as_str().is_some_and(|text| text.contains("okta"))
        });
        okta.map(|check| check["ok"].as_bool().expect("a word"))
            .collect::<Vec<_>>()
    };
    let world = world_with("ca = \"issuer-ca.pem\"", &authority.read("ca.pem"));
    log_in(&world).expect_code(0);
    assert_eq!(reaches_for_people(&world), [true]);
    // Neither without it, nor with another one of the same name.
    for (ca, text) in [("", String::new()), ("ca = \"issuer-ca.pem\"", stranger.read("ca.pem"))] {
        let world = world_with(ca, &text);
        let refused = log_in(&world);
        assert_eq!(refused.code, 9, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("issuer cannot be asked") || refused.stderr.contains("cannot be asked"),
            "{}",
            refused.stderr
        );
        assert_eq!(reaches_for_people(&world), [false]);
        assert!(world.relay_log().contains("certificate"), "{}", world.relay_log());
    }
}
