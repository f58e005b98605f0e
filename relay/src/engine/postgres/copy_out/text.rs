//! COPY's text format: a line a row, backslash escapes, a marker for NULL.

use super::{Change, CopyError, Unit, apply};
use crate::inspect::sql::CopyOut;
use crate::mask::Plan;

#[derive(Debug)]
pub(super) struct Text {
    delimiter: u8,
    null: Vec<u8>,
    /// The next line is the header.
    header: bool,
    /// So much of what waits holds no line break.
    searched: usize,
}

impl Text {
    pub(super) fn new(copy: &CopyOut) -> Self {
        Self {
            delimiter: copy.delimiter,
            null: copy.null.clone().into_bytes(),
            header: copy.header,
            searched: 0,
        }
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<Unit> {
        // a line break in a value is written `\n`, or a backslash stands before it
        loop {
            let rest = bytes.get(self.searched..)?;
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.searched = bytes.len();
                return None;
            };
            let end = self.searched + at;
            let backslashes = bytes[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
            self.searched = end + 1;
            if backslashes % 2 == 0 {
                return Some(Unit {
                    length: end + 1,
                    row: !self.header,
                });
            }
        }
    }

    pub(super) const fn taken(&mut self) {
        self.searched = 0;
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
            let clear;
            let value = if field == self.null {
                None
            } else {
                clear = unescape(field);
                Some(clear.as_slice())
            };
            match apply(plan, column, value, &mut scratch, &mut masked) {
                Change::Same => out.extend_from_slice(field),
                Change::To(value) => self.escape(value, out),
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
    fn field<'a>(&self, row: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        let mut at = 0;
        while let Some(offset) = memchr::memchr2(self.delimiter, b'\\', row.get(at..).unwrap_or_default()) {
            at += offset;
            if row[at] == self.delimiter {
                return (&row[..at], Some(&row[at + 1..]));
            }
            at += 2;
        }
        (row, None)
    }

    fn escape(&self, value: &[u8], out: &mut Vec<u8>) {
        for &byte in value {
            let letter = match byte {
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                b'\\' => b'\\',
                _ if byte == self.delimiter => byte,
                _ => {
                    out.push(byte);
                    continue;
                }
            };
            out.extend_from_slice(&[b'\\', letter]);
        }
    }
}

/// A line and its end.
pub(super) fn line_end(line: &[u8]) -> (&[u8], &[u8]) {
    let length = if line.ends_with(b"\r\n") {
        2
    } else {
        usize::from(line.ends_with(b"\n"))
    };
    line.split_at(line.len() - length)
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            _ => byte,
        });
    }
    out
}
