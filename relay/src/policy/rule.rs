//! One policy: what its annotations ask for, whom and what its scope can meet, and what it reads.

use std::time::Duration;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

use crate::config::{LONGEST_TTL, quantity};

use super::attribute::Attributes;
use super::decision::Requirement;
use super::effect::Action;
use super::schema::{self, TYPES};

/// The annotations that mean something.
const ANNOTATIONS: [&str; 5] = ["id", "message", "approvers", "approvals", "ttl"];
/// The longest `@id`, in bytes.
const ID_BYTES: usize = 128;
/// The longest `@message`, in bytes: it goes into a protocol's error.
const MESSAGE_BYTES: usize = 1_024;
/// More people than this is a mistake.
const MOST_APPROVALS: u32 = 100;

/// A policy that was checked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) policy: Policy,
    pub(super) permits: bool,
    pub(super) message: Option<String>,
    pub(super) requirement: Option<Requirement>,
    pub(super) reads: Attributes,
    /// Its condition names an action, whose groups must then be known.
    pub(super) names_action: bool,
    /// Its condition asks about the resource: what its scope takes is not all that decides.
    pub(super) names_resource: bool,
    principal: PrincipalConstraint,
    action: ActionConstraint,
    resource: ResourceConstraint,
}

/// What is wrong with a policy's annotations.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Error(String, Option<String>),
    Warning(String, Option<String>),
}

fn error(message: impl Into<String>, hint: &str) -> Trouble {
    Trouble::Error(message.into(), (!hint.is_empty()).then(|| hint.to_owned()))
}

impl Rule {
    /// Reads a policy's annotations and scope; `Err` where one of the troubles is an error.
    pub(super) fn read(policy: Policy, default_ttl: Duration, troubles: &mut Vec<Trouble>) -> Option<Self> {
        let before = troubles
            .iter()
            .filter(|trouble| matches!(trouble, Trouble::Error(..)))
            .count();
        let permits = policy.effect() == Effect::Permit;
        let id = id(&policy, troubles);
        let message = message(&policy, troubles);
        let requirement = requirement(
            &policy,
            permits,
            id.as_deref().unwrap_or_default(),
            default_ttl,
            troubles,
        );
        for (name, _) in policy.annotations() {
            if !ANNOTATIONS.contains(&name) {
                let known = ANNOTATIONS.map(|known| format!("@{known}")).join(", ");
                let message = format!("unknown annotation `@{name}`: it does nothing");
                troubles.push(Trouble::Warning(message, Some(format!("known annotations: {known}"))));
            }
        }
        let (reads, names_action, names_resource) = match policy.to_json() {
            Ok(json) => {
                let conditions = json.get("conditions");
                let names_resource = has_text(conditions, |text| text == "resource");
                let names_action = has_text(conditions, |text| text.ends_with("Action"));
                (Attributes::read_by(&json), names_action, names_resource)
            }
            Err(_) => (Attributes::ALL, true, true),
        };
        let after = troubles
            .iter()
            .filter(|trouble| matches!(trouble, Trouble::Error(..)))
            .count();
        if after > before {
            return None;
        }
        Some(Self {
            id: id?,
            permits,
            message,
            requirement,
            reads,
            names_action,
            names_resource,
            principal: policy.principal_constraint(),
            action: policy.action_constraint(),
            resource: policy.resource_constraint(),
            policy,
        })
    }

    /// Whether its scope takes this action.
    pub(super) fn meets_action(&self, action: Action) -> bool {
        let (uid, group) = (schema::action_uid(action), schema::group_uid(action));
        let is = |named: &EntityUid| *named == uid || Some(named) == group.as_ref();
        match &self.action {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(named) => *named == uid,
            ActionConstraint::In(named) => named.iter().any(is),
        }
    }

    /// Whether its scope takes this principal.
    pub(super) fn meets_principal(&self, principal: &EntityUid, groups: &[EntityUid]) -> bool {
        let within = |named: &EntityUid| named == principal || groups.contains(named);
        match &self.principal {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(named) => named == principal,
            PrincipalConstraint::In(named) => within(named),
            PrincipalConstraint::Is(kind) => kind == principal.type_name(),
            PrincipalConstraint::IsIn(kind, named) => kind == principal.type_name() && within(named),
        }
    }

    /// Whether its scope may take something on this connection. It may say yes too often, never no.
    pub(super) fn may_meet_connection(&self, connection: &str, tags: &[String]) -> bool {
        match &self.resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => true,
            ResourceConstraint::Eq(named) | ResourceConstraint::In(named) | ResourceConstraint::IsIn(_, named) => {
                may_lead_to(named, connection, tags)
            }
        }
    }

    /// Whether its scope takes everything on this connection.
    pub(super) fn meets_whole_connection(&self, connection: &str, tags: &[String]) -> bool {
        match &self.resource {
            ResourceConstraint::Any => true,
            ResourceConstraint::In(named) => {
                let id: &str = named.id().as_ref();
                (*named.type_name() == TYPES.tag && tags.iter().any(|tag| tag == id))
                    || (*named.type_name() == TYPES.connection && id == connection)
            }
            _ => false,
        }
    }
}

