//! Sorting policies by scope, leaving out what they do not read, and keeping answers must never change an answer: compared
//! with Cedar's plain answer over all policies, all entities and the whole context.

use cedar_policy::{Authorizer, Context, Entities, Entity, PolicySet, Request};
use proptest::prelude::*;

use super::*;
use crate::policy::answer::Answer;
use crate::policy::attribute::{Attributes, Values};
use crate::policy::schema::{self, TYPES};

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal == Hoop::User::\"ana\"",
    "principal == Hoop::Workload::\"ana\"",
    "principal in Hoop::Group::\"g\"",
    "principal in Hoop::Group::\"h\"",
    "principal in Hoop::User::\"ana\"",
    "principal is Hoop::User",
    "principal is Hoop::Workload in Hoop::Group::\"g\"",
];
const ACTIONS: &[&str] = &[
    "action",
    "action == Hoop::Action::\"sql:select\"",
    "action in Hoop::Action::\"sql:read\"",
    "action in Hoop::Action::\"sql:write\"",
    "action in [Hoop::Action::\"sql:delete\", Hoop::Action::\"sql:session\"]",
    "action == Hoop::Action::\"connect\"",
    "action in Hoop::Action::\"sql:catalog\"",
    "action == Hoop::Action::\"unmask\"",
];
const RESOURCES: &[&str] = &[
    "resource",
    "resource in Hoop::Tag::\"env:a\"",
    "resource in Hoop::Tag::\"env:b\"",
    "resource in Hoop::Connection::\"db\"",
    "resource == Hoop::Connection::\"db\"",
    "resource in Hoop::Schema::\"db/s\"",
    "resource in Hoop::Table::\"db/s.t\"",
    "resource == Hoop::Column::\"db/s.t.c\"",
    "resource is Hoop::Table",
    "resource is Hoop::Column in Hoop::Tag::\"env:a\"",
];
const CONDITIONS: &[&str] = &[
    "",
    "when { context.hour < 12 }",
    "when { context has reason && context.reason like \"INC*\" }",
    "unless { context has reason }",
    "when { context.source_ip.isInRange(ip(\"10.0.0.0/8\")) }",
    "when { principal in Hoop::Group::\"h\" && resource in Hoop::Tag::\"env:b\" }",
    "when { action in Hoop::Action::\"sql:write\" }",
    "when { Hoop::Action::\"sql:select\" in Hoop::Action::\"sql:read\" }",
    "when { context.hour + 9223372036854775795 > 0 }",
    "when { if context.hour == 3 then context has reason else true }",
];
const SQL_CONDITIONS: &[&str] = &[
    "when { context.unbounded }",
    "unless { context.by_key || context.in_transaction }",
    "when { context.statement like \"*x*\" }",
    "when { context.tables.contains(\"s.t\") && !context.functions.isEmpty() }",
    "when { context has estimated_rows && context.estimated_rows * 1000 > 5000 }",
    "when { context == context && context.unbounded }",
];

fn texts() -> impl Strategy<Value = Vec<String>> {
    let pick = |from: &'static [&'static str]| (0..from.len()).prop_map(move |index| from[index]);
    let one = (
        any::<bool>(),
        pick(PRINCIPALS),
        pick(ACTIONS),
        pick(RESOURCES),
        pick(CONDITIONS),
        pick(SQL_CONDITIONS),
        any::<bool>(),
        any::<bool>(),
    );
    let one = one.prop_map(|(permit, principal, action, resource, condition, sql, is_sql, asks)| {
        let effect = if permit { "permit" } else { "forbid" };
        // What only SQL's contexts have may be read only by a policy about SQL.
        let sql_only = action.contains("sql:") && !action.contains("sql:session");
        let condition = if is_sql && sql_only { sql } else { condition };
        let asks = if permit && asks { "@approvers(\"dba\") " } else { "" };
        format!("{asks}{effect} ({principal}, {action}, {resource}) {condition};")
    });
    proptest::collection::vec(one, 0..9)
}

