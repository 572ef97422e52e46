//! The four calls that read: find, list, load and since.

use postgres_types::Type;
use rolecall::records::{
    Actor, Change, CommitId, Envelope, Fingerprint, Note, Position, Record, RecordKind, Revision, TenantId,
    TenantRecord, TenantSlug,
};
use rolecall::store::{Since, Sink, Stop, StoreError, StoredCommit, TenantSummary};
use uuid::Uuid;

use crate::commit::{describe, kind_name, number};
use crate::connection::Connection;
use crate::error::{Failure, PostgresError};
use crate::statements::Statements;
use crate::step::{Row, Statement, expect_primary, get};
use crate::tables::{Fields, TABLES};
use crate::value::Micros;

/// How many unreadable rows the error of a load names.
const MOST_UNREADABLE: usize = 20;

pub(crate) async fn find(
    connection: &Connection<'_>,
    sql: &Statements,
    slug: &TenantSlug,
) -> Result<Option<TenantId>, Failure> {
    let row = connection.query_one("find", &sql.find, &[(&slug.as_str(), Type::TEXT)]).await?;
    let row = row.ok_or_else(|| Failure::damaged("find returned no row"))?;
    expect_primary(&row)?;
    Ok(get::<Option<Uuid>>(&row, 1)?.map(TenantId::from_uuid))
}

pub(crate) async fn list(
    connection: &Connection<'_>,
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

/// The progress of a load.
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
    connection: &Connection<'_>,
    sql: &Statements,
    tenant_id: TenantId,
    loading: &mut Loading<'_>,
) -> Result<Option<Position>, Failure> {
    let id = tenant_id.as_uuid();
    let statement = |step, sql| Statement { step, sql, values: vec![(&id, Type::UUID)] };
    let mut statements = vec![statement("the tenant's row", &sql.tenant)];
    statements.extend(TABLES.iter().zip(&sql.tables).map(|(table, own)| statement(table.name, &own.select)));
    let mut position = None;
    let mut is_there = false;
    let mut each = |number: usize, row: &Row| {
        let Some(table) = number.checked_sub(1).and_then(|number| TABLES.get(number)) else {
            is_there = true;
            expect_primary(row)?;
            position = read_tenant(tenant_id, row, loading)?;
            return Ok(());
        };
        match (table.read)(&Fields { table, row }) {
            Ok(record) if loading.unreadable.is_empty() && position.is_some() => loading.push(record),
            Err(error) if loading.unreadable.len() < MOST_UNREADABLE => {
                loading.unreadable.push(error.to_string());
                Ok(())
            }
            Ok(_) | Err(_) => Ok(()),
        }
    };
    connection.read_snapshot(&statements, &mut each).await?;
    if !is_there {
        return Err(Failure::damaged("a load returned no row"));
    }
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
    connection: &Connection<'_>,
    sql: &Statements,
    at: Position,
    max_changes: i64,
) -> Result<Since, Failure> {
    let (id, from, commit) = (at.tenant_id.as_uuid(), number(at.revision), at.commit.as_uuid());
    let following = from.checked_add(1).unwrap_or(-1);
    let statements = [
        Statement {
            step: "the latest position",
            sql: &sql.since,
            values: vec![(&id, Type::UUID), (&from, Type::INT8), (&commit, Type::UUID), (&following, Type::INT8)],
        },
        Statement {
            step: "the commits",
            sql: &sql.commits_since,
            values: vec![(&id, Type::UUID), (&from, Type::INT8), (&max_changes, Type::INT8)],
        },
        Statement {
            step: "the changes",
            sql: &sql.changes_since,
            values: vec![(&id, Type::UUID), (&from, Type::INT8), (&max_changes, Type::INT8)],
        },
    ];
    let (mut head, mut history, mut unreadable) = (None, StoredCommits::after(from), None);
    let mut each = |number: usize, row: &Row| {
        match number {
            0 => head = Some(Head::read(row)?),
            1 => history.push(row)?,
            // The tenant may be deleted, or the position too old: then nobody asks.
            _ if unreadable.is_none() => unreadable = history.push_change(row).err(),
            _ => {}
        }
        Ok(())
    };
    connection.read_snapshot(&statements, &mut each).await?;
    let Head { is_deleted, latest, latest_commit, newest_kind, is_in_history } =
        head.ok_or_else(|| Failure::damaged("since returned no row"))?;
    if is_deleted {
        return Ok(Since::Deleted);
    }
    if latest == from && latest_commit == commit {
        return Ok(Since::Commits(Vec::new()));
    }
    if !is_in_history || latest <= from {
        return Ok(Since::TooOld);
    }
    expect_known(newest_kind)?;
    match unreadable {
        Some(failure) => Err(failure),
        None => Ok(history.complete(latest)),
    }
}

/// The latest position of a tenant, and whether another one is in its history.
#[derive(Default)]
struct Head {
    is_deleted: bool,
    latest: i64,
    latest_commit: Uuid,
    newest_kind: i16,
    is_in_history: bool,
}

impl Head {
    fn read(row: &Row) -> Result<Self, Failure> {
        expect_primary(row)?;
        if get::<Option<bool>>(row, 1)? != Some(false) {
            return Ok(Self { is_deleted: true, ..Self::default() });
        }
        Ok(Self {
            is_deleted: false,
            latest: get(row, 2)?,
            latest_commit: get(row, 3)?,
            newest_kind: get(row, 4)?,
            is_in_history: get(row, 5)?,
        })
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

    /// Too old, too, if the changes are too many, or if some were removed.
    pub(crate) fn complete(self, latest: i64) -> Since {
        let all_commits = self.index(latest).map(|at| at + 1) == Some(self.commits.len()) && !self.has_gap;
        let all_changes =
            self.commits.iter().zip(&self.expected).all(|(c, n)| i64::try_from(c.changes.len()) == Ok(*n));
        if all_commits && all_changes { Since::Commits(self.commits) } else { Since::TooOld }
    }
}

/// Refuses a schema of another version.
pub(crate) async fn check_schema(connection: &Connection<'_>, sql: &Statements, schema: &str) -> Result<(), Failure> {
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
