#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

use super::*;
use crate::approve::detail::samples::{NOW, request};

fn drawn(queue: &mut Queue, width: u16, height: u16, colour: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, queue, NOW, colour)).unwrap();
    terminal
}

fn lines(terminal: &Terminal<TestBackend>) -> Vec<String> {
    let buffer = terminal.backend().buffer();
    let area = buffer.area;
    (0..area.height)
        .map(|y| {
            (0..area.width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn queue(requests: Vec<Request>) -> Queue {
    let mut queue = Queue::new("bo".to_owned(), 200);
    queue.listed(requests);
    load(&mut queue);
    queue
}

fn load(queue: &mut Queue) {
    if let Some(id) = queue.missing() {
        let whole = queue.selected().cloned().ok_or_else(String::new);
        queue.fetched(&id, whole);
    }
}

fn press(queue: &mut Queue, c: char) {
    let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
    queue.key(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn all_that_matters_fits_80_by_24() {
    let mut soon = request(2, "ana", "update orders set paid = true");
    soon.expires = NOW + Duration::from_secs(30);
    let mut queue = queue(vec![
        request(1, "agent", "delete from orders where id = $1"),
        soon,
        request(3, "bo", "select 3"),
    ]);
    let lines = lines(&drawn(&mut queue, 80, 24, false));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn without_colour_there_is_no_colour() {
    let mut queue = queue(vec![request(1, "agent", "select 1")]);
    press(&mut queue, 'a');
    for (colour, expected) in [(false, false), (true, true)] {
        let terminal = drawn(&mut queue, 80, 24, colour);
        let buffer = terminal.backend().buffer();
        assert_eq!(
            buffer
                .content()
                .iter()
                .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset),
            expected
        );
    }
}

#[test]
fn a_long_statement_is_all_there_and_says_how_much_is_below() {
    let mut statement: String = (0..100).map(|line| format!("select {line};\n")).collect();
    statement.push_str(&"x".repeat(200));
    statement.push_str(" drop table orders");
    let mut queue = queue(vec![request(1, "agent", &statement)]);
    let first = lines(&drawn(&mut queue, 80, 24, false));
    assert!(first.iter().any(|line| line.contains("more lines below")), "{first:?}");
    let mut seen = first.join("\n");
    for _ in 0..20 {
        press(&mut queue, ' ');
        seen.push('\n');
        seen.push_str(&lines(&drawn(&mut queue, 80, 24, false)).join("\n"));
    }
    assert!((0..100).all(|line| seen.contains(&format!("│ select {line};"))));
    assert!(seen.contains("│ xxx") && seen.contains("┆ xxx") && seen.contains("drop table orders"));
    assert!(
        !lines(&drawn(&mut queue, 80, 24, false))
            .iter()
            .any(|line| line.contains("more lines below"))
    );
}

#[test]
fn the_question_says_what_was_not_shown() {
    let statement = "select 1;\n".repeat(100);
    let mut queue = queue(vec![request(1, "agent", &statement)]);
    drawn(&mut queue, 80, 24, false);
    press(&mut queue, 'a');
    press(&mut queue, '\n');
    let lines = lines(&drawn(&mut queue, 80, 24, false));
    let question = lines.last().unwrap();
    assert!(
        question.starts_with("approve r-000000000001 (") && question.ends_with("lines of it were not shown yet)? y/N"),
        "{question}"
    );
}

#[test]
fn hostile_text_neither_hides_nor_breaks_the_screen() {
    let nasty = "a\u{1b}[2J\r\u{202e}\u{200b}\tb\nselect 2";
    let mut hostile = request(1, nasty, nasty);
    hostile.connection = nasty.to_owned();
    hostile.reason = Some(nasty.to_owned());
    let mut queue = queue(vec![hostile]);
    queue.trouble(nasty);
    let text = lines(&drawn(&mut queue, 80, 30, true)).join("\n");
    assert!(
        !text.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}', '\t']),
        "{text:?}"
    );
    assert!(
        text.contains("│ a\\x1b[2J\\r\\u{202e}\\u{200b}    b") && text.contains("│ select 2"),
        "{text}"
    );
    assert!(text.contains("trying again: a\\x1b[2J"));
}

#[test]
fn no_size_is_too_small() {
    let mut queue = queue(vec![
        request(1, "agent", "select 1"),
        request(2, "日本語日本語日本語", "select '日本語'"),
    ]);
    for (width, height) in [(1, 1), (2, 5), (10, 3), (79, 8), (300, 100)] {
        for c in ['j', 'a', 'x', '\n', 'n'] {
            press(&mut queue, c);
            load(&mut queue);
            drawn(&mut queue, width, height, true);
        }
    }
    let mut empty = Queue::new("bo".to_owned(), 200);
    assert!(lines(&drawn(&mut empty, 80, 24, false))[0].starts_with("Nothing waits"));
}
