//! Runs: one-shot sessions whose client may come back, and the keys under which the same never runs twice.

use hoop_shared::id::SessionId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{Store, StoreError, from_millis, from_millis_option, millis};
use crate::approval::Person;

const COLUMNS: &str = "session, connection, issuer, subject, mark, key, digest, state, is_left, seen, created, ended";

/// A key, and the digest of what runs under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKey {
    /// The key.
    pub key: String,
    /// BLAKE3 of statements and parameters, hex.
    pub digest: String,
}

/// A run that begins.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its session.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// Whose it is.
    pub owner: Person,
    /// What marks the relay's words in its result.
    pub mark: String,
    /// What must never run twice.
    pub key: Option<RunKey>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has not ended.
    Running,
    /// It has ended, and how is kept.
    Done,
    /// It was cut off: what it did last may have happened or not.
    Unknown,
}

impl RunState {
    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Unknown => "unknown",
        }
    }
}

/// A stored run.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Its session.
    pub session: SessionId,
    /// The connection's name.
    pub connection: String,
    /// Whose it is: issuer and subject.
    pub owner: (String, String),
    /// What marks the relay's words in its result.
    pub mark: String,
    /// What must never run twice.
    pub key: Option<RunKey>,
    /// Where it stands.
    pub state: RunState,
    /// Its client left it.
    pub is_left: bool,
    /// Bytes of the kept result that its client had before.
    pub seen: u64,
    /// When it began.
    pub created: OffsetDateTime,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
}

/// What becomes of a run's line at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It stays, with its key.
    Keep(RunState),
    /// It stays, but its key may be used again: nothing of it reached the target.
    FreeKey,
    /// Nobody comes back for it.
    Forget,
}

/// Whether a run may begin.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It may.
    Yes,
    /// Its key is taken, by this run.
    Taken(Box<StoredRun>),
    /// Its principal has as many as are kept.
    Full,
}

