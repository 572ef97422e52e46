//! Where "now" comes from. The rules never read a clock; they are handed a `When`, which reads it late and once.

use std::cell::OnceCell;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use crate::model::records::Timestamp;

/// A source of instants, for an application's own tests of what happens at other times.
///
/// # Security
/// Who sets the clock decides which windows are open.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_system_time(SystemTime::now())
    }
}

/// A clock that stands still until it is set.
///
/// ```
/// use rolecall::clock::ManualClock;
/// use rolecall::{Authorizer, Timestamp};
/// use std::sync::Arc;
/// let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)?));
/// let authorizer = Authorizer::builder().clock(clock.clone()).build();
/// clock.set(Timestamp::from_secs(1_900_000_000)?);
/// # let _ = authorizer;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this instant.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_micros()))
    }

    /// Sets it.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        // Only `new` and `set` store here, and both store a timestamp's own number.
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The instant of a question: chosen by the caller, or the clock's, read when a walk first meets a window (R3).
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
