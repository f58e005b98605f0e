//! Requests for approval, with their decisions. Each change reads, changes and writes a request in one transaction, and makes its
//! revision the newest: see [`Changes`].

use hoop_shared::api::{PrincipalKind, RequestKind};
use hoop_shared::id::{RequestId, SessionId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, Transaction};
use time::OffsetDateTime;

use super::{Store, StoreError, from_millis, from_millis_option, millis};
use crate::approval::{Decider, Ended, Person, Record, Standing, Standings, Verdict};

mod list;

pub use list::{Changes, Listed, Page, RequestFilter, Viewer};

const COLUMNS: &str = "number, id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason, \
     statement, parameters, effects, rules, requirements, digest, details, created, expires, ended, why";

impl Store {
    /// Stores a new request.
    ///
    /// # Errors
    /// The store failed.
    pub async fn insert_request(&self, record: &Record) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO requests (id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason,
                                   statement, parameters, effects, rules, requirements, digest, details, created, expires, revision)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                     (SELECT coalesce(max(revision), 0) + 1 FROM requests)) RETURNING number",
        )
        .bind(record.id.as_str())
        .bind(word(&record.kind)?)
        .bind(word(&record.status)?)
        .bind(record.session.as_str())
        .bind(&record.connection)
        .bind(&record.asker.label)
        .bind(word(&record.asker_kind)?)
        .bind(&record.asker.issuer)
        .bind(&record.asker.subject)
        .bind(&record.login)
        .bind(json(&record.groups)?)
        .bind(&record.reason)
        .bind(&record.statement)
        .bind(json(&record.parameters)?)
        .bind(json(&record.effects)?)
        .bind(json(&record.rules)?)
        .bind(json(&record.requirements)?)
        .bind(record.digest.as_slice())
        .bind(json(&record.details)?)
        .bind(millis(record.created))
        .bind(millis(record.expires))
        .fetch_one(&mut *tx)
        .await?;
        for group in record.approvers() {
            sqlx::query("INSERT INTO request_approvers (request, approver) VALUES (?, ?)")
                .bind(number)
                .bind(group)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Changes a request, in one transaction with what the change depends on: the standing of who asked, of everybody who
    /// decided, and of `by`. Gives the changed request and what `change` gave; `None` where there is no such request.
    ///
    /// # Errors
    /// The store failed; then nothing has changed.
    pub async fn change_request<T>(
        &self,
        id: &RequestId,
        by: Option<&Decider>,
        change: impl FnOnce(&mut Record, &Standings, OffsetDateTime) -> T,
    ) -> Result<Option<(Record, T)>, StoreError> {
        let mut tx = self.write().await?;
        let Some((number, mut record)) = load(&mut tx, id).await? else {
            return Ok(None);
        };
        let now = OffsetDateTime::now_utc();
        let mut standings = Standings::default();
        let decided = record.decisions.iter().map(|verdict| (&verdict.by, &verdict.login));
        let asked = std::iter::once((&record.asker, &record.login));
        for (person, login) in decided.chain(asked).chain(by.map(|by| (&by.person, &by.login))) {
            if let Some(standing) = standing(&mut tx, person, login, now).await? {
                standings.insert(login.clone(), standing);
            }
        }
        let (status, known) = (record.status, record.decisions.len());
        let given = change(&mut record, &standings, now);
        if record.status != status || record.decisions.len() != known {
            write(&mut tx, number, &record, known).await?;
            tx.commit().await?;
        }
        Ok(Some((record, given)))
    }

    /// Gives a request.
    ///
    /// # Errors
    /// The store failed.
    pub async fn request(&self, id: &RequestId) -> Result<Option<Record>, StoreError> {
        // One transaction, so that status and decisions are of the same moment.
        let mut tx = self.pool().begin().await?;
        Ok(load(&mut tx, id).await?.map(|(_, record)| record))
    }

    /// Gives the request of a session that is pending, the newest.
    ///
    /// # Errors
    /// The store failed.
    pub async fn pending_of(&self, session: &SessionId) -> Result<Option<Record>, StoreError> {
        let mut tx = self.pool().begin().await?;
        let id: Option<String> = sqlx::query_scalar(
            "SELECT id FROM requests WHERE status = 'pending' AND session = ? ORDER BY number DESC LIMIT 1",
        )
        .bind(session.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = id else { return Ok(None) };
        let id = id.parse().map_err(|_| StoreError::Value("request id"))?;
        Ok(load(&mut tx, &id).await?.map(|(_, record)| record))
    }

    /// Gives the ids of the requests that are pending or approved, the oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open_requests(&self) -> Result<Vec<RequestId>, StoreError> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM requests WHERE status IN ('pending', 'approved') ORDER BY number")
                .fetch_all(self.pool())
                .await?;
        ids.into_iter()
            .map(|id| id.parse().map_err(|_| StoreError::Value("request id")))
            .collect()
    }

    /// Gives what somebody may claim now, from the login that they use.
    ///
    /// # Errors
    /// The store failed.
    pub async fn standing(&self, of: &Decider) -> Result<Option<Standing>, StoreError> {
        let mut tx = self.pool().begin().await?;
        standing(&mut tx, &of.person, &of.login, OffsetDateTime::now_utc()).await
    }
}

