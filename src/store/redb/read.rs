//! The reads other than loads: find, list, since and the optional capabilities. Each is one read transaction.

use std::ops::Bound;
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};

use super::failure::RedbFailure;
use super::format::{
    Bytes, COMMITS, RECORDS, SLUGS, TENANTS, TableId, commit_key, kind_in, revision_in, tenant_key, verify_checksum,
};
use super::rows::{CommitHead, CommitPart, LiveTenant, TenantRow, decode, part, record};
use crate::model::records::{Position, Record, RecordKind, Revision, TenantId, TenantSlug, UserKey};
use crate::store::history::page;
use crate::store::{CommitPage, CommitQuery, Since, StoredCommit, TenantSummary};

/// Returns the existing tenant with this slug.
pub(super) fn find(database: &Database, slug: &TenantSlug) -> Result<Option<TenantId>, RedbFailure> {
    let reading = database.begin_read()?;
    let Some(row) = reading.open_table(SLUGS)?.get(slug.as_str().as_bytes())? else { return Ok(None) };
    let tenant_id = tenant_id_of_slug(slug.as_str().as_bytes(), row.value())?;
    match live_tenant(&reading, tenant_id)? {
        Some(tenant) if tenant.slug == *slug => Ok(Some(tenant_id)),
        _ => Err(RedbFailure::corrupt(format!("S9: the slug index names tenant {tenant_id}, which has another slug"))),
    }
}

