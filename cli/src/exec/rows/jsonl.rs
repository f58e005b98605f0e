//! `-o jsonl`: one object a row, its members in the order of the columns.

use super::Format;
use crate::exec::messages::Column;
use crate::exec::types::Shape;
use crate::exec::value;

#[derive(Default)]
pub struct Jsonl {
    /// What stands before each value, and its shape.
    columns: Vec<(Vec<u8>, Shape)>,
}

impl Format for Jsonl {
    fn columns(&mut self, columns: &[Column], _out: &mut Vec<u8>) {
        self.columns = columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let mut before = vec![if index == 0 { b'{' } else { b',' }];
                value::string(&mut before, &column.name);
                before.push(b':');
                (before, column.shape.clone())
            })
            .collect();
    }

    fn row(&mut self, values: &[Option<&[u8]>], out: &mut Vec<u8>) {
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for (value, (before, shape)) in values.iter().zip(&self.columns) {
            out.extend_from_slice(before);
            value::json(out, shape, *value);
        }
        out.extend_from_slice(b"}\n");
    }

    fn complete(&mut self, _tag: &str, _masked: u64, _out: &mut Vec<u8>) {}

    fn end(&mut self, _whole: bool, _out: &mut Vec<u8>) {}
}
