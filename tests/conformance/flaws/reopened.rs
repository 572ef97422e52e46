//! Flaws that a cache hides until the store is opened again (S7, S10, S14).

use super::prelude::*;

type Opened = Arc<AtomicU64>;

/// S10. The window has no column, and until the store is opened again its cache knows it.
#[derive(Clone, Default)]
pub(crate) struct ForgetsWindowsOnReopening(Opened);

impl Flaw for ForgetsWindowsOnReopening {
    fn reopened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        if self.0.load(Ordering::SeqCst) == 0 {
            return store.load(tenant_id, sink).await;
        }
        let widened = |record| match record {
            Record::Membership(edge) => Record::Membership(Membership { window: Window::ALWAYS, ..edge }),
            other => other,
        };
        load_altered(store, tenant_id, sink, |records| records.into_iter().map(widened).collect()).await
    }
}

/// S14. Of an envelope the id and the one before it are written down.
#[derive(Clone, Default)]
pub(crate) struct ForgetsEnvelopesOnReopening(Opened);

impl Flaw for ForgetsEnvelopesOnReopening {
    fn reopened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let since = store.since(at).await?;
        let Since::Commits(mut commits) = since else { return Ok(since) };
        if self.0.load(Ordering::SeqCst) > 0 {
            for commit in &mut commits {
                (commit.envelope.actor, commit.envelope.note) = (None, None);
            }
        }
        Ok(Since::Commits(commits))
    }
}

/// S7. The index of slugs is rebuilt from the creations when the store is opened.
#[derive(Clone, Default)]
pub(crate) struct RebuildsSlugsFromCreations {
    created: Shared<BTreeMap<TenantSlug, TenantId>>,
    opened: Opened,
}

impl Flaw for RebuildsSlugsFromCreations {
    fn reopened(&self) {
        self.opened.fetch_add(1, Ordering::SeqCst);
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if let (Base::Create(tenant_id), Some(slug)) = (commit.base, slug_of(commit.changes)) {
            self.created.lock().unwrap().insert(slug, tenant_id);
        }
        Ok(revision)
    }

    async fn find(&self, store: &MemoryStore, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        if self.opened.load(Ordering::SeqCst) == 0 {
            return store.find(slug).await;
        }
        Ok(self.created.lock().unwrap().get(slug).copied())
    }
}
