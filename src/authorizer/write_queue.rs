//! The write queue of a tenant: one writer at a time, in the order of the requests.
//!
//! A fair queue of wakers under a mutex, without a runtime. A turn or wait that is dropped passes the turn on.
//!
//! A waker runs code of the executor, which may reenter the queue. For example, dropping the last waker of a task drops the
//! task, with its own turns and waits. Therefore no waker of an executor is cloned, woken or dropped while the mutex is
//! locked.

#[cfg(test)]
#[cfg(loom)]
mod loom_model;

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use super::sync::{Mutex, MutexGuard};
use crate::timer;

/// A clone is the same queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteQueue(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    next_ticket: u64,
    /// The ticket that has the turn.
    holder: Option<u64>,
    waiting: VecDeque<(u64, Waker)>,
}

/// The right to write. Dropping it passes the turn on. It owns the queue, so that it can move into a task.
#[derive(Debug)]
pub(crate) struct Turn(WriteQueue);

/// A future that waits for the turn.
#[derive(Debug)]
pub(crate) struct Wait {
    write_queue: WriteQueue,
    ticket: Option<u64>,
}

impl WriteQueue {
    pub(crate) fn take(&self) -> Wait {
        Wait { write_queue: self.clone(), ticket: None }
    }

    /// Each critical section leaves the queue valid, so a poisoned queue is valid too.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all that wait. The turn stays where it is, and so do they.
    pub(crate) fn wake_waiting(&self) {
        // A waiter that is polled leaves its waker here again. Until then it has been woken, and needs none.
        let taken = |(_, waker): &mut (u64, Waker)| mem::replace(waker, Waker::noop().clone());
        let wakers: Vec<Waker> = self.queue().waiting.iter_mut().map(taken).collect();
        wakers.into_iter().for_each(timer::wake);
    }

    fn pass_on(&self) {
        let next = {
            let mut queue = self.queue();
            let next = queue.waiting.pop_front();
            queue.holder = next.as_ref().map(|(ticket, _)| *ticket);
            next
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

impl Future for Wait {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        // Both outlive the lock, so the replaced waker is dropped after it is released.
        let write_queue = self.write_queue.clone();
        let mut waker = cx.waker().clone();
        let mut queue = write_queue.queue();
        let Some(ticket) = self.ticket else {
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            if queue.holder.is_none() {
                queue.holder = Some(ticket);
                drop(queue);
                return Poll::Ready(Turn(write_queue));
            }
            queue.waiting.push_back((ticket, waker));
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if queue.holder == Some(ticket) {
            self.ticket = None;
            drop(queue);
            return Poll::Ready(Turn(write_queue));
        }
        if let Some((_, earlier)) = queue.waiting.iter_mut().find(|(other, _)| *other == ticket) {
            mem::swap(earlier, &mut waker);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut queue = self.write_queue.queue();
        let at = queue.waiting.iter().position(|(other, _)| *other == ticket);
        let given_up = at.and_then(|at| queue.waiting.remove(at));
        let has_turn = queue.holder == Some(ticket);
        drop(queue);
        if has_turn {
            self.write_queue.pass_on();
        }
        drop(given_up);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    #[test]
    fn many_threads_take_turns_one_at_a_time() {
        let write_queue = Arc::new(WriteQueue::default());
        let (inside, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pollster::block_on(async {
                            let _turn = write_queue.take().await;
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            done.fetch_add(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), 1_000);
    }

    #[test]
    fn a_dropped_waiter_is_skipped_even_if_it_has_the_turn() {
        let write_queue = WriteQueue::default();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = Pin::new(&mut write_queue.take()).poll(&mut cx) else { panic!("the queue is empty") };
        let mut waits = [write_queue.take(), write_queue.take(), write_queue.take()];
        for wait in &mut waits {
            assert!(Pin::new(wait).poll(&mut cx).is_pending());
        }
        let [second, third, mut fourth] = waits;
        drop(second); // while it waits
        drop(first); // the turn goes to the third
        drop(third); // which did not poll again
        assert!(Pin::new(&mut fourth).poll(&mut cx).is_ready());
    }

    /// An update is polled in one task and then moved into another. The waker in the queue is then the last reference
    /// to the first task. If the queue replaces it while the mutex is locked, the first task is dropped there. A wait
    /// inside that task would then lock the mutex again, which is a deadlock.
    #[test]
    fn a_waker_may_reenter_the_queue_when_it_is_dropped_or_woken() {
        struct Reenters {
            write_queue: Arc<WriteQueue>,
            free: Arc<Mutex<Vec<bool>>>,
        }
        impl Reenters {
            fn enter(&self) {
                self.free.lock().unwrap().push(self.write_queue.0.try_lock().is_ok());
            }
        }
        impl Wake for Reenters {
            fn wake(self: Arc<Self>) {
                self.enter();
            }
        }
        impl Drop for Reenters {
            fn drop(&mut self) {
                self.enter();
            }
        }

        fn poll_by(who: Reenters, wait: &mut Wait) -> Poll<Turn> {
            Pin::new(wait).poll(&mut Context::from_waker(&Waker::from(Arc::new(who))))
        }

        let (write_queue, free) = (Arc::new(WriteQueue::default()), Arc::new(Mutex::default()));
        let reenters = || Reenters { write_queue: Arc::clone(&write_queue), free: Arc::clone(&free) };
        let entered = || mem::take(&mut *free.lock().unwrap());
        let Poll::Ready(turn) = poll_by(reenters(), &mut write_queue.take()) else { panic!("the queue is empty") };
        let (mut second, mut third) = (write_queue.take(), write_queue.take());
        assert!(poll_by(reenters(), &mut second).is_pending() && poll_by(reenters(), &mut third).is_pending());
        assert_eq!(entered(), [true], "of the first, which did not wait");
        assert!(poll_by(reenters(), &mut second).is_pending());
        assert_eq!(entered(), [true], "replaced");
        drop(third);
        assert_eq!(entered(), [true], "given up");
        write_queue.wake_waiting();
        assert_eq!(entered(), [true, true], "woken, and dropped");
        assert!(poll_by(reenters(), &mut second).is_pending(), "it is still in the queue");
        drop(turn);
        assert_eq!(entered(), [true, true], "woken, and dropped");
        let Poll::Ready(turn) = poll_by(reenters(), &mut second) else { panic!("it was handed the turn") };
        assert_eq!(entered(), [true], "no longer needed");
        drop(turn);
        assert_eq!(entered(), [true; 0]);
    }
}
