//! What sessions run by, and what a reload replaces as a whole: configuration, policies, masks.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::Config;
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
    /// Puts a generation together. `mask_key` is the relay's, so that hashes stay comparable.
    ///
    /// # Errors
    /// A mask's column pattern cannot be read.
    pub fn new(config: Config, policies: Policies, mask_key: &[u8; 32]) -> Result<Self, PatternError> {
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
