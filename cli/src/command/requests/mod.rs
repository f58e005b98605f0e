//! `hoopctl requests`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;
use time::OffsetDateTime;

use crate::approve::detail::{self, describe};
use crate::complete;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::follow::refused;
use crate::printer::span::{self, between, short};
use crate::printer::{Output, escape, table};

mod wait;

/// Characters of a statement in a list.
const STATEMENT_WIDTH: usize = 60;

/// Show the requests for approval that you made or may decide about
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  hoopctl requests ls --status pending\n  hoopctl requests wait r-0123456789ab --wait 10m"
)]
pub struct RequestsArgs {
    #[command(subcommand)]
    command: RequestsCommand,
}

#[derive(Debug, Subcommand)]
enum RequestsCommand {
    Ls(LsArgs),
    Show(ShowArgs),
    Wait(WaitArgs),
    Cancel(CancelArgs),
}

/// List requests, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl requests ls --status pending -o json")]
struct LsArgs {
    /// Only requests with this status; given several times, any of them
    #[arg(long, value_enum, value_name = "STATUS")]
    status: Vec<StatusArg>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Only requests made before this one
    #[arg(long, value_name = "ID", add = ArgValueCandidates::new(complete::requests))]
    before: Option<RequestId>,
}

/// Show one request in full: who, why, the whole statement, what it would do, who decided
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl requests show r-0123456789ab")]
struct ShowArgs {
    /// The request
    #[arg(add = ArgValueCandidates::new(complete::requests))]
    id: RequestId,
}

/// Wait until a request is decided, and print the result of what an `exec` left
///
/// For what `exec --no-wait` left, prints the masked result and exits as `exec` would, from any process of the same principal. For other
/// requests, shows what was decided. Exits with 6 if it still waits when the time is over, 7 if it was denied, 8 if it expired, 1 if it was
/// withdrawn.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl requests wait r-0123456789ab --wait 10m
  hoopctl requests wait r-0123456789ab -o json --result-file result.json")]
struct WaitArgs {
    /// The request
    #[arg(add = ArgValueCandidates::new(complete::requests))]
    id: RequestId,
    /// How long at most [default: until it is decided and done]
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    wait: Option<Duration>,
    /// How to print rows [default: table]
    #[arg(id = "output", short, long = "output", value_name = "FORMAT", value_parser = Output::of_rows(), hide_default_value = true)]
    output: Option<Output>,
    /// What NULL is in a table or CSV
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Write the results to this file, readable by you alone, once all of it is there
    #[arg(long, value_name = "FILE")]
    result_file: Option<PathBuf>,
}

/// Withdraw a request of yours
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl requests cancel r-0123456789ab")]
struct CancelArgs {
    /// The request
    #[arg(add = ArgValueCandidates::new(complete::own_requests))]
    id: RequestId,
}

/// A status, as the command line has it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusArg {
    Pending,
    Approved,
    Denied,
    Expired,
    Cancelled,
    Spent,
}

