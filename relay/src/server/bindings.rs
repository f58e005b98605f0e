//! What masks are bound to, between the data path and the store: asked for and stored on the control runtime.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::mask::{Changes, DatabaseId, KeepsBindings, KeptBinding, Masks};
use crate::session::SharedRules;
use crate::store::{Store, StoreError};

/// Keeps them in the store.
#[derive(Debug)]
pub(super) struct StoredBindings {
    pub rules: SharedRules,
    pub store: Store,
    /// The control runtime.
    pub control: Handle,
}

impl StoredBindings {
    fn on_control<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let task = self.control.spawn(work);
        async move { task.await.unwrap_or(Err(StoreError::Value("a task that did not end"))) }.boxed()
    }
}

impl KeepsBindings for StoredBindings {
    fn masks(&self, connection: &str) -> Option<Arc<Masks>> {
        self.rules.load().masks(connection).cloned()
    }

    fn kept(&self, connection: &str) -> BoxFuture<'static, Result<Vec<KeptBinding>, StoreError>> {
        let (store, connection) = (self.store.clone(), connection.to_owned());
        self.on_control(async move { store.mask_bindings(&connection).await })
    }

    fn keep(
        &self,
        connection: &str,
        database: &DatabaseId,
        changes: Changes,
    ) -> BoxFuture<'static, Result<(), StoreError>> {
        let (store, connection, database) = (self.store.clone(), connection.to_owned(), database.clone());
        self.on_control(async move { store.keep_mask_bindings(&connection, &database, &changes).await })
    }
}
