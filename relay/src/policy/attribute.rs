//! The attributes of `context`: which of them a policy reads, and their values for one effect.
//!
//! An answer of Cedar can only depend on what its policies read. So nothing else is put into the context, and nothing else
//! is part of the key under which the answer is kept.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cedar_policy::{Context, RestrictedExpression};
use serde_json::Value;

use super::effect::{Action, Effect, Facts, SqlAction};

macro_rules! attributes {
    ($($name:ident = $id:literal,)*) => {
        /// An attribute that the SQL and general contexts may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Attribute { $($name,)* }

        impl Attribute {
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($id => Some(Self::$name),)* _ => None }
            }
        }
    };
}

attributes! {
    Statement = "statement",
    Unbounded = "unbounded",
    ByKey = "by_key",
    Tables = "tables",
    Functions = "functions",
    InTransaction = "in_transaction",
    EstimatedRows = "estimated_rows",
    CallKind = "call_kind",
    Setting = "setting",
    Value = "value",
    Reason = "reason",
    Hour = "hour",
    SourceIp = "source_ip",
}

/// A set of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(u16);

impl Attributes {
    pub(super) const ALL: Self = Self(u16::MAX);

    pub(super) fn has(self, attribute: Attribute) -> bool {
        self.0 & (1 << attribute as u8) != 0
    }

    pub(super) fn with(self, attribute: Attribute) -> Self {
        Self(self.0 | (1 << attribute as u8))
    }

    /// Whether what is read is always the same for the same effects, tables and functions.
    pub(super) fn are_of_effects(self) -> bool {
        let of_effects = [
            Attribute::Unbounded,
            Attribute::ByKey,
            Attribute::Tables,
            Attribute::Functions,
            Attribute::CallKind,
            Attribute::Setting,
            Attribute::Value,
        ];
        let of_effects = of_effects.into_iter().fold(Self::default(), Self::with);
        self.0 & !of_effects.0 == 0
    }

    /// Whether another hour or another address may change what is read.
    pub(super) fn depend_on_the_moment(self) -> bool {
        self.has(Attribute::Hour) || self.has(Attribute::SourceIp)
    }

