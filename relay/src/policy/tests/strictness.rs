use super::*;

const EXAMPLE: &str = r#"
    @id("agents-connect")
    permit (principal in Hoop::Group::"agents", action == Hoop::Action::"connect", resource in Hoop::Tag::"env:prod");
    @id("agents-read-prod")
    permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:read", resource in Hoop::Tag::"env:prod");
    @id("prod-writes-need-a-dba")
    @approvers("dba")
    @approvals("1")
    @ttl("15m")
    permit (principal in Hoop::Group::"agents", action in Hoop::Action::"sql:write", resource in Hoop::Tag::"env:prod");
    @id("no-unbounded-writes")
    @message("add a WHERE clause that limits the rows")
    forbid (principal, action in [Hoop::Action::"sql:update", Hoop::Action::"sql:delete"], resource)
    when { context.unbounded };
"#;

fn blocked(verdict: &Verdict) -> (Reason, Vec<String>, Option<usize>) {
    match verdict {
        Verdict::Block {
            reason, rules, effect, ..
        } => (*reason, rules.clone(), *effect),
        other => panic!("not blocked: {other:?}"),
    }
}

#[test]
fn the_documented_example_does_what_it_says() {
    let policies = policies(EXAMPLE);
    assert_eq!(
        judge(&policies, &[on(SqlAction::Select, "t")]).rules(),
        ["agents-read-prod"]
    );
    let Verdict::RequireApproval { rules, requirements } = judge(&policies, &[on(SqlAction::Delete, "t")]) else {
        panic!("a delete passes")
    };
    assert_eq!(rules, ["prod-writes-need-a-dba"]);
    let expected = Requirement {
        rule: "prod-writes-need-a-dba".to_owned(),
        approvers: vec!["dba".to_owned()],
        approvals: 1,
        ttl: Duration::from_secs(900),
    };
    assert_eq!(requirements, [expected]);
    let unbounded = Effect {
        unbounded: true,
        ..on(SqlAction::Delete, "t")
    };
    let Verdict::Block { rules, message, .. } = judge(&policies, &[unbounded]) else {
        panic!("not blocked")
    };
    assert_eq!(rules, ["no-unbounded-writes"]);
    assert_eq!(message.as_deref(), Some("add a WHERE clause that limits the rows"));
    assert_eq!(
        blocked(&judge(&policies, &[on(SqlAction::Drop, "t")])).0,
        Reason::NotPermitted
    );
}

#[test]
fn nothing_is_permitted_without_a_policy() {
    let policies = policies("");
    assert!(policies.is_empty());
    for action in SqlAction::ALL {
        assert_eq!(judge(&policies, &[on(*action, "t")]).as_str(), "block", "{action:?}");
    }
    assert_eq!(judge(&policies, &[]).as_str(), "block");
    assert_eq!(policies.judge_connect(&agent(), &prod(), &around()).as_str(), "block");
}

#[test]
fn another_principal_or_connection_is_not_meant() {
    let policies = policies(EXAMPLE);
    let select = [on(SqlAction::Select, "t")];
    let ask = |who: &Principal, connection: &Connection| {
        policies.judge(who, connection, &select, &Facts::default(), &around())
    };
    assert_eq!(ask(&agent(), &prod()).as_str(), "allow");
    assert_eq!(ask(&Principal::user("agent", ["agentss"]), &prod()).as_str(), "block");
    assert_eq!(ask(&Principal::user("agents", [""; 0]), &prod()).as_str(), "block");
    assert_eq!(ask(&agent(), &connection("db-prod", &["env:test"])).as_str(), "block");
    assert_eq!(ask(&agent(), &connection("db-prod", &[])).as_str(), "block");
    assert_eq!(ask(&agent(), &connection("other", &["env:prod"])).as_str(), "allow");
}

