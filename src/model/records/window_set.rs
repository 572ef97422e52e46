//! Sets of windows: all instants at which one thing or another is active.

use std::fmt;

use serde::{Serialize, Serializer};
use smallvec::{SmallVec, smallvec};

use super::{Timestamp, Window};

/// A set of instants, as windows that neither overlap nor touch, in the order of time.
///
/// [`Moment::access_windows`](crate::Moment::access_windows) returns one. Through serde it is the list of the windows.
///
/// ```
/// use rolecall::{Timestamp, Window, records::WindowSet};
///
/// let at = |secs| Timestamp::from_secs(secs);
/// let set: WindowSet = [Window::between(at(1)?, at(3)?)?, Window::between(at(2)?, at(5)?)?].into_iter().collect();
/// assert_eq!(set.windows(), [Window::between(at(1)?, at(5)?)?]);
/// assert!(set.contains(at(4)?) && !set.contains(at(5)?));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct WindowSet(SmallVec<[Window; 1]>);

impl WindowSet {
    /// Returns the set of all instants.
    ///
    /// ```
    /// use rolecall::{Timestamp, records::WindowSet};
    ///
    /// assert!(WindowSet::always().contains(Timestamp::MAX));
    /// ```
    pub fn always() -> Self {
        Self(smallvec![Window::ALWAYS])
    }

    /// Returns the windows, in the order of time. Between two of them there is at least an instant outside.
    ///
    /// ```
    /// use rolecall::records::WindowSet;
    ///
    /// assert!(WindowSet::default().windows().is_empty());
    /// ```
    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    /// Returns whether the set contains every instant.
    ///
    /// ```
    /// use rolecall::records::WindowSet;
    ///
    /// assert!(WindowSet::always().is_always() && !WindowSet::default().is_always());
    /// ```
    pub fn is_always(&self) -> bool {
        self.0.first().is_some_and(|window| window.is_always())
    }

    /// Returns whether the set contains no instant.
    ///
    /// ```
    /// use rolecall::records::WindowSet;
    ///
    /// assert!(WindowSet::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the set contains an instant.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window, records::WindowSet};
    ///
    /// let set: WindowSet = [Window::until(Timestamp::UNIX_EPOCH)].into_iter().collect();
    /// assert!(!set.contains(Timestamp::UNIX_EPOCH));
    /// ```
    ///
    /// # Complexity
    /// O(log windows).
    pub fn contains(&self, at: Timestamp) -> bool {
        self.0.get(self.ended(at)).is_some_and(|window| window.contains(at))
    }

    /// Returns the next instant after this one at which the set starts or stops containing instants.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window, records::WindowSet};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// let set: WindowSet = [Window::between(one, two)?].into_iter().collect();
    /// assert_eq!(set.next_change(Timestamp::UNIX_EPOCH), Some(one));
    /// assert_eq!(set.next_change(one), Some(two));
    /// assert_eq!(set.next_change(two), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(log windows).
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        self.0.get(self.ended(after))?.next_edge(after)
    }

    /// Returns the last instant, this one included, at which the set stopped containing instants.
    pub(crate) fn last_end(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.get(self.ended(at).checked_sub(1)?)?.end()
    }

    /// Adds the instants of a window.
    ///
    /// # Complexity
    /// O(windows).
    pub(crate) fn insert(&mut self, window: Window) {
        let Some(window) = window.intersection(Window::ALWAYS) else { return };
        let first = self.0.partition_point(|other| other.ends_before(window));
        let merged = self.0.get(first..).unwrap_or_default().iter().take_while(|other| !window.ends_before(**other));
        let (mut count, mut all) = (0, window);
        for other in merged {
            (count, all) = (count + 1, all.hull(*other));
        }
        self.0.drain(first..first + count);
        self.0.insert(first, all);
    }

    /// Adds the instants of a set that are in a window.
    pub(crate) fn insert_within(&mut self, set: &Self, window: Window) {
        set.0.iter().filter_map(|other| other.intersection(window)).for_each(|window| self.insert(window));
    }

    /// Returns whether the set and a window have an instant in common.
    pub(crate) fn meets(&self, window: Window) -> bool {
        let first = self.0.partition_point(|other| other.ends_before(window));
        self.0.get(first..).unwrap_or_default().iter().take(2).any(|other| other.intersection(window).is_some())
    }

    /// The number of windows that have ended at this instant.
    fn ended(&self, at: Timestamp) -> usize {
        self.0.partition_point(|window| window.end().is_some_and(|end| end <= at))
    }
}

impl FromIterator<Window> for WindowSet {
    fn from_iter<I: IntoIterator<Item = Window>>(windows: I) -> Self {
        let mut set = Self::default();
        windows.into_iter().for_each(|window| set.insert(window));
        set
    }
}

impl Serialize for WindowSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

/// The windows, with commas. `never` for the empty set.
impl fmt::Display for WindowSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("never");
        }
        for (i, window) in self.0.iter().enumerate() {
            write!(f, "{}{window}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for WindowSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(n: i64) -> Timestamp {
        Timestamp::from_micros(n).unwrap()
    }

    fn window() -> impl Strategy<Value = Window> {
        (0..14_i64, 1..8_i64, 0..4_u8).prop_map(|(from, length, kind)| match kind {
            0 => Window::from(at(from)),
            1 => Window::until(at(from)),
            _ => Window::between(at(from), at(from + length)).unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_set_of_windows_answers_like_a_set_of_instants(windows in vec(window(), 0..8), cut in window()) {
            let set: WindowSet = windows.iter().copied().collect();
            let contains = |n| windows.iter().any(|window| window.contains(at(n)));
            let mut cut_set = WindowSet::default();
            cut_set.insert_within(&set, cut);
            for n in 0..30 {
                prop_assert_eq!(set.contains(at(n)), contains(n));
                prop_assert_eq!(cut_set.contains(at(n)), contains(n) && cut.contains(at(n)));
                let change = (n + 1..31).find(|later| contains(*later) != contains(n));
                prop_assert_eq!(set.next_change(at(n)), change.map(at));
                let end = (0..=n).rev().find(|end| (*end == 0 || contains(end - 1)) && !contains(*end));
                prop_assert!(end.is_none_or(|end| end == 0 || set.last_end(at(n)) == Some(at(end))), "{} {:?}", n, set);
            }
            prop_assert_eq!(set.meets(cut), !cut_set.is_empty());
            let apart = |pair: &[Window]| pair[0].end().unwrap() < pair[1].start().unwrap();
            prop_assert!(set.windows().windows(2).all(apart) && cut_set.windows().windows(2).all(apart));
            prop_assert_eq!(set.is_always(), set.windows() == [Window::ALWAYS]);
        }
    }
}
