//! How many rows the planner expects a statement to touch.
//!
//! Planning runs functions of users that call themselves immutable or stable, and estimates come from statistics, which hold values:
//! who asks makes sure that the statement calls none, and that nothing masked decides.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;

use super::OwnConnection;
use crate::engine::postgres::codec::write;
use crate::target::QueryError;

/// How long planning may take at the server.
pub const PLANNING: Duration = Duration::from_secs(1);

/// A value for a parameter.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its type; 0: the server infers it.
    pub type_oid: u32,
    /// Its format code is 1.
    pub binary: bool,
    /// The value; `None` is NULL.
    pub bytes: Option<bytes::Bytes>,
}

/// What is asked: one statement, under the search path of a session.
#[derive(Clone, Debug)]
pub struct Question {
    /// The statement's text.
    pub text: std::sync::Arc<str>,
    /// The values of its parameters.
    pub values: Vec<Bound>,
    /// Schemas in search order.
    pub search_path: std::sync::Arc<[String]>,
}

impl OwnConnection {
    /// Asks the planner; `None` where the server does not say. Nothing is run, and what planning locks is let go at once.
    ///
    /// # Errors
    /// The connection is of no use any more. Not cancel safe.
    pub async fn estimate(&mut self, question: &Question) -> Result<Option<i64>, QueryError> {
        let path: Vec<String> = question
            .search_path
            .iter()
            .map(|schema| format!("\"{}\"", schema.replace('"', "\"\"")))
            .collect();
        let path = if path.is_empty() {
            "\"\"".to_owned()
        } else {
            path.join(", ")
        };
        let time = PLANNING.as_millis();
        let mut begin = BytesMut::new();
        write::query(
            &mut begin,
            &format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {time}; SET LOCAL lock_timeout = {time}; SET LOCAL search_path = {path}"
            ),
        );
        let mut ask = BytesMut::new();
        let text = format!("EXPLAIN (FORMAT JSON) {}", question.text);
        let types: Vec<u32> = question.values.iter().map(|value| value.type_oid).collect();
        let values = question
            .values
            .iter()
            .map(|value| (value.binary, value.bytes.as_deref()));
        write::parse_typed(&mut ask, "", &text, &types);
        write::bind_values(&mut ask, "", "", values);
        write::execute(&mut ask, "");
        write::sync(&mut ask);
        let mut end = BytesMut::new();
        write::query(&mut end, "ROLLBACK");

        let planned = match self.exchange(&begin).await {
            Ok(_) => self.exchange(&ask).await,
            Err(error) => Err(error),
        };
        match planned {
            Err(error) if !matches!(error, QueryError::Refused { .. }) => Err(error),
            planned => {
                self.exchange(&end).await?;
                let plan = planned
                    .ok()
                    .and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
                Ok(plan.as_deref().and_then(plan_rows))
            }
        }
    }
}

/// The rows of a plan as `EXPLAIN (FORMAT JSON)` gives it: those that its topmost node reads, for a write those that it writes.
fn plan_rows(json: &str) -> Option<i64> {
    let document: Value = serde_json::from_str(json).ok()?;
    let plan = document.get(0)?.get("Plan")?;
    let rows = |node: &Value| node.get("Plan Rows")?.as_i64();
    if plan.get("Node Type")?.as_str()? != "ModifyTable" {
        return rows(plan);
    }
    let children = plan.get("Plans")?.as_array()?;
    children
        .iter()
        // The others are sub-queries that stand beside.
        .filter(|child| {
            let relation = child.get("Parent Relationship").and_then(Value::as_str);
            matches!(relation, Some("Outer" | "Member"))
        })
        .map(rows)
        .try_fold(0_i64, |total, rows| total.checked_add(rows?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_touches_what_its_plan_reads() {
        let read = r#"[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 12}}]"#;
        let write = r#"[{"Plan": {"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [
            {"Node Type": "Result", "Parent Relationship": "InitPlan", "Plan Rows": 1},
            {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 7}]}}]"#;
        assert_eq!(plan_rows(read), Some(12));
        assert_eq!(plan_rows(write), Some(7));
        for other in [
            "",
            "[]",
            "{}",
            r#"[{"Plan": {"Node Type": "ModifyTable"}}]"#,
            r#"[{"Plan": 1}]"#,
        ] {
            assert_eq!(plan_rows(other), None, "{other}");
        }
    }
}
