//! Tests that use internals: random histories, guarded ones, visits of users, what errors cost, and broken invariants.

mod broken_invariants;
mod guard;
mod histories;
mod misses;
mod unvisited;
