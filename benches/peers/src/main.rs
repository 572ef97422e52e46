//! Times rolecall beside the libraries that one could use instead, in turns, in one run, on the workload of the crate's
//! benches. Answers are compared with the right ones before anything is timed, and again after a change.
//!
//! ```text
//! benches/peers/run                     # memory, then times, at S and M; nothing is kept
//! ROLECALL_SIZES=S benches/peers/run    # S alone
//! benches/peers/run --write             # and keeps figures.csv, and draws src/docs/figures.svg from it
//! ```
//!
//! Each contestant is in a file of its own in `src/peers/`, whose header says which version and which documented use it
//! is, what it was given and what it cannot do. Answer caches are off. A slow contestant is asked fewer questions a
//! turn, and its answers are compared every so often; one that is asked about each user for "who can do this" is asked
//! about some, and the time is multiplied; a turn of more than 100 ms is taken three times. The column `how` of the
//! figures says which.
//!
//! Deliberately absent: size L, where some peers do not fit in memory, and throughput, which none of them is built for.

fn main() {
    rolecall_peers::timed::run(std::env::args().any(|argument| argument == "--write"));
}
