//! Tests that use internals: random histories, guarded ones, those that begin with an excess, assertions, reviews,
//! comparisons of states, visits of users, what errors cost, and broken invariants.

#[cfg(feature = "json")]
mod assertions;
mod broken_invariants;
mod excesses;
mod guard;
mod histories;
mod misses;
mod review;
mod unvisited;
mod what_if;
