#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

use super::*;
use crate::approve::detail::samples::{NOW, request};
use crate::approve::queue::Whole;
use hoop_shared::api::Request;

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
    queue.take(requests.clone());
    queue.complete();
    load(&mut queue, &requests);
    queue
}

fn load(queue: &mut Queue, requests: &[Request]) {
    if let Some(id) = queue.missing() {
        let request = requests.iter().find(|request| request.id == id).cloned().unwrap();
        let mut before = super::super::detail::samples::request(9, &request.principal, "update t set a = 1");
        before.status = hoop_shared::api::RequestStatus::Spent;
        let past = Some(vec![before]);
        queue.fetched(&id, Ok(Whole { request, past }));
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
    let requests = vec![
        request(1, "agent", "select 1"),
        request(2, "日本語日本語日本語", "select '日本語'"),
    ];
    let mut queue = queue(requests.clone());
    for (width, height) in [(1, 1), (2, 5), (10, 3), (79, 8), (300, 100)] {
        for c in ['j', 'a', 'x', '\n', 'n'] {
            press(&mut queue, c);
            load(&mut queue, &requests);
            drawn(&mut queue, width, height, true);
        }
    }
    let mut empty = Queue::new("bo".to_owned(), 200);
    empty.complete();
    assert!(lines(&drawn(&mut empty, 80, 24, false))[0].starts_with("Nothing waits"));
}

#[test]
fn ten_thousand_requests_are_drawn_as_fast_as_ten() {
    let mut queue = Queue::new("bo".to_owned(), 20_000);
    for page in 0..20_u32 {
        queue.take(
            (0..500)
                .map(|number| {
                    let mut one = request(1, "agent", "delete from orders where id = 1");
                    one.id = format!("r-{:012}", page * 500 + number).parse().unwrap();
                    one
                })
                .collect(),
        );
    }
    queue.complete();
    let started = std::time::Instant::now();
    for _ in 0..20 {
        press(&mut queue, 'J');
        drawn(&mut queue, 80, 24, true);
    }
    // A drawing at a key takes much less than a blink, also in a build without optimisations on a busy machine.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let lines = lines(&drawn(&mut queue, 80, 24, false));
    assert!(lines[0].starts_with("10000 requests wait"), "{}", lines[0]);
}

#[test]
fn a_statement_of_megabytes_is_laid_out_once() {
    let statement = "select 1; -- and so on\n".repeat(200_000);
    let mut queue = queue(vec![request(1, "agent", &statement)]);
    drawn(&mut queue, 80, 24, true);
    let started = std::time::Instant::now();
    for _ in 0..20 {
        press(&mut queue, ' ');
        drawn(&mut queue, 80, 24, true);
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    press(&mut queue, 'G');
    assert!(
        lines(&drawn(&mut queue, 80, 24, false))
            .iter()
            .all(|line| !line.contains("more lines below"))
    );
}

#[test]
fn the_statement_is_coloured_and_what_hides_in_it_stands_out() {
    let mut queue = queue(vec![request(1, "agent", "delete from t where a = 'x' -- \u{202e}")]);
    let terminal = drawn(&mut queue, 80, 40, true);
    let buffer = terminal.backend().buffer();
    let row = (0..40).find(|y| buffer[(0, *y)].symbol() == "│").unwrap();
    let colour_at = |text: &str| {
        let line: String = (0..80).map(|x| buffer[(x, row)].symbol()).collect();
        let column = line.find(text).map(|byte| line[..byte].chars().count()).unwrap();
        let cell = &buffer[(u16::try_from(column).unwrap(), row)];
        (cell.fg, cell.modifier.contains(Modifier::REVERSED))
    };
    assert_eq!(colour_at("delete"), (Color::Cyan, false));
    assert_eq!(colour_at("'x'"), (Color::Green, false));
    assert_eq!(colour_at("-- "), (Color::Yellow, false));
    assert_eq!(colour_at("\\u{202e}"), (Color::Red, true));
}
