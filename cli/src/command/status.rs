//! `hoopctl status`

use clap::Args;
use serde::Serialize;

use hoop_shared::api::ConnectionListed;

use crate::context::{Context, rfc3339};
use crate::error::Result;
use crate::printer::{escape, facts, table};
use crate::relay_api::RelayApi;

/// Show the relay, how it is reached, how long your login lasts, and what policy will ask of you
///
/// What policy asks on each connection stands in the text; for scripts it is in `hoopctl ls -o json`.
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
    let connections: Vec<ConnectionListed> = if context.printer.is_json() {
        Vec::new()
    } else {
        let listed = RelayApi::of(&login, &context.news)?.get("/v1/connections").await;
        listed.unwrap_or_else(|error| {
            let why = error.to_string();
            context
                .printer
                .warn(format_args!("cannot list the connections: {}", escape::line(&why)));
            Vec::new()
        })
    };
    context.printer.show(&status, |status| {
        let mut text = facts(&[
            ("relay", status.relay.clone()),
            ("transport", status.transport.to_owned()),
            ("latency", format!("{:.2} ms", status.rtt_ms)),
            ("version", status.version.clone()),
            ("expires", status.expires.clone()),
        ]);
        if !connections.is_empty() {
            text.push('\n');
            text.push_str(&table(&["CONNECTION", "ASKS"], &asks(&connections)));
        }
        text
    })?;
    Ok(0)
}

/// A row for each thing that is asked; the name stands in the first of its connection.
fn asks(connections: &[ConnectionListed]) -> Vec<Vec<String>> {
    let of = |connection: &ConnectionListed| {
        let name = |index: usize| {
            if index == 0 {
                connection.name.clone()
            } else {
                String::new()
            }
        };
        let rows = connection.asks.iter().enumerate();
        rows.map(|(index, ask)| vec![name(index), ask.clone()])
            .collect::<Vec<_>>()
    };
    connections.iter().flat_map(of).collect()
}
