use proptest::prelude::*;

use super::*;

fn permit_when(condition: &str) -> String {
    format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};")
}

#[test]
fn deep_and_long_expressions_are_refused_and_never_overflow_the_stack() {
    let many = 200_000;
    for condition in [
        format!("{}true{}", "(".repeat(many), ")".repeat(many)),
        format!("{}true", "!".repeat(many)),
        format!("{}1 == 1", "-".repeat(many)),
        format!("{}1{} == [1]", "[".repeat(many), "]".repeat(many)),
        format!("{}1{} == {{}}", "{a:".repeat(many), "}".repeat(many)),
        format!("true{}", " && true".repeat(many)),
        format!("true{}", " || true".repeat(many)),
        format!("1{} == 1", " + 1".repeat(many)),
        format!("context{}", ".a".repeat(many)),
        format!("{}true", "if true then true else ".repeat(many)),
        "(".repeat(many),
    ] {
        let text = permit_when(&condition);
        assert!(parse(&text).is_err(), "{}", &text[..80]);
    }
}

#[test]
fn what_stays_under_the_limits_is_evaluated_or_refused_on_a_small_stack() {
    let deep = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            for condition in [
                format!("{}true{}", "(".repeat(50), ")".repeat(50)),
                format!("true{}", " && true".repeat(900)),
                format!("1{} == 901", " + 1".repeat(900)),
                format!("{}true", "if true then true else ".repeat(900)),
            ] {
                if let Ok(policies) = parse(&permit_when(&condition)) {
                    let verdict = judge(&policies, &[on(SqlAction::Select, "t")]);
                    // An answer or an error, but always an answer.
                    assert!(matches!(verdict.as_str(), "allow" | "block"));
                }
            }
        })
        .unwrap();
    deep.join().unwrap();
}

#[test]
fn odd_names_are_only_names() {
    let policies = policies(
        r#"@id("a") permit (principal == Hoop::User::"ana", action, resource in Hoop::Table::"db-prod/public.t");"#,
    );
    let long = "x".repeat(1 << 20);
    let odd = [
        "",
        "\0",
        "\"",
        "ana\" ",
        "ana\\\"",
        "\u{202e}ana",
        "Hoop::User::\"ana\"",
        long.as_str(),
    ];
    for label in odd {
        let who = Principal::user(label, ["", "\"", "x\0"]);
        assert_eq!(
            policies
                .judge(
                    &who,
                    &prod(),
                    &[on(SqlAction::Select, "t")],
                    &Facts::default(),
                    &around()
                )
                .as_str(),
            "block"
        );
    }
    let ana = Principal::user("ana", [""; 0]);
    for name in odd {
        assert_eq!(
            policies
                .judge(
                    &ana,
                    &prod(),
                    &[on(SqlAction::Select, name)],
                    &Facts::default(),
                    &around()
                )
                .as_str(),
            "block"
        );
    }
    // A table whose name spells out a column of another, or a schema with a dot in it.
    let spelled = [
        Resource::Table("public".into(), "t.a".into()),
        Resource::Table("public.t".into(), "a".into()),
        Resource::Column("public.t".into(), "a".into(), "b".into()),
        Resource::Table("x/public".into(), "t".into()),
    ];
    for resource in spelled {
        let effect = [Effect::new(SqlAction::Select, resource)];
        assert_eq!(
            policies
                .judge(&ana, &prod(), &effect, &Facts::default(), &around())
                .as_str(),
            "block",
            "{effect:?}"
        );
    }
}

#[test]
fn a_connection_is_not_taken_for_one_whose_name_it_begins_with() {
    let policies = policies(r#"@id("a") permit (principal, action, resource in Hoop::Schema::"db/public");"#);
    let select = [on(SqlAction::Select, "t")];
    let ask = |name: &str| policies.judge(&agent(), &connection(name, &[]), &select, &Facts::default(), &around());
    assert_eq!(ask("db").as_str(), "allow");
    assert_eq!(ask("db-prod").as_str(), "block");
    assert_eq!(ask("d").as_str(), "block");
}

#[test]
fn kept_answers_stay_small_whatever_is_asked() {
    let policies = policies(&permit_when(r#"context has reason && context.reason like "*""#));
    for number in 0..3_000_usize {
        let reason = format!("{number}{}", "x".repeat(1_000));
        let around = Circumstances {
            reason: Some(&reason),
            ..around()
        };
        let verdict = policies.judge(
            &agent(),
            &prod(),
            &[on(SqlAction::Select, "t")],
            &Facts::default(),
            &around,
        );
        assert_eq!(verdict.as_str(), "allow");
    }
    for number in 0..600 {
        let who = Principal::user(format!("u{number}"), ["agents"]);
        let _ = policies.judge_connect(&who, &prod(), &around());
    }
    assert!(policies.subjects.len() <= 256);
    assert!(policies.subjects.get((&agent()).into(), &prod()).kept_bytes() <= 256 << 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_loading_panic(text in "([a-z@(){}\";:.&|!=?\\n \\\\]|permit|forbid|principal|action|resource|when|Hoop::|context){0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_bytes_make_loading_panic(text in "\\PC{0,100}") {
        let _ = parse(&text);
    }
}