/// Returns the existing tenants after this slug.
pub(super) fn list(
    database: &Database,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Vec<TenantSummary>, RedbFailure> {
    listed_in(&database.begin_read()?, after, limit)
}

fn listed_in(
    reading: &ReadTransaction,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Vec<TenantSummary>, RedbFailure> {
    let slugs = reading.open_table(SLUGS)?;
    let after = after.map_or(Bound::Unbounded, |slug| Bound::Excluded(slug.as_str().as_bytes()));
    let mut listed = Vec::new();
    for row in slugs.range::<&[u8]>((after, Bound::Unbounded))?.take(limit) {
        let (key, tenant_id) = row?;
        let slug = std::str::from_utf8(key.value()).ok().and_then(|text| TenantSlug::new(text).ok());
        let slug = slug.ok_or_else(|| RedbFailure::corrupt("S9: invalid slug in the index"))?;
        listed.push(TenantSummary { tenant_id: tenant_id_of_slug(key.value(), tenant_id.value())?, slug });
    }
    Ok(listed)
}

/// Returns the latest position of each tenant.
pub(super) fn positions(database: &Database, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, RedbFailure> {
    let reading = database.begin_read()?;
    let position = |id: &TenantId| Ok(live_tenant(&reading, *id)?.map(|tenant| tenant.latest.of(*id)));
    tenant_ids.iter().map(position).collect()
}

/// Returns the tenants after this slug that have a user with this key. Reads the users of each.
pub(super) fn tenants_of_user(
    database: &Database,
    key: &UserKey,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Vec<TenantSummary>, RedbFailure> {
    let reading = database.begin_read()?;
    let records = reading.open_table(RECORDS)?;
    let mut found = Vec::new();
    for tenant in listed_in(&reading, after, usize::MAX)? {
        if found.len() >= limit {
            break;
        }
        if has_user(&records, tenant.tenant_id, key)? {
            found.push(tenant);
        }
    }
    Ok(found)
}

fn has_user(records: &ReadOnlyTable<Bytes, Bytes>, tenant_id: TenantId, key: &UserKey) -> Result<bool, RedbFailure> {
    const USER: u8 = RecordKind::User.ordinal();
    let first: Vec<u8> = tenant_key(tenant_id).into_iter().chain([USER]).collect();
    for row in records.range(&first[..]..)? {
        let (place, value) = row?;
        if !place.value().starts_with(&tenant_key(tenant_id)) || kind_in(place.value()) != Some(USER) {
            break;
        }
        let (value, _) = verify_checksum(TableId::Records, place.value(), value.value())?;
        if matches!(record(USER, value)?, Record::User(user) if user.key == *key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the commits after a position (S14).
pub(super) fn since(database: &Database, at: Position) -> Result<Since, RedbFailure> {
    let reading = database.begin_read()?;
    let Some(tenant) = live_tenant(&reading, at.tenant_id)? else { return Ok(Since::Deleted) };
    if at.revision > tenant.latest.revision || at.revision < tenant.history_start.revision {
        return Ok(Since::TooOld);
    }
    let commits = reading.open_table(COMMITS)?;
    let commit = match at.revision {
        revision if revision == tenant.latest.revision => tenant.latest.commit,
        revision if revision == tenant.history_start.revision => tenant.history_start.commit,
        revision => head(&commits, at.tenant_id, revision)?.envelope.id,
    };
    if commit != at.commit {
        return Ok(Since::TooOld);
    }
    let mut assembler = HistoryAssembler::after(at.revision);
    let (first, last) = (at.revision.next(), tenant.latest.revision);
    if first <= last && at.revision != last {
        for row in
            commits.range(&commit_key(at.tenant_id, first, 0)[..]..=&commit_key(at.tenant_id, last, u32::MAX)[..])?
        {
            let (key, value) = row?;
            let (value, _) = verify_checksum(TableId::Commits, key.value(), value.value())?;
            assembler.take(revision_in(key.value()), part(value)?)?;
        }
    }
    assembler.end(&tenant)
}

/// Returns a page of the history (H1 to H7). Reads commit by commit, backwards.
pub(super) fn history(
    database: &Database,
    tenant_id: TenantId,
    query: &CommitQuery,
) -> Result<Option<CommitPage>, RedbFailure> {
    let reading = database.begin_read()?;
    let Some(tenant) = live_tenant(&reading, tenant_id)? else { return Ok(None) };
    let commits = reading.open_table(COMMITS)?;
    let start = tenant.history_start.of(tenant_id);
    let end = query.ends_before().map_or(tenant.latest.revision.number(), |before| {
        before.number().saturating_sub(1).min(tenant.latest.revision.number())
    });
    let revisions = (start.revision.number().saturating_add(1)..=end).rev().map(Revision::new);
    page(query, start, revisions.map(|revision| commit(&commits, tenant_id, revision).map(Arc::new))).map(Some)
}

/// Reads one commit from its parts.
fn commit(
    commits: &ReadOnlyTable<Bytes, Bytes>,
    tenant_id: TenantId,
    revision: Revision,
) -> Result<StoredCommit, RedbFailure> {
    let (first, last) = (commit_key(tenant_id, revision, 0), commit_key(tenant_id, revision, u32::MAX));
    let mut found: Option<(StoredCommit, u64)> = None;
    for row in commits.range(&first[..]..=&last[..])? {
        let (key, value) = row?;
        let (value, _) = verify_checksum(TableId::Commits, key.value(), value.value())?;
        let part = part(value)?;
        match (part.head, found.as_mut()) {
            (Some(CommitHead { envelope, changes }), None) => {
                found = Some((StoredCommit { revision, envelope, changes: part.changes }, changes));
            }
            (None, Some((commit, _))) => commit.changes.extend(part.changes),
            _ => return Err(missing(revision)),
        }
    }
    let is_whole = |(commit, changes): &(StoredCommit, u64)| u64::try_from(commit.changes.len()) == Ok(*changes);
    found.filter(is_whole).map(|(commit, _)| commit).ok_or_else(|| missing(revision))
}

/// Returns the row of a tenant, if there is one.
pub(super) fn tenant_row(
    tenants: &impl ReadableTable<Bytes, Bytes>,
    tenant_id: TenantId,
) -> Result<Option<TenantRow>, RedbFailure> {
    let key = tenant_key(tenant_id);
    let Some(row) = tenants.get(&key[..])? else { return Ok(None) };
    let (row, _) = verify_checksum(TableId::Tenants, &key, row.value())?;
    decode(row).map(Some)
}

/// Returns a tenant, if it exists.
pub(super) fn live_tenant(reading: &ReadTransaction, tenant_id: TenantId) -> Result<Option<LiveTenant>, RedbFailure> {
    Ok(match tenant_row(&reading.open_table(TENANTS)?, tenant_id)? {
        Some(TenantRow::Live(tenant)) => Some(tenant),
        Some(TenantRow::Deleted) | None => None,
    })
}

/// Decodes the tenant id in a row of the slug index.
pub(super) fn tenant_id_of_slug(slug: &[u8], row: &[u8]) -> Result<TenantId, RedbFailure> {
    let (tenant_id, _) = verify_checksum(TableId::Slugs, slug, row)?;
    let tenant_id =
        uuid::Uuid::from_slice(tenant_id).map_err(|_| RedbFailure::corrupt("S9: invalid tenant id in the index"))?;
    Ok(TenantId::from_uuid(tenant_id))
}

fn head(
    commits: &ReadOnlyTable<Bytes, Bytes>,
    tenant_id: TenantId,
    revision: Revision,
) -> Result<CommitHead, RedbFailure> {
    let key = commit_key(tenant_id, revision, 0);
    let row = commits.get(&key[..])?.ok_or_else(|| missing(revision))?;
    let (row, _) = verify_checksum(TableId::Commits, &key, row.value())?;
    part(row)?.head.ok_or_else(|| missing(revision))
}

fn missing(revision: Revision) -> RedbFailure {
    RedbFailure::corrupt(format!("S14: the commit that made revision {revision} is incomplete"))
}

/// Assembles commits from their parts and fails if a part is missing.
struct HistoryAssembler {
    commits: Vec<StoredCommit>,
    /// The revision that was completed last.
    revision: Revision,
    /// How many changes of the current commit are missing.
    missing_changes: u64,
}

impl HistoryAssembler {
    fn after(revision: Revision) -> Self {
        Self { commits: Vec::new(), revision, missing_changes: 0 }
    }

    fn take(&mut self, revision: Option<Revision>, part: CommitPart) -> Result<(), RedbFailure> {
        let expected = if self.missing_changes == 0 { self.revision.next() } else { self.revision };
        let here = revision.filter(|revision| *revision == expected).ok_or_else(|| missing(expected))?;
        let count = u64::try_from(part.changes.len()).unwrap_or(u64::MAX);
        let missing_changes = match (part.head, self.commits.last_mut()) {
            (Some(CommitHead { envelope, changes }), _) if self.missing_changes == 0 => {
                self.commits.push(StoredCommit { revision: here, envelope, changes: part.changes });
                changes.checked_sub(count)
            }
            (None, Some(commit)) if self.missing_changes > 0 => {
                commit.changes.extend(part.changes);
                self.missing_changes.checked_sub(count)
            }
            _ => None,
        };
        self.revision = here;
        self.missing_changes = missing_changes.ok_or_else(|| missing(here))?;
        Ok(())
    }

    fn end(self, tenant: &LiveTenant) -> Result<Since, RedbFailure> {
        let whole = self.missing_changes == 0 && self.revision == tenant.latest.revision;
        let last = self.commits.last().map_or(tenant.latest.commit, |commit| commit.envelope.id);
        if whole && last == tenant.latest.commit {
            Ok(Since::Commits(self.commits))
        } else {
            Err(missing(self.revision))
        }
    }
}
