//! Shows a recorded session as it was: what was asked, what was decided and by whom, what came back, at the pace it had.
//!
//! ```text
//! relay ──pages of events──▶ pace (waits) ──▶ scene (text) ──▶ stdout
//! ```
//!
//! A recording holds what was shown, so nobody who replays one sees more than its session did.

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::id::SessionId;

use crate::command::sessions::Pages;
use crate::context::Context;
use crate::error::Result;
use crate::relay_api::RelayApi;

mod pace;
mod rows;
mod scene;

use pace::Pace;

/// Show a session as it was: statements, masked results, what was blocked or held and who decided
///
/// On a terminal it takes the time that the session took; elsewhere it waits only with --speed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hoopctl sessions replay s-0123456789ab --speed 4 --skip-idle\n  hoopctl sessions replay s-0123456789ab | less"
)]
pub struct ReplayArgs {
    /// The session
    #[arg(add = ArgValueCandidates::new(crate::complete::sessions))]
    id: SessionId,
    /// How many times as fast as it was
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// Shorten pauses to a second
    #[arg(long)]
    skip_idle: bool,
}

/// Pauses are cut to this with `--skip-idle`.
const IDLE: Duration = Duration::from_secs(1);

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("the speed is a number above 0, such as 0.5 or 10".to_owned()),
    }
}

/// Replays a session on stdout.
///
/// # Errors
/// The relay cannot be asked, or refuses.
pub async fn run(arguments: &ReplayArgs, relay: &RelayApi, context: &Context) -> Result<u8> {
    let speed = match arguments.speed {
        None if context.printer.stdout_is_terminal() && !context.printer.is_json() => Some(1.0),
        asked => asked,
    };
    let mut pace = Pace::new(speed, arguments.skip_idle.then_some(IDLE));
    let mut pages = Pages::new(arguments.id.clone());
    let mut first = true;
    while let Some(page) = pages.next(relay).await? {
        if first && !context.printer.is_json() {
            context.printer.text(scene::title(&page.summary))?;
        }
        first = false;
        for event in &page.events {
            if let Some(pause) = pace.before(&event.time) {
                tokio::time::sleep(pause).await;
            }
            if context.printer.is_json() {
                context.printer.json(event)?;
            } else {
                context.printer.text(scene::shown(event, &page.summary.connection))?;
            }
        }
    }
    Ok(0)
}
