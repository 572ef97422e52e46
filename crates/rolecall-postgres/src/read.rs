//! The four calls that read: find, list, load and since.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_util::TryStreamExt;
use futures_util::future::{MaybeDone, maybe_done};
use rolecall::records::{
    Actor, Change, CommitId, Envelope, Fingerprint, Note, Position, Record, RecordKind, Revision, TenantId,
    TenantRecord, TenantSlug,
};
use rolecall::store::{Since, Sink, Stop, StoreError, StoredCommit, TenantSummary};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, RowStream};
use uuid::Uuid;

use crate::commit::{describe, kind_name, number};
use crate::connection::{Connection, expect_primary, get};
use crate::error::{Failure, PostgresError};
use crate::statements::{BEGIN_SNAPSHOT, Statements};
use crate::tables::{Fields, TABLES};
use crate::value::Micros;

/// How many unreadable rows the error of a load names.
const MOST_UNREADABLE: usize = 20;

pub(crate) async fn find(
    connection: &Connection,
    sql: &Statements,
    slug: &TenantSlug,
) -> Result<Option<TenantId>, Failure> {
    let row = connection.query_one("find", &sql.find, &[(&slug.as_str(), Type::TEXT)]).await?;
    let row = row.ok_or_else(|| Failure::damaged("find returned no row"))?;
    expect_primary(&row)?;
    Ok(get::<Option<Uuid>>(&row, 1)?.map(TenantId::from_uuid))
}

pub(crate) async fn list(
    connection: &Connection,
    sql: &Statements,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Vec<TenantSummary>, Failure> {
    let after = after.map_or("", TenantSlug::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = connection.query("list", &sql.list, &[(&after, Type::TEXT), (&limit, Type::INT8)]).await?;
    summaries(&rows)
}

/// Tenants, from rows with the column of `expect_primary`, an id and a slug.
pub(crate) fn summaries(rows: &[Row]) -> Result<Vec<TenantSummary>, Failure> {
    let mut tenants = Vec::new();
    for row in rows {
        expect_primary(row)?;
        // The one row of an empty list has no tenant.
        let Some(tenant_id) = get::<Option<Uuid>>(row, 1)?.map(TenantId::from_uuid) else { continue };
        let slug = TenantSlug::new(get(row, 2)?).map_err(|error| unreadable(tenant_id, error))?;
        tenants.push(TenantSummary { tenant_id, slug });
    }
    Ok(tenants)
}

fn unreadable(tenant_id: TenantId, error: impl std::fmt::Display) -> Failure {
    Failure::damaged(format!("table tenants, row with {}: {error}", describe(tenant_id)))
}

/// A statement that was sent, and whose answer is awaited later: all statements of a load take one round trip.
///
/// They are answered in the order in which they were sent. An answer waits on the wire until the one before it was read, so
/// the memory that a load takes does not depend on the size of the tenant.
struct Sent<'c, T>(MaybeDone<Statement<'c, T>>);

type Statement<'c, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'c>>;

impl<'c, T> Sent<'c, T> {
    async fn send(statement: impl Future<Output = Result<T, Error>> + Send + 'c) -> Self {
        let mut sent = maybe_done(Box::pin(statement) as Statement<'c, T>);
        // The driver queues a statement when it is polled first.
        poll_fn(|cx| {
            let _ = Pin::new(&mut sent).poll(cx);
            Poll::Ready(())
        })
        .await;
        Self(sent)
    }

    async fn answer(mut self, connection: &Connection, step: &'static str) -> Result<T, Failure> {
        let answer = async {
            (&mut self.0).await;
            match Pin::new(&mut self.0).take_output() {
                Some(answer) => answer.map(Some),
                None => Ok(None),
            }
        };
        connection.within(step, answer).await?.ok_or_else(|| Failure::damaged("an answer was read twice"))
    }
}

/// Values that live as long as the statement.
type Parameters<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;

/// The next row of a stream.
async fn next(
    connection: &Connection,
    step: &'static str,
    rows: &mut Pin<&mut RowStream>,
) -> Result<Option<Row>, Failure> {
    connection.within(step, rows.try_next()).await
}

/// What a load has done so far.
pub(crate) struct Loading<'s> {
    pub(crate) sink: &'s mut (dyn Sink + 's),
    /// Whether the sink has a record: then the load cannot start again.
    pub(crate) pushed: bool,
    unreadable: Vec<String>,
}

impl<'s> Loading<'s> {
    pub(crate) fn new(sink: &'s mut (dyn Sink + 's)) -> Self {
        Self { sink, pushed: false, unreadable: Vec::new() }
    }

    fn push(&mut self, record: Record) -> Result<(), Failure> {
        self.pushed = true;
        self.sink.push(record).map_err(|Stop| StoreError::Stopped.into())
    }
}

