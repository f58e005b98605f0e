//! Which units may be shown to the planner before anybody has decided about them.

use crate::engine::postgres::codec::frontend::Format;
use crate::engine::postgres::session::Unit;
use crate::inspect::catalog::TEMPORARY;
use crate::inspect::sql::{Kind, Scope, rows_written, without_comments};
use crate::policy::{Action, SqlAction};
use crate::target::postgres::{Bound, Question};

/// What to ask the planner about a unit that may never be approved. The unit itself does not reach the target for that: only which
/// rows it names does, for a write that names any.
pub(super) fn question_of_rows(unit: &Unit, scope: &Scope, in_band: bool) -> Option<Question> {
    let question = question(unit, scope, in_band)?;
    let text = rows_written(&question.text)?.into();
    Some(Question { text, ..question })
}

/// What to ask the planner about a unit; `None` where planning it could run code of a user's, where a masked value decides, or where
/// only the session itself sees what it names.
pub(super) fn question(unit: &Unit, scope: &Scope, in_band: bool) -> Option<Question> {
    let reading = &unit.reading;
    let [statement] = reading.statements.as_slice() else {
        return None;
    };
    let known = reading.problem.is_none() && reading.refused.is_none() && reading.unresolved.is_empty();
    let temporary = |table: &String| table.split('.').next() == Some(TEMPORARY);
    if !known
        || in_band
        || statement.kind != Kind::Plain
        || !statement.functions.is_empty()
        || statement.tables.iter().any(temporary)
        || !unit.steps.effects.iter().all(|effect| is_plannable(effect.action))
    {
        return None;
    }
    Some(Question {
        // Comments are for people: nothing of a client's reaches the target before its time that need not.
        text: without_comments(&unit.text).into(),
        values: unit
            .values
            .iter()
            .map(|value| Bound {
                type_oid: value.type_oid,
                binary: value.format == Format::Binary,
                bytes: value.bytes.clone(),
            })
            .collect(),
        search_path: scope.search_path.clone(),
    })
}

/// Calls, what is unknown and `sql:infer` are not.
fn is_plannable(action: Action) -> bool {
    match action {
        Action::Sql(SqlAction::Lock) => true,
        Action::Sql(action) => matches!(action.group(), "sql:read" | "sql:write" | "sql:catalog"),
        _ => false,
    }
}
