//! One step of a call, over either client: a statement with its values, the rows of the answer, the limit of its time.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::poll_immediate;
use postgres_types::{FromSql, ToSql, Type};
use rolecall::store::StoreError;
#[cfg(feature = "sqlx")]
use sqlx::{Row as _, ValueRef};

use crate::error::{DriverError, Failure, PostgresError};
use crate::value::BoxedError;

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
