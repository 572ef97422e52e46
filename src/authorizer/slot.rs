//! What outlives one opening of a tenant: its queue of writers, and a commit that is in doubt.
//!
//! A [`Hold`] keeps the slot in the registry, so that everybody who opens the tenant meanwhile finds the same one. It
//! knows the registry by [`SlotKeeper`] alone, so that an open tenant and the registry of open tenants do not need each
//! other's types.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::write_queue::WriteQueue;
use crate::model::records::{Change, Envelope, Position, TenantId};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::session::Session;
use crate::store::{Base, Commit};

/// The slot of a tenant: see the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Slot {
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
pub(crate) trait SlotKeeper: Send + Sync {
    /// There is one hold less on the slot.
    fn let_go(&self, tenant_id: TenantId, slot: &Arc<Slot>);

    /// The opening with this session is over.
    fn forget(&self, tenant_id: TenantId, session: &Arc<Session>);
}

/// Keeps the slot of a tenant in the registry.
pub(crate) struct Hold {
    keeper: Weak<dyn SlotKeeper>,
    tenant_id: TenantId,
    slot: Arc<Slot>,
}

impl Slot {
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

impl Hold {
    pub(super) fn new(keeper: Weak<dyn SlotKeeper>, tenant_id: TenantId, slot: Arc<Slot>) -> Self {
        Self { keeper, tenant_id, slot }
    }

    /// Tells the registry that the opening with this session is over.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.forget(self.tenant_id, session);
        }
    }
}

impl Deref for Hold {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.upgrade() {
            keeper.let_go(self.tenant_id, &self.slot);
        }
    }
}
