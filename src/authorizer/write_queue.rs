//! Turns: what concerns one life happens one after the other, in the order in which it was asked for.
//!
//! A fair queue of wakers under a short mutex; no runtime. A turn that is dropped, at whatever point, is passed on.
//!
//! A waker is an executor's code, and may come back here: the last one of a task takes the task with it, and whatever
//! turn or wait that references. So no waker is cloned, woken or dropped under the mutex.

#[cfg(test)]
#[cfg(loom)]
mod model;

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use super::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
pub(crate) struct WriteQueue(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next_ticket: u64,
    /// Whose turn it is.
    holder: Option<u64>,
    waiting: VecDeque<(u64, Waker)>,
}

/// Whoever has it has the turn.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a WriteQueue);

/// Waits for a turn.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    write_queue: &'a WriteQueue,
    ticket: Option<u64>,
}

impl WriteQueue {
    pub(crate) fn take(&self) -> Wait<'_> {
        Wait { write_queue: self, ticket: None }
    }

    /// Each critical section leaves the queue whole, so one that was poisoned is whole too.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

impl<'a> Future for Wait<'a> {
    type Output = Turn<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a>> {
        // Both outlive the lock.
        let write_queue = self.write_queue;
        let mut waker = cx.waker().clone();
        let mut queue = write_queue.queue();
        let Some(ticket) = self.ticket else {
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            if queue.holder.is_none() {
                queue.holder = Some(ticket);
                return Poll::Ready(Turn(write_queue));
            }
            queue.waiting.push_back((ticket, waker));
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if queue.holder == Some(ticket) {
            self.ticket = None;
            return Poll::Ready(Turn(write_queue));
        }
        if let Some((_, earlier)) = queue.waiting.iter_mut().find(|(other, _)| *other == ticket) {
            mem::swap(earlier, &mut waker);
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
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

impl Drop for Turn<'_> {
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
        drop(third); // which never looked
        assert!(Pin::new(&mut fourth).poll(&mut cx).is_ready());
    }

    /// An update was polled in one task, and then moved into another. The queue still had the waker of the first, by now
    /// the last hold on it, and replaced it under the mutex: so the first task went, and with it an update of its own
    /// that waited there, whose drop waited for the mutex for ever.
    #[test]
    fn a_waker_may_reenter_the_queue_when_it_is_dropped_or_woken() {
        struct ComesBack {
            write_queue: Arc<WriteQueue>,
            free: Arc<Mutex<Vec<bool>>>,
        }
        impl ComesBack {
            fn come(&self) {
                self.free.lock().unwrap().push(self.write_queue.0.try_lock().is_ok());
            }
        }
        impl Wake for ComesBack {
            fn wake(self: Arc<Self>) {
                self.come();
            }
        }
        impl Drop for ComesBack {
            fn drop(&mut self) {
                self.come();
            }
        }

        fn poll_by<'a>(who: ComesBack, wait: &mut Wait<'a>) -> Poll<Turn<'a>> {
            Pin::new(wait).poll(&mut Context::from_waker(&Waker::from(Arc::new(who))))
        }

        let (write_queue, free) = (Arc::new(WriteQueue::default()), Arc::new(Mutex::default()));
        let comes_back = || ComesBack { write_queue: Arc::clone(&write_queue), free: Arc::clone(&free) };
        let came = || mem::take(&mut *free.lock().unwrap());
        let Poll::Ready(turn) = poll_by(comes_back(), &mut write_queue.take()) else { panic!("the queue is empty") };
        let (mut second, mut third) = (write_queue.take(), write_queue.take());
        assert!(poll_by(comes_back(), &mut second).is_pending() && poll_by(comes_back(), &mut third).is_pending());
        assert_eq!(came(), [true], "of the first, which did not wait");
        assert!(poll_by(comes_back(), &mut second).is_pending());
        assert_eq!(came(), [true], "replaced");
        drop(third);
        assert_eq!(came(), [true], "given up");
        drop(turn);
        assert_eq!(came(), [true, true], "woken, and dropped");
        let Poll::Ready(turn) = poll_by(comes_back(), &mut second) else { panic!("it was handed the turn") };
        assert_eq!(came(), [true], "no longer needed");
        drop(turn);
        assert_eq!(came(), [true; 0]);
    }
}
