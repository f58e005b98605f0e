//! One event of a recording as text.

use hoop_shared::api::{EventShown, SessionSummary};

use super::rows;
use crate::context::rfc3339;
use crate::printer::escape;

/// The line above a replay.
pub fn title(session: &SessionSummary) -> String {
    let reason = session
        .reason
        .as_deref()
        .map(|reason| format!(", reason: {}", escape::line(reason)))
        .unwrap_or_default();
    format!(
        "# {}: {} on {} ({}), {}{reason}\n",
        session.id,
        escape::line(&session.principal),
        escape::line(&session.connection),
        session.protocol,
        rfc3339(session.started),
    )
}

/// An event as text, with a line end; empty for one that has nothing to show.
pub fn shown(event: &EventShown, connection: &str) -> String {
    let mut text = String::new();
    match event.kind.as_str() {
        "statement" => statement(event, connection, &mut text),
        "result" | "part" => result(event, &mut text),
        "decision" => decision(event, &mut text),
        "notice" => push(
            &mut text,
            "NOTICE:  ",
            event.error.as_deref().or(event.detail.as_deref()),
        ),
        "cancel" => note(event, "the client asked to cancel", &mut text),
        "refused" => push(
            &mut text,
            "ERROR:  ",
            event.error.as_deref().or(event.detail.as_deref()),
        ),
        "copy_in" => note(event, "the client sent data", &mut text),
        "opened" => note(event, "connected", &mut text),
        "closed" => note(event, "disconnected", &mut text),
        "sealed" => note(event, "the recording is complete", &mut text),
        // The title has what the first event says.
        "session" => {}
        other => note(event, &escape::line(other), &mut text),
    }
    text
}

/// The statement as the client sent it, and what policy said where that is not simply to let it pass.
fn statement(event: &EventShown, connection: &str, text: &mut String) {
    let prompt = format!("{} {}=> ", mark(event), escape::line(connection));
    let indent = " ".repeat(prompt.chars().count());
    let statement = event.statement.as_deref().map(escape::block).unwrap_or_default();
    for (number, line) in statement.split('\n').enumerate() {
        text.push_str(if number == 0 { &prompt } else { &indent });
        text.push_str(line);
        text.push('\n');
    }
    for (number, parameter) in event.parameters.iter().flatten().enumerate() {
        let value = parameter
            .value
            .as_deref()
            .map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", escape::line(value)));
        text.push_str(&format!("{indent}-- ${} = {value}\n", number + 1));
    }
    let rules = event.rules.as_deref().unwrap_or_default().join(", ");
    let rules = escape::line(&rules);
    match event.decision.as_deref() {
        Some("block") if rules.is_empty() => text.push_str(&format!("{indent}-- blocked: no policy permits it\n")),
        Some("block") => text.push_str(&format!("{indent}-- blocked by policy {rules}\n")),
        Some("approval") => {
            let request = event
                .request
                .as_ref()
                .map(|request| format!(": {request}"))
                .unwrap_or_default();
            text.push_str(&format!("{indent}-- held for approval by policy {rules}{request}\n"));
        }
        _ => {}
    }
}

fn result(event: &EventShown, text: &mut String) {
    if let Some(result) = &event.result {
        text.push_str(&rows::table(event.columns.as_deref().unwrap_or_default(), result));
    } else if let Some(rows) = event.rows.filter(|rows| *rows > 0) {
        let plural = if rows == 1 { "row" } else { "rows" };
        text.push_str(&format!("({rows} {plural}, content not recorded)\n"));
    }
    if let Some(masked) = event.masked.filter(|masked| *masked > 0) {
        let plural = if masked == 1 { "value" } else { "values" };
        text.push_str(&format!("-- {masked} masked {plural}\n"));
    }
    push(text, "ERROR:  ", event.error.as_deref());
    if event.result.is_none() || event.error.is_some() {
        push(text, "", event.command.as_deref());
    }
    if !text.is_empty() {
        text.push('\n');
    }
}

/// What became of a held statement, and who decided.
fn decision(event: &EventShown, text: &mut String) {
    let request = event
        .request
        .as_ref()
        .map(|request| format!("{request} "))
        .unwrap_or_default();
    let what = event
        .detail
        .as_deref()
        .or(event.decision.as_deref())
        .unwrap_or("decided");
    text.push_str(&format!("{} -- {request}{}\n", mark(event), escape::line(what)));
    push(text, "ERROR:  ", event.error.as_deref());
}

fn note(event: &EventShown, what: &str, text: &mut String) {
    let detail = event
        .detail
        .as_deref()
        .or(event.error.as_deref())
        .map(|detail| format!(": {}", escape::line(detail)));
    text.push_str(&format!("{} -- {what}{}\n", mark(event), detail.unwrap_or_default()));
}

fn push(text: &mut String, before: &str, what: Option<&str>) {
    if let Some(what) = what {
        text.push_str(before);
        text.push_str(&escape::block(what));
        text.push('\n');
    }
}

