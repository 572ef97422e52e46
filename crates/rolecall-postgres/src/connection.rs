//! A connection of the application's pool, for one call.

use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::future::poll_immediate;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::error::{Failure, PostgresError, PostgresErrorKind, Stage};
use rolecall::store::StoreError;

/// The values of a statement and their types. Every statement is unnamed and says the types, which takes one round trip and
/// leaves nothing behind on the server: a pooler may use another server connection next time.
pub(crate) type Values<'a> = [(&'a (dyn ToSql + Sync), Type)];

/// A connection that goes back to the pool only by [`Connection::release`], after the last answer of the last statement.
///
/// In every other case the connection is closed: the caller dropped the call, a step took too long, or an error came. It may
/// be in the middle of a conversation. The next user of it would get the answers to somebody else's questions.
#[derive(Debug)]
pub(crate) struct Connection {
    object: Option<Object>,
    limit: Option<Duration>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object)); // out of the pool, and closed
        }
    }
}

impl Connection {
    pub(crate) async fn open(pool: &Pool, limit: Option<Duration>) -> Result<Self, Failure> {
        // Sockets and timers would panic.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StoreError::unavailable(PostgresError::no_runtime()).into());
        }
        let connecting = pool.get();
        let connected = match limit {
            None => connecting.await,
            Some(limit) => match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => return Err(StoreError::unavailable(no_connection(pool, limit)).into()),
            },
        };
        match connected {
            Ok(object) => Ok(Self { object: Some(object), limit }),
            Err(error) => Err(StoreError::unavailable(PostgresError::of_pool(error)).into()),
        }
    }

    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        match self.object.as_deref() {
            Some(wrapper) => Ok(wrapper),
            None => Err(StoreError::unavailable("the connection was given back").into()),
        }
    }

    /// Gives the connection back, if its conversation has come to its end, and returns the answer.
    pub(crate) async fn finish<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        let is_at_rest = match &answer {
            Ok(_) => true,
            // What these leave behind is a transaction to be rolled back, or none.
            Err(
                Failure::Again(_)
                | Failure::Answer(StoreError::Conflict { .. } | StoreError::Deleted | StoreError::SlugTaken),
            ) => self.batch("ROLLBACK", "ROLLBACK").await.is_ok(),
            Err(_) => false,
        };
        if is_at_rest {
            self.release();
        }
        answer
    }

    /// Gives the connection back. Every statement was answered, and no transaction is open.
    fn release(mut self) {
        drop(self.object.take());
    }

    /// Waits for one step of a call, at most as long as the store allows.
    pub(crate) async fn within<T>(
        &self,
        step: &'static str,
        future: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let mut future = pin!(future);
        // Most rows of a load are there already: no timer for them.
        if let Some(done) = poll_immediate(&mut future).await {
            return done.map_err(Failure::of);
        }
        let Some(limit) = self.limit else { return future.await.map_err(Failure::of) };
        match tokio::time::timeout(limit, future).await {
            Ok(done) => done.map_err(Failure::of),
            Err(_) => Err(StoreError::unavailable(PostgresError::step_timeout(step, limit)).into()),
        }
    }

    pub(crate) async fn batch(&self, step: &'static str, sql: &str) -> Result<(), Failure> {
        self.within(step, self.client()?.batch_execute(sql)).await
    }

    pub(crate) async fn query(&self, step: &'static str, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        self.within(step, self.client()?.query_typed(sql, values)).await
    }

    pub(crate) async fn query_one(
        &self,
        step: &'static str,
        sql: &str,
        values: &Values<'_>,
    ) -> Result<Option<Row>, Failure> {
        Ok(self.query(step, sql, values).await?.into_iter().next())
    }

    pub(crate) async fn execute(&self, step: &'static str, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        self.within(step, self.client()?.execute_typed(sql, values)).await
    }

    /// Sends COMMIT. From here on the commit may have been applied.
    ///
    /// The driver does not show whether the server answered `COMMIT` or `ROLLBACK`. It answers `ROLLBACK` only for a
    /// transaction in which a statement failed, and every statement of this one has succeeded.
    pub(crate) async fn commit(&self) -> Result<(), Failure> {
        let client = self.client()?;
        if client.is_closed() {
            let lost = "the connection was lost before COMMIT was sent";
            return Err(Failure::Elsewhere(PostgresError::new(PostgresErrorKind::ConnectionLost, lost)));
        }
        let commit = client.batch_execute("COMMIT");
        let committed = match self.limit {
            None => commit.await,
            Some(limit) => match tokio::time::timeout(limit, commit).await {
                Ok(committed) => committed,
                Err(_) => return Err(StoreError::in_doubt(PostgresError::step_timeout("COMMIT", limit)).into()),
            },
        };
        committed.map_err(|error| Failure::at(Stage::AtCommit, error))
    }
}

/// The pool does not say in time whether it waits for a free connection or for the server.
fn no_connection(pool: &Pool, limit: Duration) -> PostgresError {
    let status = pool.status();
    if status.size >= status.max_size && status.available == 0 {
        let message = format!("no connection became free within {limit:?}: all {} are in use", status.max_size);
        return PostgresError::new(PostgresErrorKind::PoolExhausted, message);
    }
    PostgresError::new(PostgresErrorKind::Unreachable, format!("no connection within {limit:?}"))
}

/// A value of a row that a statement of this store selects.
pub(crate) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Failure> {
    row.try_get(at).map_err(Failure::damaged)
}

/// Fails if the first column says that the server is a standby.
pub(crate) fn expect_primary(row: &Row) -> Result<(), Failure> {
    if get(row, 0)? { Err(Failure::Elsewhere(PostgresError::read_only())) } else { Ok(()) }
}
