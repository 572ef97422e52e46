//! The pool that the application brings.

use std::time::Duration;

#[cfg(feature = "sqlx")]
use tokio::sync::Mutex;

use crate::error::{PostgresError, PostgresErrorKind};
#[cfg(feature = "deadpool")]
use crate::session::ClientSession;
use crate::session::Link;
#[cfg(feature = "sqlx")]
use crate::session::SqlxSession;

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
