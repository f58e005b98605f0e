//! `hoopctl doctor`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::AnsiColor;
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::context::{Context, rfc3339};
use crate::credentials::{Login, private};
use crate::error::{Error, Result};
use crate::printer::escape;
use crate::relay_address::RelayAddress;
use crate::tunnel::{Transport, Tunnel};

/// How long a single check may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A login that ends sooner is worth a word.
const SOON: time::Duration = time::Duration::minutes(30);
/// How wrong a clock may be: as much as the relay allows for times in tokens.
const MAX_SKEW: time::Duration = time::Duration::seconds(60);
/// Programs that `connect` is mostly used with.
const CLIENTS: [&str; 3] = ["psql", "pg_dump", "pgbench"];

/// Check everything that a login and a connect need; each problem comes with its fix
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hoopctl doctor")]
pub struct DoctorArgs {}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    ok: bool,
    detail: String,
    fix: Option<String>,
}

impl Check {
    fn good(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            detail: detail.into(),
            fix: None,
        }
    }

    fn bad(check: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }

    fn of_error(check: &'static str, error: &Error) -> Self {
        let fix = error
            .refusal()
            .hint
            .clone()
            .unwrap_or_else(|| "see the detail".to_owned());
        Self::bad(check, error.to_string(), fix)
    }
}

/// Runs the command. Its exit code is 1 where a check failed.
///
/// # Errors
/// Stdout cannot be written.
pub async fn run(_: DoctorArgs, context: &Context) -> Result<u8> {
    let mut checks = vec![directory(context)];
    let login = credential(context, &mut checks).await;
    let relay = login
        .as_ref()
        .map(|login| login.relay.clone())
        .or_else(|| context.settings.relay.clone());
    match relay {
        Some(relay) => network(&relay, login.as_ref(), context, &mut checks).await,
        None => checks.push(Check::bad("relay", "no relay is known", "hoopctl login RELAY")),
    }
    checks.extend(CLIENTS.iter().map(|name| client(name, &context.settings.program_path)));
    // A missing program is a matter of what one wants to do.
    let healthy = checks.iter().all(|check| check.ok || CLIENTS.contains(&check.check));
    let printer = &context.printer;
    printer.show(&checks, |checks| {
        let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        let mut text = String::new();
        for check in checks {
            let (mark, colour) = if check.ok {
                ("ok  ", AnsiColor::Green)
            } else {
                ("FAIL", AnsiColor::Red)
            };
            let (mark, detail) = (printer.paint_data(colour, mark), escape::line(&check.detail));
            text.push_str(&format!("{mark}  {:<width$}  {detail}\n", check.check));
            if let Some(fix) = &check.fix {
                text.push_str(&format!("      {:<width$}  fix: {}\n", "", escape::line(fix)));
            }
        }
        text
    })?;
    Ok(u8::from(!healthy))
}

fn directory(context: &Context) -> Check {
    let credentials = context.credentials();
    let path = credentials.directory();
    if !path.exists() {
        return Check::good("config", format!("{} does not exist yet", path.display()));
    }
    match private::check_directory(path) {
        Ok(()) => Check::good("config", format!("{} is yours alone", path.display())),
        Err(error) => Check::of_error("config", &error),
    }
}

async fn credential(context: &Context, checks: &mut Vec<Check>) -> Option<Login> {
    let profile = &context.settings.profile;
    let login = match context.credentials().load(profile).await {
        Ok(Some(login)) => login,
        Ok(None) => {
            let detail = format!("profile `{profile}` is not logged in");
            checks.push(Check::bad("credential", detail, "hoopctl login RELAY"));
            return None;
        }
        Err(error) => {
            checks.push(Check::of_error("credential", &error));
            return None;
        }
    };
    checks.push(Check::good(
        "credential",
        format!("{} at {}", login.whoami.principal, login.relay),
    ));
    checks.push(match login.expires() {
        Err(error) => Check::of_error("expiry", &error),
        Ok(expires) => {
            let left = expires - OffsetDateTime::now_utc();
            let at = rfc3339(expires);
            if left <= time::Duration::ZERO {
                Check::bad("expiry", format!("ended at {at}"), "hoopctl login")
            } else if left < SOON {
                Check::bad(
                    "expiry",
                    format!("ends at {at}, in {} minutes", left.whole_minutes()),
                    "hoopctl login",
                )
            } else {
                Check::good("expiry", format!("ends at {at}"))
            }
        }
    });
    Some(login)
}

