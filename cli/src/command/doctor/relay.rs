//! The way to the relay, and what is there: name, TCP, TLS, version, clock, UDP, identity providers, policy.

use std::net::SocketAddr;
use std::time::Duration;

use hoop_shared::api::{ConnectionListed, Info, ProviderReached};
use hoop_shared::refusal::Code;
use hoop_shared::tls::Trust;
use hoop_shared::wire;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Check;
use crate::context::Context;
use crate::credentials::Login;
use crate::error::Result;
use crate::login::trust::AskedTrust;
use crate::relay_address::RelayAddress;
use crate::relay_api::RelayApi;
use crate::tunnel::{Transport, Tunnel, udp_passes};

/// How long a single check may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How wrong a clock may be: as much as the relay allows for times in tokens.
const MAX_SKEW: time::Duration = time::Duration::seconds(60);
/// What can be found out only by who is logged in.
const WITH_A_LOGIN: [&str; 2] = ["provider", "policy"];

/// Checks everything from the relay's name to what it says about each connection.
pub(super) async fn checks(login: Option<&Login>, context: &Context, checks: &mut Vec<Check>) {
    let known = context
        .credentials()
        .known_relay(&context.settings.profile)
        .ok()
        .flatten();
    let relay = login
        .map(|login| login.relay.clone())
        .or_else(|| context.settings.relay.clone())
        .or_else(|| known.as_ref().map(|known| known.relay.clone()));
    let Some(relay) = relay else {
        checks.push(Check::bad("relay", "no relay is known", "hoopctl login RELAY"));
        return;
    };
    let Some(addresses) = name(&relay, checks).await else {
        return;
    };
    checks.push(tcp(&relay, &addresses).await);
    let trust = match login {
        Some(login) => Ok(login.trust.clone()),
        None => AskedTrust::of(None, None, &context.settings).map(|asked| match (asked, known) {
            (AskedTrust::This(trust), _) => trust,
            (AskedTrust::Nothing, Some(known)) if known.relay == relay => known.trust,
            (AskedTrust::Nothing, _) => Trust::System,
        }),
    };
    let trust = match trust {
        Ok(trust) => trust,
        Err(error) => return checks.push(Check::of_error("tls", &error)),
    };
    tls(&relay, &trust, checks).await;
    match login {
        Some(login) => {
            tunnel(login, context, checks).await;
            at_the_relay(login, context, checks).await;
        }
        None => {
            checks.push(udp(&relay, trust).await);
            let ask = |check| Check::bad(check, "needs a login to be checked", format!("hoopctl login {relay}"));
            checks.extend(WITH_A_LOGIN.map(ask));
        }
    }
}

async fn name(relay: &RelayAddress, checks: &mut Vec<Check>) -> Option<Vec<SocketAddr>> {
    let found = timeout(PATIENCE, tokio::net::lookup_host((relay.host(), relay.port()))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            let fix = format!("check the name {} and this machine's name servers", relay.host());
            checks.push(Check::bad("dns", error.to_string(), fix));
            return None;
        }
        Err(_) => {
            checks.push(Check::bad("dns", "no answer", "check this machine's name servers"));
            return None;
        }
    };
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    checks.push(Check::good("dns", format!("{}: {}", relay.host(), list.join(", "))));
    Some(addresses)
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
    let fix = format!("start the relay, or open TCP port {} to it", relay.port());
    Check::bad("tcp", last, fix)
}

/// Whether the relay is the one that is trusted, and what it says to anybody: its version and time.
async fn tls(relay: &RelayAddress, trust: &Trust, checks: &mut Vec<Check>) {
    let asked = async {
        RelayApi::anonymous(relay, trust)?
            .get_within::<Info>("/v1/info", PATIENCE)
            .await
    };
    let info: Info = match asked.await {
        Ok(info) => info,
        Err(error) => return checks.push(Check::of_error("tls", &error)),
    };
    let known_by = match trust {
        Trust::Pin(_) => "by its pin",
        Trust::Ca(_) => "by the CA that was given",
        Trust::System => "by this system's CAs",
    };
    checks.push(Check::good("tls", format!("TLS 1.3, the relay is known {known_by}")));
    checks.push(version(&info));
    if let Some(time) = info.time {
        checks.push(clock(time, OffsetDateTime::now_utc()));
    }
}

fn version(info: &Info) -> Check {
    let ours = env!("CARGO_PKG_VERSION");
    let (oldest, newest) = info.wire;
    let detail = format!(
        "relay {} (wire {oldest} to {newest}), hoopctl {ours} (wire {} to {})",
        info.version,
        wire::OLDEST,
        wire::NEWEST
    );
    if newest < wire::OLDEST {
        return Check::bad(
            "version",
            detail,
            format!("ask for the relay to be updated, or use hoopctl {}", info.version),
        );
    }
    if oldest > wire::NEWEST {
        return Check::bad("version", detail, format!("install hoopctl {}", info.version));
    }
    Check::good("version", detail)
}

fn clock(theirs: OffsetDateTime, ours: OffsetDateTime) -> Check {
    let skew = ours - theirs;
    let detail = format!("{:.1} s from the relay's", skew.as_seconds_f64());
    if skew.abs() > MAX_SKEW {
        return Check::bad("clock", detail, "set this machine's clock, by NTP for instance");
    }
    Check::good("clock", detail)
}

