//! The synchronization primitives of `current_snapshot.rs` and `write_queue.rs`. Tests that are built with `--cfg loom`
//! use replacements, so that a model checker can try every interleaving of the threads.
//!
//! The models are `current_snapshot/loom_model.rs`, `write_queue/loom_model.rs`, and for both together `loom_model.rs`.

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

/// Tries every interleaving of the watched operations with at most this many preemptions, and prints how many there
/// were. Most concurrency faults take one or two preemptions. Without a bound, three threads take hours.
#[cfg(test)]
#[cfg(loom)]
pub(super) fn every_order(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let orders = Arc::new(AtomicUsize::new(0));
    let tried = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(move || {
        tried.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}

/// A replacement with the guarantees of arc-swap and no others. A load returns a whole value. Loads see values in the
/// order of the stores, and every store that happens before the load. A load may miss a store that does not happen
/// before it, for an unspecified time.
#[cfg(test)]
#[cfg(loom)]
mod watched {
    use std::sync::{Arc, Mutex};

    use arc_swap::Guard;
    use loom::sync::atomic::{AtomicUsize, Ordering};

    /// The pointer is an index into the list of all values that were ever stored.
    pub(in crate::authorizer) struct ArcSwap<T> {
        /// Not watched: no thread is suspended while it has this lock.
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

        pub(in crate::authorizer) fn compare_and_swap(&self, present: &Arc<T>, next: Arc<T>) {
            let (from, to) = {
                let mut stored = self.stored.lock().unwrap();
                let from = stored.iter().position(|value| Arc::ptr_eq(value, present)).unwrap();
                stored.push(next);
                (from, stored.len() - 1)
            };
            let _ = self.newest.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
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
