//! The public error for an error that a store returned.

use crate::model::error::{EntityKind, Error, ErrorKind};
use crate::store::StoreError;

/// Returns the public error for a store error that means that nothing happened.
pub(super) fn store_error(error: StoreError, slug: &str) -> Error {
    match error {
        StoreError::Conflict { .. } => Error::new(ErrorKind::Conflict),
        StoreError::Deleted => Error::new(ErrorKind::Deleted),
        StoreError::SlugTaken => Error::already_exists(EntityKind::Tenant, slug),
        StoreError::TooLarge(ref why) => Error::new(ErrorKind::TooLarge).reason(why.to_string()).because(error),
        StoreError::UnsupportedRecord(ref why) => {
            Error::new(ErrorKind::UnsupportedRecord).reason(why.to_string()).because(error)
        }
        StoreError::Corrupt(ref why) => Error::new(ErrorKind::Corrupt).reason(why.to_string()).because(error),
        StoreError::Unavailable(ref why) | StoreError::InDoubt(ref why) => {
            Error::new(ErrorKind::Unavailable).reason(why.to_string()).because(error)
        }
        StoreError::Stopped => Error::new(ErrorKind::Corrupt).reason("the load stopped before its end").because(error),
    }
}
