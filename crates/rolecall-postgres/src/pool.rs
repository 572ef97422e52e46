//! The pool that the application brings, and a connection from it; or a transaction that the application has begun.

use std::time::Duration;

#[cfg(feature = "sqlx")]
use tokio::sync::Mutex;

use crate::error::{DriverError, PostgresError, PostgresErrorKind};
#[cfg(feature = "deadpool")]
use crate::transaction::ClientSession;
#[cfg(feature = "sqlx")]
use crate::transaction::SqlxSession;

/// A connection pool of the application: the store takes either, by `into`.
///
/// ```
/// use rolecall_postgres::ConnectionPool;
///
/// fn name(pool: &ConnectionPool) -> &'static str {
///     match pool {
///         #[cfg(feature = "deadpool")]
///         ConnectionPool::Deadpool(_) => "deadpool",
///         #[cfg(feature = "sqlx")]
///         ConnectionPool::Sqlx(_) => "sqlx",
///         _ => "another pool",
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionPool {
    /// A pool of deadpool, over tokio-postgres. With the feature `deadpool`, which is a default.
    #[cfg(feature = "deadpool")]
    Deadpool(deadpool_postgres::Pool),
    /// A pool of sqlx. With the feature `sqlx`.
    #[cfg(feature = "sqlx")]
    Sqlx(sqlx::PgPool),
}

#[cfg(feature = "deadpool")]
impl From<deadpool_postgres::Pool> for ConnectionPool {
    fn from(pool: deadpool_postgres::Pool) -> Self {
        Self::Deadpool(pool)
    }
}

#[cfg(feature = "sqlx")]
impl From<sqlx::PgPool> for ConnectionPool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self::Sqlx(pool)
    }
}

/// A connection that was taken out of the pool, or a savepoint in a transaction of the application.
#[derive(Debug)]
pub(crate) enum Link<'t> {
    #[cfg(feature = "deadpool")]
    Client(ClientSession<'t>),
    /// sqlx has one statement under way at a time.
    #[cfg(feature = "sqlx")]
    Sqlx(Mutex<SqlxSession<'t>>),
}

impl ConnectionPool {
    pub(crate) async fn connect(&self) -> Result<Link<'static>, PostgresError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Deadpool(pool) => match pool.get().await {
                Ok(object) => Ok(Link::Client(ClientSession::Pooled(object))),
                Err(error) => Err(PostgresError::of_pool(error)),
            },
            #[cfg(feature = "sqlx")]
            Self::Sqlx(pool) => match pool.acquire().await {
                Ok(connection) => Ok(Link::Sqlx(Mutex::new(SqlxSession::Pooled(connection)))),
                Err(sqlx::Error::PoolTimedOut) => Err(self.no_connection(pool.options().get_acquire_timeout())),
                Err(error) => Err(PostgresError::of_sqlx_pool(error)),
            },
        }
    }

    /// The pool does not say in time whether it waits for a free connection or for the server.
    pub(crate) fn no_connection(&self, limit: Duration) -> PostgresError {
        let (is_exhausted, most) = match self {
            #[cfg(feature = "deadpool")]
            Self::Deadpool(pool) => {
                let status = pool.status();
                (status.size >= status.max_size && status.available == 0, status.max_size.to_string())
            }
            #[cfg(feature = "sqlx")]
            Self::Sqlx(pool) => {
                let most = pool.options().get_max_connections();
                (pool.size() >= most && pool.num_idle() == 0, most.to_string())
            }
        };
        if is_exhausted {
            let message = format!("no connection became free within {limit:?}: all {most} are in use");
            return PostgresError::new(PostgresErrorKind::PoolExhausted, message);
        }
        PostgresError::new(PostgresErrorKind::Unreachable, format!("no connection within {limit:?}"))
    }
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
            Self::Sqlx(connection) => crate::sqlx_client::batch(connection, sql).await,
        }
    }
}