#[test]
fn a_user_and_a_workload_of_one_name_are_two() {
    let policies =
        policies(r#"@id("a") permit (principal == Hoop::User::"x", action in Hoop::Action::"sql:read", resource);"#);
    let select = [on(SqlAction::Select, "t")];
    let mut who = Principal::user("x", [""; 0]);
    assert_eq!(
        policies
            .judge(&who, &prod(), &select, &Facts::default(), &around())
            .as_str(),
        "allow"
    );
    who.kind = hoop_shared::api::PrincipalKind::Workload;
    assert_eq!(
        policies
            .judge(&who, &prod(), &select, &Facts::default(), &around())
            .as_str(),
        "block"
    );
}

#[test]
fn the_strictest_answer_of_all_effects_holds_in_every_order() {
    let policies = policies(EXAMPLE);
    let (read, write, drop) = (
        on(SqlAction::Select, "t"),
        on(SqlAction::Insert, "t"),
        on(SqlAction::Drop, "t"),
    );
    let cases: [(&[&Effect], &str); 7] = [
        (&[&read], "allow"),
        (&[&read, &read], "allow"),
        (&[&read, &write], "approval"),
        (&[&write, &read], "approval"),
        (&[&read, &write, &drop], "block"),
        (&[&drop, &write, &read], "block"),
        (&[&write, &drop], "block"),
    ];
    for (effects, expected) in cases {
        let effects: Vec<_> = effects.iter().map(|effect| (*effect).clone()).collect();
        assert_eq!(judge(&policies, &effects).as_str(), expected, "{effects:?}");
    }
}

#[test]
fn of_several_blocks_that_of_a_forbid_is_named() {
    let policies = policies(EXAMPLE);
    let unbounded = Effect {
        unbounded: true,
        ..on(SqlAction::Update, "t")
    };
    let effects = [on(SqlAction::Drop, "t"), unbounded, on(SqlAction::Create, "t")];
    assert_eq!(
        blocked(&judge(&policies, &effects)),
        (Reason::Forbidden, vec!["no-unbounded-writes".to_owned()], Some(1))
    );
    let effects = [
        on(SqlAction::Select, "t"),
        on(SqlAction::Drop, "t"),
        on(SqlAction::Create, "t"),
    ];
    assert_eq!(
        blocked(&judge(&policies, &effects)),
        (Reason::NotPermitted, vec![], Some(1))
    );
}

#[test]
fn a_plain_permit_does_not_soften_one_that_asks_for_people() {
    let policies = policies(
        r#"
        @id("plain") permit (principal, action, resource);
        @id("ask") @approvers("dba") permit (principal, action == Hoop::Action::"sql:delete", resource);
        @id("plain-too") permit (principal, action == Hoop::Action::"sql:delete", resource);
        "#,
    );
    let Verdict::RequireApproval { rules, requirements } = judge(&policies, &[on(SqlAction::Delete, "t")]) else {
        panic!("softened")
    };
    assert_eq!(rules, ["plain", "ask", "plain-too"]);
    assert_eq!(requirements.len(), 1);
    assert_eq!(judge(&policies, &[on(SqlAction::Insert, "t")]).as_str(), "allow");
}

#[test]
fn every_matching_rule_that_asks_for_people_is_a_requirement_once() {
    let policies = policies(
        r#"
        @id("b") @approvers("dba, oncall,dba") @ttl("1h") permit (principal, action in Hoop::Action::"sql:write", resource);
        @id("a") @approvers("owners") @approvals("2") permit (principal, action, resource in Hoop::Table::"db-prod/public.t");
        @id("c") @approvers("nobody") permit (principal, action, resource in Hoop::Table::"db-prod/public.other");
        "#,
    );
    let effects = [
        on(SqlAction::Delete, "t"),
        on(SqlAction::Insert, "t"),
        on(SqlAction::Delete, "u"),
    ];
    let Verdict::RequireApproval { requirements, .. } = judge(&policies, &effects) else {
        panic!("not held")
    };
    let shown: Vec<_> = requirements
        .iter()
        .map(|r| (r.rule.as_str(), r.approvers.join(","), r.approvals, r.ttl.as_secs()))
        .collect();
    assert_eq!(
        shown,
        [
            ("b", "dba,oncall".to_owned(), 1, 3600),
            ("a", "owners".to_owned(), 2, 900)
        ]
    );
}

#[test]
fn forbid_wins_over_every_permit_and_approval() {
    let policies = policies(
        r#"
        @id("ask") @approvers("dba") permit (principal, action, resource);
        @id("all") permit (principal, action, resource);
        @id("never") forbid (principal, action == Hoop::Action::"sql:drop", resource);
        "#,
    );
    assert_eq!(
        blocked(&judge(&policies, &[on(SqlAction::Drop, "t")])),
        (Reason::Forbidden, vec!["never".to_owned()], Some(0))
    );
}

#[test]
fn a_policy_that_does_not_evaluate_blocks_even_where_a_permit_matches() {
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("sum") forbid (principal, action == Hoop::Action::"sql:delete", resource)
            when { context has estimated_rows && context.estimated_rows * 4 > 100 };
        "#;
    let policies = policies(text);
    let ask = |rows| {
        let facts = Facts {
            estimated_rows: rows,
            ..Facts::default()
        };
        policies.judge(&agent(), &prod(), &[on(SqlAction::Delete, "t")], &facts, &around())
    };
    assert_eq!(ask(None).as_str(), "allow");
    assert_eq!(ask(Some(1)).as_str(), "allow");
    assert_eq!(blocked(&ask(Some(26))).0, Reason::Forbidden);
    assert_eq!(
        blocked(&ask(Some(i64::MAX))),
        (Reason::PolicyError, vec!["sum".to_owned()], Some(0))
    );
}

#[test]
fn what_drivers_do_comes_with_connect_unless_a_forbid_matches() {
    let policies = policies(
        r#"
        @id("connect") permit (principal, action == Hoop::Action::"connect", resource == Hoop::Connection::"db-prod");
        @id("no-prepare") forbid (principal, action == Hoop::Action::"sql:prepare", resource);
        @id("ask-cursor") @approvers("dba") permit (principal, action == Hoop::Action::"sql:cursor", resource);
        "#,
    );
    for action in [SqlAction::Catalog, SqlAction::Transaction, SqlAction::Set] {
        assert_eq!(judge(&policies, &[on(action, "t")]).as_str(), "allow", "{action:?}");
    }
    assert_eq!(judge(&policies, &[]).as_str(), "allow");
    assert_eq!(judge(&policies, &[on(SqlAction::Prepare, "t")]).rules(), ["no-prepare"]);
    assert_eq!(judge(&policies, &[on(SqlAction::Cursor, "t")]).as_str(), "approval");
    for action in [
        SqlAction::Select,
        SqlAction::Show,
        SqlAction::Listen,
        SqlAction::Configure,
        SqlAction::Unknown,
    ] {
        assert_eq!(judge(&policies, &[on(action, "t")]).as_str(), "block", "{action:?}");
    }
    let elsewhere = connection("db-test", &[]);
    let begin = [Effect::new(SqlAction::Transaction, Resource::Connection)];
    assert_eq!(
        policies
            .judge(&agent(), &elsewhere, &begin, &Facts::default(), &around())
            .as_str(),
        "block"
    );
}

#[test]
fn a_session_that_people_approved_has_what_comes_with_connect() {
    let policies =
        policies(r#"@id("c") @approvers("dba") permit (principal, action == Hoop::Action::"connect", resource);"#);
    assert_eq!(
        policies.judge_connect(&agent(), &prod(), &around()).as_str(),
        "approval"
    );
    assert_eq!(judge(&policies, &[on(SqlAction::Transaction, "t")]).as_str(), "allow");
}

#[test]
fn replication_and_pinned_settings_are_refused_whatever_policies_say() {
    let policies = policies(r#"@id("all") permit (principal, action, resource);"#);
    assert_eq!(judge(&policies, &[on(SqlAction::Replication, "t")]).as_str(), "block");
    let set = |action, setting: &str| Effect {
        setting: Some(setting.into()),
        ..Effect::new(action, Resource::Connection)
    };
    assert_eq!(
        judge(&policies, &[set(SqlAction::Configure, "standard_conforming_strings")]).as_str(),
        "block"
    );
    assert_eq!(
        judge(&policies, &[set(SqlAction::Configure, "client_encoding")]).as_str(),
        "block"
    );
    assert_eq!(
        judge(&policies, &[set(SqlAction::Configure, "work_mem")]).as_str(),
        "allow"
    );
    assert_eq!(
        judge(&policies, &[set(SqlAction::Set, "client_encoding")]).as_str(),
        "allow"
    );
}

#[test]
fn each_resource_stands_in_what_contains_it() {
    let policies = policies(
        r#"
        @id("column") permit (principal, action, resource == Hoop::Column::"db-prod/public.t.a");
        @id("table") permit (principal, action, resource in Hoop::Table::"db-prod/public.u");
        @id("schema") permit (principal, action, resource in Hoop::Schema::"db-prod/sales");
        @id("function") permit (principal, action == Hoop::Action::"sql:call", resource == Hoop::Function::"db-prod/public.f(integer)");
        "#,
    );
    let column = |schema: &str, table: &str, column: &str| Resource::Column(schema.into(), table.into(), column.into());
    let ask = |action, resource| judge(&policies, &[Effect::new(action, resource)]).rules().to_vec();
    assert_eq!(ask(SqlAction::Select, column("public", "t", "a")), ["column"]);
    assert_eq!(ask(SqlAction::Select, column("public", "t", "b")), [""; 0]);
    assert_eq!(ask(SqlAction::Select, table("t")), [""; 0]);
    assert_eq!(ask(SqlAction::Select, column("public", "u", "x")), ["table"]);
    assert_eq!(ask(SqlAction::Select, table("u")), ["table"]);
    assert_eq!(ask(SqlAction::Select, column("sales", "t", "a")), ["schema"]);
    assert_eq!(ask(SqlAction::Create, Resource::Schema("sales".into())), ["schema"]);
    assert_eq!(
        ask(
            SqlAction::Call,
            Resource::Function("sales".into(), "g".into(), "".into())
        ),
        ["schema"]
    );
    assert_eq!(
        ask(
            SqlAction::Call,
            Resource::Function("public".into(), "f".into(), "integer".into())
        ),
        ["function"]
    );
    assert_eq!(
        ask(
            SqlAction::Call,
            Resource::Function("public".into(), "f".into(), "text".into())
        ),
        [""; 0]
    );
}

#[test]
fn the_context_is_what_the_effect_and_the_circumstances_say() {
    let permit = |condition: &str| {
        policies(&format!(
            r#"@id("p") permit (principal, action, resource) when {{ {condition} }};"#
        ))
    };
    let effect = Effect {
        by_key: true,
        ..on(SqlAction::Update, "t")
    };
    let facts = Facts {
        statement: "UPDATE t SET a = 1".into(),
        tables: ["public.t".to_owned()].into(),
        functions: ["public.f(integer)".to_owned()].into(),
        in_transaction: true,
        estimated_rows: Some(7),
    };
    let around = Circumstances {
        reason: Some("INC-42"),
        ..around()
    };
    let ask = |condition: &str| {
        let text = format!(
            r#"@id("p") permit (principal, action == Hoop::Action::"sql:update", resource) when {{ {condition} }};"#
        );
        policies(&text)
            .judge(&agent(), &prod(), std::slice::from_ref(&effect), &facts, &around)
            .as_str()
    };
    for condition in [
        r#"context.statement like "UPDATE *""#,
        "context.by_key && !context.unbounded",
        r#"context.tables.contains("public.t") && context.functions.contains("public.f(integer)")"#,
        "context.in_transaction",
        "context has estimated_rows && context.estimated_rows == 7",
        r#"context has reason && context.reason like "INC-*""#,
        "context.hour == 12",
        r#"context.source_ip.isInRange(ip("10.0.0.0/8"))"#,
        "!(context has setting) && !(context has call_kind)",
    ] {
        assert_eq!(ask(condition), "allow", "{condition}");
        assert_eq!(ask(&format!("!({condition})")), "block", "{condition}");
    }
    // A condition on the circumstances alone goes for every action.
    assert_eq!(
        judge(&permit("context.hour == 12"), &[on(SqlAction::Drop, "t")]).as_str(),
        "allow"
    );
}
