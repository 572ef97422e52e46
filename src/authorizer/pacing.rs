//! Lets other processes write too.
//!
//! A process that commits without a pause leaves no gap in which another one could read the latest revision and commit on
//! it. The other process meets a conflict every time, and the first never learns of it.
//!
//! So a process that commits in a row asks the store for news from time to time, before it plans the next update. That
//! takes as long as the store takes for a call, whichever store it is, and needs no timer. The other process commits
//! meanwhile.
//!
//! More retries alone do not help. Two processes whose calls take equally long keep step, and the one that lost loses
//! again. Measured in `tests/simulation/contention.rs` with 256 retries and no gaps: 7 of 160 removals beside a busy
//! process failed, and others took a second. With 64 retries and calls that all take the same time, all 40 failed. Longer
//! waits between retries do not help either, because the busy process leaves no gap to hit.

use std::sync::{Mutex, PoisonError};

use crate::model::records::Timestamp;

/// After this many commits in a row, a process lets others in. It costs a ninth of its time at most.
const ALONE: u32 = 16;
/// The same for a process that has met commits of others lately.
const AMONG_OTHERS: u32 = 4;
/// How long the commits of others count as lately: this many commits in a row.
const LATELY: u32 = 64;
/// How many calls to the store it then makes. The gap between two of its commits is that many calls and one more. Another
/// process that meets conflicts commits and asks for news in turn, so it does both within such a gap.
pub(super) const CALLS: u32 = 2;

/// How the commits of this process to one tenant follow each other.
#[derive(Debug, Default)]
pub(crate) struct Pacing(Mutex<PacingState>);

#[derive(Debug, Default)]
struct PacingState {
    /// The commits in a row since others were let in.
    in_a_row: u32,
    /// For how many more commits this process counts as one among others.
    among_others: u32,
    /// When the last commit began and ended, in microseconds.
    last: Option<(i64, i64)>,
}

impl Pacing {
    fn with<R>(&self, f: impl FnOnce(&mut PacingState) -> R) -> R {
        // Every critical section is plain assignments, so the value is valid even after a panic.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether an update that begins now lets others in first.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.with(|state| {
            // A pause as long as the last commit is room enough.
            let paused = state
                .last
                .is_some_and(|(began, ended)| now.as_micros().saturating_sub(ended) > ended.saturating_sub(began));
            if paused {
                *state = PacingState::default();
            }
            let bound = if state.among_others > 0 { AMONG_OTHERS } else { ALONE };
            let is_due = state.in_a_row >= bound;
            if is_due {
                state.in_a_row = 0;
            }
            is_due
        })
    }

    /// Counts a commit.
    pub(super) fn committed(&self, began: Timestamp, ended: Timestamp) {
        self.with(|state| {
            state.in_a_row = state.in_a_row.saturating_add(1);
            state.among_others = state.among_others.saturating_sub(1);
            state.last = Some((began.as_micros(), ended.as_micros()));
        });
    }

    /// Notes that another process has committed.
    pub(super) fn met_others(&self) {
        self.with(|state| state.among_others = LATELY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    /// Commits of 10 µs with this pause after each. Returns how many there are before others are let in.
    fn commits(pacing: &Pacing, pause: i64) -> Option<usize> {
        (0..200_i64).position(|n| {
            let began = n * (10 + pause);
            let is_due = pacing.is_due(at(began));
            pacing.committed(at(began), at(began + 10));
            is_due
        })
    }

    #[test]
    fn commits_in_a_row_let_others_in() {
        assert_eq!(commits(&Pacing::default(), 0), Some(16));
        assert_eq!(commits(&Pacing::default(), 10), Some(16), "a pause as long as a commit still counts as a row");
    }

    #[test]
    fn commits_with_pauses_cost_no_calls() {
        assert_eq!(commits(&Pacing::default(), 11), None);
    }

    #[test]
    fn a_process_among_others_lets_them_in_sooner() {
        let pacing = Pacing::default();
        pacing.met_others();
        assert_eq!(commits(&pacing, 0), Some(4));
    }

    #[test]
    fn commits_of_others_count_for_64_commits() {
        let pacing = Pacing::default();
        pacing.met_others();
        let is_due = |n: i64| {
            let is_due = pacing.is_due(at(n * 10));
            pacing.committed(at(n * 10), at(n * 10 + 10));
            is_due
        };
        let due: Vec<i64> = (0..100).filter(|n| is_due(*n)).collect();
        let among_others = (4..64).step_by(4);
        assert_eq!(due, among_others.chain([76, 92]).collect::<Vec<_>>());
    }

    #[test]
    fn a_clock_that_goes_back_is_harmless() {
        let pacing = Pacing::default();
        pacing.committed(at(100), at(50));
        assert!(!pacing.is_due(at(0)));
    }
}
