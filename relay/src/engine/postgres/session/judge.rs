//! What the session core asks about each unit of work, and what it tells about the answers. The core knows no policy, no mask and
//! no recording; who implements [`Judge`] does.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hoop_shared::id::SessionId;
use hoop_shared::refusal::Refusal;

use super::known::Known;
use super::names::RowsPlan;
use super::steps::{Change, Steps};
use crate::engine::postgres::codec::backend::{Column, Status};
use crate::engine::postgres::codec::frontend::Format;
use crate::engine::postgres::codec::write::Report;
use crate::inspect::sql::{CopyOut, Kind, Lineage, Reach};
use crate::mask::{Cleared, Recordable, Sent};
use crate::policy::{Effect, Facts, Judged, Permit, Standing};
use crate::target::Rows;

/// One Query, or one Bind with its values: what is judged, shown and sent. It owns the exact bytes.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What the target would get: the Query; or the Bind, behind the Parse where that was kept back.
    pub bytes: Bytes,
    /// The statement's text, whole.
    pub text: Arc<str>,
    /// What the text means.
    pub reading: Rc<Known>,
    /// What it would do, the statements that it executes by name included.
    pub steps: Rc<Steps>,
    /// What holds for the whole of it.
    pub facts: Facts,
    /// The values that are bound.
    pub values: Vec<Value>,
}

impl Judged for Unit {
    fn effects(&self) -> &[Effect] {
        &self.steps.effects
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn standing(&self) -> Option<&Standing> {
        Some(&self.steps.standing)
    }
}

/// A bound value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its type; 0 where the statement leaves it to the server and it was not described.
    pub type_oid: u32,
    /// How it is written.
    pub format: Format,
    /// The value; `None` is NULL.
    pub bytes: Option<Bytes>,
}

/// A unit that may be sent: a spent permit. There is no other way to send one.
#[derive(Debug)]
pub struct Released {
    bytes: Bytes,
    operation: u64,
}

impl Released {
    /// Spends a permit; `None` where it is another session's. `operation` is the number under which the unit was recorded.
    pub fn spend(permit: Permit<Unit>, session: &SessionId, operation: u64) -> Option<Self> {
        permit.spend(session).map(|unit| Self {
            bytes: unit.bytes,
            operation,
        })
    }

    /// Lets a unit pass without a judge.
    #[cfg(test)]
    pub(crate) fn unjudged(unit: Unit) -> Self {
        Self {
            bytes: unit.bytes,
            operation: 0,
        }
    }

    pub(super) fn into_parts(self) -> (Bytes, u64) {
        (self.bytes, self.operation)
    }
}

/// The answer about a unit.
#[derive(Debug)]
pub enum Verdict<R> {
    /// It passes.
    Pass(Released),
    /// It does not.
    Refuse(Refusal),
    /// It does not, because it could not be read. The server is asked to parse it: if it cannot either, its words are the
    /// client's, else the relay's picture of names is old. Nothing is recorded yet.
    Doubt(Box<Unit>, Refusal),
    /// It waits for people.
    Hold(R),
}

/// What is to be expected of a statement that is only prepared so far.
#[derive(Debug)]
pub enum Foresight {
    /// Nothing speaks against it.
    Pass,
    /// It could not be read. The server parses it, which runs nothing, and says what is wrong.
    Doubt,
    /// Running it would be refused.
    Refuse(Refusal),
    /// Running it would wait for people: it is kept back until its Bind comes with it.
    Hold,
}

/// Why a text cannot be read at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// The catalog must be loaded again, by the relay's own connection.
    Catalog,
    /// The catalog must be loaded in band: only this session sees the objects.
    CatalogInBand,
    /// The session's temporary objects must be loaded in band.
    Temporary,
    /// How many rows the unit would touch must be asked.
    Estimate,
    /// The session's scope must be asked for in band.
    Scope,
    /// Another session is changing what the unit names, or uses what it changes.
    Turn,
}

/// Why a result cannot be masked. No row of it leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unmaskable(pub String);

/// Masks the rows of one result.
pub trait MaskRows: std::fmt::Debug {
    /// Gives whole `DataRow` messages with their values replaced.
    ///
    /// # Errors
    /// A row is not what the plan was made for.
    fn rows(&self, messages: &Bytes) -> Result<Sent, Unmaskable>;
}

/// Masks one COPY TO STDOUT. It may keep bytes back between messages.
pub trait MaskCopy: std::fmt::Debug {
    /// Gives messages for one `CopyData`, given its body.
    ///
    /// # Errors
    /// The data is not what the plan was made for.
    fn data(&mut self, body: &[u8]) -> Result<Sent, Unmaskable>;

    /// Gives what was kept back, at the data's end.
    ///
    /// # Errors
    /// The data ends inside a row.
    fn end(&mut self) -> Result<Sent, Unmaskable>;
}

/// What is done to the data of a COPY TO STDOUT.
#[derive(Debug)]
pub enum CopyPlan {
    /// It passes.
    Clear(Cleared),
    /// It is masked.
    Masked(Box<dyn MaskCopy>),
}

