//! `hoopctl whoami`

use clap::Args;
use hoop_shared::api::{PrincipalKind, Whoami};

use crate::context::{Context, rfc3339};
use crate::error::Result;
use crate::printer::{Printer, facts};

/// Show who you are to the relay: identity, groups, expiry
///
/// Also shows logins of yours since your last command, so that you notice one that you did not make.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl whoami -o json")]
pub struct WhoamiArgs {}

/// Runs the command.
///
/// # Errors
/// There is no login, or the relay cannot be asked.
pub async fn run(_: WhoamiArgs, context: &Context) -> Result<u8> {
    let relay = context.relay().await?;
    let mut whoami: Whoami = relay.get("/v1/whoami").await?;
    relay.relay().to_string().clone_into(&mut whoami.relay);
    whoami.profile.clone_from(&context.settings.profile);
    let seen = whoami.new_logins.iter();
    let sentences: Vec<String> = seen.map(|login| login.sentence(&whoami.principal)).collect();
    context.news.hear(&sentences);
    show(&whoami, &context.printer)?;
    Ok(0)
}

/// Prints an identity.
///
/// # Errors
/// Stdout cannot be written.
pub fn show(whoami: &Whoami, printer: &Printer) -> Result<()> {
    printer.show(whoami, |whoami| {
        let kind = match whoami.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Workload => "workload",
        };
        let groups = if whoami.groups.is_empty() {
            "none".to_owned()
        } else {
            whoami.groups.join(", ")
        };
        facts(&[
            ("principal", whoami.principal.clone()),
            ("kind", kind.to_owned()),
            ("issuer", whoami.issuer.clone()),
            ("groups", groups),
            ("expires", rfc3339(whoami.expires)),
            ("relay", whoami.relay.clone()),
            ("profile", whoami.profile.clone()),
        ])
    })?;
    Ok(())
}
