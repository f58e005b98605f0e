#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use proptest::prelude::*;

use super::super::samples::{ask, decider, person, requirement};
use super::*;

fn user(groups: &[&str]) -> Standing {
    Standing {
        kind: PrincipalKind::User,
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
    }
}

fn standings(people: &[(&str, &[&str])]) -> Standings {
    let mut standings = Standings::default();
    for (login, groups) in people {
        standings.insert((*login).to_owned(), user(groups));
    }
    standings
}

fn record(requirements: &[Requirement], now: OffsetDateTime) -> Record {
    let session = SessionId::random().unwrap();
    Record::new(RequestId::random().unwrap(), ask(&session, requirements), now)
}

const EVERYBODY: &[(&str, &[&str])] = &[
    ("agent-1", &["agents", "dba"]),
    ("agent-2", &["agents", "dba"]),
    ("bo-1", &["dba"]),
    ("bo-2", &["dba"]),
    ("cy-1", &["dba"]),
    ("si-1", &["security"]),
    ("ana-1", &["engineers"]),
];

fn approve(record: &mut Record, name: &str, login: &str, now: OffsetDateTime) -> Result<(), DecideError> {
    record.decide(&decider(name, login), true, None, &standings(EVERYBODY), now)
}

#[test]
fn one_person_is_one_person_over_two_logins() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[requirement("two", &["dba"], 2)], now);
    approve(&mut record, "bo", "bo-1", now).unwrap();
    approve(&mut record, "bo", "bo-2", now).unwrap();
    approve(&mut record, "bo", "bo-2", now).unwrap();
    assert_eq!(record.status, RequestStatus::Pending);
    assert_eq!(record.decisions.len(), 2, "the same approval again is not a new one");
    approve(&mut record, "cy", "cy-1", now).unwrap();
    assert_eq!(record.status, RequestStatus::Approved);
}

#[test]
fn who_asks_never_decides_also_from_another_login() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[requirement("one", &["dba"], 1)], now);
    for login in ["agent-1", "agent-2"] {
        assert_eq!(approve(&mut record, "agent", login, now), Err(DecideError::Own));
    }
    assert!(record.decisions.is_empty());
}

#[test]
fn a_workload_never_decides() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[requirement("one", &["dba"], 1)], now);
    let mut standings = Standings::default();
    standings.insert(
        "job-1".to_owned(),
        Standing {
            kind: PrincipalKind::Workload,
            groups: vec!["dba".to_owned()],
        },
    );
    assert_eq!(
        record.decide(&decider("job", "job-1"), true, None, &standings, now),
        Err(DecideError::Workload)
    );
    assert_eq!(
        record.decide(&decider("job", "job-1"), false, None, &standings, now),
        Err(DecideError::Workload)
    );
    assert_eq!(record.status, RequestStatus::Pending);
}

#[test]
fn every_rule_needs_its_own_people() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(
        &[
            requirement("a", &["dba"], 1),
            requirement("b", &["security", "legal"], 1),
        ],
        now,
    );
    assert_eq!(record.approvers(), ["dba", "security", "legal"]);
    approve(&mut record, "bo", "bo-1", now).unwrap();
    approve(&mut record, "cy", "cy-1", now).unwrap();
    assert_eq!(record.status, RequestStatus::Pending, "two of dba are none of security");
    assert_eq!(
        approve(&mut record, "ana", "ana-1", now),
        Err(DecideError::NotAnApprover)
    );
    approve(&mut record, "si", "si-1", now).unwrap();
    assert_eq!(record.status, RequestStatus::Approved);
}

#[test]
fn without_requirements_nothing_is_ever_approved() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[], now);
    assert_eq!(approve(&mut record, "bo", "bo-1", now), Err(DecideError::NotAnApprover));
    assert_eq!(record.status, RequestStatus::Pending);
}

#[test]
fn a_denial_wins_until_release_and_not_after() {
    let now = OffsetDateTime::now_utc();
    let mut denied = record(&[requirement("one", &["dba"], 1)], now);
    approve(&mut denied, "bo", "bo-1", now).unwrap();
    denied
        .decide(
            &decider("cy", "cy-1"),
            false,
            Some("no".to_owned()),
            &standings(EVERYBODY),
            now,
        )
        .unwrap();
    let outcome = Outcome::Denied {
        by: "cy".to_owned(),
        reason: Some("no".to_owned()),
    };
    assert_eq!(
        denied.release(&[7; 32], &standings(EVERYBODY), now),
        Err(ReleaseError::Ended(outcome.clone()))
    );
    assert_eq!(
        approve(&mut denied, "bo", "bo-1", now),
        Err(DecideError::Over(RequestStatus::Denied, Some(outcome)))
    );

    let mut spent = record(&[requirement("one", &["dba"], 1)], now);
    approve(&mut spent, "bo", "bo-1", now).unwrap();
    spent.release(&[7; 32], &standings(EVERYBODY), now).unwrap();
    let late = spent.decide(&decider("cy", "cy-1"), false, None, &standings(EVERYBODY), now);
    assert_eq!(
        late,
        Err(DecideError::Over(RequestStatus::Spent, Some(Outcome::Approved)))
    );
    assert_eq!(
        spent.release(&[7; 32], &standings(EVERYBODY), now),
        Err(ReleaseError::Spent)
    );
}

