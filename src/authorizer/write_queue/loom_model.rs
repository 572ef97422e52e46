//! Models every interleaving of up to three threads at the write queue.
//!
//! All of `write_queue.rs` is real; the mutex and the executor (`block_on`) are loom's. A waiting thread that is never
//! woken is reported as a deadlock. Not shown: what an executor does with a waker that was woken.
//!
//! Run the models with:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --lib --release --target-dir target/loom model
//! ```
//!
//! Each model has been seen to fail. *All* leaves out `a_waiter_sees_a_stage_…`, in which nobody gives the turn back:
//!
//! | deliberate fault | caught by |
//! |---|---|
//! | the turn is given while another thread has it | all but `…_changes_its_waker_…` |
//! | the turn is taken back before it is handed on, under two locks | all but `…_changes_its_waker_…` |
//! | the next waiter is woken, but not handed the turn | all |
//! | a waiter checks the holder, and then queues under a second lock | all |
//! | a dropped turn is not passed on | all |
//! | the last waiter in the queue is next | `one_at_a_time_…`, `a_holder_that_is_dropped_…` |
//! | a dropped waiter stays in the queue | `a_waiter_that_gives_up_…`, `a_holder_that_is_dropped_…` |
//! | a dropped waiter keeps the turn it was handed | `a_waiter_that_gives_up_…`, `a_holder_that_is_dropped_…` |
//! | a dropped waiter checks for the turn, and then leaves the queue under a second lock | `a_waiter_that_gives_up_…`, `a_holder_that_is_dropped_…` |
//! | the first waker is kept | `…_changes_its_waker_…` |
//! | a stage that begins wakes nobody | `a_waiter_sees_a_stage_…` |
//! | a stage wakes those who wait, and is set after that | `a_waiter_sees_a_stage_…` |

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Unwatched;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::{future, thread};

use super::{Turn, Wait, WriteQueue};
use crate::authorizer::sync::every_order;

/// The state that only the holder touches. Its atomics are relaxed and order nothing, so the next holder sees the
/// values of the last one only if the write queue synchronizes the two.
#[derive(Default)]
struct Inside {
    occupied: AtomicBool,
    /// The lowest ticket that may come next. Tickets are given in the order of the requests.
    least: AtomicU64,
    visits: AtomicU64,
}

impl Inside {
    fn visit(&self, write_queue: &WriteQueue) {
        assert!(!self.occupied.load(Ordering::Relaxed), "two threads have the turn");
        self.occupied.store(true, Ordering::Relaxed);
        let ticket = write_queue.queue().holder.expect("this thread has the turn");
        assert!(ticket >= self.least.load(Ordering::Relaxed), "out of order");
        self.least.store(ticket + 1, Ordering::Relaxed);
        self.visits.store(self.visits.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.occupied.store(false, Ordering::Relaxed);
    }
}

fn poll_once(wait: &mut Wait) -> Poll<Turn> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}

fn free(write_queue: &WriteQueue) -> bool {
    let queue = write_queue.queue();
    queue.holder.is_none() && queue.waiting.is_empty()
}

#[test]
fn one_at_a_time_in_the_order_asked_and_nobody_is_forgotten() {
    every_order(4, || {
        let (write_queue, inside) = (Arc::new(WriteQueue::default()), Arc::new(Inside::default()));
        let visitor = || {
            let (write_queue, inside) = (Arc::clone(&write_queue), Arc::clone(&inside));
            move || {
                future::block_on(async {
                    let _turn = write_queue.take().await;
                    inside.visit(&write_queue);
                });
            }
        };
        let others = [thread::spawn(visitor()), thread::spawn(visitor())];
        visitor()();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(inside.visits.load(Ordering::Relaxed), 3);
        assert!(free(&write_queue));
    });
}

