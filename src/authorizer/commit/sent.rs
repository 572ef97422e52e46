//! A commit that was sent to the store and whose outcome is not known yet.

use std::sync::Arc;

use super::super::telemetry::Event;
use super::super::tenant::{Inner, Outcome};
use super::super::write_state::Pending;
use crate::resolver::snapshot::Availability;

/// Guards a commit that was sent until its outcome is known. If it is dropped before that, because the future was
/// dropped or the store panicked, the commit is in doubt.
pub(super) struct Sent<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) pending: Option<Arc<Pending>>,
}

impl Sent<'_> {
    pub(super) fn resolved(mut self) {
        self.pending = None;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.inner.mark_in_doubt(pending);
        }
    }
}

impl Inner {
    /// Marks a commit as in doubt. Every check is denied until it is resolved, which is left to a task.
    fn mark_in_doubt(self: &Arc<Self>, pending: Arc<Pending>) {
        self.tell(pending.envelope.id, Outcome::InDoubt);
        self.record(Event::InDoubt(pending.envelope.id));
        self.write_state.set_pending(Some(pending));
        self.current.set_availability(Availability::InDoubt);
        self.resolve_in_a_task();
    }
}