async fn network(relay: &RelayAddress, login: Option<&Login>, context: &Context, checks: &mut Vec<Check>) {
    let found = timeout(PATIENCE, tokio::net::lookup_host((relay.host(), relay.port()))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            let fix = format!("check the name {} and this machine's name servers", relay.host());
            checks.push(Check::bad("dns", error.to_string(), fix));
            return;
        }
        Err(_) => {
            checks.push(Check::bad("dns", "no answer", "check this machine's name servers"));
            return;
        }
    };
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    checks.push(Check::good("dns", format!("{}: {}", relay.host(), list.join(", "))));
    checks.push(tcp(relay, &addresses).await);
    match login {
        Some(login) => tunnel(login, context, checks).await,
        None => checks.push(Check::bad("udp", "needs a login to be checked", "hoopctl login RELAY")),
    }
}

async fn tcp(relay: &RelayAddress, addresses: &[SocketAddr]) -> Check {
    let mut last = "no address".to_owned();
    for address in addresses {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Check::good("tcp", format!("{address} accepts")),
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no answer"),
        }
    }
    Check::bad(
        "tcp",
        last,
        format!("start the relay, or open TCP port {} to it", relay.port()),
    )
}

async fn tunnel(login: &Login, context: &Context, checks: &mut Vec<Check>) {
    let mut dial = match context.dial(login) {
        Ok(dial) => dial,
        Err(error) => {
            checks.push(Check::of_error("tunnel", &error));
            return;
        }
    };
    // What earlier commands found out about UDP is not to be believed here.
    dial.memory = None;
    // A busy machine is slow to answer; only silence means that no UDP passes.
    dial.head_start = PATIENCE;
    let tunnel = match timeout(PATIENCE * 3, Tunnel::connect(&dial)).await {
        Ok(Ok(tunnel)) => tunnel,
        Ok(Err(error)) => {
            checks.push(Check::of_error("tunnel", &error.refusal().into()));
            return;
        }
        Err(_) => {
            checks.push(Check::bad(
                "tunnel",
                "no answer",
                "check firewalls between here and the relay",
            ));
            return;
        }
    };
    let rtt = tunnel.rtt().as_secs_f64() * 1000.0;
    checks.push(match tunnel.transport() {
        Transport::Quic => Check::good("udp", format!("QUIC, {rtt:.1} ms")),
        Transport::Tcp => Check::bad(
            "udp",
            format!("no QUIC: everything works over TCP ({rtt:.1} ms), with less speed on bad networks"),
            format!("open UDP port {} to the relay", login.relay.port()),
        ),
    });
    let welcome = tunnel.welcome();
    context.news.hear(&welcome.notices);
    checks.push(clock(welcome.time, OffsetDateTime::now_utc()));
    let ours = env!("CARGO_PKG_VERSION");
    checks.push(Check::good(
        "version",
        format!("relay {}, hoopctl {ours}, wire {}", welcome.relay, welcome.version),
    ));
    tunnel.close().await;
}

fn clock(theirs: OffsetDateTime, ours: OffsetDateTime) -> Check {
    let skew = ours - theirs;
    let detail = format!("{:.1} s from the relay's", skew.as_seconds_f64());
    if skew.abs() > MAX_SKEW {
        return Check::bad("clock", detail, "set this machine's clock, by NTP for instance");
    }
    Check::good("clock", detail)
}

fn client(name: &'static str, path: &[PathBuf]) -> Check {
    match path
        .iter()
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
    {
        Some(file) => Check::good(name, file.display().to_string()),
        None => Check::bad(
            name,
            "not on the PATH",
            format!("install {name} to use it with `hoopctl connect`"),
        ),
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_a_little_wrong() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert!(clock(now, now + time::Duration::seconds(59)).ok);
        assert!(clock(now, now - time::Duration::seconds(60)).ok);
        assert!(!clock(now, now + time::Duration::seconds(61)).ok);
        assert!(!clock(now + time::Duration::days(1), now).ok);
    }

    #[test]
    fn a_failed_check_always_has_a_fix() {
        assert!(Check::of_error("x", &Error::failed("y")).fix.is_some());
        assert!(client("psql", &[]).fix.is_some());
        assert!(client("sh", &[PathBuf::from("/bin"), PathBuf::from("/usr/bin")]).ok);
    }
}
