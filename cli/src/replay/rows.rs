//! A result as a table, in the way of psql.

use unicode_width::UnicodeWidthStr;

use crate::printer::escape;

/// Lays out a result. Values and names are escaped here; NULL is empty, as in psql.
pub fn table(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    if columns.is_empty() {
        // A SELECT of nothing.
        return format!("--\n{}", count(rows.len()));
    }
    let heads: Vec<String> = columns.iter().map(|column| escape::line(column).into_owned()).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|value| {
                    value
                        .as_deref()
                        .map(|value| escape::line(value).into_owned())
                        .unwrap_or_default()
                })
                .collect()
        })
        .collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let values = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            values.max().unwrap_or(0).max(head.width())
        })
        .collect();
    let right: Vec<bool> = (0..heads.len()).map(|column| is_numeric(rows, column)).collect();

    let mut text = String::new();
    let heading = heads.iter().zip(&widths).map(|(head, width)| {
        let left = (width - head.width()) / 2;
        format!(
            " {}{head}{} ",
            " ".repeat(left),
            " ".repeat(width - head.width() - left)
        )
    });
    push_line(&mut text, &heading.collect::<Vec<_>>().join("|"));
    push_line(
        &mut text,
        &widths
            .iter()
            .map(|width| "-".repeat(width + 2))
            .collect::<Vec<_>>()
            .join("+"),
    );
    for row in &cells {
        let line = widths.iter().enumerate().map(|(column, width)| {
            let cell = row.get(column).map(String::as_str).unwrap_or_default();
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            if right[column] {
                format!(" {gap}{cell} ")
            } else {
                format!(" {cell}{gap} ")
            }
        });
        push_line(&mut text, &line.collect::<Vec<_>>().join("|"));
    }
    text.push_str(&count(rows.len()));
    text
}

fn count(rows: usize) -> String {
    let plural = if rows == 1 { "row" } else { "rows" };
    format!("({rows} {plural})\n")
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Every value of the column is a number: the recording has no types.
fn is_numeric(rows: &[Vec<Option<String>>], column: usize) -> bool {
    let mut values = rows
        .iter()
        .filter_map(|row| row.get(column).and_then(Option::as_deref))
        .peekable();
    values.peek().is_some() && values.all(|value| value.len() <= 64 && value.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| Some((*value).to_owned())).collect()
    }

    #[test]
    fn a_result_looks_as_in_psql() {
        let columns = ["id".to_owned(), "email".to_owned()];
        let rows = [some(&["1", "[masked]"]), vec![Some("20".to_owned()), None]];
        assert_eq!(
            table(&columns, &rows),
            " id |  email\n----+----------\n  1 | [masked]\n 20 |\n(2 rows)\n"
        );
    }

    #[test]
    fn an_empty_result_has_its_heading() {
        assert_eq!(table(&["n".to_owned()], &[]), " n\n---\n(0 rows)\n");
        assert_eq!(table(&[], &[vec![]]), "--\n(1 row)\n");
    }

    #[test]
    fn values_cannot_leave_their_cell() {
        let text = table(&["a\nb".to_owned()], &[some(&["x\n(1 row)\u{1b}[2J"]), some(&["日本"])]);
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains(" x\\n(1 row)\\x1b[2J\n") && text.contains("a\\nb"));
    }

    #[test]
    fn a_row_with_too_few_or_too_many_values_is_no_panic() {
        let text = table(
            &["a".to_owned(), "b".to_owned()],
            &[some(&["1"]), some(&["1", "2", "3"])],
        );
        assert_eq!(text.lines().count(), 5);
    }
}
