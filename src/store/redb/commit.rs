//! One commit: one write transaction, judged and carried out in one go. Whatever does not fit ends it, and then nothing
//! of it ever was (S4).
//!
//! S6 is decided here. Until the transaction is committed, redb has published nothing, so every error means that nothing
//! happened. Of the errors of committing only *poisoned* means that; after any other the transaction may be found on the
//! disk when the file is opened again, whole or not at all: *unknown*, unless it is opened again and is not there.

use redb::{CommitError, Database, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use super::fault::{Fault, caught};
use super::format::{
    Bytes, COMMITS, Place, RECORDS, SLUGS, TENANTS, commit_key, record_key, records_of, seal, tenant_key, unseal,
};
use super::link::Link;
use super::read::{tenant_id_of_slug, tenant_row};
use super::rows::{Head, Living, PART, Part, State, TenantRow, encode, encode_part, part};
use crate::model::records::{Change, Envelope, Record, RecordKind, Revision, TenantId, TenantSlug};
use crate::store::{Base, StoreError};

/// A commit that may go to another thread.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) base: Base,
    pub(super) envelope: Envelope,
    pub(super) changes: Vec<Change>,
}

/// Makes it durable.
pub(super) fn carry_out(database: &Database, order: &Order, history: u64) -> Result<Revision, Fault> {
    let changes = in_order_of_keys(order);
    let mut writing = database.begin_write()?;
    writing.set_two_phase_commit(true);
    let revision = Tables::open(&writing)?.apply(order, &changes, history)?;
    send(writing)?;
    Ok(revision)
}

/// What is answered of a commit that was sent and failed. The file is opened again and looked at: where its base is still
/// the latest state, the commit is not there, and never will be, for redb has dropped it; so on a full disk nothing is in
/// doubt. Whatever else is found, or if nothing can be, the outcome is for the caller to find out.
pub(super) fn after_a_failure(link: &Link, base: Base, why: String) -> StoreError {
    let tenant_id = base.tenant_id();
    let found = link.with(|database, _| tenant_row(&database.begin_read()?.open_table(TENANTS)?, tenant_id));
    match (found, base) {
        (Ok(None), Base::Create(_)) => StoreError::Unavailable(why),
        (Ok(Some(TenantRow::Living(tenant))), Base::At(at)) if tenant.latest.of(tenant_id) == at => {
            StoreError::Unavailable(why)
        }
        _ => StoreError::InDoubt(why),
    }
}

fn send(writing: WriteTransaction) -> Result<(), Fault> {
    let unknown = |text| Fault { error: StoreError::InDoubt(text), reopen: true };
    let sent = || match writing.commit() {
        Ok(()) => Ok(()),
        Err(CommitError::TransactionPoisoned) => {
            Err(Fault { error: StoreError::Unavailable("redb rolled it back".to_owned()), reopen: true })
        }
        Err(e) => Err(unknown(e.to_string())),
    };
    caught(sent, unknown)
}

/// The changes with the keys of their rows, in that order: two of one record stand side by side, and the tree is walked
/// from one end to the other.
fn in_order_of_keys(order: &Order) -> Vec<(Vec<u8>, &Change)> {
    let tenant_id = order.base.tenant_id();
    let mut changes: Vec<_> =
        order.changes.iter().map(|change| (record_key(tenant_id, &change.key()), change)).collect();
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes
}

/// Says which record, by its ids alone: the key of a user is nobody's business.
fn misfit(clause: &str, change: &Change, what: &str) -> Fault {
    Fault::corrupt(format!("{clause}: {:?} {what}", change.key()))
}

struct Tables<'t> {
    slugs: Table<'t, Bytes, Bytes>,
    lives: Table<'t, Bytes, Bytes>,
    records: Table<'t, Bytes, Bytes>,
    commits: Table<'t, Bytes, Bytes>,
}