    /// Whether what is done, or the reason that is given for it, may change what is read.
    pub(super) fn depend_on_the_operation(self) -> bool {
        let moment = Self::default().with(Attribute::Hour).with(Attribute::SourceIp);
        self.0 & !moment.0 != 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What a policy reads, from Cedar's JSON of it. A form that is not known here counts as reading everything.
    pub(super) fn read_by(policy: &Value) -> Self {
        let mut found = Self::default();
        // A list, not recursion: an expression may be deep.
        let mut open = vec![policy];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    if fields.get("Var").and_then(Value::as_str) == Some("context") {
                        return Self::ALL;
                    }
                    for (key, inner) in fields {
                        match (key.as_str(), read_of_context(inner)) {
                            ("." | "has", Some(name)) => {
                                // An attribute of another protocol is in no context of ours: always missing.
                                if let Some(attribute) = Attribute::named(name) {
                                    found = found.with(attribute);
                                }
                            }
                            _ => open.push(inner),
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// The attribute of `{"left": {"Var": "context"}, "attr": NAME}`.
fn read_of_context(value: &Value) -> Option<&str> {
    let fields = value.as_object()?;
    let left = fields.get("left")?.as_object()?;
    if fields.len() != 2 || left.len() != 1 || left.get("Var")?.as_str()? != "context" {
        return None;
    }
    match fields.get("attr")? {
        Value::String(name) => Some(name),
        // `context has a.b` has its parts in a list; none of ours has an inner part.
        Value::Array(parts) => parts.first()?.as_str(),
        _ => None,
    }
}

/// What holds around an operation, whatever it is.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Why, as the principal said.
    pub reason: Option<&'a str>,
    /// Where it comes from.
    pub source: IpAddr,
    /// When.
    pub now: SystemTime,
}

impl Circumstances<'_> {
    /// The hour of the day in UTC, 0 to 23.
    fn hour(&self) -> u8 {
        let seconds = self.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        u8::try_from(seconds / 3600 % 24).unwrap_or(0)
    }
}

/// The values of just those attributes that are read. `None`: not read, or the action does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Values {
    statement: Option<Arc<str>>,
    unbounded: Option<bool>,
    by_key: Option<bool>,
    tables: Option<Arc<[String]>>,
    functions: Option<Arc<[String]>>,
    in_transaction: Option<bool>,
    estimated_rows: Option<i64>,
    call_kind: Option<&'static str>,
    setting: Option<Arc<str>>,
    value: Option<Arc<str>>,
    reason: Option<String>,
    hour: Option<u8>,
    source_ip: Option<IpAddr>,
}

impl Values {
    /// Of an action that is no operation: `connect`, `unmask`, …
    pub(super) fn general(read: Attributes, around: &Circumstances<'_>) -> Self {
        Self {
            reason: if read.has(Attribute::Reason) {
                around.reason.map(str::to_owned)
            } else {
                None
            },
            hour: read.has(Attribute::Hour).then(|| around.hour()),
            source_ip: read.has(Attribute::SourceIp).then(|| around.source.to_canonical()),
            ..Self::default()
        }
    }

    /// Of one effect of an operation.
    pub(super) fn of(read: Attributes, effect: &Effect, facts: &Facts, around: &Circumstances<'_>) -> Self {
        if !matches!(effect.action, Action::Sql(_)) {
            return Self::general(read, around);
        }
        let is = |action| effect.action == Action::Sql(action);
        let call_kind = effect.call_kind.map(super::CallKind::as_str);
        // The schema promises these to policies about such actions; without a value they would not evaluate, and so block.
        let call_kind = if is(SqlAction::Call) {
            call_kind.or(Some("function"))
        } else {
            call_kind
        };
        let names_setting = is(SqlAction::Set) || is(SqlAction::Configure);
        let setting = match &effect.setting {
            None if names_setting => Some(Arc::from("")),
            other => other.clone(),
        };
        Self {
            statement: read.has(Attribute::Statement).then(|| facts.statement.clone()),
            unbounded: read.has(Attribute::Unbounded).then_some(effect.unbounded),
            by_key: read.has(Attribute::ByKey).then_some(effect.by_key),
            tables: read.has(Attribute::Tables).then(|| facts.tables.clone()),
            functions: read.has(Attribute::Functions).then(|| facts.functions.clone()),
            in_transaction: read.has(Attribute::InTransaction).then_some(facts.in_transaction),
            estimated_rows: facts.estimated_rows.filter(|_| read.has(Attribute::EstimatedRows)),
            call_kind: call_kind.filter(|_| read.has(Attribute::CallKind)),
            setting: setting.filter(|_| read.has(Attribute::Setting)),
            value: effect.value.clone().filter(|_| read.has(Attribute::Value)),
            ..Self::general(read, around)
        }
    }

    /// About how many bytes they take.
    pub(super) fn weight(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let list = |list: &Option<Arc<[String]>>| {
            list.iter()
                .flat_map(|list| &**list)
                .map(|text| text.len() + 24)
                .sum::<usize>()
        };
        size_of::<Self>()
            + text(&self.statement)
            + text(&self.setting)
            + text(&self.value)
            + list(&self.tables)
            + list(&self.functions)
            + self.reason.as_ref().map_or(0, String::len)
    }

    /// As Cedar has them.
    ///
    /// # Errors
    /// Cedar does not take a value.
    pub(super) fn context(&self) -> Result<Context, Box<cedar_policy::ContextCreationError>> {
        let mut pairs: Vec<(String, RestrictedExpression)> = Vec::new();
        let mut put = |attribute: Attribute, value: Option<RestrictedExpression>| {
            pairs.extend(value.map(|value| (attribute.as_str().to_owned(), value)));
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let set = |list: &Arc<[String]>| RestrictedExpression::new_set(list.iter().map(|item| text(item)));
        put(Attribute::Statement, self.statement.as_deref().map(text));
        put(Attribute::Unbounded, self.unbounded.map(RestrictedExpression::new_bool));
        put(Attribute::ByKey, self.by_key.map(RestrictedExpression::new_bool));
        put(Attribute::Tables, self.tables.as_ref().map(set));
        put(Attribute::Functions, self.functions.as_ref().map(set));
        put(
            Attribute::InTransaction,
            self.in_transaction.map(RestrictedExpression::new_bool),
        );
        put(
            Attribute::EstimatedRows,
            self.estimated_rows.map(RestrictedExpression::new_long),
        );
        put(Attribute::CallKind, self.call_kind.map(text));
        put(Attribute::Setting, self.setting.as_deref().map(text));
        put(Attribute::Value, self.value.as_deref().map(text));
        put(Attribute::Reason, self.reason.as_deref().map(text));
        put(
            Attribute::Hour,
            self.hour.map(|hour| RestrictedExpression::new_long(i64::from(hour))),
        );
        put(
            Attribute::SourceIp,
            self.source_ip.map(|ip| RestrictedExpression::new_ip(ip.to_string())),
        );
        Context::from_pairs(pairs).map_err(Box::new)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::Duration;

    use cedar_policy::Policy;

    use super::*;

    fn read_by(condition: &str) -> Attributes {
        let text = format!("permit (principal, action, resource) {condition};");
        Attributes::read_by(&Policy::parse(None, text).unwrap().to_json().unwrap())
    }

    fn set(attributes: &[Attribute]) -> Attributes {
        attributes
            .iter()
            .fold(Attributes::default(), |set, attribute| set.with(*attribute))
    }

    #[test]
    fn what_a_policy_reads_is_found_wherever_it_stands() {
        assert_eq!(read_by(""), Attributes::default());
        assert_eq!(read_by("when { context.unbounded }"), set(&[Attribute::Unbounded]));
        assert_eq!(read_by("unless { context has reason }"), set(&[Attribute::Reason]));
        assert_eq!(
            read_by(
                r#"when { if context.hour < 9 then !context.by_key else [context.setting, "a"].contains(context["value"]) }"#
            ),
            set(&[Attribute::Hour, Attribute::ByKey, Attribute::Setting, Attribute::Value])
        );
        assert_eq!(
            read_by(
                r#"when { context.source_ip.isInRange(ip("10.0.0.0/8")) } unless { context.statement like "*x*" }"#
            ),
            set(&[Attribute::SourceIp, Attribute::Statement])
        );
        assert_eq!(
            read_by("when { {a: context.tables}.a.contains(\"x\") }"),
            set(&[Attribute::Tables])
        );
    }

    #[test]
    fn a_use_of_the_context_as_a_whole_reads_everything() {
        for condition in [
            "when { context == {} }",
            "when { [context].contains(context) }",
            "when { {a: context}.a.hour == 1 }",
            "when { (if true then context else context).hour == 1 }",
        ] {
            assert_eq!(read_by(condition), Attributes::ALL, "{condition}");
        }
    }

    #[test]
    fn a_policy_that_only_says_the_word_reads_nothing() {
        assert_eq!(
            read_by(r#"when { "context" == "context.hour" }"#),
            Attributes::default()
        );
        assert_eq!(read_by("when { context has path }"), Attributes::default());
    }

    fn around(now: SystemTime) -> Circumstances<'static> {
        Circumstances {
            reason: None,
            source: "::ffff:10.1.2.3".parse().unwrap(),
            now,
        }
    }

    #[test]
    fn the_hour_is_that_of_utc() {
        let at = |seconds| around(UNIX_EPOCH + Duration::from_secs(seconds)).hour();
        assert_eq!((at(0), at(3599), at(3600), at(86_399), at(86_400)), (0, 0, 1, 23, 0));
        assert_eq!(around(UNIX_EPOCH - Duration::from_secs(1)).hour(), 0);
    }

    #[test]
    fn nothing_that_is_not_read_is_in_the_context() {
        let effect = Effect::new(SqlAction::Call, super::super::Resource::Connection);
        let facts = Facts::default();
        let values = Values::of(Attributes::default(), &effect, &facts, &around(UNIX_EPOCH));
        assert_eq!(values, Values::default());
        let all = Values::of(Attributes::ALL, &effect, &facts, &around(UNIX_EPOCH));
        let context = all.context().unwrap();
        for attribute in Attribute::ALL {
            let expected = !matches!(
                attribute,
                Attribute::Reason | Attribute::EstimatedRows | Attribute::Setting | Attribute::Value
            );
            assert_eq!(context.get(attribute.as_str()).is_some(), expected, "{attribute:?}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_that_it_maps() {
        let values = Values::general(Attributes::ALL, &around(UNIX_EPOCH));
        assert_eq!(values.source_ip, Some("10.1.2.3".parse().unwrap()));
    }
}
