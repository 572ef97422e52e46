//! The error of opening a file.

use std::io;
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

use super::failure::RedbFailure;
use crate::store::StoreError;

/// Why [`RedbStore::open`](crate::store::RedbStore::open) did not open a file.
///
/// Opening changes nothing in a file of another application or of an unknown format. The exception is a file that was not
/// closed cleanly: it can be read only after redb's own recovery.
///
/// ```no_run
/// use rolecall::store::{RedbError, RedbStore};
///
/// match RedbStore::open("tenants.redb") {
///     Err(RedbError::InUse) => println!("another process has the file open"),
///     opened => drop(opened?),
/// }
/// # Ok::<(), RedbError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedbError {
    /// A later release wrote the file in a format that this release does not know.
    #[error("file has format {found}, expected at most {known}")]
    Newer {
        /// The format of the file.
        found: u32,
        /// The newest format that this release knows.
        known: u32,
    },
    /// The file is truncated or altered. Restore it from a backup.
    #[error("file is damaged: {0}")]
    Damaged(String),
    /// Another process or another store has the file open. Clone the store instead of opening the file twice.
    #[error("file is already open")]
    InUse,
    /// The file is not a store of this crate: a redb file of another application, or not a redb file. Or redb cannot read
    /// files of this version any more.
    #[error("file is not a rolecall store: {0}")]
    NotAStore(String),
    /// The system returned an error, or the file does not exist and was not to be created. The text names the file.
    #[error("{0}")]
    Io(#[from] io::Error),
}

const UNREADABLE: &str = "a redb file of a version that this release cannot read; \
    if an earlier release wrote it, export it with that release";

impl RedbError {
    /// Names the file in an error of the system, which does not say what it is about.
    pub(super) fn at(self, path: &Path) -> Self {
        match self {
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), AtPath { path: path.to_owned(), error })),
            other => other,
        }
    }

    /// Converts redb's error. Not a `From`: redb is not part of the public API.
    pub(super) fn of(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::InUse,
            // An earlier release of rolecall may have written the file with an older redb.
            DatabaseError::UpgradeRequired(_) => Self::NotAStore(UNREADABLE.to_owned()),
            // Redb reports a wrong file header like this.
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                Self::NotAStore(e.to_string())
            }
            // A read past the end: the file is truncated.
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged("unexpected end of file".to_owned())
            }
            DatabaseError::Storage(StorageError::Io(e)) => Self::Io(e),
            DatabaseError::Storage(StorageError::Corrupted(why)) => Self::Damaged(why),
            other => Self::Io(io::Error::other(other.to_string())),
        }
    }
}

/// An error of the system, and the file that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
struct AtPath {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl From<RedbFailure> for RedbError {
    fn from(failure: RedbFailure) -> Self {
        match failure.error {
            StoreError::Corrupt(why) => Self::Damaged(why.to_string()),
            other => Self::Io(io::Error::other(other)),
        }
    }
}
