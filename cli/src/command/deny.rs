//! `hoopctl deny`

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::id::RequestId;

use super::approve;
use crate::complete;
use crate::context::Context;
use crate::error::Result;

/// Deny a request
///
/// A denial ends the request, also after others approved it, until it is released.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl deny r-0123456789ab --reason \"use the archive job\"")]
pub struct DenyArgs {
    /// The request
    #[arg(add = ArgValueCandidates::new(complete::undecided))]
    id: RequestId,
    /// Why: who asked is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// There is no login, or the relay refuses.
pub async fn run(arguments: DenyArgs, context: &Context) -> Result<u8> {
    approve::decide(&arguments.id, false, Some(arguments.reason), context).await
}