fn no_udp(relay: &RelayAddress, why: &str) -> Check {
    Check::bad(
        "udp",
        format!("no QUIC ({why}): everything works over TCP, with less speed on bad networks"),
        format!("open UDP port {} to the relay", relay.port()),
    )
}

/// Whether QUIC reaches the relay, for who has no login.
async fn udp(relay: &RelayAddress, trust: Trust) -> Check {
    match udp_passes(relay, trust).await {
        Ok(rtt) => Check::good("udp", format!("QUIC, {:.1} ms", rtt.as_secs_f64() * 1000.0)),
        Err(why) => no_udp(relay, &why),
    }
}

async fn tunnel(login: &Login, context: &Context, checks: &mut Vec<Check>) {
    let mut dial = match context.dial(login) {
        Ok(dial) => dial,
        Err(error) => return checks.push(Check::of_error("tunnel", &error)),
    };
    // What earlier commands found out about UDP is not to be believed here.
    dial.memory = None;
    // A busy machine is slow to answer; only silence means that no UDP passes.
    dial.head_start = PATIENCE;
    let tunnel = match timeout(PATIENCE * 3, Tunnel::connect(&dial)).await {
        Ok(Ok(tunnel)) => tunnel,
        Ok(Err(error)) => return checks.push(Check::of_error("tunnel", &error.refusal().into())),
        Err(_) => {
            let fix = "check firewalls between here and the relay";
            return checks.push(Check::bad("tunnel", "no answer", fix));
        }
    };
    context.news.hear(&tunnel.welcome().notices);
    let rtt = tunnel.rtt().as_secs_f64() * 1000.0;
    checks.push(match tunnel.transport() {
        Transport::Quic => Check::good("udp", format!("QUIC, {rtt:.1} ms")),
        Transport::Tcp => no_udp(&login.relay, "its handshake is not answered"),
    });
    checks.push(Check::good(
        "tunnel",
        format!("the relay takes the login, wire version {}", tunnel.welcome().version),
    ));
    tunnel.close().await;
}

/// What the relay finds out itself, and what its policies say.
async fn at_the_relay(login: &Login, context: &Context, checks: &mut Vec<Check>) {
    let relay = match RelayApi::of(login, &context.news) {
        Ok(relay) => relay,
        Err(error) => return checks.push(Check::of_error("provider", &error)),
    };
    // The relay waits for its providers itself.
    match relay
        .get_within::<Vec<ProviderReached>>("/v1/providers", PATIENCE * 3)
        .await
    {
        Ok(providers) => checks.extend(providers.iter().map(provider)),
        Err(error) if error.code() == Code::NotFound => {
            checks.push(Check::good(
                "provider",
                "this relay is too old to say whether it reaches its identity providers",
            ));
        }
        Err(error) => checks.push(Check::of_error("provider", &error)),
    }
    let listed: Result<Vec<ConnectionListed>> = relay.get_within("/v1/connections", PATIENCE).await;
    match listed {
        Ok(connections) if connections.is_empty() => checks.push(Check::bad(
            "policy",
            format!("no connection may be used by {}", login.whoami.principal),
            "ask the relay's operator for a policy that permits `connect` to you or one of your groups; `hoopctl whoami` shows them",
        )),
        Ok(connections) => checks.extend(connections.iter().map(policy)),
        Err(error) => checks.push(Check::of_error("policy", &error)),
    }
}

fn provider(reached: &ProviderReached) -> Check {
    match &reached.problem {
        None if reached.ok => Check::good("provider", format!("the relay reaches {}", reached.name)),
        problem => Check::bad(
            "provider",
            format!(
                "the relay does not reach {}: {}",
                reached.name,
                problem.as_deref().unwrap_or("no answer")
            ),
            "tell the relay's operator: nobody can log in with it; logins that hold are not affected",
        ),
    }
}

fn policy(connection: &ConnectionListed) -> Check {
    Check::good("policy", format!("{}: {}", connection.name, connection.asks.join("; ")))
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
    fn a_relay_without_a_common_version_is_found_before_a_connect_fails() {
        let of = |wire| {
            version(&Info {
                version: "9.9.9".to_owned(),
                wire,
                issuers: Vec::new(),
                time: None,
            })
        };
        assert!(of((wire::OLDEST, wire::NEWEST + 4)).ok);
        let newer = of((wire::NEWEST + 1, wire::NEWEST + 2));
        assert!(!newer.ok && newer.fix.as_deref() == Some("install hoopctl 9.9.9"));
        let older = of((0, wire::OLDEST - 1));
        assert!(
            !older.ok
                && older
                    .fix
                    .as_deref()
                    .is_some_and(|fix| fix.contains("relay to be updated"))
        );
    }

    #[test]
    fn a_provider_out_of_reach_is_a_problem_of_the_relay() {
        let reached = |problem: Option<&str>| ProviderReached {
            name: "okta".to_owned(),
            ok: problem.is_none(),
            problem: problem.map(str::to_owned),
        };
        assert!(provider(&reached(None)).ok);
        let lost = provider(&reached(Some("no connection to it")));
        assert!(!lost.ok && lost.detail.contains("does not reach okta: no connection"));
    }
}
