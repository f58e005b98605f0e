//! Masks what `COPY … TO STDOUT` sends: text, CSV and binary. A row is taken apart, its values replaced, and written again
//! in the same form; a row in which nothing is replaced keeps its bytes.
//!
//! The server sends one `CopyData` a row, the binary header with the first row, its trailer alone, and a header line as a
//! row. Other cuts are understood too: whatever arrives, a message leaves for each whole row, and what is not whole waits.
//!
//! Source: PostgreSQL documentation, COPY, "File Formats".

mod binary;
mod csv;
mod text;

use bytes::{BufMut, BytesMut};

use super::codec::HEADER;
use super::codec::frame::{LARGE, server};
use crate::inspect::sql::{ColumnRef, CopyFormat, CopyOut, Lineage, Origin};
use crate::mask::{Applied, Detectors, Format, Kind, MaskedBy, Plan, PlanError};

/// Why a copy does not go on. Nothing more of it may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A row has another number of values than the copy has columns.
    #[error("a copied row has another number of values than the copy has columns ({0})")]
    Columns(usize),
    /// The bytes are not of the copy's format.
    #[error("the copied data is not of its format")]
    Malformed,
    /// A row is longer than rows that are masked may be.
    #[error("a copied row is longer than a masked row may be ({0} bytes)")]
    TooLong(usize),
}

/// Makes the plan of a copy. `columns` is how many the server's `CopyOutResponse` says.
///
/// # Errors
/// Statement and server disagree about how many columns there are.
pub fn plan(
    copy: &CopyOut,
    columns: usize,
    kind: impl Fn(&ColumnRef) -> Option<Kind>,
    masked: &dyn MaskedBy,
    reach: bool,
    detectors: &std::sync::Arc<Detectors>,
) -> Result<Plan, PlanError> {
    let format = match copy.format {
        CopyFormat::Text | CopyFormat::Csv => Format::Text,
        CopyFormat::Binary => Format::Binary,
    };
    let unknown;
    let origins = match &copy.lineage {
        Lineage::Columns(origins) if origins.len() != columns => {
            return Err(PlanError::Count {
                read: origins.len(),
                described: columns,
            });
        }
        Lineage::Columns(origins) => origins,
        Lineage::Unknown => {
            let origin = Origin {
                unknown: true,
                ..Origin::default()
            };
            unknown = vec![origin; columns];
            &unknown
        }
    };
    Ok(Plan::undescribed(origins, kind, format, masked, reach, detectors))
}

/// Masks one copy, from its `CopyOutResponse` to its `CopyDone`.
#[derive(Debug)]
pub struct CopyMask {
    plan: Plan,
    form: Form,
    longest: usize,
    /// What is not a whole row yet.
    waiting: Vec<u8>,
    /// Values masked so far.
    masked: u64,
    /// Rows so far, header lines not counted.
    rows: u64,
}

/// How the rows of a format are told apart and written.
#[derive(Debug)]
enum Form {
    Text(text::Text),
    Csv(csv::Csv),
    Binary(binary::Binary),
}

/// A piece of the stream that leaves as one message.
struct Unit {
    /// Its length.
    length: usize,
    /// It holds a row to be masked; else it passes as it is.
    row: bool,
}

impl CopyMask {
    /// Begins a copy. `longest`: `[limits] masked_row_bytes`.
    pub fn new(copy: &CopyOut, plan: Plan, longest: usize) -> Self {
        let form = match copy.format {
            CopyFormat::Text => Form::Text(text::Text::new(copy)),
            CopyFormat::Csv => Form::Csv(csv::Csv::new(copy)),
            CopyFormat::Binary => Form::Binary(binary::Binary::new()),
        };
        Self {
            plan,
            form,
            longest,
            waiting: Vec::new(),
            masked: 0,
            rows: 0,
        }
    }

    /// Whether everything passes as it is: the caller need not ask.
    pub fn is_clear(&self) -> bool {
        self.plan.is_clear()
    }

    /// Values masked so far.
    pub const fn masked(&self) -> u64 {
        self.masked
    }

