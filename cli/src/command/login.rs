//! `hoopctl login`

use std::path::PathBuf;

use clap::Args;

use crate::command::whoami;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::login::{self, Request, trust::AskedTrust, workload::DEFAULT_AUDIENCE};
use crate::relay_address::RelayAddress;
use hoop_shared::refusal::Code;

/// Log in at a relay
///
/// A person: shows a URL and a code to open in any browser, on any device; with --browser, opens a browser on this machine. A workload
/// (--workload): presents the OIDC token of its platform. Either way this machine makes a key, and the relay a short-lived certificate for it; no token of the provider is kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl login relay.example.com
  hoopctl login relay.example.com --browser
  hoopctl login relay.example.eu --profile eu
  hoopctl login 127.0.0.1:7443 --pin 7d5f…
  hoopctl login relay.example.com --workload --token-file /var/run/secrets/hoop/token")]
pub struct LoginArgs {
    /// The relay, HOST or HOST:PORT (default port 7443); remembered for the next time
    relay: Option<RelayAddress>,
    /// The identity provider, by its name at the relay (default: the relay's first)
    #[arg(long, value_name = "NAME", conflicts_with = "workload")]
    issuer: Option<String>,
    /// Log in in a browser on this machine, without a code to type (authorization code with PKCE). Chosen by itself where the provider knows no codes
    #[arg(long, conflicts_with = "workload")]
    browser: bool,
    /// Trust a relay whose certificate ends in a CA of this file (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "pin")]
    ca: Option<PathBuf>,
    /// Trust the relay that has this key: the SHA-256 that the relay prints at its start
    #[arg(long, value_name = "SHA256")]
    pin: Option<String>,
    /// Log in as a workload, with the token of --token-file, $HOOPCTL_ID_TOKEN, $HOOPCTL_ID_TOKEN_FILE, GitHub Actions, GitLab ($HOOP_ID_TOKEN) or Kubernetes (/var/run/secrets/hoop/token), in this order
    #[arg(long)]
    workload: bool,
    /// The file that has the workload's token
    #[arg(long, value_name = "FILE", requires = "workload")]
    token_file: Option<PathBuf>,
    /// The audience to ask GitHub Actions for: the one that the relay expects
    #[arg(long, value_name = "TEXT", requires = "workload", default_value = DEFAULT_AUDIENCE)]
    audience: String,
}

/// Runs the command.
///
/// # Errors
/// The relay is unknown, unreachable or not trusted, or the login did not succeed.
pub async fn run(arguments: LoginArgs, context: &Context) -> Result<u8> {
    let (settings, printer) = (&context.settings, &context.printer);
    let credentials = context.credentials();
    credentials.prepare()?;
    let last = credentials.known_relay(&settings.profile)?;
    let relay = arguments
        .relay
        .or_else(|| settings.relay.clone())
        .or_else(|| last.as_ref().map(|known| known.relay.clone()))
        .ok_or_else(|| {
            Error::new(Code::Usage, "no relay is named")
                .hint("name it once: `hoopctl login relay.example.com`, or set HOOPCTL_RELAY")
        })?;
    let asked = AskedTrust::of(arguments.pin, arguments.ca, settings)?;
    let known = last.filter(|known| known.relay == relay).map(|known| known.trust);
    let (api, trust) = login::trust::establish(&relay, asked, known, printer).await?;
    let request = if arguments.workload {
        let token = login::workload::token(arguments.token_file.as_deref(), &arguments.audience, settings).await?;
        // The same job may come again with its token, but only with the key that it came with first.
        let key = credentials.key_for(&settings.profile, &relay).await;
        Request::Workload { token, key }
    } else {
        Request::Person {
            issuer: arguments.issuer.or_else(|| settings.issuer.clone()),
            in_browser: arguments.browser,
        }
    };
    let mut enrolled = login::enrol(&api, trust, request, settings, printer).await?;
    credentials.save(&settings.profile, &enrolled, printer).await?;
    enrolled.whoami.relay = relay.to_string();
    enrolled.whoami.profile.clone_from(&settings.profile);
    if printer.is_json() {
        whoami::show(&enrolled.whoami, printer)?;
    } else {
        printer.say(login::sentence(&enrolled)?);
    }
    Ok(0)
}
