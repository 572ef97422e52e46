//! A tenant is renamed, and its slug given to another, between the lookup and the load of an opening by slug.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::{Arc, Mutex};

use pollster::block_on;
use rolecall::Authorizer;
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

#[derive(Clone, Default)]
struct Hooked(MemoryStore, Hook);

impl Store for Hooked {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let found = self.0.find(slug).await;
        let hook = self.1.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        found
    }
    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.0.list(after, limit).await
    }
    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.0.load(tenant_id, sink).await
    }
    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.0.commit(commit).await
    }
    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.0.since(at).await
    }
}

#[test]
fn a_tenant_opened_by_slug_has_that_slug_at_its_revision() {
    let store = Hooked::default();
    let here = Authorizer::builder().store(store.clone()).build();
    let there = Authorizer::builder().store(store.0.clone()).build();
    let first = block_on(there.create_tenant("acme", "The first")).unwrap();
    *store.1.lock().unwrap() = Some(Box::new(move || {
        block_on(first.update(|tx| tx.set_tenant_slug("acme-old")?.done())).unwrap();
        block_on(there.create_tenant("acme", "The second")).unwrap();
    }));
    let opened = block_on(here.tenant("acme")).unwrap();
    assert_eq!((opened.slug().unwrap().as_str(), opened.name().unwrap().as_str()), ("acme", "The second"));
}