    /// Rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the body of a `CopyData`; appends a whole `CopyData` message for each whole row.
    ///
    /// # Errors
    /// The data is not as the statement says, or a row is too long.
    pub fn data(&mut self, body: &[u8], out: &mut BytesMut) -> Result<(), CopyError> {
        let joined;
        let mut rest = if self.waiting.is_empty() {
            body
        } else {
            self.waiting.extend_from_slice(body);
            joined = std::mem::take(&mut self.waiting);
            &joined
        };
        while let Some(unit) = self.form.next(rest)? {
            let (unit_bytes, after) = rest.split_at_checked(unit.length).ok_or(CopyError::Malformed)?;
            self.unit(unit_bytes, unit.row, out)?;
            rest = after;
            self.form.taken();
        }
        if rest.len() > self.longest {
            return Err(CopyError::TooLong(self.longest));
        }
        if !rest.is_empty() {
            self.waiting = rest.to_vec();
        }
        Ok(())
    }

    /// Ends the copy at the server's `CopyDone`.
    ///
    /// # Errors
    /// The data ends inside a row.
    pub fn done(&self) -> Result<(), CopyError> {
        if self.waiting.is_empty() {
            Ok(())
        } else {
            Err(CopyError::Malformed)
        }
    }

    fn unit(&mut self, bytes: &[u8], row: bool, out: &mut BytesMut) -> Result<(), CopyError> {
        self.rows += u64::from(row);
        if !row || self.plan.passes(bytes) {
            return message(bytes, out);
        }
        if bytes.len() > self.longest {
            return Err(CopyError::TooLong(self.longest));
        }
        let mut rewritten = Vec::with_capacity(bytes.len());
        let masked = match &self.form {
            Form::Text(form) => form.mask(&self.plan, bytes, &mut rewritten)?,
            Form::Csv(form) => form.mask(&self.plan, bytes, &mut rewritten)?,
            Form::Binary(form) => form.mask(&self.plan, bytes, &mut rewritten)?,
        };
        self.masked += masked;
        message(if masked == 0 { bytes } else { &rewritten }, out)
    }
}

impl Form {
    /// Finds the first whole unit; `None`: there is none yet.
    fn next(&mut self, bytes: &[u8]) -> Result<Option<Unit>, CopyError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Text(form) => Ok(form.next(bytes)),
            Self::Csv(form) => Ok(form.next(bytes)),
            Self::Binary(form) => form.next(bytes),
        }
    }

    /// The unit that [`Self::next`] found was taken off.
    const fn taken(&mut self) {
        match self {
            Self::Text(form) => form.taken(),
            Self::Csv(form) => form.taken(),
            Self::Binary(form) => form.taken(),
        }
    }
}

fn message(bytes: &[u8], out: &mut BytesMut) -> Result<(), CopyError> {
    let length = u32::try_from(bytes.len() + HEADER - 1)
        .ok()
        .filter(|length| *length <= LARGE);
    let length = length.ok_or(CopyError::TooLong(LARGE as usize))?;
    out.reserve(HEADER + bytes.len());
    out.put_u8(server::COPY_DATA);
    out.put_u32(length);
    out.put_slice(bytes);
    Ok(())
}

/// Counts and replaces one value: what becomes of it.
fn apply<'a>(
    plan: &Plan,
    column: usize,
    value: Option<&'a [u8]>,
    scratch: &'a mut Vec<u8>,
    masked: &mut u64,
) -> Change<'a> {
    scratch.clear();
    match plan.apply(column, value, scratch) {
        Applied::Same => Change::Same,
        Applied::Replaced => {
            *masked += 1;
            Change::To(scratch)
        }
        Applied::Null => {
            *masked += u64::from(value.is_some());
            Change::Null
        }
    }
}

/// What becomes of a value.
enum Change<'a> {
    /// It keeps its bytes.
    Same,
    /// This is written instead.
    To(&'a [u8]),
    /// It becomes NULL.
    Null,
}

#[cfg(test)]
mod tests;
