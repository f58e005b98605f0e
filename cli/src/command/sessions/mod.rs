//! `hoopctl sessions`

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::api::{EventShown, SessionShown, SessionSummary, Verified};
use hoop_shared::id::SessionId;
use hoop_shared::refusal::Code;
use time::OffsetDateTime;

use super::requests::shortened;
use crate::complete;
use crate::context::{Context, rfc3339};
use crate::error::{Error, Result};
use crate::printer::span::{between, short};
use crate::printer::{escape, facts, table};
use crate::relay_api::RelayApi;
use crate::replay;

/// Show recorded sessions: yours, and those that a `replay` permit opens
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  hoopctl sessions ls\n  hoopctl sessions replay s-0123456789ab --speed 4 --skip-idle"
)]
pub struct SessionsArgs {
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    Ls(LsArgs),
    Show(ShowArgs),
    Replay(replay::ReplayArgs),
    Verify(VerifyArgs),
    Kill(KillArgs),
}

/// List sessions, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl sessions ls --limit 10 -o json")]
struct LsArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Only sessions that began before this one
    #[arg(long, value_name = "ID", add = ArgValueCandidates::new(complete::sessions))]
    before: Option<SessionId>,
}

/// Show a session and its events
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl sessions show s-0123456789ab -o json")]
struct ShowArgs {
    /// The session
    #[arg(add = ArgValueCandidates::new(complete::sessions))]
    id: SessionId,
}

/// Check that nothing in a session's recording is missing or altered
///
/// Exits with 1 if something is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl sessions verify s-0123456789ab")]
struct VerifyArgs {
    /// The session
    #[arg(add = ArgValueCandidates::new(complete::sessions))]
    id: SessionId,
}

/// End a running session: yours, or one that a `kill` permit names
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl sessions kill s-0123456789ab")]
struct KillArgs {
    /// The session
    #[arg(add = ArgValueCandidates::new(complete::running_sessions))]
    id: SessionId,
}

/// Runs the command.
///
/// # Errors
/// There is no login, the relay cannot be asked, or it refuses.
pub async fn run(arguments: SessionsArgs, context: &Context) -> Result<u8> {
    let relay = context.relay().await?;
    match arguments.command {
        SessionsCommand::Ls(arguments) => ls(&arguments, &relay, context).await,
        SessionsCommand::Show(arguments) => show(&arguments.id, &relay, context).await,
        SessionsCommand::Replay(arguments) => replay::run(&arguments, &relay, context).await,
        SessionsCommand::Verify(arguments) => verify(&arguments.id, &relay, context).await,
        SessionsCommand::Kill(arguments) => {
            let _: serde_json::Value = relay
                .post(&format!("/v1/sessions/{}/kill", arguments.id), &serde_json::json!({}))
                .await?;
            context.printer.say(format_args!("{} is ended", arguments.id));
            Ok(0)
        }
    }
}

async fn ls(arguments: &LsArgs, relay: &RelayApi, context: &Context) -> Result<u8> {
    let mut path = format!("/v1/sessions?limit={}", arguments.limit);
    if let Some(before) = &arguments.before {
        path.push_str(&format!("&before={before}"));
    }
    let sessions: Vec<SessionSummary> = relay.get(&path).await?;
    context
        .printer
        .show(&sessions, |sessions| listed(sessions, OffsetDateTime::now_utc()))?;
    if sessions.is_empty() {
        context.printer.say("no session that you may see");
    }
    Ok(0)
}

fn listed(sessions: &[SessionSummary], now: OffsetDateTime) -> String {
    if sessions.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|session| {
            vec![
                session.id.to_string(),
                rfc3339(session.started),
                session.ended.map_or_else(
                    || format!("{} so far", short(between(session.started, now))),
                    |ended| short(between(session.started, ended)),
                ),
                session.principal.clone(),
                session.connection.clone(),
                session.operations.to_string(),
                session.blocked.to_string(),
                session.held.to_string(),
                session.masked.to_string(),
                if session.sealed { "yes" } else { "no" }.to_owned(),
                session.reason.as_deref().map(shortened).unwrap_or_default(),
            ]
        })
        .collect();
    table(
        &[
            "ID",
            "STARTED",
            "TIME",
            "WHO",
            "CONNECTION",
            "OPERATIONS",
            "BLOCKED",
            "HELD",
            "MASKED",
            "SEALED",
            "REASON",
        ],
        &rows,
    )
}

async fn show(id: &SessionId, relay: &RelayApi, context: &Context) -> Result<u8> {
    let mut pages = Pages::new(id.clone());
    let Some(mut shown) = pages.next(relay).await? else {
        return Err(Error::new(Code::NotFound, format!("there is no session {id}")));
    };
    while let Some(more) = pages.next(relay).await? {
        shown.summary = more.summary;
        shown.events.extend(more.events);
    }
    context.printer.show(&shown, described)?;
    Ok(0)
}

fn described(shown: &SessionShown) -> String {
    let session = &shown.summary;
    let mut text = facts(&[
        ("session", session.id.to_string()),
        ("who", session.principal.clone()),
        ("connection", format!("{} ({})", session.connection, session.protocol)),
        (
            "why",
            session.reason.clone().unwrap_or_else(|| "no reason given".to_owned()),
        ),
        ("started", rfc3339(session.started)),
        ("ended", session.ended.map_or_else(|| "still runs".to_owned(), rfc3339)),
        (
            "operations",
            format!(
                "{}, of these {} blocked and {} held",
                session.operations, session.blocked, session.held
            ),
        ),
        ("masked", format!("{} values", session.masked)),
        ("sealed", if session.sealed { "yes" } else { "no" }.to_owned()),
    ]);
    text.push('\n');
    let rows: Vec<Vec<String>> = shown.events.iter().map(row).collect();
    text.push_str(&table(
        &["SEQ", "TIME", "STREAM", "KIND", "DECISION", "ROWS", "MASKED", "WHAT"],
        &rows,
    ));
    text
}

