//! Flaws concerning tenants and their slugs (S1, S9).

use super::prelude::*;

/// S1. A tenant is addressed by its slug: calls for the old tenant reach the new one.
#[derive(Clone, Default)]
pub(crate) struct AddressesTenantsBySlug(Shared<HashMap<TenantId, TenantSlug>>);

impl AddressesTenantsBySlug {
    async fn owner(&self, store: &MemoryStore, tenant_id: TenantId) -> Result<TenantId, StoreError> {
        let slug = self.0.lock().unwrap().get(&tenant_id).cloned();
        Ok(match slug {
            Some(slug) => store.find(&slug).await?.unwrap_or(tenant_id),
            None => tenant_id,
        })
    }
}

impl Flaw for AddressesTenantsBySlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if let Some(slug) = slug_of(commit.changes) {
            self.0.lock().unwrap().insert(commit.base.tenant_id(), slug);
        }
        Ok(revision)
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        store.load(self.owner(store, tenant_id).await?, sink).await
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        store.since(Position { tenant_id: self.owner(store, at.tenant_id).await?, ..at }).await
    }
}

/// S9. The slug is unique when a tenant is made, but not on a rename: the slug stays, the answer is success.
#[derive(Clone, Default)]
pub(crate) struct IgnoresTakenSlugsOnRename;

impl Flaw for IgnoresTakenSlugsOnRename {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match store.commit(commit).await {
            Err(StoreError::SlugTaken) if matches!(commit.base, Base::At(_)) => {
                store.commit(Commit { changes: &without_tenant(commit.changes), ..commit }).await
            }
            answer => answer,
        }
    }
}

/// S9. `UPDATE … WHERE id = ?`, without the tenant.
#[derive(Clone, Default)]
pub(crate) struct UpdatesEveryTenant(Shared<HashMap<RecordKey, (TenantId, Record)>>);

impl Flaw for UpdatesEveryTenant {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        for change in without_tenant(commit.changes) {
            match (change.before(), change.after()) {
                (Some(_), Some(after)) => {
                    self.0.lock().unwrap().insert(change.key(), (commit.base.tenant_id(), after.clone()))
                }
                _ => self.0.lock().unwrap().remove(&change.key()),
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
        let updated = |record: Record| match self.0.lock().unwrap().get(&record.key()) {
            Some((other, updated)) if *other != tenant_id => updated.clone(),
            _ => record,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(updated).collect()).await
    }
}

/// S1, S3. The unique index on slugs is checked before the tenant.
#[derive(Clone, Default)]
pub(crate) struct ChecksTheSlugFirst;

impl Flaw for ChecksTheSlugFirst {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        if let Some(slug) = slug_of(commit.changes) {
            if store.find(&slug).await?.is_some_and(|owner| owner != commit.base.tenant_id()) {
                return Err(StoreError::SlugTaken);
            }
        }
        store.commit(commit).await
    }
}

/// S1. A tenant is listed once it has something in it.
#[derive(Clone, Default)]
pub(crate) struct OmitsNewTenants;

impl Flaw for OmitsNewTenants {
    async fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let mut listed = Vec::new();
        for tenant in store.list(after, limit).await? {
            if whole(store, tenant.tenant_id).await?.is_some_and(|(_, at)| at.revision > Revision::FIRST) {
                listed.push(tenant);
            }
        }
        Ok(listed)
    }
}

/// S1. An empty creation deletes an existing tenant.
#[derive(Clone, Default)]
pub(crate) struct DeletesOnEmptyCreation;

impl Flaw for DeletesOnEmptyCreation {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        if let (Base::Create(tenant_id), true) = (commit.base, commit.changes.is_empty()) {
            if let Some((records, at)) = whole(store, tenant_id).await? {
                let tenant = records.into_iter().find(|record| record.kind() == RecordKind::Tenant);
                let changes: Vec<_> = tenant.into_iter().map(Change::removed).collect();
                store.commit(Commit { base: Base::At(at), changes: &changes, ..commit }).await?;
                return Ok(Revision::FIRST);
            }
        }
        store.commit(commit).await
    }
}

/// S1. An empty creation writes nothing.
#[derive(Clone, Default)]
pub(crate) struct ForgetsPreventedCreations;

impl Flaw for ForgetsPreventedCreations {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        if let (Base::Create(tenant_id), true) = (commit.base, commit.changes.is_empty()) {
            if whole(store, tenant_id).await?.is_none() {
                return Ok(Revision::FIRST);
            }
        }
        store.commit(commit).await
    }
}

/// S1. The row of a deleted tenant keeps its slug.
#[derive(Clone, Default)]
pub(crate) struct NeverFreesSlugs(Shared<BTreeSet<TenantSlug>>);

impl Flaw for NeverFreesSlugs {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        if slug_of(commit.changes).is_some_and(|slug| self.0.lock().unwrap().contains(&slug)) {
            return Err(StoreError::SlugTaken);
        }
        let revision = store.commit(commit).await?;
        for change in commit.changes {
            if let (Some(Record::Tenant(ended)), None) = (change.before(), change.after()) {
                self.0.lock().unwrap().insert(ended.slug.clone());
            }
        }
        Ok(revision)
    }
}

/// S1. No row was updated, so somebody else must have been quicker.
#[derive(Clone, Default)]
pub(crate) struct ReportsDeletedAsConflict;