async fn load(tx: &mut Transaction<'static, Sqlite>, id: &RequestId) -> Result<Option<(i64, Record)>, StoreError> {
    let query = AssertSqlSafe(format!("SELECT {COLUMNS} FROM requests WHERE id = ?"));
    match sqlx::query(query).bind(id.as_str()).fetch_optional(&mut **tx).await? {
        Some(row) => complete(tx, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn complete(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<(i64, Record), StoreError> {
    let number: i64 = row.try_get("number")?;
    let decisions = sqlx::query(
        "SELECT label, issuer, subject, login, groups, approve, reason, time FROM request_decisions WHERE request = ? ORDER BY seq",
    )
    .bind(number)
    .fetch_all(connection)
    .await?;
    let mut record = record(row)?;
    record.decisions = decisions.iter().map(verdict).collect::<Result<_, _>>()?;
    Ok((number, record))
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let ended: Option<OffsetDateTime> = from_millis_option(row.try_get("ended")?)?;
    let why: Option<String> = row.try_get("why")?;
    Ok(Record {
        id: text("id")?.parse().map_err(|_| StoreError::Value("request id"))?,
        kind: from_word::<RequestKind>(&text("kind")?)?,
        status: from_word(&text("status")?)?,
        session: text("session")?
            .parse::<SessionId>()
            .map_err(|_| StoreError::Value("session id"))?,
        connection: text("connection")?,
        asker: person(row)?,
        asker_kind: from_word(&text("principal")?)?,
        login: text("login")?,
        groups: from_json(&text("groups")?)?,
        reason: row.try_get("reason")?,
        statement: text("statement")?,
        parameters: from_json(&text("parameters")?)?,
        effects: from_json(&text("effects")?)?,
        rules: from_json(&text("rules")?)?,
        requirements: from_json(&text("requirements")?)?,
        digest: row
            .try_get::<Vec<u8>, _>("digest")?
            .try_into()
            .map_err(|_| StoreError::Value("digest"))?,
        details: from_json(&text("details")?)?,
        decisions: Vec::new(),
        created: from_millis(row.try_get("created")?)?,
        expires: from_millis(row.try_get("expires")?)?,
        ended: ended.map(|time| Ended {
            time,
            why: why.unwrap_or_default(),
        }),
    })
}

fn verdict(row: &SqliteRow) -> Result<Verdict, StoreError> {
    Ok(Verdict {
        by: person(row)?,
        login: row.try_get("login")?,
        groups: from_json(&row.try_get::<String, _>("groups")?)?,
        approve: row.try_get("approve")?,
        reason: row.try_get("reason")?,
        time: from_millis(row.try_get("time")?)?,
    })
}

fn person(row: &SqliteRow) -> Result<Person, StoreError> {
    Ok(Person {
        issuer: row.try_get("issuer")?,
        subject: row.try_get("subject")?,
        label: row.try_get("label")?,
    })
}

/// What may have changed: status, end, decisions from number `known` on.
async fn write(
    tx: &mut Transaction<'static, Sqlite>,
    number: i64,
    record: &Record,
    known: usize,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE requests SET status = ?, ended = ?, why = ?, revision = (SELECT coalesce(max(revision), 0) + 1 FROM requests)
         WHERE number = ?",
    )
        .bind(word(&record.status)?)
        .bind(record.ended.as_ref().map(|ended| millis(ended.time)))
        .bind(record.ended.as_ref().map(|ended| &ended.why))
        .bind(number)
        .execute(&mut **tx)
        .await?;
    for (seq, verdict) in record.decisions.iter().enumerate().skip(known) {
        sqlx::query(
            "INSERT INTO request_decisions (request, seq, label, issuer, subject, login, groups, approve, reason, time)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(number)
        .bind(i64::try_from(seq).map_err(|_| StoreError::Value("decisions"))?)
        .bind(&verdict.by.label)
        .bind(&verdict.by.issuer)
        .bind(&verdict.by.subject)
        .bind(&verdict.login)
        .bind(json(&verdict.groups)?)
        .bind(verdict.approve)
        .bind(&verdict.reason)
        .bind(millis(verdict.time))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// The standing of who used `login`: that login is not revoked, the same principal is logged in now (perhaps from a newer one),
/// and kind and groups are those of the newest unexpired record, be it revoked or not.
async fn standing(
    tx: &mut Transaction<'static, Sqlite>,
    person: &Person,
    login: &str,
    now: OffsetDateTime,
) -> Result<Option<Standing>, StoreError> {
    let newest: Option<(String, String)> = sqlx::query_as(
        "SELECT kind, groups FROM logins WHERE issuer = ?1 AND subject = ?2 AND expires > ?3
           AND EXISTS (SELECT 1 FROM logins used WHERE used.serial = ?4 AND used.issuer = ?1 AND used.subject = ?2 AND used.revoked IS NULL)
           AND EXISTS (SELECT 1 FROM logins valid WHERE valid.issuer = ?1 AND valid.subject = ?2
                         AND valid.expires > ?3 AND valid.revoked IS NULL)
         ORDER BY id DESC LIMIT 1",
    )
    .bind(&person.issuer)
    .bind(&person.subject)
    .bind(millis(now))
    .bind(login)
    .fetch_optional(&mut **tx)
    .await?;
    newest
        .map(|(kind, groups)| {
            Ok(Standing {
                kind: from_word::<PrincipalKind>(&kind)?,
                groups: from_json(&groups)?,
            })
        })
        .transpose()
}

/// The word that serde has for a value without fields.
fn word(value: &impl serde::Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(StoreError::Value("word")),
    }
}

fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| StoreError::Value("word"))
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Value("JSON"))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Value("JSON"))
}

#[cfg(test)]
mod tests;
