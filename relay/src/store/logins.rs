//! Login records, whose label is whose, presented workload tokens, and attempts to log in.

use hoop_shared::api::{LoginSeen, PrincipalKind};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::{Store, StoreError, from_millis, from_millis_option, millis};

/// One login: a certificate that was issued to a principal's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The certificate's serial number, hex.
    pub serial: String,
    /// What policies call the principal.
    pub label: String,
    /// Person or workload.
    pub kind: PrincipalKind,
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's `sub`.
    pub subject: String,
    /// Sorted, each once.
    pub groups: Vec<String>,
    /// SHA-256 of the key's SubjectPublicKeyInfo, hex.
    pub fingerprint: String,
    /// The address that it came from.
    pub source: String,
    /// The machine's name, as it said.
    pub machine: String,
    /// When it began.
    pub created: OffsetDateTime,
    /// When its certificate ends.
    pub expires: OffsetDateTime,
    /// When it was revoked.
    pub revoked: Option<OffsetDateTime>,
    /// By whom it was revoked.
    pub revoked_by: Option<String>,
}

/// A login record with its place in the order of changes.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The record.
    pub login: Login,
    /// By order of creation.
    pub id: i64,
    /// By order of change.
    pub revision: i64,
}

/// A presented workload token, by `jti` or hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenToken {
    /// `jti:…` or `sha256:…`.
    pub token: String,
    /// Until when it could be presented again.
    pub expires: OffsetDateTime,
}

/// Why a login record was not made.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The label belongs to another principal.
    #[error("the label belongs to another principal")]
    LabelTaken,
    /// The token was presented with another key before.
    #[error("the token was presented with another key before")]
    Replayed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for EnrolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// One attempt to log in. Never holds a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The issuer's URL.
    pub issuer: Option<String>,
    /// The label, as far as the login came.
    pub label: Option<String>,
    /// The issuer's `sub`, as far as the login came.
    pub subject: Option<String>,
    /// The address that it came from.
    pub source: String,
    /// The machine's name, as it said.
    pub machine: String,
    /// The key's fingerprint.
    pub fingerprint: Option<String>,
    /// `started`, `enrolled`, `denied`, `expired`, `refused`, `failed`.
    pub outcome: &'static str,
    /// Why, for operators.
    pub detail: Option<String>,
}

const LOGIN: &str = "id, revision, serial, label, kind, issuer, subject, groups, fingerprint, source, machine, created, expires, revoked, revoked_by";

fn kind_word(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::User => "user",
        PrincipalKind::Workload => "workload",
    }
}

fn changed(row: &SqliteRow) -> Result<Changed, StoreError> {
    let groups: String = row.try_get("groups")?;
    let kind: String = row.try_get("kind")?;
    Ok(Changed {
        id: row.try_get("id")?,
        revision: row.try_get("revision")?,
        login: Login {
            serial: row.try_get("serial")?,
            label: row.try_get("label")?,
            kind: match kind.as_str() {
                "user" => PrincipalKind::User,
                "workload" => PrincipalKind::Workload,
                _ => return Err(StoreError::Value("kind")),
            },
            issuer: row.try_get("issuer")?,
            subject: row.try_get("subject")?,
            groups: serde_json::from_str(&groups).map_err(|_| StoreError::Value("groups"))?,
            fingerprint: row.try_get("fingerprint")?,
            source: row.try_get("source")?,
            machine: row.try_get("machine")?,
            created: from_millis(row.try_get("created")?)?,
            expires: from_millis(row.try_get("expires")?)?,
            revoked: from_millis_option(row.try_get("revoked")?)?,
            revoked_by: row.try_get("revoked_by")?,
        },
    })
}

fn all(rows: &[SqliteRow]) -> Result<Vec<Changed>, StoreError> {
    rows.iter().map(changed).collect()
}

