//! What comes out of a run's stream, or out of the kept result of one: PostgreSQL's messages, and the relay's own words among them.
//! Source: PostgreSQL, "Message Formats".

use std::io;

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use hoop_shared::refusal::{Code, Refusal};
use hoop_shared::wire::run::{Held, Says, WORD_FIELD, Word};
use postgres_protocol::message::backend::{DataRowBody, ErrorFields, Header, Message};

use super::types::{Shape, Types};
use crate::error::Error;

/// The longest message, in bytes: what PostgreSQL sends at most.
const LONGEST: i32 = i32::MAX / 2;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's name.
    pub type_name: String,
    /// How its values become JSON.
    pub shape: Shape,
}

/// A row's values as text.
#[derive(Debug)]
pub struct Row(DataRowBody);

impl Row {
    /// The values in order; `None` is NULL.
    ///
    /// # Errors
    /// The row is cut.
    pub fn values(&self) -> io::Result<Vec<Option<&[u8]>>> {
        let buffer = self.0.buffer();
        self.0
            .ranges()
            .map(|range| match range {
                Some(range) => buffer
                    .get(range)
                    .map(Some)
                    .ok_or_else(|| io::ErrorKind::InvalidData.into()),
                None => Ok(None),
            })
            .collect()
    }
}

/// Something that happened in a run.
#[derive(Debug)]
pub enum Event {
    /// A result begins.
    Columns(Vec<Column>),
    /// One of its rows.
    Row(Row),
    /// The result of COPY TO STDOUT begins.
    CopyOut,
    /// A piece of it: mostly a line.
    CopyData(Bytes),
    /// The target asks for data: COPY FROM STDIN.
    CopyIn,
    /// A statement is done, with its tag.
    Complete(String),
    /// A statement, or all of a unit, failed.
    Failed(Error),
    /// The target says something to people.
    Notice(String),
    /// The operation waits for people.
    Held(Held),
    /// So many values of the statement that is done next were masked.
    Masked(u64),
    /// So many of its rows were not kept.
    Cut(u64),
    /// The unit is over.
    Ready,
}

/// Takes events out of bytes.
#[derive(Debug)]
pub struct Messages {
    input: BytesMut,
    /// What marks the relay's own words; without one there are none.
    mark: Option<String>,
    types: Types,
}

impl Messages {
    /// Begins.
    pub fn new(mark: Option<String>) -> Self {
        Self {
            input: BytesMut::new(),
            mark,
            types: Types::default(),
        }
    }

    /// Takes bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Whether everything that arrived was dealt with.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// The next event; `None` until more bytes arrive.
    ///
    /// # Errors
    /// The bytes are not of the protocol.
    pub fn event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            // The length is checked before a buffer grows to it: it grows with what arrives.
            if let Some(header) = Header::parse(&self.input).map_err(|error| not_understood(&error))?
                && header.len() > LONGEST
            {
                return Err(not_understood(&"a message is too long"));
            }
            let Some(message) = Message::parse(&mut self.input).map_err(|error| not_understood(&error))? else {
                if self.input.is_empty() {
                    // A long message's buffer is not kept.
                    self.input = BytesMut::new();
                }
                return Ok(None);
            };
            if let Some(event) = self.meaning(message)? {
                return Ok(Some(event));
            }
        }
    }

    fn meaning(&mut self, message: Message) -> Result<Option<Event>, Error> {
        let broken = |error: io::Error| not_understood(&error);
        Ok(Some(match message {
            Message::RowDescription(body) => Event::Columns(
                body.fields()
                    .map(|field| {
                        Ok(Column {
                            name: field.name().to_owned(),
                            type_name: self.types.name(field.type_oid()),
                            shape: self.types.shape(field.type_oid()),
                        })
                    })
                    .collect()
                    .map_err(broken)?,
            ),
            Message::DataRow(body) => Event::Row(Row(body)),
            Message::CopyOutResponse(_) => Event::CopyOut,
            Message::CopyData(body) => Event::CopyData(body.into_bytes()),
            Message::CopyInResponse(_) => Event::CopyIn,
            Message::CommandComplete(body) => Event::Complete(body.tag().map_err(broken)?.to_owned()),
            Message::ErrorResponse(body) => Event::Failed(self.failure(body.fields()).map_err(broken)?),
            Message::NoticeResponse(body) => return self.notice(body.fields()).map_err(broken),
            Message::ReadyForQuery(_) => Event::Ready,
            Message::AuthenticationOk
            | Message::BackendKeyData(_)
            | Message::BindComplete
            | Message::CloseComplete
            | Message::CopyDone
            | Message::EmptyQueryResponse
            | Message::NoData
            | Message::NotificationResponse(_)
            | Message::ParameterDescription(_)
            | Message::ParameterStatus(_)
            | Message::ParseComplete
            | Message::PortalSuspended => return Ok(None),
            _ => return Err(not_understood(&"a message that was not asked for")),
        }))
    }

    fn notice(&mut self, fields: ErrorFields<'_>) -> io::Result<Option<Event>> {
        let said = Said::read(fields, self.mark.as_deref())?;
        Ok(Some(match said.word {
            Some(Says::Held(held)) => Event::Held(held),
            Some(Says::Masked(values)) => Event::Masked(values),
            Some(Says::Cut(rows)) => Event::Cut(rows),
            Some(Says::Types(types)) => {
                self.types.learn(types);
                return Ok(None);
            }
            Some(Says::Refused(_)) | None => {
                let mut text = format!("{}: {}", said.severity, said.message);
                for (name, more) in [("detail", said.detail), ("hint", said.hint)] {
                    if let Some(more) = more {
                        text.push_str(&format!("\n  {name}: {more}"));
                    }
                }
                Event::Notice(text)
            }
        }))
    }

    fn failure(&self, fields: ErrorFields<'_>) -> io::Result<Error> {
        let said = Said::read(fields, self.mark.as_deref())?;
        if let Some(Says::Refused(refusal)) = said.word {
            return Ok(refusal.into());
        }
        let mut refusal = Refusal::new(Code::SqlError, said.message);
        refusal.hint = said.hint;
        refusal.detail = said.detail;
        refusal.sqlstate = Some(said.sqlstate);
        Ok(refusal.into())
    }
}

