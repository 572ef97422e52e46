//! A transaction of the application, and the savepoint in it that a staged commit is written behind.

use std::fmt;

#[cfg(feature = "sqlx")]
use sqlx::Postgres;

use crate::error::DriverError;
#[cfg(feature = "deadpool")]
use crate::session::ClientSession;
use crate::session::Link;
#[cfg(feature = "sqlx")]
use crate::session::SqlxSession;

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
