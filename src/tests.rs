//! Tests that use internals: random histories, visits of users, and broken invariants.

mod broken_invariants;
mod histories;
mod unvisited;
