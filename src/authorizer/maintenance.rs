//! What an application can do to an open tenant beside asking and writing: bring it up to date, and close it.

use super::nested::reject_nested;
use super::tenant::Tenant;
use crate::model::error::Result;
use crate::model::records::Revision;
use crate::resolver::snapshot::Availability;

impl Tenant {
    /// Brings the tenant up to its store, and returns the revision.
    ///
    /// # Consistency
    /// Readers see the old snapshot until the new one is whole. If the store cannot be reached, they go on seeing it,
    /// and [`Tenant::lag`] counts. If what the store references is refused, the tenant denies until a refresh succeeds.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`InDoubt`](crate::ErrorKind::InDoubt), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`CatalogConflict`](crate::ErrorKind::CatalogConflict), [`Closed`](crate::ErrorKind::Closed), [`Deleted`](crate::ErrorKind::Deleted).
    pub async fn refresh(&self) -> Result<Revision> {
        reject_nested()?;
        let _turn = self.0.write_state.write_queue.take().await;
        self.0.alive()?;
        self.0.resolve_pending().await?;
        self.0.sync().await?;
        self.0.alive()?;
        Ok(self.revision())
    }

    /// Closes the tenant: it answers nothing any more, and gives its memory back once nobody references it. Opening it again
    /// makes another one. A commit that is unsettled is settled first; where that cannot be done, it is kept for the next
    /// opening.
    ///
    /// # Errors
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update.
    pub async fn close(&self) -> Result<()> {
        reject_nested()?;
        let _turn = self.0.write_state.write_queue.take().await;
        // What is pending of a life belongs to its newest opening: an older one that was closed leaves it alone.
        if self.0.alive().is_ok() && self.0.write_state.pending().is_some() {
            // What cannot be settled now stays with the write_state.
            drop(self.0.resolve_pending().await);
        }
        self.0.current.set_availability(Availability::Closed);
        self.0.session.close();
        self.0.write_state.forget(&self.0.session);
        Ok(())
    }
}