#[derive(Clone, Debug)]
struct Asked {
    who: Principal,
    tags: Vec<&'static str>,
    name: &'static str,
    effect: Effect,
    facts: Facts,
    reason: Option<String>,
    hour: u64,
    inside: bool,
}

fn resource() -> impl Strategy<Value = Resource> {
    let name = || prop_oneof![Just("s"), Just("t"), Just("c")].prop_map(Arc::<str>::from);
    prop_oneof![
        Just(Resource::Connection),
        name().prop_map(Resource::Schema),
        (name(), name()).prop_map(|(a, b)| Resource::Table(a, b)),
        (name(), name(), name()).prop_map(|(a, b, c)| Resource::Column(a, b, c)),
        (name(), name()).prop_map(|(a, b)| Resource::Function(a, b, "t".into())),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let action = prop_oneof![
        Just(SqlAction::Select),
        Just(SqlAction::Delete),
        Just(SqlAction::Insert),
        Just(SqlAction::Transaction),
        Just(SqlAction::Catalog),
        Just(SqlAction::Call),
        Just(SqlAction::Set),
    ];
    let groups = proptest::sample::subsequence(vec!["g", "h", "i"], 0..=3);
    let tags = proptest::sample::subsequence(vec!["env:a", "env:b"], 0..=2);
    let who = (any::<bool>(), any::<bool>(), groups);
    let facts = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        proptest::option::of(-9_i64..9),
    );
    let rest = (
        proptest::option::of(prop_oneof![Just("INC-1"), Just("x")]),
        0_u64..24,
        any::<bool>(),
        any::<bool>(),
    );
    (who, tags, action, resource(), facts, rest).prop_map(|(who, tags, action, resource, facts, rest)| Asked {
        who: Principal {
            kind: if who.0 {
                hoop_shared::api::PrincipalKind::User
            } else {
                hoop_shared::api::PrincipalKind::Workload
            },
            label: if who.1 { "ana" } else { "bo" }.to_owned(),
            groups: who.2.into_iter().map(str::to_owned).collect(),
        },
        tags,
        name: if rest.3 { "db" } else { "db-2" },
        effect: Effect {
            unbounded: facts.0,
            by_key: facts.1,
            ..Effect::new(action, resource)
        },
        facts: Facts {
            statement: if facts.2 { "xyz" } else { "abc" }.into(),
            tables: if facts.3 { vec!["s.t".to_owned()] } else { Vec::new() }.into(),
            functions: if facts.2 { vec!["s.f()".to_owned()] } else { Vec::new() }.into(),
            in_transaction: facts.3,
            estimated_rows: facts.4,
        },
        reason: rest.0.map(str::to_owned),
        hour: rest.1,
        inside: rest.2,
    })
}

/// What Cedar says when it is given everything.
struct Plain {
    set: PolicySet,
    asks: Vec<String>,
}

