//! Tests that use internals: random histories (plain, guarded, and with an excess at the beginning), assertions, reviews,
//! comparisons of states, visits of users, the cost of errors, and broken invariants.

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

/// How many random cases a test tries: few without optimisation, and in release this per cent of the many: `ROLECALL_CASES`,
/// or all.
fn cases(few: u32, many: u32) -> u32 {
    if cfg!(debug_assertions) { few } else { many * percent() / 100 }
}

fn percent() -> u32 {
    std::env::var("ROLECALL_CASES").ok().and_then(|percent| percent.parse().ok()).unwrap_or(100).clamp(1, 100)
}
