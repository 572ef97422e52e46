//! Tests that use internals: random histories, visits of users, what errors cost, and broken invariants.

mod broken_invariants;
mod histories;
mod misses;
mod unvisited;
