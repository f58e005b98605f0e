//! A line for each session: what `sessions ls` shows. The events are in the recording.

use hoop_shared::api::SessionSummary;
use hoop_shared::id::SessionId;
use hoop_shared::protocol::Protocol;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use time::OffsetDateTime;

use super::{Store, StoreError, from_millis, from_millis_option, millis};
use crate::approval::Person;

const COLUMNS: &str = "id, connection, protocol, label, issuer, subject, login, reason, started, ended, operations, blocked, held, masked, sealed";

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The connection's name.
    pub connection: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Whose it is.
    pub owner: Person,
    /// The login that opened it.
    pub login: String,
    /// Why, as they said.
    pub reason: Option<String>,
    /// When it began.
    pub started: OffsetDateTime,
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Operations that were tried.
    pub operations: u64,
    /// Of these, blocked.
    pub blocked: u64,
    /// Of these, held.
    pub held: u64,
    /// Values that were masked.
    pub masked: u64,
}

/// A session's line, and whose it is.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// What is shown.
    pub summary: SessionSummary,
    /// Whose it is.
    pub owner: Person,
    /// The login that opened it.
    pub login: String,
}

/// Which sessions somebody may see in a list.
#[derive(Clone, Debug)]
pub struct SessionFilter {
    /// Their own.
    pub of: Person,
    /// All of these connections.
    pub connections: Vec<String>,
    /// Only those that began before this one.
    pub before: Option<SessionId>,
    /// At most so many, the newest first.
    pub limit: u32,
}

impl Store {
    /// Stores a session that begins.
    ///
    /// # Errors
    /// The store failed.
    pub async fn insert_session(&self, session: &NewSession) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, connection, protocol, label, issuer, subject, login, reason, started)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session.id.as_str())
        .bind(&session.connection)
        .bind(session.protocol.as_str())
        .bind(&session.owner.label)
        .bind(&session.owner.issuer)
        .bind(&session.owner.subject)
        .bind(&session.login)
        .bind(&session.reason)
        .bind(millis(session.started))
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Stores what a running session has done so far.
    ///
    /// # Errors
    /// The store failed.
    pub async fn count_session(&self, id: &SessionId, counts: SessionCounts) -> Result<(), StoreError> {
        self.update_session(id, counts, None, false).await
    }

    /// Stores a session's end; `sealed`: its recording is complete and signed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end_session(
        &self,
        id: &SessionId,
        ended: OffsetDateTime,
        counts: SessionCounts,
        sealed: bool,
    ) -> Result<(), StoreError> {
        self.update_session(id, counts, Some(ended), sealed).await
    }

    async fn update_session(
        &self,
        id: &SessionId,
        counts: SessionCounts,
        ended: Option<OffsetDateTime>,
        sealed: bool,
    ) -> Result<(), StoreError> {
        // A late count does not take an end back.
        sqlx::query(
            "UPDATE sessions SET operations = ?, blocked = ?, held = ?, masked = ?,
                    ended = coalesce(?, ended), sealed = max(sealed, ?) WHERE id = ?",
        )
        .bind(stored(counts.operations))
        .bind(stored(counts.blocked))
        .bind(stored(counts.held))
        .bind(stored(counts.masked))
        .bind(ended.map(millis))
        .bind(sealed)
        .bind(id.as_str())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Gives the sessions that have no end, the oldest first: at the relay's start, those of a run that did not end well.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open_sessions(&self) -> Result<Vec<StoredSession>, StoreError> {
        let query = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM sessions WHERE ended IS NULL ORDER BY number"
        ));
        sqlx::query(query)
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(session)
            .collect()
    }

    /// Gives a session.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let query = AssertSqlSafe(format!("SELECT {COLUMNS} FROM sessions WHERE id = ?"));
        sqlx::query(query)
            .bind(id.as_str())
            .fetch_optional(self.pool())
            .await?
            .as_ref()
            .map(session)
            .transpose()
    }

    /// Gives sessions that somebody may see, the newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<StoredSession>, StoreError> {
        let connections = serde_json::to_string(&filter.connections).map_err(|_| StoreError::Value("JSON"))?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM sessions
             WHERE ((issuer = ?1 AND subject = ?2) OR connection IN (SELECT value FROM json_each(?3)))
               AND (?4 IS NULL OR number < (SELECT number FROM sessions WHERE id = ?4))
             ORDER BY number DESC LIMIT ?5"
        )))
        .bind(&filter.of.issuer)
        .bind(&filter.of.subject)
        .bind(connections)
        .bind(filter.before.as_ref().map(SessionId::as_str))
        .bind(filter.limit)
        .fetch_all(self.pool())
        .await?;
        rows.iter().map(session).collect()
    }
}

fn session(row: &SqliteRow) -> Result<StoredSession, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let count = |column: &str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Value("count"))
    };
    Ok(StoredSession {
        summary: SessionSummary {
            id: text("id")?.parse().map_err(|_| StoreError::Value("session id"))?,
            connection: text("connection")?,
            protocol: serde_json::from_value(serde_json::Value::String(text("protocol")?))
                .map_err(|_| StoreError::Value("protocol"))?,
            principal: text("label")?,
            reason: row.try_get("reason")?,
            started: from_millis(row.try_get("started")?)?,
            ended: from_millis_option(row.try_get("ended")?)?,
            operations: count("operations")?,
            blocked: count("blocked")?,
            held: count("held")?,
            masked: count("masked")?,
            sealed: row.try_get("sealed")?,
        },
        owner: Person {
            issuer: text("issuer")?,
            subject: text("subject")?,
            label: text("label")?,
        },
        login: text("login")?,
    })
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
