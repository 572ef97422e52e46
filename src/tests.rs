//! Tests that look inside: random histories against the reference model, and how much of a snapshot a change touches.

mod histories;
mod unvisited;
