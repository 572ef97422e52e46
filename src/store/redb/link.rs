//! The open file, shared by all that use it, and how it is opened again after a failure.
//!
//! After an input or output error redb refuses everything until the file is opened anew. Whoever comes next does that
//! here; so an application that outlives a full or a lost disk needs no restart. Closing does not wait for reads: one
//! that had begun keeps its transaction, not the file, and is told that the file was closed. It does wait for a commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use redb::Database;

use super::error::RedbError;
use super::fault::{Fault, caught};
use super::file::Medium;
use crate::store::StoreError;

/// The way to the file.
#[derive(Debug)]
pub(super) struct Link {
    medium: Medium,
    /// How much history a life keeps: see [`RedbOptions::history`](super::RedbOptions::history).
    pub(super) history: u64,
    file: RwLock<Opened>,
    /// The newest opening that is known to have failed. Counts from one, so zero is none.
    failed: AtomicU64,
}

#[derive(Debug)]
struct Opened {
    /// None once it is closed, and while it cannot be opened.
    database: Option<Database>,
    /// Which opening this is.
    number: u64,
    closed: bool,
}

impl Link {
    /// Opens the file.
    pub(super) fn new(medium: Medium, history: u64) -> Result<Self, RedbError> {
        let database = Some(medium.open()?);
        let file = RwLock::new(Opened { database, number: 1, closed: false });
        Ok(Self { medium, history, file, failed: AtomicU64::new(0) })
    }

    /// Where the file is.
    #[cfg(test)]
    pub(super) fn medium(&self) -> &Medium {
        &self.medium
    }

    /// Works with the file. The number of the opening is for [`Self::has_failed`].
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database, u64) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.open_again_if_failed()?;
        let opened = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &opened.database else { return Err(closed()) };
        let panicked = |text| Fault { error: StoreError::Corrupt(text), reopen: true };
        caught(|| work(database, opened.number), panicked).map_err(|fault| self.note(fault, opened.number))
    }

    /// The answer of work that failed in this opening.
    pub(super) fn note(&self, fault: Fault, number: u64) -> StoreError {
        if fault.reopen {
            self.failed.fetch_max(number, Ordering::AcqRel);
        }
        fault.error
    }

    fn open_again_if_failed(&self) -> Result<(), StoreError> {
        let failed = |number| number <= self.failed.load(Ordering::Acquire);
        if !failed(self.file.read().unwrap_or_else(PoisonError::into_inner).number) {
            return Ok(());
        }
        let mut opened = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if opened.closed {
            return Err(closed());
        }
        if failed(opened.number) {
            close(opened.database.take());
            opened.database = Some(self.medium.open()?);
            opened.number += 1;
        }
        Ok(())
    }

    /// Closes the file for good, once a commit that is under way has ended.
    pub(super) fn close(&self) {
        let mut opened = self.file.write().unwrap_or_else(PoisonError::into_inner);
        opened.closed = true;
        close(opened.database.take());
    }
}

/// What fails in closing has failed before, or is found when the file is opened the next time: whatever was acknowledged
/// is durable already.
fn close(database: Option<Database>) {
    let closing = || database.map_or(Ok(()), Database::close).map_err(Fault::from);
    drop(caught(closing, |text| StoreError::Unavailable(text).into()));
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
