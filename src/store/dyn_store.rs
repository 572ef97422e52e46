//! [`Store`] as a `dyn` trait, so that `Authorizer` and `Tenant` need no type parameter for it.
//!
//! [`Store`] cannot be a `dyn` trait: each implementation chooses the types of its futures. The same five calls box their
//! futures here, which costs one allocation a call; checks never call the store. The blanket implementation below covers
//! every store.

use std::future::Future;
use std::pin::Pin;

use super::{Commit, Since, Sink, Store, StoreError, TenantSummary};
use crate::model::records::{Position, Revision, TenantId, TenantSlug};

/// The boxed future of a store call.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`Store`] for use behind an `Arc<dyn DynStore>`.
pub(crate) trait DynStore: Send + Sync {
    fn find<'a>(&'a self, slug: &'a TenantSlug) -> Answer<'a, Option<TenantId>>;
    fn list<'a>(&'a self, after: Option<&'a TenantSlug>, limit: usize) -> Answer<'a, Vec<TenantSummary>>;
    fn load<'a>(&'a self, tenant_id: TenantId, sink: &'a mut dyn Sink) -> Answer<'a, Option<Position>>;
    fn commit<'a>(&'a self, commit: Commit<'a>) -> Answer<'a, Revision>;
    fn since(&self, at: Position) -> Answer<'_, Since>;
}

impl<T: Store> DynStore for T {
    fn find<'a>(&'a self, slug: &'a TenantSlug) -> Answer<'a, Option<TenantId>> {
        Box::pin(Store::find(self, slug))
    }

    fn list<'a>(&'a self, after: Option<&'a TenantSlug>, limit: usize) -> Answer<'a, Vec<TenantSummary>> {
        Box::pin(Store::list(self, after, limit))
    }

    fn load<'a>(&'a self, tenant_id: TenantId, sink: &'a mut dyn Sink) -> Answer<'a, Option<Position>> {
        Box::pin(Store::load(self, tenant_id, sink))
    }

    fn commit<'a>(&'a self, commit: Commit<'a>) -> Answer<'a, Revision> {
        Box::pin(Store::commit(self, commit))
    }

    fn since(&self, at: Position) -> Answer<'_, Since> {
        Box::pin(Store::since(self, at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::DynStore;
    use crate::model::records::{CommitId, Position, Revision, TenantId, TenantSlug};
    use crate::store::{MemoryStore, Since};

    #[test]
    fn a_store_answers_behind_a_pointer_that_hides_its_type() {
        let store: Arc<dyn DynStore> = Arc::new(MemoryStore::default());
        let at = Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
        let slug = TenantSlug::new("acme").unwrap();
        pollster::block_on(async {
            assert_eq!(store.find(&slug).await.unwrap(), None);
            assert!(store.list(Some(&slug), 7).await.unwrap().is_empty());
            assert_eq!(store.load(at.tenant_id, &mut Vec::new()).await.unwrap(), None);
            assert_eq!(store.since(at).await.unwrap(), Since::Deleted);
        });
    }
}
