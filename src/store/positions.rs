//! Positions: the latest position of many tenants in one call, for those who follow other processes.

use std::future::Future;
use std::sync::Arc;

use super::dyn_store::Answer;
use super::{Store, StoreError};
use crate::model::records::{Position, TenantId};

/// A store that returns the latest positions of many tenants in one call.
///
/// The capability is optional: the library needs only [`Store`]. A follower polls it
/// ([`Authorizer::follow`](crate::Authorizer::follow)).
///
/// # Contract
/// | | clause |
/// |---|---|
/// | P1 | The answer has one entry for each id, in the order of the ids, even if an id is there twice. |
/// | P2 | An entry is the latest position of its tenant: at least every revision that was visible before the call (S5). |
/// | P3 | An entry is a position that the tenant had: its commit id is that of the commit which made the revision. |
/// | P4 | The entry of an unknown or deleted tenant is `None`. |
/// | P5 | A call may name any number of tenants. |
///
/// The entries may be read one after the other: they need not be of one instant.
///
/// # Example
/// ```
/// use rolecall::records::TenantId;
/// use rolecall::store::{MemoryStore, Positions};
///
/// let (store, unknown) = (MemoryStore::default(), TenantId::random());
/// assert_eq!(pollster::block_on(store.positions(&[unknown]))?, [None]);
/// # Ok::<(), rolecall::store::StoreError>(())
/// ```
pub trait Positions: Store {
    /// Returns the latest position of each tenant, or `None` for an unknown or deleted one.
    ///
    /// Dropping the future has no effect.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store could not read, [`StoreError::Corrupt`] if what it read is damaged.
    /// Damage in the records of one tenant is an error of its `load` and `since` only.
    fn positions(
        &self,
        tenant_ids: &[TenantId],
    ) -> impl Future<Output = Result<Vec<Option<Position>>, StoreError>> + Send;
}

/// [`Positions`] for use behind an `Arc<dyn DynPositions>`.
pub(crate) trait DynPositions: Send + Sync {
    fn positions<'a>(&'a self, tenant_ids: &'a [TenantId]) -> Answer<'a, Vec<Option<Position>>>;
}

impl<S: Positions> DynPositions for S {
    fn positions<'a>(&'a self, tenant_ids: &'a [TenantId]) -> Answer<'a, Vec<Option<Position>>> {
        Box::pin(Positions::positions(self, tenant_ids))
    }
}

impl<S: Positions> Positions for Arc<S> {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        (**self).positions(tenant_ids).await
    }
}
