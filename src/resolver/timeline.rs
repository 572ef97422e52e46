//! Sets of numbers over time, from an instant on.
//!
//! A set changes only where a window begins or ends, so it is stored as steps. Without a window there is one step.
//!
//! Deliberately absent: the meaning of the numbers, and the time before the first instant.

use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, Window, WindowSet};
use crate::resolver::bits::Bits;

/// The name of the internal fault of a timeline without a step.
pub(crate) const STEP: &str = "a timeline has a step";

/// A set of numbers at each instant from a first one on.
///
/// INVARIANT: there is at least one step, and the instants of the steps ascend. The set of a step holds from its instant
/// until before that of the next step.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    steps: Vec<(Timestamp, Bits)>,
}

impl Timeline {
    /// The empty set at each instant from this one on.
    pub(crate) fn new(from: Timestamp) -> Self {
        Self::always(from, Bits::new())
    }

    /// The same set at each instant from this one on.
    pub(crate) fn always(from: Timestamp, set: Bits) -> Self {
        Self { steps: vec![(from, set)] }
    }

    /// Whether the set is empty at each instant.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.iter().all(|(_, set)| set.is_empty())
    }

    /// The sets and the windows during which they hold. The time before the first instant does not count, so the first
    /// window has no beginning.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Window, &Bits)> {
        let ends = self.steps.iter().skip(1).map(|(start, _)| Some(*start)).chain([None]);
        self.steps.iter().zip(ends).enumerate().filter_map(|(n, ((start, set), end))| {
            let window = Window::new(Some(*start).filter(|_| n > 0), end).ok();
            Some((must(window, "the steps of a timeline ascend")?, set))
        })
    }

    /// Every number that is in the set at some instant.
    pub(crate) fn numbers(&self) -> Bits {
        let mut all = Bits::new();
        self.steps.iter().for_each(|(_, set)| all.union_with(set));
        all
    }

    /// Adds what another timeline from the same instant has during a window.
    ///
    /// # Complexity
    /// O(words) without windows, otherwise at most quadratic in the steps of both.
    pub(crate) fn add(&mut self, other: &Self, during: Window) {
        if other.is_empty() {
            return;
        }
        if let ([(start, mine)], [(_, theirs)], None) = (&mut *self.steps, &*other.steps, during.end()) {
            if during.contains(*start) {
                mine.union_with(theirs);
                return;
            }
        }
        let begins = other.steps.iter().map(|(start, _)| *start).filter(|start| during.contains(*start));
        begins.chain(during.start()).chain(during.end()).for_each(|instant| self.split(instant));
        for (start, set) in self.steps.iter_mut().filter(|(start, _)| during.contains(*start)) {
            set.union_with(other.at(*start));
        }
        self.steps.dedup_by(|later, earlier| later.1 == earlier.1);
    }

    /// Adds a number during each of these windows.
    pub(crate) fn insert(&mut self, number: u32, during: &WindowSet) {
        // Without it, a right that somebody lacks would be forgotten (R13).
        let Some((from, _)) = must(self.steps.first(), STEP) else { return };
        let one = Self::always(*from, [number].into_iter().collect());
        during.windows().iter().for_each(|window| self.add(&one, *window));
    }

    /// Lets a step begin at this instant, unless it is before the first one.
    fn split(&mut self, instant: Timestamp) {
        let next = self.steps.partition_point(|(start, _)| *start <= instant);
        let Some((start, set)) = next.checked_sub(1).and_then(|before| self.steps.get(before)) else { return };
        if *start < instant {
            let set = set.clone();
            self.steps.insert(next, (instant, set));
        }
    }

    fn at(&self, instant: Timestamp) -> &Bits {
        const NOTHING: &Bits = &Bits::new();
        let next = self.steps.partition_point(|(start, _)| *start <= instant);
        next.checked_sub(1).and_then(|at| self.steps.get(at)).map_or(NOTHING, |(_, set)| set)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const FROM: i64 = 5;

    fn at(n: i64) -> Timestamp {
        Timestamp::from_micros(n).unwrap()
    }

    fn window() -> impl Strategy<Value = Window> {
        (0..14_i64, 1..8_i64, 0..5_u8).prop_map(|(from, length, kind)| match kind {
            0 => Window::from(at(from)),
            1 => Window::until(at(from)),
            2 => Window::ALWAYS,
            _ => Window::between(at(from), at(from + length)).unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_timeline_has_at_each_instant_what_was_added_for_it(
            first in vec((0..4_u32, window()), 0..6),
            second in vec((0..4_u32, window()), 0..6),
            during in window(),
        ) {
            let timeline = |added: &[(u32, Window)]| {
                let mut timeline = Timeline::new(at(FROM));
                for (n, window) in added {
                    timeline.insert(*n, &[*window].into_iter().collect());
                }
                timeline
            };
            let mut sum = timeline(&first);
            sum.add(&timeline(&second), during);
            let mut all = BTreeSet::new();
            for instant in (FROM..30).map(at) {
                let of = |added: &[(u32, Window)]| -> BTreeSet<u32> {
                    added.iter().filter(|(_, window)| window.contains(instant)).map(|(n, _)| *n).collect()
                };
                let mut expected = of(&first);
                if during.contains(instant) {
                    expected.extend(of(&second));
                }
                prop_assert!(sum.at(instant).iter().eq(expected.iter().copied()));
                let steps: Vec<_> = sum.steps().filter(|(window, _)| window.contains(instant)).collect();
                prop_assert!(steps.len() == 1 && steps[0].1.iter().eq(expected.iter().copied()));
                all.extend(expected);
            }
            prop_assert_eq!(sum.is_empty(), all.is_empty());
            prop_assert!(sum.numbers().iter().eq(all));
            prop_assert!(sum.steps.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
        }
    }
}
