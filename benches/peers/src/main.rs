//! Times rolecall and other libraries in turns, in one run, on the workload of the crate's benches.
//!
//! The answers are compared with the expected ones before timing, and again after a change.
//!
//! ```text
//! benches/peers/run                        # memory, then times, at S and M; writes no file
//! ROLECALL_SIZES=S benches/peers/run       # S only
//! ROLECALL_SIZES=M4000 benches/peers/run   # checks only, at M with 4,000 permissions
//! benches/peers/run --write                # also writes figures.csv and src/docs/figures.svg
//! ```
//!
//! Each contestant has a file in `src/peers/`. Its header gives the version, the documented use, the input, and what the
//! library cannot do. Caches of answers are off. Slow contestants get less work:
//!
//! - fewer questions in a turn, and only some answers are compared;
//! - for "who can do this", a contestant that must be asked about each user is asked about some, and the time multiplied;
//! - a contestant whose turn takes more than 100 ms has three turns.
//!
//! The column `how` of the results says which.
//!
//! Deliberately absent: size L, where some peers do not fit in memory, and throughput, which no peer is built for.

fn main() {
    rolecall_peers::timed::run(std::env::args().any(|argument| argument == "--write"));
}
