//! What names mean at each target, shared by all sessions of a connection: one snapshot, loaded by one connection of the relay's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hoop_shared::refusal::{Code, Refusal};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::turns::{self, Turns};
use super::{DialError, OwnConnection, Question};
use crate::config::{Connection, PostgresTarget, Target};
use crate::inspect::catalog::Catalog;
use crate::inspect::sql::Changes;
use crate::inspect::sql::settings::PINS;
use crate::mask::{Bindings, DatabaseId, KeepsBindings, Masks};
use crate::store::StoreError;
use crate::target::catalog::{Began, Catalogs, Known, LoadError, load};
use crate::target::{Queries as _, Rows};

/// How old a snapshot may be that a statement is read with. Nothing announces changes that do not come through the relay.
pub const AGE: Duration = Duration::from_secs(5);
/// Past this age a snapshot is loaded again beside the statements, so that those of a busy connection need not wait.
const SOON: Duration = Duration::from_secs(3);
/// How often names that are not found may have the catalog loaded again.
const NOT_FOUND: Duration = Duration::from_secs(1);

/// Which database a connection leads to.
const DATABASE_OID: &str = "SELECT oid FROM pg_database WHERE datname = current_database()";
/// Which cluster it is in: other than addresses and names, no two have it in common.
const SYSTEM_IDENTIFIER: &str = "SELECT system_identifier FROM pg_control_system()";
/// How long an estimate may take: the server stops planning before.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the relay knows of the targets of all connections.
#[derive(Debug)]
pub struct Targets {
    known: Mutex<HashMap<String, Arc<TargetNames>>>,
    keeper: Arc<dyn KeepsBindings>,
}

impl Targets {
    /// Knows nothing yet. `keeper` keeps what masks are bound to.
    pub fn new(keeper: Arc<dyn KeepsBindings>) -> Self {
        Self {
            known: Mutex::default(),
            keeper,
        }
    }

