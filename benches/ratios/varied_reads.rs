//! The reads that each check of an organisation with one thing varied makes at least: the lines of the user's entry, and
//! then, for each column of the user, the line that has it.
//!
//! The tables are as large as those of the crate. A check also follows the pointers that lead there, and decides. So its time
//! is at least that of these reads. If they take longer than in the plain organisation, memory is the cause.

use std::hint::black_box;
use std::ops::Range;

use crate::time_questions;
use crate::varied::{Asked, Varied};

/// The columns in a cache line, one bit each.
const COLUMNS: usize = 512;

type Line = [u64; 8];

pub(crate) struct Reads {
    entries: Vec<Line>,
    /// The lines of an entry.
    entry: usize,
    columns: Vec<Line>,
    questions: Vec<Places>,
    lines: Vec<u32>,
}

/// The lines that a question reads.
struct Places {
    entry: u32,
    columns: Range<u32>,
}

/// Lines of zeros, each of which was written. A line that was never written is in no memory of its own.
fn lines(count: usize) -> Vec<Line> {
    (0..count).map(|_| black_box([0; 8])).collect()
}

impl Reads {
    pub(crate) fn new(varied: &Varied, questions: &[Asked]) -> Self {
        let (users, sources) = (varied.variation.users() as usize, varied.source_count());
        let bytes = varied.variation.entry_bytes();
        let (entry, across) = (bytes.div_ceil(80), sources.div_ceil(COLUMNS));
        let entries = users * bytes / size_of::<Line>();
        let (sources_of, mut all) = (varied.sources(), Vec::new());
        let mut places = |question: &Asked| {
            let line = |source: &u32| question.permission as usize * across + *source as usize / COLUMNS;
            let mut columns: Vec<u32> =
                sources_of[&question.user].iter().map(|source| u32::try_from(line(source)).unwrap()).collect();
            columns.sort_unstable();
            columns.dedup();
            // Ids are random, so their first bits lead anywhere.
            let hash = usize::try_from(question.user.as_uuid().as_u128() >> 96).unwrap();
            let place = (hash * (entries - entry)) >> 32;
            let start = u32::try_from(all.len()).unwrap();
            all.extend(columns);
            Places { entry: u32::try_from(place).unwrap(), columns: start..u32::try_from(all.len()).unwrap() }
        };
        let questions = questions.iter().map(&mut places).collect();
        Self {
            entries: lines(entries),
            entry,
            columns: lines(varied.permissions() as usize * across),
            questions,
            lines: all,
        }
    }

    /// Nanoseconds for a question that waits for the last answer.
    pub(crate) fn latency(&self) -> f64 {
        time_questions(self.questions.len(), |count| {
            let mut answer = 0;
            for n in 0..count {
                let places = &self.questions[(n + answer) % self.questions.len()];
                let lines = &self.entries[places.entry as usize..][..self.entry];
                let entry = usize::from(lines.iter().fold(0, |all, line| all | line[answer]) != 0);
                let columns = &self.lines[places.columns.start as usize..places.columns.end as usize];
                let read = |all: u64, line: &u32| all | self.columns[*line as usize + entry][answer];
                answer = usize::from(columns.iter().fold(0, read) != 0);
            }
            black_box(answer);
        })
    }
}
