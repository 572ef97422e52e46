//! Simulates two processes, one store and a network that loses, duplicates and delays messages. A seed decides the
//! schedule. The invariants of commits, resolving, refreshing and the write queue are checked after every step.
//!
//! It uses only the public API.
//!
//! | file | purpose |
//! |---|---|
//! | `world.rs` | schedules the steps |
//! | `events.rs`, `faults.rs` | the events of a step |
//! | `operations.rs` | the calls of the applications |
//! | `network.rs`, `server.rs` | the connection to the store; the store |
//! | `memory_store.rs` | compares that store with the crate's own |
//! | `history.rs` | every state that the store ever had |
//! | `process.rs`, `knowledge.rs` | the knowledge of a process |
//! | `runtime.rs` | the runtime of a process |
//! | `checks.rs`, `verdict.rs`, `recovery.rs` | the invariants after a step, of an answer, and at the end |
//! | `contention.rs`, `slow_store.rs` | many processes over a store that takes time |
//! | `coverage.rs` | whether the seeds reached every situation |
//!
//! A failing seed is printed with its trace. `ROLECALL_SEED=123 cargo test --test simulation -- --nocapture one_seed`
//! prints it again. `.ci/mutants/protocol` removes each rule of the protocol once and reports whether the simulation
//! fails.
//!
//! Deliberately absent: imports, repairs (`tests/tenants/protocol.rs` has them), threads (one thing happens at a time), and
//! a catalog. Slugs in conflict are not part of the protocol; the random histories test commits under such a catalog.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test says so by failing")]

mod random;
#[macro_use]
mod checks;
mod contention;
mod coverage;
mod faults;
mod events;
mod knowledge;
mod history;
mod network;
mod operations;
mod process;
mod recovery;
mod runtime;
mod server;
mod slow_store;
mod memory_store;
mod trace;
mod verdict;
mod world;

use coverage::{Coverage, WANTED, WANTED_WITH_A_RUNTIME, WANTED_WITH_FOLLOWERS};
use world::World;

/// The coverage of a seed, or the error and the trace.
fn seed(seed: u64, runtimes: bool, follows: bool) -> Result<Coverage, String> {
    let mut world = World::new(seed, false, runtimes);
    world.follows = follows;
    if let Err(what) = world.run() {
        let mut again = World::new(seed, true, runtimes);
        again.follows = follows;
        let (told, lines) = (again.run(), again.trace.lines.unwrap_or_default());
        return Err(format!("seed {seed}: {what}\n{}\n{told:?}", lines.join("\n")));
    }
    Ok(world.coverage)
}

fn seeds(range: std::ops::Range<u64>, runtimes: bool) -> Coverage {
    seeds_with(range, runtimes, false)
}

fn seeds_with(range: std::ops::Range<u64>, runtimes: bool, follows: bool) -> Coverage {
    let mut met = Coverage::default();
    for number in range {
        match seed(number, runtimes, follows) {
            Ok(of_seed) => met.add(&of_seed),
            Err(story) => panic!("{story}"),
        }
    }
    met
}

fn enough(met: &Coverage, wanted: &[(&'static str, u64)], seeds: u64) {
    let (table, seldom) = met.report(wanted, seeds);
    println!("{table}");
    assert!(seldom.is_empty(), "reached too seldom: {seldom:?}\n{table}");
}

/// The first seed of the long tests, which therefore repeat none of the others.
const FAR: u64 = 1_000_000;

/// The number of seeds: `ROLECALL_SEEDS`, or else this many.
fn many(usually: u64) -> u64 {
    std::env::var("ROLECALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usually)
}

#[test]
fn the_protocol_holds_after_every_step_of_many_seeds() {
    let many = many(if cfg!(debug_assertions) { 150 } else { 1_200 });
    enough(&seeds(0..many, false), &WANTED, many);
}

/// The processes have runtimes, and callers hang up.
#[test]
fn the_protocol_holds_after_every_step_of_many_seeds_with_a_runtime() {
    let many = many(if cfg!(debug_assertions) { 150 } else { 1_200 });
    enough(&seeds(0..many, true), &WANTED_WITH_A_RUNTIME, many);
}

/// The processes with runtimes follow each other for a while now and then.
#[test]
fn the_protocol_holds_after_every_step_of_many_seeds_with_followers() {
    let many = many(if cfg!(debug_assertions) { 60 } else { 1_200 });
    enough(&seeds_with(0..many, true, true), &WANTED_WITH_FOLLOWERS, many);
}

#[test]
#[ignore = "long"]
fn the_protocol_holds_after_every_step_of_very_many_seeds() {
    let many = many(100_000);
    enough(&seeds(FAR..FAR + many, false), &WANTED, many);
}

#[test]
#[ignore = "long"]
fn the_protocol_holds_after_every_step_of_very_many_seeds_with_a_runtime() {
    let many = many(25_000);
    enough(&seeds(FAR..FAR + many, true), &WANTED_WITH_A_RUNTIME, many);
}

#[test]
#[ignore = "long"]
fn the_protocol_holds_after_every_step_of_very_many_seeds_with_followers() {
    let many = many(25_000);
    enough(&seeds_with(FAR..FAR + many, true, true), &WANTED_WITH_FOLLOWERS, many);
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for number in 0..20 {
        let story = || {
            let mut world = World::new(number, true, number % 2 == 1);
            let ended = world.run();
            (ended, world.trace.lines.unwrap_or_default())
        };
        let (first, second) = (story(), story());
        assert!(first.1.len() > 50, "the trace has {} lines", first.1.len());
        assert_eq!(first, second);
    }
}

/// `ROLECALL_SEED=123` prints the trace of seed 123, with `ROLECALL_RUNTIME=1` that of processes with runtimes.
#[test]
fn one_seed_of_your_choice() {
    let number = std::env::var("ROLECALL_SEED").ok().and_then(|number| number.parse().ok()).unwrap_or(0);
    let runtimes = std::env::var_os("ROLECALL_RUNTIME").is_some();
    let mut world = World::new(number, true, runtimes);
    let ended = world.run();
    println!("{}", world.trace.lines.unwrap_or_default().join("\n"));
    assert_eq!(ended, Ok(()));
}
