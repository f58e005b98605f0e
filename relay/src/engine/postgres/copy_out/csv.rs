//! COPY's CSV format: a line a row, quotes around values that need them, a marker for NULL that is never quoted.

use super::text::line_end;
use super::{Change, CopyError, Unit, apply};
use crate::inspect::sql::CopyOut;
use crate::mask::Plan;

#[derive(Debug)]
pub(super) struct Csv {
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: Vec<u8>,
    /// The next line is the header.
    header: bool,
    /// So much of what waits was looked at, without finding the row's end.
    searched: usize,
    /// It ends between quotes.
    quoted: bool,
}

/// A field as it is written.
struct Field<'a> {
    written: &'a [u8],
    value: Vec<u8>,
    quoted: bool,
}

impl Csv {
    pub(super) fn new(copy: &CopyOut) -> Self {
        Self {
            delimiter: copy.delimiter,
            quote: copy.quote,
            escape: copy.escape,
            null: copy.null.clone().into_bytes(),
            header: copy.header,
            searched: 0,
            quoted: false,
        }
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<Unit> {
        while let Some(&byte) = bytes.get(self.searched) {
            if self.quoted && byte == self.escape {
                match bytes.get(self.searched + 1) {
                    // whether it escapes is not known yet
                    None => return None,
                    Some(next) if *next == self.quote || *next == self.escape => {
                        self.searched += 2;
                        continue;
                    }
                    Some(_) => {}
                }
            }
            self.searched += 1;
            if byte == self.quote {
                self.quoted = !self.quoted;
            } else if byte == b'\n' && !self.quoted {
                return Some(Unit {
                    length: self.searched,
                    row: !self.header,
                });
            }
        }
        None
    }

    pub(super) const fn taken(&mut self) {
        self.searched = 0;
        self.quoted = false;
        self.header = false;
    }

    pub(super) fn mask(&self, plan: &Plan, line: &[u8], out: &mut Vec<u8>) -> Result<u64, CopyError> {
        let (row, end) = line_end(line);
        let mut masked = 0;
        let mut column = 0;
        let mut scratch = Vec::new();
        let mut rest = Some(row).filter(|row| !row.is_empty() || plan.columns() > 0);
        while let Some(row) = rest {
            let (field, after) = self.field(row);
            rest = after;
            if column > 0 {
                out.push(self.delimiter);
            }
            let value = (field.quoted || field.value != self.null).then_some(field.value.as_slice());
            match apply(plan, column, value, &mut scratch, &mut masked) {
                Change::Same => out.extend_from_slice(field.written),
                Change::To(value) => self.put(value, field.quoted, out),
                Change::Null => out.extend_from_slice(&self.null),
            }
            column += 1;
        }
        if column != plan.columns() {
            return Err(CopyError::Columns(plan.columns()));
        }
        out.extend_from_slice(end);
        Ok(masked)
    }

    /// The first field and what stands behind its delimiter.
    fn field<'a>(&self, row: &'a [u8]) -> (Field<'a>, Option<&'a [u8]>) {
        let mut field = Field {
            written: row,
            value: Vec::new(),
            quoted: false,
        };
        let mut inside = false;
        let mut at = 0;
        while let Some(&byte) = row.get(at) {
            let next = row.get(at + 1).copied();
            if inside && byte == self.escape && next.is_some_and(|next| next == self.quote || next == self.escape) {
                field.value.extend(next);
                at += 2;
                continue;
            }
            if byte == self.quote {
                inside = !inside;
                field.quoted = true;
            } else if byte == self.delimiter && !inside {
                field.written = &row[..at];
                return (field, Some(&row[at + 1..]));
            } else {
                field.value.push(byte);
            }
            at += 1;
        }
        (field, None)
    }

    /// Writes a value; in quotes where it was, or where it must.
    fn put(&self, value: &[u8], quoted: bool, out: &mut Vec<u8>) {
        let special = |byte: &u8| [self.delimiter, self.quote, b'\n', b'\r'].contains(byte);
        let quoted = quoted || value == self.null || value == b"\\." || value.iter().any(special);
        if !quoted {
            out.extend_from_slice(value);
            return;
        }
        out.push(self.quote);
        for &byte in value {
            if byte == self.quote || byte == self.escape {
                out.push(self.escape);
            }
            out.push(byte);
        }
        out.push(self.quote);
    }
}
