//! Commits: one write transaction each, checked and applied together. An error aborts the transaction (S4).
//!
//! S6 is decided here. Until the transaction commits, redb publishes nothing, so every error means that nothing was
//! applied. Of the errors of redb's commit only *poisoned* means that too. After any other error the transaction may be in
//! the file, whole or not at all: in doubt, unless the reopened file shows that it is missing.

use redb::{CommitError, Database, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::failure::{RedbFailure, catch_panic};
use super::format::{
    Bytes, COMMITS, RECORDS, SLUGS, TENANTS, TableId, commit_key, record_key, records_of, tenant_key, verify_checksum,
    with_checksum,
};
use super::read::{tenant_id_of_slug, tenant_row};
use super::rows::{CommitHead, CommitPart, LiveTenant, LocalPosition, PART, TenantRow, encode, encode_part, part};
use super::shared_database::SharedDatabase;
use crate::model::records::{Change, Envelope, Record, RecordKind, Revision, TenantId, TenantSlug};
use crate::store::{Base, Cause, StoreError};

/// A commit that can move to another thread.
#[derive(Debug)]
pub(super) struct OwnedCommit {
    pub(super) base: Base,
    pub(super) envelope: Envelope,
    pub(super) changes: Vec<Change>,
}

/// Applies the commit durably.
pub(super) fn execute(database: &Database, commit: &OwnedCommit, history: u64) -> Result<Revision, RedbFailure> {
    let changes = sorted_by_key(commit);
    let mut writing = database.begin_write()?;
    writing.set_two_phase_commit(true);
    let revision = Tables::open(&writing)?.apply(commit, &changes, history)?;
    commit_transaction(writing)?;
    Ok(revision)
}

/// Decides what a failed commit returns. The file is reopened: if the base is still the latest position, the commit is not
/// there and never will be, since redb dropped it. So a full disk leaves nothing in doubt. In every other case, or if the
/// file cannot be read, the commit is in doubt.
pub(super) fn resolve_failed_commit(shared: &SharedDatabase, base: Base, why: Cause) -> StoreError {
    let tenant_id = base.tenant_id();
    let found = shared.with(|database, _| tenant_row(&database.begin_read()?.open_table(TENANTS)?, tenant_id));
    match (found, base) {
        (Ok(None), Base::Create(_)) => StoreError::Unavailable(why),
        (Ok(Some(TenantRow::Live(tenant))), Base::At(at)) if tenant.latest.of(tenant_id) == at => {
            StoreError::Unavailable(why)
        }
        _ => StoreError::InDoubt(why),
    }
}

fn commit_transaction(writing: WriteTransaction) -> Result<(), RedbFailure> {
    let in_doubt = |text: String| RedbFailure { error: StoreError::in_doubt(text), reopen: true };
    let sent = || match writing.commit() {
        Ok(()) => Ok(()),
        Err(CommitError::TransactionPoisoned) => {
            Err(RedbFailure { error: StoreError::unavailable("redb rolled it back"), reopen: true })
        }
        Err(e) => Err(in_doubt(e.to_string())),
    };
    catch_panic(sent, in_doubt)
}

/// The changes sorted by the keys of their rows. Two changes of one record become neighbours, and the tree is written in
/// commit.
fn sorted_by_key(commit: &OwnedCommit) -> Vec<(Vec<u8>, &Change)> {
    let tenant_id = commit.base.tenant_id();
    let mut changes: Vec<_> =
        commit.changes.iter().map(|change| (record_key(tenant_id, &change.key()), change)).collect();
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes
}

/// An error that names the record by its ids alone: a user's key must not reach an error message.
fn mismatch(clause: &str, change: &Change, what: &str) -> RedbFailure {
    RedbFailure::corrupt(format!("{clause}: {:?} {what}", change.key()))
}

struct Tables<'t> {
    slugs: Table<'t, Bytes, Bytes>,
    tenants: Table<'t, Bytes, Bytes>,
    records: Table<'t, Bytes, Bytes>,
    commits: Table<'t, Bytes, Bytes>,
}

impl<'t> Tables<'t> {
    fn open(writing: &'t WriteTransaction) -> Result<Self, RedbFailure> {
        Ok(Self {
            slugs: writing.open_table(SLUGS)?,
            tenants: writing.open_table(TENANTS)?,
            records: writing.open_table(RECORDS)?,
            commits: writing.open_table(COMMITS)?,
        })
    }

