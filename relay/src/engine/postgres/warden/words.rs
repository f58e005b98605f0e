//! What a refused client reads.

use hoop_shared::refusal::{Code, Refusal};

use crate::engine::postgres::codec::write::{Report, Severity};
use crate::engine::postgres::session::Unit;
use crate::policy::{Action, Effect, Reason, SqlAction};
use crate::session::Grant;

/// The refusal of a blocked unit.
pub(super) fn blocked(
    grant: &Grant,
    unit: &Unit,
    reason: Reason,
    rules: &[String],
    message: Option<&str>,
    effect: Option<usize>,
) -> Refusal {
    let connection = &grant.connection().name;
    let effect = effect.and_then(|index| unit.steps.effects.get(index));
    let what = effect.map_or_else(|| "this statement".to_owned(), |effect| verb(effect, &unit.text));
    let resource = effect.map_or_else(|| connection.clone(), |effect| effect.resource.id(connection));
    let action = effect.map_or_else(|| "connect".to_owned(), |effect| effect.action.to_string());
    let rule = rules.first();
    let text = match (reason, rule) {
        (Reason::Forbidden, Some(rule)) => format!("blocked by policy {rule}: {what} is not allowed on {connection}"),
        (Reason::Forbidden, None) => format!("blocked: {} on {connection}", message.unwrap_or("it is never allowed")),
        (Reason::NotPermitted, _) => format!("blocked by policy: no policy permits {action} on {resource}"),
        (Reason::PolicyError, _) => format!("blocked: the relay's policies cannot decide about {action} on {resource}"),
    };
    let hint = match (message, reason) {
        (Some(message), Reason::Forbidden) if rule.is_some() => message.to_owned(),
        (_, Reason::PolicyError) => "tell who writes the policies: the relay's log names the one that fails".to_owned(),
        _ => format!("ask for a policy that permits {action} on {resource}; `hoopctl ls` shows what you may do"),
    };
    let refusal = Refusal::new(Code::Blocked, text).hint(hint);
    match rule {
        Some(rule) => refusal.rule(rule.clone()),
        None => refusal,
    }
}

/// What an effect is called where the statement says it itself: `DROP TABLE`; else the action's name.
fn verb(effect: &Effect, text: &str) -> String {
    let Action::Sql(action) = effect.action else {
        return effect.action.to_string();
    };
    let words = keywords(text);
    let [first, second] = [words.first(), words.get(1)].map(|word| word.map_or("", String::as_str));
    let word = match action {
        SqlAction::Select => "SELECT",
        SqlAction::Insert => "INSERT",
        SqlAction::Update => "UPDATE",
        SqlAction::Delete => "DELETE",
        SqlAction::Merge => "MERGE",
        SqlAction::Truncate => "TRUNCATE",
        SqlAction::Grant if first == "GRANT" => "GRANT",
        SqlAction::Revoke => "REVOKE",
        SqlAction::Create | SqlAction::Alter | SqlAction::Drop => {
            let word = match action {
                SqlAction::Create => "CREATE",
                SqlAction::Alter => "ALTER",
                _ => "DROP",
            };
            let object = second.bytes().all(|byte| byte.is_ascii_alphabetic()) && !second.is_empty();
            let plain = !matches!(second, "OR" | "TEMP" | "TEMPORARY" | "UNLOGGED" | "UNIQUE" | "IF");
            return if first == word && object && plain {
                format!("{word} {second}")
            } else {
                word.to_owned()
            };
        }
        _ => return effect.action.to_string(),
    };
    word.to_owned()
}

/// The first words of a text, in upper case, comments skipped.
fn keywords(text: &str) -> Vec<String> {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start()
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest).trim_start()
        } else {
            break;
        };
    }
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .take(2)
        .map(str::to_ascii_uppercase)
        .collect()
}

/// A refusal as an error of the protocol: DETAIL with session and code, HINT with what to do next.
pub(super) fn report(grant: &Grant, refusal: &Refusal) -> Report {
    let code = refusal.sqlstate.as_deref().unwrap_or(refusal.code.sqlstate());
    let mut report = Report::new(Severity::Error, code, refusal.message.clone());
    let mut detail = format!("session {}, code {}", grant.session(), refusal.code);
    if let Some(request) = &refusal.request {
        detail.push_str(&format!(", request {request}"));
    }
    report.detail = Some(detail);
    report.hint.clone_from(&refusal.hint);
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Resource;

    #[test]
    fn a_verb_is_the_statements_own_where_it_says_it() {
        let verb = |action, text: &str| verb(&Effect::new(action, Resource::Connection), text);
        assert_eq!(verb(SqlAction::Drop, "/* x */ drop table t"), "DROP TABLE");
        assert_eq!(verb(SqlAction::Drop, "-- x\nDROP INDEX CONCURRENTLY i"), "DROP INDEX");
        assert_eq!(verb(SqlAction::Drop, "do $$ begin end $$"), "DROP");
        assert_eq!(
            verb(SqlAction::Create, "create or replace view v as select 1"),
            "CREATE"
        );
        assert_eq!(verb(SqlAction::Select, "update t set a = 1"), "SELECT");
        assert_eq!(verb(SqlAction::Call, "select f()"), "sql:call");
    }
}
