#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::exec::types::Shape;

fn rows(output: Output, null: Option<&str>) -> Rows {
    Rows::new(Layout {
        output,
        null: null.map(str::to_owned),
        session: "s-0123456789ab".parse().unwrap(),
    })
}

fn column(name: &str, oid: u32) -> Column {
    Column {
        name: name.to_owned(),
        type_name: crate::exec::types::Types::default().name(oid),
        shape: Shape::of(oid),
    }
}

impl Rows {
    fn values(&mut self, values: &[Option<&str>]) {
        let values: Vec<Option<&[u8]>> = values.iter().map(|value| value.map(str::as_bytes)).collect();
        self.format.row(&values, &mut self.buffer);
    }

    fn text(mut self, whole: bool) -> String {
        self.end(whole);
        String::from_utf8(self.buffer).unwrap()
    }
}

fn sample(output: Output, null: Option<&str>) -> String {
    let mut rows = rows(output, null);
    rows.columns(&[column("id", 23), column("name", 25)]);
    rows.values(&[Some("1"), Some("Ada, \"A\"")]);
    rows.values(&[Some("20"), Some("")]);
    rows.values(&[None, None]);
    rows.masked(2);
    rows.complete("SELECT 3");
    rows.complete("DELETE 1");
    rows.text(true)
}

#[test]
fn a_table_is_laid_out_as_psql_does_and_tells_null_from_empty() {
    assert_eq!(
        sample(Output::Table, None),
        "  id  |   name\n------+----------\n    1 | Ada, \"A\"\n   20 |\n NULL | NULL\n(3 rows)\n\nDELETE 1\n"
    );
    assert!(sample(Output::Text, Some("-")).contains("  - | -\n"));
}

#[test]
fn csv_tells_null_from_empty() {
    assert_eq!(sample(Output::Csv, None), "id,name\n1,\"Ada, \"\"A\"\"\"\n20,\"\"\n,\n");
    let mut rows = rows(Output::Csv, Some("N"));
    rows.columns(&[column("a", 25)]);
    rows.values(&[None]);
    rows.values(&[Some("N")]);
    rows.complete("SELECT 2");
    rows.columns(&[column("b", 25)]);
    rows.complete("SELECT 0");
    assert_eq!(rows.text(true), "a\nN\n\"N\"\n\nb\n");
}

#[test]
fn json_is_one_document_with_all_results() {
    assert_eq!(
        sample(Output::Json, None),
        concat!(
            r#"{"session":"s-0123456789ab","results":[{"columns":[{"name":"id","type":"int4"},{"name":"name","type":"text"}],"#,
            r#""rows":[[1,"Ada, \"A\""],[20,""],[null,null]],"command":"SELECT 3","masked":2},"#,
            r#"{"columns":[],"rows":[],"command":"DELETE 1","masked":0}]}"#,
            "\n"
        )
    );
}

#[test]
fn json_lines_have_an_object_a_row() {
    assert_eq!(
        sample(Output::Jsonl, None),
        "{\"id\":1,\"name\":\"Ada, \\\"A\\\"\"}\n{\"id\":20,\"name\":\"\"}\n{\"id\":null,\"name\":null}\n"
    );
}

#[test]
fn json_that_an_error_ends_is_still_a_document() {
    let mut cut = rows(Output::Json, None);
    cut.columns(&[column("a", 23)]);
    cut.values(&[Some("1")]);
    let text = cut.text(false);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["results"][0]["partial"], true);
    assert_eq!(value["results"][0]["rows"][0][0], 1);
    assert_eq!(rows(Output::Json, None).text(false), "", "nothing came");
    assert_eq!(
        rows(Output::Json, None).text(true),
        "{\"session\":\"s-0123456789ab\",\"results\":[]}\n"
    );
}

#[test]
fn a_table_does_not_wait_for_all_rows() {
    let mut rows = rows(Output::Table, None);
    rows.columns(&[column("n", 23)]);
    for n in 0..999 {
        rows.values(&[Some(&n.to_string())]);
    }
    assert!(rows.written().is_empty());
    rows.values(&[Some("999")]);
    assert!(!rows.written().is_empty());
    rows.written().clear();
    rows.values(&[Some("1000000")]);
    assert_eq!(rows.written(), b" 1000000\n");
}

#[test]
fn a_table_shows_nothing_that_moves_the_cursor() {
    let mut rows = rows(Output::Table, None);
    rows.columns(&[column("a\u{1b}[2J", 25)]);
    rows.values(&[Some("x\u{1b}]0;y\u{7}\nz")]);
    rows.complete("SELECT 1");
    let text = rows.text(true);
    assert!(!text.contains('\u{1b}') && text.contains("\\nz"), "{text:?}");
}

proptest! {
    #[test]
    fn any_rows_are_json_and_come_back(
        names in prop::collection::vec(any::<String>(), 1..4),
        cells in prop::collection::vec(prop::option::of(any::<String>()), 0..12),
    ) {
        let columns: Vec<Column> = names.iter().map(|name| column(name, 25)).collect();
        let mut rows = rows(Output::Json, None);
        rows.columns(&columns);
        let whole = cells.chunks_exact(names.len());
        for row in whole.clone() {
            rows.values(&row.iter().map(Option::as_deref).collect::<Vec<_>>());
        }
        rows.complete("SELECT");
        let value: serde_json::Value = serde_json::from_str(&rows.text(true)).unwrap();
        let expected: Vec<Vec<Option<String>>> = whole.map(<[_]>::to_vec).collect();
        prop_assert_eq!(&value["results"][0]["rows"], &serde_json::json!(expected));
    }

    #[test]
    fn csv_comes_back(cells in prop::collection::vec(prop::option::of("[ -~\\n\\r\"]{0,6}"), 1..10), null in "[A-Z]{0,2}") {
        let mut rows = rows(Output::Csv, Some(&null));
        rows.columns(&[column("c", 25)]);
        for cell in &cells {
            rows.values(&[cell.as_deref()]);
        }
        rows.complete("SELECT");
        let text = rows.text(true);
        prop_assert_eq!(read_csv(text.strip_prefix("c\n").unwrap(), &null), cells);
    }
}

/// Reads one column of CSV back.
fn read_csv(text: &str, null: &str) -> Vec<Option<String>> {
    let mut cells = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut cell = String::new();
            let mut characters = quoted.char_indices().peekable();
            let end = loop {
                match characters.next().unwrap() {
                    (_, '"') if characters.peek().is_some_and(|(_, c)| *c == '"') => {
                        characters.next();
                        cell.push('"');
                    }
                    (at, '"') => break at,
                    (_, c) => cell.push(c),
                }
            };
            cells.push(Some(cell));
            rest = quoted[end + 1..].strip_prefix('\n').unwrap();
        } else {
            let (cell, after) = rest.split_once('\n').unwrap();
            cells.push((cell != null).then(|| cell.to_owned()));
            rest = after;
        }
    }
    cells
}
