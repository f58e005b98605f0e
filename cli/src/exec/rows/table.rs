//! `-o table`: as psql lays results out. The widths come from the first rows, up to a bound: later ones that are wider stick out, and
//! nothing waits for the end of a large result. What could move a cursor is written out.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use super::Format;
use crate::exec::messages::Column;
use crate::printer::escape;

/// Rows from which the widths are taken.
const MEASURED_ROWS: usize = 1_000;
/// Bytes of rows that wait to be measured.
const MEASURED_BYTES: usize = 256 * 1024;
/// What NULL is where nothing else is asked for: an empty cell is the empty text.
const NULL: &str = "NULL";

pub struct Table {
    null: String,
    headings: Vec<String>,
    /// The column is set to the right.
    right: Vec<bool>,
    widths: Vec<usize>,
    waiting: Vec<Vec<String>>,
    waiting_bytes: usize,
    /// The heading is out.
    measured: bool,
    rows: u64,
}

impl Table {
    pub fn new(null: Option<String>) -> Self {
        Self {
            null: null.unwrap_or_else(|| NULL.to_owned()),
            headings: Vec::new(),
            right: Vec::new(),
            widths: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            measured: false,
            rows: 0,
        }
    }

    fn cell<'a>(&'a self, value: Option<&'a [u8]>) -> Cow<'a, str> {
        match value {
            None => Cow::Borrowed(&self.null),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => escape::line(text),
                Err(_) => Cow::Owned(escape::line(&String::from_utf8_lossy(bytes)).into_owned()),
            },
        }
    }

    /// Writes the heading and the rows that waited for it.
    fn measure(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.measured, true) {
            return;
        }
        self.widths = (0..self.headings.len())
            .map(|column| {
                let cells = self.waiting.iter().filter_map(|row| row.get(column));
                cells
                    .chain(self.headings.get(column))
                    .map(|cell| cell.width())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for (index, (heading, width)) in self.headings.iter().zip(&self.widths).enumerate() {
            let (left, right) = {
                let space = width.saturating_sub(heading.width());
                (space / 2, space - space / 2)
            };
            out.extend_from_slice(if index == 0 { b" " } else { b"| " });
            out.extend(std::iter::repeat_n(b' ', left));
            out.extend_from_slice(heading.as_bytes());
            out.extend(std::iter::repeat_n(b' ', right + 1));
        }
        end_line(out);
        for (index, width) in self.widths.iter().enumerate() {
            if index > 0 {
                out.push(b'+');
            }
            out.extend(std::iter::repeat_n(b'-', width + 2));
        }
        out.push(b'\n');
        for row in std::mem::take(&mut self.waiting) {
            self.line(&row, out);
        }
        self.waiting_bytes = 0;
    }

    fn line(&self, row: &[String], out: &mut Vec<u8>) {
        for (index, cell) in row.iter().enumerate() {
            let space = self
                .widths
                .get(index)
                .map_or(0, |width| width.saturating_sub(cell.width()));
            let right = self.right.get(index).copied().unwrap_or(false);
            out.extend_from_slice(if index == 0 { b" " } else { b"| " });
            if right {
                out.extend(std::iter::repeat_n(b' ', space));
            }
            out.extend_from_slice(cell.as_bytes());
            if !right {
                out.extend(std::iter::repeat_n(b' ', space));
            }
            out.push(b' ');
        }
        end_line(out);
    }
}

/// Ends a line without the blanks that stand at its end.
fn end_line(out: &mut Vec<u8>) {
    while out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

impl Format for Table {
    fn columns(&mut self, columns: &[Column], _out: &mut Vec<u8>) {
        self.headings = columns
            .iter()
            .map(|column| escape::line(&column.name).into_owned())
            .collect();
        self.right = columns.iter().map(|column| column.shape.is_number()).collect();
        self.measured = columns.is_empty();
        self.rows = 0;
    }

    fn row(&mut self, values: &[Option<&[u8]>], out: &mut Vec<u8>) {
        self.rows += 1;
        let row: Vec<String> = values.iter().map(|value| self.cell(*value).into_owned()).collect();
        if self.measured {
            return self.line(&row, out);
        }
        self.waiting_bytes += row.iter().map(String::len).sum::<usize>();
        self.waiting.push(row);
        if self.waiting.len() >= MEASURED_ROWS || self.waiting_bytes >= MEASURED_BYTES {
            self.measure(out);
        }
    }

    fn complete(&mut self, tag: &str, _masked: u64, out: &mut Vec<u8>) {
        if self.headings.is_empty() {
            out.extend_from_slice(escape::line(tag).as_bytes());
            out.push(b'\n');
            return;
        }
        self.measure(out);
        let rows = self.rows;
        out.extend_from_slice(format!("({rows} row{})\n\n", if rows == 1 { "" } else { "s" }).as_bytes());
        self.headings.clear();
    }

    fn end(&mut self, _whole: bool, out: &mut Vec<u8>) {
        if !self.headings.is_empty() {
            self.measure(out);
        }
    }
}
