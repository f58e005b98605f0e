//! Loading a snapshot of a target's names, and keeping the newest one of each connection.
//!
//! Nothing announces a change of the catalog: whoever uses a snapshot asks for a newer one on DDL, on an unknown oid, after a
//! short time and before a held operation's release. A snapshot that differs from the one before it gets a new generation.

mod queries;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test that cannot start its server has failed.
pub(crate) mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::{Queries, QueryError};
use crate::inspect::catalog::{Catalog, Parts};

use queries::Which;
pub use rows::RowError;

/// The most rows that one catalog query may give. A million columns are some 200 MB of snapshot; a target beyond that is refused.
pub const MAX_ROWS: usize = 1_000_000;

/// Why a snapshot could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A query failed.
    #[error("the catalog cannot be read")]
    Query(#[from] QueryError),
    /// A row is not of the expected shape.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The catalog is larger than [`MAX_ROWS`].
    #[error("the catalog has more than {MAX_ROWS} entries of a kind")]
    TooLarge,
}

/// Loads a snapshot. Its generation is 0 until [`Catalogs::install`] gives it one.
///
/// # Errors
/// A query's own error, a row that is not as expected, or a catalog beyond [`MAX_ROWS`]. Not cancel safe.
pub async fn load(connection: &mut impl Queries) -> Result<Catalog, LoadError> {
    let parts = parts(connection, Which::All, Around::default()).await?;
    Ok(parts.build())
}

/// Queries that stand around those of a snapshot, on a connection that has another search path.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Before them.
    pub before: Option<String>,
    /// Behind them.
    pub after: Option<String>,
}

/// Loads a snapshot as the session of `connection` sees it, its temporary objects included.
///
/// # Errors
/// See [`load`].
pub async fn load_within(connection: &mut impl Queries, around: Around) -> Result<Catalog, LoadError> {
    let parts = parts(connection, Which::All, around).await?;
    Ok(parts.build().with_temporary(Parts::default()))
}

/// Loads the temporary objects of the session of `connection`: what [`Catalog::with_temporary`] adds to a snapshot.
///
/// # Errors
/// See [`load`].
pub async fn load_temporary(connection: &mut impl Queries, around: Around) -> Result<Parts, LoadError> {
    parts(connection, Which::Temporary, around).await
}

async fn parts(connection: &mut impl Queries, which: Which, around: Around) -> Result<Parts, LoadError> {
    let steps = rows::Step::of(which);
    let before = usize::from(around.before.is_some());
    let mut queries: Vec<String> = around.before.into_iter().collect();
    queries.extend(steps.iter().map(|(_, sql)| sql.clone()));
    queries.extend(around.after);
    let answers = connection.all(queries).await?;
    let mut reader = rows::Reader::default();
    for ((step, _), rows) in steps.into_iter().zip(answers.into_iter().skip(before)) {
        if rows.len() > MAX_ROWS {
            return Err(LoadError::TooLarge);
        }
        reader.take(step, rows)?;
    }
    Ok(reader.finish())
}

/// The newest snapshot of one connection.
#[derive(Debug, Default)]
pub struct Catalogs {
    current: ArcSwapOption<Entry>,
    generations: AtomicU64,
    changes: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    catalog: Arc<Catalog>,
    began: Began,
    /// A name was looked for in vain: it may be newer.
    doubted: bool,
}

/// When the loading of a snapshot began: what it may not have seen yet.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    at: Instant,
    /// How many changes of the target were known then.
    pub changes: u64,
}

/// A snapshot, and how many changes of the target it has surely seen.
#[derive(Clone, Debug)]
pub struct Known {
    /// The snapshot.
    pub catalog: Arc<Catalog>,
    /// The changes.
    pub changes: u64,
}

impl Catalogs {
    /// The newest snapshot, if one was ever loaded.
    pub fn current(&self) -> Option<Known> {
        self.current.load().as_ref().map(|entry| entry.known())
    }

    /// The newest snapshot, if it is younger than `age` and has seen every change.
    pub fn fresh(&self, age: Duration) -> Option<Known> {
        let entry = self.current.load();
        let entry = entry.as_ref()?;
        (!entry.doubted && self.is_fresh(&entry.began, age)).then(|| entry.known())
    }

    /// Whether what began to be loaded then is younger than `age` and has seen every change.
    pub fn is_fresh(&self, began: &Began, age: Duration) -> bool {
        began.changes == self.changes.load(Ordering::Acquire) && began.at.elapsed() < age
    }

    /// Says that the target changed, and gives the change's number: the next [`Catalogs::fresh`] finds nothing until a snapshot is
    /// installed whose loading begins from here on.
    pub fn invalidate(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Says that the newest snapshot may lack something: the next [`Catalogs::fresh`] finds nothing until another is installed.
    pub fn doubt(&self) {
        if let Some(entry) = self.current.load().as_ref() {
            self.current.store(Some(Arc::new(Entry {
                catalog: entry.catalog.clone(),
                began: entry.began,
                doubted: true,
            })));
        }
    }

    /// Says that a load begins.
    pub fn begin(&self) -> Began {
        Began {
            at: Instant::now(),
            changes: self.changes.load(Ordering::Acquire),
        }
    }

    /// Keeps a loaded snapshot and gives it its generation: that of the one before it, if nothing changed.
    pub fn install(&self, mut catalog: Catalog, began: Began) -> Arc<Catalog> {
        let before = self.current.load();
        let catalog = match before.as_ref() {
            Some(entry) if entry.catalog.digest() == catalog.digest() => entry.catalog.clone(),
            _ => {
                catalog.generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
                Arc::new(catalog)
            }
        };
        self.current.store(Some(Arc::new(Entry {
            catalog: catalog.clone(),
            began,
            doubted: false,
        })));
        catalog
    }
}

impl Entry {
    fn known(&self) -> Known {
        Known {
            catalog: self.catalog.clone(),
            changes: self.began.changes,
        }
    }
}
