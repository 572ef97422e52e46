//! A span of time in which the same windows of a user are active, short enough for the user's index entry.
//!
//! Most checks of a user with windows come at an instant at which nothing begins or ends. For one span, the index entry
//! says what is active, so that such a check reads no window. A span is in units of 18 hours. In the unit
//! in which something begins or ends, a check reads the windows.

use smallvec::SmallVec;

use crate::model::records::{Timestamp, Window};

/// The length of a unit and the start of unit 0, in seconds. The tests of this crate's modules have short ones, so that
/// small histories reach spans.
const UNIT: i64 = if cfg!(test) { 3 } else { 1 << 16 };
/// The beginning of 2020.
const FIRST: i64 = if cfg!(test) { 0 } else { 1_577_836_800 };

const SECOND: i64 = 1_000_000;

/// The bits of the first unit, which leave two for the caller.
pub(super) const START_BITS: u32 = 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SteadySpan {
    /// The first unit; below 2¹⁴.
    pub(super) start: u16,
    /// The unit after the last one.
    pub(super) end: u16,
}

impl SteadySpan {
    /// The span in which most of these windows are active, the latest of several, and which of them are: bit 0 is the
    /// first window. `None` if it has no whole unit. There are at most 64 windows.
    pub(super) fn of(windows: &[Window]) -> Option<(Self, u64)> {
        let active = |at: i64| (0..).zip(windows).fold(0, |all, (n, w)| all | u64::from(w.contains_micros(at)) << n);
        let bounds = windows.iter().flat_map(|window| window.bounds());
        let mut bounds: SmallVec<[i64; 12]> = bounds.chain([i64::MIN]).filter(|at| *at != i64::MAX).collect();
        bounds.sort_unstable();
        let spans = bounds.iter().zip(bounds.iter().skip(1).chain([&i64::MAX])).filter(|(from, until)| from < until);
        let (from, until) = spans.max_by_key(|(from, _)| active(**from).count_ones())?;
        let start = if *from == i64::MIN { 0 } else { unit(from.saturating_add(UNIT * SECOND - 1)).max(0) };
        let span =
            Self { start: u16::try_from(start).ok()?, end: u16::try_from(unit(*until).min(u16::MAX.into())).ok()? };
        (span.start < span.end && span.start < 1 << START_BITS).then(|| (span, active(*from)))
    }

    /// Whether an instant is in it. In its units, nothing begins and nothing ends.
    #[inline]
    pub(super) fn contains(self, at: Timestamp) -> bool {
        let at = unit(at.as_micros());
        i64::from(self.start) <= at && at < i64::from(self.end)
    }
}

/// The unit of an instant in microseconds.
#[inline]
fn unit(at: i64) -> i64 {
    at.saturating_sub(FIRST * SECOND).div_euclid(UNIT * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn windows() -> impl Strategy<Value = Window> {
        let at = |secs: i64| Timestamp::from_secs(secs).unwrap();
        (-40..60i64, 1..60i64, 0..3u8).prop_map(move |(from, long, kind)| match kind {
            0 => Window::from(at(from)),
            1 => Window::until(at(from)),
            _ => Window::between(at(from), at(from + long)).unwrap(),
        })
    }

    #[test]
    fn the_latest_span_with_most_windows_is_taken() {
        let at = |secs: i64| Timestamp::from_secs(secs).unwrap();
        let windows = [Window::until(at(12)), Window::between(at(3), at(6)).unwrap(), Window::from(at(9))];
        assert_eq!(SteadySpan::of(&windows), Some((SteadySpan { start: 3, end: 4 }, 0b101)));
        assert_eq!(SteadySpan::of(&windows[..1]), Some((SteadySpan { start: 0, end: 4 }, 1)));
        assert_eq!(SteadySpan::of(&windows[2..]), Some((SteadySpan { start: 3, end: u16::MAX }, 1)));
        assert_eq!(SteadySpan::of(&[Window::between(at(4), at(8)).unwrap()]), None, "no whole unit");
        assert_eq!(SteadySpan::of(&[Window::until(at(-9))]), None, "before the first unit");
        assert_eq!(SteadySpan::of(&[Window::from(at(1 << 17))]), None, "beyond the last unit");
        for from in [Timestamp::MIN, Timestamp::MAX] {
            assert!(!SteadySpan::of(&[Window::from(at(9))]).unwrap().0.contains(from), "{from}");
        }
    }

    proptest! {
        #[test]
        fn the_same_windows_are_active_throughout(windows in vec(windows(), 1..5), instants in vec(-50..130i64, 40)) {
            let Some((span, active)) = SteadySpan::of(&windows) else { return Ok(()) };
            for at in instants.into_iter().map(|secs| Timestamp::from_secs(secs).unwrap()) {
                let expected = (0..).zip(&windows).fold(0, |all, (n, w)| all | u64::from(w.contains(at)) << n);
                prop_assert!(!span.contains(at) || active == expected, "{span:?} {at}");
            }
        }
    }
}
