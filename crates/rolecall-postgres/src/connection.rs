//! A connection of the application's pool, for one call, over either client.
//!
//! `client.rs` is the part for tokio-postgres, `sqlx_client.rs` the one for sqlx. Both send the same statements with the same
//! values, and both return rows that are read in the same way.

use std::time::Duration;

use bytes::Bytes;
use rolecall::store::StoreError;

#[cfg(feature = "deadpool")]
use crate::client;
use crate::error::{Failure, PostgresError, Stage};
use crate::pool::ConnectionPool;
use crate::session::Link;
#[cfg(feature = "sqlx")]
use crate::sqlx_client;
use crate::step::{EachRow, Row, Statement, StepLimit, Values};
use crate::transaction::OpenTransaction;

/// A connection that goes back to the pool only by [`Connection::release`], after the last answer of the last statement.
///
/// In every other case the connection is closed: the caller dropped the call, a step took too long, or an error came. It may
/// be in the middle of a conversation. The next user of it would get the answers to somebody else's questions.
#[derive(Debug)]
pub(crate) struct Connection<'t> {
    link: Option<Link<'t>>,
    limit: StepLimit,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
    }
}

impl Connection<'static> {
    pub(crate) async fn open(pool: &ConnectionPool, limit: Option<Duration>) -> Result<Self, Failure> {
        // Sockets and timers would panic.
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StoreError::unavailable(PostgresError::no_runtime()).into());
        }
        let connecting = pool.connect();
        let connected = match limit {
            None => connecting.await,
            Some(limit) => match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => return Err(StoreError::unavailable(pool.no_connection(limit)).into()),
            },
        };
        match connected {
            Ok(link) => Ok(Self { link: Some(link), limit: StepLimit(limit) }),
            Err(error) => Err(StoreError::unavailable(error).into()),
        }
    }
}

impl<'t> Connection<'t> {
    /// Sets a savepoint in a transaction of the application. All later statements are rolled back to it, even if the future
    /// is dropped, unless it is [released](Self::release_savepoint).
    pub(crate) async fn savepoint(
        transaction: OpenTransaction<'t, '_>,
        limit: Option<Duration>,
    ) -> Result<Self, Failure> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StoreError::unavailable(PostgresError::no_runtime()).into());
        }
        let link = transaction.savepoint().await.map_err(Failure::of)?;
        Ok(Self { link: Some(link), limit: StepLimit(limit) })
    }

    /// Keeps the changes since the savepoint, in the transaction of the application.
    pub(crate) async fn release_savepoint(mut self) -> Result<(), Failure> {
        let Some(link) = self.link.take() else { return Err(Failure::damaged("a savepoint was released twice")) };
        self.limit.within("the release of the savepoint", link.keep()).await
    }

    fn link(&self) -> Result<&Link<'t>, Failure> {
        self.link.as_ref().ok_or_else(|| StoreError::unavailable("the connection was given back").into())
    }

    /// Gives the connection back, if its conversation has come to its end, and returns the answer.
    pub(crate) async fn finish<T>(self, answer: Result<T, Failure>) -> Result<T, Failure> {
        let is_at_rest = match &answer {
            Ok(_) => true,
            // They leave behind a transaction to be rolled back, or none.
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
        if let Some(link) = self.link.take() {
            link.release();
        }
    }

    /// Several statements, without values.
    pub(crate) async fn batch(&self, step: &'static str, sql: &str) -> Result<(), Failure> {
        let link = self.link()?;
        self.limit.within(step, link.batch(sql)).await
    }

    pub(crate) async fn query(&self, step: &'static str, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        match self.link()? {
            #[cfg(feature = "deadpool")]
            Link::Client(object) => self.limit.within(step, client::query(object, sql, values)).await,
            #[cfg(feature = "sqlx")]
            Link::Sqlx(connection) => self.limit.within(step, sqlx_client::query(connection, sql, values)).await,
        }
    }

    pub(crate) async fn query_one(
        &self,
        step: &'static str,
        sql: &str,
        values: &Values<'_>,
    ) -> Result<Option<Row>, Failure> {
        Ok(self.query(step, sql, values).await?.into_iter().next())
    }

    /// Sends statements together with the BEGIN before them, and returns the rows of each.
    ///
    /// If BEGIN fails, the statements run all the same, each as a transaction of its own. They must change nothing then.
    pub(crate) async fn begin(&self, begin: &str, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        match self.link()? {
            #[cfg(feature = "deadpool")]
            Link::Client(object) => client::begin(self.limit, object, begin, statements).await,
            #[cfg(feature = "sqlx")]
            Link::Sqlx(_) => {
                self.batch("BEGIN", begin).await.map_err(Failure::at_begin)?;
                let mut answers = Vec::with_capacity(statements.len());
                for Statement { step, sql, values } in statements {
                    answers.push(self.query(step, sql, values).await?);
                }
                Ok(answers)
            }
        }
    }

    pub(crate) async fn execute(&self, step: &'static str, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        match self.link()? {
            #[cfg(feature = "deadpool")]
            Link::Client(object) => self.limit.within(step, client::execute(object, sql, values)).await,
            #[cfg(feature = "sqlx")]
            Link::Sqlx(connection) => self.limit.within(step, sqlx_client::execute(connection, sql, values)).await,
        }
    }

    /// Reads all statements on one state. Rows are streamed: the memory does not depend on their number.
    pub(crate) async fn read_snapshot(
        &self,
        statements: &[Statement<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), Failure> {
        match self.link()? {
            #[cfg(feature = "deadpool")]
            Link::Client(object) => client::read_snapshot(self.limit, object, statements, each).await,
            #[cfg(feature = "sqlx")]
            Link::Sqlx(connection) => sqlx_client::read_snapshot(self.limit, connection, statements, each).await,
        }
    }

    /// Sends pieces of binary COPY, and returns how many rows the server took.
    pub(crate) async fn copy_in(
        &self,
        step: &'static str,
        sql: &str,
        pieces: impl Iterator<Item = Result<Bytes, Failure>> + Send,
    ) -> Result<u64, Failure> {
        match self.link()? {
            #[cfg(feature = "deadpool")]
            Link::Client(object) => client::copy_in(self.limit, object, step, sql, pieces).await,
            #[cfg(feature = "sqlx")]
            Link::Sqlx(connection) => sqlx_client::copy_in(self.limit, connection, step, sql, pieces).await,
        }
    }

    /// Sends COMMIT. From here on the commit may have been applied.
    ///
    /// The clients do not show whether the server answered `COMMIT` or `ROLLBACK`. It answers `ROLLBACK` only for a
    /// transaction in which a statement failed, and every statement of this one has succeeded.
    pub(crate) async fn commit(&self) -> Result<(), Failure> {
        let link = self.link()?;
        if link.is_closed() {
            return Err(Failure::Elsewhere(PostgresError::lost_before_commit()));
        }
        let commit = link.batch("COMMIT");
        let committed = match self.limit.0 {
            None => commit.await,
            Some(limit) => match tokio::time::timeout(limit, commit).await {
                Ok(committed) => committed,
                Err(_) => return Err(StoreError::in_doubt(PostgresError::step_timeout("COMMIT", limit)).into()),
            },
        };
        committed.map_err(|error| Failure::at(Stage::AtCommit, error))
    }
}
