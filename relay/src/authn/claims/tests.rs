#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use time::OffsetDateTime;

use super::*;

fn provider() -> IdentityProvider {
    IdentityProvider {
        name: "idp".into(),
        issuer: "https://idp.example".into(),
        client_id: "hoopctl".into(),
        client_secret: None,
        scopes: Vec::new(),
        username_claim: "email".into(),
        groups_claim: "groups".into(),
        algorithms: vec!["RS256".into()],
        trust_unverified_email: false,
        ca: None,
    }
}

fn claims_of(all: Value) -> Claims {
    let Value::Object(all) = all else { unreachable!() };
    Claims {
        subject: "1234".into(),
        expires: OffsetDateTime::UNIX_EPOCH,
        token: "jti:1".into(),
        all,
    }
}

fn ana(more: Value) -> Claims {
    let mut all = json!({"email": "ana@example.com", "email_verified": true});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    claims_of(all)
}

fn login(claims: &Claims) -> Result<Principal, ClaimsError> {
    person(claims, &provider(), &["github".into()])
}

#[test]
fn a_person_has_label_and_sorted_groups() {
    let principal = login(&ana(json!({"groups": ["ops", "dba", "ops"]}))).unwrap();
    assert_eq!(principal.label, "ana@example.com");
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(
        (principal.issuer.as_str(), principal.subject.as_str()),
        ("https://idp.example", "1234")
    );
    assert_eq!(principal.groups, ["dba", "ops"]);
    assert!(login(&ana(json!({}))).unwrap().groups.is_empty());
    assert_eq!(
        login(&ana(json!({"groups": "ops, dba"}))).unwrap().groups,
        ["ops, dba"],
        "a single text is one group"
    );
}

#[test]
fn a_mail_address_counts_only_when_it_is_verified() {
    for verified in [json!(false), json!("true"), json!(1), json!(null)] {
        assert_eq!(
            login(&ana(json!({ "email_verified": verified }))).unwrap_err(),
            ClaimsError::UnverifiedEmail
        );
    }
    let never_said = claims_of(json!({"email": "ana@example.com"}));
    assert_eq!(login(&never_said).unwrap_err(), ClaimsError::UnverifiedEmail);
    let trusting = IdentityProvider {
        trust_unverified_email: true,
        ..provider()
    };
    person(&never_said, &trusting, &[]).unwrap();
    let by_name = IdentityProvider {
        username_claim: "preferred_username".into(),
        ..provider()
    };
    person(&claims_of(json!({"preferred_username": "ana"})), &by_name, &[]).unwrap();
}

#[test]
fn a_label_is_a_visible_text() {
    for label in [
        json!(""),
        json!(" ana"),
        json!("a\u{0}"),
        json!("a\u{202e}b"),
        json!("a\u{200d}b"),
        json!(1),
        json!(["a"]),
        json!(null),
        json!("x".repeat(257)),
    ] {
        let error = login(&ana(json!({ "email": label }))).unwrap_err();
        assert_eq!(error, ClaimsError::Label("email".into()), "{label}");
    }
    assert_eq!(
        login(&claims_of(json!({}))).unwrap_err(),
        ClaimsError::NoLabel("email".into())
    );
}

#[test]
fn a_person_cannot_be_called_like_a_workload() {
    let error = login(&ana(json!({"email": "github:repo:acme/shop"}))).unwrap_err();
    assert_eq!(error, ClaimsError::LabelOfWorkload("github:repo:acme/shop".into()));
    login(&ana(json!({"email": "gitlab:x"}))).unwrap();
}

#[test]
fn groups_that_were_left_out_refuse_the_login() {
    for more in [
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph"}}}),
        json!({"groups": ["a"], "_claim_names": {"groups": "src1"}}),
        json!({"_claim_names": "groups"}),
        json!({"hasgroups": true}),
        json!({"hasgroups": "true"}),
    ] {
        assert_eq!(login(&ana(more.clone())).unwrap_err(), ClaimsError::Overage, "{more}");
    }
    login(&ana(json!({"_claim_names": {"address": "src1"}, "hasgroups": false}))).unwrap();
    let nested = IdentityProvider {
        groups_claim: "/realm_access/roles".into(),
        ..provider()
    };
    let elsewhere = ana(json!({"_claim_names": {"realm_access": "src1"}}));
    assert_eq!(person(&elsewhere, &nested, &[]).unwrap_err(), ClaimsError::Overage);
}