impl Flaw for ReportsDeletedAsConflict {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match store.commit(commit).await {
            Err(StoreError::Deleted) => Err(StoreError::Conflict { actual: Revision::FIRST }),
            answer => answer,
        }
    }
}

/// S9. `INSERT … ON CONFLICT (slug) DO UPDATE`.
#[derive(Clone, Default)]
pub(crate) struct UpsertsSlugs;

impl Flaw for UpsertsSlugs {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match (store.commit(commit).await, slug_of(commit.changes)) {
            (Err(StoreError::SlugTaken), Some(slug)) if matches!(commit.base, Base::Create(_)) => {
                let owner = store.find(&slug).await?.unwrap();
                let (records, at) = whole(store, owner).await?.unwrap();
                let end: Vec<_> = records.into_iter().take(1).map(Change::removed).collect();
                let envelope = Envelope { id: CommitId::random(), ..commit.envelope.clone() };
                store.commit(Commit { base: Base::At(at), envelope: &envelope, changes: &end }).await?;
                store.commit(commit).await
            }
            (answer, _) => answer,
        }
    }
}

/// S9. A rename looks for the slug, and finds the tenant's own.
#[derive(Clone, Default)]
pub(crate) struct RejectsItsOwnSlug;

impl Flaw for RejectsItsOwnSlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match (commit.base, slug_of(commit.changes)) {
            (Base::At(at), Some(slug)) if store.find(&slug).await? == Some(at.tenant_id) => Err(StoreError::SlugTaken),
            _ => store.commit(commit).await,
        }
    }
}

/// S9. The list is a table of its own, to which a rename adds a row.
#[derive(Clone, Default)]
pub(crate) struct ListsOldSlugs(Shared<BTreeMap<TenantSlug, TenantId>>);

impl Flaw for ListsOldSlugs {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if let Some(slug) = slug_of(commit.changes) {
            self.0.lock().unwrap().insert(slug, commit.base.tenant_id());
        }
        Ok(revision)
    }

    async fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let living: BTreeSet<_> =
            store.list(None, usize::MAX).await?.into_iter().map(|listed| listed.tenant_id.as_uuid()).collect();
        let rows = self.0.lock().unwrap();
        let listed = rows.iter().filter(|(slug, tenant_id)| {
            living.contains(&tenant_id.as_uuid()) && after.is_none_or(|after| *slug > after)
        });
        Ok(listed
            .map(|(slug, tenant_id)| TenantSummary { tenant_id: *tenant_id, slug: slug.clone() })
            .take(limit)
            .collect())
    }
}

/// S9. The records of a tenant lie in a folder that was named after its slug when it was made.
#[derive(Clone, Default)]
pub(crate) struct NamesFoldersByFirstSlug {
    of: Shared<HashMap<TenantId, TenantSlug>>,
    newest: Shared<BTreeMap<TenantSlug, TenantId>>,
}

impl Flaw for NamesFoldersByFirstSlug {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if let (Base::Create(tenant_id), Some(slug)) = (commit.base, slug_of(commit.changes)) {
            self.of.lock().unwrap().insert(tenant_id, slug.clone());
            self.newest.lock().unwrap().insert(slug, tenant_id);
        }
        Ok(revision)
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        let folder =
            self.of.lock().unwrap().get(&tenant_id).and_then(|slug| self.newest.lock().unwrap().get(slug).copied());
        match (folder.filter(|other| *other != tenant_id), whole(store, tenant_id).await?) {
            (Some(other), Some((_, at))) => Ok(load_altered(store, other, sink, |records| records).await?.map(|_| at)),
            _ => store.load(tenant_id, sink).await,
        }
    }
}

/// S5. The connection caches that a slug is free until it commits something.
#[derive(Default)]
pub(crate) struct CachesAbsence(Shared<BTreeSet<TenantSlug>>);

impl Clone for CachesAbsence {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Flaw for CachesAbsence {
    async fn find(&self, store: &MemoryStore, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        if self.0.lock().unwrap().contains(slug) {
            return Ok(None);
        }
        let found = store.find(slug).await?;
        if found.is_none() {
            self.0.lock().unwrap().insert(slug.clone());
        }
        Ok(found)
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.0.lock().unwrap().clear();
        store.commit(commit).await
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $limit:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name;

        impl Flaw for $name {
            async fn list(
                &self,
                store: &MemoryStore,
                after: Option<&TenantSlug>,
                limit: usize,
            ) -> Result<Vec<TenantSummary>, StoreError> {
                let limited: fn(usize) -> usize = $limit;
                store.list(after, limited(limit)).await
            }
        }
    )+};
}

limits! {
    /// S8. No page is longer than a hundred, whatever was asked for.
    ListsAtMost100: |limit| limit.min(100);
    /// S8. `LIMIT` is a signed number.
    CastsLimitToSigned: |limit| if i64::try_from(limit).is_ok() { limit } else { 0 };
}

/// S9. `>=` in place of `>`.
#[derive(Clone, Default)]
pub(crate) struct IncludesTheSlugAfter;

impl Flaw for IncludesTheSlugAfter {
    async fn list(
        &self,
        store: &MemoryStore,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let mut listed = store.list(after, limit).await?;
        let Some(slug) = after else { return Ok(listed) };
        let first = store.find(slug).await?.map(|tenant_id| TenantSummary { tenant_id, slug: slug.clone() });
        listed.splice(0..0, first);
        listed.truncate(limit);
        Ok(listed)
    }
}
