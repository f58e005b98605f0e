//! The relay's own questions in the client's stream. They are extended messages under names of their own: a simple Query would
//! destroy the client's unnamed statement. No Sync inside the client's batch: it would commit.

use hoop_shared::refusal::Refusal;

use super::expect::Expect;
use super::judge::{Judge, SCOPE, Unit};
use super::{Conversation, Intake};
use crate::engine::postgres::codec::frame::Frame;
use crate::engine::postgres::codec::{DecodeError, backend, write};
use crate::target::{QueryError, Rows};

/// The most bytes of an answer in band.
const ANSWER_BYTES: usize = 256 << 20;

/// Questions that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// The rows of those that are answered.
    answers: Vec<Rows>,
    /// The rows of the one that is being answered.
    rows: Rows,
    bytes: usize,
    failed: Option<QueryError>,
}

impl<J: Judge> Conversation<J> {
    /// Asks the target in band, all in one transaction. Only while every answer has arrived; the answers are
    /// [`Conversation::answer`]'s.
    ///
    /// # Errors
    /// Answers are outstanding, or the transaction has failed.
    pub fn ask<'q>(&mut self, questions: impl IntoIterator<Item = &'q str>) -> Result<(), QueryError> {
        let failed = self.status == backend::Status::Failed || self.ignoring;
        if !self.expected.is_empty() || self.question.is_some() || failed || self.copying {
            return Err(QueryError::Refused {
                code: "25P02".to_owned(),
                message: "this is no moment for a question of the relay's own".to_owned(),
            });
        }
        let name = format!("{}own", self.reserved);
        for sql in questions {
            self.to_target.write(|out| {
                write::parse(out, &name, sql);
                write::bind(out, &name, &name);
                write::execute(out, &name);
                write::close_portal(out, &name);
                write::close_statement(out, &name);
            });
            self.expected.extend((0..5).map(|_| Expect::Own));
        }
        if self.unsynced {
            self.to_target.write(write::flush);
        } else {
            self.to_target.write(write::sync);
            self.expected.push_back(Expect::Sync { ours: true });
        }
        self.question = Some(Question::default());
        Ok(())
    }

    /// The answers to the last questions, once.
    pub fn answer(&mut self) -> Option<Result<Vec<Rows>, QueryError>> {
        self.answer.take()
    }

    pub(super) fn ask_scope(&mut self) {
        match self.ask([SCOPE]) {
            Ok(()) => self.intake = Intake::Asking,
            Err(error) => self.scope_failed(&error),
        }
    }

    fn scope_failed(&mut self, error: &QueryError) {
        tracing::warn!(%error, "the session's scope cannot be read");
        self.end(&hoop_shared::refusal::Refusal::new(
            hoop_shared::refusal::Code::RelayFault,
            "the relay cannot learn what names mean in this session",
        ));
    }

    /// Asks the server to parse what the relay cannot read: it runs nothing, and its error says more.
    pub(super) fn try_at_server(&mut self, unit: Box<Unit>, refusal: Refusal) {
        let name = format!("{}trial", self.reserved);
        self.to_target.write(|out| {
            write::close_statement(out, &name);
            write::parse(out, &name, &unit.text);
            write::sync(out);
        });
        let sync = Expect::Sync { ours: true };
        self.expected.extend([Expect::Own, Expect::Trial, sync]);
        self.intake = Intake::Trying(unit, Box::new(refusal));
    }

    /// The server cannot parse it either: its error is the client's answer, and so is the `ReadyForQuery` behind it.
    pub(super) fn trial_failed(&mut self) {
        if let Intake::Trying(unit, refusal) = std::mem::replace(&mut self.intake, Intake::Open) {
            self.judge.blocked(&unit, &refusal);
        }
        self.current = None;
        for expect in &mut self.expected {
            if let Expect::Sync { ours } = expect {
                *ours = false;
                break;
            }
        }
    }

    /// The server can parse it: names are learnt again, then it is judged again.
    pub(super) fn trial_passed(&mut self) {
        self.judge.mistrust();
        self.tried = true;
    }

    pub(super) fn own_row(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let row = backend::data_row(frame.body())?;
        let Some(question) = &mut self.question else {
            return Err(DecodeError::UnknownTag(frame.tag()));
        };
        question.bytes += frame.bytes().len();
        if question.bytes > ANSWER_BYTES {
            question.failed = Some(QueryError::TooLong);
        } else {
            let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8_lossy(value).into_owned());
            question.rows.push(row.into_iter().map(text).collect());
        }
        Ok(())
    }

    /// A question is answered.
    pub(super) fn own_complete(&mut self) {
        if let Some(question) = &mut self.question {
            let rows = std::mem::take(&mut question.rows);
            question.answers.push(rows);
        }
    }

    pub(super) fn own_error(&mut self, frame: &Frame) -> Result<(), DecodeError> {
        let report = backend::Report::decode(frame.body())?;
        let text = |letter| report.text(letter).unwrap_or_default().into_owned();
        if let Some(question) = &mut self.question {
            question.failed = Some(QueryError::Refused {
                code: text(b'C'),
                message: text(b'M'),
            });
        }
        Ok(())
    }

    /// Ends the questions once nothing is outstanding.
    pub(super) fn answered(&mut self) {
        let Some(question) = self.question.take() else { return };
        let answer = question.failed.map_or(Ok(question.answers), Err);
        if !matches!(self.intake, Intake::Asking) {
            self.answer = Some(answer);
            return;
        }
        self.intake = Intake::Open;
        match answer {
            Ok(rows) if rows.first().is_some_and(|rows| self.judge.scope(rows)) => {}
            Ok(_) => self.scope_failed(&QueryError::TooLong),
            Err(error) => self.scope_failed(&error),
        }
    }
}
