//! Flaws that a cache hides until the store is opened again (S7, S10, S14).

use super::prelude::*;

type Opened = Arc<AtomicU64>;

/// S10. The window has no column, and until the store is opened again its cache knows it.
#[derive(Clone, Default)]
pub(crate) struct ForgetsWindows(Opened);

impl Flaw for ForgetsWindows {
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
        retold(store, tenant_id, sink, |records| records.into_iter().map(widened).collect()).await
    }
}

/// S14. Of an envelope the id and the one before it are written down.
#[derive(Clone, Default)]
pub(crate) struct ForgetsEnvelopes(Opened);

impl Flaw for ForgetsEnvelopes {
    fn reopened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let told = store.since(at).await?;
        let Since::Commits(mut commits) = told else { return Ok(told) };
        if self.0.load(Ordering::SeqCst) > 0 {
            for told in &mut commits {
                (told.envelope.actor, told.envelope.note) = (None, None);
            }
        }
        Ok(Since::Commits(commits))
    }
}

/// S7. The index of slugs is made from the births when the store is opened.
#[derive(Clone, Default)]
pub(crate) struct IndexesCreations {
    created: Shared<BTreeMap<TenantSlug, TenantId>>,
    opened: Opened,
}

impl Flaw for IndexesCreations {
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
