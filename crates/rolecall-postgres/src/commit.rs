//! A commit: one transaction, whatever its size.
//!
//! Four round trips with tokio-postgres: BEGIN, the tenant's row, everything else, COMMIT. The tenant's row is the lock: the
//! first commit that updates it wins, and the others find a stale base.

use std::pin::Pin;

use futures_util::future::try_join_all;
use postgres_types::{ToSql, Type};
use rolecall::records::{Change, CommitId, Envelope, Record, RecordKind, Revision, TenantId, TenantRecord};
use rolecall::store::{Base, Commit, StoreError};
use uuid::Uuid;

use crate::connection::{Connection, get};
use crate::copy;
use crate::error::{Failure, PostgresError, PostgresErrorKind};
use crate::notification;
use crate::statements::{NOTIFY, Statements};
use crate::tables::{self, ColumnRole, TABLES, Table};
use crate::value::{Cell, Micros};

/// From so many rows of one table on, COPY is faster than arrays.
const COPY_FROM: usize = 1_000;

/// A statement that is under way, with the number of rows that it must affect.
type Pending<'c> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'c>>;

/// Writes a commit into the open transaction of a connection, and returns the revision that it makes.
pub(crate) async fn write(
    connection: &Connection<'_>,
    sql: &Statements,
    commit: Commit<'_>,
) -> Result<Revision, Failure> {
    let Commit { base, envelope, changes } = commit;
    let tenant_id = base.tenant_id().as_uuid();
    let batches = Batches::new(tenant_id, changes)?;
    let revision = move_tenant(connection, sql, base, envelope, changes, batches.tenant).await?;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    if matches!((batches.tenant, base), (TenantChange::Removed, Base::At(_))) {
        for table in &sql.tables {
            small.push(clear(connection, &table.clear, tenant_id));
        }
    } else {
        for ((batch, table), statements) in batches.tables.iter().zip(TABLES).zip(&sql.tables) {
            if !batch.deleted.is_empty() {
                small.push(send_rows(connection, &statements.delete, tenant_id, table, &batch.deleted, true));
            }
            if let (Some(update), false) = (&statements.update, batch.updated.is_empty()) {
                small.push(send_rows(connection, update, tenant_id, table, &batch.updated, false));
            }
            if batch.inserted.len() >= COPY_FROM {
                let types = std::iter::once(Type::UUID).chain(table.columns.iter().map(|column| column.ty.single()));
                large.push((&statements.copy, types.collect::<Vec<_>>(), &batch.inserted));
            } else if !batch.inserted.is_empty() {
                small.push(send_rows(connection, &statements.insert, tenant_id, table, &batch.inserted, false));
            }
        }
    }
    small.push(insert_commit(connection, sql, tenant_id, revision, envelope, changes.len()));
    if !changes.is_empty() && changes.len() < COPY_FROM {
        small.push(insert_changes(connection, sql, tenant_id, revision, changes));
    }
    if let Some(channel) = &sql.channel {
        small.push(notify(connection, channel, tenant_id, revision));
    }
    try_join_all(small).await?;
    for (copy, types, rows) in large {
        copy_rows(connection, copy, &types, rows.len(), rows.iter().cloned()).await?;
    }
    if changes.len() >= COPY_FROM {
        const TYPES: [Type; 6] = [Type::UUID, Type::INT8, Type::INT8, Type::TEXT, Type::JSONB, Type::JSONB];
        let rows = change_rows(changes).map(|cells| {
            let mut row = vec![Cell::Uuid(tenant_id), Cell::Integer(revision)];
            row.extend(cells);
            row
        });
        copy_rows(connection, &sql.copy_changes, &TYPES, changes.len(), rows).await?;
    }
    u64::try_from(revision).map(Revision::new).map_err(Failure::damaged)
}

/// What happens to the tenant record.
#[derive(Clone, Copy, Debug)]
enum TenantChange<'a> {
    None,
    Written(&'a TenantRecord),
    Removed,
}

/// The rows of one table that a commit changes. The first cell of each is the tenant's id.
#[derive(Debug, Default)]
struct Batch<'a> {
    inserted: Vec<Vec<Cell<'a>>>,
    updated: Vec<Vec<Cell<'a>>>,
    deleted: Vec<Vec<Cell<'a>>>,
}

#[derive(Debug)]
struct Batches<'a> {
    tenant: TenantChange<'a>,
    /// In the order of `TABLES`.
    tables: Vec<Batch<'a>>,
}

