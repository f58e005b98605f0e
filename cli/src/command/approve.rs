//! `hoopctl approve`

use clap::Args;
use hoop_shared::api::{Decide, Request};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Code;

use super::requests;
use crate::approve;
use crate::context::Context;
use crate::error::{Error, Result};

/// Approve a request, or work through the queue of those that wait for you
///
/// Without ID, shows the queue on the terminal: live, with everything to know before deciding. What was shown is exactly what runs, once.
/// Nobody approves their own.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hoopctl approve\n  hoopctl approve r-0123456789ab --reason \"checked with the shop team\""
)]
pub struct ApproveArgs {
    /// The request
    id: Option<RequestId>,
    /// Why; it is kept with the decision
    #[arg(long, value_name = "TEXT", requires = "id")]
    reason: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// There is no login, no terminal for the queue, or the relay refuses.
pub async fn run(arguments: ApproveArgs, context: &Context) -> Result<u8> {
    let Some(id) = arguments.id else {
        if context.printer.is_json() || !context.printer.can_ask() || !context.printer.stdout_is_terminal() {
            return Err(
                Error::new(Code::Usage, "the queue needs a terminal; name the request to approve")
                    .hint("`hoopctl requests ls --status pending` lists them"),
            );
        }
        return approve::run(context).await;
    };
    decide(&id, true, arguments.reason, context).await
}

/// Decides about a request, and prints it.
///
/// # Errors
/// There is no login, or the relay refuses.
pub async fn decide(id: &RequestId, approve: bool, reason: Option<String>, context: &Context) -> Result<u8> {
    let path = format!("{}/decision", requests::path(id));
    let request: Request = context.relay().await?.post(&path, &Decide { approve, reason }).await?;
    requests::show(&request, context)?;
    Ok(0)
}
