//! Times checks, each of which waits for the previous answer.

use std::time::Duration;

use crate::common::questions::Question;
use crate::common::timing::{Contestant, TimingMode};
use crate::race::{Effort, Timings, nanos};

/// A contestant with its list of questions.
pub(crate) struct Entered<'a> {
    pub(crate) contestant: Contestant<'a>,
    pub(crate) asked: &'a [Question],
    /// Whether it gives answers. Otherwise it only takes as long.
    pub(crate) answers: bool,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(contestant: Contestant<'a>, asked: &'a [Question]) -> Self {
        Self { contestant, asked, answers: true }
    }
}

/// Compares all answers or every n-th, then times all contestants in turns.
pub(crate) fn race(entered: Vec<Entered<'_>>, effort: Effort) -> Vec<Timings> {
    let mut all_timings: Vec<(Timings, Contestant<'_>)> =
        entered.into_iter().map(|entered| timings(entered, effort)).collect();
    for round in 0..effort.rounds {
        for (timings, contestant) in &mut all_timings {
            timings.turn(round, |turn| {
                // Warm up: the other contestants have used the cache.
                contestant.run(TimingMode::Latency, u64::from(turn / 2));
                nanos(contestant.run(TimingMode::Latency, u64::from(turn))) / f64::from(turn)
            });
        }
    }
    all_timings.into_iter().map(|(timings, _)| timings).collect()
}

fn timings(Entered { mut contestant, asked, answers }: Entered<'_>, effort: Effort) -> (Timings, Contestant<'_>) {
    let took = estimate(&mut contestant);
    let every = (asked.len() as f64 * took.as_secs_f64() / effort.compared.as_secs_f64()).ceil().max(1.0) as usize;
    if answers {
        contestant.verify(asked, every);
    }
    let mut timings = Timings::new(contestant.name, took, effort.turn, 1 << 18);
    let compared = match (answers, every) {
        (false, _) => "no answers".to_owned(),
        (true, 1) => "all answers compared".to_owned(),
        (true, every) => format!("every {every}. answer compared"),
    };
    timings.how = format!("median of {} turns of {}; {compared}", effort.rounds, timings.turn);
    (timings, contestant)
}

/// Returns the time of one question, measured over a few milliseconds.
fn estimate(contestant: &mut Contestant<'_>) -> Duration {
    let mut count = 16;
    loop {
        let took = contestant.run(TimingMode::Latency, count.into());
        if took > Duration::from_millis(4) || count > 1 << 16 {
            return took / count;
        }
        count *= 2;
    }
}
