//! A store without its type: what an authorizer holds, so that `Authorizer` and `Tenant` carry no type parameter and an
//! application can name them in a struct without saying where its tenants are kept.
//!
//! [`Store`] itself cannot be a `dyn`: its futures are of a type that each implementation chooses. Here the same five
//! calls box theirs, which costs one allocation a call, beside a journey to a database; questions never come this way.
//! Every store is an [`Erased`] by the one implementation below, so nobody writes another. Nothing is decided here.

use std::future::Future;
use std::pin::Pin;

use super::{Commit, Listed, Since, Sink, Store, StoreError};
use crate::records::{At, Life, Revision, TenantSlug};

/// What a store will answer.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`Store`], call by call, for use behind an `Arc<dyn Erased>`.
pub(crate) trait Erased: Send + Sync {
    fn find<'a>(&'a self, slug: &'a TenantSlug) -> Answer<'a, Option<Life>>;
    fn list<'a>(&'a self, after: Option<&'a TenantSlug>, limit: usize) -> Answer<'a, Vec<Listed>>;
    fn load<'a>(&'a self, life: Life, sink: &'a mut dyn Sink) -> Answer<'a, Option<At>>;
    fn commit<'a>(&'a self, commit: Commit<'a>) -> Answer<'a, Revision>;
    fn since(&self, at: At) -> Answer<'_, Since>;
}

impl<T: Store> Erased for T {
    fn find<'a>(&'a self, slug: &'a TenantSlug) -> Answer<'a, Option<Life>> {
        Box::pin(Store::find(self, slug))
    }

    fn list<'a>(&'a self, after: Option<&'a TenantSlug>, limit: usize) -> Answer<'a, Vec<Listed>> {
        Box::pin(Store::list(self, after, limit))
    }

    fn load<'a>(&'a self, life: Life, sink: &'a mut dyn Sink) -> Answer<'a, Option<At>> {
        Box::pin(Store::load(self, life, sink))
    }

    fn commit<'a>(&'a self, commit: Commit<'a>) -> Answer<'a, Revision> {
        Box::pin(Store::commit(self, commit))
    }

    fn since(&self, at: At) -> Answer<'_, Since> {
        Box::pin(Store::since(self, at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Erased;
    use crate::records::{At, CommitId, Life, Revision, TenantSlug};
    use crate::store::{MemoryStore, Since};

    #[test]
    fn a_store_answers_behind_a_pointer_that_hides_its_type() {
        let store: Arc<dyn Erased> = Arc::new(MemoryStore::default());
        let at = At { life: Life::random(), revision: Revision::FIRST, commit: CommitId::random() };
        let slug = TenantSlug::new("acme").unwrap();
        pollster::block_on(async {
            assert_eq!(store.find(&slug).await.unwrap(), None);
            assert!(store.list(Some(&slug), 7).await.unwrap().is_empty());
            assert_eq!(store.load(at.life, &mut Vec::new()).await.unwrap(), None);
            assert_eq!(store.since(at).await.unwrap(), Since::Gone);
        });
    }
}