pub(crate) async fn load(
    connection: &Connection,
    sql: &Statements,
    tenant_id: TenantId,
    loading: &mut Loading<'_>,
) -> Result<Option<Position>, Failure> {
    let client = connection.client()?;
    let id = tenant_id.as_uuid();
    let parameters = || -> Parameters<'_> { vec![(&id, Type::UUID)] };
    let begin = Sent::send(client.batch_execute(BEGIN_SNAPSHOT)).await;
    let tenant = Sent::send(client.query_typed_raw(&sql.tenant, parameters())).await;
    let mut tables = Vec::new();
    for table in &sql.tables {
        tables.push(Sent::send(client.query_typed_raw(&table.select, parameters())).await);
    }
    let end = Sent::send(client.batch_execute("COMMIT")).await;

    begin.answer(connection, "BEGIN").await?;
    let position = {
        let mut rows = pin!(tenant.answer(connection, "the tenant's row").await?);
        let row = next(connection, "the tenant's row", &mut rows).await?;
        let row = row.ok_or_else(|| Failure::damaged("a load returned no row"))?;
        while next(connection, "the tenant's row", &mut rows).await?.is_some() {}
        expect_primary(&row)?;
        read_tenant(tenant_id, &row, loading)?
    };
    for (sent, table) in tables.into_iter().zip(TABLES) {
        let mut rows = pin!(sent.answer(connection, table.name).await?);
        while let Some(row) = next(connection, table.name, &mut rows).await? {
            match (table.read)(&Fields { table, row: &row }) {
                Ok(record) if loading.unreadable.is_empty() && position.is_some() => loading.push(record)?,
                Ok(_) => {}
                Err(error) if loading.unreadable.len() < MOST_UNREADABLE => loading.unreadable.push(error.to_string()),
                Err(_) => break,
            }
        }
    }
    end.answer(connection, "the end of the load").await?;
    if loading.unreadable.is_empty() {
        return Ok(position);
    }
    Err(Failure::damaged(format!("{}: {}", describe(tenant_id), loading.unreadable.join("; "))))
}

fn read_tenant(tenant_id: TenantId, row: &Row, loading: &mut Loading<'_>) -> Result<Option<Position>, Failure> {
    let Some(slug) = get::<Option<&str>>(row, 1)? else { return Ok(None) };
    expect_known(get(row, 5)?)?;
    let slug = slug.try_into().map_err(|error: rolecall::Error| unreadable(tenant_id, error))?;
    let name = get::<&str>(row, 2)?.try_into().map_err(|error: rolecall::Error| unreadable(tenant_id, error))?;
    let revision = revision(get(row, 3)?)?;
    let commit = CommitId::from_uuid(get(row, 4)?);
    loading.push(Record::Tenant(TenantRecord { slug, name }))?;
    Ok(Some(Position { tenant_id, revision, commit }))
}

/// Fails if the tenant has records of a kind that came after this release.
pub(crate) fn expect_known(newest_kind: i16) -> Result<(), Failure> {
    if u8::try_from(newest_kind).ok().and_then(RecordKind::from_ordinal).is_some() {
        return Ok(());
    }
    let message = format!("a later release wrote records of kind number {newest_kind}");
    Err(StoreError::unsupported_record(message).into())
}

fn revision(number: i64) -> Result<Revision, Failure> {
    u64::try_from(number).map(Revision::new).map_err(Failure::damaged)
}

pub(crate) async fn since(
    connection: &Connection,
    sql: &Statements,
    at: Position,
    max_changes: i64,
) -> Result<Since, Failure> {
    let client = connection.client()?;
    let (id, from, commit) = (at.tenant_id.as_uuid(), number(at.revision), at.commit.as_uuid());
    let following = from.checked_add(1).unwrap_or(-1);
    let head: Parameters<'_> =
        vec![(&id, Type::UUID), (&from, Type::INT8), (&commit, Type::UUID), (&following, Type::INT8)];
    let commits: Parameters<'_> = vec![(&id, Type::UUID), (&from, Type::INT8), (&max_changes, Type::INT8)];
    let changes = commits.clone();
    let begin = Sent::send(client.batch_execute(BEGIN_SNAPSHOT)).await;
    let head = Sent::send(client.query_typed(&sql.since, &head)).await;
    let commits = Sent::send(client.query_typed(&sql.commits_since, &commits)).await;
    let changes = Sent::send(client.query_typed_raw(&sql.changes_since, changes)).await;
    let end = Sent::send(client.batch_execute("COMMIT")).await;

    begin.answer(connection, "BEGIN").await?;
    let head = head.answer(connection, "the latest position").await?;
    let commits = commits.answer(connection, "the commits").await?;
    let mut history = StoredCommits::after(from);
    for row in &commits {
        history.push(row)?;
    }
    let mut unreadable = None;
    {
        let mut rows = pin!(changes.answer(connection, "the changes").await?);
        while let Some(row) = next(connection, "the changes", &mut rows).await? {
            if unreadable.is_none() {
                unreadable = history.push_change(&row).err();
            }
        }
    }
    end.answer(connection, "the end of since").await?;
    let row = head.first().ok_or_else(|| Failure::damaged("since returned no row"))?;
    expect_primary(row)?;
    if get::<Option<bool>>(row, 1)? != Some(false) {
        return Ok(Since::Deleted);
    }
    let (latest, latest_commit): (i64, Uuid) = (get(row, 2)?, get(row, 3)?);
    if latest == from && latest_commit == commit {
        return Ok(Since::Commits(Vec::new()));
    }
    let is_in_history: bool = get(row, 5)?;
    if !is_in_history || latest <= from {
        return Ok(Since::TooOld);
    }
    expect_known(get(row, 4)?)?;
    match unreadable {
        Some(failure) => Err(failure),
        None => Ok(history.complete(latest)),
    }
}