/// A thread gives up waiting: before it is handed the turn, at that moment, or afterwards without having polled again.
/// The thread behind it gets the turn all the same.
#[test]
fn a_waiter_that_gives_up_at_whatever_moment_keeps_nobody_waiting() {
    let (waiting, handed) = (Arc::new(Unwatched::new(0)), Arc::new(Unwatched::new(0)));
    let met = [Arc::clone(&waiting), Arc::clone(&handed)];
    every_order(5, move || {
        let (write_queue, inside) = (Arc::new(WriteQueue::default()), Arc::new(Inside::default()));
        let mut first = write_queue.take();
        let Poll::Ready(first) = poll_once(&mut first) else { panic!("the queue is empty") };
        let gives_up = {
            let (write_queue, met) = (Arc::clone(&write_queue), met.clone());
            thread::spawn(move || {
                let mut wait = write_queue.take();
                if poll_once(&mut wait).is_pending() {
                    let has_turn = write_queue.queue().holder == wait.ticket;
                    met[usize::from(has_turn)].fetch_add(1, Ordering::Relaxed);
                }
                drop(wait);
            })
        };
        let waits = {
            let (write_queue, inside) = (Arc::clone(&write_queue), Arc::clone(&inside));
            thread::spawn(move || {
                future::block_on(async {
                    let _turn = write_queue.take().await;
                    inside.visit(&write_queue);
                });
            })
        };
        inside.visit(&write_queue);
        drop(first);
        gives_up.join().unwrap();
        waits.join().unwrap();
        assert_eq!(inside.visits.load(Ordering::Relaxed), 2);
        assert!(free(&write_queue));
    });
    assert!(waiting.load(Ordering::Relaxed) > 0 && handed.load(Ordering::Relaxed) > 0, "both were met");
}

/// The task of an update is dropped while it has the turn.
#[test]
fn a_holder_that_is_dropped_keeps_nobody_waiting() {
    every_order(4, || {
        let (write_queue, inside) = (Arc::new(WriteQueue::default()), Arc::new(Inside::default()));
        let dropped = {
            let (write_queue, inside) = (Arc::clone(&write_queue), Arc::clone(&inside));
            thread::spawn(move || {
                let mut update = Box::pin(async {
                    let _turn = write_queue.take().await;
                    inside.visit(&write_queue);
                    pending::<()>().await;
                });
                assert!(update.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            })
        };
        let visitor = || {
            let (write_queue, inside) = (Arc::clone(&write_queue), Arc::clone(&inside));
            move || {
                future::block_on(async {
                    let _turn = write_queue.take().await;
                    inside.visit(&write_queue);
                });
            }
        };
        let other = thread::spawn(visitor());
        visitor()();
        dropped.join().unwrap();
        other.join().unwrap();
        assert!(inside.visits.load(Ordering::Relaxed) >= 2);
        assert!(free(&write_queue));
    });
}

/// A future that moves to another task is polled with another waker. The newest waker is woken.
#[test]
fn a_waiter_that_changes_its_waker_is_woken_by_the_newest() {
    every_order(5, || {
        let write_queue = Arc::new(WriteQueue::default());
        let mut first = write_queue.take();
        let Poll::Ready(first) = poll_once(&mut first) else { panic!("the queue is empty") };
        let moves = {
            let write_queue = Arc::clone(&write_queue);
            thread::spawn(move || {
                let mut wait = write_queue.take();
                match poll_once(&mut wait) {
                    Poll::Ready(turn) => drop(turn),
                    Poll::Pending => drop(future::block_on(poll_fn(|cx| Pin::new(&mut wait).poll(cx)))),
                }
            })
        };
        drop(first);
        moves.join().unwrap();
        assert!(free(&write_queue));
    });
}

/// A stage begins while another thread enters the queue. That thread sees the stage, or else the stage wakes it. It
/// waits for nothing else here: the turn stays taken.
#[test]
fn a_waiter_sees_a_stage_or_is_woken_when_it_begins() {
    every_order(5, || {
        let (write_queue, staged) = (Arc::new(WriteQueue::default()), Arc::new(AtomicBool::new(false)));
        let mut first = write_queue.take();
        let Poll::Ready(first) = poll_once(&mut first) else { panic!("the queue is empty") };
        let sees = {
            let (write_queue, staged) = (Arc::clone(&write_queue), Arc::clone(&staged));
            thread::spawn(move || {
                let mut wait = write_queue.take();
                let sees = poll_fn(|cx| {
                    assert!(Pin::new(&mut wait).poll(cx).is_pending());
                    if staged.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
                });
                future::block_on(sees);
            })
        };
        staged.store(true, Ordering::Relaxed);
        write_queue.wake_waiting();
        sees.join().unwrap();
        drop(first);
        assert!(free(&write_queue));
    });
}
