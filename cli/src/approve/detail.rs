//! One request in full, as lines: what an approver reads before deciding. Everything in it is escaped.

use hoop_shared::api::{PrincipalKind, Request, RequestKind, RequestStatus};
use time::OffsetDateTime;

use super::highlight::{self, Code};
use crate::context::rfc3339;
use crate::printer::escape;
use crate::printer::span::{between, short};

/// Characters of a statement among the earlier ones.
const PAST_STATEMENT: usize = 200;

/// A line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The name of what follows.
    Heading(&'static str),
    /// A name and what it is.
    Fact(String, String),
    /// A line of a statement, exactly as it is but for escapes.
    Code(Code),
    /// An item of a list.
    Item(String),
    /// Nothing.
    Gap,
}

/// Describes a request: who, why, where, the whole statement, what it would do, who may decide, who did.
pub fn describe(request: &Request, now: OffsetDateTime) -> Vec<Line> {
    describe_with(request, None, now)
}

/// The same with what its principal asked for before, the newest first.
pub fn describe_with(request: &Request, past: Option<&[Request]>, now: OffsetDateTime) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut fact = |name: &str, text: String| lines.push(Line::Fact(name.to_owned(), text));
    fact("request", head(request, now));
    fact("who", one_line(&request.principal));
    fact("groups", list_or(&request.groups, "none"));
    let why = request.reason.as_deref();
    fact("why", why.map_or_else(|| "no reason given".to_owned(), one_line));
    fact("connection", one_line(&request.connection));
    let estimate = request.details.iter().find(|(name, _)| is_estimate(name));
    if let Some((_, rows)) = estimate {
        let plural = if rows == "1" { "row" } else { "rows" };
        fact(
            "estimate",
            format!("{} {plural}, by the target's planner", escape::line(rows)),
        );
    }
    if let Some(past) = past {
        fact("before", summary(past));
    }

    lines.push(Line::Gap);
    lines.push(Line::Heading("statement"));
    lines.extend(highlight::lines(&request.statement).into_iter().map(Line::Code));
    if !request.parameters.is_empty() {
        lines.push(Line::Gap);
        lines.push(Line::Heading("parameters"));
        for (number, parameter) in request.parameters.iter().enumerate() {
            let value = parameter
                .value
                .as_deref()
                .map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", escape::line(value)));
            lines.push(Line::Item(format!(
                "${} {} = {value}",
                number + 1,
                escape::line(&parameter.type_name)
            )));
        }
    }
    if !request.effects.is_empty() {
        lines.push(Line::Gap);
        lines.push(Line::Heading("effects"));
        let effects = request.effects.iter();
        lines.extend(effects.map(|effect| {
            Line::Item(format!(
                "{} on {}",
                escape::line(&effect.action),
                escape::line(&effect.resource)
            ))
        }));
    }
    lines.push(Line::Gap);
    let mut fact = |name: &str, text: String| lines.push(Line::Fact(name.to_owned(), text));
    fact("rules", list_or(&request.rules, "none"));
    fact(
        "approvers",
        format!("{} of {}", request.needed, list_or(&request.approvers, "nobody")),
    );
    fact("session", request.session.to_string());
    fact("created", rfc3339(request.created));
    fact("expires", rfc3339(request.expires));
    if !request.decisions.is_empty() {
        lines.push(Line::Gap);
        lines.push(Line::Heading("decisions"));
        for decision in &request.decisions {
            let what = if decision.approve { "approved" } else { "denied" };
            let why = decision
                .reason
                .as_deref()
                .map(|reason| format!(": {}", escape::line(reason)))
                .unwrap_or_default();
            lines.push(Line::Item(format!(
                "{} {what} by {}{why}",
                rfc3339(decision.time),
                escape::line(&decision.by)
            )));
        }
    }
    let mut details = request.details.iter().filter(|(name, _)| !is_estimate(name)).peekable();
    if details.peek().is_some() {
        lines.push(Line::Gap);
        lines.push(Line::Heading("details"));
        for (name, text) in details {
            // A function's body has several lines.
            let text = escape::block(text);
            let mut parts = text.split('\n');
            lines.push(Line::Item(format!(
                "{}: {}",
                escape::line(name),
                parts.next().unwrap_or_default()
            )));
            lines.extend(parts.map(|part| Line::Code(Code::plain(part))));
        }
    }
    if let Some(past) = past.filter(|past| !past.is_empty()) {
        lines.push(Line::Gap);
        lines.push(Line::Heading("asked before"));
        lines.extend(past.iter().map(|request| Line::Item(one_of_the_past(request, now))));
    }
    lines
}

/// Which request it is, and where it stands.
pub fn head(request: &Request, now: OffsetDateTime) -> String {
    format!("{} ({}), {}", request.id, kind(request.kind), status(request, now))
}

