//! Follows the commits of other processes: a future that the application spawns.
//!
//! This file has the options; `follow/following.rs` has the future. A follower only decides *when* a tenant is refreshed. The
//! refresh is that of `Tenant::refresh`, in the tenant's write queue, so following adds nothing to the protocol of commits.

mod following;
mod retries;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use self::following::Following;
use super::counters::Counters;
use super::runtime::{BoxFuture, Runtime};
use super::staleness::Staleness;
use super::telemetry::{FollowerEvent, Span};
use super::{Authorizer, Registry};
use crate::model::error::Error;
use crate::store::{DynPositions, DynWatch, Positions, Watch};
use crate::timer;

/// The least pause between two polls.
const SHORTEST: Duration = Duration::from_millis(1);

/// Keeps the open tenants of an authorizer up to date with the commits of other processes.
///
/// [`Authorizer::follow`] makes one. [`run`](Self::run) is the future to spawn.
///
/// ```
/// use rolecall::Authorizer;
/// use rolecall::authorizer::follow::Follower;
/// use rolecall::store::MemoryStore;
///
/// let store = MemoryStore::default();
/// let authorizer = Authorizer::builder().store(store.clone()).build();
/// let follower: Follower = authorizer.follow(store.clone()).watch(store);
/// # let _in_a_runtime = || {
/// tokio::spawn(follower.run());
/// # };
/// ```
#[must_use = "a follower does nothing before `run` is awaited"]
pub struct Follower {
    registry: Weak<Registry>,
    staleness: Arc<Staleness>,
    counters: Arc<Counters>,
    runtime: Option<Arc<dyn Runtime>>,
    positions: Arc<dyn DynPositions>,
    watch: Option<Arc<dyn DynWatch>>,
    interval: Duration,
    on_error: Box<dyn Fn(&Error) + Send + Sync>,
}

impl Authorizer {
    /// Returns a follower of this authorizer. It asks the store for the positions of all open tenants at an interval, and
    /// refreshes the tenants that another process has changed.
    ///
    /// Pass the store that the authorizer was built with. Spawn one follower in each process that shares a store.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rolecall::Authorizer;
    /// use rolecall::store::MemoryStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rolecall::Error> {
    /// let store = MemoryStore::default();
    /// let authorizer = Authorizer::builder().store(store.clone()).build();
    /// let follower = authorizer
    ///     .follow(store.clone())
    ///     .watch(store)
    ///     .every(Duration::from_secs(2))
    ///     .on_error(|error| eprintln!("following: {error}"));
    /// let task = tokio::spawn(follower.run());
    ///
    /// drop(authorizer); // or `task.abort()`
    /// # let _ = task;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Consistency
    /// This process sees another's commit within one interval and two calls to the store, while the store answers and the last
    /// poll and refresh succeeded. With hints, it takes one call. A hint that is lost costs one interval. *How old an answer
    /// can be* in [`docs::consistency`](crate::docs::consistency) has the exceptions.
    /// [`AuthorizerBuilder::max_staleness`](crate::AuthorizerBuilder::max_staleness) bounds the age of answers while the
    /// store does *not* answer.
    pub fn follow(&self, store: impl Positions) -> Follower {
        Follower {
            registry: Arc::downgrade(&self.registry),
            staleness: Arc::clone(&self.shared.staleness),
            counters: Arc::clone(&self.shared.counters),
            runtime: self.shared.runtime.clone(),
            positions: Arc::new(store),
            watch: None,
            interval: Duration::from_secs(1),
            on_error: Box::new(|_| {}),
        }
    }
}

impl Follower {
    /// Sets the pause between two polls. The default is one second, and the least a millisecond.
    ///
    /// ```
    /// # use rolecall::{Authorizer, store::MemoryStore};
    /// # let store = MemoryStore::default();
    /// # let authorizer = Authorizer::builder().store(store.clone()).build();
    /// let follower = authorizer.follow(store).every(std::time::Duration::from_millis(250));
    /// # let _ = follower;
    /// ```
    ///
    /// # Complexity
    /// A poll is one call to the store for each 10,000 open tenants. After a poll that failed, the pause doubles, up to ten
    /// seconds or the interval, whichever is longer.
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST);
        self
    }

    /// Listens to the hints of a store too, so that a tenant is refreshed soon after it has changed. Polls go on.
    ///
    /// If the store cannot be watched, or the link to it is lost, the follower goes on without hints. It tries again after a
    /// pause, which doubles from the interval up to a minute.
    ///
    /// ```
    /// # use rolecall::{Authorizer, store::MemoryStore};
    /// # let store = MemoryStore::default();
    /// # let authorizer = Authorizer::builder().store(store.clone()).build();
    /// let follower = authorizer.follow(store.clone()).watch(store);
    /// # let _ = follower;
    /// ```
    ///
    /// # Complexity
    /// A hint about an open tenant costs one call to the store, unless this process has the revision already.
    pub fn watch(mut self, store: impl Watch) -> Self {
        self.watch = Some(Arc::new(store));
        self
    }

    /// Sets a function that receives the errors of polls, refreshes and hints. The follower continues after each.
    ///
    /// It is called in the future of [`run`](Self::run), and must not block. The default does nothing.
    ///
    /// ```
    /// # use rolecall::{Authorizer, store::MemoryStore};
    /// # let store = MemoryStore::default();
    /// # let authorizer = Authorizer::builder().store(store.clone()).build();
    /// let follower = authorizer.follow(store).on_error(|error| eprintln!("following: {error}"));
    /// # let _ = follower;
    /// ```
    pub fn on_error(mut self, report: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Box::new(report);
        self
    }

    /// Follows until the last clone of the authorizer is dropped, which it notices at the next poll. Dropping the future
    /// ends it at once.
    ///
    /// Pauses are those of the authorizer's [runtime](crate::AuthorizerBuilder::runtime), or without one of a thread. Errors
    /// and panics of the store do not end it. With a runtime, a refresh goes on when this future is dropped.
    ///
    /// ```
    /// # use rolecall::{Authorizer, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let store = MemoryStore::default();
    /// # let authorizer = Authorizer::builder().store(store.clone()).build();
    /// tokio::spawn(authorizer.follow(store).run());
    /// # }
    /// ```
    ///
    /// # Consistency
    /// A tenant that is out of service because of invalid content or a commit in doubt is refreshed too, at growing
    /// intervals. So it serves again when the store does.
    ///
    /// # Complexity
    /// Holds no tenant open, except while it refreshes it. Refreshes at most 64 tenants at a time.
    pub async fn run(self) {
        let span = Span::follow(self.interval);
        span.around(Following::new(self).run()).await;
    }

    pub(crate) fn runtime(&self) -> Option<&Arc<dyn Runtime>> {
        self.runtime.as_ref()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        match &self.runtime {
            Some(runtime) => runtime.sleep(duration),
            None => Box::pin(timer::sleep(duration)),
        }
    }

    fn report(&self, error: &Error) {
        (self.on_error)(error);
    }

    fn record(&self, event: FollowerEvent) {
        event.record(&self.counters);
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("every", &self.interval)
            .field("watches", &self.watch.is_some())
            .finish_non_exhaustive()
    }
}
