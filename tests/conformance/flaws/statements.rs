//! Flaws in the statements that a commit becomes (S3, S9, S10, S12): how each of them is checked, and what its condition
//! leaves out.

use super::prelude::*;

/// S10. A unique index on the keys of users, which each statement must satisfy: two users cannot swap theirs.
#[derive(Clone, Default)]
pub(crate) struct ChecksUniquenessPerStatement;

impl Flaw for ChecksUniquenessPerStatement {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let key = |record: &Record| match record {
            Record::User(user) => Some(user.key.clone()),
            _ => None,
        };
        let is_latest = whole(store, commit.base.tenant_id()).await?.filter(|(_, at)| Base::At(*at) == commit.base);
        let Some((records, _)) = is_latest else { return store.commit(commit).await };
        let mut index: BTreeSet<UserKey> = records.iter().filter_map(key).collect();
        for change in commit.changes {
            if let Some(before) = change.before().and_then(key) {
                index.remove(&before);
            }
            if change.after().and_then(key).is_some_and(|after| !index.insert(after)) {
                return Err(StoreError::corrupt("duplicate key"));
            }
        }
        store.commit(commit).await
    }
}

/// S10. `ON DELETE CASCADE`, and the statement that removes the membership counts no row.
#[derive(Clone, Default)]
pub(crate) struct ExpectsRowsAfterACascade;

impl Flaw for ExpectsRowsAfterACascade {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let mut removed = BTreeSet::new();
        for change in commit.changes.iter().filter(|change| change.after().is_none()) {
            match change.before() {
                Some(Record::User(user)) => removed.extend([user.id]),
                Some(Record::Membership(edge)) if removed.contains(&edge.user) => {
                    return Err(StoreError::corrupt("no row was deleted"));
                }
                _ => {}
            }
        }
        store.commit(commit).await
    }
}

/// S3. `DELETE FROM tenants WHERE tenant_id = ?`, without the revision.
#[derive(Clone, Default)]
pub(crate) struct DeletesOnAnyBase(Heads);

impl Flaw for DeletesOnAnyBase {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let is_deletion =
            commit.changes.iter().any(|change| change.kind() == RecordKind::Tenant && change.after().is_none());
        let base = match commit.base {
            Base::At(at) if is_deletion => Base::At(self.0.of(at.tenant_id).unwrap_or(at)),
            base => base,
        };
        self.0.commit(store, Commit { base, ..commit }).await
    }
}

/// S1. A separate statement deletes a tenant, and is used only if nothing else changes.
#[derive(Clone, Default)]
pub(crate) struct DeletesOnlyByASeparateCommit;

impl Flaw for DeletesOnlyByASeparateCommit {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let is_deletion =
            commit.changes.iter().any(|change| change.kind() == RecordKind::Tenant && change.after().is_none());
        if !is_deletion || commit.changes.len() == 1 {
            return store.commit(commit).await;
        }
        store.commit(Commit { changes: &without_tenant(commit.changes), ..commit }).await
    }
}

/// S12. A deletion checks the base first and deletes the rows later.
#[derive(Clone, Default)]
pub(crate) struct ChecksThenDeletes(Heads);

impl Flaw for ChecksThenDeletes {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let is_deletion =
            commit.changes.iter().any(|change| change.kind() == RecordKind::Tenant && change.after().is_none());
        let is_latest = matches!(commit.base, Base::At(at) if self.0.of(at.tenant_id) == Some(at));
        if !is_deletion || !is_latest {
            return self.0.commit(store, commit).await;
        }
        yield_once().await;
        loop {
            let base = self.0.of(commit.base.tenant_id()).map_or(commit.base, Base::At);
            match self.0.commit(store, Commit { base, ..commit }).await {
                Err(StoreError::Conflict { .. }) => yield_once().await,
                answer => return answer,
            }
        }
    }
}

/// S3. `revision INTEGER`, four bytes, and larger numbers are truncated.
#[derive(Clone, Default)]
pub(crate) struct Keeps32BitsOfARevision;

fn low(at: Position) -> Position {
    Position { revision: Revision::new(at.revision.number() & 0xffff_ffff), ..at }
}

impl Flaw for Keeps32BitsOfARevision {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::At(at) => Base::At(low(at)),
            base @ Base::Create(_) => base,
        };
        store.commit(Commit { base, ..commit }).await
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        store.since(low(at)).await
    }
}

/// S10. `DELETE FROM grants WHERE role = ? AND permission_slug = ?`.
#[derive(Clone, Default)]
pub(crate) struct RemovesGrantsBySlug(Shared<BTreeMap<(TenantId, RecordKey), Record>>);

impl Flaw for RemovesGrantsBySlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let (before, tenant_id) = (whole(store, commit.base.tenant_id()).await?, commit.base.tenant_id());
        let revision = store.commit(commit).await?;
        let held = before.map(|(records, _)| records).unwrap_or_default();
        for change in commit.changes.iter().filter(|change| change.kind() == RecordKind::Grant) {
            let there = held.iter().find(|record| record.key() == change.key());
            match (there, change.after()) {
                (Some(there), None) if change.before() != Some(there) => {
                    self.0.lock().unwrap().insert((tenant_id, change.key()), there.clone())
                }
                _ => self.0.lock().unwrap().remove(&(tenant_id, change.key())),
            };
        }
        Ok(revision)
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let left: Vec<_> = {
            let left = self.0.lock().unwrap();
            left.iter().filter(|((of, _), _)| *of == tenant_id).map(|(_, record)| record.clone()).collect()
        };
        load_altered(store, tenant_id, sink, |mut records| {
            records.extend(left);
            records.sort_by_key(Record::kind);
            records
        })
        .await
    }
}

/// S10. `PRIMARY KEY (role, holder)`, whatever the kind of holder.
#[derive(Clone, Default)]
pub(crate) struct MixesUpHolders;

impl Flaw for MixesUpHolders {
    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let mut seen = BTreeSet::new();
        let is_new = |record: &Record| match record {
            Record::Assignment(edge) => {
                let holder = match edge.holder {
                    Holder::User(id) => id.as_uuid(),
                    Holder::Group(id) => id.as_uuid(),
                };
                seen.insert((edge.role.id(), holder))
            }
            _ => true,
        };
        let mut is_new = is_new;
        load_altered(store, tenant_id, sink, |records| records.into_iter().filter(|record| is_new(record)).collect())
            .await
    }
}
