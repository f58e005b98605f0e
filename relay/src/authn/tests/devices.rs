//! The device flow against an issuer that answers as it is told, and against the embedded one.

use super::*;

#[tokio::test]
async fn a_person_logs_in_and_no_token_comes_along() {
    let world = World::start().await;
    world.issuer.answer(400, r#"{"error":"authorization_pending"}"#);
    let token = world.signer.token(&world.person("ana", &["dba"]));
    world.issuer.answer_token(&token);
    let started = world.start_login().await.unwrap();
    assert_eq!(
        (started.user_code.as_str(), started.interval, started.expires_in),
        ("ABCD-EFGH", 1, 300)
    );
    assert_eq!(
        (started.issuer.as_str(), started.verification_uri_complete),
        ("idp", None)
    );
    assert!(matches!(
        world.poll(&started.login).await.unwrap(),
        DevicePolled::Pending {
            interval: 1,
            trouble: None
        }
    ));
    let done = world.poll(&started.login).await.unwrap();
    let json = serde_json::to_string(&done).unwrap();
    assert!(matches!(done, DevicePolled::Done(_)));
    assert!(!json.contains(&token) && !json.contains("device-secret"));
    let asked = world.issuer.script.lock().unwrap().asked.clone();
    assert!(
        asked[0].contains("scope=openid+email&") || asked[0].ends_with("scope=openid+email"),
        "{}",
        asked[0]
    );
    assert_eq!(world.outcomes().await, ["started", "enrolled"]);
}

#[tokio::test]
async fn a_provider_that_knows_pkce_gets_a_challenge_and_then_its_secret() {
    let field = |body: &str, name: &str| -> Option<String> {
        let mut fields = openidconnect::url::form_urlencoded::parse(body.as_bytes());
        fields.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let mut challenges = Vec::new();
    for methods in [json!(["plain", "S256"]), json!(["S256"])] {
        let fresh = World::start().await;
        let discovery = json!({"code_challenge_methods_supported": methods});
        fresh.issuer.script.lock().unwrap().discovery = discovery.as_object().unwrap().clone();
        fresh
            .issuer
            .answer_token(&fresh.signer.token(&fresh.person("ana", &[])));
        let started = fresh.start_login().await.unwrap();
        fresh.poll(&started.login).await.unwrap();
        let asked = fresh.issuer.script.lock().unwrap().asked.clone();
        assert_eq!(field(&asked[0], "code_challenge_method").as_deref(), Some("S256"));
        let (challenge, verifier) = (
            field(&asked[0], "code_challenge").unwrap(),
            field(&asked[1], "code_verifier").unwrap(),
        );
        assert!(verifier.len() >= 43, "RFC 7636, section 4.1: {verifier}");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        assert_eq!(challenge, super::super::testing::encode(digest.as_ref()));
        challenges.push(challenge);
    }
    assert_ne!(challenges[0], challenges[1], "each login has its own");

    // Others are asked as RFC 8628 has it.
    let world = World::start().await;
    world
        .issuer
        .answer_token(&world.signer.token(&world.person("ana", &[])));
    let started = world.start_login().await.unwrap();
    world.poll(&started.login).await.unwrap();
    let asked = world.issuer.script.lock().unwrap().asked.clone();
    for body in &asked {
        assert!(
            !body.contains("code_challenge") && !body.contains("code_verifier"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let world = World::start().await;
    world
        .issuer
        .answer_token(&world.signer.token(&world.person("ana", &[])));
    let started = world.start_login().await.unwrap();
    let mut given = Vec::new();
    for _ in 0..2 {
        let DevicePolled::Done(enrolled) = world.poll(&started.login).await.unwrap() else {
            panic!("pending")
        };
        given.push(enrolled.certificate);
    }
    assert_eq!(given[0], given[1]);
    assert_eq!(world.issuer.script.lock().unwrap().polls, 1);
}

#[tokio::test]
async fn the_issuer_is_asked_no_sooner_than_it_allows() {
    let world = World::start().await;
    world
        .issuer
        .script
        .lock()
        .unwrap()
        .device
        .insert("interval".into(), json!(5));
    let started = world.start_login().await.unwrap();
    for _ in 0..3 {
        let polled = world.poll(&started.login).await.unwrap();
        assert!(
            matches!(
                polled,
                DevicePolled::Pending {
                    interval: 5,
                    trouble: None
                }
            ),
            "{polled:?}"
        );
    }
    assert_eq!(world.issuer.script.lock().unwrap().polls, 0);
}

#[tokio::test]
async fn slow_down_and_trouble_are_passed_on() {
    let world = World::start().await;
    world.issuer.answer(400, r#"{"error":"slow_down"}"#);
    let started = world.start_login().await.unwrap();
    let polled = world.poll(&started.login).await.unwrap();
    assert!(
        matches!(
            polled,
            DevicePolled::Pending {
                interval: 6,
                trouble: None
            }
        ),
        "{polled:?}"
    );

    world.issuer.answer(502, "<html>Bad Gateway</html>");
    let started = world.start_login().await.unwrap();
    let DevicePolled::Pending { interval, trouble } = world.poll(&started.login).await.unwrap() else {
        panic!("done")
    };
    assert_eq!(
        (interval, trouble.as_deref()),
        (2, Some("the identity provider answers with status 502"))
    );

    world.issuer.answer(200, "x".repeat(2 << 20));
    let started = world.start_login().await.unwrap();
    let DevicePolled::Pending { trouble, .. } = world.poll(&started.login).await.unwrap() else {
        panic!("done")
    };
    assert!(trouble.unwrap().contains("longer than 1 MiB"));
}

#[tokio::test]
async fn denied_expired_and_unfit_logins_end_and_stay_ended() {
    let world = World::start().await;
    let mut started = Vec::new();
    for (error, message) in [
        ("access_denied", "the login was denied at the identity provider"),
        ("expired_token", "the code expired before anybody confirmed it"),
        ("invalid_grant", "the code expired before anybody confirmed it"),
        (
            "unauthorized_client",
            "a login with idp is not possible: it answers unauthorized_client",
        ),
    ] {
        started.push((world.start_login().await.unwrap(), error, message));
    }
    for (started, error, message) in started {
        world.issuer.answer(400, json!({ "error": error }).to_string());
        for _ in 0..2 {
            assert_eq!(world.poll(&started.login).await.unwrap_err().message, message);
        }
    }
    assert_eq!(world.outcomes().await[4..], ["denied", "expired", "expired", "failed"]);
}

#[tokio::test]
async fn a_code_lives_no_longer_than_the_issuer_and_ten_minutes() {
    let world = World::start().await;
    world
        .issuer
        .script
        .lock()
        .unwrap()
        .device
        .insert("expires_in".into(), json!(86_400));
    assert_eq!(world.start_login().await.unwrap().expires_in, 600);
    world
        .issuer
        .script
        .lock()
        .unwrap()
        .device
        .insert("expires_in".into(), json!(1));
    let started = world.start_login().await.unwrap();
    assert_eq!(
        world.poll(&started.login).await.unwrap_err().message,
        "the code expired before anybody confirmed it"
    );
}

#[tokio::test]
async fn a_login_is_found_by_its_secret_alone_and_guessing_is_slowed() {
    let world = World::start().await;
    world.start_login().await.unwrap();
    let mut codes = Vec::new();
    for guess in 0..25 {
        codes.push(world.poll(&format!("guess {guess}")).await.unwrap_err().code);
    }
    assert_eq!(codes[0], Code::LoginNeeded);
    assert_eq!(codes[24], Code::LimitExceeded);
}

#[tokio::test]
async fn tokens_that_a_login_must_not_accept_are_refused_each_for_its_reason() {
    let world = World::start().await;
    let ana = |name: &str, value: Value| {
        let mut claims = world.person("ana", &[]);
        claims[name] = value;
        world.signer.token(&claims)
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let cases = [
        (Signer::es256("one").token(&world.person("ana", &[])), "signature"),
        (Signer::es256("two").token(&world.person("ana", &[])), "no key"),
        (ana("iss", json!("https://idp.example")), "another issuer"),
        (ana("aud", json!("hoop")), "another audience"),
        (ana("azp", json!("other")), "another client"),
        (ana("exp", json!(now - 100)), "expired"),
        (ana("exp", json!("never")), "`exp` is not of the right type"),
        (ana("iat", json!(now - 3600)), "older than this login"),
        (ana("nonce", json!("n")), "nonce"),
        (ana("email_verified", json!(false)), "verified"),
        (ana("hasgroups", json!(true)), "overage"),
        (ana("groups", json!({"a": 1})), "not a list of group names"),
        ("a.b.c.d.e".to_owned(), "encrypted"),
        ("not a token".to_owned(), "three parts"),
    ];
    let mut started = Vec::new();
    for _ in &cases {
        started.push(world.start_login().await.unwrap());
    }
    for ((token, part), started) in cases.into_iter().zip(started) {
        world.issuer.answer_token(&token);
        let refusal = world.poll(&started.login).await.unwrap_err();
        assert_eq!(refusal.code, Code::LoginNeeded, "{refusal}");
        assert!(refusal.message.contains(part), "{part}: {refusal}");
    }
    assert!(
        world
            .store
            .valid_logins(OffsetDateTime::now_utc())
            .await
            .unwrap()
            .is_empty()
    );
    let outcomes = world.outcomes().await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "refused").count(), 14);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let world = World::start().await;
    world.log_in("ana", &["dba"]).await;
    let mut claims = world.person("ana", &["dba"]);
    claims["sub"] = json!("somebody else");
    let refusal = world.log_in_with(&world.signer.token(&claims)).await.unwrap_err();
    assert_eq!(refusal.code, Code::LoginNeeded);
    assert!(refusal.message.contains("belongs to another account"), "{refusal}");
    world
        .store
        .free_label("ana@example.com", "operator", OffsetDateTime::now_utc())
        .await
        .unwrap();
    world.log_in_with(&world.signer.token(&claims)).await.unwrap();
}

#[tokio::test]
async fn providers_that_are_not_fit_are_refused_at_the_start() {
    let start = async |discovery: Value, device: Value| {
        let world = World::start().await;
        {
            let mut script = world.issuer.script.lock().unwrap();
            script.discovery = discovery.as_object().unwrap().clone();
            script.device = device.as_object().unwrap().clone();
        }
        world.start_login().await.unwrap_err().message
    };
    let none = || json!({});
    assert!(
        start(json!({"issuer": "https://other.example"}), none())
            .await
            .contains("another name")
    );
    assert!(
        start(json!({"jwks_uri": "http://192.0.2.1/jwks"}), none())
            .await
            .contains("neither https")
    );
    assert!(
        start(json!({"device_authorization_endpoint": null}), none())
            .await
            .contains("no device login")
    );
    assert!(
        start(json!({"token_endpoint": "http://192.0.2.1/"}), none())
            .await
            .contains("neither https")
    );
    assert!(
        start(json!({"response_types_supported": 1}), none())
            .await
            .contains("cannot be read")
    );
    assert!(
        start(none(), json!({"verification_uri": "http://192.0.2.1/"}))
            .await
            .contains("login page")
    );
    assert!(
        start(none(), json!({"user_code": "A\u{1b}[2J"}))
            .await
            .contains("code cannot be shown")
    );
    assert!(
        start(none(), json!({"device_code": 1}))
            .await
            .contains("cannot be read")
    );
}

#[tokio::test]
async fn an_unfit_complete_uri_is_left_out() {
    let world = World::start().await;
    world
        .issuer
        .script
        .lock()
        .unwrap()
        .device
        .insert("verification_uri_complete".into(), json!("javascript:x"));
    assert_eq!(world.start_login().await.unwrap().verification_uri_complete, None);
}

#[tokio::test]
async fn an_issuer_that_is_down_stops_new_logins_only() {
    let world = World::start().await;
    let enrolled = world.log_in("ana", &[]).await;
    let config = config(world.dir.path(), "http://127.0.0.1:9");
    world.authn.reconfigure(&config).unwrap();
    let refusal = world.start_login().await.unwrap_err();
    assert_eq!(refusal.code, Code::TargetUnreachable);
    world.authn.identity(&certificate(&enrolled)).unwrap();
    let refusal = world
        .authn
        .start_device(&csr(), Some("nowhere"), applicant("x"))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code, refusal.hint.as_deref()),
        (Code::NotFound, Some("it has: idp"))
    );
}

#[tokio::test]
async fn keys_rotate_in_the_middle_and_500_unknown_kids_fetch_once() {
    let mut world = World::start().await;
    world.log_in("ana", &[]).await;
    assert_eq!(world.issuer.key_fetches(), 1);
    let rotated = Signer::rs256("two");
    world.issuer.script.lock().unwrap().keys = vec![rotated.jwk.clone()];
    world
        .log_in_with(&rotated.token(&world.person("bo", &[])))
        .await
        .unwrap();
    assert_eq!(world.issuer.key_fetches(), 2);
    let error = world
        .log_in_with(&world.signer.token(&world.person("ana", &[])))
        .await
        .unwrap_err();
    assert!(
        error.message.contains("no key"),
        "a withdrawn key still counts: {error}"
    );

    world.signer = rotated;
    let issuers = world.authn.issuers();
    let workload = &issuers.workloads[0];
    let unknown = world
        .signer
        .token_of(r#"{"alg":"RS256","kid":"unknown"}"#, &world.job("x").to_string());
    let tries = (0..500).map(|_| workload.verify(&unknown));
    assert!(futures::future::join_all(tries).await.iter().all(Result::is_err));
    assert_eq!(
        world.issuer.key_fetches(),
        2,
        "people and workloads of one issuer share its keys and their limit"
    );
}

#[tokio::test]
async fn waiting_logins_are_bounded_by_source() {
    let world = World::start().await;
    let mut refusals = 0;
    for _ in 0..55 {
        refusals += usize::from(
            world
                .start_login()
                .await
                .is_err_and(|refusal| refusal.code == Code::LimitExceeded),
        );
    }
    assert_eq!(refusals, 5);
    let elsewhere = Applicant::new("203.0.113.9".parse().unwrap(), "x");
    world.authn.start_device(&csr(), None, elsewhere).await.unwrap();
}

#[tokio::test]
async fn the_embedded_provider_logs_its_people_in() {
    let provider = crate::dev::Provider::start("127.0.0.1:0".parse().unwrap(), Some("ana".into()))
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), provider.issuer());
    config.identity_providers[0].username_claim = "preferred_username".into();
    config.identity_providers[0].client_id = crate::dev::CLIENT_ID.into();
    let store = Store::open(dir.path()).await.unwrap();
    let authn = Authn::open(&config, store).await.unwrap();
    let started = authn.start_device(&csr(), None, applicant("laptop")).await.unwrap();
    assert!(started.verification_uri_complete.unwrap().contains(&started.user_code));
    let DevicePolled::Done(enrolled) = authn.poll_device(&started.login, source()).await.unwrap() else {
        panic!("pending")
    };
    let identity = authn.identity(&certificate(&enrolled)).unwrap();
    assert_eq!(
        (identity.label(), identity.groups()),
        ("ana", ["engineers".to_owned()].as_slice())
    );
}
