//! `hoop-relay users`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hoop_shared::api::PrincipalKind;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Purpose};
use crate::store::logins::Login;
use crate::store::{Store, StoreError};

use super::{Failure, Output, escape, print, say};

/// Lists who has logged in, and revokes logins.
#[derive(Debug, Args)]
pub(super) struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(Ls),
    Revoke(Revoke),
}

/// Where the login records are.
#[derive(Debug, Args)]
struct Place {
    /// The configuration file, for its `data_dir`.
    #[arg(long, value_name = "FILE", required_unless_present = "data", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The data directory itself, such as that of `hoop-relay dev --data`.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Lists the newest login of every principal.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoop-relay users ls --config /etc/hoop/relay.toml -o json")]
struct Ls {
    #[command(flatten)]
    place: Place,
    /// How to write it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Revokes all logins of a principal: its sessions end within a second, also those of a running relay.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hoop-relay users revoke ana@example.com --config /etc/hoop/relay.toml\n  \
    hoop-relay users revoke ana@example.com --free --config /etc/hoop/relay.toml"
)]
struct Revoke {
    /// The principal, as `users ls` names it.
    name: String,
    /// Also frees the name, so that another account of the identity provider may take it.
    #[arg(long)]
    free: bool,
    #[command(flatten)]
    place: Place,
}

impl Users {
    pub(super) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime does not start: {error}")))?;
        runtime.block_on(async {
            match self.command {
                Command::Ls(ls) => ls.run().await,
                Command::Revoke(revoke) => revoke.run().await,
            }
        })
    }
}

impl Place {
    async fn open(self) -> Result<Store, Failure> {
        let data_dir = match (self.data, self.config) {
            (Some(data), _) => data,
            (None, Some(config)) => {
                Config::load(&config, Purpose::Serve)
                    .map_err(Failure::Configuration)?
                    .config
                    .data_dir
            }
            (None, None) => {
                return Err(Failure::usage(
                    "neither --config nor --data is given",
                    "name one of them",
                ));
            }
        };
        if !data_dir.is_dir() {
            // Opening would make it.
            return Err(Failure::Failed(format!(
                "there is no data directory {}",
                data_dir.display()
            )));
        }
        Store::open(&data_dir).await.map_err(failed)
    }
}

fn failed(error: StoreError) -> Failure {
    Failure::Failed(format!("the login records cannot be used: {error}"))
}

impl Ls {
    async fn run(self) -> Result<(), Failure> {
        let store = self.place.open().await?;
        let logins = store.principals().await.map_err(failed);
        store.close().await;
        let (logins, now) = (logins?, OffsetDateTime::now_utc());
        match self.output {
            Output::Json => {
                let all: Vec<_> = logins.iter().map(|login| json(login, now)).collect();
                print(&serde_json::Value::from(all).to_string())
            }
            Output::Text => {
                for login in &logins {
                    print(&line(login, now))?;
                }
                if logins.is_empty() {
                    say("nobody has logged in yet");
                }
                Ok(())
            }
        }
    }
}

/// Whether a login still stands for anybody.
fn state(login: &Login, now: OffsetDateTime) -> &'static str {
    match login.revoked {
        Some(_) => "revoked",
        None if login.expires <= now => "expired",
        None => "valid",
    }
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339)
        .unwrap_or_else(|_| time.unix_timestamp().to_string())
}

fn line(login: &Login, now: OffsetDateTime) -> String {
    escape(&format!(
        "{}  {}  groups: {}  until {}  from {} ({})",
        login.label,
        state(login, now),
        if login.groups.is_empty() {
            "none".to_owned()
        } else {
            login.groups.join(", ")
        },
        rfc3339(login.expires),
        login.machine,
        login.source
    ))
    .replace('\n', " ")
}

fn json(login: &Login, now: OffsetDateTime) -> serde_json::Value {
    serde_json::json!({
        "principal": login.label,
        "kind": match login.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Workload => "workload",
        },
        "issuer": login.issuer,
        "subject": login.subject,
        "groups": login.groups,
        "login": login.serial,
        "state": state(login, now),
        "machine": login.machine,
        "source": login.source,
        "created": rfc3339(login.created),
        "expires": rfc3339(login.expires),
        "revoked": login.revoked.map(rfc3339),
        "revoked_by": login.revoked_by,
    })
}

impl Revoke {
    async fn run(self) -> Result<(), Failure> {
        let store = self.place.open().await?;
        let result = revoke(&store, &self.name, self.free).await;
        store.close().await;
        let (revoked, freed) = result?;
        if self.free {
            say(if freed {
                "the name is free"
            } else {
                "the name was free already"
            });
        }
        print(&format!(
            "revoked {revoked} login{}",
            if revoked == 1 { "" } else { "s" }
        ))
    }
}

/// How many logins were revoked, and whether the name was bound.
async fn revoke(store: &Store, name: &str, free: bool) -> Result<(usize, bool), Failure> {
    let known = store.principals().await.map_err(failed)?;
    let known = known.iter().any(|login| login.label == name);
    let now = OffsetDateTime::now_utc();
    let revoked = store.revoke_label(name, "operator", now).await.map_err(failed)?;
    let freed = free && store.free_label(name, "operator", now).await.map_err(failed)?;
    if !known && !freed {
        return Err(Failure::Failed(format!(
            "nobody called `{name}` has logged in; `hoop-relay users ls` names those who have"
        )));
    }
    Ok((revoked.len(), freed))
}
