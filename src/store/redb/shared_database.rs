//! The open file, shared by all connections, and how it is reopened after a failure.
//!
//! After an I/O error redb refuses all work until the file is reopened. The next call does that here, so an application
//! survives a full or a lost disk without a restart. Closing waits for a running commit, but not for reads: their next
//! step returns an error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use redb::Database;

use super::error::RedbError;
use super::failure::{RedbFailure, catch_panic};
use super::file::Backend;
use crate::store::StoreError;

/// The open file, or the way to open it again.
#[derive(Debug)]
pub(super) struct SharedDatabase {
    backend: Backend,
    /// The limit of each tenant's history: see [`RedbOptions::history`](super::RedbOptions::history).
    pub(super) history: u64,
    file: RwLock<Opened>,
    /// The newest opening that failed. Openings count from one; zero means none.
    failed: AtomicU64,
}

#[derive(Debug)]
struct Opened {
    /// `None` after closing, and while the file cannot be opened.
    database: Option<Database>,
    /// The number of this opening.
    number: u64,
    closed: bool,
}

impl SharedDatabase {
    /// Opens the file.
    pub(super) fn new(backend: Backend, history: u64) -> Result<Self, RedbError> {
        let database = Some(backend.open()?);
        let file = RwLock::new(Opened { database, number: 1, closed: false });
        Ok(Self { backend, history, file, failed: AtomicU64::new(0) })
    }

    /// Where the file is.
    #[cfg(test)]
    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Runs work on the open file. The work passes the number of the opening to [`Self::note`] if it fails later.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database, u64) -> Result<T, RedbFailure>) -> Result<T, StoreError> {
        self.open_again_if_failed()?;
        let opened = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &opened.database else { return Err(self.closed()) };
        let panicked = |text: String| RedbFailure { error: StoreError::corrupt(text), reopen: true };
        catch_panic(|| work(database, opened.number), panicked).map_err(|failure| self.note(failure, opened.number))
    }

    /// Records a failure of an opening and returns the error for the caller.
    pub(super) fn note(&self, failure: RedbFailure, number: u64) -> StoreError {
        if failure.reopen {
            self.failed.fetch_max(number, Ordering::AcqRel);
        }
        // An application can have several files.
        match failure.error {
            StoreError::Unavailable(why) => StoreError::unavailable(self.backend.about(&why)),
            StoreError::InDoubt(why) => StoreError::in_doubt(self.backend.about(&why)),
            StoreError::Corrupt(why) => StoreError::corrupt(self.backend.about(&why)),
            error => error,
        }
    }

    /// The answer of a call that could not reopen the file. It sent nothing.
    fn not_reopened(&self, error: RedbError) -> StoreError {
        match error {
            // Its text names the file.
            RedbError::Io(_) => StoreError::unavailable(error),
            RedbError::Damaged(_) => StoreError::corrupt(self.backend.about(&error)),
            RedbError::Newer { .. } | RedbError::InUse | RedbError::NotAStore(_) => {
                StoreError::unavailable(self.backend.about(&error))
            }
        }
    }

    fn closed(&self) -> StoreError {
        StoreError::unavailable(self.backend.about(&"the store is closed"))
    }

    fn open_again_if_failed(&self) -> Result<(), StoreError> {
        let failed = |number| number <= self.failed.load(Ordering::Acquire);
        if !failed(self.file.read().unwrap_or_else(PoisonError::into_inner).number) {
            return Ok(());
        }
        let mut opened = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if opened.closed {
            return Err(self.closed());
        }
        if failed(opened.number) {
            close(opened.database.take());
            opened.database = Some(self.backend.open().map_err(|error| self.not_reopened(error))?);
            opened.number += 1;
        }
        Ok(())
    }

    /// Closes the file for good, after a running commit.
    pub(super) fn close(&self) {
        let mut opened = self.file.write().unwrap_or_else(PoisonError::into_inner);
        opened.closed = true;
        close(opened.database.take());
    }
}

/// An error of closing is ignored: an earlier call returned it, or the next opening finds it. Every acknowledged commit is
/// durable.
fn close(database: Option<Database>) {
    let closing = || database.map_or(Ok(()), Database::close).map_err(RedbFailure::from);
    drop(catch_panic(closing, |text| StoreError::unavailable(text).into()));
}
