//! What `current.rs` and `write_queue.rs` synchronise by. In the tests that are built with `--cfg loom`, stand-ins, so that a
//! model checker can try every order in which threads may meet there.
//!
//! The models are `current/model.rs`, `write_queue/model.rs`, and for both together `model.rs`.

#[cfg(not(all(test, loom)))]
pub(super) use arc_swap::ArcSwap;
#[cfg(not(all(test, loom)))]
pub(super) use std::sync::{Mutex, MutexGuard};

#[cfg(test)]
#[cfg(loom)]
pub(super) use self::watched::ArcSwap;
#[cfg(test)]
#[cfg(loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};

/// Tries every order in which each thread may come to what is watched, as long as together they are interrupted at most
/// this often where none had to wait, and prints how many orders there were. Most faults in which threads meet take one
/// or two interruptions; without a bound, three threads take hours.
#[cfg(test)]
#[cfg(loom)]
pub(super) fn every_order(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let orders = Arc::new(AtomicUsize::new(0));
    let tried = Arc::clone(&orders);
    let mut builder = loom::model::AuthorizerBuilder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(move || {
        tried.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}

/// What arc-swap promises, and no more: a load sees whole values, in the order in which they were stored, and what was
/// stored before it by whomever it has heard from. A load that has not heard of a store may miss it; how long, is not
/// promised.
#[cfg(test)]
#[cfg(loom)]
mod watched {
    use std::sync::{Arc, Mutex};

    use arc_swap::Guard;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    /// The pointer is a number in a list of all that was ever stored.
    pub(in crate::authorizer) struct ArcSwap<T> {
        /// Not watched: it is never held while a thread may be suspended.
        stored: Mutex<Vec<Arc<T>>>,
        newest: AtomicUsize,
    }

    impl<T> ArcSwap<T> {
        pub(in crate::authorizer) fn new(first: Arc<T>) -> Self {
            Self { stored: Mutex::new(vec![first]), newest: AtomicUsize::new(0) }
        }

        pub(in crate::authorizer) fn load(&self) -> Guard<Arc<T>> {
            Guard::from_inner(self.load_full())
        }

        pub(in crate::authorizer) fn load_full(&self) -> Arc<T> {
            let newest = self.newest.load(Ordering::Acquire);
            Arc::clone(&self.stored.lock().unwrap()[newest])
        }

        pub(in crate::authorizer) fn store(&self, next: Arc<T>) {
            let at = {
                let mut stored = self.stored.lock().unwrap();
                stored.push(next);
                stored.len() - 1
            };
            self.newest.swap(at, Ordering::SeqCst);
        }
    }
}