    /// What is known of a connection's target. A connection that a reload changed begins anew.
    pub fn of(&self, connection: &Arc<Connection>) -> Arc<TargetNames> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&connection.name) {
            Some(names) if Arc::ptr_eq(&names.connection, connection) => names.clone(),
            _ => {
                let names = Arc::new(TargetNames::new(connection.clone(), self.keeper.clone()));
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
    /// What masks are bound to cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NamesError {
    /// What a client is told.
    pub fn refusal(&self, connection: &str) -> Refusal {
        match self {
            Self::Dial(error) => error.refusal(connection),
            Self::Store(_) => Refusal::new(
                Code::RelayFault,
                format!("the relay cannot read what is masked in {connection}"),
            )
            .hint("try again; the relay's log says why"),
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
    own: AsyncMutex<Own>,
    bound: ArcSwap<Bindings>,
    keeper: Arc<dyn KeepsBindings>,
    search_path: Mutex<Option<String>>,
    turns: Arc<Turns>,
}

/// The relay's own connection to a target.
#[derive(Debug, Default)]
struct Own {
    connection: Option<OwnConnection>,
    /// What it leads to.
    database: DatabaseId,
    /// What the store has; `None`: it was not asked yet.
    kept: Option<Arc<Bindings>>,
    /// The snapshot and the masks of the last binding.
    bound_to: Option<(u64, Arc<Masks>)>,
}

impl TargetNames {
    fn new(connection: Arc<Connection>, keeper: Arc<dyn KeepsBindings>) -> Self {
        Self {
            connection,
            catalogs: Catalogs::default(),
            own: AsyncMutex::default(),
            bound: ArcSwap::default(),
            keeper,
            search_path: Mutex::default(),
            turns: Arc::default(),
        }
    }

    /// The target.
    pub fn target(&self) -> &PostgresTarget {
        match &self.connection.target {
            Target::Postgres(target) => target,
        }
    }

    /// Lets a session of the target take part in its turns.
    pub fn join(&self) -> turns::Session {
        self.turns.clone().join()
    }

    /// The snapshot, if it is fresh enough to read statements with.
    pub fn fresh(&self) -> Option<Known> {
        self.catalogs.fresh(AGE)
    }

    /// Says that a snapshot begins to be loaded that is not for all.
    pub fn begin(&self) -> Began {
        self.catalogs.begin()
    }

    /// Whether what began to be loaded then is fresh enough to read statements with.
    pub fn is_fresh(&self, began: &Began) -> bool {
        self.catalogs.is_fresh(began, AGE)
    }

    /// The newest snapshot, however old.
    pub fn newest(&self) -> Option<Known> {
        self.catalogs.current()
    }

    /// Whether the snapshot should be loaded again beside what goes on.
    pub fn is_aging(&self) -> bool {
        self.catalogs.fresh(SOON).is_none()
    }

    /// What masks are bound to, whatever it is called by now. Known before the first snapshot is.
    pub fn bound(&self) -> Arc<Bindings> {
        self.bound.load_full()
    }

    /// Names of the target have changed, and whose transaction did it has ended.
    pub fn changed(&self, changes: Changes) {
        self.turns.changed(changes, || self.catalogs.invalidate());
    }

    /// Whether a name that the snapshot does not have may be newer than it; then the next [`TargetNames::learn`] loads it again.
    pub fn doubt(&self) -> bool {
        let old = self.catalogs.fresh(NOT_FOUND).is_none();
        if old {
            self.catalogs.doubt();
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
            Some(known) => Ok(known.catalog),
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

    /// How many rows the planner expects a statement to touch, where it says so in time. See [`Question`] for what must hold.
    pub async fn estimate(&self, question: &Question) -> Option<i64> {
        let mut own = self.own.lock().await;
        let mut connection = match own.connection.take() {
            Some(connection) => connection,
            None => {
                let (connection, database) = self.open().await.ok()?;
                own.database = database;
                connection
            }
        };
        match timeout(PATIENCE, connection.estimate(question)).await {
            Ok(Ok(rows)) => {
                own.connection = Some(connection);
                rows
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the relay's own connection is lost");
                None
            }
            Err(_) => None,
        }
    }

    async fn load(&self, own: &mut Own) -> Result<Arc<Catalog>, NamesError> {
        if let Some(mut connection) = own.connection.take() {
            let began = self.catalogs.begin();
            match load(&mut connection).await {
                Ok(catalog) => {
                    own.connection = Some(connection);
                    return self.install(own, catalog, began).await;
                }
                // It may have been idle for too long: a new one shows what is wrong.
                Err(error) => tracing::debug!(%error, "the relay's own connection is lost"),
            }
        }
        let (mut connection, database) = self.open().await?;
        let began = self.catalogs.begin();
        let catalog = load(&mut connection).await?;
        own.connection = Some(connection);
        own.database = database;
        self.install(own, catalog, began).await
    }

    /// Binds the masks to what was loaded, then lets it be used.
    async fn install(&self, own: &mut Own, catalog: Catalog, began: Began) -> Result<Arc<Catalog>, NamesError> {
        self.bind(own, &catalog).await?;
        Ok(self.catalogs.install(catalog, began))
    }

    async fn bind(&self, own: &mut Own, catalog: &Catalog) -> Result<(), StoreError> {
        let name = &self.connection.name;
        let Some(masks) = self.keeper.masks(name) else {
            return Ok(());
        };
        let kept = match &own.kept {
            Some(kept) if kept.database == own.database => kept.clone(),
            _ => {
                let all = self.keeper.kept(name).await?;
                own.bound_to = None;
                Arc::new(Bindings::of(own.database.clone(), all))
            }
        };
        let same = |(digest, before): &(u64, Arc<Masks>)| *digest == catalog.digest() && Arc::ptr_eq(before, &masks);
        if own.bound_to.as_ref().is_some_and(same) {
            return Ok(());
        }
        let bound = Arc::new(masks.bind(catalog, &kept));
        let changes = bound.since(&kept);
        if *self.bound.load_full() != *bound {
            self.bound.store(bound.clone());
        }
        own.kept = Some(kept);
        if !changes.is_empty()
            && let Err(error) = self.keeper.keep(name, &own.database, changes).await
        {
            // They hold as long as this relay runs; the next snapshot tries again.
            tracing::error!(connection = %name, %error, "what masks are bound to cannot be kept: a restart may forget renamed columns");
            return Ok(());
        }
        own.kept = Some(bound);
        own.bound_to = Some((catalog.digest(), masks));
        Ok(())
    }

    async fn open(&self) -> Result<(OwnConnection, DatabaseId), NamesError> {
        let mut settings: Vec<(String, String)> = PINS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        settings.push(("application_name".to_owned(), "hoop-relay".to_owned()));
        let mut connection = OwnConnection::open(self.target(), &settings).await?;
        let path = one(connection.rows("SHOW search_path").await.map_err(LoadError::from)?);
        *self.search_path.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.unwrap_or_default());
        let own = "SET search_path = pg_catalog, pg_temp; SET default_transaction_read_only = on; SET statement_timeout = '30s'";
        connection.rows(own).await.map_err(LoadError::from)?;
        let oid = one(connection.rows(DATABASE_OID).await.map_err(LoadError::from)?);
        // A role may be kept from it; then the oid alone tells databases apart.
        let cluster = connection.rows(SYSTEM_IDENTIFIER).await.ok().and_then(one);
        let database = DatabaseId {
            cluster: cluster.unwrap_or_default(),
            oid: oid.and_then(|oid| oid.parse().ok()).unwrap_or_default(),
        };
        Ok((connection, database))
    }
}

/// The first value of an answer.
fn one(rows: Rows) -> Option<String> {
    rows.into_iter().flatten().next().flatten()
}
