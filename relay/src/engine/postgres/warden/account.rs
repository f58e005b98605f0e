//! The account of a client connection in its session's recording. What stands before a release is written by the same wake-up that
//! releases ([`Account::settle`]); the first failure is for ever.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hoop_shared::api::{EffectShown, Parameter};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Refusal;

use crate::engine::postgres::codec::backend::Column;
use crate::engine::postgres::codec::write;
use crate::engine::postgres::replay::value_text;
use crate::engine::postgres::session::{Outcome, Unit, Value};
use crate::inspect::catalog::Catalog;
use crate::mask::{Masks, Recordable, Scrubbed, SecretParameters};
use crate::policy::Effect;
use crate::record::{Answer, Event, Kind, Output, RecordError};
use crate::session::Session;

/// The most results that are open at a time: portals that were not read to their end.
const OPEN: usize = 64;

/// How many prepared statements' texts are kept scrubbed, and the longest of them, in bytes.
const SCRUBBED: usize = 8;
const SCRUBBED_TEXT: usize = 16 << 10;

/// Writes events of one client connection.
#[derive(Clone, Debug)]
pub(super) struct Pen {
    session: Arc<Session>,
    stream: u32,
    masks: Option<Arc<Masks>>,
}

/// Keeps the account.
#[derive(Debug)]
pub(super) struct Account {
    pen: Pen,
    /// By operation, few at a time.
    open: Vec<(u64, Open)>,
    failed: bool,
    /// Values that were masked in the result that ended last.
    masked: u64,
    scrubbed: ScrubbedTexts,
}

/// Texts as the recording has them.
#[derive(Debug, Default)]
struct ScrubbedTexts {
    /// Of these masks.
    masks: Option<Arc<Masks>>,
    /// The last ones, each the very text that a prepared statement keeps.
    kept: VecDeque<(Arc<str>, ScrubbedText)>,
}

/// A text as the recording has it.
#[derive(Clone, Debug)]
struct ScrubbedText {
    text: Arc<Scrubbed>,
    secret: Arc<SecretParameters>,
}

impl ScrubbedText {
    fn of(text: &str, masks: &Masks) -> Self {
        Self {
            text: masks.scrubber().statement(text).into(),
            secret: SecretParameters::of(text).into(),
        }
    }
}

impl ScrubbedTexts {
    /// Scrubs a text that has values beside it, or finds what became of it before: whoever binds values will do so again.
    fn of(&mut self, text: &Arc<str>, masks: &Arc<Masks>) -> ScrubbedText {
        if !self.masks.as_ref().is_some_and(|of| Arc::ptr_eq(of, masks)) {
            self.kept.clear();
            self.masks = Some(masks.clone());
        }
        if let Some((_, found)) = self.kept.iter().find(|(of, _)| Arc::ptr_eq(of, text)) {
            return found.clone();
        }
        let scrubbed = ScrubbedText::of(text, masks);
        if text.len() <= SCRUBBED_TEXT {
            if self.kept.len() >= SCRUBBED {
                self.kept.pop_front();
            }
            self.kept.push_back((text.clone(), scrubbed.clone()));
        }
        scrubbed
    }
}

/// A result that has begun.
#[derive(Debug)]
struct Open {
    output: Output,
    rows: u64,
    masked: u64,
    /// Bytes that the client copied in.
    copied_in: u64,
    long_rows: u64,
}

impl Open {
    const fn new(output: Output) -> Self {
        Self {
            output,
            rows: 0,
            masked: 0,
            copied_in: 0,
            long_rows: 0,
        }
    }
}

impl Pen {
    fn event(&self, kind: Kind) -> Event {
        let mut event = Event::new(kind);
        event.stream = Some(self.stream);
        event
    }

    /// The masks at the connection's begin serve where a reload has taken the connection away.
    fn masks(&self) -> Option<Arc<Masks>> {
        self.session.masks().or_else(|| self.masks.clone())
    }

    /// The event of a unit and what was decided about it.
    pub(super) fn statement(
        &self,
        unit: &Unit,
        answer: Answer,
        rules: Arc<[String]>,
        request: Option<&RequestId>,
    ) -> Event {
        let scrubbed = self.masks().map(|masks| (ScrubbedText::of(&unit.text, &masks), masks));
        self.scrubbed_statement(unit, scrubbed, answer, rules, request)
    }

