//! Contestants that are timed in turns, since a machine drifts: a turn of each in every round, then medians.

use std::time::{Duration, Instant};

use crate::common::organisation::Size;

/// How much is done for the figures of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds of each race.
    pub(crate) rounds: usize,
    /// How long a turn of checks takes, of whoever needs longer than that for the list.
    pub(crate) turn: Duration,
    /// How long the answers of one contestant are compared.
    pub(crate) compared: Duration,
}

impl Effort {
    /// S is run at each change of the crate, to see that it still runs and is right; M is what the figures are about.
    pub(crate) fn at(size: &Size) -> Self {
        let [rounds, turn, compared] = if size.name == "S" { [7, 30, 200] } else { [31, 80, 1_000] };
        let millis = |n: usize| Duration::from_millis(n as u64);
        Self { rounds, turn: millis(turn), compared: millis(compared) }
    }
}

/// What one contestant's turns took, in nanoseconds for one of what is asked.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    times: Vec<f64>,
    /// How it was measured, for whoever reads the figure.
    pub(crate) how: String,
    /// How many of what is asked make a turn.
    pub(crate) turn: u32,
    /// How many rounds it takes part in.
    rounds: usize,
}

impl Lane {
    /// A lane for somebody who was seen to take so long: turns of about this length, of at most so many.
    pub(crate) fn new(name: &'static str, took: Duration, length: Duration, most: usize) -> Self {
        let turn = (length.as_secs_f64() / took.as_secs_f64().max(1e-9)).clamp(1.0, most as f64) as u32;
        let rounds = if took > Duration::from_millis(100) { 3 } else { usize::MAX };
        Self { name, times: Vec::new(), how: String::new(), turn, rounds }
    }

    /// Takes its turn of a round, unless it has had enough of them.
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

    /// The fastest and the slowest turn.
    pub(crate) fn range(&self) -> (f64, f64) {
        self.times.iter().fold((f64::INFINITY, 0.0), |(least, most), time| (least.min(*time), most.max(*time)))
    }

    pub(crate) fn turn_count(&self) -> usize {
        self.times.len()
    }
}

/// How long this takes once.
pub(crate) fn once(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

pub(crate) fn nanos(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}