/// Whether a text that fits stands in Cedar's JSON of the conditions: the name of a variable, of an entity's type, or a text that looks
/// like one, which then counts as one.
fn has_text(conditions: Option<&serde_json::Value>, fits: impl Fn(&str) -> bool) -> bool {
    let mut open: Vec<_> = conditions.into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(items) => open.extend(items),
            serde_json::Value::Object(fields) => open.extend(fields.values()),
            serde_json::Value::String(text) if fits(text) => return true,
            _ => {}
        }
    }
    false
}

fn may_lead_to(named: &EntityUid, connection: &str, tags: &[String]) -> bool {
    let (kind, id): (_, &str) = (named.type_name(), named.id().as_ref());
    let inside = [&TYPES.schema, &TYPES.table, &TYPES.column, &TYPES.function];
    if *kind == TYPES.tag {
        tags.iter().any(|tag| tag == id)
    } else if *kind == TYPES.connection {
        id == connection
    } else if inside.contains(&kind) {
        id.strip_prefix(connection).is_some_and(|rest| rest.starts_with('/'))
    } else {
        true
    }
}

fn id(policy: &Policy, troubles: &mut Vec<Trouble>) -> Option<String> {
    let hint = "give it a name that people will see: @id(\"no-drop\")";
    match policy.annotation("id") {
        None => {
            troubles.push(error("this policy has no `@id`", hint));
            None
        }
        Some(id) if id.is_empty() || id.len() > ID_BYTES || id.trim() != id || id.chars().any(char::is_control) => {
            let message = "an `@id` is 1 to 128 bytes without control characters, and no space at its ends";
            troubles.push(error(message, hint));
            None
        }
        Some(id) => Some(id.to_owned()),
    }
}

fn message(policy: &Policy, troubles: &mut Vec<Trouble>) -> Option<String> {
    let message = policy.annotation("message")?;
    if message.trim().is_empty() {
        troubles.push(error("`@message` is empty", "say what to do instead, or leave it out"));
        return None;
    }
    if message.len() > MESSAGE_BYTES
        || message
            .chars()
            .any(|character| character.is_control() && character != '\n')
    {
        troubles.push(error(
            "`@message` is longer than 1024 bytes, or has a control character",
            "",
        ));
        return None;
    }
    Some(message.to_owned())
}

fn requirement(
    policy: &Policy,
    permits: bool,
    id: &str,
    default_ttl: Duration,
    troubles: &mut Vec<Trouble>,
) -> Option<Requirement> {
    let named = |name| policy.annotation(name);
    if !permits {
        for name in ["approvers", "approvals", "ttl"] {
            if named(name).is_some() {
                let hint = "write a `permit` with `@approvers`: a matching `forbid` always blocks";
                troubles.push(error(
                    format!("`@{name}` stands on a `forbid`, which nobody can approve"),
                    hint,
                ));
            }
        }
        return None;
    }
    let Some(approvers) = named("approvers") else {
        for name in ["approvals", "ttl"] {
            if named(name).is_some() {
                let hint = "add `@approvers(\"GROUP\")`: without it nothing waits for anybody";
                troubles.push(error(format!("`@{name}` stands without `@approvers`"), hint));
            }
        }
        return None;
    };
    let groups = approver_groups(approvers, troubles);
    let approvals = named("approvals").map_or(Some(1), |text| match text.parse::<u32>() {
        Ok(count) if (1..=MOST_APPROVALS).contains(&count) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(count)
        }
        _ => {
            let message = format!("`@approvals` must be a whole number from 1 to {MOST_APPROVALS}");
            troubles.push(error(message, "@approvals(\"2\"): two different people"));
            None
        }
    });
    let ttl = named("ttl").map_or(Some(default_ttl), |text| match quantity::duration(text) {
        Ok(ttl) if (Duration::from_secs(1)..=LONGEST_TTL).contains(&ttl) => Some(ttl),
        Ok(_) => {
            let longest = quantity::show_duration(LONGEST_TTL);
            troubles.push(error(format!("`@ttl` must be from 1s to {longest}"), ""));
            None
        }
        Err(wrong) => {
            troubles.push(error(format!("`@ttl`: {wrong}"), ""));
            None
        }
    });
    Some(Requirement {
        rule: id.to_owned(),
        approvers: groups?,
        approvals: approvals?,
        ttl: ttl?,
    })
}

fn approver_groups(text: &str, troubles: &mut Vec<Trouble>) -> Option<Vec<String>> {
    let hint = "name groups, comma separated: @approvers(\"dba, oncall\")";
    let mut groups: Vec<String> = Vec::new();
    for group in text.split(',').map(str::trim) {
        if let Err(why) = crate::config::valid_group(group) {
            troubles.push(error(format!("`@approvers` has no usable value: {why}"), hint));
            return None;
        }
        if !groups.iter().any(|seen| seen == group) {
            groups.push(group.to_owned());
        }
    }
    groups.sort();
    Some(groups)
}
