//! Turns: what concerns one life happens one after the other, in the order in which it was asked for.
//!
//! A fair queue of wakers under a short mutex; no runtime. A turn that is dropped, at whatever point, is passed on.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next_ticket: u64,
    /// Whose turn it is.
    holder: Option<u64>,
    waiting: VecDeque<(u64, Waker)>,
}

/// Whoever has it has the turn.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

/// Waits for a turn.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    turns: &'a Turns,
    ticket: Option<u64>,
}

impl Turns {
    pub(crate) fn take(&self) -> Wait<'_> {
        Wait { turns: self, ticket: None }
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
        let turns = self.turns;
        let mut queue = turns.queue();
        let Some(ticket) = self.ticket else {
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            if queue.holder.is_none() {
                queue.holder = Some(ticket);
                return Poll::Ready(Turn(turns));
            }
            queue.waiting.push_back((ticket, cx.waker().clone()));
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if queue.holder == Some(ticket) {
            self.ticket = None;
            return Poll::Ready(Turn(turns));
        }
        if let Some((_, waker)) = queue.waiting.iter_mut().find(|(other, _)| *other == ticket) {
            waker.clone_from(cx.waker());
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let has_turn = {
            let mut queue = self.turns.queue();
            queue.waiting.retain(|(other, _)| *other != ticket);
            queue.holder == Some(ticket)
        };
        if has_turn {
            self.turns.pass_on();
        }
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn turns_are_taken_one_at_a_time_by_many_threads() {
        let turns = Arc::new(Turns::default());
        let (inside, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pollster::block_on(async {
                            let _turn = turns.take().await;
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
    fn a_waiter_that_gives_up_is_passed_over_also_with_the_turn_in_its_hand() {
        let turns = Turns::default();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = Pin::new(&mut turns.take()).poll(&mut cx) else { panic!("the queue is empty") };
        let mut waits = [turns.take(), turns.take(), turns.take()];
        for wait in &mut waits {
            assert!(Pin::new(wait).poll(&mut cx).is_pending());
        }
        let [second, third, mut fourth] = waits;
        drop(second); // while it waits
        drop(first); // the turn goes to the third
        drop(third); // which never looked
        assert!(Pin::new(&mut fourth).poll(&mut cx).is_ready());
    }
}
