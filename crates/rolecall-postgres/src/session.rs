//! A session of the server, over either client: pooled, or a savepoint in a transaction of the application. And what is sent
//! over one: statements, their values, the rows of their answers, and how long each step may take.

#[cfg(feature = "deadpool")]
use std::fmt;
#[cfg(feature = "deadpool")]
use std::ops::Deref;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::poll_immediate;
use postgres_types::{FromSql, ToSql, Type};
use rolecall::store::StoreError;
#[cfg(feature = "sqlx")]
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres, Row as _, ValueRef, pool::PoolConnection};
#[cfg(feature = "sqlx")]
use tokio::sync::Mutex;

use crate::error::{DriverError, Failure, PostgresError};
use crate::value::BoxedError;

/// A connection that was taken out of the pool, or a savepoint in a transaction of the application.
#[derive(Debug)]
pub(crate) enum Link<'t> {
    #[cfg(feature = "deadpool")]
    Client(ClientSession<'t>),
    /// sqlx has one statement under way at a time.
    #[cfg(feature = "sqlx")]
    Sqlx(Mutex<SqlxSession<'t>>),
}

impl Link<'_> {
    /// Closes the connection, and never gives it back. A savepoint is rolled back.
    pub(crate) fn close(self) {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(ClientSession::Pooled(object)) => drop(deadpool_postgres::Object::take(object)),
            #[cfg(feature = "deadpool")]
            Self::Client(ClientSession::Savepoint(savepoint)) => drop(savepoint),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(session) => match session.into_inner() {
                SqlxSession::Pooled(connection) => drop(connection.detach()),
                SqlxSession::Savepoint(savepoint) => drop(savepoint),
            },
        }
    }

    /// Gives the connection back to the pool.
    pub(crate) fn release(self) {
        drop(self);
    }

    /// Whether the connection is known to be lost. sqlx finds out when it sends.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(object) => object.is_closed(),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(_) => false,
        }
    }

    /// Several statements, without values.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), DriverError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(object) => Ok(object.batch_execute(sql).await?),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(connection) => Ok(sqlx_batch(connection, sql).await?),
        }
    }

    /// Keeps what was done since the savepoint.
    pub(crate) async fn keep(self) -> Result<(), DriverError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(ClientSession::Savepoint(savepoint)) => Ok(savepoint.commit().await?),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(session) => match session.into_inner() {
                SqlxSession::Savepoint(savepoint) => Ok(savepoint.commit().await?),
                SqlxSession::Pooled(_) => Ok(()),
            },
            #[cfg(feature = "deadpool")]
            Self::Client(ClientSession::Pooled(_)) => Ok(()),
        }
    }
}

/// A session of tokio-postgres.
#[cfg(feature = "deadpool")]
pub(crate) enum ClientSession<'t> {
    Pooled(deadpool_postgres::Object),
    Savepoint(tokio_postgres::Transaction<'t>),
}

#[cfg(feature = "deadpool")]
impl Deref for ClientSession<'_> {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &tokio_postgres::Client {
        match self {
            Self::Pooled(object) => object,
            Self::Savepoint(savepoint) => savepoint.client(),
        }
    }
}

#[cfg(feature = "deadpool")]
impl fmt::Debug for ClientSession<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSession")
    }
}

/// A session of sqlx.
#[cfg(feature = "sqlx")]
#[derive(Debug)]
pub(crate) enum SqlxSession<'t> {
    Pooled(PoolConnection<Postgres>),
    Savepoint(sqlx::Transaction<'t, Postgres>),
}

#[cfg(feature = "sqlx")]
impl std::ops::Deref for SqlxSession<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Savepoint(savepoint) => savepoint,
        }
    }
}

#[cfg(feature = "sqlx")]
impl std::ops::DerefMut for SqlxSession<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Savepoint(savepoint) => savepoint,
        }
    }
}

/// Several statements, without values.
#[cfg(feature = "sqlx")]
pub(crate) async fn sqlx_batch(session: &Mutex<SqlxSession<'_>>, sql: &str) -> Result<(), sqlx::Error> {
    let mut session = session.lock().await;
    (**session).execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await?;
    Ok(())
}

/// How long a step of a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepLimit(pub(crate) Option<Duration>);

impl StepLimit {
    /// Waits for one step of a call, at most as long as the store allows.
    pub(crate) async fn within<T>(
        self,
        step: &'static str,
        future: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, Failure> {
        let mut future = pin!(future);
        // Most rows of a load are there already: no timer for them.
        if let Some(done) = poll_immediate(&mut future).await {
            return done.map_err(Failure::of);
        }
        let Some(limit) = self.0 else { return future.await.map_err(Failure::of) };
        match tokio::time::timeout(limit, future).await {
            Ok(done) => done.map_err(Failure::of),
            Err(_) => Err(StoreError::unavailable(PostgresError::step_timeout(step, limit)).into()),
        }
    }
}

/// The values of a statement and their types. Every statement is unnamed and says the types, so it leaves nothing behind on
/// the server: a pooler may use another server connection next time.
pub(crate) type Values<'a> = [(&'a (dyn ToSql + Sync), Type)];

/// A statement that is sent together with others.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) step: &'static str,
    pub(crate) sql: &'a str,
    pub(crate) values: Vec<(&'a (dyn ToSql + Sync), Type)>,
}

/// Takes each row of a snapshot, with the number of its statement.
pub(crate) type EachRow<'e> = dyn FnMut(usize, &Row) -> Result<(), Failure> + Send + 'e;

/// A transaction that reads one state. It does not say `READ ONLY`, which some servers refuse together with isolation.
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// One row of an answer.
#[derive(Debug)]
pub(crate) enum Row {
    #[cfg(feature = "deadpool")]
    Client(tokio_postgres::Row),
    #[cfg(feature = "sqlx")]
    Sqlx(sqlx::postgres::PgRow),
}

impl Row {
    pub(crate) fn try_get<'a, T: FromSql<'a>>(&'a self, at: usize) -> Result<T, BoxedError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(row) => Ok(row.try_get(at)?),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(row) => sqlx_value(row, at),
        }
    }
}

/// A value in the binary form of PostgreSQL.
#[cfg(feature = "sqlx")]
fn sqlx_value<'a, T: FromSql<'a>>(row: &'a sqlx::postgres::PgRow, at: usize) -> Result<T, BoxedError> {
    let value = row.try_get_raw(at)?;
    let oid = value.type_info().oid().map(|oid| oid.0);
    let ty = oid.and_then(Type::from_oid).ok_or("a column of an unknown type")?;
    if !T::accepts(&ty) {
        return Err(format!("a column of another type: {ty}").into());
    }
    if value.is_null() { T::from_sql_null(&ty) } else { T::from_sql(&ty, value.as_bytes()?) }
}

/// A value of a row that a statement of this store selects.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, Failure> {
    row.try_get(at).map_err(Failure::damaged)
}

/// Fails if the first column says that the server is a standby.
pub(crate) fn expect_primary(row: &Row) -> Result<(), Failure> {
    if get(row, 0)? { Err(Failure::Elsewhere(PostgresError::read_only())) } else { Ok(()) }
}
