//! Tests that look inside: random histories against the reference model, how much of a snapshot a change touches, and what
//! comes of a broken invariant.

mod broken_invariants;
mod histories;
mod unvisited;
