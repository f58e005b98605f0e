//! What the relay remembers across restarts: SQLite in `data_dir`, by sqlx.
//!
//! Only the control runtime touches the store; nothing on the data path waits for it except a held operation.
//! WAL, so that readers never wait for the writer; `synchronous = FULL`, so that a decision that was confirmed
//! survives a power cut.
//!
//! **Adding a table**: put `NNNN_words.sql` with the next free number into `relay/migrations/` (it is embedded into
//! the binary and applied by [`Store::open`], in order, each in a transaction; a file that has shipped is never edited),
//! and write the queries as an `impl Store` in a file of this folder. Tables are `STRICT`; a time is an INTEGER, milliseconds since 1970
//! ([`millis`], [`from_millis`]). Queries are checked when they run, so every query has a test. One statement runs on
//! [`Store::pool`]; several that belong together on [`Store::write`], which takes the write lock before it reads,
//! so that what it read is still true when it writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hoop_shared::refusal::{Code, Refusal};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};
use time::OffsetDateTime;

mod authorities;
mod bindings;
pub mod files;
pub mod logins;
pub mod requests;
pub mod runs;
pub mod sessions;

/// The database's name in `data_dir`.
const FILE: &str = "relay.db";
/// One writes, the others read.
const CONNECTIONS: u32 = 4;
/// How long a writer waits for another before it gives up. A write takes some milliseconds.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or the database file cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: files::FileError,
    },
    /// The database is of a newer relay, or was altered.
    #[error("the store's layout: {0}")]
    Layout(#[from] sqlx::migrate::MigrateError),
    /// A query failed.
    #[error("the store: {0}")]
    Query(#[from] sqlx::Error),
    /// A stored value is not of the form that this module writes.
    #[error("the store holds a value that cannot be read: {0}")]
    Value(&'static str),
}

impl From<StoreError> for Refusal {
    /// Tells the user no more than that it is the relay's fault; the log has the rest.
    fn from(_: StoreError) -> Self {
        Self::new(Code::RelayFault, "the relay's store does not answer")
            .hint("try again; if it stays, tell the relay's operator")
    }
}

/// The relay's store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the store in `data_dir`, making directory, database and tables as needed.
    ///
    /// # Errors
    /// The directory belongs to another user or is open to others, the database cannot be opened, or is of a newer relay.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        files::private_directory(data_dir).map_err(|source| StoreError::File {
            path: data_dir.to_owned(),
            source,
        })?;
        let path = data_dir.join(FILE);
        // SQLite gives its -wal and -shm files the mode of the database.
        files::private_file(&path).map_err(|source| StoreError::File {
            path: path.clone(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// The connections, for single statements.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Begins a transaction that holds the write lock from its start. Dropped without `commit`, it is undone.
    ///
    /// # Errors
    /// The lock was not free within some seconds.
    pub async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Waits for running queries and closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A time as it is stored: milliseconds since 1970.
pub fn millis(time: OffsetDateTime) -> i64 {
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// A stored time.
///
/// # Errors
/// It is out of the calendar's range.
pub fn from_millis(millis: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).map_err(|_| StoreError::Value("time"))
}

/// A stored time that may be absent.
///
/// # Errors
/// It is out of the calendar's range.
pub fn from_millis_option(value: Option<i64>) -> Result<Option<OffsetDateTime>, StoreError> {
    value.map(from_millis).transpose()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_store_opens_twice_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let store = Store::open(&data).await.unwrap();
        store.close().await;
        let store = Store::open(&data).await.unwrap();
        for name in ["", FILE, "relay.db-wal"] {
            let mode = std::fs::metadata(data.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name} is open to others: {mode:o}");
        }
        let (mode, sync): (String, i64) = sqlx::query_as(
            "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)",
        )
        .fetch_one(store.pool())
        .await
        .unwrap();
        assert_eq!((mode.as_str(), sync), ("wal", 2));
    }

    #[tokio::test]
    async fn a_directory_that_others_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Store::open(dir.path()).await, Err(StoreError::File { .. })));
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data")).await.unwrap();
        let mut tx = store.write().await.unwrap();
        sqlx::query("INSERT INTO labels VALUES ('ana', 'i', 's', 0)")
            .execute(&mut *tx)
            .await
            .unwrap();
        drop(tx);
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM labels")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(count, 0);
    }

    #[test]
    fn times_survive_the_store_to_the_millisecond() {
        let time = time::macros::datetime!(2026-11-24 03:40:17.123 UTC);
        assert_eq!(from_millis(millis(time)).unwrap(), time);
        assert!(from_millis(i64::MAX).is_err());
    }
}
