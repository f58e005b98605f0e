//! `hoopctl logout`

use clap::Args;
use hoop_shared::api::Logout;
use hoop_shared::refusal::Code;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::printer::escape;
use crate::relay_api::RelayApi;

/// Forget this profile's login, and end it and its sessions at the relay
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoopctl logout\n  hoopctl logout --all")]
pub struct LogoutArgs {
    /// End every login of yours, on whatever machine, and the sessions that they opened
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// The login cannot be removed from this machine.
pub async fn run(arguments: LogoutArgs, context: &Context) -> Result<u8> {
    let (settings, printer) = (&context.settings, &context.printer);
    let credentials = context.credentials();
    // A login that cannot be read any more can still be forgotten.
    let login = credentials.load(&settings.profile).await.ok().flatten();
    if arguments.all && login.is_none() {
        let message = format!(
            "profile `{}` is not logged in: only a login can end others",
            settings.profile
        );
        return Err(Error::login_needed(message).hint("log in with `hoopctl login`, then run `hoopctl logout --all`"));
    }
    let mut ended_at_relay = false;
    if let Some(login) = &login {
        let told: Result<Value> = match RelayApi::of(login, &context.news) {
            Ok(relay) => relay.post("/v1/logout", &Logout { all: arguments.all }).await,
            Err(error) => Err(error),
        };
        match told {
            Ok(_) => ended_at_relay = true,
            // Nothing is forgotten that could still do what was asked.
            Err(error) if arguments.all => return Err(error.doing("your logins are not ended")),
            // The relay does not know this login any more: it has ended already.
            Err(error) if error.code() == Code::LoginNeeded => ended_at_relay = true,
            Err(error) => printer.warn(format_args!(
                "the relay {} could not be told ({}): it accepts the forgotten certificate until it expires",
                login.relay,
                escape::line(&error.to_string())
            )),
        }
    }
    let removed = credentials.remove(&settings.profile).await?;
    if printer.is_json() {
        printer.json(&json!({"profile": settings.profile, "removed": removed, "ended_at_relay": ended_at_relay}))?;
    } else if removed {
        let all = if arguments.all {
            ", and every other login of yours is ended"
        } else {
            ""
        };
        printer.say(format_args!("logged out of profile `{}`{all}", settings.profile));
    } else {
        printer.say(format_args!("profile `{}` was not logged in", settings.profile));
    }
    Ok(0)
}
