//! A commit: one transaction, whatever its size.
//!
//! Two round trips with tokio-postgres: BEGIN together with all changes, and COMMIT. Large additions are sent by COPY between
//! them. The tenant's row is the lock: the first commit that updates it wins, and the others find a stale base.

use postgres_types::Type;
use rolecall::records::{Change, CommitId, Envelope, Record, RecordKind, Revision, TenantId, TenantRecord};
use rolecall::store::{Base, Commit, StoreError};
use uuid::Uuid;

use crate::combined::{Combined, Rows, Value, expect_rows};
use crate::connection::Connection;
use crate::copy;
use crate::error::{Failure, PostgresError, PostgresErrorKind};
use crate::notification;
use crate::statements::{self, Statements};
use crate::step::get;
use crate::tables::{self, ColumnRole, TABLES, Table};
use crate::value::{Cell, Micros};

/// From so many rows of one table on, COPY is faster than arrays.
const COPY_FROM: usize = 1_000;

/// Writes a commit into the transaction of a connection, and returns the revision that it makes. `begin` opens the transaction,
/// or sets what the commit needs in an open one.
pub(crate) async fn write(
    connection: &Connection<'_>,
    sql: &Statements,
    begin: &str,
    commit: Commit<'_>,
) -> Result<Revision, Failure> {
    let Commit { base, envelope, changes } = commit;
    let (tenant_id, commit_id) = (base.tenant_id().as_uuid(), envelope.id.as_uuid());
    let batches = Batches::new(tenant_id, changes)?;
    let begin = format!("{begin}; {}", statements::mark(commit_id));
    let Some((moved, values)) = moved(sql, base, changes, batches.tenant) else {
        // A stale base is reported first.
        connection.batch("BEGIN", &begin).await.map_err(Failure::at_begin)?;
        let stale = stale(connection, sql, tenant_id, base).await?;
        return Err(stale.map_or_else(|| Failure::damaged("a creation without a tenant record"), Failure::Answer));
    };
    // No statement changes a table twice: the parts of one do not see each other's rows, and some servers refuse it.
    let later = || Combined::new(&sql.moved, tenant_id, commit_id, Vec::new());
    let mut rounds = [Combined::new(moved, tenant_id, commit_id, values), later(), later()];
    let mut large = Vec::new();
    if matches!((batches.tenant, base), (TenantChange::Removed, Base::At(_))) {
        let [first, ..] = &mut rounds;
        sql.tables.iter().for_each(|table| first.push(&table.clear, Rows::none()));
    } else {
        for ((batch, table), statements) in batches.tables.iter().zip(TABLES).zip(&sql.tables) {
            let [first, second, third] = &mut rounds;
            let mut free = [first, second, third].into_iter();
            let mut next = || free.next().ok_or_else(|| Failure::damaged("a table has too many kinds of change"));
            let Batch { inserted, updated, deleted } = batch;
            if !deleted.is_empty() {
                next()?.push_counted(&statements.delete, rows(table, deleted, true), deleted.len());
            }
            if let (Some(update), false) = (&statements.update, updated.is_empty()) {
                next()?.push_counted(update, rows(table, updated, false), updated.len());
            }
            if inserted.len() >= COPY_FROM {
                let types = std::iter::once(Type::UUID).chain(table.columns.iter().map(|column| column.ty.single()));
                large.push((&statements.copy, types.collect::<Vec<_>>(), inserted));
            } else if !inserted.is_empty() {
                next()?.push(&statements.insert, rows(table, inserted, false));
            }
        }
    }
    let [first, ..] = &mut rounds;
    first.push(&sql.insert_commit, commit_row(envelope, changes.len())?);
    if !changes.is_empty() && changes.len() < COPY_FROM {
        first.push(&sql.insert_changes, rows_of_changes(changes));
    }
    if let Some(channel) = &sql.channel {
        first.notify(channel, notification::payload(tenant_id, next_revision(base)));
    }
    let revision = send(connection, sql, &begin, base, &rounds).await?;
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

/// Sends the statements together with BEGIN, and checks their answers. Returns the new revision.
async fn send(
    connection: &Connection<'_>,
    sql: &Statements,
    begin: &str,
    base: Base,
    rounds: &[Combined<'_>; 3],
) -> Result<i64, Failure> {
    let [first, later @ ..] = rounds;
    let rounds: Vec<_> = std::iter::once(first).chain(later.iter().filter(|round| round.has_parts())).collect();
    let texts: Vec<_> = rounds.iter().map(|round| round.sql()).collect();
    let statements: Vec<_> = rounds.iter().zip(&texts).map(|(round, text)| round.statement(text)).collect();
    let answers = connection.begin(begin, &statements).await?;
    let mut answers = rounds.into_iter().zip(answers);
    let moved = answers.next().and_then(|(round, rows)| Some((round, rows.into_iter().next()?)));
    let Some((round, row)) = moved else {
        let again = || Failure::Again(PostgresError::new(PostgresErrorKind::Contention, "a creation was rolled back"));
        let stale = stale(connection, sql, base.tenant_id().as_uuid(), base).await?;
        return Err(stale.map_or_else(again, Failure::Answer));
    };
    round.check(&row)?;
    for (round, rows) in answers {
        let lost = || Failure::damaged("the row of the tenant was changed within the transaction");
        round.check(rows.first().ok_or_else(lost)?)?;
    }
    get(&row, 0)
}

/// The change of the tenant record.
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

/// The text and the values of `moved`: it raises the tenant's revision, if the base is its latest position. `None` for a creation
/// without a tenant record.
fn moved<'v>(
    sql: &'v Statements,
    base: Base,
    changes: &[Change],
    tenant: TenantChange<'v>,
) -> Option<(&'v str, Vec<(Value<'v>, Type)>)> {
    let newest_kind = i16::from(changes.iter().map(|change| change.kind().ordinal()).max().unwrap_or(0));
    let newest_kind: (Value<'v>, Type) = (Box::new(newest_kind), Type::INT2);
    let (touched, slug, name) = match tenant {
        TenantChange::None => (false, None, None),
        TenantChange::Written(record) => (true, Some(record.slug.as_str()), Some(record.name.as_str())),
        TenantChange::Removed => (true, None, None),
    };
    let (slug_is_missing, slug, name) = (slug.is_none(), text(slug), text(name));
    match base {
        Base::Create(_) if slug_is_missing && !changes.is_empty() => None,
        Base::Create(_) => Some((&sql.create, vec![slug, name, newest_kind])),
        Base::At(at) => {
            let (revision, latest) = (number(at.revision), at.commit.as_uuid());
            let touched: (Value<'v>, Type) = (Box::new(touched), Type::BOOL);
            let at: [(Value<'v>, Type); 2] = [(Box::new(revision), Type::INT8), (Box::new(latest), Type::UUID)];
            Some((&sql.advance, at.into_iter().chain([newest_kind, touched, slug, name]).collect()))
        }
    }
}

fn text(text: Option<&str>) -> (Value<'_>, Type) {
    (Box::new(text), Type::TEXT)
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

/// The revision that a commit makes, if its base is the latest position.
fn next_revision(base: Base) -> i64 {
    match base {
        Base::Create(_) => 1,
        Base::At(at) => number(at.revision).saturating_add(1),
    }
}

/// The rows of a table that a part adds, changes or removes.
fn rows<'v>(table: &Table, rows: &'v [Vec<Cell<'v>>], only_keys: bool) -> Rows<'v> {
    let sent = table.columns.iter().zip(1..).filter(|(column, _)| !only_keys || column.role == ColumnRole::Key);
    let cell = |row: &'v [Cell<'v>], at: usize| row.get(at).map_or(Cell::Null, Cell::as_element);
    if let [row] = rows {
        let values = sent.map(|(column, at)| {
            let ty = if column.ty.array().1 { Type::TEXT } else { column.ty.single() };
            (Box::new(cell(row, at)) as Value<'v>, ty)
        });
        return Rows::One(values.collect());
    }
    let arrays = sent.map(|(column, at)| {
        let cells: Vec<_> = rows.iter().map(|row| cell(row, at)).collect();
        (Box::new(cells) as Value<'v>, column.ty.array().0)
    });
    Rows::Many(arrays.collect())
}

/// The row of the commit, without tenant, revision and id.
fn commit_row(envelope: &Envelope, changes: usize) -> Result<Rows<'_>, Failure> {
    let changes = i64::try_from(changes).map_err(Failure::damaged)?;
    Ok(Rows::One(vec![
        (Box::new(envelope.previous.map(CommitId::as_uuid)), Type::UUID),
        text(envelope.actor.as_ref().map(AsRef::as_ref)),
        (Box::new(Micros::from(envelope.at)), Type::TIMESTAMPTZ),
        text(envelope.note.as_ref().map(AsRef::as_ref)),
        (Box::new(envelope.catalog.as_uuid()), Type::UUID),
        (Box::new(changes), Type::INT8),
    ]))
}

/// The cells of the history, without tenant and revision.
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

/// The rows of the history, without tenant and revision.
fn rows_of_changes(changes: &[Change]) -> Rows<'_> {
    let mut columns: [Vec<Cell<'_>>; 4] = Default::default();
    for row in change_rows(changes) {
        columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
    }
    if changes.len() == 1 {
        let types = [Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT];
        let cells = columns.into_iter().flatten().zip(types);
        return Rows::One(cells.map(|(cell, ty)| (Box::new(cell) as Value<'_>, ty)).collect());
    }
    let types = [Type::INT8_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY];
    Rows::Many(columns.into_iter().zip(types).map(|(column, ty)| (Box::new(column) as Value<'_>, ty)).collect())
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