impl<'t> Tables<'t> {
    fn open(writing: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            slugs: writing.open_table(SLUGS)?,
            lives: writing.open_table(TENANTS)?,
            records: writing.open_table(RECORDS)?,
            commits: writing.open_table(COMMITS)?,
        })
    }

    fn apply(mut self, order: &Order, changes: &[(Vec<u8>, &Change)], history: u64) -> Result<Revision, Fault> {
        let (tenant_id, begins) = (order.base.tenant_id(), matches!(order.base, Base::Create(_)));
        let (tenant, revision) = self.admit(order.base)?;
        let tally = self.replace_records(changes)?;
        let (before, after) = slugs_in(&order.changes);
        if begins && after.is_none() && !changes.is_empty() {
            return Err(Fault::corrupt("S1: a birth adds no tenant record"));
        }
        self.move_slug(tenant_id, before, after)?;
        let latest = State { revision, commit: order.envelope.id };
        let mut tenant = match (tenant, after) {
            (None, Some(slug)) => {
                Living { latest, floor: latest, weight: 0, slug: slug.clone(), records: 0, digest: 0 }
            }
            (Some(tenant), Some(slug)) => Living { latest, slug: slug.clone(), ..tenant },
            (Some(tenant), None) if before.is_none() => Living { latest, ..tenant },
            (_, None) => {
                self.end(tenant_id)?;
                return Ok(revision);
            }
        };
        tally.apply_to(&mut tenant)?;
        self.remember(tenant_id, &mut tenant, order, history)?;
        self.put_tenant(tenant_id, &TenantRow::Living(tenant))?;
        Ok(revision)
    }

    /// The tenant as it is, if it lives, and the revision that a commit on this base would make.
    fn admit(&self, base: Base) -> Result<(Option<Living>, Revision), Fault> {
        let tenant_id = base.tenant_id();
        match (tenant_row(&self.lives, tenant_id)?, base) {
            (Some(TenantRow::Ended), _) | (None, Base::At(_)) => Err(StoreError::Deleted.into()),
            (None, Base::Create(_)) => Ok((None, Revision::FIRST)),
            (Some(TenantRow::Living(tenant)), Base::At(at)) if at == tenant.latest.of(tenant_id) => {
                let next = at.revision.next();
                if next == at.revision {
                    return Err(StoreError::TooLarge("S7: no revision is left".to_owned()).into());
                }
                Ok((Some(tenant), next))
            }
            (Some(TenantRow::Living(tenant)), _) => Err(StoreError::Conflict { actual: tenant.latest.revision }.into()),
        }
    }

    /// Puts every change in its place, if each begins with what is stored, or with nothing.
    ///
    /// An edge that is there is not compared with the one that the change begins with: a reference to a catalog entry
    /// remembers the slug of its day, and a newer release knows the same entry by a newer one.
    fn replace_records(&mut self, changes: &[(Vec<u8>, &Change)]) -> Result<Tally, Fault> {
        let mut neighbours = changes.iter().zip(changes.iter().skip(1));
        if let Some(((_, change), _)) = neighbours.find(|((key, _), (next, _))| key == next) {
            return Err(misfit("S10", change, "is changed twice in one commit"));
        }
        let mut tally = Tally::default();
        for (key, change) in changes {
            let stored = match change.after() {
                Some(record) => {
                    let (row, check) = seal(Place::Records, key, encode(record)?);
                    tally.add(check);
                    self.records.insert(&**key, &*row)?
                }
                None => self.records.remove(&**key)?,
            };
            let fits = match (stored, change.before()) {
                (None, None) => true,
                (Some(stored), Some(before)) => {
                    let (stored, check) = unseal(Place::Records, key, stored.value())?;
                    tally.remove(check);
                    change.kind().is_relation() || stored == encode(before)?
                }
                _ => false,
            };
            if !fits {
                return Err(misfit("S3", change, "is not what the change begins with"));
            }
        }
        Ok(tally)
    }

    /// Keeps the index of slugs in step with the tenant record.
    fn move_slug(
        &mut self,
        tenant_id: TenantId,
        before: Option<&TenantSlug>,
        after: Option<&TenantSlug>,
    ) -> Result<(), Fault> {
        if before == after {
            return Ok(());
        }
        if let Some(before) = before {
            self.slugs.remove(before.as_str().as_bytes())?;
        }
        let Some(after) = after.map(|slug| slug.as_str().as_bytes()) else { return Ok(()) };
        let (row, _) = seal(Place::Slugs, after, tenant_key(tenant_id).to_vec());
        match self.slugs.insert(after, &*row)? {
            Some(bearer) if tenant_id_of_slug(after, bearer.value())? != tenant_id => Err(StoreError::SlugTaken.into()),
            _ => Ok(()),
        }
    }

    /// Ends a life: 16 bytes are left of it, for good.
    fn end(&mut self, tenant_id: TenantId) -> Result<(), Fault> {
        let (first, end) = records_of(tenant_id);
        self.records.retain_in(&first[..]..&end[..], |_, _| false)?;
        self.commits
            .retain_in(&first[..]..=&commit_key(tenant_id, Revision::new(u64::MAX), u32::MAX)[..], |_, _| false)?;
        self.put_tenant(tenant_id, &TenantRow::Ended)
    }

    fn put_tenant(&mut self, tenant_id: TenantId, row: &TenantRow) -> Result<(), Fault> {
        let key = tenant_key(tenant_id);
        let (row, _) = seal(Place::Tenants, &key, encode(row)?);
        self.lives.insert(&key[..], &*row)?;
        Ok(())
    }

    /// Adds the commit to the history, and lets go of the oldest where there is too much of it.
    ///
    /// Of a birth only the envelope is kept: no state comes before it, so nobody can ask for its changes.
    fn remember(&mut self, tenant_id: TenantId, tenant: &mut Living, order: &Order, history: u64) -> Result<(), Fault> {
        let creation = matches!(order.base, Base::Create(_));
        let told: &[Change] = if creation { &[] } else { &order.changes };
        let mut head = Some(Head { envelope: order.envelope.clone(), changes: count(told.len()) });
        let mut parts = told.chunks(PART);
        for number in 0.. {
            let changes = parts.next();
            if changes.is_none() && head.is_none() {
                break;
            }
            let part = Part { head: head.take(), changes: changes.unwrap_or_default().to_vec() };
            let key = commit_key(tenant_id, tenant.latest.revision, number);
            let (row, _) = seal(Place::Commits, &key, encode_part(&part)?);
            self.commits.insert(&key[..], &*row)?;
        }
        if !creation {
            tenant.weight = tenant.weight.saturating_add(count(told.len()).max(1));
        }
        while tenant.weight > history && tenant.floor.revision < tenant.latest.revision {
            self.forget_oldest(tenant_id, tenant)?;
        }
        Ok(())
    }

    /// Lets go of the commit by which the floor was left: the floor is now what it made.
    fn forget_oldest(&mut self, tenant_id: TenantId, tenant: &mut Living) -> Result<(), Fault> {
        let oldest = tenant.floor.revision.next();
        let lost = || Fault::corrupt(format!("S14: the commit that made revision {oldest} is not whole"));
        let key = commit_key(tenant_id, oldest, 0);
        let head = match self.commits.get(&key[..])? {
            Some(row) => part(unseal(Place::Commits, &key, row.value())?.0)?.head.ok_or_else(lost)?,
            None => return Err(lost()),
        };
        // Also the envelope of the birth, or of what was the floor before.
        self.commits
            .retain_in(&tenant_key(tenant_id)[..]..=&commit_key(tenant_id, oldest, u32::MAX)[..], |_, _| false)?;
        tenant.weight = tenant.weight.saturating_sub(head.changes.max(1));
        tenant.floor = State { revision: oldest, commit: head.envelope.id };
        Ok(())
    }
}

/// By how much a commit changes the number of records, and the sum of their checks.
#[derive(Debug, Default)]
struct Tally {
    added: u64,
    removed: u64,
    digest: u64,
}

impl Tally {
    fn add(&mut self, check: u64) {
        self.added += 1;
        self.digest = self.digest.wrapping_add(check);
    }

    fn remove(&mut self, check: u64) {
        self.removed += 1;
        self.digest = self.digest.wrapping_sub(check);
    }

    fn apply_to(&self, tenant: &mut Living) -> Result<(), Fault> {
        let records = tenant.records.saturating_add(self.added).checked_sub(self.removed);
        tenant.records = records.ok_or_else(|| Fault::corrupt("S10: there are more records than there should be"))?;
        tenant.digest = tenant.digest.wrapping_add(self.digest);
        Ok(())
    }
}

/// The tenant's slug before and after, where its record is among the changes.
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
