//! The pool that the application brings, and a connection from it.

use std::time::Duration;

#[cfg(feature = "sqlx")]
use sqlx::pool::PoolConnection;
#[cfg(feature = "sqlx")]
use tokio::sync::Mutex;

use crate::error::{DriverError, PostgresError, PostgresErrorKind};

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

/// A connection that was taken out of the pool.
#[derive(Debug)]
pub(crate) enum Link {
    #[cfg(feature = "deadpool")]
    Client(deadpool_postgres::Object),
    /// sqlx has one statement under way at a time.
    #[cfg(feature = "sqlx")]
    Sqlx(Mutex<PoolConnection<sqlx::Postgres>>),
}

impl ConnectionPool {
    pub(crate) async fn connect(&self) -> Result<Link, PostgresError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Deadpool(pool) => pool.get().await.map(Link::Client).map_err(PostgresError::of_pool),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(pool) => match pool.acquire().await {
                Ok(connection) => Ok(Link::Sqlx(Mutex::new(connection))),
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

impl Link {
    /// Closes the connection, and never gives it back.
    pub(crate) fn close(self) {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(object) => drop(deadpool_postgres::Object::take(object)),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(connection) => drop(connection.into_inner().detach()),
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