    fn scrubbed_statement(
        &self,
        unit: &Unit,
        scrubbed: Option<(ScrubbedText, Arc<Masks>)>,
        answer: Answer,
        rules: Arc<[String]>,
        request: Option<&RequestId>,
    ) -> Event {
        let mut event = self.event(Kind::Statement);
        if let Some((scrubbed, masks)) = scrubbed {
            event.statement = Some(scrubbed.text);
            if !unit.values.is_empty() {
                let shown: Vec<_> = unit
                    .values
                    .iter()
                    .map(|value| (value.type_oid, shown_value(value)))
                    .collect();
                let named = shown
                    .iter()
                    .map(|(oid, value)| (*oid, builtin_type(*oid), value.as_deref()));
                event.parameters = Some(masks.scrubber().parameters(&scrubbed.secret, named));
            }
        }
        event.effects = unit.steps.shown.get_or_init(|| self.shown(&unit.steps.effects)).clone();
        event.decision = Some(answer);
        event.rules = rules;
        event.request = request.cloned();
        event
    }

    fn shown(&self, effects: &[Effect]) -> Arc<[EffectShown]> {
        let connection = &self.session.grant().connection().name;
        let mut all: Vec<EffectShown> = Vec::new();
        for effect in effects {
            let shown = EffectShown {
                action: effect.action.to_string(),
                resource: effect.resource.id(connection),
            };
            if !all.contains(&shown) {
                all.push(shown);
            }
        }
        all.into()
    }

    /// What became of a held unit.
    pub(super) fn decision(&self, answer: Answer, request: &RequestId, detail: String) -> Event {
        let mut event = self.event(Kind::Decision);
        event.decision = Some(answer);
        event.request = Some(request.clone());
        event.detail = Some(detail);
        event
    }

    /// Writes an event at once.
    pub(super) fn append(&self, event: &Event) -> Result<u64, RecordError> {
        self.session.recorder().append(event)
    }
}

impl Account {
    pub(super) fn new(session: Arc<Session>, stream: u32) -> Self {
        let masks = session.masks();
        let mut account = Self {
            pen: Pen { session, stream, masks },
            open: Vec::new(),
            failed: false,
            masked: 0,
            scrubbed: ScrubbedTexts::default(),
        };
        account.queue(&account.pen.event(Kind::Opened));
        account
    }

    /// How many values were masked in the result that ended last; told once.
    pub(super) fn masked(&mut self) -> u64 {
        std::mem::take(&mut self.masked)
    }

    pub(super) fn pen(&self) -> Pen {
        self.pen.clone()
    }

    fn queue(&mut self, event: &Event) {
        self.failed |= self.pen.session.recorder().queue(event).is_err();
    }

    /// Records a unit and what was decided about it; gives its number. It stands when [`Account::settle`] returns.
    pub(super) fn statement(&mut self, unit: &Unit, answer: Answer, rules: Arc<[String]>) -> Result<u64, RecordError> {
        let event = match self.pen.masks() {
            Some(masks) if !unit.values.is_empty() => {
                let scrubbed = self.scrubbed.of(&unit.text, &masks);
                self.pen
                    .scrubbed_statement(unit, Some((scrubbed, masks)), answer, rules, None)
            }
            _ => self.pen.statement(unit, answer, rules, None),
        };
        self.pen
            .session
            .recorder()
            .queue(&event)
            .inspect_err(|_| self.failed = true)
    }

    /// Records a refusal that is not policy's.
    pub(super) fn refused(&mut self, unit: Option<&Unit>, refusal: &Refusal) -> Result<(), RecordError> {
        let mut event = match unit {
            Some(unit) => self.pen.statement(unit, Answer::Block, Arc::default(), None),
            None => self.pen.event(Kind::Refused),
        };
        event.error = self.pen.masks().map(|masks| masks.scrubber().text(&refusal.message));
        self.pen
            .session
            .recorder()
            .queue(&event)
            .map(|_| ())
            .inspect_err(|_| self.failed = true)
    }

    /// Records that the client asked to cancel.
    pub(super) fn cancelled(&mut self) {
        self.queue(&self.pen.event(Kind::Cancel));
    }

