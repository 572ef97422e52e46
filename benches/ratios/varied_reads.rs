//! The reads alone that a check makes of an organisation with one thing varied: the entry of the user, then the columns of
//! its sources.
//!
//! It reads as much memory as the tables of the crate have, in the same order, and does nothing with it. So it shows how
//! much longer a check must take on a machine, whatever its code does.

use std::hint::black_box;
use std::time::Instant;

use crate::variations::each;
use crate::varied::{Asked, Varied};

/// The columns in a cache line, one bit each.
const COLUMNS: usize = 512;

type Line = [u64; 8];

pub(crate) struct Reads {
    entries: Vec<Line>,
    columns: Vec<Line>,
    questions: Vec<Places>,
}

/// The lines that a question reads.
struct Places {
    entry: u32,
    columns: Vec<u32>,
}

impl Reads {
    pub(crate) fn new(varied: &Varied, questions: &[Asked]) -> Self {
        let (users, sources) = (varied.variation.users() as usize, varied.source_count());
        let entries = users * varied.variation.entry_bytes() / size_of::<Line>();
        let across = sources.div_ceil(COLUMNS);
        let sources_of = varied.sources();
        let places = |question: &Asked| {
            let line = |source: &u32| question.permission as usize * across + *source as usize / COLUMNS;
            let mut columns: Vec<u32> =
                sources_of[&question.user].iter().map(|source| u32::try_from(line(source)).unwrap()).collect();
            columns.sort_unstable();
            columns.dedup();
            // Ids are random, so their first bits lead anywhere.
            let hash = question.user.as_uuid().as_u128() >> 96;
            Places { entry: u32::try_from(hash as usize * entries >> 32).unwrap(), columns }
        };
        Self {
            entries: black_box(vec![[0; 8]; entries]),
            columns: black_box(vec![[0; 8]; varied.permissions() as usize * across]),
            questions: questions.iter().map(places).collect(),
        }
    }

    /// Nanoseconds for a question that waits for the last answer.
    pub(crate) fn latency(&self) -> f64 {
        let mut answer = 0;
        let start = Instant::now();
        for n in 0..self.questions.len() {
            let places = &self.questions[(n + answer) % self.questions.len()];
            let entry = self.entries[places.entry as usize][answer] as usize;
            let read = |all: u64, column: &u32| all | self.columns[*column as usize + entry][answer];
            answer = places.columns.iter().fold(0, read) as usize;
        }
        black_box(answer);
        each(start, self.questions.len())
    }
}
