//! `hoopctl status`

use clap::Args;
use serde::Serialize;

use crate::context::{Context, rfc3339};
use crate::error::Result;
use crate::printer::facts;

/// Show the relay, how it is reached, and how long your login lasts
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl status -o json")]
pub struct StatusArgs {}

#[derive(Debug, Serialize)]
struct Status {
    relay: String,
    transport: &'static str,
    rtt_ms: f64,
    version: String,
    expires: String,
}

/// Runs the command.
///
/// # Errors
/// There is no login, or the relay cannot be reached.
pub async fn run(_: StatusArgs, context: &Context) -> Result<u8> {
    let login = context.login().await?;
    let tunnel = context.tunnel().await?;
    let status = Status {
        relay: login.relay.to_string(),
        transport: tunnel.transport().as_str(),
        rtt_ms: (tunnel.rtt().as_secs_f64() * 100_000.0).round() / 100.0,
        version: tunnel.welcome().relay.clone(),
        expires: rfc3339(login.expires()?),
    };
    tunnel.close().await;
    context.printer.show(&status, |status| {
        facts(&[
            ("relay", status.relay.clone()),
            ("transport", status.transport.to_owned()),
            ("latency", format!("{:.2} ms", status.rtt_ms)),
            ("version", status.version.clone()),
            ("expires", status.expires.clone()),
        ])
    })?;
    Ok(0)
}
