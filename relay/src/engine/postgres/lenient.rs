//! A judge for tests: it reads statements by their first word, and lets everything pass but what a test names.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use hoop_shared::refusal::{Code, Refusal};

use super::codec::backend::{CancelKey, Column, Status};
use super::codec::frame::{Side, header};
use super::codec::write::{Report, Severity};
use super::drive::{Attend, InBand, Say};
use super::session::{
    Change, CopyPlan, Foresight, Judge, Known, MaskCopy, MaskRows, Outcome, Released, RowsPlan, Unit, Unmaskable,
    Unready, Verdict,
};
use crate::config::PostgresTarget;
use crate::inspect::sql::{CopyFormat, CopyOut, Kind, Lineage, Reach, Reading, Statement};
use crate::mask::{Cleared, Recordable, Sent};
use crate::policy::{Effect, Resource, SqlAction};
use crate::target::Rows;

/// What a judge saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) units: Vec<String>,
    pub(crate) rows: u64,
    pub(crate) masked: u64,
    pub(crate) tags: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) mistrusted: usize,
}

/// Refuses what holds `forbidden`, holds what holds `risky`, masks what holds `secret`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lenient {
    pub(crate) seen: Rc<RefCell<Seen>>,
    pub(crate) scope_known: bool,
    pub(crate) approve: Option<bool>,
    pub(crate) target: Option<(PostgresTarget, CancelKey)>,
}

impl Lenient {
    pub(crate) fn new() -> Self {
        Self {
            scope_known: true,
            ..Self::default()
        }
    }
}

/// Reads a text that has no `;` inside of quotes.
pub(crate) fn reading(text: &str) -> Reading {
    let statements = text
        .split(';')
        .filter(|statement| !statement.trim().is_empty())
        .map(|statement| Statement {
            kind: kind(statement),
            effects: if text.contains("set_config") {
                vec![Effect::new(SqlAction::Set, Resource::Connection)]
            } else {
                Vec::new()
            },
            lineage: Some(Lineage::Unknown),
            span: 0..statement.len(),
            tables: Vec::new(),
            functions: Vec::new(),
            touches_masked: reach(text),
        })
        .collect();
    Reading {
        statements,
        touches_masked: reach(text),
        ..Reading::default()
    }
}

fn kind(statement: &str) -> Kind {
    let words: Vec<String> = statement.split_whitespace().map(str::to_lowercase).collect();
    let word = |index: usize| words.get(index).map(String::as_str).unwrap_or_default();
    let name = |index: usize| {
        let name = word(index).trim_matches('"');
        name.split('(').next().unwrap_or_default().to_owned()
    };
    match word(0) {
        "begin" | "start" => Kind::Begin,
        "commit" | "end" => Kind::Commit,
        "rollback" | "abort" if word(1) == "to" => Kind::RollbackTo,
        "rollback" | "abort" => Kind::Rollback,
        "savepoint" | "release" => Kind::Savepoint,
        "prepare" => {
            let inner = statement
                .split_once(" as ")
                .or_else(|| statement.split_once(" AS "))
                .map(|(_, inner)| inner);
            Kind::Prepare {
                name: name(1),
                inner: Box::new(reading(inner.unwrap_or("select")).statements.remove(0)),
            }
        }
        "execute" => Kind::Execute { name: name(1) },
        "deallocate" if word(1) == "all" => Kind::Deallocate { name: None },
        "deallocate" => Kind::Deallocate { name: Some(name(1)) },
        "declare" => Kind::Declare {
            name: name(1),
            hold: statement.contains("with hold"),
            binary: false,
            lineage: Lineage::Unknown,
        },
        "fetch" | "move" => Kind::Fetch {
            name: name(words.len().saturating_sub(1)),
            moves: word(0) == "move",
        },
        "close" if word(1) == "all" => Kind::Close { name: None },
        "close" => Kind::Close { name: Some(name(1)) },
        "discard" => Kind::Discard { all: word(1) == "all" },
        "copy" if statement.to_lowercase().contains("from stdin") => Kind::CopyIn,
        "copy" if statement.to_lowercase().contains("to stdout") => Kind::CopyOut(CopyOut {
            format: CopyFormat::Text,
            delimiter: b'\t',
            null: "\\N".into(),
            quote: b'"',
            escape: b'"',
            header: false,
            force_quote: Some(Vec::new()),
            lineage: Lineage::Unknown,
        }),
        _ => Kind::Plain,
    }
}

/// Writes every value as `x`s of the same length.
#[derive(Debug)]
struct Xs;

impl MaskRows for Xs {
    fn rows(&self, messages: &Bytes) -> Result<Sent, Unmaskable> {
        let mut out = messages.to_vec();
        let (mut start, mut masked) = (0, 0);
        while let Some(header) = header(Side::Server, &messages[start..]).unwrap() {
            let message = &messages[start..start + header.total];
            let values = super::codec::backend::data_row(&message[5..]).unwrap();
            for value in values.iter().flatten() {
                let at = value.as_ptr() as usize - messages.as_ptr() as usize;
                out[at..at + value.len()].fill(b'x');
            }
            masked += values.len() as u64;
            start += header.total;
        }
        Ok(sent(out.into(), masked))
    }
}

impl MaskCopy for Xs {
    fn data(&mut self, body: &[u8]) -> Result<Sent, Unmaskable> {
        let mut out = BytesMut::new();
        super::codec::write::message(&mut out, b'd', |out| {
            out.extend(
                body.iter()
                    .map(|byte| if byte.is_ascii_alphanumeric() { b'x' } else { *byte }),
            );
        });
        Ok(sent(out.freeze(), 1))
    }

