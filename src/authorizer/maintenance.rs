//! Refreshes and closes an open tenant.

use std::sync::Arc;

use super::nested::reject_nested;
use super::telemetry::Span;
use super::tenant::{Inner, Tenant};
use super::write_queue::Turn;
use crate::model::error::Result;
use crate::model::records::Revision;
use crate::resolver::snapshot::Availability;

impl Tenant {
    /// Applies what other processes have committed, and returns the revision.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// assert_eq!(acme.refresh()?, acme.revision());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// Readers see the old snapshot until the new one is complete. If the store cannot be reached, they keep the
    /// old one, and [`Tenant::lag`] counts the failure. If the store's content is invalid, every check is denied
    /// until a refresh succeeds.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Blocked`](crate::ErrorKind::Blocked) by a commit in doubt,
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`UnsupportedRecord`](crate::ErrorKind::UnsupportedRecord),
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate), [`Closed`](crate::ErrorKind::Closed),
    /// [`Deleted`](crate::ErrorKind::Deleted).
    pub async fn refresh(&self) -> Result<Revision> {
        reject_nested()?;
        let turn = self.0.write_state.write_queue.take().await;
        let inner = Arc::clone(&self.0);
        let span = Span::refresh(self.0.tenant_id, self.revision());
        let refreshed = async move {
            let _turn = turn;
            inner.alive()?;
            inner.resolve_pending().await?;
            inner.sync().await?;
            inner.alive()
        };
        self.0.detached(span.around(refreshed)).await??;
        Ok(self.revision())
    }

    /// Closes the tenant: every check is denied from then on, and its memory is freed when nobody holds it any
    /// more. Opening the tenant again returns a new `Tenant`. A commit in doubt is resolved first; if that fails,
    /// the next opening resolves it.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// acme.close()?;
    /// assert!(acme.update(|_| Ok(())).is_err());
    /// assert!(authorizer.tenant("acme").is_ok(), "opened again");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the runtime stops the task, or the store panics in it.
    pub async fn close(&self) -> Result<()> {
        reject_nested()?;
        let turn = self.0.write_state.write_queue.take().await;
        let inner = Arc::clone(&self.0);
        self.0.detached(async move { inner.close(turn).await }).await
    }
}

impl Inner {
    async fn close(self: &Arc<Self>, _turn: Turn) {
        // A pending commit belongs to the newest session of the tenant: an older session that was closed leaves it
        // alone.
        if self.alive().is_ok() && self.write_state.pending().is_some() {
            // If this fails, the commit stays in the write state for the next opening.
            drop(self.resolve_pending().await);
        }
        self.current.set_availability(Availability::Closed);
        self.session.close();
        self.write_state.forget(&self.session);
    }
}
