//! What sessions run by, and what a reload replaces as a whole: configuration, policies, masks.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, Connection, PostgresTarget, Target};
use crate::mask::{Masks, PatternError};
use crate::policy::Policies;

/// One generation of what sessions run by.
#[derive(Debug)]
pub struct Rules {
    config: Arc<Config>,
    policies: Arc<Policies>,
    masks: HashMap<String, Arc<Masks>>,
}

/// The rules that hold now. A running session sees a new generation at its next look.
pub type SharedRules = Arc<ArcSwap<Rules>>;

impl Rules {
    /// Puts a generation together. `mask_key` is the relay's, so that hashes stay comparable. A connection
    /// that did not change is the very one of the generation before, so that what is known of its target stays.
    ///
    /// # Errors
    /// A mask's column pattern cannot be read.
    pub fn new(
        mut config: Config,
        policies: Policies,
        mask_key: &[u8; 32],
        before: Option<&Self>,
    ) -> Result<Self, PatternError> {
        if let Some(before) = before {
            for connection in &mut config.connections {
                if let Some(was) = before.config.connection(&connection.name)
                    && same_connection(was, connection)
                {
                    *connection = Arc::clone(was);
                }
            }
        }
        let compile =
            |name: &String| Masks::compile(&config.masks, name, mask_key).map(|masks| (name.clone(), Arc::new(masks)));
        let masks = config
            .connections
            .iter()
            .map(|connection| compile(&connection.name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config: Arc::new(config),
            policies: Arc::new(policies),
            masks,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The policies.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// The masks of a connection; `None` where there is no such connection.
    pub fn masks(&self, connection: &str) -> Option<&Arc<Masks>> {
        self.masks.get(connection)
    }

    /// Shares a first generation.
    pub fn shared(self) -> SharedRules {
        Arc::new(ArcSwap::from_pointee(self))
    }
}

/// Nothing about the connection changed that a session relies on.
pub fn same_connection(before: &Connection, now: &Connection) -> bool {
    let Connection {
        name,
        protocol,
        tags,
        target,
    } = before;
    *name == now.name && *protocol == now.protocol && *tags == now.tags && {
        let (Target::Postgres(before), Target::Postgres(now)) = (target, &now.target);
        same_target(before, now)
    }
}

fn same_target(before: &PostgresTarget, now: &PostgresTarget) -> bool {
    let PostgresTarget {
        host,
        port,
        database,
        user,
        password,
        tls,
        ca,
    } = before;
    let secret = |password: &Option<SecretString>| password.as_ref().map(|text| text.expose_secret().to_owned());
    *host == now.host
        && *port == now.port
        && *database == now.database
        && *user == now.user
        && *tls == now.tls
        && *ca == now.ca
        && secret(password) == secret(&now.password)
}
