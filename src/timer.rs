//! Pauses without a runtime: one thread wakes all that wait, and ends when nobody does.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

static TIMER: Timer =
    Timer { queue: Mutex::new(Queue { due: BinaryHeap::new(), runs: false }), changed: Condvar::new() };

struct Timer {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    due: BinaryHeap<Reverse<Due>>,
    /// Whether the thread runs.
    runs: bool,
}

/// A waker, and when to wake it. Compared by the instant alone.
struct Due(Instant, Arc<Mutex<Option<Waker>>>);

/// A pause. Dropping it leaves its place in the queue, without a waker, until it is due.
pub(crate) struct Sleep {
    duration: Duration,
    /// `None` before the first poll.
    until: Option<(Instant, Arc<Mutex<Option<Waker>>>)>,
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    Sleep { duration, until: None }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No critical section leaves a value half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A waker runs code of the executor, so none is cloned or dropped while a mutex is locked.
        let waker = Some(cx.waker().clone());
        if let Some((until, place)) = &self.until {
            let earlier = std::mem::replace(&mut *lock(place), waker);
            drop(earlier);
            // Last, because the thread may just have woken the earlier waker.
            return if Instant::now() >= *until { Poll::Ready(()) } else { Poll::Pending };
        }
        let now = Instant::now();
        // At most a day, so that the sum does not overflow.
        let until = now.checked_add(self.duration.min(Duration::from_secs(86_400))).unwrap_or(now);
        let place = Arc::new(Mutex::new(waker));
        self.until = Some((until, Arc::clone(&place)));
        TIMER.add(Due(until, place));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((_, place)) = &self.until {
            let waker = lock(place).take();
            drop(waker);
        }
    }
}

impl Timer {
    fn add(&'static self, due: Due) {
        let mut queue = lock(&self.queue);
        queue.due.push(Reverse(due));
        if queue.runs {
            drop(queue);
            self.changed.notify_one();
            return;
        }
        // If the thread cannot be started, the next pause tries again.
        let started = thread::Builder::new().name("rolecall-timer".to_owned()).spawn(|| self.run());
        queue.runs = started.is_ok();
    }

    fn run(&self) {
        let mut queue = lock(&self.queue);
        loop {
            let now = Instant::now();
            let Some(Reverse(Due(at, _))) = queue.due.peek() else {
                queue.runs = false;
                return;
            };
            if *at > now {
                let pause = at.saturating_duration_since(now);
                queue = self.changed.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let due = queue.due.pop();
            drop(queue);
            let waker = due.and_then(|Reverse(Due(_, place))| lock(&place).take());
            if let Some(waker) = waker {
                wake(waker);
            }
            queue = lock(&self.queue);
        }
    }
}

/// Wakes a task. A waker is code of the executor: if it panics, the others are still woken.
pub(crate) fn wake(waker: Waker) {
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake())));
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_in_the_order_of_their_lengths() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for millis in [1_000, 5, 500] {
                let ended = Arc::clone(&ended);
                scope.spawn(move || {
                    let started = Instant::now();
                    crate::block_on::block_on(sleep(Duration::from_millis(millis)));
                    assert!(started.elapsed() >= Duration::from_millis(millis));
                    ended.lock().unwrap().push(millis);
                });
            }
        });
        assert_eq!(*ended.lock().unwrap(), [5, 500, 1_000]);
    }

    #[test]
    fn a_dropped_pause_wakes_nobody() {
        struct Counts(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Counts {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let counts = Arc::new(Counts(std::sync::atomic::AtomicUsize::new(0)));
        let mut pause = Box::pin(sleep(Duration::from_millis(200)));
        let waker = Waker::from(Arc::clone(&counts));
        assert!(pause.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(pause);
        drop(waker);
        crate::block_on::block_on(sleep(Duration::from_millis(300)));
        assert_eq!((counts.0.load(std::sync::atomic::Ordering::SeqCst), Arc::strong_count(&counts)), (0, 1));
    }
}
