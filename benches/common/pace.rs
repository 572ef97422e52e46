//! Asking, in the two ways in which a program does, and looking at the clock.

use std::time::{Duration, Instant};

use super::questions::Question;

/// How questions follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Independent of each other: the processor overlaps them.
    Throughput,
    /// Each waits for the answer before it, which decides where in the list the next one is read.
    Latency,
}

/// Who answers, with the questions put into its words.
pub(crate) struct Contestant<'a> {
    pub(crate) name: &'static str,
    inner: Box<dyn Timed + Send + 'a>,
}

trait Timed {
    fn answer(&self, number: usize) -> bool;
    fn run(&mut self, pace: Pace, questions: u64) -> Duration;
}

struct Asked<Q, F> {
    /// As many as a power of two.
    list: Vec<Q>,
    /// Where the list goes on: a short run must not ask its beginning again and again.
    at: usize,
    ask: F,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new<Q: Send + 'a>(name: &'static str, list: Vec<Q>, ask: impl Fn(&Q) -> bool + Send + 'a) -> Self {
        assert!(list.len().is_power_of_two(), "the list is walked round");
        Self { name, inner: Box::new(Asked { list, at: 0, ask }) }
    }

    /// How long so many questions take.
    pub(crate) fn run(&mut self, pace: Pace, questions: u64) -> Duration {
        self.inner.run(pace, questions)
    }

    /// Compares the answers with the right ones, before anything is timed.
    pub(crate) fn verify(&self, questions: &[Question], every: usize) {
        for (number, question) in questions.iter().enumerate().step_by(every) {
            assert_eq!(self.inner.answer(number), question.allowed, "{} is wrong about {question:?}", self.name);
        }
    }
}

impl<Q, F: Fn(&Q) -> bool> Timed for Asked<Q, F> {
    fn answer(&self, number: usize) -> bool {
        (self.ask)(&self.list[number])
    }

    fn run(&mut self, pace: Pace, questions: u64) -> Duration {
        let Self { list, at, ask } = self;
        let mask = list.len() - 1;
        let start = Instant::now();
        let (mut next, mut allowed, mut last) = (*at, 0_u64, 0_usize);
        match pace {
            Pace::Throughput => {
                for _ in 0..questions {
                    allowed += u64::from(ask(&list[next & mask]));
                    next += 1;
                }
            }
            Pace::Latency => {
                for _ in 0..questions {
                    last = usize::from(ask(&list[(next + last) & mask]));
                    next += 1;
                }
            }
        }
        let took = start.elapsed();
        std::hint::black_box((allowed, last));
        *at = next & mask;
        took
    }
}
