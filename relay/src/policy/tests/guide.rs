//! The guide's examples are read, and do what it says.

use super::*;

const GUIDE: &str = include_str!("../../../docs/policies.md");

/// The text of every example of a language.
fn examples(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = GUIDE.split(&fence).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

fn guide() -> Policies {
    policies(&examples("cedar").join("\n"))
}

fn ask(groups: &[&str], effect: Effect) -> Verdict {
    let who = Principal::user("x", groups.iter().copied());
    guide().judge(&who, &prod(), &[effect], &Facts::default(), &around())
}

#[test]
fn all_examples_together_are_valid_without_a_warning() {
    assert!(examples("cedar").len() >= 7);
    assert_eq!(guide().warnings(), []);
    for example in examples("cedar") {
        assert_eq!(policies(&example).warnings(), [], "{example}");
    }
}

#[test]
fn the_cases_of_the_guide_are_valid() {
    for example in examples("toml") {
        assert!(crate::config::cases::parse(Source::new("cases.toml", example)).is_ok());
    }
}

#[test]
fn agents_connect_and_read() {
    let agent = agent();
    assert_eq!(
        guide().judge_connect(&agent, &prod(), &around()).rules(),
        ["agents-connect"]
    );
    assert_eq!(
        ask(&["agents"], on(SqlAction::Select, "t")).rules(),
        ["agents-read-prod"]
    );
    assert_eq!(ask(&["agents"], on(SqlAction::Drop, "t")).as_str(), "block");
}

#[test]
fn the_ledger_needs_a_dba_and_two_people() {
    let Verdict::RequireApproval { requirements, .. } = ask(&["agents"], on(SqlAction::Insert, "ledger")) else {
        panic!("not held")
    };
    let needed: Vec<_> = requirements
        .iter()
        .map(|needed| (needed.rule.as_str(), needed.approvals, needed.ttl.as_secs()))
        .collect();
    assert_eq!(
        needed,
        [("prod-writes-need-a-dba", 1, 1800), ("ledger-needs-two", 2, 900)]
    );
}

#[test]
fn salaries_are_for_people_operations() {
    let column = |groups: &[&str]| {
        ask(
            groups,
            Effect::new(
                SqlAction::Select,
                Resource::Column("public".into(), "staff".into(), "salary".into()),
            ),
        )
    };
    assert_eq!(column(&["agents"]).rules(), ["no-salaries"]);
    assert_eq!(column(&["agents", "people"]).as_str(), "allow");
}

#[test]
fn a_session_by_night_needs_people_and_a_ticket() {
    let engineer = Principal::user("x", ["engineers"]);
    let at = |hour: u64, reason| {
        let around = Circumstances {
            reason,
            now: UNIX_EPOCH + Duration::from_secs(hour * 3600),
            ..around()
        };
        guide().judge_connect(&engineer, &prod(), &around).as_str()
    };
    assert_eq!(at(2, Some("INC-1")), "approval");
    assert_eq!(at(2, Some("because")), "block");
    assert_eq!(at(2, None), "block");
    assert_eq!(at(12, Some("INC-1")), "block");
}

#[test]
fn conditions_open_just_what_they_say() {
    let update = |by_key| {
        ask(
            &["engineers"],
            Effect {
                by_key,
                ..on(SqlAction::Update, "t")
            },
        )
    };
    assert_eq!((update(true).as_str(), update(false).as_str()), ("allow", "block"));
    let set = |value: &str| {
        ask(
            &["engineers"],
            Effect {
                setting: Some("work_mem".into()),
                value: Some(value.into()),
                ..Effect::new(SqlAction::Configure, Resource::Connection)
            },
        )
    };
    assert_eq!((set("64MB").as_str(), set("1TB").as_str()), ("allow", "block"));
    let call = |kind| {
        ask(
            &["engineers"],
            Effect {
                call_kind: Some(kind),
                ..Effect::new(
                    SqlAction::Call,
                    Resource::Function("public".into(), "f".into(), "".into()),
                )
            },
        )
    };
    assert_eq!(
        (call(CallKind::Trigger).as_str(), call(CallKind::Function).as_str()),
        ("allow", "block")
    );
}

#[test]
fn every_action_and_attribute_is_in_the_guide() {
    for action in SqlAction::ALL {
        assert!(
            GUIDE.contains(&format!("`{action}`", action = Action::Sql(*action))),
            "{action:?}"
        );
    }
    for attribute in attribute::Attribute::ALL {
        assert!(GUIDE.contains(&format!("`{}`", attribute.as_str())), "{attribute:?}");
    }
}
