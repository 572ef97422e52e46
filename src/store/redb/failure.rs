//! Failures of work on the file: the error for the caller, and whether the file must be reopened. All errors of redb are
//! classified here, except those of a commit that was sent (`commit.rs`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{DatabaseError, StorageError, TableError, TransactionError};

use crate::store::StoreError;

/// A failure. Nothing was applied, unless a commit was sent.
#[derive(Debug)]
pub(super) struct RedbFailure {
    pub(super) error: StoreError,
    /// Whether redb refuses all work until the file is reopened.
    pub(super) reopen: bool,
}

impl RedbFailure {
    /// The stored data is invalid. The message names a clause and ids, never a text of a tenant.
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        StoreError::corrupt(what.into()).into()
    }
}

impl From<StoreError> for RedbFailure {
    fn from(error: StoreError) -> Self {
        Self { error, reopen: false }
    }
}

impl From<StorageError> for RedbFailure {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            // Other tenants' pages may be intact, so continue with this file.
            StorageError::Corrupted(_) => StoreError::corrupt(text).into(),
            StorageError::ValueTooLarge(_) => StoreError::too_large(text).into(),
            // The file was closed or reopened during a read.
            StorageError::DatabaseClosed => StoreError::unavailable(text).into(),
            // I/O errors, redb's memory of earlier ones, a poisoned lock, and unknown variants of later releases.
            _ => Self { error: StoreError::unavailable(text), reopen: true },
        }
    }
}

impl From<TransactionError> for RedbFailure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self { error: StoreError::unavailable(other.to_string()), reopen: true },
        }
    }
}

impl From<TableError> for RedbFailure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            // Opening checked that the tables exist.
            other => Self::corrupt(other.to_string()),
        }
    }
}

impl From<DatabaseError> for RedbFailure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            other => Self { error: StoreError::unavailable(other.to_string()), reopen: true },
        }
    }
}

/// Runs work and turns a panic of redb into an error. Redb can panic on a damaged file and leaves its locks poisoned. This
/// does not help an application that aborts on panics.
pub(super) fn catch_panic<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    panicked: impl FnOnce(String) -> E,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(panic_message(&*panic))))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("redb panicked: {}", text.unwrap_or("no message"))
}