    fn apply(
        mut self,
        commit: &OwnedCommit,
        changes: &[(Vec<u8>, &Change)],
        history: u64,
    ) -> Result<Revision, RedbFailure> {
        let (tenant_id, creates) = (commit.base.tenant_id(), matches!(commit.base, Base::Create(_)));
        let (tenant, revision) = self.check_base(commit.base)?;
        let delta = self.replace_records(changes)?;
        let (before, after) = slugs_in(&commit.changes);
        if creates && after.is_none() && !changes.is_empty() {
            return Err(RedbFailure::corrupt("S1: the creation adds no tenant record"));
        }
        self.update_slug_index(tenant_id, before, after)?;
        let latest = LocalPosition { revision, commit: commit.envelope.id };
        let mut tenant = match (tenant, after) {
            (None, Some(slug)) => {
                LiveTenant { latest, history_start: latest, history_size: 0, slug: slug.clone(), records: 0, digest: 0 }
            }
            (Some(tenant), Some(slug)) => LiveTenant { latest, slug: slug.clone(), ..tenant },
            (Some(tenant), None) if before.is_none() => LiveTenant { latest, ..tenant },
            (_, None) => {
                self.delete_tenant(tenant_id)?;
                return Ok(revision);
            }
        };
        delta.apply_to(&mut tenant)?;
        self.append_history(tenant_id, &mut tenant, commit, history)?;
        self.put_tenant(tenant_id, &TenantRow::Live(tenant))?;
        Ok(revision)
    }

    /// Checks the base. Returns the tenant, if it exists, and the revision that the commit produces.
    fn check_base(&self, base: Base) -> Result<(Option<LiveTenant>, Revision), RedbFailure> {
        let tenant_id = base.tenant_id();
        match (tenant_row(&self.tenants, tenant_id)?, base) {
            (Some(TenantRow::Deleted), _) | (None, Base::At(_)) => Err(StoreError::Deleted.into()),
            (None, Base::Create(_)) => Ok((None, Revision::FIRST)),
            (Some(TenantRow::Live(tenant)), Base::At(at)) if at == tenant.latest.of(tenant_id) => {
                let next = at.revision.next();
                if next == at.revision {
                    return Err(StoreError::too_large("S7: no revision is left").into());
                }
                Ok((Some(tenant), next))
            }
            (Some(TenantRow::Live(tenant)), _) => Err(StoreError::Conflict { actual: tenant.latest.revision }.into()),
        }
    }

    /// Applies every change whose `before` is what is stored.
    ///
    /// Relations are not compared with `before`. A reference to a catalog entry remembers the slug of its time, and a newer
    /// release may know the entry by another slug.
    fn replace_records(&mut self, changes: &[(Vec<u8>, &Change)]) -> Result<RecordDelta, RedbFailure> {
        let mut neighbours = changes.iter().zip(changes.iter().skip(1));
        if let Some(((_, change), _)) = neighbours.find(|((key, _), (next, _))| key == next) {
            return Err(mismatch("S10", change, "is changed twice in one commit"));
        }
        let mut delta = RecordDelta::default();
        for (key, change) in changes {
            let stored = match change.after() {
                Some(record) => {
                    let (row, check) = with_checksum(TableId::Records, key, encode(record)?);
                    delta.add(check);
                    self.records.insert(&**key, &*row)?
                }
                None => self.records.remove(&**key)?,
            };
            let matches_before = match (stored, change.before()) {
                (None, None) => true,
                (Some(stored), Some(before)) => {
                    let (stored, check) = verify_checksum(TableId::Records, key, stored.value())?;
                    delta.remove(check);
                    change.kind().is_relation() || stored == encode(before)?
                }
                _ => false,
            };
            if !matches_before {
                return Err(mismatch("S3", change, "does not match `before`"));
            }
        }
        Ok(delta)
    }

    /// Updates the slug index from the tenant record.
    fn update_slug_index(
        &mut self,
        tenant_id: TenantId,
        before: Option<&TenantSlug>,
        after: Option<&TenantSlug>,
    ) -> Result<(), RedbFailure> {
        if before == after {
            return Ok(());
        }
        if let Some(before) = before {
            self.slugs.remove(before.as_str().as_bytes())?;
        }
        let Some(after) = after.map(|slug| slug.as_str().as_bytes()) else { return Ok(()) };
        let (row, _) = with_checksum(TableId::Slugs, after, tenant_key(tenant_id).to_vec());
        match self.slugs.insert(after, &*row)? {
            Some(owner) if tenant_id_of_slug(after, owner.value())? != tenant_id => Err(StoreError::SlugTaken.into()),
            _ => Ok(()),
        }
    }

