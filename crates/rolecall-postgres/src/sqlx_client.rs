//! The client sqlx: one statement after another, with the values and rows of the other client.

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use postgres_types::{IsNull, ToSql, Type};
use sqlx::encode::IsNull as SqlxNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{Arguments, AssertSqlSafe, Encode, Postgres};
use tokio::sync::Mutex;

use crate::error::{DriverError, Failure};
use crate::session::{SqlxSession, sqlx_batch};
use crate::step::{BEGIN_SNAPSHOT, EachRow, Row, Statement, StepLimit, Values};

type Link<'t> = Mutex<SqlxSession<'t>>;

/// A value with its type, as sqlx sends it.
struct Bound<'v>(&'v (dyn ToSql + Sync), &'v Type);

impl sqlx::Type<Postgres> for Bound<'_> {
    // Each value says its own type.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(Type::UNKNOWN.oid()))
    }
}

impl Encode<'_, Postgres> for Bound<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<SqlxNull, BoxDynError> {
        let mut bytes = BytesMut::new();
        match self.0.to_sql_checked(self.1, &mut bytes)? {
            IsNull::Yes => Ok(SqlxNull::Yes),
            IsNull::No => {
                buffer.extend_from_slice(&bytes);
                Ok(SqlxNull::No)
            }
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.1.oid())))
    }
}

/// An unnamed statement. Its text contains the name of the schema, which is quoted, and nothing else from outside.
fn prepare(sql: &str, values: &Values<'_>) -> Result<Query<'static, Postgres, PgArguments>, DriverError> {
    let mut arguments = PgArguments::default();
    for (value, ty) in values {
        arguments.add(Bound(*value, ty)).map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false))
}

async fn batch(link: &Link<'_>, sql: &str) -> Result<(), DriverError> {
    Ok(sqlx_batch(link, sql).await?)
}

pub(crate) async fn query(link: &Link<'_>, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, DriverError> {
    let (query, mut connection) = (prepare(sql, values)?, link.lock().await);
    Ok(query.fetch_all(&mut **connection).await?.into_iter().map(Row::Sqlx).collect())
}

pub(crate) async fn execute(link: &Link<'_>, sql: &str, values: &Values<'_>) -> Result<u64, DriverError> {
    let (query, mut connection) = (prepare(sql, values)?, link.lock().await);
    Ok(query.execute(&mut **connection).await?.rows_affected())
}

pub(crate) async fn read_snapshot(
    limit: StepLimit,
    link: &Link<'_>,
    statements: &[Statement<'_>],
    each: &mut EachRow<'_>,
) -> Result<(), Failure> {
    limit.within("BEGIN", batch(link, BEGIN_SNAPSHOT)).await?;
    for (number, statement) in statements.iter().enumerate() {
        let query = prepare(statement.sql, &statement.values).map_err(Failure::of)?;
        let mut locked = link.lock().await;
        let mut rows = query.fetch(&mut **locked);
        while let Some(row) = limit.within(statement.step, next(&mut rows)).await? {
            each(number, &Row::Sqlx(row))?;
        }
    }
    limit.within("the end of the snapshot", batch(link, "COMMIT")).await
}

/// The next row of a stream.
async fn next(rows: &mut BoxStream<'_, Result<PgRow, sqlx::Error>>) -> Result<Option<PgRow>, DriverError> {
    Ok(rows.try_next().await?)
}

pub(crate) async fn copy_in(
    limit: StepLimit,
    link: &Link<'_>,
    step: &'static str,
    sql: &str,
    pieces: impl Iterator<Item = Result<Bytes, Failure>> + Send,
) -> Result<u64, Failure> {
    let mut locked = link.lock().await;
    let begin = async { Ok(locked.copy_in_raw(sql).await?) };
    let mut sink = limit.within(step, begin).await?;
    for piece in pieces {
        let piece = piece?;
        limit.within(step, async { Ok(sink.send(piece).await.map(drop)?) }).await?;
    }
    limit.within(step, async { Ok(sink.finish().await?) }).await
}
