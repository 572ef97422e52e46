//! The bound on staleness: how long a tenant answers after its store last confirmed the state.
//!
//! A check reads no clock. A task counts steps instead, eight in the time of the bound, and looks at every open tenant in
//! each. A tenant whose state was confirmed eight steps ago stops answering: the task changes the availability of the
//! current snapshot, which every check reads anyway.
//!
//! A confirmation counts from the step in which the store was *asked*, so the answer is never older than the bound. Time
//! is counted in steps and not read from a clock, because a clock that is set back must not extend the bound.
//!
//! The task runs on the runtime of the authorizer. Without one, the thread of the timer runs it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::runtime::{BoxFuture, Runtime};
use crate::model::clock::Clock;
use crate::model::records::Timestamp;
use crate::timer;

/// How many steps are in the bound. An answer is denied between seven and eight eighths of the bound.
const STEPS: u64 = 8;

/// The shortest step.
const SHORTEST: Duration = Duration::from_millis(1);

/// When a store was asked for the state of a tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedAt {
    step: u64,
    pub(crate) instant: Timestamp,
}

impl AskedAt {
    /// The later one of two.
    pub(crate) fn later(self, other: Self) -> Self {
        if (other.step, other.instant) > (self.step, self.instant) { other } else { self }
    }
}

/// A tenant that stops answering when its state is not confirmed in time.
pub(crate) trait Confirmed: Send + Sync {
    /// Answers, or stops answering, by [`Staleness::is_within`].
    fn judge(&self, staleness: &Staleness);

    /// Stops answering until the state is confirmed again.
    fn expire(&self);
}

/// The bound, and the tenants that it holds for.
pub(crate) struct Staleness {
    limit: Option<Duration>,
    clock: Arc<dyn Clock>,
    runtime: Option<Arc<dyn Runtime>>,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    step: u64,
    runs: bool,
    tenants: Vec<Weak<dyn Confirmed>>,
}

