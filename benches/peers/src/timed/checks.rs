//! Checks, each of which waits for the answer before it.

use std::time::Duration;

use crate::common::pace::{Contestant, Pace};
use crate::common::questions::Question;
use crate::race::{Effort, Lane, nanos};

/// Somebody with a list of questions.
pub(crate) struct Entered<'a> {
    pub(crate) contestant: Contestant<'a>,
    pub(crate) asked: &'a [Question],
    /// Whether it answers; else it only waits as long as one who does.
    pub(crate) answers: bool,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(contestant: Contestant<'a>, asked: &'a [Question]) -> Self {
        Self { contestant, asked, answers: true }
    }
}

/// Compares answers, all of them or every n-th, then times all in turns.
pub(crate) fn race(entered: Vec<Entered<'_>>, effort: Effort) -> Vec<Lane> {
    let mut lanes: Vec<(Lane, Contestant<'_>)> = entered.into_iter().map(|entered| lane(entered, effort)).collect();
    for round in 0..effort.rounds {
        for (lane, contestant) in &mut lanes {
            lane.turn(round, |turn| {
                // The others have been in the cache meanwhile.
                contestant.run(Pace::Latency, u64::from(turn / 2));
                nanos(contestant.run(Pace::Latency, u64::from(turn))) / f64::from(turn)
            });
        }
    }
    lanes.into_iter().map(|(lane, _)| lane).collect()
}

fn lane(Entered { mut contestant, asked, answers }: Entered<'_>, effort: Effort) -> (Lane, Contestant<'_>) {
    let took = seen(&mut contestant);
    let every = (asked.len() as f64 * took.as_secs_f64() / effort.compared.as_secs_f64()).ceil().max(1.0) as usize;
    if answers {
        contestant.verify(asked, every);
    }
    let mut lane = Lane::new(contestant.name, took, effort.turn, 1 << 18);
    let compared = match (answers, every) {
        (false, _) => "no answers".to_owned(),
        (true, 1) => "all answers compared".to_owned(),
        (true, every) => format!("every {every}. answer compared"),
    };
    lane.how = format!("median of {} turns of {}; {compared}", effort.rounds, lane.turn);
    (lane, contestant)
}

/// How long one question takes, seen over a few milliseconds.
fn seen(contestant: &mut Contestant<'_>) -> Duration {
    let mut count = 16;
    loop {
        let took = contestant.run(Pace::Latency, count.into());
        if took > Duration::from_millis(4) || count > 1 << 16 {
            return took / count;
        }
        count *= 2;
    }
}
