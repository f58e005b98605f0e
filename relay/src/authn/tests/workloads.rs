//! Workload tokens.

use super::*;

async fn log_in(world: &World, token: &str) -> Result<Enrolled, Refusal> {
    world.authn.login_workload(&csr(), token, applicant("runner")).await
}

#[tokio::test]
async fn a_job_logs_in_for_an_hour_at_most() {
    let world = World::start().await;
    let enrolled = log_in(&world, &world.signer.token(&world.job("1"))).await.unwrap();
    let identity = world.authn.identity(&certificate(&enrolled)).unwrap();
    assert_eq!(identity.label(), "ci:repo:acme/shop");
    assert_eq!(identity.kind(), PrincipalKind::Workload);
    assert_eq!(identity.groups(), ["deploy"]);
    assert!(identity.expires() <= SystemTime::now() + Duration::from_secs(3600));
    assert_eq!(world.outcomes().await, ["enrolled"]);
}

#[tokio::test]
async fn a_token_comes_again_with_its_own_key_only() {
    let world = World::start().await;
    let mut unnamed = world.job("");
    unnamed.as_object_mut().unwrap().remove("jti");
    for claims in [world.job("1"), unnamed] {
        let token = world.signer.token(&claims);
        let own = csr();
        for _ in 0..2 {
            world
                .authn
                .login_workload(&own, &token, applicant("runner"))
                .await
                .unwrap();
        }
        let refusal = log_in(&world, &token).await.unwrap_err();
        assert_eq!(refusal.message, "this token was used with another key before");
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_has_its_keys_in_a_file() {
    let signer = Signer::rs256("cluster");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    let publish = |keys: &[&Signer]| {
        let keys: Vec<_> = keys.iter().map(|signer| signer.jwk.clone()).collect();
        std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    };
    publish(&[]);
    // Nobody listens there.
    let issuer = "https://127.0.0.1:1";
    let mut config = config(dir.path(), issuer);
    config.identity_providers.clear();
    config.workload_identities[0].jwks = Some(file.clone());
    let store = Store::open(&dir.path().join("data")).await.unwrap();
    let authn = Authn::open(&config, store).await.unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let token = signer.token(
        &json!({"iss": issuer, "aud": "hoop", "sub": "system:serviceaccount:shop:deploy",
        "exp": now + 300, "repository": "acme/shop"}),
    );
    let refused = authn
        .login_workload(&csr(), &token, applicant("pod"))
        .await
        .unwrap_err();
    assert!(refused.message.contains("no key of the issuer"), "{refused}");
    // The cluster's keys rotate: the file is read again for a key that is not known.
    publish(&[&signer]);
    let authn = Authn::open(&config, Store::open(&dir.path().join("data")).await.unwrap())
        .await
        .unwrap();
    let enrolled = authn.login_workload(&csr(), &token, applicant("pod")).await.unwrap();
    assert_eq!(enrolled.whoami.principal, "ci:system:serviceaccount:shop:deploy");
}

#[tokio::test]
async fn tokens_of_others_are_refused() {
    let world = World::start().await;
    let job = |name: &str, value: Value| {
        let mut claims = world.job("1");
        claims[name] = value;
        world.signer.token(&claims)
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for (token, part) in [
        (job("repository", json!("evil/shop")), "no group of `ci`"),
        (job("aud", json!("hoopctl")), "another audience"),
        (job("aud", json!(["hoop", "other"])), "another audience"),
        (job("iss", json!("https://token.example")), "another issuer"),
        (job("exp", json!(now - 61)), "expired"),
        (job("nbf", json!(now + 100)), "not valid yet"),
        (job("sub", json!("a\nb")), "`sub`"),
        (Signer::es256("one").token(&world.job("1")), "signature"),
        (world.signer.token(&world.person("ana", &[])), "another audience"),
        ("x".repeat(20_000), "longer than 16 kB"),
    ] {
        let refusal = log_in(&world, &token).await.unwrap_err();
        assert_eq!(refusal.code, Code::LoginNeeded);
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
}

#[tokio::test]
async fn a_request_without_proof_of_its_key_is_refused_before_the_token_is_looked_at() {
    let world = World::start().await;
    let token = world.signer.token(&world.job("1"));
    let refusal = world
        .authn
        .login_workload("no request", &token, applicant("x"))
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ProtocolViolation);
    assert_eq!(world.issuer.key_fetches(), 0);
    log_in(&world, &token).await.unwrap();
}

#[tokio::test]
async fn many_tries_from_one_address_wait() {
    let world = World::start().await;
    let mut last = None;
    for _ in 0..70 {
        last = Some(log_in(&world, "a.b.c").await.unwrap_err());
    }
    let last = last.unwrap();
    assert_eq!(last.code, Code::LimitExceeded);
    assert!(last.hint.unwrap().contains("try again in"));
    let elsewhere = Applicant::new("203.0.113.9".parse().unwrap(), "x");
    let token = world.signer.token(&world.job("1"));
    world.authn.login_workload(&csr(), &token, elsewhere).await.unwrap();
}