impl Staleness {
    pub(crate) fn new(limit: Option<Duration>, clock: Arc<dyn Clock>, runtime: Option<Arc<dyn Runtime>>) -> Self {
        Self { limit, clock, runtime, watch: Mutex::default() }
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        // Every critical section is plain assignments, so the value is valid even after a panic.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the instant of a call to a store that is about to begin, and starts the watch if it does not run.
    pub(crate) fn asked(self: &Arc<Self>) -> AskedAt {
        let instant = self.clock.now();
        let Some(limit) = self.limit else { return AskedAt { step: 0, instant } };
        let (step, begins) = {
            let mut watch = self.watch();
            (watch.step, !std::mem::replace(&mut watch.runs, true))
        };
        if begins {
            let step = (limit / u32::try_from(STEPS).unwrap_or(u32::MAX)).max(SHORTEST);
            start(self.runtime.as_ref(), Watching(Arc::downgrade(self)).run(self.runtime.clone(), step));
        }
        AskedAt { step, instant }
    }

    /// Watches a tenant: it denies every check once its state is older than the bound.
    pub(crate) fn add(&self, tenant: Weak<dyn Confirmed>) {
        if self.limit.is_some() {
            self.watch().tenants.push(tenant);
        }
    }

    /// Whether a state that was confirmed then may still be used.
    pub(crate) fn is_within(&self, confirmed: AskedAt) -> bool {
        self.limit.is_none() || self.watch().step.saturating_sub(confirmed.step) < STEPS
    }

    /// The tenants that are still referenced. The caller drops them after it has released the lock, because a drop runs more
    /// code.
    fn tenants(watch: &mut Watch) -> Vec<Arc<dyn Confirmed>> {
        watch.tenants.retain(|tenant| tenant.strong_count() > 0);
        watch.tenants.iter().filter_map(Weak::upgrade).collect()
    }

    fn step(&self) {
        let tenants = {
            let mut watch = self.watch();
            watch.step += 1;
            Self::tenants(&mut watch)
        };
        for tenant in tenants {
            tenant.judge(self);
        }
    }
}

/// The task that counts the steps. If it is dropped, all tenants stop answering, because nothing would stop them later.
/// The next call to the store starts another one.
struct Watching(Weak<Staleness>);

impl Watching {
    async fn run(self, runtime: Option<Arc<dyn Runtime>>, step: Duration) {
        loop {
            match &runtime {
                Some(runtime) => runtime.sleep(step).await,
                None => timer::sleep(step).await,
            }
            let Some(staleness) = self.0.upgrade() else { return };
            staleness.step();
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Some(staleness) = self.0.upgrade() else { return };
        let tenants = {
            let mut watch = staleness.watch();
            watch.runs = false;
            Staleness::tenants(&mut watch)
        };
        for tenant in tenants {
            tenant.expire();
        }
    }
}

fn start(runtime: Option<&Arc<dyn Runtime>>, task: impl Future<Output = ()> + Send + 'static) {
    match runtime {
        Some(runtime) => runtime.spawn(Box::pin(task)),
        None => Arc::new(OnWaker(Mutex::new(Some(Box::pin(task))))).wake(),
    }
}

/// A task that runs on the thread which wakes it. It must not wake itself.
struct OnWaker(Mutex<Option<BoxFuture>>);

impl Wake for OnWaker {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = task.as_mut().map(|task| task.as_mut().poll(&mut Context::from_waker(&waker)));
        if polled == Some(Poll::Ready(())) {
            *task = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::clock::SystemClock;

    /// A tenant whose state was confirmed once.
    struct Once(AskedAt, AtomicBool);

    impl Confirmed for Once {
        fn judge(&self, staleness: &Staleness) {
            self.1.store(staleness.is_within(self.0), Ordering::SeqCst);
        }

        fn expire(&self) {
            self.1.store(false, Ordering::SeqCst);
        }
    }

    fn once(staleness: &Arc<Staleness>) -> Arc<Once> {
        let tenant = Arc::new(Once(staleness.asked(), AtomicBool::new(true)));
        let weak = Arc::downgrade(&tenant);
        staleness.add(weak);
        tenant
    }

    #[test]
    fn without_a_runtime_the_timer_ends_what_is_not_confirmed() {
        let limit = Duration::from_millis(400);
        let staleness = Arc::new(Staleness::new(Some(limit), Arc::new(SystemClock), None));
        let tenant = once(&staleness);
        assert!(tenant.1.load(Ordering::SeqCst));
        // On a busy machine its steps are late.
        for _ in 0..100 {
            crate::block_on::block_on(timer::sleep(limit / 4));
            if !tenant.1.load(Ordering::SeqCst) {
                return;
            }
        }
        panic!("the timer has ended nothing");
    }

    #[test]
    fn the_bound_is_kept_to_within_an_eighth() {
        let limit = Duration::from_secs(8);
        let tasks: Arc<Mutex<Vec<BoxFuture>>> = Arc::default();
        let runtime = {
            let tasks = Arc::clone(&tasks);
            move |task: BoxFuture| tasks.lock().unwrap().push(task)
        };
        let staleness = Arc::new(Staleness::new(Some(limit), Arc::new(SystemClock), Some(Arc::new(runtime))));
        let tenant = once(&staleness);
        assert_eq!(tasks.lock().unwrap().len(), 1);
        for _ in 0..STEPS - 1 {
            staleness.step();
            assert!(tenant.1.load(Ordering::SeqCst));
        }
        let later = once(&staleness);
        staleness.step();
        assert!(!tenant.1.load(Ordering::SeqCst) && later.1.load(Ordering::SeqCst));
        tasks.lock().unwrap().clear();
        assert!(!later.1.load(Ordering::SeqCst), "nothing would end it later");
        staleness.asked();
        assert_eq!(tasks.lock().unwrap().len(), 1, "started again");
    }

    #[test]
    fn without_a_bound_nothing_runs() {
        let staleness = Arc::new(Staleness::new(None, Arc::new(SystemClock), None));
        let tenant = once(&staleness);
        assert!(staleness.is_within(tenant.0) && !staleness.watch().runs);
    }
}