/// The relay's name for the planner's estimate among the details.
fn is_estimate(name: &str) -> bool {
    matches!(name, "estimated rows" | "estimated_rows")
}

/// How earlier requests ended, in numbers.
fn summary(past: &[Request]) -> String {
    if past.is_empty() {
        return "nothing that you may see".to_owned();
    }
    let all = [
        RequestStatus::Spent,
        RequestStatus::Approved,
        RequestStatus::Denied,
        RequestStatus::Expired,
        RequestStatus::Cancelled,
        RequestStatus::Pending,
    ];
    let parts: Vec<String> = all
        .into_iter()
        .filter_map(|status| {
            let count = past.iter().filter(|request| request.status == status).count();
            (count > 0).then(|| {
                format!(
                    "{count} {}",
                    if status == RequestStatus::Spent {
                        "ran"
                    } else {
                        word(status)
                    }
                )
            })
        })
        .collect();
    format!("of the last {}: {}", past.len(), parts.join(", "))
}

fn one_of_the_past(request: &Request, now: OffsetDateTime) -> String {
    let decided = request.decisions.last().map(|decision| {
        let why = decision
            .reason
            .as_deref()
            .map(|reason| format!(" ({})", escape::line(reason)));
        format!(" by {}{}", escape::line(&decision.by), why.unwrap_or_default())
    });
    let statement: String = request.statement.chars().take(PAST_STATEMENT).collect();
    let cut = if statement.len() < request.statement.len() {
        "…"
    } else {
        ""
    };
    format!(
        "{} ago, {}{}, {}: {}{cut}",
        short(between(request.created, now)),
        word(request.status),
        decided.unwrap_or_default(),
        escape::line(&request.connection),
        escape::line(&statement),
    )
}

/// The lines as text, for printing; with the colours of 16-colour terminals or without.
pub fn text(lines: &[Line], colour: bool) -> String {
    let names = lines.iter().filter_map(|line| match line {
        Line::Fact(name, _) => Some(name.len()),
        _ => None,
    });
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        match line {
            Line::Heading(heading) => text.push_str(&format!("{heading}:")),
            Line::Fact(name, fact) => text.push_str(&format!("{name:<width$}  {fact}")),
            Line::Code(code) => {
                text.push_str("  | ");
                for (part, kind) in code.parts(0..code.text.len()) {
                    let style = if colour { kind.ansi() } else { anstyle::Style::new() };
                    text.push_str(&format!("{style}{part}{style:#}"));
                }
            }
            Line::Item(item) => text.push_str(&format!("  {item}")),
            Line::Gap => {}
        }
        text.push('\n');
    }
    text
}

/// The status, with how long is left of a pending one.
pub fn status(request: &Request, now: OffsetDateTime) -> String {
    let word = word(request.status);
    if request.status == RequestStatus::Pending {
        format!("{word}, {} left", short(between(now, request.expires)))
    } else {
        word.to_owned()
    }
}

/// The status as JSON has it.
pub const fn word(status: RequestStatus) -> &'static str {
    match status {
        RequestStatus::Pending => "pending",
        RequestStatus::Approved => "approved",
        RequestStatus::Denied => "denied",
        RequestStatus::Expired => "expired",
        RequestStatus::Cancelled => "cancelled",
        RequestStatus::Spent => "spent",
    }
}

/// Person or workload, as JSON has it.
pub const fn principal_kind(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "user",
        PrincipalKind::Workload => "workload",
    }
}

const fn kind(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::Operation => "operation",
        RequestKind::Session => "session",
    }
}

fn one_line(text: &str) -> String {
    escape::line(text).into_owned()
}

