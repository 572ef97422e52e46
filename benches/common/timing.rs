//! Asks questions in the two ways in which a program does, and measures the time.

use std::time::{Duration, Instant};

use super::questions::Question;

/// How questions follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimingMode {
    /// The questions are independent, so the processor overlaps them.
    Throughput,
    /// Each question waits for the previous answer, which decides the place of the next question in the list.
    Latency,
}

/// An implementation that answers, with the questions in its own form.
pub(crate) struct Contestant<'a> {
    pub(crate) name: &'static str,
    inner: Box<dyn Timed + Send + 'a>,
}

trait Timed {
    fn answer(&self, number: usize) -> bool;
    fn run(&mut self, mode: TimingMode, questions: u64) -> Duration;
}

struct Asked<Q, F> {
    /// Its length is a power of two.
    list: Vec<Q>,
    /// The place of the next question. Without it, short runs would always ask the same first questions.
    at: usize,
    ask: F,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new<Q: Send + 'a>(name: &'static str, list: Vec<Q>, ask: impl Fn(&Q) -> bool + Send + 'a) -> Self {
        assert!(list.len().is_power_of_two(), "the list wraps around");
        Self { name, inner: Box::new(Asked { list, at: 0, ask }) }
    }

    /// Returns the time that this many questions take.
    pub(crate) fn run(&mut self, mode: TimingMode, questions: u64) -> Duration {
        self.inner.run(mode, questions)
    }

    /// Compares every n-th answer with the expected one. Call it before timing.
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

    fn run(&mut self, mode: TimingMode, questions: u64) -> Duration {
        let Self { list, at, ask } = self;
        let mask = list.len() - 1;
        let start = Instant::now();
        let (mut next, mut allowed, mut last) = (*at, 0_u64, 0_usize);
        match mode {
            TimingMode::Throughput => {
                for _ in 0..questions {
                    allowed += u64::from(ask(&list[next & mask]));
                    next += 1;
                }
            }
            TimingMode::Latency => {
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
