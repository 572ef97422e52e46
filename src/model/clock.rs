//! Clocks. The rules never read a clock themselves: they receive an instant, or a clock that is read at most once, when
//! the instant is needed.

use std::cell::OnceCell;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::model::records::Timestamp;

/// A source of instants. Tests of an application can use a [`ManualClock`] to see what happens at other times.
///
/// ```
/// use rolecall::clock::{Clock, SystemClock};
///
/// let clock: &dyn Clock = &SystemClock;
/// assert!(clock.now() > "2024-01-01T00:00:00Z".parse()?);
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Security
/// The clock decides which windows are active, so only trusted code should set it.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current instant.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system, rounded down to the microsecond.
///
/// ```
/// use rolecall::clock::{Clock, SystemClock};
///
/// assert!(SystemClock.now() <= SystemClock.now().saturating_add(std::time::Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_system_time(SystemTime::now())
    }
}

/// A clock that shows one instant until it is set.
///
/// ```
/// use rolecall::clock::ManualClock;
/// use rolecall::{Authorizer, Timestamp};
/// use std::sync::Arc;
///
/// let clock = Arc::new(ManualClock::new("2027-01-01T00:00:00Z".parse()?));
/// let authorizer = Authorizer::builder().clock(Arc::clone(&clock)).build();
/// clock.set("2027-01-31T00:00:00Z".parse()?);
/// # let _ = (authorizer, Timestamp::MIN);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Returns a clock that shows this instant.
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use rolecall::clock::{Clock, ManualClock};
    ///
    /// assert_eq!(ManualClock::new(Timestamp::UNIX_EPOCH).now(), Timestamp::UNIX_EPOCH);
    /// ```
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_micros()))
    }

    /// Sets the instant that it shows.
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use rolecall::clock::{Clock, ManualClock};
    ///
    /// let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    /// clock.set(Timestamp::MAX);
    /// assert_eq!(clock.now(), Timestamp::MAX);
    /// ```
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }

    /// Moves the instant that it shows forward, at most to [`Timestamp::MAX`].
    ///
    /// ```
    /// use rolecall::Timestamp;
    /// use rolecall::clock::{Clock, ManualClock};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(clock.now(), Timestamp::from_secs(5)?);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let later = |now: i64| Some(now.saturating_add(by).min(Timestamp::MAX.as_micros()));
        // The closure always returns `Some`, so the update always happens.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        // Every store comes from a valid timestamp, so the fallback is never used.
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The instant of a question: chosen by the caller, or read from the clock when the first window is evaluated (R3).
#[derive(Clone)]
pub(crate) enum When<'a> {
    Chosen(Timestamp),
    Now(&'a dyn Clock, OnceCell<Timestamp>),
}

impl<'a> When<'a> {
    pub(crate) fn now(clock: &'a dyn Clock) -> Self {
        Self::Now(clock, OnceCell::new())
    }

    pub(crate) fn instant(&self) -> Timestamp {
        match self {
            Self::Chosen(at) => *at,
            Self::Now(clock, read) => *read.get_or_init(|| clock.now()),
        }
    }
}

impl fmt::Debug for When<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen(at) => write!(f, "{at}"),
            Self::Now(_, read) => write!(f, "now, read as {:?}", read.get()),
        }
    }
}