fn list_or(words: &[String], none: &str) -> String {
    if words.is_empty() {
        none.to_owned()
    } else {
        one_line(&words.join(", "))
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use hoop_shared::api::{EffectShown, Parameter};
    use std::time::Duration;
    use time::macros::datetime;

    pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-24 03:42:17 UTC);

    /// A pending request by `who`; `number` makes its id.
    pub(crate) fn request(number: u8, who: &str, statement: &str) -> Request {
        let created = NOW - Duration::from_secs(120);
        Request {
            id: format!("r-{:012}", number)
                .parse()
                .unwrap_or_else(|error| unreachable!("{error}")),
            kind: RequestKind::Operation,
            status: RequestStatus::Pending,
            connection: "db-prod".to_owned(),
            principal: who.to_owned(),
            groups: vec!["agents".to_owned()],
            reason: Some("clean up".to_owned()),
            statement: statement.to_owned(),
            parameters: vec![Parameter {
                type_name: "int4".to_owned(),
                value: Some("7".to_owned()),
            }],
            effects: vec![EffectShown {
                action: "sql:delete".to_owned(),
                resource: "db-prod/public.orders".to_owned(),
            }],
            rules: vec!["writes".to_owned()],
            approvers: vec!["dba".to_owned()],
            needed: 1,
            decisions: Vec::new(),
            created,
            expires: created + Duration::from_secs(900),
            session: "s-000000000000".parse().unwrap_or_else(|error| unreachable!("{error}")),
            details: vec![("search_path".to_owned(), "public".to_owned())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{NOW, request};
    use super::*;

    #[test]
    fn everything_that_matters_is_there_and_the_statement_is_whole() {
        let mut long = "select 1\n".repeat(5000);
        long.push_str("; drop table orders");
        let text = text(&describe(&request(1, "agent", &long), NOW), false);
        assert_eq!(text.matches("  | select 1\n").count(), 5000);
        for part in [
            "| ; drop table orders\n",
            "who         agent\n",
            "why         clean up\n",
            "$1 int4 = '7'",
            "13m left",
            "sql:delete on db-prod/public.orders",
            "1 of dba",
            "search_path: public",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn nothing_hides_or_moves_the_cursor() {
        let nasty = "a\u{1b}[2J\u{202e}\u{200b}\rb";
        let mut hostile = request(1, nasty, nasty);
        hostile.reason = Some(nasty.to_owned());
        hostile.connection = nasty.to_owned();
        hostile.groups = vec![nasty.to_owned()];
        hostile.rules = vec![nasty.to_owned()];
        hostile.approvers = vec![nasty.to_owned()];
        hostile.parameters[0].value = Some(nasty.to_owned());
        hostile.parameters[0].type_name = nasty.to_owned();
        hostile.effects[0].resource = nasty.to_owned();
        hostile.details = vec![(nasty.to_owned(), nasty.to_owned())];
        hostile.decisions = vec![hoop_shared::api::DecisionShown {
            by: nasty.to_owned(),
            approve: false,
            reason: Some(nasty.to_owned()),
            time: NOW,
        }];
        let text = text(&describe(&hostile, NOW), false);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\r']), "{text:?}");
        assert_eq!(text.matches("\\x1b[2J\\u{202e}\\u{200b}\\rb").count(), 14);
    }

    #[test]
    fn a_reason_of_several_lines_cannot_pretend_to_be_other_facts() {
        let mut request = request(1, "agent", "select 1");
        request.reason = Some("x\nstatus  approved".to_owned());
        assert!(text(&describe(&request, NOW), false).contains("why         x\\nstatus  approved\n"));
    }

    #[test]
    fn the_planners_estimate_and_what_was_asked_before_stand_above_the_statement() {
        let mut asked = request(9, "agent", "delete from orders");
        asked.details.push(("estimated rows".to_owned(), "12000".to_owned()));
        let mut denied = request(2, "agent", "drop table\norders");
        denied.status = RequestStatus::Denied;
        denied.decisions = vec![hoop_shared::api::DecisionShown {
            by: "bo".to_owned(),
            approve: false,
            reason: Some("no\u{1b}".to_owned()),
            time: NOW,
        }];
        let mut ran = request(1, "agent", &"x".repeat(300));
        ran.status = RequestStatus::Spent;
        let text = text(&describe_with(&asked, Some(&[denied, ran]), NOW), false);
        let above = text.split("statement:").next().unwrap_or_default();
        assert!(
            above.contains("estimate    12000 rows, by the target's planner\n"),
            "{text}"
        );
        assert!(above.contains("before      of the last 2: 1 ran, 1 denied\n"), "{text}");
        assert!(!text.contains("estimated rows:"), "said once");
        assert!(
            text.contains("asked before:\n  2m ago, denied by bo (no\\x1b), db-prod: drop table\\norders\n  2m ago, spent, db-prod: xxx"),
            "{text}"
        );
        assert!(text.ends_with("x…\n"));
    }

    #[test]
    fn colours_are_those_of_every_terminal_and_only_where_they_are_wanted() {
        let lines = describe(&request(1, "agent", "delete from t -- \u{202e}"), NOW);
        assert!(!text(&lines, false).contains('\u{1b}'));
        let coloured = text(&lines, true);
        assert!(coloured.contains("\u{1b}[36mdelete\u{1b}[0m"), "{coloured:?}");
        assert!(!coloured.contains("38;"), "{coloured:?}");
    }

    #[test]
    fn null_is_not_the_text_null() {
        let mut request = request(1, "agent", "select $1");
        request.parameters[0].value = None;
        assert!(text(&describe(&request, NOW), false).contains("$1 int4 = NULL\n"));
        request.parameters[0].value = Some("NULL".to_owned());
        assert!(text(&describe(&request, NOW), false).contains("$1 int4 = 'NULL'\n"));
    }
}