/// The time of day, and the client connection where there is more than the first.
fn mark(event: &EventShown) -> String {
    let time = event
        .time
        .split('T')
        .nth(1)
        .and_then(|time| time.get(..8))
        .unwrap_or("--:--:--");
    let time = escape::line(time);
    match event.stream {
        Some(stream) if stream > 1 => format!("{time} [{stream}]"),
        _ => time.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hoop_shared::api::Parameter;

    use super::*;

    fn event(kind: &str) -> EventShown {
        EventShown {
            time: "2026-11-24T03:40:17.123Z".to_owned(),
            kind: kind.to_owned(),
            stream: Some(1),
            ..EventShown::default()
        }
    }

    #[test]
    fn a_masked_result_is_shown_as_it_was() {
        let mut asked = event("statement");
        asked.statement = Some("select id,\n  email from customers".to_owned());
        asked.decision = Some("allow".to_owned());
        let mut result = event("result");
        result.columns = Some(vec!["id".to_owned(), "email".to_owned()]);
        result.result = Some(vec![vec![Some("1".to_owned()), Some("[masked]".to_owned())]]);
        result.rows = Some(1);
        result.masked = Some(1);
        result.command = Some("SELECT 1".to_owned());
        assert_eq!(
            shown(&asked, "db-prod") + &shown(&result, "db-prod"),
            "03:40:17 db-prod=> select id,\n                     email from customers\n \
             id |  email\n----+----------\n  1 | [masked]\n(1 row)\n-- 1 masked value\n\n"
        );
    }

    #[test]
    fn what_was_blocked_or_held_says_by_whom() {
        let mut blocked = event("statement");
        blocked.statement = Some("drop table orders".to_owned());
        blocked.decision = Some("block".to_owned());
        blocked.rules = Some(vec!["no-drop".to_owned()]);
        assert!(shown(&blocked, "db").ends_with("-- blocked by policy no-drop\n"));
        blocked.rules = None;
        assert!(shown(&blocked, "db").ends_with("-- blocked: no policy permits it\n"));

        let mut held = event("statement");
        held.statement = Some("delete from orders where id = $1".to_owned());
        held.parameters = Some(vec![Parameter {
            type_name: "int4".to_owned(),
            value: Some("7".to_owned()),
        }]);
        held.decision = Some("approval".to_owned());
        held.rules = Some(vec!["writes".to_owned()]);
        held.request = "r-000000000001".parse().ok();
        let text = shown(&held, "db");
        assert!(
            text.contains("-- $1 = '7'\n") && text.ends_with("-- held for approval by policy writes: r-000000000001\n"),
            "{text}"
        );
        let mut decided = event("decision");
        decided.request = "r-000000000001".parse().ok();
        decided.detail = Some("approved by bo: fine".to_owned());
        assert_eq!(
            shown(&decided, "db"),
            "03:40:17 -- r-000000000001 approved by bo: fine\n"
        );
    }

    #[test]
    fn an_error_is_in_the_servers_words() {
        let mut failed = event("result");
        failed.error = Some("relation \"x\" does not exist".to_owned());
        assert_eq!(shown(&failed, "db"), "ERROR:  relation \"x\" does not exist\n\n");
        let mut unrecorded = event("result");
        unrecorded.rows = Some(2);
        unrecorded.command = Some("SELECT 2".to_owned());
        assert_eq!(shown(&unrecorded, "db"), "(2 rows, content not recorded)\nSELECT 2\n\n");
    }

    #[test]
    fn nothing_in_an_event_moves_the_cursor() {
        let nasty = "a\u{1b}[2J\rb\u{202e}";
        for kind in [
            "session",
            "statement",
            "result",
            "part",
            "decision",
            "notice",
            "cancel",
            "refused",
            "copy_in",
            "opened",
            "closed",
            "sealed",
            nasty,
        ] {
            let mut event = event(kind);
            event.time = format!("2026T{nasty}{nasty}");
            event.statement = Some(nasty.to_owned());
            event.parameters = Some(vec![Parameter {
                type_name: nasty.to_owned(),
                value: Some(nasty.to_owned()),
            }]);
            event.decision = Some("approval".to_owned());
            event.rules = Some(vec![nasty.to_owned()]);
            event.command = Some(nasty.to_owned());
            event.error = Some(nasty.to_owned());
            event.detail = Some(nasty.to_owned());
            event.columns = Some(vec![nasty.to_owned()]);
            event.result = Some(vec![vec![Some(nasty.to_owned())]]);
            let text = shown(&event, nasty);
            assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{kind}: {text:?}");
        }
    }

    #[test]
    fn other_client_connections_are_numbered() {
        let mut second = event("opened");
        second.stream = Some(2);
        assert_eq!(shown(&second, "db"), "03:40:17 [2] -- connected\n");
    }
}
