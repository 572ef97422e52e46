//! Tests of the durable store: the same answers as the store in memory, the file format, damaged and foreign files, and
//! killed processes.
//!
//! Tests with a failing disk are in `src/store/redb/tests.rs`, where the disk can be replaced.

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
