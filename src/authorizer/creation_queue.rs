//! The creations under one slug: their queue, and the one that is in doubt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::write_queue::WriteQueue;
use crate::model::records::{Change, Envelope, TenantId};
use crate::store::{Base, Commit};

/// Orders the creations under one slug.
#[derive(Debug, Default)]
pub(crate) struct CreationQueue {
    pub(super) write_queue: WriteQueue,
    pending: Mutex<Option<Arc<PendingCreate>>>,
}

/// A creation by this authorizer that is in doubt.
#[derive(Debug)]
pub(crate) struct PendingCreate {
    pub(super) tenant_id: TenantId,
    pub(super) envelope: Envelope,
    pub(super) changes: Vec<Change>,
}

impl CreationQueue {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<PendingCreate>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending(&self) -> Option<Arc<PendingCreate>> {
        self.lock().clone()
    }

    pub(super) fn set_pending(&self, pending: Option<Arc<PendingCreate>>) {
        *self.lock() = pending;
    }
}

impl PendingCreate {
    pub(super) fn as_commit(&self) -> Commit<'_> {
        Commit { base: Base::Create(self.tenant_id), envelope: &self.envelope, changes: &self.changes }
    }
}
