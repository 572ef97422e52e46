//! Windows (R3): the time during which a membership, an assignment or a parent link is active.

use std::fmt;
use std::ops::{Range, RangeFrom, RangeFull, RangeTo};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::model::error::{Error, Result};

/// The time during which a membership, an assignment or a parent link is active: `from` inclusive, `until` exclusive.
/// Each end may be missing.
///
/// As text it is `always`, `from …`, `until …` or `from … until …`, with RFC 3339 instants. Through serde it is
/// `{"from": …, "until": …}`, with `null` for an end that is missing.
///
/// ```
/// use rolecall::{Timestamp, Window};
///
/// let noon: Timestamp = "2027-01-31T12:00:00Z".parse()?;
/// let window = Window::until(noon);
/// assert!(!window.contains(noon), "the end is exclusive");
/// assert_eq!(window.to_string(), "until 2027-01-31T12:00:00Z");
/// assert_eq!(window.to_string().parse::<Window>()?, window);
/// assert!(Window::between(noon, noon).is_err(), "a window is not empty");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Window {
    // Two plain numbers instead of two options: each of millions of relations has a window. The ends of `i64` are outside
    // the years 0000 to 9999, so they can represent a missing end.
    from: i64,
    until: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    // Both are always written: a positional format would confuse them if one were left out.
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
}

impl Window {
    /// The window without ends, which is always active.
    ///
    /// ```
    /// use rolecall::Window;
    ///
    /// assert!(Window::ALWAYS.is_always());
    /// ```
    pub const ALWAYS: Self = Self { from: i64::MIN, until: i64::MAX };