    /// Writes what waits and must stand before more is sent.
    pub(super) fn settle(&mut self) -> Result<(), RecordError> {
        self.pen.session.recorder().settle()?;
        match self.pen.session.recorder().failed() {
            Some(error) if self.failed => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn outcome(&mut self, operation: u64, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Described(columns) => {
                // The names are the statement's own words, and scrubbed as it is.
                let described = self.pen.masks().map(|masks| {
                    let names = columns.iter().map(|column| &*column.name);
                    masks.scrubber().named(names, |names| row_description(columns, names))
                });
                self.extend(operation, &described.unwrap_or_default(), 0, 0);
            }
            Outcome::Rows { messages, rows, masked } => self.extend(operation, messages, rows, masked),
            Outcome::CopyOut { messages, masked } => self.extend(operation, messages, 0, masked),
            Outcome::LongRow => {
                self.extend(operation, &Recordable::default(), 1, 0);
                if let Some(open) = self.open(operation) {
                    open.long_rows += 1;
                }
            }
            Outcome::CopyIn(piece) => {
                self.extend(operation, &Recordable::default(), 0, 0);
                if let Some(open) = self.open(operation) {
                    open.copied_in += piece.len() as u64;
                }
            }
            Outcome::Complete { tag } => self.finish(operation, Some(tag), None),
            Outcome::Suspended => {}
            Outcome::Failed { code, message } => self.finish(operation, None, Some(format!("{code}: {message}"))),
        }
    }

    fn extend(&mut self, operation: u64, content: &Recordable, rows: u64, masked: u64) {
        if self.open(operation).is_none() {
            let oldest = self.open.iter().map(|(operation, _)| *operation).min();
            if let Some(oldest) = oldest.filter(|_| self.open.len() >= OPEN) {
                self.finish(oldest, None, None);
            }
            let output = self.pen.session.recorder().output(Some(self.pen.stream));
            self.open.push((operation, Open::new(output)));
        }
        let Self { pen, open, failed, .. } = self;
        let Some((_, open)) = open.iter_mut().find(|(of, _)| *of == operation) else {
            return;
        };
        open.rows += rows;
        open.masked += masked;
        if !content.bytes().is_empty() {
            *failed |= pen.session.recorder().extend(&mut open.output, content).is_err();
        }
    }

    fn open(&mut self, operation: u64) -> Option<&mut Open> {
        let found = self.open.iter_mut().find(|(of, _)| *of == operation);
        found.map(|(_, open)| open)
    }

    fn finish(&mut self, operation: u64, tag: Option<&str>, error: Option<String>) {
        let at = self.open.iter().position(|(of, _)| *of == operation);
        let open = at.map(|at| self.open.swap_remove(at).1);
        let copied_in = open.as_ref().map_or(0, |open| open.copied_in);
        self.masked = open.as_ref().map_or(0, |open| open.masked);
        let mut event = self.pen.event(if copied_in > 0 { Kind::CopyIn } else { Kind::Result });
        // A tag holds no data: the command's word and a count.
        event.command = tag.filter(|tag| !tag.is_empty()).map(str::to_owned);
        event.error = error.and_then(|error| Some(self.pen.masks()?.scrubber().text(&error)));
        if copied_in > 0 {
            event.detail = Some(format!("{copied_in} bytes from the client"));
        }
        let recorder = self.pen.session.recorder();
        let done = match open {
            Some(open) => {
                event.rows = Some(open.rows);
                event.masked = Some(open.masked);
                if open.long_rows > 0 {
                    event.detail = Some(format!("{} rows are too long to be kept", open.long_rows));
                }
                recorder.finish(open.output, &event)
            }
            None => recorder.queue(&event),
        };
        self.failed |= done.is_err();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let open: Vec<u64> = self.open.iter().map(|(operation, _)| *operation).collect();
        for operation in open {
            self.finish(operation, None, None);
        }
        self.queue(&self.pen.event(Kind::Closed));
        // A failure here was told before, or has nothing left to stop.
        let _ = self.pen.session.recorder().flush();
    }
}

/// A result's description with other names.
fn row_description(columns: &[Column], names: Vec<Box<[u8]>>) -> Bytes {
    let named = columns
        .iter()
        .zip(names)
        .map(|(column, name)| Column { name, ..column.clone() });
    let named: Vec<Column> = named.collect();
    let mut message = BytesMut::new();
    write::row_description(&mut message, &named);
    message.freeze()
}

/// A value as people read it.
fn shown_value(value: &Value) -> Option<String> {
    value
        .bytes
        .as_ref()
        .map(|bytes| value_text(value.type_oid, value.format, bytes))
}

/// The values of a unit for those who decide about it, with the names of their types.
pub(super) fn parameters(unit: &Unit, catalog: &Catalog) -> Vec<Parameter> {
    let shown = |value: &Value| Parameter {
        type_name: match catalog.type_of_oid(value.type_oid) {
            Some(known) => known.name.to_string(),
            None => builtin_type(value.type_oid).to_owned(),
        },
        value: shown_value(value),
    };
    unit.values.iter().map(shown).collect()
}

/// The names of the types that parameters mostly have (`pg_type.dat`).
fn builtin_type(oid: u32) -> &'static str {
    match oid {
        0 | 705 => "unknown",
        16 => "bool",
        17 => "bytea",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        26 => "oid",
        114 => "json",
        700 => "float4",
        701 => "float8",
        1042 => "bpchar",
        1043 => "varchar",
        1082 => "date",
        1083 => "time",
        1114 => "timestamp",
        1184 => "timestamptz",
        1186 => "interval",
        1700 => "numeric",
        2950 => "uuid",
        3802 => "jsonb",
        1005 => "int2[]",
        1007 => "int4[]",
        1009 => "text[]",
        1015 => "varchar[]",
        1016 => "int8[]",
        _ => "other",
    }
}
