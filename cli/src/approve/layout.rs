//! A request's details, broken to the width of the screen once, and drawn a screenful at a time: a statement of some megabytes costs no
//! more to look at than a short one.

use std::ops::Range;

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line as TextLine, Span};

use super::detail::Line;
use super::highlight::Kind;
use super::paint::Paint;
use super::wrap::{TAB, breaks};

/// Columns of a fact's name.
const FACT: usize = 12;
/// Columns before a line of code, and before an item.
const BAR: usize = 2;
const INDENT: usize = 4;

/// Lines in rows.
#[derive(Debug)]
pub struct Layout {
    lines: Vec<Line>,
    rows: Vec<Row>,
}

/// A piece of a line that fits the width.
#[derive(Clone, Copy, Debug)]
struct Row {
    line: usize,
    start: usize,
    end: usize,
}

impl Layout {
    /// Breaks lines to a width.
    pub fn new(lines: Vec<Line>, width: usize) -> Self {
        let mut rows = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            let (text, before) = text(line);
            let mut starts = breaks(text, width.saturating_sub(before)).into_iter().peekable();
            while let Some(start) = starts.next() {
                rows.push(Row {
                    line: number,
                    start,
                    end: starts.peek().copied().unwrap_or(text.len()),
                });
            }
        }
        Self { lines, rows }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows whose line has `needle` where they begin or go on, in any case of ASCII letters.
    pub fn find(&self, needle: &str) -> Vec<usize> {
        let needle = needle.to_ascii_lowercase();
        if needle.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut rows = self.rows.iter().enumerate().peekable();
        for (number, line) in self.lines.iter().enumerate() {
            let hay = text(line).0.to_ascii_lowercase();
            let places: Vec<usize> = hay.match_indices(&needle).map(|(place, _)| place).collect();
            while let Some((index, row)) = rows.next_if(|(_, row)| row.line == number) {
                if places.iter().any(|place| (row.start..row.end).contains(place)) {
                    found.push(index);
                }
            }
        }
        found
    }

    /// Draws rows from `top` on; `head` stands for the text of the first line, which changes with the time.
    pub fn draw(&self, top: usize, height: usize, head: &str, needle: &str, paint: &Paint) -> Vec<TextLine<'static>> {
        let rows = self.rows.iter().enumerate().skip(top).take(height);
        rows.map(|(index, row)| {
            let line = self.lines.get(row.line);
            let head = (index == 0).then_some(head);
            line.map_or_else(TextLine::default, |line| drawn(line, row, head, needle, paint))
        })
        .collect()
    }
}

/// What of a line is broken, and how many columns stand before it.
fn text(line: &Line) -> (&str, usize) {
    match line {
        Line::Heading(heading) => (heading, 0),
        Line::Fact(_, text) => (text, FACT),
        Line::Code(code) => (&code.text, BAR),
        Line::Item(item) => (item, INDENT),
        Line::Gap => ("", 0),
    }
}

fn drawn(line: &Line, row: &Row, head: Option<&str>, needle: &str, paint: &Paint) -> TextLine<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let first = row.start == 0;
    let piece = |text: &str| text.get(row.start..row.end).unwrap_or_default().to_owned();
    let mut spans = Vec::new();
    match line {
        Line::Heading(heading) => spans.push(Span::styled((*heading).to_owned(), bold)),
        Line::Gap => {}
        Line::Fact(name, text) => {
            let name = if first { name.as_str() } else { "" };
            spans.push(Span::styled(format!("{name:<FACT$}"), bold));
            spans.extend(marked(&[(head.unwrap_or(&piece(text)), Style::new())], needle));
        }
        Line::Code(code) => {
            // A line of code begins with a bar; where it was broken, the bar is dotted.
            spans.push(Span::styled(if first { "│ " } else { "┆ " }, paint.of(Kind::Keyword)));
            let parts = code
                .parts(row.start..row.end)
                .map(|(part, kind)| (part, paint.of(kind)));
            spans.extend(marked(&parts.collect::<Vec<_>>(), needle));
        }
        Line::Item(item) => {
            let indent = if first { "  " } else { "    " };
            spans.push(Span::raw(indent));
            spans.extend(marked(&[(&piece(item), Style::new())], needle));
        }
    }
    TextLine::from(spans)
}

/// Parts of one row, each in its style; what is searched for is reversed, wherever parts begin and end.
fn marked(parts: &[(&str, Style)], needle: &str) -> Vec<Span<'static>> {
    let row: String = parts.iter().map(|(text, _)| text.to_ascii_lowercase()).collect();
    let needle = needle.to_ascii_lowercase();
    let found: Vec<Range<usize>> = if needle.is_empty() {
        Vec::new()
    } else {
        let places = row.match_indices(&needle);
        places.map(|(place, found)| place..place + found.len()).collect()
    };
    let mut spans = Vec::new();
    let mut before = 0;
    for (text, style) in parts {
        let mut at = 0;
        while at < text.len() {
            let place = before + at;
            let inside = found.iter().find(|range| range.contains(&place));
            let next = found.iter().map(|range| range.start).find(|start| *start > place);
            let end = inside.map(|range| range.end).or(next).unwrap_or(usize::MAX);
            let end = (end - before).min(text.len());
            let style = match inside {
                Some(_) => style.add_modifier(Modifier::REVERSED),
                None => *style,
            };
            let part = text.get(at..end).unwrap_or_default();
            spans.push(Span::styled(part.replace('\t', TAB), style));
            at = end;
        }
        before += text.len();
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approve::detail::describe;
    use crate::approve::detail::samples::{NOW, request};

    fn plain(rows: &[TextLine<'_>]) -> Vec<String> {
        rows.iter()
            .map(|row| row.spans.iter().map(|span| span.content.as_ref()).collect())
            .collect()
    }

    #[test]
    fn nothing_of_a_line_is_lost_and_nothing_is_too_wide() {
        let statement = format!("select '{}'\n\tfrom t", "日本x".repeat(30));
        let layout = Layout::new(describe(&request(1, "agent", &statement), NOW), 20);
        let rows = plain(&layout.draw(0, usize::MAX, "head", "", &Paint { colour: false }));
        assert!(
            rows.iter()
                .all(|row| unicode_width::UnicodeWidthStr::width(row.as_str()) <= 20),
            "{rows:?}"
        );
        let code: String = rows
            .iter()
            .filter_map(|row| row.strip_prefix("│ ").or_else(|| row.strip_prefix("┆ ")))
            .collect();
        assert_eq!(code, statement.replace('\n', "").replace('\t', TAB));
        assert_eq!(rows[0], "request     head");
    }

    #[test]
    fn what_is_searched_for_is_found_in_its_row_and_marked() {
        let statement = format!("select {}\nDROP TABLE x", "a, ".repeat(40));
        let layout = Layout::new(describe(&request(1, "agent", &statement), NOW), 40);
        let found = layout.find("drop table");
        assert_eq!(found.len(), 1);
        let row = layout.draw(found[0], 1, "", "drop table", &Paint { colour: false });
        let marked: String = row[0]
            .spans
            .iter()
            .filter(|span| span.style.add_modifier.contains(Modifier::REVERSED))
            .map(|span| span.content.as_ref())
            .collect();
        assert_eq!(marked, "DROP TABLE");
        assert!(layout.find("").is_empty() && layout.find("nowhere").is_empty());
    }
}