    fn end(&mut self) -> Result<Sent, Unmaskable> {
        Ok(sent(Bytes::new(), 0))
    }
}

fn sent(client: Bytes, masked: u64) -> Sent {
    Sent {
        recording: Recordable::of(client.clone()),
        client,
        masked,
    }
}

/// What holds `secret` reaches what is masked for both.
fn reach(text: &str) -> Reach {
    if text.contains("secret") {
        Reach::BOTH
    } else {
        Reach::default()
    }
}

impl Judge for Lenient {
    type Review = Unit;

    fn read(&mut self, text: &str, _: &[u32]) -> Result<Rc<Known>, Unready> {
        if self.scope_known {
            Ok(Known::new(reading(text)))
        } else {
            Err(Unready::Scope)
        }
    }

    fn search_path(&self) -> std::sync::Arc<[String]> {
        std::sync::Arc::default()
    }

    fn is_transient(&self) -> bool {
        false
    }

    fn generation(&self) -> u64 {
        1
    }

    fn foresee(&mut self, unit: Unit) -> Foresight {
        if unit.text.contains("forbidden") {
            Foresight::Refuse(Refusal::new(Code::Blocked, "forbidden"))
        } else if unit.text.contains("doubtful") {
            Foresight::Doubt
        } else if unit.text.contains("risky") {
            Foresight::Hold
        } else {
            Foresight::Pass
        }
    }

    fn judge(&mut self, unit: Unit) -> Verdict<Unit> {
        self.seen.borrow_mut().units.push(unit.text.to_string());
        if unit.text.contains("forbidden") {
            Verdict::Refuse(Refusal::new(Code::Blocked, "forbidden"))
        } else if unit.text.contains("doubtful") && self.seen.borrow().mistrusted == 0 {
            Verdict::Doubt(Box::new(unit), Refusal::new(Code::Blocked, "doubtful"))
        } else if unit.text.contains("risky") {
            Verdict::Hold(unit)
        } else {
            Verdict::Pass(Released::unjudged(unit))
        }
    }

    fn mistrust(&mut self) {
        self.seen.borrow_mut().mistrusted += 1;
    }

    fn blocked(&mut self, unit: &Unit, _: &Refusal) {
        self.seen.borrow_mut().errors.push(format!("blocked {}", unit.text));
    }

    fn refused(&mut self, _: Option<Unit>, _: &Refusal) {}

    fn report(&self, refusal: &Refusal) -> Report {
        Report::new(Severity::Error, refusal.code.sqlstate(), refusal.message.clone())
    }

    fn clear(&self, reach: Reach) -> Option<Cleared> {
        (!reach.any()).then(Cleared::untold)
    }

    fn quotes(&self, reach: Reach) -> Reach {
        reach
    }

    fn detected(&self, text: &[u8]) -> Option<Vec<u8>> {
        let found = text.windows(6).any(|window| window == b"hidden");
        found.then(|| b"***".to_vec())
    }

    fn rows(&mut self, _: &Lineage, columns: &[Column], _: Reach) -> Result<RowsPlan, Unmaskable> {
        if columns.iter().any(|column| &*column.name == b"unmaskable") {
            return Err(Unmaskable("the witnesses disagree".into()));
        }
        Ok(RowsPlan::Masked(Rc::new(Xs)))
    }

    fn copy(&mut self, _: &CopyOut, _: usize, _: Reach) -> Result<CopyPlan, Unmaskable> {
        Ok(CopyPlan::Masked(Box::new(Xs)))
    }

    fn payload(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn wants_scope(&self) -> bool {
        !self.scope_known
    }

    fn scope(&mut self, rows: &Rows) -> bool {
        self.scope_known = rows.first().is_some_and(|row| row.len() == 3);
        self.scope_known
    }

    fn done(&mut self, kind: &Kind, _: Change) {
        if matches!(kind, Kind::Discard { .. }) {
            self.scope_known = false;
        }
    }

    fn ready(&mut self, _: Status) {}

    fn outcome(&mut self, _: u64, outcome: Outcome<'_>) {
        let mut seen = self.seen.borrow_mut();
        match outcome {
            Outcome::Rows { rows, masked, .. } => {
                seen.rows += rows;
                seen.masked += masked;
            }
            Outcome::Complete { tag } => seen.tags.push(tag.into()),
            Outcome::Failed { code, .. } => seen.errors.push(code.into()),
            _ => {}
        }
    }
}

impl Attend for Lenient {
    type Learnt = ();

    fn learn(&mut self, _: Unready, _: InBand) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        async { Ok(()) }.boxed_local()
    }

    fn learnt(&mut self, (): ()) {}

    fn hold(&mut self, review: Unit, say: Say, _: Status) -> LocalBoxFuture<'static, Result<Released, Refusal>> {
        let approve = self.approve;
        async move {
            say.say(Report::new(Severity::Notice, "00000", "held"));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            match approve {
                Some(true) => Ok(Released::unjudged(review)),
                Some(false) => Err(Refusal::new(Code::ApprovalDenied, "denied")),
                None => std::future::pending().await,
            }
        }
        .boxed_local()
    }

    fn cancel(&mut self) -> LocalBoxFuture<'static, ()> {
        let target = self.target.clone();
        async move {
            if let Some((target, key)) = target {
                crate::target::postgres::cancel(&target, key).await.unwrap();
            }
        }
        .boxed_local()
    }

    fn touch(&self) {}

    fn settle(&mut self) -> Result<(), Refusal> {
        Ok(())
    }
}
