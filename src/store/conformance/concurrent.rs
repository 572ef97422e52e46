//! Running calls at the same time, and seeing whether they were: calls that came one after the other have tested no race.
//!
//! The racers of a case run freely, each in a loop, rather than once each from a common start: on a busy machine, or on
//! one core, a short call is met by another only where the scheduler happens to interrupt it, and in a loop of calls it
//! mostly does.

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
use super::case::{Fail, Hand, Verdict};

/// How many calls must have met another one before a case has tried its race.
const ENOUGH: usize = 4;

/// How long a racer waits for the others to come, before it says that nothing runs at once here. A count of looks was too
/// little on a machine that was too busy to start a thread meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many calls are remembered of each prize, to be compared with later ones.
const REMEMBERED: usize = 32;

/// What the racers of a case share.
pub(super) struct Contest {
    /// How many attempts each racer has made, and how many the slowest should make at most.
    attempts: Vec<AtomicUsize>,
    most: usize,
    arrived: AtomicUsize,
    alone: AtomicBool,
    clock: AtomicU64,
    met: AtomicUsize,
    stopped: AtomicBool,
    calls: Mutex<HashMap<u64, Vec<Call>>>,
}

/// A call that was made: by whom, and between which instants.
struct Call {
    by: usize,
    from: u64,
    until: u64,
}

/// A racer: what it does until the contest is over.
pub(super) type Racer = Pin<Box<dyn Future<Output = Verdict> + Send>>;

impl Contest {
    pub(super) fn of(racers: usize, most: usize) -> Arc<Self> {
        Arc::new(Self {
            attempts: (0..racers).map(|_| AtomicUsize::new(0)).collect(),
            most,
            arrived: AtomicUsize::new(0),
            alone: AtomicBool::new(false),
            clock: AtomicU64::new(0),
            met: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            calls: Mutex::default(),
        })
    }

    /// Whether this racer should make another attempt. A quick one goes on for as long as a slow one does, and lets the
    /// others run in between: a call that is ready at once would not.
    pub(super) async fn goes_on(&self, by: usize) -> bool {
        let mut has_let_others_run = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_let_others_run, true) {
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
        let (stopped, met) = (self.stopped.load(Ordering::SeqCst), self.met.load(Ordering::SeqCst));
        !stopped && met < ENOUGH && self.attempts.iter().any(is_short)
    }

    /// Makes a call, and counts it if a call of another racer for the same prize was made at the same time.
    pub(super) async fn race<T>(&self, prize: u64, by: usize, call: impl Future<Output = T> + Send) -> T {
        let from = self.clock.fetch_add(1, Ordering::SeqCst);
        let result = call.await;
        let until = self.clock.fetch_add(1, Ordering::SeqCst);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let others = match calls.entry(prize) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Vec::new()),
        };
        if others.iter().any(|other| other.by != by && other.from < until && from < other.until) {
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        if others.len() >= REMEMBERED {
            others.remove(0);
        }
        others.push(Call { by, from, until });
        result
    }

    /// Waits until all racers have come. Looks again and again rather than being woken: whoever comes last must not be
    /// ahead of the others.
    async fn meet(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let (mut looks, start) = (0, Instant::now());
        poll_fn(|cx| {
            if self.arrived.load(Ordering::SeqCst) >= self.attempts.len() || self.alone.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            looks += 1_u32;
            if looks % 128 == 0 {
                if start.elapsed() >= PATIENCE {
                    self.alone.store(true, Ordering::SeqCst);
                }
                thread::yield_now();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Hand<'_> {
    /// Runs these racers to their ends, at the same time. Fails if one of them does, or if too few of their calls met.
    pub(super) async fn hold(&self, contest: &Arc<Contest>, racers: Vec<Racer>) -> Verdict {
        let results = Arc::new(Mutex::new(Vec::new()));
        let task = |racer: Racer| {
            let (contest, results) = (Arc::clone(contest), Arc::clone(&results));
            Box::pin(async move {
                contest.meet().await;
                let result = if contest.alone.load(Ordering::SeqCst) { Ok(()) } else { racer.await };
                if result.is_err() {
                    contest.stopped.store(true, Ordering::SeqCst);
                }
                locked(&results).push(result);
            }) as Task
        };
        let expected = racers.len();
        self.fixture.run_at_once(racers.into_iter().map(task).collect()).await?;
        let results = std::mem::take(&mut *locked(&results));
        if results.len() < expected {
            return Err(Fail::new("a task that was to run at once with others did not end"));
        }
        results.into_iter().collect::<Verdict>()?;
        let met = contest.met.load(Ordering::SeqCst);
        if contest.alone.load(Ordering::SeqCst) {
            return Err(Fail::not_exercised("the fixture runs its tasks one after the other"));
        }
        if met < ENOUGH {
            return Err(Fail::not_exercised(format!("{met} calls met another one, and {ENOUGH} are wanted")));
        }
        Ok(())
    }
}

/// What racers share, under a lock that no panic spoils: each holds it for a line or two of the suite's own.
pub(super) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
