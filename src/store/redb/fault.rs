//! What ended a piece of work on the file early: the answer for the caller, and whether the file can still be trusted
//! to be what redb has in memory. All of redb's errors are sorted here, once, but for those of a commit that was sent
//! (see `commit.rs`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{DatabaseError, StorageError, TableError, TransactionError};

use crate::store::StoreError;

/// An early end. Unless a commit was sent, nothing happened.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: StoreError,
    /// Whether redb will refuse to go on until the file is opened again.
    pub(super) reopen: bool,
}

impl Fault {
    /// What is stored cannot be right. Names a clause and ids, never a text of the tenant's.
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        StoreError::Corrupt(what.into()).into()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self { error, reopen: false }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            // A page of one tenant's may be damaged while the others' are whole: go on answering for those.
            StorageError::Corrupted(_) => StoreError::Corrupt(text).into(),
            StorageError::ValueTooLarge(_) => StoreError::TooLarge(text).into(),
            // The file was closed, or opened again, under a read that had begun.
            StorageError::DatabaseClosed => StoreError::Unavailable(text).into(),
            // Input and output, redb's memory of an earlier failure of these, a lock that a panic poisoned, and whatever
            // comes with later releases.
            _ => Self { error: StoreError::Unavailable(text), reopen: true },
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self { error: StoreError::Unavailable(other.to_string()), reopen: true },
        }
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            // Opening made sure of the tables.
            other => Self::corrupt(other.to_string()),
        }
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            other => Self { error: StoreError::Unavailable(other.to_string()), reopen: true },
        }
    }
}

/// Does the work, and turns a panic of redb's into an error: on a damaged file it can panic, and leaves its locks
/// poisoned. Where the application aborts on panics, this cannot help it.
pub(super) fn caught<T, E>(work: impl FnOnce() -> Result<T, E>, panicked: impl FnOnce(String) -> E) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(text_of(&*panic))))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("redb panicked: {}", text.unwrap_or("no text"))
}
