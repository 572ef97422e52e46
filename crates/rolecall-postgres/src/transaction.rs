//! A transaction of the application, and the savepoint in it that a staged commit is written behind.

use std::fmt;
#[cfg(feature = "deadpool")]
use std::ops::Deref;

#[cfg(feature = "sqlx")]
use sqlx::{PgConnection, Postgres, pool::PoolConnection};

use crate::error::DriverError;
use crate::pool::Link;

/// A transaction that the application has begun: [`commit_in`](crate::PostgresStore::commit_in) takes each of them, by `into`.
///
/// ```
/// use rolecall_postgres::OpenTransaction;
///
/// fn of_client<'t, 'c>(transaction: &'t mut tokio_postgres::Transaction<'c>) -> OpenTransaction<'t, 'c> {
///     transaction.into()
/// }
/// ```
#[non_exhaustive]
pub enum OpenTransaction<'t, 'c> {
    /// A transaction of tokio-postgres, or of deadpool. With the feature `deadpool`, which is a default.
    #[cfg(feature = "deadpool")]
    Client(&'t mut tokio_postgres::Transaction<'c>),
    /// A transaction of sqlx. With the feature `sqlx`.
    #[cfg(feature = "sqlx")]
    Sqlx(&'t mut sqlx::Transaction<'c, Postgres>),
}

#[cfg(feature = "deadpool")]
impl<'t, 'c> From<&'t mut tokio_postgres::Transaction<'c>> for OpenTransaction<'t, 'c> {
    fn from(transaction: &'t mut tokio_postgres::Transaction<'c>) -> Self {
        Self::Client(transaction)
    }
}

#[cfg(feature = "deadpool")]
impl<'t, 'c> From<&'t mut deadpool_postgres::Transaction<'c>> for OpenTransaction<'t, 'c> {
    fn from(transaction: &'t mut deadpool_postgres::Transaction<'c>) -> Self {
        Self::Client(&mut *transaction)
    }
}

#[cfg(feature = "sqlx")]
impl<'t, 'c> From<&'t mut sqlx::Transaction<'c, Postgres>> for OpenTransaction<'t, 'c> {
    fn from(transaction: &'t mut sqlx::Transaction<'c, Postgres>) -> Self {
        Self::Sqlx(transaction)
    }
}

impl fmt::Debug for OpenTransaction<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "deadpool")]
            Self::Client(_) => "OpenTransaction::Client",
            #[cfg(feature = "sqlx")]
            Self::Sqlx(_) => "OpenTransaction::Sqlx",
        })
    }
}

impl<'t> OpenTransaction<'t, '_> {
    /// Both clients roll back to a savepoint that is dropped, before the next statement of the transaction.
    pub(crate) async fn savepoint(self) -> Result<Link<'t>, DriverError> {
        match self {
            #[cfg(feature = "deadpool")]
            Self::Client(transaction) => Ok(Link::Client(ClientSession::Savepoint(transaction.transaction().await?))),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(transaction) => {
                let savepoint = sqlx::Connection::begin(&mut **transaction).await?;
                Ok(Link::Sqlx(tokio::sync::Mutex::new(SqlxSession::Savepoint(savepoint))))
            }
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

impl Link<'_> {
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
