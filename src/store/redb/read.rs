//! The questions that one look answers: find, list, since. Each is one read transaction, and so one state.

use std::ops::Bound;

use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};

use super::fault::Fault;
use super::format::{Bytes, COMMITS, Place, SLUGS, TENANTS, commit_key, revision_in, tenant_key, unseal};
use super::rows::{Head, Living, Part, TenantRow, decode, part};
use crate::model::records::{Position, Revision, TenantId, TenantSlug};
use crate::store::{Since, StoredCommit, TenantSummary};

/// The living tenant with this slug.
pub(super) fn find(database: &Database, slug: &TenantSlug) -> Result<Option<TenantId>, Fault> {
    let reading = database.begin_read()?;
    let Some(row) = reading.open_table(SLUGS)?.get(slug.as_str().as_bytes())? else { return Ok(None) };
    let tenant_id = tenant_id_of_slug(slug.as_str().as_bytes(), row.value())?;
    match living(&reading, tenant_id)? {
        Some(tenant) if tenant.slug == *slug => Ok(Some(tenant_id)),
        _ => Err(Fault::corrupt(format!("S9: a slug stands for life {tenant_id}, which does not bear it"))),
    }
}

/// The living tenants after this slug.
pub(super) fn list(database: &Database, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, Fault> {
    let slugs = database.begin_read()?.open_table(SLUGS)?;
    let after = after.map_or(Bound::Unbounded, |slug| Bound::Excluded(slug.as_str().as_bytes()));
    let mut listed = Vec::new();
    for row in slugs.range::<&[u8]>((after, Bound::Unbounded))?.take(limit) {
        let (key, tenant_id) = row?;
        let slug = std::str::from_utf8(key.value()).ok().and_then(|text| TenantSlug::new(text).ok());
        let slug = slug.ok_or_else(|| Fault::corrupt("S9: a slug cannot be read"))?;
        listed.push(TenantSummary { tenant_id: tenant_id_of_slug(key.value(), tenant_id.value())?, slug });
    }
    Ok(listed)
}

/// The commits after a state (S14).
pub(super) fn since(database: &Database, at: Position) -> Result<Since, Fault> {
    let reading = database.begin_read()?;
    let Some(tenant) = living(&reading, at.tenant_id)? else { return Ok(Since::Deleted) };
    if at.revision > tenant.latest.revision || at.revision < tenant.floor.revision {
        return Ok(Since::TooOld);
    }
    let commits = reading.open_table(COMMITS)?;
    let commit = match at.revision {
        revision if revision == tenant.latest.revision => tenant.latest.commit,
        revision if revision == tenant.floor.revision => tenant.floor.commit,
        revision => head(&commits, at.tenant_id, revision)?.envelope.id,
    };
    if commit != at.commit {
        return Ok(Since::TooOld);
    }
    let mut told = Told::after(at.revision);
    let (first, last) = (at.revision.next(), tenant.latest.revision);
    if first <= last && at.revision != last {
        for row in
            commits.range(&commit_key(at.tenant_id, first, 0)[..]..=&commit_key(at.tenant_id, last, u32::MAX)[..])?
        {
            let (key, value) = row?;
            let (value, _) = unseal(Place::Commits, key.value(), value.value())?;
            told.take(revision_in(key.value()), part(value)?)?;
        }
    }
    told.end(&tenant)
}

/// The row of a life, if there is one.
pub(super) fn tenant_row(
    lives: &impl ReadableTable<Bytes, Bytes>,
    tenant_id: TenantId,
) -> Result<Option<TenantRow>, Fault> {
    let key = tenant_key(tenant_id);
    let Some(row) = lives.get(&key[..])? else { return Ok(None) };
    let (row, _) = unseal(Place::Tenants, &key, row.value())?;
    decode(row).map(Some)
}

/// The living tenant of this life, if it lives.
pub(super) fn living(reading: &ReadTransaction, tenant_id: TenantId) -> Result<Option<Living>, Fault> {
    Ok(match tenant_row(&reading.open_table(TENANTS)?, tenant_id)? {
        Some(TenantRow::Living(tenant)) => Some(tenant),
        Some(TenantRow::Ended) | None => None,
    })
}

/// The life in a row of the table of slugs.
pub(super) fn tenant_id_of_slug(slug: &[u8], row: &[u8]) -> Result<TenantId, Fault> {
    let (tenant_id, _) = unseal(Place::Slugs, slug, row)?;
    let tenant_id = uuid::Uuid::from_slice(tenant_id).map_err(|_| Fault::corrupt("S9: a slug stands for no life"))?;
    Ok(TenantId::from_uuid(tenant_id))
}

fn head(commits: &ReadOnlyTable<Bytes, Bytes>, tenant_id: TenantId, revision: Revision) -> Result<Head, Fault> {
    let key = commit_key(tenant_id, revision, 0);
    let row = commits.get(&key[..])?.ok_or_else(|| missing(revision))?;
    let (row, _) = unseal(Place::Commits, &key, row.value())?;
    part(row)?.head.ok_or_else(|| missing(revision))
}

fn missing(revision: Revision) -> Fault {
    Fault::corrupt(format!("S14: the commit that made revision {revision} is not whole"))
}

/// Puts the parts of commits together, and lets none be missing.
struct Told {
    commits: Vec<StoredCommit>,
    /// The revision that was completed last.
    revision: Revision,
    /// How many changes of the commit under way are still to come.
    lacking: u64,
}

impl Told {
    fn after(revision: Revision) -> Self {
        Self { commits: Vec::new(), revision, lacking: 0 }
    }

    fn take(&mut self, revision: Option<Revision>, part: Part) -> Result<(), Fault> {
        let expected = if self.lacking == 0 { self.revision.next() } else { self.revision };
        let here = revision.filter(|revision| *revision == expected).ok_or_else(|| missing(expected))?;
        let count = u64::try_from(part.changes.len()).unwrap_or(u64::MAX);
        let lacking = match (part.head, self.commits.last_mut()) {
            (Some(Head { envelope, changes }), _) if self.lacking == 0 => {
                self.commits.push(StoredCommit { revision: here, envelope, changes: part.changes });
                changes.checked_sub(count)
            }
            (None, Some(commit)) if self.lacking > 0 => {
                commit.changes.extend(part.changes);
                self.lacking.checked_sub(count)
            }
            _ => None,
        };
        self.revision = here;
        self.lacking = lacking.ok_or_else(|| missing(here))?;
        Ok(())
    }

    fn end(self, tenant: &Living) -> Result<Since, Fault> {
        let whole = self.lacking == 0 && self.revision == tenant.latest.revision;
        let last = self.commits.last().map_or(tenant.latest.commit, |commit| commit.envelope.id);
        if whole && last == tenant.latest.commit {
            Ok(Since::Commits(self.commits))
        } else {
            Err(missing(self.revision))
        }
    }
}