impl Store {
    /// Stores a run that begins, before anything of it may run. One that has a key takes it, or finds who has it.
    ///
    /// # Errors
    /// The store failed: the run must not begin.
    pub async fn begin_run(&self, run: &NewRun, most: usize) -> Result<Begun, StoreError> {
        let mut tx = self.write().await?;
        if let Some(key) = &run.key {
            let taken = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM runs WHERE issuer = ? AND subject = ? AND connection = ? AND key = ?"
            )))
            .bind(&run.owner.issuer)
            .bind(&run.owner.subject)
            .bind(&run.connection)
            .bind(&key.key)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(row) = taken {
                return Ok(Begun::Taken(Box::new(stored(&row)?)));
            }
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE issuer = ? AND subject = ?")
            .bind(&run.owner.issuer)
            .bind(&run.owner.subject)
            .fetch_one(&mut *tx)
            .await?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= most {
            return Ok(Begun::Full);
        }
        sqlx::query(
            "INSERT INTO runs (session, connection, issuer, subject, mark, key, digest, state, created)
             VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?)",
        )
        .bind(run.session.as_str())
        .bind(&run.connection)
        .bind(&run.owner.issuer)
        .bind(&run.owner.subject)
        .bind(&run.mark)
        .bind(run.key.as_ref().map(|key| &key.key))
        .bind(run.key.as_ref().map(|key| &key.digest))
        .bind(millis(OffsetDateTime::now_utc()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Begun::Yes)
    }

    /// Who has a key.
    ///
    /// # Errors
    /// The store failed.
    pub async fn run_of_key(
        &self,
        owner: &Person,
        connection: &str,
        key: &str,
    ) -> Result<Option<StoredRun>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM runs WHERE issuer = ? AND subject = ? AND connection = ? AND key = ?"
        )))
        .bind(&owner.issuer)
        .bind(&owner.subject)
        .bind(connection)
        .bind(key)
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(stored).transpose()
    }

    /// A run by its session.
    ///
    /// # Errors
    /// The store failed.
    pub async fn run(&self, session: &SessionId) -> Result<Option<StoredRun>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM runs WHERE session = ?"
        )))
        .bind(session.as_str())
        .fetch_optional(self.pool())
        .await?;
        row.as_ref().map(stored).transpose()
    }

    /// Stores that a run's client has left it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn leave_run(&self, session: &SessionId) -> Result<(), StoreError> {
        sqlx::query("UPDATE runs SET is_left = 1 WHERE session = ?")
            .bind(session.as_str())
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Stores the end of a run. A denial keeps its key: a person has decided about what it names.
    ///
    /// # Errors
    /// The store failed; the run counts as running until the relay starts again, then as unknown.
    pub async fn end_run(
        &self,
        session: &SessionId,
        end: RunEnd,
        is_left: bool,
        seen: u64,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let denied: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM requests WHERE session = ? AND status = 'denied')")
                .bind(session.as_str())
                .fetch_one(&mut *tx)
                .await?;
        let state = match end {
            RunEnd::Keep(state) => state,
            RunEnd::FreeKey | RunEnd::Forget => RunState::Done,
        };
        if end == RunEnd::Forget {
            sqlx::query("DELETE FROM runs WHERE session = ?")
                .bind(session.as_str())
                .execute(&mut *tx)
                .await?;
        } else {
            let frees = end == RunEnd::FreeKey && !denied;
            sqlx::query(
                "UPDATE runs SET state = ?, is_left = ?, seen = ?, ended = ?,
                        key = iif(?, NULL, key), digest = iif(?, NULL, digest) WHERE session = ?",
            )
            .bind(state.word())
            .bind(is_left)
            .bind(i64::try_from(seen).unwrap_or(i64::MAX))
            .bind(millis(now))
            .bind(frees)
            .bind(frees)
            .bind(session.as_str())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Marks what an earlier run of the relay left running: nobody saw how it ended.
    ///
    /// # Errors
    /// The store failed.
    pub async fn interrupt_runs(&self, now: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query("UPDATE runs SET state = 'unknown', ended = ? WHERE state = 'running'")
            .bind(millis(now))
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Forgets the runs that ended before a time; gives their sessions.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget_runs(&self, before: OffsetDateTime) -> Result<Vec<SessionId>, StoreError> {
        let sessions: Vec<String> = sqlx::query_scalar("DELETE FROM runs WHERE ended < ? RETURNING session")
            .bind(millis(before))
            .fetch_all(self.pool())
            .await?;
        sessions
            .into_iter()
            .map(|session| session.parse().map_err(|_| StoreError::Value("session id")))
            .collect()
    }
}

fn stored(row: &SqliteRow) -> Result<StoredRun, StoreError> {
    let session: String = row.try_get("session")?;
    let key: Option<String> = row.try_get("key")?;
    let digest: Option<String> = row.try_get("digest")?;
    let state: String = row.try_get("state")?;
    Ok(StoredRun {
        session: session.parse().map_err(|_| StoreError::Value("session id"))?,
        connection: row.try_get("connection")?,
        owner: (row.try_get("issuer")?, row.try_get("subject")?),
        mark: row.try_get("mark")?,
        key: key.zip(digest).map(|(key, digest)| RunKey { key, digest }),
        state: match state.as_str() {
            "running" => RunState::Running,
            "done" => RunState::Done,
            "unknown" => RunState::Unknown,
            _ => return Err(StoreError::Value("state of a run")),
        },
        is_left: row.try_get("is_left")?,
        seen: u64::try_from(row.try_get::<i64, _>("seen")?).map_err(|_| StoreError::Value("bytes"))?,
        created: from_millis(row.try_get("created")?)?,
        ended: from_millis_option(row.try_get("ended")?)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    fn run(key: Option<(&str, &str)>) -> NewRun {
        NewRun {
            session: SessionId::random().unwrap(),
            connection: "db".to_owned(),
            owner: Person {
                issuer: "i".to_owned(),
                subject: "s".to_owned(),
                label: "ana".to_owned(),
            },
            mark: "m".to_owned(),
            key: key.map(|(key, digest)| RunKey {
                key: key.to_owned(),
                digest: digest.to_owned(),
            }),
        }
    }

    async fn store() -> (Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Store::open(&dir.path().join("data")).await.unwrap(), dir)
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    #[tokio::test]
    async fn a_key_is_taken_once_until_it_is_freed() {
        let (store, _dir) = store().await;
        let first = run(Some(("k", "d")));
        assert!(matches!(store.begin_run(&first, 10).await.unwrap(), Begun::Yes));
        let Begun::Taken(taken) = store.begin_run(&run(Some(("k", "other"))), 10).await.unwrap() else {
            panic!("taken twice");
        };
        assert_eq!(
            (taken.session, taken.state, taken.key.unwrap().digest.as_str()),
            (first.session.clone(), RunState::Running, "d")
        );
        // Another connection or principal has its own keys.
        let elsewhere = NewRun {
            connection: "other".to_owned(),
            ..run(Some(("k", "d")))
        };
        assert!(matches!(store.begin_run(&elsewhere, 10).await.unwrap(), Begun::Yes));
        store
            .end_run(&first.session, RunEnd::FreeKey, false, 0, now())
            .await
            .unwrap();
        assert!(store.run_of_key(&first.owner, "db", "k").await.unwrap().is_none());
        assert!(matches!(
            store.begin_run(&run(Some(("k", "d"))), 10).await.unwrap(),
            Begun::Yes
        ));
    }

    #[tokio::test]
    async fn two_that_begin_at_once_are_one() {
        let (store, _dir) = store().await;
        let all: Vec<NewRun> = (0..8).map(|_| run(Some(("k", "d")))).collect();
        let begun = futures::future::join_all(all.iter().map(|run| store.begin_run(run, 100))).await;
        let mine = begun.iter().filter(|begun| matches!(begun, Ok(Begun::Yes))).count();
        assert_eq!(mine, 1);
    }

    #[tokio::test]
    async fn what_a_crash_cuts_off_is_unknown_and_keeps_its_key() {
        let (store, _dir) = store().await;
        let cut = run(Some(("k", "d")));
        store.begin_run(&cut, 10).await.unwrap();
        store.interrupt_runs(now()).await.unwrap();
        let Begun::Taken(taken) = store.begin_run(&run(Some(("k", "d"))), 10).await.unwrap() else {
            panic!("it would run twice");
        };
        assert_eq!(taken.state, RunState::Unknown);
    }

    #[tokio::test]
    async fn ended_runs_are_forgotten_in_time_and_there_are_only_so_many() {
        let (store, _dir) = store().await;
        let (kept, forgotten) = (run(None), run(None));
        store.begin_run(&kept, 2).await.unwrap();
        store.begin_run(&forgotten, 2).await.unwrap();
        assert!(matches!(store.begin_run(&run(None), 2).await.unwrap(), Begun::Full));
        store.leave_run(&kept.session).await.unwrap();
        store
            .end_run(&kept.session, RunEnd::Keep(RunState::Done), true, 7, now())
            .await
            .unwrap();
        store
            .end_run(&forgotten.session, RunEnd::Forget, false, 0, now())
            .await
            .unwrap();
        let found = store.run(&kept.session).await.unwrap().unwrap();
        assert_eq!((found.state, found.is_left, found.seen), (RunState::Done, true, 7));
        assert!(store.run(&forgotten.session).await.unwrap().is_none());
        assert!(
            store
                .forget_runs(now() - time::Duration::hours(1))
                .await
                .unwrap()
                .is_empty()
        );
        let gone = store.forget_runs(now() + time::Duration::hours(1)).await.unwrap();
        assert_eq!(gone, [kept.session]);
    }
}
