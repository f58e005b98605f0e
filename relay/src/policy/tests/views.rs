//! `decide`, `connect`, `permits` and `asks`: what others see of an answer.

use std::rc::Rc;

use hoop_shared::api::PrincipalKind;
use hoop_shared::id::SessionId;

use super::*;
use crate::authn::Identity;
use crate::session::Grant;

#[derive(Debug)]
struct Operation {
    effects: Vec<Effect>,
    facts: Facts,
    standing: Rc<Standing>,
}

impl Judged for Operation {
    fn effects(&self) -> &[Effect] {
        &self.effects
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn standing(&self) -> Option<&Standing> {
        Some(&self.standing)
    }
}

fn operation(action: SqlAction) -> Operation {
    Operation {
        effects: vec![on(action, "t")],
        facts: Facts::default(),
        standing: Rc::default(),
    }
}

const POLICIES: &str = r#"
    @id("connect") permit (principal in Hoop::Group::"agents", action == Hoop::Action::"connect", resource in Hoop::Tag::"env:prod");
    @id("read") permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:read", resource in Hoop::Tag::"env:prod");
    @id("write") @approvers("dba") permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:write", resource);
    @id("no-drop") @message("ask for a window") forbid (principal, action in Hoop::Action::"sql:ddl", resource);
    @id("unmask-email") permit (principal in Hoop::Group::"agents", action == Hoop::Action::"unmask",
        resource == Hoop::Column::"db-prod/public.customers.email");
    @id("unmask-asked") @approvers("dba") permit (principal, action == Hoop::Action::"unmask",
        resource == Hoop::Column::"db-prod/public.customers.ssn");
    @id("replay") permit (principal in Hoop::Group::"auditors", action == Hoop::Action::"replay", resource);
"#;

fn grant() -> Grant {
    let identity = Arc::new(Identity::sample("agent", PrincipalKind::User, &["agents"]));
    Grant::sample(identity, prod())
}

#[test]
fn an_allowed_operation_comes_back_only_in_its_own_session_and_once() {
    let (policies, grant) = (policies(POLICIES), grant());
    let Decision::Allow(permit) = policies.decide(&grant, operation(SqlAction::Select)) else {
        panic!("not allowed")
    };
    assert_eq!(**permit.rules(), ["read"]);
    assert!(permit.spend(&SessionId::random().unwrap()).is_none());
    let Decision::Allow(permit) = policies.decide(&grant, operation(SqlAction::Select)) else {
        panic!("not allowed")
    };
    assert!(permit.spend(grant.session()).is_some());
}

/// Whether an answer is kept for the next operation with the same effects.
fn stands(policies: &Policies, grant: &Grant, effect: Effect) -> bool {
    let standing = Rc::<Standing>::default();
    let operation = Operation {
        effects: vec![effect],
        facts: Facts::default(),
        standing: standing.clone(),
    };
    let decision = policies.decide(grant, operation);
    let stands = standing.rules(policies.number, grant.session());
    if let Decision::Allow(permit) = decision {
        assert!(stands.as_ref().is_none_or(|rules| rules == permit.rules()));
    } else {
        assert!(stands.is_none());
    }
    stands.is_some()
}

#[test]
fn what_is_allowed_stands_only_where_nothing_but_its_effects_was_looked_at() {
    let grant = grant();
    let connect = r#"@id("connect") permit (principal, action == Hoop::Action::"connect", resource);"#;
    let read = |condition: &str| {
        policies(&format!(
            r#"{connect} @id("read") permit (principal, action in Hoop::Action::"sql:read", resource) {condition};"#
        ))
    };
    let select = || on(SqlAction::Select, "t");
    for condition in [
        "",
        "when { !context.by_key }",
        "when { !context.tables.contains(\"public.s\") }",
    ] {
        assert!(stands(&read(condition), &grant, select()), "{condition}");
    }
    for condition in [
        "when { context.hour < 24 }",
        "when { !context.in_transaction }",
        "unless { context.statement like \"*x*\" }",
        "unless { context has estimated_rows && context.estimated_rows > 5 }",
        "unless { context has reason && context.reason == \"x\" }",
        "unless { context.source_ip.isLoopback() && context.hour > 30 }",
    ] {
        assert!(!stands(&read(condition), &grant, select()), "{condition}");
    }
    // What comes with connecting rests on that.
    let begin = || on(SqlAction::Transaction, "t");
    assert!(stands(&read(""), &grant, begin()));
    let by_day = policies(
        r#"@id("connect") permit (principal, action == Hoop::Action::"connect", resource) when { context.hour < 24 };"#,
    );
    assert!(!stands(&by_day, &grant, begin()));
    // What is refused or held does not.
    let policies = policies(POLICIES);
    assert!(!stands(&policies, &grant, on(SqlAction::Drop, "t")));
    assert!(!stands(&policies, &grant, on(SqlAction::Insert, "t")));
}

#[test]
fn what_stood_falls_with_its_policies_and_its_session() {
    let (policies, grant) = (policies(POLICIES), grant());
    let standing = Rc::<Standing>::default();
    let read = |policies: &Policies, grant: &Grant| {
        let operation = Operation {
            standing: standing.clone(),
            ..operation(SqlAction::Select)
        };
        matches!(policies.decide(grant, operation), Decision::Allow(_))
    };
    assert!(read(&policies, &grant));
    assert!(standing.rules(policies.number, grant.session()).is_some());
    assert!(standing.rules(policies.number, &SessionId::random().unwrap()).is_none());
    let none = super::policies("");
    assert!(!read(&none, &grant));
}

#[test]
fn a_blocked_operation_says_which_rule_and_what_to_do() {
    let Decision::Block(blocked) = policies(POLICIES).decide(&grant(), operation(SqlAction::Drop)) else {
        panic!("not blocked")
    };
    assert_eq!(blocked.rules, ["no-drop"]);
    assert_eq!(blocked.message.as_deref(), Some("ask for a window"));
    assert_eq!((blocked.reason, blocked.effect), (Reason::Forbidden, Some(0)));
}

#[test]
fn a_held_operation_names_who_may_decide() {
    let Decision::RequireApproval(review) = policies(POLICIES).decide(&grant(), operation(SqlAction::Insert)) else {
        panic!("not held")
    };
    assert_eq!(review.requirements[0].approvers, ["dba"]);
    assert_eq!(review.ttl(), TTL);
}

#[test]
fn an_admission_is_for_its_login_and_connection_only() {
    let policies = policies(POLICIES);
    let identity = Identity::sample("agent", PrincipalKind::User, &["agents"]);
    let source = IpAddr::from([127, 0, 0, 1]);
    let ConnectDecision::Allow(admission) = policies.connect(&identity, &prod(), None, source) else {
        panic!("not allowed")
    };
    assert!(admission.covers(identity.login(), "db-prod"));
    assert!(!admission.covers(identity.login(), "db-test"));
    assert!(!admission.covers("another", "db-prod"));
    let stranger = Identity::sample("x", PrincipalKind::User, &[]);
    let ConnectDecision::Block(blocked) = policies.connect(&stranger, &prod(), None, source) else {
        panic!("not blocked")
    };
    assert_eq!((blocked.reason, blocked.rules), (Reason::NotPermitted, vec![]));
}

#[test]
fn a_value_is_shown_only_where_a_plain_permit_says_so() {
    let (policies, grant) = (policies(POLICIES), grant());
    let column = |name: &str| Resource::Column("public".into(), "customers".into(), name.into());
    assert!(policies.permits(&grant, Action::Unmask, &column("email")));
    assert!(
        !policies.permits(&grant, Action::Unmask, &column("ssn")),
        "an approval that nobody gave"
    );
    assert!(!policies.permits(&grant, Action::Unmask, &column("name")));
    assert!(!policies.permits(&grant, Action::Replay, &Resource::Connection));
    let auditor = Principal::user("eve", ["auditors"]);
    assert!(policies.permits_to(&auditor, &prod(), Action::Replay, &Resource::Connection, &around()));
    assert!(!policies.permits_to(&auditor, &prod(), Action::Export, &Resource::Connection, &around()));
}

#[test]
fn asks_says_in_words_what_policy_will_want() {
    let asks = |text: &str| policies(text).asks(&agent(), &prod(), &around());
    assert_eq!(
        asks(POLICIES),
        [
            "read: allow",
            "write: approval by dba",
            "ddl: block",
            "admin: block",
            "call: block",
            "unmask: depends (allow where unmask-email, else block)"
        ]
    );
    assert_eq!(
        policies(POLICIES).asks(&Principal::user("x", [""; 0]), &prod(), &around())[..2],
        ["connect: block", "read: block"]
    );
    let text = r#"
        @id("c") @approvers("oncall, dba") permit (principal, action == Hoop::Action::"connect", resource);
        @id("r") permit (principal, action in Hoop::Action::"sql:read", resource in Hoop::Schema::"db-prod/public");
        @id("w") permit (principal, action in Hoop::Action::"sql:write", resource);
        @id("n") forbid (principal, action == Hoop::Action::"sql:delete", resource) when { context.unbounded };
        @id("d") permit (principal, action == Hoop::Action::"sql:create", resource);
    "#;
    assert_eq!(
        asks(text),
        [
            "connect: approval by dba, oncall",
            "read: depends (allow where r, else block)",
            "write (insert, update, merge, truncate, copy_in): allow",
            "write (delete): depends (block where n, else allow)",
            "ddl (create): allow",
            "ddl (alter, drop, comment): block",
            "admin: block",
            "call: block"
        ]
    );
}

#[test]
fn asks_evaluates_what_no_statement_can_change() {
    let text = r#"
        @id("c") permit (principal, action == Hoop::Action::"connect", resource)
            when { principal in Hoop::Group::"agents" && context.hour < 20 };
        @id("r") permit (principal, action in Hoop::Action::"sql:read", resource in Hoop::Tag::"env:prod")
            when { context.source_ip.isInRange(ip("10.0.0.0/8")) };
        @id("night") forbid (principal, action in Hoop::Action::"sql:write", resource) when { context.hour >= 20 };
        @id("w") @approvers("dba") @approvals("2") permit (principal, action in Hoop::Action::"sql:write", resource)
            unless { principal in Hoop::Group::"dba" };
        @id("money") @approvers("finance") permit (principal, action == Hoop::Action::"sql:insert", resource)
            when { context has reason && context.reason like "INC-*" };
        @id("no-orders") forbid (principal, action == Hoop::Action::"sql:update", resource)
            when { resource in Hoop::Table::"db-prod/public.orders" };
        @id("key") permit (principal, action == Hoop::Action::"sql:alter", resource) when { context.statement like "*x*" };
    "#;
    let policies = policies(text);
    assert_eq!(
        policies.asks(&agent(), &prod(), &around()),
        [
            "connect: allow now",
            "read: allow now",
            "write (insert): depends (approval by finance where money, else approval by 2 of dba) now",
            "write (update): depends (block where no-orders, else approval by 2 of dba) now",
            "write (delete, merge, truncate, copy_in): approval by 2 of dba now",
            "ddl (create, drop, comment): block",
            "ddl (alter): depends (allow where key, else block)",
            "admin: block",
            "call: block"
        ]
    );
    let night = Circumstances {
        source: IpAddr::from([192, 0, 2, 1]),
        now: UNIX_EPOCH + Duration::from_secs(21 * 3600),
        ..around()
    };
    assert_eq!(
        policies.asks(&agent(), &prod(), &night)[..3],
        ["connect: block now", "read: block now", "write: block now"],
        "what is forbidden for sure depends on nothing else"
    );
}

#[test]
fn asks_never_promises_more_than_a_statement_gets() {
    // Every text that says `allow` or `approval` without `depends` holds for statements of that kind on any table, by the deciding
    // function itself.
    for text in [POLICIES, include_str!("../../../demo/policy.cedar")] {
        let policies = policies(text);
        let demo = connection("db-demo", &["env:demo"]);
        for (connection, who) in [(prod(), agent()), (demo, Principal::user("ana", ["engineers"]))] {
            let asks = policies.asks(&who, &connection, &around());
            for sql in SqlAction::ALL {
                let name = sql.as_str().trim_start_matches("sql:");
                let group = sql.group().trim_start_matches("sql:");
                let said = asks.iter().filter_map(|ask| ask.split_once(": ")).find(|(what, _)| {
                    what.split_once(" (").map_or(*what == group, |(word, names)| {
                        word == group && names.trim_end_matches(')').split(", ").any(|one| one == name)
                    })
                });
                let Some((_, said)) = said else { continue };
                let effect = Effect::new(*sql, table("anything"));
                let verdict = policies.judge(&who, &connection, &[effect], &Facts::default(), &around());
                if *sql != SqlAction::Replication && !said.starts_with("depends") {
                    assert_eq!(said.split(' ').next(), Some(verdict.as_str()), "{name} in {asks:?}");
                }
            }
        }
    }
}
