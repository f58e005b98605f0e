//! `-o csv`: RFC 4180 with PostgreSQL's way to tell NULL from the empty text: nothing is NULL, `""` is empty. With `--null TEXT`, TEXT
//! without quotes is NULL. A second result is parted from the first by an empty line.

use super::Format;
use crate::exec::messages::Column;

pub struct Csv {
    null: String,
    has_columns: bool,
    results: u64,
}

impl Csv {
    pub fn new(null: Option<String>) -> Self {
        Self {
            null: null.unwrap_or_default(),
            has_columns: false,
            results: 0,
        }
    }

    fn field(&self, value: &[u8], out: &mut Vec<u8>) {
        let needs = value.is_empty()
            || value == self.null.as_bytes()
            || value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
        if !needs {
            out.extend_from_slice(value);
            return;
        }
        out.push(b'"');
        for byte in value {
            if *byte == b'"' {
                out.push(b'"');
            }
            out.push(*byte);
        }
        out.push(b'"');
    }
}

impl Format for Csv {
    fn columns(&mut self, columns: &[Column], out: &mut Vec<u8>) {
        self.has_columns = !columns.is_empty();
        if !self.has_columns {
            return;
        }
        if self.results > 0 {
            out.push(b'\n');
        }
        self.results += 1;
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.field(column.name.as_bytes(), out);
        }
        out.push(b'\n');
    }

    fn row(&mut self, values: &[Option<&[u8]>], out: &mut Vec<u8>) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match value {
                Some(value) => self.field(value, out),
                None => out.extend_from_slice(self.null.as_bytes()),
            }
        }
        out.push(b'\n');
    }

    fn complete(&mut self, _tag: &str, _masked: u64, _out: &mut Vec<u8>) {}

    fn end(&mut self, _whole: bool, _out: &mut Vec<u8>) {}
}
