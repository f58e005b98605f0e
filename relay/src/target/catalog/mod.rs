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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::{Queries, QueryError};
use crate::inspect::catalog::Catalog;

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
    let mut reader = rows::Reader::default();
    for step in rows::STEPS {
        let rows = connection.rows(step.sql).await?;
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
    current: ArcSwapOption<(Arc<Catalog>, Instant)>,
    generations: AtomicU64,
    stale: AtomicBool,
}

impl Catalogs {
    /// The newest snapshot, if one was ever loaded.
    pub fn current(&self) -> Option<Arc<Catalog>> {
        self.current.load().as_ref().map(|entry| entry.0.clone())
    }

    /// The newest snapshot, if it is younger than `age` and nothing called it stale.
    pub fn fresh(&self, age: Duration) -> Option<Arc<Catalog>> {
        if self.stale.load(Ordering::Acquire) {
            return None;
        }
        let entry = self.current.load();
        let entry = entry.as_ref()?;
        (entry.1.elapsed() < age).then(|| entry.0.clone())
    }

    /// Says that the target changed: the next [`Catalogs::fresh`] finds nothing until a new snapshot is installed.
    pub fn invalidate(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Says that a load begins: an [`Catalogs::invalidate`] from here on outlives its [`Catalogs::install`].
    pub fn begin(&self) {
        self.stale.store(false, Ordering::Release);
    }

    /// Keeps a loaded snapshot and gives it its generation: that of the one before it, if nothing changed.
    pub fn install(&self, mut catalog: Catalog) -> Arc<Catalog> {
        let now = Instant::now();
        if let Some(entry) = self.current.load().as_ref()
            && entry.0.digest() == catalog.digest()
        {
            let kept = entry.0.clone();
            self.current.store(Some(Arc::new((kept.clone(), now))));
            return kept;
        }
        catalog.generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let catalog = Arc::new(catalog);
        self.current.store(Some(Arc::new((catalog.clone(), now))));
        catalog
    }
}