/// What came of an operation, for the recording.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// A result with these columns begins.
    Described(&'a [Column]),
    /// Rows that go to the client, as whole `DataRow` messages.
    Rows {
        /// The messages as they are recorded.
        messages: &'a Recordable,
        /// How many rows.
        rows: u64,
        /// How many values in them were replaced.
        masked: u64,
    },
    /// A row that is too long to be kept goes to the client.
    LongRow,
    /// Data of a COPY TO STDOUT that goes to the client, as whole `CopyData` messages.
    CopyOut {
        /// The messages as they are recorded.
        messages: &'a Recordable,
        /// How many values in them were replaced.
        masked: u64,
    },
    /// Data of a COPY FROM STDIN that goes to the target: the bytes of `CopyData` messages, in pieces of any size.
    CopyIn(&'a Bytes),
    /// A statement is complete.
    Complete {
        /// The command's tag; empty for an empty statement.
        tag: &'a str,
    },
    /// Rows may follow by another Execute.
    Suspended,
    /// It failed.
    Failed {
        /// SQLSTATE.
        code: &'a str,
        /// The message; without the server's words where they may quote a value that is masked in the recording.
        message: &'a str,
    },
}

/// Who decides, masks and records for a session.
pub trait Judge {
    /// A unit that waits for people.
    type Review;

    /// Reads a text under what names mean right now.
    ///
    /// # Errors
    /// What must be learnt first.
    fn read(&mut self, text: &str, types: &[u32]) -> Result<Rc<Known>, Unready>;

    /// The schemas that are searched, in order, as the last reading took them.
    fn search_path(&self) -> Arc<[String]>;

    /// What names mean was changed in the transaction that runs: its end, or a savepoint's, may change it back.
    fn is_transient(&self) -> bool;

    /// A number that changes whenever names may mean something else.
    fn generation(&self) -> u64;

    /// How many rows the target expects a unit to touch, where policies ask and it says so.
    ///
    /// # Errors
    /// It must be asked first.
    fn estimate(&mut self, unit: &Unit) -> Result<Option<i64>, Unready> {
        let _ = unit;
        Ok(None)
    }

    /// Takes the names of a unit, right before it is foreseen (`runs` is false) or judged: nobody else changes them until
    /// [`Judge::answered`].
    ///
    /// # Errors
    /// What must be waited for, or learnt again.
    fn turn(&mut self, unit: &Unit, runs: bool) -> Result<(), Unready> {
        let _ = (unit, runs);
        Ok(())
    }

    /// The server knows what the names mean of all that was sent.
    fn answered(&mut self) {}

    /// Says what to expect of a statement that is prepared. A refusal is recorded.
    fn foresee(&mut self, unit: Unit) -> Foresight;

    /// Judges a unit. The decision is recorded before it passes; one that holds is recorded when it is held.
    fn judge(&mut self, unit: Unit) -> Verdict<Self::Review>;

    /// The server knows names that the relay does not: what is known of them is old.
    fn mistrust(&mut self);

    /// A unit that was doubted does not pass. It is recorded as blocked.
    fn blocked(&mut self, unit: &Unit, refusal: &Refusal);

    /// A unit was refused by the session core itself.
    fn refused(&mut self, unit: Option<Unit>, refusal: &Refusal);

    /// Adds what a client should know to a refusal: the message, DETAIL and HINT of its error.
    fn report(&self, refusal: &Refusal) -> crate::engine::postgres::codec::write::Report;

    /// Says that a result needs no plan. `reach`: it may hold a value of a masked column.
    fn clear(&self, reach: Reach) -> Option<Cleared>;

    /// Whom the server's own words may tell a masked value, if something with this reach caused them.
    fn quotes(&self, reach: Reach) -> Reach;

    /// Replaces what detectors find in a text for the client; `None`: nothing.
    fn detected(&self, text: &[u8]) -> Option<Vec<u8>>;

    /// Makes the plan of a result. The columns have the formats that the rows will have.
    ///
    /// # Errors
    /// The statement and the target's description contradict each other.
    fn rows(&mut self, lineage: &Lineage, columns: &[Column], reach: Reach) -> Result<RowsPlan, Unmaskable>;

    /// Makes the plan of a COPY TO STDOUT.
    ///
    /// # Errors
    /// It cannot be masked.
    fn copy(&mut self, copy: &CopyOut, columns: usize, reach: Reach) -> Result<CopyPlan, Unmaskable>;

    /// Replaces the payload of a notification; `None`: it passes as it is.
    fn payload(&mut self, payload: &[u8]) -> Option<Vec<u8>>;

    /// Whether the session's scope must be asked for before the next text can be read.
    fn wants_scope(&self) -> bool;

    /// Takes the answer to [`SCOPE`]. False where it cannot be read.
    fn scope(&mut self, rows: &Rows) -> bool;

    /// A statement is done.
    fn done(&mut self, kind: &Kind, change: Change);

    /// The server is ready for the next message.
    fn ready(&mut self, status: Status);

    /// Something came of an operation.
    fn outcome(&mut self, operation: u64, outcome: Outcome<'_>);

    /// What the client is told about the operation that is done, before it is told that.
    fn remark(&mut self) -> Option<Report> {
        None
    }

    /// What the client is told about the types of the result that comes next, before it is described.
    fn types(&self, _columns: &[Column]) -> Option<Report> {
        None
    }
}

/// Asks in band what names mean for the session: its schemas in search order, the name of its temporary one if it has one, and the
/// setting that gives the order.
pub const SCOPE: &str = "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text, \
     (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())::pg_catalog.text, \
     pg_catalog.current_setting('search_path')";