impl<'a> Batches<'a> {
    fn new(tenant_id: Uuid, changes: &'a [Change]) -> Result<Self, Failure> {
        let mut tenant = TenantChange::None;
        let mut tables: Vec<Batch<'a>> = TABLES.iter().map(|_| Batch::default()).collect();
        for change in changes {
            let (before, after) = (change.before(), change.after());
            let Some(side) = after.or(before) else { continue };
            if side.kind() == RecordKind::Tenant {
                tenant = match after {
                    Some(Record::Tenant(record)) => TenantChange::Written(record),
                    _ => TenantChange::Removed,
                };
                continue;
            }
            let unsupported = || StoreError::unsupported_record(format!("records of kind `{}`", side.kind()));
            let (number, cells) = tables::row(side).ok_or_else(unsupported)?;
            let batch = tables.get_mut(number).ok_or_else(unsupported)?;
            let mut row = Vec::with_capacity(cells.len() + 1);
            row.push(Cell::Uuid(tenant_id));
            row.extend(cells);
            match (before, after) {
                (None, _) => batch.inserted.push(row),
                (Some(_), Some(_)) => batch.updated.push(row),
                (Some(_), None) => batch.deleted.push(row),
            }
        }
        Ok(Self { tenant, tables })
    }
}

/// Raises the tenant's revision, if the base is its latest position. Returns the new revision.
async fn move_tenant(
    connection: &Connection<'_>,
    sql: &Statements,
    base: Base,
    envelope: &Envelope,
    changes: &[Change],
    tenant: TenantChange<'_>,
) -> Result<i64, Failure> {
    let tenant_id = base.tenant_id().as_uuid();
    let commit_id = envelope.id.as_uuid();
    let newest_kind = i16::from(changes.iter().map(|change| change.kind().ordinal()).max().unwrap_or(0));
    let (touched, slug, name) = match tenant {
        TenantChange::None => (false, None, None),
        TenantChange::Written(record) => (true, Some(record.slug.as_str()), Some(record.name.as_str())),
        TenantChange::Removed => (true, None, None),
    };
    let moved = match base {
        Base::Create(_) if slug.is_none() && !changes.is_empty() => {
            // A stale base is reported first.
            match stale(connection, sql, tenant_id, base).await? {
                None => return Err(Failure::damaged("a creation without a tenant record")),
                Some(answer) => return Err(answer.into()),
            }
        }
        Base::Create(_) => {
            let values: [(&(dyn ToSql + Sync), Type); 5] = [
                (&tenant_id, Type::UUID),
                (&slug, Type::TEXT),
                (&name, Type::TEXT),
                (&commit_id, Type::UUID),
                (&newest_kind, Type::INT2),
            ];
            connection.query_one("the creation of the tenant", &sql.create, &values).await?
        }
        Base::At(at) => {
            let (revision, latest) = (number(at.revision), at.commit.as_uuid());
            let values: [(&(dyn ToSql + Sync), Type); 8] = [
                (&tenant_id, Type::UUID),
                (&revision, Type::INT8),
                (&latest, Type::UUID),
                (&commit_id, Type::UUID),
                (&newest_kind, Type::INT2),
                (&touched, Type::BOOL),
                (&slug, Type::TEXT),
                (&name, Type::TEXT),
            ];
            connection.query_one("the wait for the tenant's row", &sql.advance, &values).await?
        }
    };
    if let Some(row) = moved {
        return get(&row, 0);
    }
    let again =
        || Failure::Again(PostgresError::new(PostgresErrorKind::Contention, "another creation was rolled back"));
    Err(stale(connection, sql, tenant_id, base).await?.map_or_else(again, Failure::Answer))
}

/// Says why the base is stale. `None` if the tenant does not exist yet, and the base is its creation.
async fn stale(
    connection: &Connection<'_>,
    sql: &Statements,
    tenant_id: Uuid,
    base: Base,
) -> Result<Option<StoreError>, Failure> {
    let row = connection.query_one("the latest position", &sql.position, &[(&tenant_id, Type::UUID)]).await?;
    Ok(match (row, base) {
        (None, Base::Create(_)) => None,
        (None, Base::At(_)) => Some(StoreError::Deleted),
        (Some(row), _) if get::<bool>(&row, 0)? => Some(StoreError::Deleted),
        (Some(row), _) => {
            let actual = u64::try_from(get::<i64>(&row, 1)?).map_err(Failure::damaged)?;
            Some(StoreError::Conflict { actual: Revision::new(actual) })
        }
    })
}

/// A revision as a column holds it. One that does not fit is not a revision of any tenant.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.number()).unwrap_or(i64::MAX)
}

/// Checks that a statement changed as many rows as the commit says: each change names whether its record existed.
fn expect_rows(affected: u64, rows: usize) -> Result<(), Failure> {
    if usize::try_from(affected) == Ok(rows) {
        return Ok(());
    }
    Err(Failure::damaged(format!("S3: the commit changes {rows} rows of a table, and {affected} of them were there")))
}

