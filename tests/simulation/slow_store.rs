//! A store whose calls take simulated time, and an executor that advances that time only when every task waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use rolecall::Timestamp;
use rolecall::clock::Clock;
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

use crate::random::Random;

/// The simulated time, in microseconds.
#[derive(Clone, Default)]
pub(crate) struct Time(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Timers {
    now: u64,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    wakers: Vec<Option<Waker>>,
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(self.micros()).unwrap()).unwrap()
    }
}

impl Time {
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().unwrap()
    }

    pub(crate) fn micros(&self) -> u64 {
        self.timers().now
    }

    pub(crate) fn sleep(&self, micros: u64) -> Sleep {
        Sleep { time: self.clone(), micros, until: None }
    }

    /// Advances to the next instant at which a task wakes. Returns whether there is one.
    fn advance(&self) -> bool {
        let waker = {
            let mut timers = self.timers();
            let Some(Reverse((at, timer))) = timers.due.pop() else { return false };
            timers.now = at;
            timers.wakers[timer].take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

pub(crate) struct Sleep {
    time: Time,
    micros: u64,
    until: Option<(u64, usize)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (time, micros) = (self.time.clone(), self.micros);
        let mut timers = time.timers();
        let (at, timer) = *self.until.get_or_insert_with(|| {
            let (at, timer) = (timers.now + micros, timers.wakers.len());
            timers.due.push(Reverse((at, timer)));
            timers.wakers.push(None);
            (at, timer)
        });
        if timers.now >= at {
            return Poll::Ready(());
        }
        timers.wakers[timer] = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs all tasks to their end.
pub(crate) fn run(time: &Time, tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (task, Arc::new(Flag(AtomicBool::new(true))))).collect();
    while !tasks.is_empty() {
        tasks.retain_mut(|(task, flag)| {
            if !flag.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            task.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(flag)))).is_pending()
        });
        let is_idle = tasks.iter().all(|(_, flag)| !flag.0.load(Ordering::Relaxed));
        assert!(tasks.is_empty() || !is_idle || time.advance(), "nobody will ever wake {} tasks", tasks.len());
    }
}

/// How long a call takes: the way to the store and back, each with its own random deviation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) there: u64,
    pub(crate) back: u64,
    /// The deviation, in percent.
    pub(crate) jitter: usize,
}

/// A connection to a memory store that takes time.
#[derive(Clone)]
pub(crate) struct SlowStore {
    pub(crate) inner: MemoryStore,
    pub(crate) time: Time,
    pub(crate) latency: Latency,
    /// How many commits met a conflict.
    pub(crate) conflicts: Arc<AtomicU64>,
    chance: Arc<Mutex<Random>>,
}

impl SlowStore {
    pub(crate) fn new(inner: &MemoryStore, time: &Time, latency: Latency, seed: u64) -> Self {
        Self {
            inner: inner.clone(),
            time: time.clone(),
            latency,
            conflicts: Arc::default(),
            chance: Arc::new(Mutex::new(Random::new(seed))),
        }
    }

    fn leg(&self, micros: u64) -> Sleep {
        let percent = self.chance.lock().unwrap().below(2 * self.latency.jitter + 1) + 100 - self.latency.jitter;
        self.time.sleep(micros * u64::try_from(percent).unwrap() / 100)
    }

    async fn travel<T>(&self, call: impl Future<Output = T>) -> T {
        self.leg(self.latency.there).await;
        let answer = call.await;
        self.leg(self.latency.back).await;
        answer
    }
}

impl Store for SlowStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.travel(self.inner.find(slug)).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.travel(self.inner.list(after, limit)).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.travel(self.inner.load(tenant_id, sink)).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let answer = self.travel(self.inner.commit(commit)).await;
        if matches!(answer, Err(StoreError::Conflict { .. })) {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.travel(self.inner.since(at)).await
    }
}