/// The commits as they are read.
pub(crate) struct StoredCommits {
    from: i64,
    commits: Vec<StoredCommit>,
    /// The number of changes of each commit.
    expected: Vec<i64>,
    has_gap: bool,
}

impl StoredCommits {
    pub(crate) fn after(from: i64) -> Self {
        Self { from, commits: Vec::new(), expected: Vec::new(), has_gap: false }
    }

    pub(crate) fn push(&mut self, row: &Row) -> Result<(), Failure> {
        let text = |error: rolecall::Error| Failure::damaged(format!("table commits: {error}"));
        let at = get::<Micros>(row, 4)?.try_into().map_err(|error: String| Failure::damaged(error))?;
        let envelope = Envelope {
            id: CommitId::from_uuid(get(row, 1)?),
            previous: get::<Option<Uuid>>(row, 2)?.map(CommitId::from_uuid),
            actor: get::<Option<&str>>(row, 3)?.map(Actor::new).transpose().map_err(text)?,
            at,
            note: get::<Option<&str>>(row, 5)?.map(Note::new).transpose().map_err(text)?,
            catalog: Fingerprint::from_uuid(get(row, 6)?),
        };
        let number: i64 = get(row, 0)?;
        self.has_gap |= self.index(number) != Some(self.commits.len());
        self.commits.push(StoredCommit { revision: revision(number)?, envelope, changes: Vec::new() });
        self.expected.push(get(row, 7)?);
        Ok(())
    }

    pub(crate) fn push_change(&mut self, row: &Row) -> Result<(), Failure> {
        let number: i64 = get(row, 0)?;
        let kind: &str = get(row, 1)?;
        if !RecordKind::ALL.iter().any(|known| kind_name(*known) == kind) {
            return Err(
                StoreError::unsupported_record(format!("a later release wrote records of kind `{kind}`")).into()
            );
        }
        let side = |at| {
            let json = get::<Option<&str>>(row, at)?;
            json.map(serde_json::from_str::<Record>)
                .transpose()
                .map_err(|error| Failure::damaged(format!("table changes, revision {number}: {error}")))
        };
        let change = Change::new(side(2)?, side(3)?)
            .ok_or_else(|| Failure::damaged(format!("table changes, revision {number}: two records in one change")))?;
        let commit = self.index(number).and_then(|at| self.commits.get_mut(at));
        let commit = commit.ok_or_else(|| Failure::damaged("a change of a commit that is not there"))?;
        commit.changes.push(change);
        Ok(())
    }

    /// The place of a revision among the commits.
    fn index(&self, number: i64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.from)?.checked_sub(1)?).ok()
    }

    /// Too old also if the changes are too many, or if some were removed.
    pub(crate) fn complete(self, latest: i64) -> Since {
        let all_commits = self.index(latest).map(|at| at + 1) == Some(self.commits.len()) && !self.has_gap;
        let all_changes =
            self.commits.iter().zip(&self.expected).all(|(c, n)| i64::try_from(c.changes.len()) == Ok(*n));
        if all_commits && all_changes { Since::Commits(self.commits) } else { Since::TooOld }
    }
}

/// Refuses a schema of another version.
pub(crate) async fn check_schema(connection: &Connection, sql: &Statements, schema: &str) -> Result<(), Failure> {
    let checked = match connection.query_one("the version of the schema", &sql.version, &[]).await {
        Ok(Some(row)) => PostgresError::check_version(schema, get(&row, 0)?, get(&row, 1)?),
        Ok(None) => Err(PostgresError::schema_missing(schema)),
        Err(Failure::Answer(StoreError::Unavailable(cause))) if is_missing(&*cause) => {
            Err(PostgresError::schema_missing(schema))
        }
        Err(failure) => return Err(failure),
    };
    checked.map_err(|error| StoreError::unavailable(error).into())
}

fn is_missing(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = cause.downcast_ref::<PostgresError>();
    error.is_some_and(|error| error.kind() == crate::PostgresErrorKind::SchemaMissing)
}