impl StatusArg {
    const fn word(self) -> &'static str {
        detail::word(match self {
            Self::Pending => RequestStatus::Pending,
            Self::Approved => RequestStatus::Approved,
            Self::Denied => RequestStatus::Denied,
            Self::Expired => RequestStatus::Expired,
            Self::Cancelled => RequestStatus::Cancelled,
            Self::Spent => RequestStatus::Spent,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// There is no login, the relay cannot be asked, or it refuses.
pub async fn run(arguments: RequestsArgs, context: &Context) -> Result<u8> {
    match arguments.command {
        RequestsCommand::Ls(arguments) => ls(&arguments, context).await,
        RequestsCommand::Show(arguments) => {
            let request: Request = context.relay().await?.get(&path(&arguments.id)).await?;
            show(&request, context)?;
            Ok(0)
        }
        RequestsCommand::Wait(arguments) => wait::run(arguments, context).await,
        RequestsCommand::Cancel(arguments) => {
            let path = format!("{}/cancel", path(&arguments.id));
            let request: Request = context.relay().await?.post(&path, &serde_json::json!({})).await?;
            show(&request, context)?;
            Ok(0)
        }
    }
}

/// The path of a request at the relay's API.
pub fn path(id: &RequestId) -> String {
    format!("/v1/requests/{id}")
}

/// Prints a request in full.
///
/// # Errors
/// Stdout cannot be written.
pub fn show(request: &Request, context: &Context) -> Result<()> {
    context.printer.show(request, |request| {
        detail::text(
            &describe(request, OffsetDateTime::now_utc()),
            context.printer.data_has_colour(),
        )
    })
}

async fn ls(arguments: &LsArgs, context: &Context) -> Result<u8> {
    let statuses: Vec<&str> = arguments.status.iter().map(|status| status.word()).collect();
    let mut path = format!("/v1/requests?limit={}&status={}", arguments.limit, statuses.join(","));
    if let Some(before) = &arguments.before {
        path.push_str(&format!("&before={before}"));
    }
    let requests: Vec<Request> = context.relay().await?.get(&path).await?;
    context
        .printer
        .show(&requests, |requests| listed(requests, OffsetDateTime::now_utc()))?;
    if requests.is_empty() {
        context.printer.say("no such request that you made or may decide about");
    }
    Ok(0)
}

fn listed(requests: &[Request], now: OffsetDateTime) -> String {
    if requests.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = requests
        .iter()
        .map(|request| {
            vec![
                request.id.to_string(),
                detail::status(request, now),
                short(between(request.created, now)),
                request.principal.clone(),
                request.connection.clone(),
                shortened(&request.statement),
            ]
        })
        .collect();
    table(&["ID", "STATUS", "AGE", "WHO", "CONNECTION", "STATEMENT"], &rows)
}

/// The beginning of a statement in one line, escaped, with a mark where something was left out.
pub fn shortened(statement: &str) -> String {
    let start: String = statement.chars().take(STATEMENT_WIDTH * 4).collect();
    let words = start
        .split([' ', '\n', '\t'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let line = escape::line(&words);
    if line.chars().count() <= STATEMENT_WIDTH && start.len() == statement.len() {
        return line.into_owned();
    }
    let mut short: String = line.chars().take(STATEMENT_WIDTH - 1).collect();
    short.push('…');
    short
}

/// The exit code of a request that was waited for; what is not approved is an error.
fn ended(request: &Request) -> Result<u8> {
    refused(request).map_or(Ok(0), |refusal| Err(Error::from(refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approve::detail::samples::{NOW, request};

    #[test]
    fn every_end_has_the_exit_code_of_the_interface() {
        let mut request = request(1, "agent", "select 1");
        for (status, code) in [
            (RequestStatus::Approved, 0),
            (RequestStatus::Spent, 0),
            (RequestStatus::Pending, 6),
            (RequestStatus::Denied, 7),
            (RequestStatus::Expired, 8),
            (RequestStatus::Cancelled, 1),
        ] {
            request.status = status;
            assert_eq!(
                ended(&request).unwrap_or_else(|error| error.exit_code()),
                code,
                "{status:?}"
            );
        }
    }

    #[test]
    fn a_denial_says_who_and_why() {
        let mut request = request(1, "agent", "select 1");
        request.status = RequestStatus::Denied;
        request.decisions = vec![hoop_shared::api::DecisionShown {
            by: "bo".to_owned(),
            approve: false,
            reason: Some("no".to_owned()),
            time: NOW,
        }];
        let message = ended(&request).map_err(|error| error.refusal().message.clone());
        assert_eq!(message, Err("r-000000000001 was denied by bo: no".to_owned()));
    }

    #[test]
    fn a_list_is_one_line_for_each() {
        let list = [
            request(2, "agent", "delete\n  from orders"),
            request(1, "a\u{1b}b", "select 1"),
        ];
        assert_eq!(
            listed(&list, NOW),
            "ID              STATUS             AGE  WHO     CONNECTION  STATEMENT\n\
             r-000000000002  pending, 13m left  2m   agent   db-prod     delete from orders\n\
             r-000000000001  pending, 13m left  2m   a\\x1bb  db-prod     select 1\n"
        );
        assert_eq!(listed(&[], NOW), "");
    }

    #[test]
    fn what_is_left_out_of_a_statement_is_marked() {
        assert_eq!(shortened("select 1"), "select 1");
        let long = shortened(&"x".repeat(61));
        assert_eq!((long.chars().count(), long.ends_with("x…")), (60, true));
        // Spaces cannot push the end out of sight without a mark.
        assert!(shortened(&format!("select 1{}; drop table t", " ".repeat(500))).ends_with('…'));
    }
}
