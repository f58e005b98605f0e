//! What names mean at each target, shared by all sessions of a connection: one snapshot, loaded by one connection of the relay's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};
use tokio::sync::Mutex as AsyncMutex;

use super::{DialError, OwnConnection};
use crate::config::{Connection, PostgresTarget, Target};
use crate::inspect::catalog::Catalog;
use crate::inspect::sql::settings::PINS;
use crate::target::Queries as _;
use crate::target::catalog::{Catalogs, LoadError, load};

/// How old a snapshot may be that a statement is read with. Nothing announces changes that do not come through the relay.
pub const AGE: Duration = Duration::from_secs(5);
/// Past this age a snapshot is loaded again beside the statements, so that those of a busy connection need not wait.
const SOON: Duration = Duration::from_secs(3);
/// How often names that are not found may have the catalog loaded again.
const NOT_FOUND: Duration = Duration::from_secs(1);

/// What the relay knows of the targets of all connections.
#[derive(Debug, Default)]
pub struct Targets {
    known: Mutex<HashMap<String, Arc<TargetNames>>>,
}

impl Targets {
    /// What is known of a connection's target. A connection that a reload changed begins anew.
    pub fn of(&self, connection: &Arc<Connection>) -> Arc<TargetNames> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&connection.name) {
            Some(names) if Arc::ptr_eq(&names.connection, connection) => names.clone(),
            _ => {
                let names = Arc::new(TargetNames::new(connection.clone()));
                known.insert(connection.name.clone(), names.clone());
                names
            }
        }
    }
}

/// Why names are not known.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The target cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The catalog cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl NamesError {
    /// What a client is told.
    pub fn refusal(&self, connection: &str) -> Refusal {
        match self {
            Self::Dial(error) => error.refusal(connection),
            Self::Load(_) => Refusal::new(
                Code::RelayFault,
                format!("the relay cannot read the catalog of {connection}, so it cannot decide"),
            )
            .hint("try again; the relay's log says why"),
        }
    }
}

/// What is known of one connection's target.
#[derive(Debug)]
pub struct TargetNames {
    connection: Arc<Connection>,
    catalogs: Catalogs,
    own: AsyncMutex<Option<OwnConnection>>,
    search_path: Mutex<Option<String>>,
}

impl TargetNames {
    fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            catalogs: Catalogs::default(),
            own: AsyncMutex::default(),
            search_path: Mutex::default(),
        }
    }

    /// The target.
    pub fn target(&self) -> &PostgresTarget {
        match &self.connection.target {
            Target::Postgres(target) => target,
        }
    }

    /// The snapshot, if it is fresh enough to read statements with.
    pub fn fresh(&self) -> Option<Arc<Catalog>> {
        self.catalogs.fresh(AGE)
    }

    /// The newest snapshot, however old.
    pub fn newest(&self) -> Option<Arc<Catalog>> {
        self.catalogs.current()
    }

    /// Whether the snapshot should be loaded again beside what goes on.
    pub fn is_aging(&self) -> bool {
        self.catalogs.fresh(SOON).is_none()
    }

    /// The target changed.
    pub fn changed(&self) {
        self.catalogs.invalidate();
    }

    /// Whether a name that the snapshot does not have may be newer than it; then the next [`TargetNames::learn`] loads it again.
    pub fn doubt(&self) -> bool {
        let old = self.catalogs.fresh(NOT_FOUND).is_none();
        if old {
            self.catalogs.invalidate();
        }
        old
    }

    /// The role's own search_path, as the server begins a session with.
    ///
    /// # Errors
    /// The target cannot be reached.
    pub async fn search_path(&self) -> Result<String, NamesError> {
        let known = || self.search_path.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known().is_none() {
            self.learn().await?;
        }
        Ok(known().unwrap_or_default())
    }

    /// Gives a fresh snapshot; loads one where there is none.
    ///
    /// # Errors
    /// The target cannot be reached, or its catalog not read.
    pub async fn learn(&self) -> Result<Arc<Catalog>, NamesError> {
        // Who waits here finds what the one before loaded.
        let mut own = self.own.lock().await;
        match self.catalogs.fresh(SOON) {
            Some(catalog) => Ok(catalog),
            None => self.load(&mut own).await,
        }
    }

    /// Gives a snapshot that is newer than this call.
    ///
    /// # Errors
    /// The target cannot be reached, or its catalog not read.
    pub async fn learn_now(&self) -> Result<Arc<Catalog>, NamesError> {
        let mut own = self.own.lock().await;
        self.load(&mut own).await
    }

    async fn load(&self, own: &mut Option<OwnConnection>) -> Result<Arc<Catalog>, NamesError> {
        if let Some(mut connection) = own.take() {
            self.catalogs.begin();
            match load(&mut connection).await {
                Ok(catalog) => {
                    *own = Some(connection);
                    return Ok(self.catalogs.install(catalog));
                }
                // It may have been idle for too long: a new one shows what is wrong.
                Err(error) => tracing::debug!(%error, "the relay's own connection is lost"),
            }
        }
        let mut connection = self.open().await?;
        self.catalogs.begin();
        match load(&mut connection).await {
            Ok(catalog) => {
                *own = Some(connection);
                Ok(self.catalogs.install(catalog))
            }
            Err(error) => {
                self.catalogs.invalidate();
                Err(error.into())
            }
        }
    }

    async fn open(&self) -> Result<OwnConnection, NamesError> {
        let mut settings: Vec<(String, String)> = PINS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        settings.push(("application_name".to_owned(), "hoop-relay".to_owned()));
        let mut connection = OwnConnection::open(self.target(), &settings).await?;
        let path = connection.rows("SHOW search_path").await.map_err(LoadError::from)?;
        let path = path.into_iter().flatten().next().flatten().unwrap_or_default();
        *self.search_path.lock().unwrap_or_else(PoisonError::into_inner) = Some(path);
        let own = "SET search_path = pg_catalog, pg_temp; SET default_transaction_read_only = on; SET statement_timeout = '30s'";
        connection.rows(own).await.map_err(LoadError::from)?;
        Ok(connection)
    }
}
