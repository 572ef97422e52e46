//! Tests that use internals: random histories (plain, guarded, and with an excess at the beginning), assertions, reviews,
//! comparisons of states, visits of users, the costs of errors and of long chains, users with many columns, and broken
//! invariants.

#[cfg(feature = "json")]
mod assertions;
mod broken_invariants;
mod chains;
mod excesses;
mod guard;
mod histories;
mod many_columns;
mod misses;
mod review;
mod unvisited;
mod what_if;

/// How many random cases a test tries: `ROLECALL_CASES` per cent of the many. Without that variable, a few in a debug build,
/// and otherwise the many.
fn cases(few: u32, many: u32) -> u32 {
    let percent: Option<u32> = std::env::var("ROLECALL_CASES").ok().and_then(|percent| percent.parse().ok());
    match percent {
        Some(percent) => many * percent.clamp(1, 100) / 100,
        None if cfg!(debug_assertions) => few,
        None => many,
    }
}
