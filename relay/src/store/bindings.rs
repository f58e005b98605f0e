//! What masks are bound to, so that a restart does not forget which columns were masked under other names.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};
use crate::inspect::sql::ColumnRef;
use crate::mask::{Binding, Changes, ColumnName, DatabaseId, KeptBinding};

impl Store {
    /// Gives everything that masks of a connection are bound to, in every database that was behind it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn mask_bindings(&self, connection: &str) -> Result<Vec<KeptBinding>, StoreError> {
        sqlx::query("SELECT * FROM mask_bindings WHERE connection = ?")
            .bind(connection)
            .fetch_all(self.pool())
            .await?
            .iter()
            .map(kept)
            .collect()
    }

    /// Stores what changed in one database.
    ///
    /// # Errors
    /// The store failed: nothing of it is stored.
    pub async fn keep_mask_bindings(
        &self,
        connection: &str,
        database: &DatabaseId,
        changes: &Changes,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for binding in &changes.forget {
            sqlx::query(
                "DELETE FROM mask_bindings WHERE connection = ? AND cluster = ? AND database = ?
                    AND relation = ? AND attnum = ? AND pattern = ?",
            )
            .bind(connection)
            .bind(&database.cluster)
            .bind(database.oid)
            .bind(binding.column.relation)
            .bind(binding.column.attnum)
            .bind(&*binding.pattern)
            .execute(&mut *write)
            .await?;
        }
        for binding in &changes.keep {
            // Another relay may have bound it: the names at that time stay.
            sqlx::query(
                "INSERT INTO mask_bindings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET seen_schema = excluded.seen_schema,
                    seen_relation = excluded.seen_relation, seen_column = excluded.seen_column",
            )
            .bind(connection)
            .bind(&database.cluster)
            .bind(database.oid)
            .bind(binding.column.relation)
            .bind(binding.column.attnum)
            .bind(&*binding.pattern)
            .bind(&*binding.bound_as.schema)
            .bind(&*binding.bound_as.relation)
            .bind(&*binding.bound_as.column)
            .bind(&*binding.seen_as.schema)
            .bind(&*binding.seen_as.relation)
            .bind(&*binding.seen_as.column)
            .execute(&mut *write)
            .await?;
        }
        write.commit().await?;
        Ok(())
    }
}

fn kept(row: &SqliteRow) -> Result<KeptBinding, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column).map(Arc::<str>::from);
    let name = |when: &str| -> Result<ColumnName, sqlx::Error> {
        Ok(ColumnName {
            schema: text(&format!("{when}_schema"))?,
            relation: text(&format!("{when}_relation"))?,
            column: text(&format!("{when}_column"))?,
        })
    };
    Ok(KeptBinding {
        database: DatabaseId {
            cluster: row.try_get("cluster")?,
            oid: row.try_get("database")?,
        },
        binding: Binding {
            column: ColumnRef {
                relation: row.try_get("relation")?,
                attnum: row.try_get("attnum")?,
            },
            pattern: text("pattern")?,
            bound_as: name("bound")?,
            seen_as: name("seen")?,
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn name(column: &str) -> ColumnName {
        ColumnName {
            schema: "public".into(),
            relation: "customers".into(),
            column: column.into(),
        }
    }

    fn binding(seen_as: &str) -> Binding {
        Binding {
            column: ColumnRef {
                relation: u32::MAX,
                attnum: 3,
            },
            pattern: "\"customers\".\"ssn\"".into(),
            bound_as: name("ssn"),
            seen_as: name(seen_as),
        }
    }

    #[tokio::test]
    async fn bindings_are_kept_renamed_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data")).await.unwrap();
        let here = DatabaseId {
            cluster: "7".to_owned(),
            oid: 5,
        };
        let there = DatabaseId {
            cluster: "8".to_owned(),
            oid: 5,
        };
        let keep = |binding: Binding| Changes {
            keep: vec![binding],
            forget: Vec::new(),
        };
        for database in [&here, &there] {
            store
                .keep_mask_bindings("db", database, &keep(binding("ssn")))
                .await
                .unwrap();
        }
        let mut renamed = binding("harmless");
        renamed.bound_as = name("another relay saw it later");
        store.keep_mask_bindings("db", &here, &keep(renamed)).await.unwrap();
        let mut kept = store.mask_bindings("db").await.unwrap();
        kept.sort_by(|a, b| a.database.cluster.cmp(&b.database.cluster));
        let of = |database: &DatabaseId, binding| KeptBinding {
            database: database.clone(),
            binding,
        };
        assert_eq!(kept, [of(&here, binding("harmless")), of(&there, binding("ssn"))]);
        let forget = Changes {
            keep: Vec::new(),
            forget: vec![binding("harmless")],
        };
        store.keep_mask_bindings("db", &here, &forget).await.unwrap();
        assert_eq!(store.mask_bindings("db").await.unwrap(), [of(&there, binding("ssn"))]);
        assert!(store.mask_bindings("another").await.unwrap().is_empty());
    }
}
