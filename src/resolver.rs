//! The resolver: compiles records into an immutable snapshot and computes effective permissions from it.
//!
//! Deliberately absent: I/O, and any way to change a snapshot in place.

pub mod what_if;
pub mod moment;
pub mod assertions;
pub(crate) mod separations;
pub mod explain;
pub(crate) mod check;
pub(crate) mod suggestions;
pub mod snapshot;
pub(crate) mod tables;
pub(crate) mod timeline;
pub(crate) mod bits;
