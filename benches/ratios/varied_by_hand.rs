//! The strongest form by hand, for an organisation with one thing varied.
//!
//! It has the same work whatever is varied, so it shows which part of a slower check is due to the memory that any table of
//! so many permissions needs.

use std::hint::black_box;

use crate::common::by_hand::Fast;
use crate::common::organisation::now;
use crate::time_questions;
use crate::varied::{Asked, Varied};

/// A table by hand with rows of any length. One call asks all questions, so that rows of a fixed length stay fast.
pub(crate) trait ByHand {
    /// Nanoseconds for a question that waits for the last answer.
    fn latency(&self, questions: &[Asked]) -> f64;

    /// Nanoseconds for an independent question.
    fn throughput(&self, questions: &[Asked]) -> f64;
}

/// The table of an organisation.
pub(crate) fn by_hand(varied: &Varied) -> Box<dyn ByHand> {
    let records = varied.records();
    match varied.permissions().div_ceil(64) {
        0..=16 => Box::new(Fast::<16>::from_records(&records, now())),
        17..=64 => Box::new(Fast::<64>::from_records(&records, now())),
        65..=216 => Box::new(Fast::<216>::from_records(&records, now())),
        words => {
            assert!(words <= 313, "no variation has so many permissions");
            Box::new(Fast::<313>::from_records(&records, now()))
        }
    }
}

impl<const N: usize> ByHand for Fast<N> {
    fn latency(&self, questions: &[Asked]) -> f64 {
        time_questions(questions.len(), |count| {
            let mut answer = 0;
            for n in 0..count {
                let question = &questions[(n + answer) % questions.len()];
                answer = usize::from(self.check(&question.user.as_uuid(), question.permission));
            }
            black_box(answer);
        })
    }

    fn throughput(&self, questions: &[Asked]) -> f64 {
        let ask = |question: &&Asked| self.check(&question.user.as_uuid(), question.permission);
        time_questions(questions.len(), |count| {
            black_box(questions[..count].iter().filter(ask).count());
        })
    }
}
