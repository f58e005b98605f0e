//! A door with everything behind it, for tests: a store, a desk and recordings in a folder of their own.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Door, Registry, Rules, Session, Wish};
use crate::approval::{Desk, DeskOptions};
use crate::authn::Identity;
use crate::config::{Config, Connection, PostgresTarget, Source, Target, TlsMode};
use crate::policy::Policies;
use crate::record::{KeptResults, Keys, Recordings};
use crate::store::Store;
use hoop_shared::protocol::Protocol;

/// Permits everybody everything.
pub const PERMIT_ALL: &str = r#"@id("all") permit (principal, action, resource);"#;

/// A door, and the folder behind it.
pub struct Sample {
    pub door: Door,
    /// Kept until the test ends.
    _folder: tempfile::TempDir,
}

/// A connection called `db` to a target that nobody dials, or to `target`.
pub fn connection(target: Option<PostgresTarget>) -> Connection {
    Connection {
        name: "db".to_owned(),
        protocol: Protocol::Postgres,
        tags: vec!["env:test".to_owned()],
        target: Target::Postgres(target.unwrap_or(PostgresTarget {
            host: "127.0.0.1".to_owned(),
            port: 1,
            database: "shop".to_owned(),
            user: "relay".to_owned(),
            password: None,
            tls: TlsMode::Disable,
            ca: None,
        })),
    }
}

/// A configuration with that connection.
pub fn config() -> Config {
    Config {
        connections: vec![Arc::new(connection(None))],
        ..Config::default()
    }
}

/// Rules of a configuration and one policy text.
pub fn rules(config: Config, policies: &str) -> Rules {
    let policies = Policies::parse(&[Source::new("test.cedar", policies)], Duration::from_secs(60)).unwrap();
    Rules::new(config, policies, &[7; 32], None).unwrap()
}

/// Opens a door under these rules.
pub async fn door(rules: Rules) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Store::open(&data).await.unwrap();
    let options = DeskOptions {
        pending_per_session: rules.config().limits.pending_requests_per_session,
    };
    let (desk, clerk) = Desk::open(store, options).await.unwrap();
    tokio::spawn(clerk.run(CancellationToken::new()));
    let recordings = Recordings::open(&data, Keys::open(&data).unwrap(), true, None, 1 << 30).unwrap();
    Sample {
        door: Door {
            rules: rules.shared(),
            desk,
            registry: Arc::new(Registry::default()),
            recordings: Arc::new(recordings),
            results: Arc::new(KeptResults::open(&data, true).unwrap()),
        },
        _folder: folder,
    }
}

impl Sample {
    /// Opens a session on `db`.
    pub async fn session(&self, identity: Identity) -> Result<Arc<Session>, hoop_shared::refusal::Refusal> {
        self.door.open(Arc::new(identity), wish("db"), |_| ()).await
    }
}

/// Asks for a connection from this machine.
pub fn wish(connection: &str) -> Wish {
    Wish {
        connection: connection.to_owned(),
        reason: Some("a test".to_owned()),
        source: IpAddr::from([127, 0, 0, 1]),
        run: None,
    }
}
