//! The model: what a store keeps and what it means. Records, the application's catalog, errors, instants, the
//! invariants of a set of records, searches in graphs, and a reference model that answers every question slowly and
//! plainly.
//!
//! Deliberately absent: I/O, indexes, bits, anything that is fast.

pub mod reference;
pub(crate) mod invariants;
pub(crate) mod internal_fault;
pub mod catalog;
pub mod clock;
pub mod records;
pub mod error;
pub(crate) mod graph;
pub(crate) mod ids;