impl Plain {
    fn answer(
        &self,
        asked: &Asked,
        connection: &Connection,
        action: Action,
        resource: &Resource,
        values: &Values,
    ) -> Answer {
        let principal = schema::principal_uid(asked.who.kind, &asked.who.label);
        let groups: Vec<_> = asked
            .who
            .groups
            .iter()
            .map(|group| schema::uid(&TYPES.group, group))
            .collect();
        let tags: Vec<_> = connection.tags.iter().map(|tag| schema::uid(&TYPES.tag, tag)).collect();
        let mut entities: Vec<Entity> = CEDAR_ACTIONS.iter().cloned().collect();
        entities.push(schema::entity(principal.clone(), groups.iter().cloned()));
        entities.push(schema::entity(
            schema::uid(&TYPES.connection, &connection.name),
            tags.iter().cloned(),
        ));
        entities.extend(groups.into_iter().chain(tags).map(|leaf| schema::entity(leaf, [])));
        entities.extend(schema::lineage(resource, &connection.name));
        let entities = Entities::from_entities(entities, Some(&schema::CEDAR_SCHEMA)).unwrap();
        let context: Context = values.context().unwrap();
        let uid = schema::action_uid(action);
        context.validate(&schema::CEDAR_SCHEMA, &uid).unwrap();
        let resource = schema::resource_uid(resource, &connection.name);
        let request = Request::new(principal, uid, resource, context, Some(&schema::CEDAR_SCHEMA)).unwrap();
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let mut rules: Vec<usize> = response
            .diagnostics()
            .reason()
            .map(|id| id.to_string().parse().unwrap())
            .collect();
        rules.sort_unstable();
        if response.diagnostics().errors().next().is_some() {
            return Answer::Refused(Reason::PolicyError, Vec::new());
        }
        match (response.decision(), rules.is_empty()) {
            (cedar_policy::Decision::Deny, true) => Answer::Refused(Reason::NotPermitted, rules),
            (cedar_policy::Decision::Deny, false) => Answer::Refused(Reason::Forbidden, rules),
            (cedar_policy::Decision::Allow, _) if rules.iter().any(|rule| self.asks.contains(&rule.to_string())) => {
                Answer::Waits(rules)
            }
            (cedar_policy::Decision::Allow, _) => Answer::Permitted(rules),
        }
    }
}

static CEDAR_ACTIONS: std::sync::LazyLock<Vec<Entity>> = std::sync::LazyLock::new(|| {
    schema::CEDAR_SCHEMA
        .action_entities()
        .unwrap()
        .iter()
        .cloned()
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_is_that_of_all_policies_over_the_whole_context(texts in texts(), questions in proptest::collection::vec(asked(), 1..12)) {
        let whole: String = texts.iter().enumerate().map(|(index, text)| format!("@id(\"{index}\") {text}\n")).collect();
        // Some policies of the mixture can never match; the schema refuses these.
        let Ok(policies) = parse(&whole) else { return Ok(()) };
        let plain = Plain {
            set: PolicySet::from_policies(policies.rules.iter().map(|rule| rule.policy.clone())).unwrap(),
            asks: policies.rules.iter().filter(|rule| rule.requirement.is_some()).map(|rule| rule.id.clone()).collect(),
        };
        // Twice: the second time from what was kept.
        for asked in questions.iter().chain(&questions) {
            let connection = connection(asked.name, &asked.tags);
            let around = Circumstances {
                reason: asked.reason.as_deref(),
                source: if asked.inside { IpAddr::from([10, 0, 0, 9]) } else { IpAddr::from([192, 0, 2, 1]) },
                now: UNIX_EPOCH + Duration::from_secs(asked.hour * 3600),
            };
            let subject = policies.subjects.get((&asked.who).into(), &connection);
            let values = Values::of(Attributes::ALL, &asked.effect, &asked.facts, &around);
            let candidates = policies.candidates(&subject, asked.effect.action);
            let read = Values::of(candidates.reads, &asked.effect, &asked.facts, &around);
            let ours = policies.answer(&subject, asked.effect.action, &asked.effect.resource, read, &candidates);
            let theirs = plain.answer(asked, &connection, asked.effect.action, &asked.effect.resource, &values);
            prop_assert_eq!(without_culprits(&ours), theirs, "{}\n{:?}", whole, asked);

            let values = Values::general(Attributes::ALL, &around);
            let ours = policies.general(&subject, Action::Connect, &Resource::Connection, &around);
            let theirs = plain.answer(asked, &connection, Action::Connect, &Resource::Connection, &values);
            prop_assert_eq!(without_culprits(&ours), theirs, "{}\n{:?}", whole, asked);
        }
    }
}

/// Which policies failed is not compared: only that one did.
fn without_culprits(answer: &Answer) -> Answer {
    match answer {
        Answer::Refused(Reason::PolicyError, _) => Answer::Refused(Reason::PolicyError, Vec::new()),
        other => other.clone(),
    }
}
