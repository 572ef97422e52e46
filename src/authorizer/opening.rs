//! Opens a tenant by its id. All callers share one session.

use std::sync::Arc;

use super::Authorizer;
use super::detached::detached;
use super::refresh::{Earlier, Loaded, Unloaded, load};
use super::store_error::store_error;
use super::telemetry::{Span, TenantEvent};
use super::tenant::{Inner, Tenant};
use super::write_queue::Turn;
use super::write_state::WriteStateRef;
use crate::model::error::{Asked, EntityKind, Error, Result};
use crate::model::invariants::refused;
use crate::model::records::{TenantId, TenantSlug};
use crate::resolver::snapshot::Availability;
use crate::store::StoreError;

impl Authorizer {
    pub(super) async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>> {
        self.shared.store.find(slug).await.map_err(|error| store_error(error, slug.as_str()))
    }

    pub(super) async fn open(&self, tenant_id: TenantId) -> Result<Tenant> {
        let write_state = self.registry.write_state(tenant_id);
        let turn = write_state.write_queue.take().await;
        let authorizer = self.clone();
        let open = async move { authorizer.open_in_turn(tenant_id, write_state, turn).await };
        let opened = Span::open(tenant_id).around(open);
        detached(self.shared.runtime.as_ref(), opened).await?
    }

    async fn open_in_turn(&self, tenant_id: TenantId, write_state: WriteStateRef, _turn: Turn) -> Result<Tenant> {
        if let Some(inner) = self.registry.by_tenant_id(tenant_id) {
            // The previous holder of the turn may have left a commit in doubt.
            drop(inner.resolve_pending().await);
            inner.alive()?;
            return Ok(Tenant(inner));
        }
        let loaded = self.load_tenant(tenant_id).await;
        let failed = |error: &Error| self.shared.record(tenant_id, TenantEvent::OpenFailed(error.kind()));
        let inner = loaded.inspect_err(failed)?;
        if write_state.pending().is_some() {
            inner.current.set_availability(Availability::InDoubt);
            // If this fails, a task or the next call on the tenant tries again. Every check is denied until then.
            drop(inner.resolve_pending().await);
        }
        inner.alive()?;
        self.registry.insert_open(tenant_id, &inner);
        inner.record(TenantEvent::Opened(inner.current.guard().position.revision));
        if inner.is_in_doubt() {
            inner.resolve_in_a_task();
        }
        Ok(Tenant(inner))
    }

    /// Loads a tenant into a new session. The caller has the turn.
    pub(super) async fn load_tenant(&self, tenant_id: TenantId) -> Result<Arc<Inner>> {
        let catalog = Arc::clone(&self.shared.catalog);
        let earlier = Earlier { tenant_id, state: None, session: Arc::new(catalog.open()), catalog };
        let asked = self.shared.staleness.asked();
        match load(&*self.shared.store, earlier).await {
            Ok(Loaded::Tenant(compiled)) => {
                let write_state = self.registry.write_state(tenant_id);
                Ok(Inner::open(Arc::clone(&self.shared), write_state, *compiled, asked))
            }
            Ok(Loaded::Deleted) | Err(Unloaded::Store(StoreError::Deleted)) => {
                Err(not_found(Asked::by_id(tenant_id.as_uuid())))
            }
            Err(Unloaded::Store(error)) => Err(store_error(error, "")),
            Err(Unloaded::Invalid(violations)) => Err(refused(&violations)),
        }
    }
}

pub(super) fn not_found(asked: impl Into<Asked>) -> Error {
    Error::not_found(EntityKind::Tenant, asked)
}