    /// Deletes a tenant. Only its id stays, forever.
    fn delete_tenant(&mut self, tenant_id: TenantId) -> Result<(), RedbFailure> {
        let (first, end) = records_of(tenant_id);
        self.records.retain_in(&first[..]..&end[..], |_, _| false)?;
        self.commits
            .retain_in(&first[..]..=&commit_key(tenant_id, Revision::new(u64::MAX), u32::MAX)[..], |_, _| false)?;
        self.put_tenant(tenant_id, &TenantRow::Deleted)
    }

    fn put_tenant(&mut self, tenant_id: TenantId, row: &TenantRow) -> Result<(), RedbFailure> {
        let key = tenant_key(tenant_id);
        let (row, _) = with_checksum(TableId::Tenants, &key, encode(row)?);
        self.tenants.insert(&key[..], &*row)?;
        Ok(())
    }

    /// Adds the commit to the history and drops the oldest commits above the limit.
    ///
    /// Of a creation only the envelope is kept: no position precedes it, so nobody can ask for its changes.
    fn append_history(
        &mut self,
        tenant_id: TenantId,
        tenant: &mut LiveTenant,
        commit: &OwnedCommit,
        history: u64,
    ) -> Result<(), RedbFailure> {
        let is_creation = matches!(commit.base, Base::Create(_));
        let stored: &[Change] = if is_creation { &[] } else { &commit.changes };
        let mut head = Some(CommitHead { envelope: commit.envelope.clone(), changes: count(stored.len()) });
        let mut parts = stored.chunks(PART);
        for number in 0.. {
            let changes = parts.next();
            if changes.is_none() && head.is_none() {
                break;
            }
            let part = CommitPart { head: head.take(), changes: changes.unwrap_or_default().to_vec() };
            let key = commit_key(tenant_id, tenant.latest.revision, number);
            let (row, _) = with_checksum(TableId::Commits, &key, encode_part(&part)?);
            self.commits.insert(&key[..], &*row)?;
        }
        if !is_creation {
            tenant.history_size = tenant.history_size.saturating_add(count(stored.len()).max(1));
        }
        while tenant.history_size > history && tenant.history_start.revision < tenant.latest.revision {
            self.drop_oldest_commit(tenant_id, tenant)?;
        }
        Ok(())
    }

    /// Drops the oldest commit after the start of the history, which moves to the position that it produced.
    fn drop_oldest_commit(&mut self, tenant_id: TenantId, tenant: &mut LiveTenant) -> Result<(), RedbFailure> {
        let oldest = tenant.history_start.revision.next();
        let lost = || RedbFailure::corrupt(format!("S14: the commit that made revision {oldest} is incomplete"));
        let key = commit_key(tenant_id, oldest, 0);
        let head = match self.commits.get(&key[..])? {
            Some(row) => part(verify_checksum(TableId::Commits, &key, row.value())?.0)?.head.ok_or_else(lost)?,
            None => return Err(lost()),
        };
        // This also removes the envelope of the creation, or of the earlier start.
        self.commits
            .retain_in(&tenant_key(tenant_id)[..]..=&commit_key(tenant_id, oldest, u32::MAX)[..], |_, _| false)?;
        tenant.history_size = tenant.history_size.saturating_sub(head.changes.max(1));
        tenant.history_start = LocalPosition { revision: oldest, commit: head.envelope.id };
        Ok(())
    }
}

/// The change of a tenant's record count and digest by one commit.
#[derive(Debug, Default)]
struct RecordDelta {
    added: u64,
    removed: u64,
    digest: u64,
}

impl RecordDelta {
    fn add(&mut self, check: u64) {
        self.added += 1;
        self.digest = self.digest.wrapping_add(check);
    }

    fn remove(&mut self, check: u64) {
        self.removed += 1;
        self.digest = self.digest.wrapping_sub(check);
    }

    fn apply_to(&self, tenant: &mut LiveTenant) -> Result<(), RedbFailure> {
        let records = tenant.records.saturating_add(self.added).checked_sub(self.removed);
        tenant.records = records.ok_or_else(|| RedbFailure::corrupt("S10: the record count is wrong"))?;
        tenant.digest = tenant.digest.wrapping_add(self.digest);
        Ok(())
    }
}

/// The tenant's slug before and after the commit, if the tenant record is among the changes.
fn slugs_in(changes: &[Change]) -> (Option<&TenantSlug>, Option<&TenantSlug>) {
    fn slug(side: Option<&Record>) -> Option<&TenantSlug> {
        match side {
            Some(Record::Tenant(tenant)) => Some(&tenant.slug),
            _ => None,
        }
    }
    let tenant = changes.iter().find(|change| change.kind() == RecordKind::Tenant);
    (tenant.and_then(|change| slug(change.before())), tenant.and_then(|change| slug(change.after())))
}

fn count(changes: usize) -> u64 {
    u64::try_from(changes).unwrap_or(u64::MAX)
}
