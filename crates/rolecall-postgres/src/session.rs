//! A session of the server, over either client: a connection of the pool, or a savepoint in a transaction of the application.

#[cfg(feature = "deadpool")]
use std::fmt;
#[cfg(feature = "deadpool")]
use std::ops::Deref;

#[cfg(feature = "sqlx")]
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres, pool::PoolConnection};
#[cfg(feature = "sqlx")]
use tokio::sync::Mutex;

use crate::error::DriverError;

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

    /// Keeps the changes since the savepoint.
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
