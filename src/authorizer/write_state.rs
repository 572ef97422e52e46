//! What outlives one opening of a tenant: its queue of writers, and a commit that is in doubt.
//!
//! A [`WriteStateRef`] keeps the write_state in the registry, so that everybody who opens the tenant meanwhile finds the same one. It
//! knows the registry by [`WriteStateKeeper`] alone, so that an open tenant and the registry of open tenants do not need each
//! other's types.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::write_queue::WriteQueue;
use crate::model::records::{Change, Envelope, Position, TenantId};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::session::Session;
use crate::store::{Base, Commit};

/// The write_state of a tenant: see the head of this file.
#[derive(Debug, Default)]
pub(crate) struct WriteState {
    pub(crate) write_queue: WriteQueue,
    pending: Mutex<Option<Arc<Pending>>>,
}

/// A commit of this authorizer that is in doubt.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) base: Position,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
    /// The snapshot that it leads to, of the session that planned it.
    pub(crate) next: Option<Arc<CompiledTenant>>,
}

/// Where slots are kept: the registry.
pub(crate) trait WriteStateKeeper: Send + Sync {
    /// There is one hold less on the write_state.
    fn release(&self, tenant_id: TenantId, write_state: &Arc<WriteState>);

    /// The opening with this session is over.
    fn forget(&self, tenant_id: TenantId, session: &Arc<Session>);
}

/// Keeps the write_state of a tenant in the registry.
pub(crate) struct WriteStateRef {
    keeper: Weak<dyn WriteStateKeeper>,
    tenant_id: TenantId,
    write_state: Arc<WriteState>,
}

impl WriteState {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Pending>>> {
        // Every critical section is a plain assignment, so what a panic left behind is whole.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending(&self) -> Option<Arc<Pending>> {
        self.lock().clone()
    }

    pub(crate) fn set_pending(&self, pending: Option<Arc<Pending>>) {
        *self.lock() = pending;
    }
}

impl Pending {
    pub(super) fn as_commit(&self) -> Commit<'_> {
        Commit { base: Base::At(self.base), envelope: &self.envelope, changes: &self.changes }
    }
}

impl WriteStateRef {
    pub(super) fn new(keeper: Weak<dyn WriteStateKeeper>, tenant_id: TenantId, write_state: Arc<WriteState>) -> Self {
        Self { keeper, tenant_id, write_state }
    }

    /// Tells the registry that the opening with this session is over.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.forget(self.tenant_id, session);
        }
    }
}

impl Deref for WriteStateRef {
    type Target = WriteState;

    fn deref(&self) -> &WriteState {
        &self.write_state
    }
}

impl Drop for WriteStateRef {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.release(self.tenant_id, &self.write_state);
        }
    }
}