impl Store {
    /// Makes a login record: binds the label, remembers the workload's token, and inserts, all or nothing.
    ///
    /// # Errors
    /// The label is another principal's, or the token was presented with another key.
    pub async fn enrol(&self, login: &Login, token: Option<&SeenToken>) -> Result<Changed, EnrolError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO labels (label, issuer, subject, since) VALUES (?, ?, ?, ?) ON CONFLICT (label) DO NOTHING",
        )
        .bind(&login.label)
        .bind(&login.issuer)
        .bind(&login.subject)
        .bind(millis(login.created))
        .execute(&mut *tx)
        .await?;
        let (issuer, subject): (String, String) = sqlx::query_as("SELECT issuer, subject FROM labels WHERE label = ?")
            .bind(&login.label)
            .fetch_one(&mut *tx)
            .await?;
        if (issuer.as_str(), subject.as_str()) != (login.issuer.as_str(), login.subject.as_str()) {
            return Err(EnrolError::LabelTaken);
        }
        if let Some(seen) = token {
            sqlx::query("INSERT INTO seen_tokens (issuer, token, fingerprint, expires) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(&login.issuer)
                .bind(&seen.token)
                .bind(&login.fingerprint)
                .bind(millis(seen.expires))
                .execute(&mut *tx)
                .await?;
            let first: String =
                sqlx::query_scalar("SELECT fingerprint FROM seen_tokens WHERE issuer = ? AND token = ?")
                    .bind(&login.issuer)
                    .bind(&seen.token)
                    .fetch_one(&mut *tx)
                    .await?;
            if first != login.fingerprint {
                return Err(EnrolError::Replayed);
            }
        }
        let groups = serde_json::to_string(&login.groups).map_err(|_| StoreError::Value("groups"))?;
        let (id, revision): (i64, i64) = sqlx::query_as(
            "INSERT INTO logins (serial, label, kind, issuer, subject, groups, fingerprint, source, machine, created, expires, revision, noticed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                     (SELECT coalesce(max(revision), 0) + 1 FROM logins), (SELECT coalesce(max(id), 0) FROM logins))
             RETURNING id, revision",
        )
        .bind(&login.serial)
        .bind(&login.label)
        .bind(kind_word(login.kind))
        .bind(&login.issuer)
        .bind(&login.subject)
        .bind(groups)
        .bind(&login.fingerprint)
        .bind(&login.source)
        .bind(&login.machine)
        .bind(millis(login.created))
        .bind(millis(login.expires))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Changed {
            login: login.clone(),
            id,
            revision,
        })
    }

    /// Gives every record that changed after `revision` and is not expired at `now`, by order of change.
    ///
    /// # Errors
    /// The store failed.
    pub async fn logins_since(&self, revision: i64, now: OffsetDateTime) -> Result<Vec<Changed>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {LOGIN} FROM logins WHERE revision > ? AND expires > ? ORDER BY revision"
        )))
        .bind(revision)
        .bind(millis(now))
        .fetch_all(self.pool())
        .await?;
        all(&rows)
    }

    /// Gives the newest login of each principal, revoked and expired ones too, by label.
    ///
    /// # Errors
    /// The store failed.
    pub async fn principals(&self) -> Result<Vec<Login>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {LOGIN} FROM logins WHERE id IN (SELECT max(id) FROM logins GROUP BY issuer, subject, label) ORDER BY label, id"
        )))
        .fetch_all(self.pool())
        .await?;
        Ok(all(&rows)?.into_iter().map(|changed| changed.login).collect())
    }

    /// Gives the logins that are valid at `now`, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn valid_logins(&self, now: OffsetDateTime) -> Result<Vec<Login>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {LOGIN} FROM logins WHERE expires > ? AND revoked IS NULL ORDER BY id DESC"
        )))
        .bind(millis(now))
        .fetch_all(self.pool())
        .await?;
        Ok(all(&rows)?.into_iter().map(|changed| changed.login).collect())
    }

    /// Revokes one login. Gives whether it was valid until now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke_login(&self, serial: &str, by: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE logins SET revoked = ?, revoked_by = ?, revision = (SELECT max(revision) + 1 FROM logins)
             WHERE serial = ? AND revoked IS NULL",
        )
        .bind(millis(now))
        .bind(by)
        .bind(serial)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Revokes every valid login of a principal, whatever its label was at the time.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke_principal(
        &self,
        issuer: &str,
        subject: &str,
        by: &str,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let query = "UPDATE logins SET revoked = ?1, revoked_by = ?2, revision = (SELECT max(revision) + 1 FROM logins)
             WHERE issuer = ?3 AND subject = ?4 AND revoked IS NULL AND expires > ?1";
        sqlx::query(query)
            .bind(millis(now))
            .bind(by)
            .bind(issuer)
            .bind(subject)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Revokes every valid login under a label. Gives their serials.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke_label(&self, label: &str, by: &str, now: OffsetDateTime) -> Result<Vec<String>, StoreError> {
        let mut tx = self.write().await?;
        let revoked = revoke(&mut tx, label, by, now).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    /// Frees a label for another principal, and revokes what logins it has. Gives whether it was bound.
    ///
    /// # Errors
    /// The store failed.
    pub async fn free_label(&self, label: &str, by: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        revoke(&mut tx, label, by, now).await?;
        let freed = sqlx::query("DELETE FROM labels WHERE label = ?")
            .bind(label)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(freed.rows_affected() > 0)
    }

    /// Gives the other logins of a login's principal that it was not told of yet, and remembers that it was.
    ///
    /// # Errors
    /// The store failed.
    pub async fn new_logins(&self, serial: &str) -> Result<Vec<LoginSeen>, StoreError> {
        /// A principal with hundreds of new logins learns enough from the first.
        const MOST: i64 = 20;
        let query = "SELECT other.id, other.created, other.machine, other.source FROM logins own
             JOIN logins other ON other.issuer = own.issuer AND other.subject = own.subject AND other.id > own.noticed AND other.id <> own.id
             WHERE own.serial = ? ORDER BY other.id LIMIT ?";
        let rows = sqlx::query(query)
            .bind(serial)
            .bind(MOST)
            .fetch_all(self.pool())
            .await?;
        let Some(last) = rows.last() else {
            return Ok(Vec::new());
        };
        let newest: i64 = last.try_get("id")?;
        let mut seen = Vec::with_capacity(rows.len());
        for row in &rows {
            seen.push(LoginSeen {
                time: from_millis(row.try_get("created")?)?,
                machine: row.try_get("machine")?,
                source: row.try_get("source")?,
            });
        }
        sqlx::query("UPDATE logins SET noticed = max(noticed, ?) WHERE serial = ?")
            .bind(newest)
            .bind(serial)
            .execute(self.pool())
            .await?;
        Ok(seen)
    }

    /// Records an attempt to log in.
    ///
    /// # Errors
    /// The store failed.
    pub async fn record_attempt(&self, attempt: &Attempt, now: OffsetDateTime) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO login_attempts (time, issuer, label, subject, source, machine, fingerprint, outcome, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(millis(now))
        .bind(&attempt.issuer)
        .bind(&attempt.label)
        .bind(&attempt.subject)
        .bind(&attempt.source)
        .bind(&attempt.machine)
        .bind(&attempt.fingerprint)
        .bind(attempt.outcome)
        .bind(&attempt.detail)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Forgets workload tokens that have expired: they are refused for that.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget_expired_tokens(&self, now: OffsetDateTime) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM seen_tokens WHERE expires < ?")
            .bind(millis(now))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected())
    }

    /// Forgets attempts to log in that are older than `before`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn forget_attempts(&self, before: OffsetDateTime) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM login_attempts WHERE time < ?")
            .bind(millis(before))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected())
    }
}

async fn revoke(
    tx: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    label: &str,
    by: &str,
    now: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let query = "UPDATE logins SET revoked = ?1, revoked_by = ?2, revision = (SELECT max(revision) + 1 FROM logins)
         WHERE label = ?3 AND revoked IS NULL AND expires > ?1 RETURNING serial";
    let revoked = sqlx::query_scalar(query)
        .bind(millis(now))
        .bind(by)
        .bind(label)
        .fetch_all(&mut **tx)
        .await?;
    Ok(revoked)
}

#[cfg(test)]
mod tests;