/// The fields of an error or notice.
#[derive(Default)]
struct Said {
    severity: String,
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    word: Option<Says>,
}

impl Said {
    fn read(fields: ErrorFields<'_>, mark: Option<&str>) -> io::Result<Self> {
        let mut said = Self::default();
        fields.for_each(|field| {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'V' => said.severity = text(),
                b'S' if said.severity.is_empty() => said.severity = text(),
                b'C' => said.sqlstate = text(),
                b'M' => said.message = text(),
                b'D' => said.detail = Some(text()),
                b'H' => said.hint = Some(text()),
                WORD_FIELD => {
                    let word = serde_json::from_slice::<Word>(field.value_bytes()).ok();
                    said.word = word
                        .filter(|word| Some(word.mark.as_str()) == mark)
                        .map(|word| word.says);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(said)
    }
}

fn not_understood(problem: &dyn std::fmt::Display) -> Error {
    Error::new(Code::ProtocolViolation, problem.to_string())
        .doing("what the relay sent cannot be read")
        .hint("check with `hoopctl doctor` that hoopctl and the relay are of the same version")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![tag];
        message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend_from_slice(body);
        message
    }

    fn refused(mark: &str) -> Vec<u8> {
        let word = Word {
            mark: mark.to_owned(),
            says: Says::Refused(Refusal::new(Code::Blocked, "no").rule("r")),
        };
        let body = format!(
            "SERROR\0VERROR\0C42501\0Mblocked\0*{}\0\0",
            serde_json::to_string(&word).unwrap()
        );
        message(b'E', body.as_bytes())
    }

    fn failure(bytes: &[u8]) -> Error {
        let mut messages = Messages::new(Some("mark".to_owned()));
        messages.feed(bytes);
        match messages.event().unwrap() {
            Some(Event::Failed(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_words_with_the_sessions_mark_are_the_relays() {
        let ours = failure(&refused("mark"));
        assert_eq!(
            (ours.code(), ours.refusal().rule.as_deref()),
            (Code::Blocked, Some("r"))
        );
        let forged = failure(&refused("other"));
        assert_eq!(
            (forged.code(), forged.refusal().rule.as_deref()),
            (Code::SqlError, None)
        );
        assert_eq!(forged.refusal().sqlstate.as_deref(), Some("42501"));
    }

    #[test]
    fn an_absurd_length_is_refused_before_it_is_waited_for() {
        let mut messages = Messages::new(None);
        messages.feed(&[b'D', 0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(messages.event().unwrap_err().code(), Code::ProtocolViolation);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let mut messages = Messages::new(None);
            messages.feed(&bytes);
            while let Ok(Some(event)) = messages.event() {
                if let Event::Row(row) = event {
                    let _ = row.values();
                }
            }
        }

        #[test]
        fn pieces_are_as_good_as_the_whole(cut in 0_usize..60) {
            let mut bytes = message(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
            bytes.extend(message(b'D', b"\0\x01\0\0\0\x011"));
            bytes.extend(message(b'C', b"SELECT 1\0"));
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut messages = Messages::new(None);
            let mut events = String::new();
            for part in [first, second] {
                messages.feed(part);
                while let Some(event) = messages.event().unwrap() {
                    events.push_str(match event {
                        Event::Columns(columns) if columns[0].type_name == "int4" => "T",
                        Event::Row(row) if row.values().unwrap() == [Some(&b"1"[..])] => "D",
                        Event::Complete(tag) if tag == "SELECT 1" => "C",
                        _ => "?",
                    });
                }
            }
            prop_assert_eq!(events, "TDC");
        }
    }
}