#[test]
fn groups_of_another_shape_refuse_the_login() {
    for groups in [
        json!(null),
        json!(1),
        json!({"a": true}),
        json!(["a", 1]),
        json!([["a"]]),
        json!([""]),
        json!(["a\nb"]),
        json!([" a"]),
        json!(vec!["a"; 1001]),
    ] {
        let error = login(&ana(json!({ "groups": groups }))).unwrap_err();
        assert_eq!(error, ClaimsError::Groups("groups".into()), "{groups}");
    }
}

#[test]
fn groups_are_found_by_json_pointer() {
    let nested = IdentityProvider {
        groups_claim: "/realm_access/roles".into(),
        ..provider()
    };
    let claims = ana(json!({"realm_access": {"roles": ["ops"]}, "groups": ["not this"]}));
    assert_eq!(person(&claims, &nested, &[]).unwrap().groups, ["ops"]);
}

fn github() -> WorkloadIdentity {
    let wanted = |pairs: &[(&str, Value)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    };
    WorkloadIdentity {
        name: "github".into(),
        issuer: "https://token.actions.githubusercontent.com".into(),
        audience: "hoop".into(),
        groups: vec![
            (
                "ci-deploy".into(),
                wanted(&[("repository", json!("acme/shop")), ("ref", json!("refs/heads/main"))]),
            ),
            ("ci".into(), wanted(&[("repository", json!("acme/shop"))])),
            ("numbered".into(), wanted(&[("repository_id", json!(42))])),
            ("member".into(), wanted(&[("teams", json!("ops"))])),
            ("nested".into(), wanted(&[("/kubernetes.io/namespace", json!("shop"))])),
            ("everybody".into(), Vec::new()),
        ],
        algorithms: vec!["RS256".into()],
        ca: None,
        jwks: None,
    }
}

#[test]
fn the_operator_is_told_which_conditions_are_unmet() {
    let unmet = unmet(&claims_of(json!({"repository": "acme/shop"})), &github());
    assert!(unmet.contains(&"ci-deploy: ref".to_owned()), "{unmet:?}");
    assert!(
        unmet.contains(&"nested: /kubernetes.io/namespace".to_owned()),
        "{unmet:?}"
    );
}

#[test]
fn a_workload_is_in_the_groups_whose_claims_all_fit() {
    let groups = |claims| workload(&claims_of(claims), &github()).map(|principal| principal.groups);
    assert_eq!(
        groups(json!({"repository": "acme/shop", "ref": "refs/heads/main"})).unwrap(),
        ["ci", "ci-deploy"]
    );
    assert_eq!(
        groups(json!({"repository": "acme/shop", "ref": "refs/heads/mainline"})).unwrap(),
        ["ci"]
    );
    assert_eq!(groups(json!({"teams": ["dev", "ops"]})).unwrap(), ["member"]);
    assert_eq!(
        groups(json!({"kubernetes.io": {"namespace": "shop"}})).unwrap(),
        ["nested"]
    );
    for foreign in [
        json!({"repository": "acme/shop2"}),
        json!({"repository": "ACME/shop"}),
        json!({"repository": "evil/acme/shop"}),
        json!({"repository_id": "42"}),
        json!({"teams": "op"}),
        json!({"teams": [["ops"]]}),
        json!({"/kubernetes.io/namespace": "shop"}),
        json!({}),
    ] {
        assert_eq!(
            groups(foreign.clone()).unwrap_err(),
            ClaimsError::NoGroup {
                identity: "github".into(),
                subject: "1234".into()
            },
            "{foreign}"
        );
    }
}

#[test]
fn a_workload_is_called_by_its_identity_and_subject() {
    let principal = workload(&claims_of(json!({"repository_id": 42})), &github()).unwrap();
    assert_eq!(principal.label, "github:1234");
    assert_eq!(principal.kind, PrincipalKind::Workload);
}
