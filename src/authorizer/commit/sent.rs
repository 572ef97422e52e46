//! A commit that was sent to the store and whose outcome is not known yet.

use std::sync::Arc;

use super::super::tenant::Inner;
use super::super::write_state::Pending;

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
