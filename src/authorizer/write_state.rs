//! The state that outlives a session of a tenant: its write queue, and a commit in doubt.
//!
//! A [`WriteStateRef`] keeps the state in the registry, so that everyone who opens the tenant in the meantime shares
//! it. It knows the registry only as a [`WriteStateKeeper`]. An open tenant and the registry therefore do not need each
//! other's types.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::pacing::Pacing;
use super::write_queue::WriteQueue;
use crate::model::records::{Change, CommitId, Envelope, Position, TenantId};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::session::Session;
use crate::store::{Base, Commit};

/// The write queue of a tenant, how its commits follow each other, and its commit in doubt.
#[derive(Debug, Default)]
pub(crate) struct WriteState {
    pub(crate) write_queue: WriteQueue,
    pub(super) pacing: Pacing,
    pending: Mutex<Option<Arc<Pending>>>,
    /// The commit of the stage that has the turn.
    staged: Mutex<Option<CommitId>>,
}

/// A commit of this authorizer that is in doubt.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) base: Position,
    pub(crate) envelope: Envelope,
    pub(crate) changes: Vec<Change>,
    /// The snapshot that the commit leads to, in the session that planned it.
    pub(crate) next: Option<Arc<CompiledTenant>>,
    /// Whether the application commits it, in a transaction of its own. It is never sent again.
    pub(crate) is_staged: bool,
}

/// The owner of all write states: the registry.
pub(crate) trait WriteStateKeeper: Send + Sync {
    /// Drops one reference to the write state.
    fn release(&self, tenant_id: TenantId, write_state: &Arc<WriteState>);

    /// Forgets the open tenant of this session.
    fn forget(&self, tenant_id: TenantId, session: &Arc<Session>);
}

/// A counted reference that keeps the write state of a tenant in the registry.
pub(crate) struct WriteStateRef {
    keeper: Weak<dyn WriteStateKeeper>,
    tenant_id: TenantId,
    write_state: Arc<WriteState>,
}

impl WriteState {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Pending>>> {
        // Every critical section is a plain assignment, so the value is valid even after a panic.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending(&self) -> Option<Arc<Pending>> {
        self.lock().clone()
    }

    pub(crate) fn set_pending(&self, pending: Option<Arc<Pending>>) {
        *self.lock() = pending;
    }

    pub(super) fn staged(&self) -> Option<CommitId> {
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_staged(&self, commit: Option<CommitId>) {
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner) = commit;
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

    /// Makes the registry forget the open tenant of this session.
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
