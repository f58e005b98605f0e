//! Lists of requests, and what changed about them. Whoever asks gets what they may see, and nothing else counts.

use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, Sqlite, Transaction};

use super::{complete, json, word};
use crate::approval::{Person, Record};
use crate::store::{Store, StoreError};

/// What a list has of every request.
const ALWAYS: &str = "number, id, kind, status, session, connection, label, principal, issuer, subject, login, groups, reason, \
     rules, requirements, digest, created, expires, ended, why, revision";
/// A list has the first 8192 characters of a statement, and other parts only if they are not longer. One request has all of it.
const USUAL: &str = "substr(statement, 1, 8192) AS statement, \
     iif(octet_length(parameters) > 8192, '[]', parameters) AS parameters, \
     iif(octet_length(effects) > 8192, '[]', effects) AS effects, \
     iif(octet_length(details) > 8192, '[]', details) AS details, \
     length(statement) > 8192 OR max(octet_length(parameters), octet_length(effects), octet_length(details)) > 8192 AS shortened";
/// A brief list has the first 1000 characters of a statement, and no parameters, effects and details.
const BRIEF: &str = "substr(statement, 1, 1000) AS statement, '[]' AS parameters, '[]' AS effects, '[]' AS details, \
     length(statement) > 1000 AS shortened";

/// What somebody may see: what they made (?1, ?2), what one of their groups (?3) may decide about, and what they decided.
/// Of all requests the few are looked up.
const VISIBLE_OF_ALL: &str = "((issuer = ?1 AND subject = ?2)
      OR number IN (SELECT request FROM request_approvers WHERE approver IN (SELECT value FROM json_each(?3)))
      OR number IN (SELECT request FROM request_decisions WHERE issuer = ?1 AND subject = ?2))";
/// The same, for each of a few that other conditions leave.
const VISIBLE_OF_FEW: &str = "((issuer = ?1 AND subject = ?2)
      OR EXISTS (SELECT 1 FROM request_approvers WHERE request = number AND approver IN (SELECT value FROM json_each(?3)))
      OR EXISTS (SELECT 1 FROM request_decisions AS decided WHERE decided.request = number
                   AND decided.issuer = ?1 AND decided.subject = ?2))";

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

/// Who asks for a list: they get what they may see.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// They see what they made or decided about.
    pub of: Person,
    /// And what one of these groups may decide about.
    pub approver_groups: Vec<String>,
}

/// In which order, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest first; only those made before this one.
    Newest(Option<RequestId>),
    /// The oldest first; only those made after this one.
    Oldest(Option<RequestId>),
}

/// Which requests somebody wants listed.
#[derive(Clone, Debug)]
pub struct RequestFilter {
    /// Who wants them.
    pub viewer: Viewer,
    /// Only what this one asked for.
    pub asker: Option<Person>,
    /// Only these statuses; empty: all.
    pub status: Vec<RequestStatus>,
    /// In which order.
    pub page: Page,
    /// No more of each than a line needs.
    pub brief: bool,
    /// At most so many.
    pub limit: u32,
}

/// What changed since a revision.
#[derive(Clone, Debug)]
pub struct Changes {
    /// What to ask for next.
    pub revision: i64,
    /// The changed requests as they are now, the longest unchanged first.
    pub requests: Vec<Listed>,
    /// There are more.
    pub more: bool,
}

impl Store {
    /// Gives requests that somebody may see.
    ///
    /// # Errors
    /// The store failed.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Vec<Listed>, StoreError> {
        let statuses = filter.status.iter().map(word).collect::<Result<Vec<_>, _>>()?;
        let open = |status: &RequestStatus| matches!(status, RequestStatus::Pending | RequestStatus::Approved);
        let only_open = !filter.status.is_empty() && filter.status.iter().all(open);
        // Open ones are few, however many have ended: without the index, all of them would be read.
        let (from, visible) = if only_open {
            (
                "requests INDEXED BY requests_open WHERE status IN ('pending', 'approved') AND",
                VISIBLE_OF_FEW,
            )
        } else if filter.asker.is_some() {
            ("requests WHERE issuer = ?7 AND subject = ?8 AND", VISIBLE_OF_FEW)
        } else {
            ("requests WHERE", VISIBLE_OF_ALL)
        };
        let (place, side, order) = match &filter.page {
            Page::Newest(before) => (before, '<', "DESC"),
            Page::Oldest(after) => (after, '>', "ASC"),
        };
        let columns = if filter.brief { BRIEF } else { USUAL };
        let mut tx = self.pool().begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ALWAYS}, {columns} FROM {from} {visible}
               AND (?4 = '[]' OR status IN (SELECT value FROM json_each(?4)))
               AND (?5 IS NULL OR number {side} (SELECT number FROM requests WHERE id = ?5))
               AND (?7 IS NULL OR (issuer = ?7 AND subject = ?8))
             ORDER BY number {order} LIMIT ?6"
        )))
        .bind(&filter.viewer.of.issuer)
        .bind(&filter.viewer.of.subject)
        .bind(json(&filter.viewer.approver_groups)?)
        .bind(json(&statuses)?)
        .bind(place.as_ref().map(RequestId::as_str))
        .bind(filter.limit)
        .bind(filter.asker.as_ref().map(|asker| &asker.issuer))
        .bind(filter.asker.as_ref().map(|asker| &asker.subject))
        .fetch_all(&mut *tx)
        .await?;
        listed(&mut tx, &rows).await
    }

    /// Gives what changed after `revision` among what somebody may see; with `None`, only where to begin.
    /// A revision that this store never had means another one: then it begins anew, and `None` comes back.
    ///
    /// # Errors
    /// The store failed.
    pub async fn changed_requests(
        &self,
        viewer: &Viewer,
        revision: Option<i64>,
        brief: bool,
        limit: u32,
    ) -> Result<Option<Changes>, StoreError> {
        let mut tx = self.pool().begin().await?;
        let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(revision), 0) FROM requests")
            .fetch_one(&mut *tx)
            .await?;
        let Some(after) = revision else {
            return Ok(Some(Changes {
                revision: newest,
                requests: Vec::new(),
                more: false,
            }));
        };
        if !(0..=newest).contains(&after) {
            return Ok(None);
        }
        let columns = if brief { BRIEF } else { USUAL };
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {ALWAYS}, {columns} FROM requests INDEXED BY requests_by_revision
             WHERE revision > ?4 AND {VISIBLE_OF_FEW} ORDER BY revision LIMIT ?5"
        )))
        .bind(&viewer.of.issuer)
        .bind(&viewer.of.subject)
        .bind(json(&viewer.approver_groups)?)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
        let more = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let last: Option<i64> = rows.last().map(|row| row.try_get("revision")).transpose()?;
        Ok(Some(Changes {
            revision: last.filter(|_| more).unwrap_or(newest),
            requests: listed(&mut tx, &rows).await?,
            more,
        }))
    }
}

async fn listed(tx: &mut Transaction<'static, Sqlite>, rows: &[SqliteRow]) -> Result<Vec<Listed>, StoreError> {
    let mut listed = Vec::with_capacity(rows.len());
    for row in rows {
        listed.push(Listed {
            record: complete(tx, row).await?.1,
            shortened: row.try_get("shortened")?,
        });
    }
    Ok(listed)
}
