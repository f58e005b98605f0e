//! The CA certificates that client certificates may come from.

use time::OffsetDateTime;

use super::{Store, StoreError, millis};

impl Store {
    /// Publishes the CA certificate that signs from now on. Another that signed until now is retired: what it issued
    /// still counts, as long as [`Store::authorities`] is asked for it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn publish_authority(
        &self,
        fingerprint: &str,
        certificate: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO authorities (fingerprint, certificate, created) VALUES (?, ?, ?)
             ON CONFLICT (fingerprint) DO UPDATE SET retired = NULL",
        )
        .bind(fingerprint)
        .bind(certificate)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE authorities SET retired = ? WHERE fingerprint <> ? AND retired IS NULL")
            .bind(millis(now))
            .bind(fingerprint)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives the CA certificates (DER) that sign, or signed until after `since`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn authorities(&self, since: OffsetDateTime) -> Result<Vec<Vec<u8>>, StoreError> {
        let query =
            "SELECT certificate FROM authorities WHERE retired IS NULL OR retired > ? ORDER BY created, fingerprint";
        Ok(sqlx::query_scalar(query)
            .bind(millis(since))
            .fetch_all(self.pool())
            .await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    #[tokio::test]
    async fn a_replaced_authority_is_trusted_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        store.publish_authority("f1", b"one", NOW).await.unwrap();
        store.publish_authority("f1", b"one", NOW).await.unwrap();
        assert_eq!(store.authorities(NOW).await.unwrap(), [b"one".to_vec()]);

        let later = NOW + Duration::hours(1);
        store.publish_authority("f2", b"two", later).await.unwrap();
        store
            .publish_authority("f2", b"two", later + Duration::hours(1))
            .await
            .unwrap();
        assert_eq!(
            store.authorities(NOW).await.unwrap(),
            [b"one".to_vec(), b"two".to_vec()]
        );
        assert_eq!(store.authorities(later).await.unwrap(), [b"two".to_vec()]);

        store
            .publish_authority("f1", b"one", later + Duration::hours(2))
            .await
            .unwrap();
        let trusted = store.authorities(later + Duration::hours(2)).await.unwrap();
        assert_eq!(trusted, [b"one".to_vec()], "an authority that was put back signs again");
    }
}