/// Sends rows as one array for each column, so the number of parameters does not grow with the rows.
fn send_rows<'c>(
    connection: &'c Connection<'_>,
    statement: &'c str,
    tenant_id: Uuid,
    table: &'static Table,
    rows: &'c [Vec<Cell<'c>>],
    only_keys: bool,
) -> Pending<'c> {
    Box::pin(async move {
        let sent = table.columns.iter().zip(1..).filter(|(column, _)| !only_keys || column.role == ColumnRole::Key);
        let arrays: Vec<(Vec<Cell<'_>>, Type)> = sent
            .map(|(column, at)| {
                let cells = rows.iter().map(|row| row.get(at).map_or(Cell::Null, Cell::as_element));
                (cells.collect(), column.ty.array().0)
            })
            .collect();
        let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&tenant_id, Type::UUID)];
        values.extend(arrays.iter().map(|(cells, ty)| (cells as &(dyn ToSql + Sync), ty.clone())));
        expect_rows(connection.execute(table.name, statement, &values).await?, rows.len())
    })
}

fn clear<'c>(connection: &'c Connection<'_>, statement: &'c str, tenant_id: Uuid) -> Pending<'c> {
    Box::pin(async move {
        connection.execute("the deletion of the records", statement, &[(&tenant_id, Type::UUID)]).await.map(drop)
    })
}

fn insert_commit<'c>(
    connection: &'c Connection<'_>,
    sql: &'c Statements,
    tenant_id: Uuid,
    revision: i64,
    envelope: &'c Envelope,
    changes: usize,
) -> Pending<'c> {
    Box::pin(async move {
        let changes = i64::try_from(changes).map_err(Failure::damaged)?;
        let values: [(&(dyn ToSql + Sync), Type); 9] = [
            (&tenant_id, Type::UUID),
            (&revision, Type::INT8),
            (&envelope.id.as_uuid(), Type::UUID),
            (&envelope.previous.map(CommitId::as_uuid), Type::UUID),
            (&envelope.actor.as_ref().map(AsRef::<str>::as_ref), Type::TEXT),
            (&Micros::from(envelope.at), Type::TIMESTAMPTZ),
            (&envelope.note.as_ref().map(AsRef::<str>::as_ref), Type::TEXT),
            (&envelope.catalog.as_uuid(), Type::UUID),
            (&changes, Type::INT8),
        ];
        connection.execute("the row of the commit", &sql.insert_commit, &values).await.map(drop)
    })
}

/// A hint for those who watch. PostgreSQL sends it when the transaction commits.
fn notify<'c>(connection: &'c Connection<'_>, channel: &'c str, tenant_id: Uuid, revision: i64) -> Pending<'c> {
    Box::pin(async move {
        let payload = notification::payload(tenant_id, revision);
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&channel, Type::TEXT), (&payload, Type::TEXT)];
        connection.execute("the notification", NOTIFY, &values).await.map(drop)
    })
}

/// The rows of the history, without tenant and revision.
fn change_rows(changes: &[Change]) -> impl Iterator<Item = [Cell<'_>; 4]> {
    changes.iter().zip(1..).map(|(change, number)| {
        let [before, after] = [change.before(), change.after()].map(|side| side.map_or(Cell::Null, Cell::Json));
        [Cell::Integer(number), Cell::Text(kind_name(change.kind())), before, after]
    })
}

/// The name of a kind in the history, as in the JSON of a record.
pub(crate) fn kind_name(kind: RecordKind) -> &'static str {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| RecordKind::ALL.iter().map(ToString::to_string).collect());
    names.get(usize::from(kind.ordinal())).map_or("", String::as_str)
}

fn insert_changes<'c>(
    connection: &'c Connection<'_>,
    sql: &'c Statements,
    tenant_id: Uuid,
    revision: i64,
    changes: &'c [Change],
) -> Pending<'c> {
    Box::pin(async move {
        let mut columns: [Vec<Cell<'_>>; 4] = Default::default();
        for row in change_rows(changes) {
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
        }
        let [numbers, kinds, before, after] = &columns;
        let values: [(&(dyn ToSql + Sync), Type); 6] = [
            (&tenant_id, Type::UUID),
            (&revision, Type::INT8),
            (numbers, Type::INT8_ARRAY),
            (kinds, Type::TEXT_ARRAY),
            (before, Type::TEXT_ARRAY),
            (after, Type::TEXT_ARRAY),
        ];
        connection.execute("the changes of the commit", &sql.insert_changes, &values).await.map(drop)
    })
}

/// Sends rows by COPY, in bounded memory.
async fn copy_rows<'a>(
    connection: &Connection<'_>,
    copy: &str,
    types: &[Type],
    count: usize,
    rows: impl Iterator<Item = Vec<Cell<'a>>> + Send,
) -> Result<(), Failure> {
    expect_rows(connection.copy_in("COPY", copy, copy::pieces(types, rows)).await?, count)
}

/// The id of a tenant, for messages.
pub(crate) fn describe(tenant_id: TenantId) -> String {
    format!("tenant {tenant_id}")
}
