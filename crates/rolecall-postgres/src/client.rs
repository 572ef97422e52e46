//! The client tokio-postgres: all statements of a call are sent together, and their answers awaited one after another.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::{MaybeDone, maybe_done};
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::{Client, RowStream};

use crate::error::{DriverError, Failure};
use crate::step::{BEGIN_SNAPSHOT, EachRow, Row, Statement, StepLimit, Values};

pub(crate) async fn query(client: &Client, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, DriverError> {
    Ok(client.query_typed(sql, values).await?.into_iter().map(Row::Client).collect())
}

pub(crate) async fn execute(client: &Client, sql: &str, values: &Values<'_>) -> Result<u64, DriverError> {
    Ok(client.execute_typed(sql, values).await?)
}

/// A statement that was sent, and whose answer is awaited later. So all statements of a load take one round trip, and a
/// commit takes one up to its COMMIT.
///
/// They are answered in the order in which they were sent. An answer waits on the wire until the one before it was read. So
/// the memory of a load does not depend on the size of the tenant.
struct Sent<'c, T>(MaybeDone<Pending<'c, T>>);

type Pending<'c, T> = Pin<Box<dyn Future<Output = Result<T, DriverError>> + Send + 'c>>;

impl<'c, T> Sent<'c, T> {
    async fn send(statement: impl Future<Output = Result<T, tokio_postgres::Error>> + Send + 'c) -> Self {
        let statement = async { Ok(statement.await?) };
        let mut sent = maybe_done(Box::pin(statement) as Pending<'c, T>);
        // The driver queues a statement when it is polled first.
        poll_fn(|cx| {
            let _ = Pin::new(&mut sent).poll(cx);
            Poll::Ready(())
        })
        .await;
        Self(sent)
    }

    async fn answer(mut self, limit: StepLimit, step: &'static str) -> Result<T, Failure> {
        let answer = async {
            (&mut self.0).await;
            match Pin::new(&mut self.0).take_output() {
                Some(answer) => answer.map(Some),
                None => Ok(None),
            }
        };
        limit.within(step, answer).await?.ok_or_else(|| Failure::damaged("an answer was read twice"))
    }
}

/// Waits for the last of the answers after a BEGIN that has failed.
///
/// Without a transaction, a pooler takes its connection to the server for idle after each answer. If this client left before the
/// last one, PgBouncer 1.18 would hand the rest to the next client of that connection.
async fn finish<T>(limit: StepLimit, last: Option<Sent<'_, T>>) {
    if let Some(last) = last {
        let _ = last.answer(limit, "the end of a failed transaction").await;
    }
}

/// The next row of a stream.
async fn next(limit: StepLimit, step: &'static str, rows: &mut Pin<&mut RowStream>) -> Result<Option<Row>, Failure> {
    let next = async { Ok(rows.try_next().await?) };
    Ok(limit.within(step, next).await?.map(Row::Client))
}

pub(crate) async fn read_snapshot(
    limit: StepLimit,
    client: &Client,
    statements: &[Statement<'_>],
    each: &mut EachRow<'_>,
) -> Result<(), Failure> {
    let begin = Sent::send(client.batch_execute(BEGIN_SNAPSHOT)).await;
    let mut sent = Vec::new();
    for statement in statements {
        sent.push(Sent::send(client.query_typed_raw(statement.sql, statement.values.clone())).await);
    }
    let end = Sent::send(client.batch_execute("COMMIT")).await;

    if let Err(failure) = begin.answer(limit, "BEGIN").await {
        drop(sent);
        finish(limit, Some(end)).await;
        return Err(failure);
    }
    for (number, (sent, statement)) in sent.into_iter().zip(statements).enumerate() {
        let mut rows = pin!(sent.answer(limit, statement.step).await?);
        while let Some(row) = next(limit, statement.step, &mut rows).await? {
            each(number, &row)?;
        }
    }
    end.answer(limit, "the end of the snapshot").await
}

pub(crate) async fn begin(
    limit: StepLimit,
    client: &Client,
    begin: &str,
    statements: &[Statement<'_>],
) -> Result<Vec<Vec<Row>>, Failure> {
    let begin = Sent::send(client.batch_execute(begin)).await;
    let mut sent = Vec::with_capacity(statements.len());
    for statement in statements {
        sent.push(Sent::send(client.query_typed(statement.sql, &statement.values)).await);
    }
    // The first error is the cause of those that follow.
    if let Err(failure) = begin.answer(limit, "BEGIN").await.map_err(Failure::at_begin) {
        finish(limit, sent.pop()).await;
        return Err(failure);
    }
    let mut answers = Vec::with_capacity(statements.len());
    for (sent, statement) in sent.into_iter().zip(statements) {
        let rows = sent.answer(limit, statement.step).await?;
        answers.push(rows.into_iter().map(Row::Client).collect());
    }
    Ok(answers)
}

pub(crate) async fn copy_in(
    limit: StepLimit,
    client: &Client,
    step: &'static str,
    sql: &str,
    pieces: impl Iterator<Item = Result<Bytes, Failure>> + Send,
) -> Result<u64, Failure> {
    let begin = async { Ok(client.copy_in(sql).await?) };
    let mut sink = pin!(limit.within(step, begin).await?);
    for piece in pieces {
        let piece = piece?;
        limit.within(step, async { Ok(sink.send(piece).await?) }).await?;
    }
    limit.within(step, async { Ok(sink.finish().await?) }).await
}