    /// Returns the window that begins at an instant and has no end.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::from(one), (one..).into());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub const fn from(from: Timestamp) -> Self {
        Self { from: from.as_micros(), until: i64::MAX }
    }

    /// Returns the window that has no beginning and ends before an instant.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::until(two), (..two).into());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub const fn until(until: Timestamp) -> Self {
        Self { from: i64::MIN, until: until.as_micros() }
    }

    /// Returns the window from one instant until before another.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::between(one, two)?, (one..two).try_into()?);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) unless `from` is before `until`.
    pub fn between(from: Timestamp, until: Timestamp) -> Result<Self> {
        Self::new(Some(from), Some(until))
    }

    /// Returns the window with these ends.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::new(Some(one), None)?, Window::from(one));
    /// assert!(Window::new(Some(two), Some(one)).is_err());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) unless `from` is before `until`.
    pub fn new(from: Option<Timestamp>, until: Option<Timestamp>) -> Result<Self> {
        let window = Self {
            from: from.map_or(i64::MIN, Timestamp::as_micros),
            until: until.map_or(i64::MAX, Timestamp::as_micros),
        };
        if window.from < window.until {
            Ok(window)
        } else {
            Err(Error::invalid("window", &window.to_string(), "`from` before `until`"))
        }
    }

    /// Returns the first instant of the window. `None` if it has no beginning.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::between(one, two)?.start(), Some(one));
    /// assert_eq!(Window::until(two).start(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn start(self) -> Option<Timestamp> {
        Timestamp::checked(self.from)
    }

    /// Returns the first instant after the window. `None` if it has no end.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert_eq!(Window::between(one, two)?.end(), Some(two));
    /// assert_eq!(Window::from(one).end(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn end(self) -> Option<Timestamp> {
        Timestamp::checked(self.until)
    }

    /// Returns whether the window has neither a beginning nor an end.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert!(Window::ALWAYS.is_always() && !Window::from(one).is_always() && !Window::until(two).is_always());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[inline]
    pub const fn is_always(self) -> bool {
        self.from == i64::MIN && self.until == i64::MAX
    }

    /// Returns whether the window contains an instant.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// let window = Window::between(one, two)?;
    /// assert!(window.contains(one) && !window.contains(two));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[inline]
    pub const fn contains(self, at: Timestamp) -> bool {
        self.contains_micros(at.as_micros())
    }

    /// The window as eight words, for tables of words.
    #[inline]
    pub(crate) fn to_words(self) -> [u16; 8] {
        let words = |end: i64| [0, 16, 32, 48].map(|shift| u16::try_from(end >> shift & 0xFFFF).unwrap_or(0));
        let mut both = words(self.from).into_iter().chain(words(self.until));
        std::array::from_fn(|_| both.next().unwrap_or(0))
    }

    /// The window that [`Window::to_words`] wrote.
    #[inline]
    pub(crate) fn from_words(words: &[u16; 8]) -> Self {
        let end = |words: &[u16]| words.iter().rev().fold(0, |end: i64, word| end << 16 | i64::from(*word));
        let (from, until) = words.split_at(4);
        Self { from: end(from), until: end(until) }
    }

    /// The first instant, and the first one after the window, in microseconds. A missing end is `i64::MIN` or `i64::MAX`.
    pub(crate) fn bounds(self) -> [i64; 2] {
        [self.from, self.until]
    }

    /// Whether it is active at an instant in microseconds, which may be `i64::MIN`.
    pub(crate) const fn contains_micros(self, at: i64) -> bool {
        self.from <= at && at < self.until
    }

    /// Returns whether the window is over at an instant: it has ended, and never becomes active again.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert!(Window::until(two).has_ended(two) && !Window::until(two).has_ended(one));
    /// assert!(!Window::from(two).has_ended(one), "it has not begun yet");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[inline]
    pub const fn has_ended(self, at: Timestamp) -> bool {
        self.until <= at.as_micros()
    }

    /// Returns whether the window contains every instant of another one.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// assert!(Window::from(one).covers(Window::from(two)) && !Window::from(two).covers(Window::from(one)));
    /// assert!(Window::ALWAYS.covers(Window::between(one, two)?));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    #[inline]
    pub const fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.until <= self.until
    }

    /// Returns the window that contains the instants of both windows and no others. `None` if there is a gap between
    /// them.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two, three] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?, Timestamp::from_secs(3)?];
    /// assert_eq!(Window::between(one, two)?.union(Window::between(two, three)?), Some(Window::between(one, three)?));
    /// assert_eq!(Window::until(one).union(Window::from(two)), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn union(self, other: Self) -> Option<Self> {
        let without_gap = self.from <= other.until && other.from <= self.until;
        without_gap.then(|| Self { from: self.from.min(other.from), until: self.until.max(other.until) })
    }

    /// Returns the next instant after this one at which the window begins or ends.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?];
    /// let window = Window::between(one, two)?;
    /// assert_eq!(window.next_edge(one), Some(two));
    /// assert_eq!(window.next_edge(two), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn next_edge(self, after: Timestamp) -> Option<Timestamp> {
        [self.start(), self.end()].into_iter().flatten().find(|edge| *edge > after)
    }

    /// Returns the window of the instants that are in both windows. `None` if there are none.
    ///
    /// ```
    /// use rolecall::{Timestamp, Window};
    ///
    /// let [one, two, three] = [Timestamp::from_secs(1)?, Timestamp::from_secs(2)?, Timestamp::from_secs(3)?];
    /// assert_eq!(Window::from(two).intersection(Window::until(three)), Some(Window::between(two, three)?));
    /// assert_eq!(Window::from(two).intersection(Window::until(one)), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn intersection(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        // A window that ends at the earliest possible instant contains no instant.
        (both.from.max(Timestamp::MIN.as_micros()) < both.until).then_some(both)
    }

    /// The smallest window that contains both.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }

    /// Whether the window ends before another begins, with an instant between them.
    pub(crate) fn ends_before(self, other: Self) -> bool {
        self.until < other.from
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::ALWAYS
    }
}

impl From<RangeFull> for Window {
    fn from(_: RangeFull) -> Self {
        Self::ALWAYS
    }
}

impl From<RangeFrom<Timestamp>> for Window {
    fn from(range: RangeFrom<Timestamp>) -> Self {
        Self::from(range.start)
    }
}

impl From<RangeTo<Timestamp>> for Window {
    fn from(range: RangeTo<Timestamp>) -> Self {
        Self::until(range.end)
    }
}

/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) for an empty range.
impl TryFrom<Range<Timestamp>> for Window {
    type Error = Error;

    fn try_from(range: Range<Timestamp>) -> Result<Self> {
        Self::between(range.start, range.end)
    }
}

/// Parses what `Display` writes, with instants in any offset.
impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.splitn(5, ' ').collect();
        match words[..] {
            ["always"] => Ok(Self::ALWAYS),
            ["from", from] => Ok(Self::from(from.parse()?)),
            ["until", until] => Ok(Self::until(until.parse()?)),
            ["from", from, "until", until] => Self::between(from.parse()?, until.parse()?),
            _ => Err(Error::invalid("window", text, "`always`, `from …`, `until …` or `from … until …`")),
        }
    }
}

