//! Windows (R3): the time in which a membership, an assignment or a parent link is active.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::model::error::{Error, Result};

/// The time in which a membership, an assignment or a parent link is active: `from` inclusive, `until` exclusive, each may
/// be missing.
///
/// ```
/// use rolecall::{Timestamp, Window};
/// let noon = Timestamp::from_secs(1_800_000_000)?;
/// let window = Window::until(noon);
/// assert!(window.contains(Timestamp::from_micros(noon.as_micros() - 1)?) && !window.contains(noon));
/// assert!(Window::between(noon, noon).is_err(), "a window is not empty");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Window {
    // Two plain numbers, not two options: an edge carries one of these, and there are millions of edges. The ends of
    // `i64` are outside the years 0000 to 9999, so they can stand for "none".
    from: i64,
    until: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    // Both are always written: a format that goes by position would read a missing one as the other.
    #[serde(default)]
    from: Option<Timestamp>,
    #[serde(default)]
    until: Option<Timestamp>,
}

impl Window {
    /// No window: it always counts.
    pub const ALWAYS: Self = Self { from: i64::MIN, until: i64::MAX };

    /// From an instant on.
    pub const fn from(from: Timestamp) -> Self {
        Self { from: from.as_micros(), until: i64::MAX }
    }

    /// Until an instant, which is outside already.
    pub const fn until(until: Timestamp) -> Self {
        Self { from: i64::MIN, until: until.as_micros() }
    }

    /// From one instant until another.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) unless `from` is before `until`.
    pub fn between(from: Timestamp, until: Timestamp) -> Result<Self> {
        Self::new(Some(from), Some(until))
    }

    /// The window with these ends.
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

    /// Where it begins, if it does.
    pub fn start(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.from).ok()
    }

    /// Where it ends, if it does.
    pub fn end(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.until).ok()
    }

    /// Whether there is no end on either side.
    #[inline]
    pub const fn is_always(self) -> bool {
        self.from == i64::MIN && self.until == i64::MAX
    }

    /// Whether it counts at this instant.
    #[inline]
    pub const fn contains(self, at: Timestamp) -> bool {
        self.from <= at.as_micros() && at.as_micros() < self.until
    }

    /// The next instant after this one at which it begins or ends.
    pub fn next_edge(self, after: Timestamp) -> Option<Timestamp> {
        [self.start(), self.end()].into_iter().flatten().find(|edge| *edge > after)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::ALWAYS
    }
}

impl TryFrom<Parts> for Window {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Self> {
        Self::new(parts.from, parts.until)
    }
}

impl From<Window> for Parts {
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
    fn r3_the_next_edge_is_strictly_later() {
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let window = Window::between(at(10), at(20)).unwrap();
        let table = [(0, Some(10)), (10, Some(20)), (19, Some(20)), (20, None)];
        for (now, next) in table {
            assert_eq!(window.next_edge(at(now)), next.map(at));
        }
        assert_eq!(Window::ALWAYS.next_edge(at(0)), None);
    }
}
