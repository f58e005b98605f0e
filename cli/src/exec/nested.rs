//! Values that hold others: arrays and rows, from their text.

use std::sync::Arc;

use super::types::Shape;
use super::value;

/// How deep arrays may be nested (PostgreSQL, `MAXDIM`).
const DEEPEST: usize = 6;

/// Appends an array from its text (PostgreSQL, "Array Input and Output Syntax"); `None` where it is none.
pub fn array(out: &mut Vec<u8>, element: &Shape, delimiter: u8, text: &str) -> Option<()> {
    if delimiter == b' ' {
        out.push(b'[');
        for (index, item) in text.split_ascii_whitespace().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value::text(out, element, item);
        }
        out.push(b']');
        return Some(());
    }
    // Bounds other than from 1 stand in front: `[0:2]={…}`.
    let body = if text.starts_with('[') {
        text.split_once("]={")
            .map(|(_, body)| body)
            .map(|body| &text[text.len() - body.len() - 1..])?
    } else {
        text
    };
    let mut reader = Items {
        rest: body,
        element,
        delimiter: char::from(delimiter),
    };
    reader.list(out, 1)?;
    reader.rest.is_empty().then_some(())
}

struct Items<'a> {
    rest: &'a str,
    element: &'a Shape,
    delimiter: char,
}

impl Items<'_> {
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        if depth > DEEPEST || !self.take('{') {
            return None;
        }
        out.push(b'[');
        if !self.take('}') {
            loop {
                if self.rest.starts_with('{') {
                    self.list(out, depth + 1)?;
                } else {
                    self.item(out)?;
                }
                if self.take('}') {
                    break;
                }
                if !self.take(self.delimiter) {
                    return None;
                }
                out.push(b',');
            }
        }
        out.push(b']');
        Some(())
    }

    fn item(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let quoted = self.take('"');
        let mut item = String::new();
        let mut characters = self.rest.char_indices();
        let end = loop {
            let (at, c) = characters.next()?;
            match c {
                '\\' => item.push(characters.next()?.1),
                '"' if quoted => break at + 1,
                '}' if !quoted => break at,
                c if !quoted && c == self.delimiter => break at,
                c => item.push(c),
            }
        };
        self.rest = self.rest.get(end..)?;
        if !quoted && item == "NULL" {
            out.extend_from_slice(b"null");
        } else {
            value::text(out, self.element, &item);
        }
        Some(())
    }
}

/// Appends a row as an object from its text (PostgreSQL, "Composite Type Input and Output Syntax"); `None` where it is none.
pub fn row(out: &mut Vec<u8>, columns: &[(Arc<str>, Shape)], text: &str) -> Option<()> {
    let mut rest = text.strip_prefix('(')?;
    out.push(b'{');
    for (index, (name, shape)) in columns.iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(',')?;
            out.push(b',');
        }
        value::string(out, name);
        out.push(b':');
        let (field, after) = field(rest)?;
        match field {
            Some(field) => value::text(out, shape, &field),
            None => out.extend_from_slice(b"null"),
        }
        rest = after;
    }
    out.push(b'}');
    (rest == ")").then_some(())
}

/// A field of a row, and what stands behind it; nothing at all is NULL.
fn field(text: &str) -> Option<(Option<String>, &str)> {
    if text.starts_with([',', ')']) {
        return Some((None, text));
    }
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.char_indices().peekable();
    loop {
        let (at, c) = characters.next()?;
        match c {
            '\\' => field.push(characters.next()?.1),
            '"' if !quoted => quoted = true,
            '"' if characters.next_if(|(_, next)| *next == '"').is_some() => field.push('"'),
            '"' => quoted = false,
            ',' | ')' if !quoted => return Some((Some(field), text.get(at..)?)),
            c => field.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn columns(shapes: &[Shape]) -> Vec<(Arc<str>, Shape)> {
        let named = shapes.iter().enumerate();
        named
            .map(|(index, shape)| (Arc::from(format!("c{index}")), shape.clone()))
            .collect()
    }

    fn written(shapes: &[Shape], text: &str) -> String {
        let mut out = Vec::new();
        value::text(&mut out, &Shape::Row(columns(shapes).into()), text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_objects() {
        let shapes = [Shape::Number, Shape::Text, Shape::Bool];
        assert_eq!(written(&shapes, "(1,a,t)"), r#"{"c0":1,"c1":"a","c2":true}"#);
        assert_eq!(written(&shapes, "(,\"\",)"), r#"{"c0":null,"c1":"","c2":null}"#);
        assert_eq!(
            written(&shapes, r#"(7,"say ""hi"", \\ (x)",f)"#),
            r#"{"c0":7,"c1":"say \"hi\", \\ (x)","c2":false}"#
        );
        assert_eq!(written(&[], "()"), "{}");
        assert_eq!(written(&[Shape::Text], "()"), r#"{"c0":null}"#);
    }

    #[test]
    fn rows_and_arrays_hold_each_other() {
        let pair = Shape::Row(columns(&[Shape::Number, Shape::Text]).into());
        let pairs = Shape::Array(Arc::new(pair.clone()), b',');
        assert_eq!(
            written(&[pair, pairs], r#"("(1,""a b"")","{""(2,c)"",NULL}")"#),
            r#"{"c0":{"c0":1,"c1":"a b"},"c1":[{"c0":2,"c1":"c"},null]}"#
        );
    }

    #[test]
    fn what_is_no_row_of_these_columns_is_a_string() {
        for text in [
            "", "(", "(1", "(1)", "(1,a", "(1,a,b)", "(1,a)x", "1,a", "(1,\"a)", "***",
        ] {
            let json = written(&[Shape::Number, Shape::Text], text);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{json}");
        }
    }

    proptest! {
        #[test]
        fn rows_of_text_come_back(fields in prop::collection::vec(prop::option::of(any::<String>()), 1..5)) {
            let quoted: Vec<String> = fields
                .iter()
                .map(|field| field.as_ref().map_or(String::new(), |field| {
                    format!("\"{}\"", field.replace('\\', "\\\\").replace('"', "\"\""))
                }))
                .collect();
            let json = written(&vec![Shape::Text; fields.len()], &format!("({})", quoted.join(",")));
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            for (index, field) in fields.iter().enumerate() {
                prop_assert_eq!(object[&format!("c{index}")].as_str(), field.as_deref());
            }
        }

        #[test]
        fn whatever_comes_is_json(text in "[(){},\"\\\\a1 ]{0,12}") {
            let pair = Shape::Row(columns(&[Shape::Number, Shape::Text]).into());
            let shapes = [Shape::Array(Arc::new(pair.clone()), b','), pair];
            for shape in &shapes {
                let mut out = Vec::new();
                value::text(&mut out, shape, &text);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            }
        }
    }
}
