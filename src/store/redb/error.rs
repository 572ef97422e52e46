//! Why a file could not be opened, as data.

use std::io;

use redb::{DatabaseError, StorageError};

use super::fault::Fault;
use crate::store::StoreError;

/// Why [`RedbStore::open`](crate::store::RedbStore::open) did not open a file. Nothing in a file is changed before it is
/// known to be a store of this crate in a format that is known, unless it was not closed cleanly: then what it is can
/// only be read after redb's own recovery.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedbError {
    /// A later release wrote the file in a format that this one does not know.
    #[error("the file has format {found}, and this release knows formats up to {known}")]
    Newer {
        /// The format of the file.
        found: u32,
        /// The newest format that this release knows.
        known: u32,
    },
    /// The file is cut short or altered. Restore it from a backup.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// Another process has the file open, or another store in this one. Clone the store instead of opening it twice.
    #[error("the file is open elsewhere")]
    InUse,
    /// The file is not one of this crate's: a redb file of another application, or no redb file.
    #[error("the file is not a store of this crate: {0}")]
    Foreign(String),
    /// The system refused, or there is no such file and none was to be created.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl RedbError {
    /// Sorts redb's. No `From`: redb is no part of this crate's interface.
    pub(super) fn of(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::InUse,
            DatabaseError::UpgradeRequired(_) => Self::Foreign("a redb file of an old format".to_owned()),
            // That is how redb says that the file does not begin as its own do.
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                Self::Foreign(e.to_string())
            }
            // Reading past the end of the file: it was cut short.
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged("it ends too early".to_owned())
            }
            DatabaseError::Storage(StorageError::Io(e)) => Self::Io(e),
            DatabaseError::Storage(StorageError::Corrupted(why)) => Self::Damaged(why),
            other => Self::Io(io::Error::other(other.to_string())),
        }
    }
}

impl From<Fault> for RedbError {
    fn from(fault: Fault) -> Self {
        match fault.error {
            StoreError::Corrupt(why) => Self::Damaged(why),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<RedbError> for StoreError {
    /// What a call answers that could not open the file again. It had sent nothing, so nothing happened.
    fn from(error: RedbError) -> Self {
        match error {
            RedbError::Damaged(_) => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
