//! Results on their way out: as a table, JSON, JSON lines or CSV, each in constant memory.

use hoop_shared::id::SessionId;

use super::messages::{Column, Row};
use crate::error::{Error, Result};
use crate::printer::Output;
use hoop_shared::refusal::Code;

mod csv;
mod json;
mod jsonl;
mod pipe;
mod table;

pub use pipe::{Pipe, ResultFile};

/// What writes results. All of it goes into a buffer, which the caller empties.
trait Format {
    /// A result begins.
    fn columns(&mut self, columns: &[Column], out: &mut Vec<u8>);
    /// One of its rows.
    fn row(&mut self, values: &[Option<&[u8]>], out: &mut Vec<u8>);
    /// The statement is done: its tag, and how many values were masked.
    fn complete(&mut self, tag: &str, masked: u64, out: &mut Vec<u8>);
    /// Nothing follows. `whole` is false where an error ended it all, maybe in mid-result.
    fn end(&mut self, whole: bool, out: &mut Vec<u8>);
}

/// How results are laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// In which format.
    pub output: Output,
    /// What NULL is in a table or CSV.
    pub null: Option<String>,
    /// Numbers are set to the right, and so on, for people; what moves a cursor is written out.
    pub session: SessionId,
}

/// Writes results into a buffer.
pub struct Rows {
    format: Box<dyn Format>,
    columns: usize,
    masked: u64,
    cut: u64,
    begun: bool,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Rows {
    /// Begins.
    pub fn new(layout: Layout) -> Self {
        let Layout { output, null, session } = layout;
        let format: Box<dyn Format> = match output {
            Output::Text | Output::Table => Box::new(table::Table::new(null)),
            Output::Json => Box::new(json::Json::new(session)),
            Output::Jsonl => Box::new(jsonl::Jsonl::default()),
            Output::Csv => Box::new(csv::Csv::new(null)),
        };
        Self {
            format,
            columns: 0,
            masked: 0,
            cut: 0,
            begun: false,
            buffer: Vec::new(),
        }
    }

    /// A result begins.
    pub fn columns(&mut self, columns: &[Column]) {
        self.begun = true;
        self.columns = columns.len();
        self.format.columns(columns, &mut self.buffer);
    }

    /// One of its rows.
    ///
    /// # Errors
    /// The row is not of the result.
    pub fn row(&mut self, row: &Row) -> Result<()> {
        let values = row
            .values()
            .ok()
            .filter(|values| values.len() == self.columns)
            .ok_or_else(|| Error::new(Code::ProtocolViolation, "a row does not have the columns of its result"))?;
        self.format.row(&values, &mut self.buffer);
        Ok(())
    }

    /// The result of a COPY begins: lines of text.
    pub fn copy_out(&mut self) {
        self.columns(&[Column {
            name: "copy".to_owned(),
            type_name: "text".to_owned(),
            shape: super::types::Shape::Text,
        }]);
    }

    /// One of its lines.
    pub fn copy_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        self.format.row(&[Some(line)], &mut self.buffer);
    }

    /// So many values of the next statement that is done were masked.
    pub fn masked(&mut self, values: u64) {
        self.masked = values;
    }

    /// So many of its rows were not kept.
    pub fn cut(&mut self, rows: u64) {
        self.cut += rows;
    }

    /// Rows that were not kept, over all.
    pub fn missing(&self) -> u64 {
        self.cut
    }

    /// A statement is done.
    pub fn complete(&mut self, tag: &str) {
        if !self.begun {
            self.columns = 0;
            self.format.columns(&[], &mut self.buffer);
        }
        self.begun = false;
        self.format
            .complete(tag, std::mem::take(&mut self.masked), &mut self.buffer);
    }

    /// Nothing follows.
    pub fn end(&mut self, whole: bool) {
        self.format.end(whole, &mut self.buffer);
    }

    /// What is written and was not taken yet.
    pub fn written(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }
}

#[cfg(test)]
mod tests;
