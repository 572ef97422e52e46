//! Changes: transactions, plans, guards, merges, separated duties, assertions and directories.
//!
//! The files are one test program, because each program is linked separately.

mod assertions;
mod binding_assertions;
mod described;
mod directories;
mod edits;
mod guard;
mod merges;
mod plans;
mod rebase;
mod separations;
mod what_if;