impl TryFrom<Bounds> for Window {
    type Error = Error;

    fn try_from(bounds: Bounds) -> Result<Self> {
        Self::new(bounds.from, bounds.until)
    }
}

impl From<Window> for Bounds {
    fn from(window: Window) -> Self {
        Self { from: window.start(), until: window.end() }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start(), self.end()) {
            (None, None) => f.write_str("always"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(until)) => write!(f, "until {until}"),
            (Some(from), Some(until)) => write!(f, "from {from} until {until}"),
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_windows_at_the_ends_of_time() {
        let (min, max) = (Timestamp::MIN, Timestamp::MAX);
        assert!(Window::from(min).contains(min) && Window::from(min).contains(max));
        assert!(!Window::until(max).contains(max) && !Window::until(min).contains(min));
        assert!(Window::between(min, max).is_ok() && Window::between(max, min).is_err());
        assert!(Window::ALWAYS.is_always() && !Window::from(min).is_always() && !Window::until(max).is_always());
    }

    #[test]
    fn r3_a_range_is_the_window_with_its_ends() {
        let [start, end] = [10, 20].map(|secs| Timestamp::from_secs(secs).unwrap());
        let windows: [Window; 3] = [(start..).into(), (..end).into(), (..).into()];
        assert_eq!(windows, [Window::from(start), Window::until(end), Window::ALWAYS]);
        assert_eq!(Window::try_from(start..end).unwrap(), Window::between(start, end).unwrap());
        assert!(Window::try_from(end..start).is_err());
    }

    #[test]
    fn r3_the_next_edge_is_strictly_later() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let window = Window::between(at(10), at(20)).unwrap();
        let table = [(0, Some(10)), (10, Some(20)), (19, Some(20)), (20, None)];
        for (now, next) in table {
            assert_eq!(window.next_edge(at(now)), next.map(at));
        }
        assert_eq!(Window::ALWAYS.next_edge(at(0)), None);
    }

    /// Every pair of windows over a few instants, compared with the instants that they contain.
    #[test]
    fn r3_covers_union_and_end_agree_with_the_instants_of_a_window() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let ends: Vec<Option<Timestamp>> = std::iter::once(None).chain((1..5).map(|secs| Some(at(secs)))).collect();
        let pairs = ends.iter().flat_map(|from| ends.iter().map(move |until| Window::new(*from, *until)));
        let windows: Vec<Window> = pairs.filter_map(Result::ok).collect();
        let instants: Vec<Timestamp> = (0..6).map(at).collect();
        for a in &windows {
            for now in &instants {
                assert_eq!(a.has_ended(*now), !instants.iter().any(|t| t >= now && a.contains(*t)), "{a} at {now}");
            }
            for b in &windows {
                assert_eq!(a.covers(*b), instants.iter().all(|t| a.contains(*t) || !b.contains(*t)), "{a} {b}");
                let either: Vec<bool> = instants.iter().map(|t| a.contains(*t) || b.contains(*t)).collect();
                let gaps = either.iter().skip_while(|t| !**t).collect::<Vec<_>>();
                let gap = gaps.iter().rev().skip_while(|t| !***t).any(|t| !**t);
                match a.union(*b) {
                    Some(both) => assert!(instants.iter().map(|t| both.contains(*t)).eq(either), "{a} {b}"),
                    None => assert!(gap, "{a} {b}"),
                }
            }
        }
    }

    #[test]
    fn r3_a_window_is_parsed_from_its_text() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        for window in
            [Window::ALWAYS, Window::from(at(1)), Window::until(at(2)), Window::between(at(1), at(2)).unwrap()]
        {
            assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        }
        let bad = [
            "",
            "Always",
            "from",
            "from ",
            "until 1",
            "from 1970-01-01T00:00:02Z until 1970-01-01T00:00:01Z",
            "until 1970-01-01T00:00:02Z from 1970-01-01T00:00:01Z",
            "from  1970-01-01T00:00:02Z",
            "from 1970-01-01T00:00:02Z until 1970-01-01T00:00:03Z ",
        ];
        for bad in bad {
            assert!(bad.parse::<Window>().is_err(), "{bad:?}");
        }
    }
}