fn row(event: &EventShown) -> Vec<String> {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rules = event
        .rules
        .as_deref()
        .filter(|rules| !rules.is_empty())
        .map(|rules| format!(" by {}", rules.join(", ")));
    let decision = event
        .decision
        .as_ref()
        .map(|decision| format!("{decision}{}", rules.unwrap_or_default()));
    let what = [&event.statement, &event.error, &event.command, &event.detail]
        .into_iter()
        .flatten()
        .next();
    let what = what.map(|what| shortened(what)).unwrap_or_default();
    vec![
        event.seq.to_string(),
        event.time.clone(),
        event.stream.map(|stream| stream.to_string()).unwrap_or_default(),
        event.kind.clone(),
        decision.unwrap_or_default(),
        number(event.rows),
        number(event.masked),
        what,
    ]
}

async fn verify(id: &SessionId, relay: &RelayApi, context: &Context) -> Result<u8> {
    let verified: Verified = relay.get(&format!("/v1/sessions/{id}/verify")).await?;
    context
        .printer
        .show(&verified, |verified| match (&verified.problem, verified.last_good) {
            (None, _) if verified.ok => format!(
                "{}: {} events, nothing missing or altered",
                verified.session, verified.events
            ),
            (problem, last_good) => {
                let until = last_good.map_or_else(|| "from the start".to_owned(), |seq| format!("after event {seq}"));
                let problem = problem.as_deref().map(escape::line).unwrap_or_default();
                format!("{}: NOT intact {until}: {problem}", verified.session)
            }
        })?;
    Ok(u8::from(!verified.ok))
}

/// Reads a session's events page by page.
pub struct Pages {
    id: SessionId,
    after: Option<u64>,
}

impl Pages {
    /// Begins at the first event.
    pub fn new(id: SessionId) -> Self {
        Self { id, after: None }
    }

    /// The next events with the session's line; `None` when there are no more.
    ///
    /// # Errors
    /// The relay cannot be asked, or refuses.
    pub async fn next(&mut self, relay: &RelayApi) -> Result<Option<SessionShown>> {
        let first = self.after.is_none();
        let after = self.after.map(|after| format!("?after={after}")).unwrap_or_default();
        let page: SessionShown = relay.get(&format!("/v1/sessions/{}{after}", self.id)).await?;
        let last = page.events.last().map(|event| event.seq);
        // A relay that gives the same events again must not keep us here.
        if last.is_none() || last <= self.after {
            return Ok(first.then_some(page));
        }
        self.after = last;
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use hoop_shared::protocol::Protocol;
    use time::macros::datetime;

    use super::*;

    fn session() -> SessionSummary {
        SessionSummary {
            id: "s-000000000001".parse().unwrap_or_else(|error| unreachable!("{error}")),
            connection: "db-prod".to_owned(),
            protocol: Protocol::Postgres,
            principal: "agent\u{202e}".to_owned(),
            reason: Some("look\naround".to_owned()),
            started: datetime!(2026-11-24 03:40 UTC),
            ended: Some(datetime!(2026-11-24 03:43 UTC)),
            operations: 12,
            blocked: 1,
            held: 2,
            masked: 345,
            sealed: true,
        }
    }

    #[test]
    fn sessions_are_listed_in_columns() {
        let mut running = session();
        running.ended = None;
        running.sealed = false;
        running.reason = None;
        assert_eq!(
            listed(&[session(), running], datetime!(2026-11-24 03:50 UTC)),
            "ID              STARTED               TIME        WHO            CONNECTION  OPERATIONS  BLOCKED  HELD  MASKED  SEALED  REASON\n\
             s-000000000001  2026-11-24T03:40:00Z  3m          agent\\u{202e}  db-prod     12          1        2     345     yes     look around\n\
             s-000000000001  2026-11-24T03:40:00Z  10m so far  agent\\u{202e}  db-prod     12          1        2     345     no\n"
        );
    }

    #[test]
    fn events_are_rows_and_nothing_in_them_moves_the_cursor() {
        let events = vec![
            EventShown {
                seq: 3,
                time: "2026-11-24T03:40:17Z".to_owned(),
                kind: "statement".to_owned(),
                stream: Some(1),
                statement: Some("drop table orders\u{1b}[2J".to_owned()),
                decision: Some("block".to_owned()),
                rules: Some(vec!["no-drop".to_owned()]),
                ..EventShown::default()
            },
            EventShown {
                seq: 4,
                time: "2026-11-24T03:40:18Z".to_owned(),
                kind: "result".to_owned(),
                stream: Some(1),
                rows: Some(2),
                masked: Some(4),
                command: Some("SELECT 2".to_owned()),
                ..EventShown::default()
            },
        ];
        let text = described(&SessionShown {
            summary: session(),
            events,
        });
        assert!(text.contains("operations  12, of these 1 blocked and 2 held\n"));
        assert!(text.contains("3    2026-11-24T03:40:17Z  1       statement  block by no-drop                drop table orders\\x1b[2J\n"), "{text}");
        assert!(
            text.contains("4    2026-11-24T03:40:18Z  1       result                       2     4       SELECT 2\n"),
            "{text}"
        );
    }
}