#[test]
fn an_approval_counts_only_while_its_giver_may_give_it() {
    let now = OffsetDateTime::now_utc();
    type Logins = &'static [(&'static str, &'static [&'static str])];
    let cases: [(Logins, &str); 3] = [
        (&[("agent-1", &[])], "revoked or not logged in any more"),
        (&[("agent-1", &[]), ("bo-1", &["engineers"])], "in other groups now"),
        (&[("bo-1", &["dba"])], "who asks is not logged in any more"),
    ];
    for (people, why) in cases {
        let mut record = record(&[requirement("one", &["dba"], 1)], now);
        approve(&mut record, "bo", "bo-1", now).unwrap();
        let released = record.release(&[7; 32], &standings(people), now);
        assert!(matches!(released, Err(ReleaseError::Lapsed(_))), "{why}: {released:?}");
        assert_eq!(record.status, RequestStatus::Expired, "{why}");
    }
}

#[test]
fn an_approval_of_somebody_revoked_since_does_not_complete_a_quorum() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[requirement("two", &["dba"], 2)], now);
    approve(&mut record, "bo", "bo-1", now).unwrap();
    let without_bo = standings(&[("agent-1", &[]), ("cy-1", &["dba"])]);
    record
        .decide(&decider("cy", "cy-1"), true, None, &without_bo, now)
        .unwrap();
    assert_eq!(record.status, RequestStatus::Pending);
}

#[test]
fn other_bytes_than_the_approved_ones_are_not_released() {
    let now = OffsetDateTime::now_utc();
    let mut record = record(&[requirement("one", &["dba"], 1)], now);
    approve(&mut record, "bo", "bo-1", now).unwrap();
    assert!(matches!(
        record.release(&[8; 32], &standings(EVERYBODY), now),
        Err(ReleaseError::Lapsed(_))
    ));
    assert!(!record.is_open());
}

#[test]
fn time_ends_it_even_if_no_timer_rang() {
    let now = OffsetDateTime::now_utc();
    let later = now + Duration::from_secs(900);
    let mut undecided = record(&[requirement("one", &["dba"], 1)], now);
    let over = Err(DecideError::Over(RequestStatus::Expired, Some(Outcome::Expired)));
    assert_eq!(approve(&mut undecided, "bo", "bo-1", later), over);
    let mut approved = record(&[requirement("one", &["dba"], 1)], now);
    approve(&mut approved, "bo", "bo-1", now).unwrap();
    assert_eq!(
        approved.release(&[7; 32], &standings(EVERYBODY), later),
        Err(ReleaseError::Ended(Outcome::Expired))
    );
}

#[test]
fn the_json_has_what_an_approver_needs() {
    let now = time::macros::datetime!(2026-11-24 03:40:17 UTC);
    let mut record = record(
        &[requirement("a", &["dba"], 2), requirement("b", &["dba", "security"], 1)],
        now,
    );
    approve(&mut record, "bo", "bo-1", now).unwrap();
    record.cancel(now, "withdrawn by who asked");
    let shown = serde_json::to_value(record.shown()).unwrap();
    assert_eq!(shown["status"], "cancelled");
    assert_eq!(shown["needed"], 2);
    assert_eq!(shown["rules"], serde_json::json!(["a", "b"]));
    assert_eq!(shown["parameters"], serde_json::json!([{"type": "int4", "value": "7"}]));
    assert_eq!(
        shown["decisions"][0],
        serde_json::json!({"by": "bo", "approve": true, "reason": null, "time": "2026-11-24T03:40:17Z"})
    );
    assert_eq!(shown["expires"], "2026-11-24T03:55:17Z");
    let details = shown["details"].as_array().unwrap();
    for expected in [
        ["rule a", "2 of dba"],
        ["ended", "withdrawn by who asked"],
        ["transaction", "none"],
    ] {
        assert!(
            details.contains(&serde_json::json!(expected)),
            "{expected:?} is not in {details:?}"
        );
    }
}

/// What may happen to a request, in any order.
#[derive(Clone, Debug)]
enum Step {
    Decide { who: usize, login: usize, approve: bool },
    Revoke { who: usize, login: usize },
    Regroup { who: usize, group: usize },
    Pass { seconds: i64 },
    Expire,
    Cancel,
    Release,
    Restart,
}

