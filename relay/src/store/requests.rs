//! Requests for approval, with their decisions. Each change reads, changes and writes a request in one transaction.

use hoop_shared::api::{PrincipalKind, Request, RequestKind, RequestStatus};
use hoop_shared::id::{RequestId, SessionId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, Transaction};
use time::OffsetDateTime;

use super::{Store, StoreError, from_millis, from_millis_option, millis};
use crate::approval::{Decider, Ended, Person, Record, Standing, Standings, Verdict};

const COLUMNS: &str = "number, id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason, \
     statement, parameters, effects, rules, requirements, digest, details, created, expires, ended, why";

/// A list has the first 8192 characters of a statement, and other parts only if they are not longer. One request has all of it.
const LISTED_COLUMNS: &str = "number, id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason, \
     substr(statement, 1, 8192) AS statement, iif(octet_length(parameters) > 8192, '[]', parameters) AS parameters, \
     iif(octet_length(effects) > 8192, '[]', effects) AS effects, rules, requirements, digest, \
     iif(octet_length(details) > 8192, '[]', details) AS details, created, expires, ended, why, \
     length(statement) > 8192 OR max(octet_length(parameters), octet_length(effects), octet_length(details)) > 8192 AS shortened";

/// A request in a list: what may be long is shortened.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The request; its statement may be only the beginning.
    pub record: Record,
    /// Something was left out.
    pub shortened: bool,
}

impl Listed {
    /// The request as JSON has it, saying that something was left out.
    pub fn shown(&self) -> Request {
        let mut shown = self.record.shown();
        if self.shortened {
            shown.details.push((
                "shortened".to_owned(),
                format!("`requests show {}` has all of it", shown.id),
            ));
        }
        shown
    }
}

/// Which requests somebody may see in a list.
#[derive(Clone, Debug)]
pub struct RequestFilter {
    /// Those that they made or decided about.
    pub of: Person,
    /// Those that one of these groups may decide about.
    pub approver_groups: Vec<String>,
    /// Only these statuses; empty: all.
    pub status: Vec<RequestStatus>,
    /// Only those made before this one.
    pub before: Option<RequestId>,
    /// At most so many, the newest first.
    pub limit: u32,
}

impl Store {
    /// Stores a new request.
    ///
    /// # Errors
    /// The store failed.
    pub async fn insert_request(&self, record: &Record) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO requests (id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason,
                                   statement, parameters, effects, rules, requirements, digest, details, created, expires)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
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

    /// Gives requests that somebody may see, the newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Vec<Listed>, StoreError> {
        let statuses = filter.status.iter().map(word).collect::<Result<Vec<_>, _>>()?;
        let mut tx = self.pool().begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {LISTED_COLUMNS} FROM requests
             WHERE ((issuer = ?1 AND subject = ?2)
                    OR number IN (SELECT request FROM request_approvers WHERE approver IN (SELECT value FROM json_each(?3)))
                    OR number IN (SELECT request FROM request_decisions WHERE issuer = ?1 AND subject = ?2))
               AND (?4 = '[]' OR status IN (SELECT value FROM json_each(?4)))
               AND (?5 IS NULL OR number < (SELECT number FROM requests WHERE id = ?5))
             ORDER BY number DESC LIMIT ?6"
        )))
        .bind(&filter.of.issuer)
        .bind(&filter.of.subject)
        .bind(json(&filter.approver_groups)?)
        .bind(json(&statuses)?)
        .bind(filter.before.as_ref().map(RequestId::as_str))
        .bind(filter.limit)
        .fetch_all(&mut *tx)
        .await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            listed.push(Listed {
                record: complete(&mut tx, row).await?.1,
                shortened: row.try_get("shortened")?,
            });
        }
        Ok(listed)
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
    sqlx::query("UPDATE requests SET status = ?, ended = ?, why = ? WHERE number = ?")
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
