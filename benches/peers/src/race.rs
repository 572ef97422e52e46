//! Times contestants in turns, since the speed of a machine drifts: one turn each in every round, then medians.

use std::time::{Duration, Instant};

use crate::common::organisation::Size;

/// The effort for one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// The rounds of each race.
    pub(crate) rounds: usize,
    /// The longest turn of checks. A contestant that needs longer for the whole list is asked a part of it.
    pub(crate) turn: Duration,
    /// The time for comparing the answers of one contestant.
    pub(crate) compared: Duration,
}

impl Effort {
    /// Returns the effort for a size. S runs in the full check of the repository; M is for the published results.
    pub(crate) fn at(size: &Size) -> Self {
        let [rounds, turn, compared] = if size.name == "S" { [7, 30, 200] } else { [31, 80, 1_000] };
        let millis = |n: usize| Duration::from_millis(n as u64);
        Self { rounds, turn: millis(turn), compared: millis(compared) }
    }
}

/// The times of one contestant's turns, in nanoseconds for one operation.
pub(crate) struct Timings {
    pub(crate) name: &'static str,
    times: Vec<f64>,
    /// How it was measured, for the readers of the results.
    pub(crate) how: String,
    /// The operations of one turn.
    pub(crate) turn: u32,
    /// The number of rounds that it takes part in.
    rounds: usize,
}

impl Timings {
    /// Creates an entry for a contestant that takes `took` for one operation. Its turns last about `length` and have at
    /// most `most` operations.
    pub(crate) fn new(name: &'static str, took: Duration, length: Duration, most: usize) -> Self {
        let turn = (length.as_secs_f64() / took.as_secs_f64().max(1e-9)).clamp(1.0, most as f64) as u32;
        let rounds = if took > Duration::from_millis(100) { 3 } else { usize::MAX };
        Self { name, times: Vec::new(), how: String::new(), turn, rounds }
    }

    /// Runs one turn, if the contestant takes part in this round.
    pub(crate) fn turn(&mut self, round: usize, turn: impl FnOnce(u32) -> f64) {
        if round < self.rounds {
            self.times.push(turn(self.turn));
        }
    }

    pub(crate) fn median(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// Returns the times of the fastest and of the slowest turn.
    pub(crate) fn range(&self) -> (f64, f64) {
        self.times.iter().fold((f64::INFINITY, 0.0), |(least, most), time| (least.min(*time), most.max(*time)))
    }

    pub(crate) fn turn_count(&self) -> usize {
        self.times.len()
    }
}

/// Measures one call.
pub(crate) fn once(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

pub(crate) fn nanos(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}
