//! The history as auditors read it: the optional capability [`History`](rolecall::store::History).

use postgres_types::{ToSql, Type};
use rolecall::records::{CommitId, Position, Revision, TenantId};
use rolecall::store::{CommitPage, CommitQuery, Since};
use uuid::Uuid;

use crate::commit::number;
use crate::connection::Connection;
use crate::error::Failure;
use crate::read::{StoredCommits, expect_known};
use crate::statements::Statements;
use crate::step::{BEGIN_SNAPSHOT, Row, expect_primary, get};

/// The most changes that a page reads, whether they match or not. One commit may have more.
const MOST_CHANGES: i64 = 100_000;

/// The most commits that are read at once.
const MOST_COMMITS: i64 = 1_000;

/// Returns a page of the history (H1 to H7). Reads commits backwards, more at once each time, and looks for those that match.
pub(crate) async fn commits(
    connection: &Connection<'_>,
    sql: &Statements,
    tenant_id: TenantId,
    query: &CommitQuery,
) -> Result<Option<CommitPage>, Failure> {
    connection.batch("BEGIN", BEGIN_SNAPSHOT).await?;
    let page = read(connection, sql, tenant_id, query).await?;
    connection.batch("the end of the page", "COMMIT").await?;
    Ok(page)
}

async fn read(
    connection: &Connection<'_>,
    sql: &Statements,
    tenant_id: TenantId,
    query: &CommitQuery,
) -> Result<Option<CommitPage>, Failure> {
    let id = tenant_id.as_uuid();
    let head = connection.query_one("the start of the history", &sql.history, &[(&id, Type::UUID)]).await?;
    let head = head.ok_or_else(|| Failure::damaged("the history returned no row"))?;
    expect_primary(&head)?;
    if get::<Option<bool>>(&head, 1)? != Some(false) {
        return Ok(None);
    }
    expect_known(get(&head, 2)?)?;
    let latest: i64 = get(&head, 3)?;
    let start = start(tenant_id, &head)?;
    let mut before = query.ends_before().map_or(i64::MAX, number).min(latest.saturating_add(1));
    let mut page = CommitPage { commits: Vec::new(), next: None, start };
    let mut count = i64::try_from(query.limit()).unwrap_or(i64::MAX).clamp(16, MOST_COMMITS);
    let mut left = MOST_CHANGES;
    while before > number(start.revision) + 1 {
        let commits = window(connection, sql, id, before, count, left).await?;
        let Some(oldest) = commits.first().map(|commit| commit.revision) else {
            return Err(Failure::damaged(format!(
                "table commits has a gap before revision {before} of tenant {tenant_id}"
            )));
        };
        for commit in commits.into_iter().rev() {
            left -= i64::try_from(commit.changes.len().max(1)).unwrap_or(i64::MAX);
            let revision = commit.revision;
            if query.matches(&commit) && query.limit() > 0 {
                page.commits.push(commit);
            }
            if page.commits.len() >= query.limit() && revision > start.revision.next() {
                page.next = Some(revision);
                return Ok(Some(page));
            }
        }
        before = number(oldest);
        if left <= 0 && oldest > start.revision.next() {
            page.next = Some(oldest);
            return Ok(Some(page));
        }
        count = (count * 4).min(MOST_COMMITS);
    }
    Ok(Some(page))
}

/// The position before the oldest commit. Before the creation it is revision 0.
fn start(tenant_id: TenantId, head: &Row) -> Result<Position, Failure> {
    let (oldest, previous): (Option<i64>, Option<Uuid>) = (get(head, 4)?, get(head, 5)?);
    let (revision, commit) = match oldest {
        Some(oldest) => (oldest.saturating_sub(1), previous.unwrap_or_default()),
        // All commits were removed: the history starts at the latest position.
        None => (get(head, 3)?, get(head, 6)?),
    };
    let revision = u64::try_from(revision).map(Revision::new).map_err(Failure::damaged)?;
    Ok(Position { tenant_id, revision, commit: CommitId::from_uuid(commit) })
}

/// The newest commits before a revision, oldest first: at least one, and else not more changes than are left.
async fn window(
    connection: &Connection<'_>,
    sql: &Statements,
    id: Uuid,
    before: i64,
    count: i64,
    left: i64,
) -> Result<Vec<rolecall::store::StoredCommit>, Failure> {
    let values: [(&(dyn ToSql + Sync), Type); 4] =
        [(&id, Type::UUID), (&before, Type::INT8), (&count, Type::INT8), (&left, Type::INT8)];
    let rows = connection.query("the commits", &sql.history_commits, &values).await?;
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let from = get::<i64>(first, 0)?.saturating_sub(1);
    let mut commits = StoredCommits::after(from);
    for row in &rows {
        commits.push(row)?;
    }
    let values: [(&(dyn ToSql + Sync), Type); 3] = [(&id, Type::UUID), (&from, Type::INT8), (&before, Type::INT8)];
    for row in &connection.query("the changes", &sql.history_changes, &values).await? {
        commits.push_change(row)?;
    }
    match commits.complete(before.saturating_sub(1)) {
        Since::Commits(commits) => Ok(commits),
        _ => Err(Failure::damaged("the tables commits and changes do not match")),
    }
}
