//! The connection for hints that is taken out of a pool of sqlx.

use rolecall::store::StoreError;
use sqlx::Executor;
use sqlx::postgres::PgListener;
use tokio::runtime::Handle;

use super::{Listener, lost, within};
use crate::error::PostgresError;

impl Listener {
    pub(crate) fn of_pool(pool: sqlx::PgPool) -> Self {
        Self::Pool(pool)
    }
}

pub(super) struct PoolListener {
    /// `None` while the server is asked something.
    listener: Option<PgListener>,
    /// A listener that is dropped starts a task, which panics outside a runtime.
    runtime: Handle,
}

impl PoolListener {
    pub(super) async fn listen(pool: &sqlx::PgPool, channel: &str) -> Result<Self, StoreError> {
        let runtime = Handle::try_current().map_err(|_| StoreError::unavailable(PostgresError::no_runtime()))?;
        let connecting = PgListener::connect_with(pool);
        let listener = within("a connection for hints", connecting, PostgresError::of_sqlx_pool).await?;
        let mut link = Self { listener: Some(listener), runtime };
        let listener = link.listener.as_mut().ok_or_else(lost)?;
        // Notifications that came meanwhile would be missing: the caller shall know.
        listener.eager_reconnect(false);
        within("LISTEN", listener.listen(channel), PostgresError::of_sqlx).await?;
        Ok(link)
    }

    pub(super) async fn next(&mut self) -> Result<String, StoreError> {
        let listener = self.listener.as_mut().ok_or_else(lost)?;
        match listener.try_recv().await {
            Ok(Some(notification)) => Ok(notification.payload().to_owned()),
            Ok(None) => {
                self.close();
                Err(lost())
            }
            Err(error) => Err(StoreError::unavailable(PostgresError::of_sqlx(error))),
        }
    }

    pub(super) async fn probe(&mut self) -> Result<(), StoreError> {
        // Taken: a future that is dropped half way leaves nothing that could be asked.
        let mut asked = Self { listener: self.listener.take(), runtime: self.runtime.clone() };
        let listener = asked.listener.as_mut().ok_or_else(lost)?;
        let answer = listener.execute("SELECT 1").await;
        self.listener = asked.listener.take();
        answer.map(drop).map_err(|error| StoreError::unavailable(PostgresError::of_sqlx(error)))
    }

    fn close(&mut self) {
        let _runtime = self.runtime.enter();
        self.listener = None;
    }
}

impl Drop for PoolListener {
    fn drop(&mut self) {
        self.close();
    }
}
