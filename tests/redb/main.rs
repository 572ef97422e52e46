//! The durable store: that it answers as the one in memory does, what its file is, what damage and strangers' files do to
//! it, and that it survives being killed. The faults of a disk are in `src/store/redb/tests.rs`, where one can be made.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod random_histories;
mod crash;
mod damage;
mod futures;
mod format;
mod common;
mod opening;
#[cfg(feature = "conformance")]
mod suite;
