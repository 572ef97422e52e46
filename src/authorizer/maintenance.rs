//! Refreshes and closes an open tenant.

use std::sync::Arc;

use super::nested::reject_nested;
use super::telemetry::Span;
use super::tenant::{Inner, Tenant};
use super::write_queue::Turn;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Position, Revision};
use crate::resolver::snapshot::Availability;

impl Tenant {
    /// Applies the commits of other processes, and returns the revision.
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
        self.0.catch_up(None).await?;
        Ok(self.revision())
    }

    /// Returns once this tenant has the state at this position, or a later one. The position is the token that one
    /// process hands to another, so that the other one sees what the first has seen.
    ///
    /// If the state is not there yet, the call waits for the writes before it and then asks the store, as
    /// [`refresh`](Self::refresh) does. Of many calls that wait, one asks the store.
    ///
    /// A position is text, for a header or a cookie. It is not secret, and it gives nobody any right: a wrong one costs a
    /// call to the store.
    ///
    /// ```
    /// use rolecall::blocking::Authorizer;
    /// use rolecall::records::Position;
    /// use rolecall::store::MemoryStore;
    ///
    /// let store = MemoryStore::default();
    /// let (first, second) = (Authorizer::builder().store(store.clone()), Authorizer::builder().store(store));
    /// let acme = first.build().create_tenant("acme", "Acme")?;
    /// let elsewhere = second.build().tenant("acme")?;
    ///
    /// acme.update(|tx| tx.create_user("alice")?.done())?;
    /// let token = acme.snapshot().position().to_string();
    ///
    /// elsewhere.at_least(token.parse::<Position>()?)?;
    /// assert!(elsewhere.now().user("alice").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tenant::refresh`]; [`Invalid`](crate::ErrorKind::Invalid) if the position is of another tenant.
    /// [`NotInHistory`](crate::ErrorKind::NotInHistory) if the store does not have that state, because the position is
    /// of another store or a backup was restored.
    ///
    /// # Complexity
    /// No call to the store if the state is there.
    pub async fn at_least(&self, position: Position) -> Result<Revision> {
        reject_nested()?;
        if position.tenant_id != self.0.tenant_id {
            return Err(Error::invalid("position", &position.to_string(), "a position of this tenant"));
        }
        if !self.0.has_reached(position.revision) {
            self.0.catch_up(Some(position.revision)).await?;
        }
        let present = self.0.current.guard().position;
        let is_another = present.revision == position.revision && present.commit != position.commit;
        if present.revision < position.revision || is_another {
            let reason = format!("{position} was asked for, and the latest position of the store is {present}");
            return Err(Error::new(ErrorKind::NotInHistory).reason(reason));
        }
        Ok(present.revision)
    }

    /// Closes the tenant. Every check is denied from then on. Its memory is freed when nothing refers to it any more.
    /// Opening the tenant again returns a new `Tenant`. A commit in doubt is resolved first; if that fails, the next opening
    /// resolves it.
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
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update.
    /// [`Blocked`](crate::ErrorKind::Blocked) if a [stage](Tenant::stage) does not end in time.
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the runtime stops the task, or the store panics in it.
    pub async fn close(&self) -> Result<()> {
        reject_nested()?;
        let turn = self.0.turn().await?;
        let inner = Arc::clone(&self.0);
        self.0.detached(async move { inner.close(turn).await }).await
    }
}

impl Inner {
    /// Whether questions are answered at this revision or a later one.
    pub(super) fn has_reached(&self, revision: Revision) -> bool {
        let present = self.current.guard();
        present.position.revision >= revision && present.availability == Availability::Serving
    }

    /// Waits for the turn, then applies the commits of the store, unless the tenant has reached this revision meanwhile.
    pub(super) async fn catch_up(self: &Arc<Self>, enough: Option<Revision>) -> Result<()> {
        let turn = self.turn().await?;
        let inner = Arc::clone(self);
        let span = Span::refresh(self.tenant_id, self.current.guard().position.revision);
        let refreshed = async move {
            let _turn = turn;
            inner.alive()?;
            if enough.is_some_and(|revision| inner.has_reached(revision)) {
                return Ok(());
            }
            inner.resolve_pending().await?;
            inner.sync().await?;
            inner.alive()
        };
        self.detached(span.around(refreshed)).await?
    }

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
