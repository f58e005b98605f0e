//! Draws the queue: the list above, the selected request in full below, keys or a question at the bottom.
//!
//! Works at 80 columns and 24 lines, and without colour: nothing is told by colour alone.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line as TextLine;
use ratatui::widgets::Paragraph;
use time::OffsetDateTime;

use super::paint::Paint;
use super::queue::{Mode, Queue};
use super::wrap::{fit, wrap};
use crate::printer::escape;
use crate::printer::span::{between, short};

/// Columns of who asks, and of the connection.
const NAME: usize = 16;
/// The list takes a third of the screen at most, and this many lines at least.
const LEAST_LIST: u16 = 3;
/// Less than this many seconds left is urgent.
const URGENT: u64 = 120;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, queue: &mut Queue, now: OffsetDateTime, colour: bool) {
    let paint = Paint { colour };
    let height = frame.area().height;
    let rows = u16::try_from(queue.list().len())
        .unwrap_or(u16::MAX)
        .clamp(1, (height / 3).max(LEAST_LIST));
    let [title, head, list, rule, detail, message, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(frame, title, queue, &paint);
    draw_list(frame, head, list, queue, now, &paint);
    let below = draw_detail(frame, detail, queue, now, &paint);
    draw_rule(frame, rule, queue, below);
    draw_message(frame, message, queue, &paint);
    draw_foot(frame, foot, queue, &paint);
}

fn put(frame: &mut Frame<'_>, area: Rect, line: TextLine<'_>) {
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, queue: &Queue, paint: &Paint) {
    let list = queue.list();
    let (waiting, own) = list.totals();
    let more = if list.is_cut() { " or more" } else { "" };
    let mut text = match waiting {
        0 if list.is_loading() => "Loading what waits for your decision…".to_owned(),
        0 => "Nothing waits for your decision".to_owned(),
        1 => "1 request waits for your decision".to_owned(),
        many => format!("{many}{more} requests wait for your decision"),
    };
    if own > 0 {
        text.push_str(&format!("; {own} of yours for others"));
    }
    if waiting > 0 && list.is_loading() {
        text.push_str(" (loading…)");
    }
    if !list.filter().is_empty() || *queue.mode() == Mode::Filter {
        text.push_str(&format!("; {} with: {}", list.len(), escape::line(list.filter())));
        if *queue.mode() == Mode::Filter {
            text.push('_');
        }
    }
    let style = paint.colour(Color::Cyan).add_modifier(Modifier::BOLD);
    put(
        frame,
        area,
        TextLine::styled(fit(&text, usize::from(area.width)), style),
    );
}

fn draw_list(frame: &mut Frame<'_>, head: Rect, area: Rect, queue: &Queue, now: OffsetDateTime, paint: &Paint) {
    let width = usize::from(area.width);
    let heading = format!(
        "  {:<NAME$} {:<NAME$} {:>4} {:>4}  STATEMENT",
        "WHO", "CONNECTION", "AGE", "LEFT"
    );
    put(
        frame,
        head,
        TextLine::styled(fit(&heading, width), Style::new().add_modifier(Modifier::DIM)),
    );
    let list = queue.list();
    let selected = queue.selected().map(|entry| &entry.id);
    let place = queue.place().unwrap_or(0);
    let height = usize::from(area.height);
    // The selected one stays in view.
    let top = place.saturating_sub(height.saturating_sub(1));
    let lines: Vec<TextLine<'_>> = list
        .from(top)
        .take(height)
        .map(|request| {
            let left = between(now, request.expires);
            let is_selected = Some(&request.id) == selected;
            let mark = if is_selected {
                '>'
            } else if list.is_approved_by_me(request) {
                '+'
            } else {
                ' '
            };
            let text = format!(
                "{mark} {} {} {:>4} {:>4}{} {}",
                fit(&escape::line(&request.principal), NAME),
                fit(&escape::line(&request.connection), NAME),
                short(between(request.created, now)),
                short(left),
                if left.as_secs() < URGENT { '!' } else { ' ' },
                escape::line(&request.statement),
            );
            let style = if is_selected {
                Style::new().add_modifier(Modifier::REVERSED)
            } else if left.as_secs() < URGENT {
                paint.warn()
            } else {
                Style::new()
            };
            TextLine::styled(fit(&text, width), style)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws the part of the details that fits; gives how many lines are below it.
fn draw_detail(frame: &mut Frame<'_>, area: Rect, queue: &mut Queue, now: OffsetDateTime, paint: &Paint) -> usize {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let search = queue.search().to_owned();
    let Some((layout, head, top)) = queue.details(width, height, now) else {
        let text = if queue.selected().is_some() {
            "loading the whole request…"
        } else {
            ""
        };
        frame.render_widget(Paragraph::new(text), area);
        return 0;
    };
    let below = layout.len().saturating_sub(top + height);
    let visible = layout.draw(top, height, &head, &search, paint);
    frame.render_widget(Paragraph::new(visible), area);
    below
}

fn draw_rule(frame: &mut Frame<'_>, area: Rect, queue: &Queue, below: usize) {
    let name = queue
        .selected()
        .map(|request| format!(" {} ", request.id))
        .unwrap_or_default();
    let more = if below > 0 {
        format!(" {below} more lines below ")
    } else {
        String::new()
    };
    let width = usize::from(area.width);
    let rule = width.saturating_sub(name.chars().count() + more.chars().count() + 4);
    let text = format!("──{name}{}{more}──", "─".repeat(rule));
    put(frame, area, TextLine::from(fit(&text, width)));
}

fn draw_message(frame: &mut Frame<'_>, area: Rect, queue: &Queue, paint: &Paint) {
    let width = usize::from(area.width);
    let text = match (queue.message(), queue.out_of_touch()) {
        (Some(message), _) => escape::line(message).into_owned(),
        (None, Some(trouble)) => format!("trying again: {}", escape::line(trouble)),
        (None, None) => String::new(),
    };
    put(frame, area, TextLine::styled(fit(&text, width), paint.warn()));
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, queue: &Queue, paint: &Paint) {
    let width = usize::from(area.width);
    let what = |approve: &bool| if *approve { "approve" } else { "deny" };
    let (text, style) = match queue.mode() {
        Mode::Browse => (
            "j/k move  space/b scroll  a approve  d deny  / filter  s search  n next  q quit".to_owned(),
            Style::new().add_modifier(Modifier::DIM),
        ),
        Mode::Filter => (
            "type words that must be there, who:NAME, on:CONNECTION; Enter keeps, Esc clears".to_owned(),
            Style::new(),
        ),
        Mode::Search => (
            format!("search in this request: {}_", escape::line(queue.search())),
            Style::new().add_modifier(Modifier::BOLD),
        ),
        Mode::Reason { id, approve, text } => {
            let ask = if *approve { "reason (Enter for none)" } else { "reason" };
            let before = format!("{} {id}, {ask}: ", what(approve));
            // The end of what is typed stays in view.
            let room = width.saturating_sub(before.chars().count() + 1);
            let typed = wrap(&escape::line(text), room.max(1)).pop().unwrap_or_default();
            (format!("{before}{typed}_"), Style::new().add_modifier(Modifier::BOLD))
        }
        Mode::Confirm { id, approve, .. } => {
            let unseen = match queue.unseen() {
                0 => String::new(),
                1 => " (1 line of it was not shown yet)".to_owned(),
                many => format!(" ({many} lines of it were not shown yet)"),
            };
            (format!("{} {id}{unseen}? y/N", what(approve)), paint.warn())
        }
    };
    put(frame, area, TextLine::styled(fit(&text, width), style));
}

#[cfg(test)]
mod tests;
