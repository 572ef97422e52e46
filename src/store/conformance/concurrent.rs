//! Runs calls concurrently and counts how many of them overlapped. Calls that ran one after the other test no race.
//!
//! Each racer of a case makes calls in a loop. One call each from a common start is not enough. On a busy machine or on
//! one core, short calls overlap only if the scheduler interrupts one of them. In loops of calls, that happens often.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::Task;
use super::case::{CaseContext, CaseError, CaseResult};

/// How many calls must overlap with another one before a case counts as exercised.
const MIN_OVERLAPS: usize = 4;

/// How long a racer waits for the others before it reports that the fixture runs tasks one after the other. A number of
/// polls is not enough: a busy machine may not start a thread in that time.
const START_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a racer that is ready to call waits for another one on the same target, and how often at most in vain. If the
/// calls of one racer are shorter than those of another, the quick one would otherwise be several targets ahead. Where threads
/// share a processor, only an interrupted call overlaps with another one, and waiting does not help.
const MEETING_TIMEOUT: Duration = Duration::from_millis(2);
const MAX_MISSED_MEETINGS: usize = 16;

/// How many calls on each target are kept to be compared with later ones.
const KEPT_CALLS: usize = 32;

/// The state that the racers of a case share.
pub(super) struct Race {
    /// How many attempts each racer made, and how many the slowest makes at most.
    attempts: Vec<AtomicUsize>,
    most: usize,
    arrived: AtomicUsize,
    sequential: AtomicBool,
    /// For each racer, the number after the target that it was last ready to call.
    ready: Vec<AtomicU64>,
    missed_meetings: AtomicUsize,
    clock: AtomicU64,
    overlaps: AtomicUsize,
    stopped: AtomicBool,
    calls: Mutex<HashMap<u64, Vec<Call>>>,
}

/// A call that was made: its racer, and the logical times of its start and end.
struct Call {
    racer: usize,
    start: u64,
    end: u64,
}

/// A racer: makes calls until the race is over.
pub(super) type Racer = Pin<Box<dyn Future<Output = CaseResult> + Send>>;

impl Race {
    pub(super) fn of(racers: usize, most: usize) -> Arc<Self> {
        Arc::new(Self {
            attempts: (0..racers).map(|_| AtomicUsize::new(0)).collect(),
            most,
            arrived: AtomicUsize::new(0),
            sequential: AtomicBool::new(false),
            ready: (0..racers).map(|_| AtomicU64::new(0)).collect(),
            missed_meetings: AtomicUsize::new(0),
            clock: AtomicU64::new(0),
            overlaps: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            calls: Mutex::default(),
        })
    }

    /// Whether this racer should make another attempt. A quick racer continues as long as a slow one, and yields to the
    /// others before each attempt.
    pub(super) async fn next_attempt(&self, by: usize) -> bool {
        let mut has_yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if let Some(attempts) = self.attempts.get(by) {
            attempts.fetch_add(1, Ordering::SeqCst);
        }
        let is_short = |attempts: &AtomicUsize| attempts.load(Ordering::SeqCst) <= self.most;
        let (stopped, overlaps) = (self.stopped.load(Ordering::SeqCst), self.overlaps.load(Ordering::SeqCst));
        !stopped && overlaps < MIN_OVERLAPS && self.attempts.iter().any(is_short)
    }

    /// Makes a call on a target as soon as another racer is ready for one on this target, or on a later one.
    pub(super) async fn call_together<T>(&self, target: u64, racer: usize, call: impl Future<Output = T> + Send) -> T {
        if let Some(ready) = self.ready.get(racer) {
            ready.store(target.saturating_add(1), Ordering::SeqCst);
        }
        let is_met = || {
            let others = self.ready.iter().enumerate().filter(|(other, _)| *other != racer);
            others.map(|(_, ready)| ready.load(Ordering::SeqCst)).any(|ready| ready > target)
        };
        if self.missed_meetings.load(Ordering::SeqCst) < MAX_MISSED_MEETINGS
            && !poll_until(MEETING_TIMEOUT, is_met).await
        {
            self.missed_meetings.fetch_add(1, Ordering::SeqCst);
        }
        self.call(target, racer, call).await
    }

    /// Makes a call on a target, and counts it if a call of another racer on the same target overlapped with it.
    pub(super) async fn call<T>(&self, target: u64, racer: usize, call: impl Future<Output = T> + Send) -> T {
        let start = self.clock.fetch_add(1, Ordering::SeqCst);
        let result = call.await;
        let end = self.clock.fetch_add(1, Ordering::SeqCst);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let others = match calls.entry(target) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Vec::new()),
        };
        if others.iter().any(|other| other.racer != racer && other.start < end && start < other.end) {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        if others.len() >= KEPT_CALLS {
            others.remove(0);
        }
        others.push(Call { racer, start, end });
        result
    }

    /// Waits until all racers have started.
    async fn wait_for_start(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let is_started =
            || self.arrived.load(Ordering::SeqCst) >= self.attempts.len() || self.sequential.load(Ordering::SeqCst);
        if !poll_until(START_TIMEOUT, is_started).await {
            self.sequential.store(true, Ordering::SeqCst);
        }
    }
}

/// Waits until a condition holds, and returns whether it did in time. It polls rather than being woken, so that the racer
/// that makes it hold gets no head start.
async fn poll_until(timeout: Duration, holds: impl Fn() -> bool + Send) -> bool {
    let (mut polls, mut seen, mut waited) = (0, Instant::now(), Duration::ZERO);
    poll_fn(|cx| {
        if holds() {
            return Poll::Ready(true);
        }
        polls += 1_u32;
        if polls % 128 == 0 {
            // A pause of the whole machine counts only this much, because the other racers could not run either.
            waited += seen.elapsed().min(Duration::from_millis(10));
            seen = Instant::now();
            if waited >= timeout {
                return Poll::Ready(false);
            }
            thread::yield_now();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

impl CaseContext<'_> {
    /// Runs the racers concurrently to their ends. Fails if one of them fails, or if too few of their calls overlapped.
    pub(super) async fn run_race(&self, race: &Arc<Race>, racers: Vec<Racer>) -> CaseResult {
        let results = Arc::new(Mutex::new(Vec::new()));
        let task = |racer: Racer| {
            let (race, results) = (Arc::clone(race), Arc::clone(&results));
            Box::pin(async move {
                race.wait_for_start().await;
                let result = if race.sequential.load(Ordering::SeqCst) { Ok(()) } else { racer.await };
                if result.is_err() {
                    race.stopped.store(true, Ordering::SeqCst);
                }
                locked(&results).push(result);
            }) as Task
        };
        let expected = racers.len();
        self.fixture.run_concurrently(racers.into_iter().map(task).collect()).await?;
        let results = std::mem::take(&mut *locked(&results));
        if results.len() < expected {
            return Err(CaseError::new("a concurrent task did not end"));
        }
        results.into_iter().collect::<CaseResult>()?;
        let overlaps = race.overlaps.load(Ordering::SeqCst);
        if race.sequential.load(Ordering::SeqCst) {
            return Err(CaseError::not_exercised("the fixture runs its tasks one after the other"));
        }
        if overlaps < MIN_OVERLAPS {
            return Err(CaseError::not_exercised(format!("{overlaps} calls overlapped, at least {MIN_OVERLAPS} must")));
        }
        Ok(())
    }
}

/// Locks the data that the racers share. A poisoned lock is fine: only a line or two of the suite runs under it.
pub(super) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
