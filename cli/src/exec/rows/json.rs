//! `-o json`: one document, `{"session","results":[{"columns","rows","command","masked"}]}`, written as it comes. It is whole JSON also
//! where an error ends it: then the last result has `"partial": true` and no command.

use hoop_shared::id::SessionId;

use super::Format;
use crate::exec::messages::Column;
use crate::exec::types::Shape;
use crate::exec::value;

pub struct Json {
    session: SessionId,
    shapes: Vec<Shape>,
    results: u64,
    rows: u64,
    inside: bool,
}

impl Json {
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            shapes: Vec::new(),
            results: 0,
            rows: 0,
            inside: false,
        }
    }

    /// The document begins with its first result.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.results > 0 {
            out.push(b',');
            return;
        }
        out.extend_from_slice(b"{\"session\":");
        value::string(out, self.session.as_str());
        out.extend_from_slice(b",\"results\":[");
    }
}

impl Format for Json {
    fn columns(&mut self, columns: &[Column], out: &mut Vec<u8>) {
        self.begin(out);
        self.results += 1;
        self.rows = 0;
        self.inside = true;
        self.shapes = columns.iter().map(|column| column.shape.clone()).collect();
        out.extend_from_slice(b"{\"columns\":[");
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"name\":");
            value::string(out, &column.name);
            out.extend_from_slice(b",\"type\":");
            value::string(out, &column.type_name);
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"rows\":[");
    }

    fn row(&mut self, values: &[Option<&[u8]>], out: &mut Vec<u8>) {
        out.push(if self.rows == 0 { b'[' } else { b',' });
        if self.rows > 0 {
            out.push(b'[');
        }
        self.rows += 1;
        for (index, (value, shape)) in values.iter().zip(&self.shapes).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value::json(out, shape, *value);
        }
        out.push(b']');
    }

    fn complete(&mut self, tag: &str, masked: u64, out: &mut Vec<u8>) {
        self.inside = false;
        out.extend_from_slice(b"],\"command\":");
        value::string(out, tag);
        out.extend_from_slice(format!(",\"masked\":{masked}}}").as_bytes());
    }

    fn end(&mut self, whole: bool, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.inside) {
            out.extend_from_slice(b"],\"command\":null,\"masked\":0,\"partial\":true}");
        } else if self.results == 0 {
            if !whole {
                return;
            }
            self.begin(out);
        }
        out.extend_from_slice(b"]}\n");
    }
}