const NAMES: [&str; 4] = ["agent", "bo", "cy", "si"];
const GROUPS: [&str; 3] = ["dba", "security", "engineers"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_usize, 0..2_usize, prop::bool::weighted(0.85)).prop_map(|(who, login, approve)| Step::Decide { who, login, approve }),
        2 => (0..4_usize, 0..2_usize).prop_map(|(who, login)| Step::Revoke { who, login }),
        2 => (0..4_usize, 0..3_usize).prop_map(|(who, group)| Step::Regroup { who, group }),
        1 => (0..600_i64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Expire),
        1 => Just(Step::Cancel),
        4 => Just(Step::Release),
        1 => Just(Step::Restart),
    ]
}

/// Who is logged in how, as the test itself keeps it.
struct World {
    groups: [&'static str; 4],
    revoked: [[bool; 2]; 4],
    now: OffsetDateTime,
}

impl World {
    fn standings(&self) -> Standings {
        let mut standings = Standings::default();
        for (who, name) in NAMES.iter().enumerate() {
            for login in 0..2 {
                if !self.revoked[who][login] {
                    standings.insert(format!("{name}-{}", login + 1), user(&[self.groups[who]]));
                }
            }
        }
        standings
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// The invariants of approvals, against a second count that shares no code with the first.
    #[test]
    fn all_orders_keep_the_invariants(quorum in (1..3_u32, 0..3_u32), steps in prop::collection::vec(step(), 1..24)) {
        let start = OffsetDateTime::now_utc();
        let mut requirements = vec![requirement("a", &["dba"], quorum.0)];
        if quorum.1 > 0 {
            requirements.push(requirement("b", &["security", "dba"], quorum.1));
        }
        let mut record = record(&requirements, start);
        let mut world = World { groups: ["dba", "dba", "dba", "security"], revoked: [[false; 2]; 4], now: start };
        // (who, login) of every approval that was taken, and what ended the request.
        let mut approvals: Vec<(usize, usize)> = Vec::new();
        let (mut spent, mut ended) = (0, false);

        for step in steps {
            let before = record.status;
            match step {
                Step::Decide { who, login, approve } => {
                    let by = decider(NAMES[who], &format!("{}-{}", NAMES[who], login + 1));
                    let taken = record.decide(&by, approve, None, &world.standings(), world.now);
                    if taken.is_ok() {
                        prop_assert_ne!(who, 0, "who asks decided");
                        prop_assert!(!world.revoked[who][login], "a revoked login decided");
                        prop_assert!(!ended, "an ended request took a decision");
                        if approve { approvals.push((who, login)); } else { prop_assert_eq!(record.status, RequestStatus::Denied); }
                    }
                }
                Step::Revoke { who, login } => world.revoked[who][login] = true,
                Step::Regroup { who, group } => world.groups[who] = GROUPS[group],
                Step::Pass { seconds } => world.now += Duration::from_secs(seconds.unsigned_abs()),
                Step::Expire => { record.expire(world.now); }
                Step::Cancel => { record.cancel(world.now, "gone"); }
                Step::Restart => { record.lapse(world.now, "restarted"); }
                Step::Release => {
                    if record.release(&[7; 32], &world.standings(), world.now).is_ok() {
                        spent += 1;
                        prop_assert!(!ended, "released after its end");
                        prop_assert_eq!(before, RequestStatus::Approved);
                        prop_assert!(world.now < record.expires);
                        prop_assert!(!world.revoked[0][0], "released for a revoked login");
                        for (groups, needed) in [(&["dba"][..], quorum.0), (&["security", "dba"][..], quorum.1)] {
                            let people: std::collections::BTreeSet<usize> = approvals
                                .iter()
                                .filter(|(who, login)| !world.revoked[*who][*login] && groups.contains(&world.groups[*who]))
                                .map(|(who, _)| *who)
                                .collect();
                            prop_assert!(people.len() >= needed as usize, "{people:?} of {groups:?} are fewer than {needed}");
                        }
                    }
                }
            }
            ended = ended || matches!(record.status, RequestStatus::Denied | RequestStatus::Expired | RequestStatus::Cancelled | RequestStatus::Spent);
            if ended && !matches!(before, RequestStatus::Pending | RequestStatus::Approved) {
                prop_assert_eq!(before, record.status, "an end is final");
            }
            prop_assert_eq!(record.ended.is_some(), !record.is_open());
            prop_assert!(spent <= 1);
            prop_assert_eq!(spent == 1, record.status == RequestStatus::Spent);
        }
    }
}

#[test]
fn the_label_does_not_make_a_person() {
    let mut renamed = person("bo");
    renamed.label = "robert".to_owned();
    assert_eq!(renamed, person("bo"));
    let mut other = person("bo");
    other.issuer = "https://other.example".to_owned();
    assert_ne!(other, person("bo"));
}
