#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod equivalence;
mod guide;
mod hostile;
mod loading;
mod strictness;
mod views;

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use hoop_shared::protocol::Protocol;

use super::*;
use crate::config::{Connection, PostgresTarget, Target, TlsMode};

const TTL: Duration = Duration::from_secs(900);

fn connection(name: &str, tags: &[&str]) -> Arc<Connection> {
    Arc::new(Connection {
        name: name.to_owned(),
        protocol: Protocol::Postgres,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        target: Target::Postgres(PostgresTarget {
            host: "localhost".to_owned(),
            port: 5432,
            database: "shop".to_owned(),
            user: "hoop".to_owned(),
            password: None,
            tls: TlsMode::Disable,
            ca: None,
        }),
    })
}

fn prod() -> Arc<Connection> {
    connection("db-prod", &["env:prod"])
}

fn parse(text: &str) -> Result<Policies, Vec<Problem>> {
    Policies::parse(&[Source::new("p.cedar", text)], TTL)
}

fn policies(text: &str) -> Policies {
    match parse(text) {
        Ok(policies) => policies,
        Err(problems) => panic!("{}", crate::config::render(&problems, false)),
    }
}

fn agent() -> Principal {
    Principal::user("agent", ["agents"])
}

fn around() -> Circumstances<'static> {
    Circumstances {
        reason: None,
        source: IpAddr::from([10, 0, 0, 1]),
        // Noon.
        now: UNIX_EPOCH + Duration::from_secs(12 * 3600),
    }
}

fn table(name: &str) -> Resource {
    Resource::Table("public".into(), name.into())
}

fn on(action: SqlAction, name: &str) -> Effect {
    Effect::new(action, table(name))
}

fn judge(policies: &Policies, effects: &[Effect]) -> Verdict {
    policies.judge(&agent(), &prod(), effects, &Facts::default(), &around())
}
