//! `hoopctl approve`

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Code;

use super::requests;
use crate::approve;
use crate::complete;
use crate::context::Context;
use crate::error::{Error, Result};

/// Approve a request, or work through the queue of those that wait for you
///
/// Without ID, shows the queue on the terminal: live, with everything to know before deciding. What was shown is exactly what runs, once.
/// Nobody approves their own. The queue rings the bell when a request comes, and shows a notification where the terminal can; with
/// `--quiet` it does neither.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl approve
  hoopctl approve --plain
  hoopctl approve r-0123456789ab --reason \"checked with the shop team\"
  hoopctl approve --watch -o json

Keys of the queue:
  j k or arrows  another request, J K ten at a time       a  approve   d  deny
  space b g G    scroll the details                       q  leave
  /              only requests with these words; who:NAME and on:CONNECTION look at one thing
  s n N          search in the details, next, previous    Esc  all of it again")]
pub struct ApproveArgs {
    /// The request
    #[arg(add = ArgValueCandidates::new(complete::undecided))]
    id: Option<RequestId>,
    /// Why; it is kept with the decision
    #[arg(long, value_name = "TEXT", requires = "id")]
    reason: Option<String>,
    /// Work through the queue line by line, for screen readers
    #[arg(long, conflicts_with_all = ["id", "watch"])]
    plain: bool,
    /// Print a line for each request that you may see and that waits, is new or changes, until interrupted
    #[arg(long, conflicts_with = "id")]
    watch: bool,
}

/// Runs the command.
///
/// # Errors
/// There is no login, no terminal for the queue, or the relay refuses.
pub async fn run(arguments: ApproveArgs, context: &Context) -> Result<u8> {
    if arguments.watch {
        return approve::watch::run(context).await;
    }
    if let Some(id) = arguments.id {
        return decide(&id, true, arguments.reason, context).await;
    }
    if context.printer.is_json() || !context.printer.can_ask() || !context.printer.stdout_is_terminal() {
        return Err(
            Error::new(Code::Usage, "the queue needs a terminal; name the request to approve").hint(
                "`hoopctl requests ls --status pending` lists them, `hoopctl approve --watch -o json` follows them",
            ),
        );
    }
    if arguments.plain {
        return approve::plain::run(context).await;
    }
    approve::run(context).await
}

/// Decides about a request, and prints it.
///
/// # Errors
/// There is no login, or the relay refuses.
pub async fn decide(id: &RequestId, approve: bool, reason: Option<String>, context: &Context) -> Result<u8> {
    let relay = context.relay().await?;
    let request = approve::decide(&relay, id, approve, reason).await?;
    requests::show(&request, context)?;
    Ok(0)
}
