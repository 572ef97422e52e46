//! The options of an authorizer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::runtime::Runtime;
use super::staleness::Staleness;
use super::{Authorizer, Registry, Shared};
use crate::model::catalog::Catalog;
use crate::model::clock::{Clock, SystemClock};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::store::{DynStore, MemoryStore, Store};

/// Configures and creates an [`Authorizer`].
///
/// ```
/// use rolecall::{Authorizer, store::MemoryStore};
///
/// let authorizer = Authorizer::builder().store(MemoryStore::default()).retries(8).max_open_tenants(1_000).build();
/// # let _ = authorizer;
/// ```
#[must_use]
pub struct AuthorizerBuilder {
    store: Arc<dyn DynStore>,
    clock: Arc<dyn Clock>,
    catalog: Catalog,
    retries: u32,
    retry_timeout: Duration,
    max_open: usize,
    runtime: Option<Arc<dyn Runtime>>,
    max_staleness: Option<Duration>,
}

impl Default for AuthorizerBuilder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(SystemClock),
            catalog: Catalog::empty(),
            retries: 256,
            retry_timeout: Duration::from_secs(10),
            max_open: usize::MAX,
            runtime: None,
            max_staleness: None,
        }
    }
}

impl AuthorizerBuilder {
    /// Sets where tenants are kept. The default is memory.
    ///
    /// ```
    /// use rolecall::{Authorizer, store::MemoryStore};
    ///
    /// let authorizer = Authorizer::builder().store(MemoryStore::default()).build();
    /// # let _ = authorizer;
    /// ```
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Sets the permissions and system roles that the application defines in code. With
    /// [`catalog!`](crate::catalog!) that is `Permission::catalog()`.
    ///
    /// ```
    /// use rolecall::Authorizer;
    ///
    /// rolecall::catalog! {
    ///     enum Permission { PostsRead = "posts:read" }
    /// }
    /// let authorizer = Authorizer::builder().catalog(Permission::catalog()).build();
    /// assert_eq!(authorizer.catalog().permissions().len(), 1);
    /// ```
    pub fn catalog(mut self, catalog: &Catalog) -> Self {
        self.catalog = catalog.clone();
        self
    }

    /// Sets the clock, which decides what "now" is. The default is the system's clock.
    ///
    /// ```
    /// use rolecall::clock::SystemClock;
    /// use rolecall::Authorizer;
    ///
    /// let authorizer = Authorizer::builder().clock(SystemClock).build();
    /// # let _ = authorizer;
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how often an update is planned again because another writer committed first. The default is 256. Each retry
    /// makes two calls to the store, so the store sets the pace. [`retry_timeout`](Self::retry_timeout) bounds the time.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::builder().retries(64).build();
    /// # let _ = authorizer;
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets how long an update is retried because another writer committed first. The default is 10 seconds. An update
    /// that has met a conflict after this time ends as [`Conflict`](crate::ErrorKind::Conflict).
    ///
    /// The authorizer's clock measures the time, so no timer is needed. A call to the store is never cut short: that
    /// would leave its commit in doubt.
    ///
    /// It also bounds how long other calls wait for a [staged](crate::Tenant::stage) transaction. A timer measures that.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let authorizer = rolecall::Authorizer::builder().retry_timeout(Duration::from_secs(2)).build();
    /// # let _ = authorizer;
    /// ```
    pub fn retry_timeout(mut self, timeout: Duration) -> Self {
        self.retry_timeout = timeout;
        self
    }

    /// Sets how many tenants stay open. The default is all of them; with 0, only held tenants stay open.
    ///
    /// When one more is opened, the least recently used tenants are closed to make room, unless somebody holds them
    /// or a commit of theirs is in doubt. The next request for a closed tenant loads it again.
    ///
    /// A [`Tenant`](crate::Tenant) holds the tenant open. A [`Snapshot`](crate::Snapshot) does not, and keeps
    /// answering after the tenant is closed. A handle does not either, and is unknown when the tenant is opened
    /// again.
    ///
    /// If all tenants are held, more than this stay open until they are dropped and another one is opened or
    /// [`close_idle`](Authorizer::close_idle) is called.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::builder().max_open_tenants(20_000).build();
    /// # let _ = authorizer;
    /// ```
    ///
    /// # Complexity
    /// O(1) for each request. Beyond the bound, an opening looks at 64 tenants at most.
    pub fn max_open_tenants(mut self, max: usize) -> Self {
        self.max_open = max;
        self
    }

    /// Bounds how old an answer can be. Without a bound, which is the default, a tenant answers from the state that this
    /// process last saw, however long the store cannot be reached.
    ///
    /// With a bound, a tenant whose store has not confirmed its state for this long denies every check with
    /// [`Reason::Unconfirmed`](crate::Reason::Unconfirmed), until the store confirms the state again. Opening, updating
    /// and refreshing a tenant confirm its state, and so does each poll of a [follower](Authorizer::follow). The bound
    /// needs a follower: without one, the tenant denies every check after this time unless it is opened, updated or
    /// refreshed.
    ///
    /// Choose a bound that is several times as long as the follower's interval and the time limits of the store. Otherwise
    /// one slow poll denies checks without need.
    /// [`Tenant::lag`](crate::Tenant::lag) says when the state was last confirmed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let authorizer = rolecall::Authorizer::builder().max_staleness(Duration::from_secs(30)).build();
    /// # let _ = authorizer;
    /// ```
    ///
    /// # Consistency
    /// Denials begin between seven and eight eighths of the bound after the store was asked, as far as the timer of the
    /// [runtime](Self::runtime) is punctual. The bound is at least 8 milliseconds. With the timer of this crate it is at
    /// most 8 days, and needs one thread. If the system cannot start the thread, the bound does not hold until another pause
    /// starts it. A process that was suspended denies only after the timer has noticed. A [`Snapshot`](crate::Snapshot) that
    /// was taken before still answers.
    ///
    /// # Complexity
    /// A check costs the same. A task looks at each open tenant eight times in the time of the bound.
    pub fn max_staleness(mut self, limit: Duration) -> Self {
        self.max_staleness = Some(limit);
        self
    }

    /// Sets the runtime for calls that must outlive their caller. There is none by default: see [`build`](Self::build).
    ///
    /// A web framework drops the future of a request when the client hangs up. With a runtime, a call that has its turn
    /// in the tenant's write queue continues in a task. A write is committed and published. A tenant is opened or
    /// refreshed for the next request. Dropping a future that still waits for its turn, or whose closure has not
    /// returned, does nothing. If a commit is in doubt, a task resolves it. It tries at once and then at growing
    /// intervals, of at most a second, for as long as the tenant is open.
    ///
    /// ```
    /// use rolecall::Authorizer;
    ///
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rolecall::Error> {
    /// let authorizer = Authorizer::builder().runtime(tokio::runtime::Handle::current()).build();
    /// let acme = authorizer.create_tenant("acme", "Acme").await?;
    /// # let _ = acme;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// Calls return [`Unavailable`](crate::ErrorKind::Unavailable) if the runtime drops the task before it begins. A
    /// write returns [`InDoubt`](crate::ErrorKind::InDoubt) if its task is dropped or panics after the store was called.
    ///
    /// # Complexity
    /// One task for each call that reaches the store. Questions start none.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Creates the authorizer. It compiles the catalog once for all tenants.
    ///
    /// Without a [`runtime`](Self::runtime), every call runs in the caller's future. If the future of a write is
    /// dropped after the store was called, the commit is in doubt. Every check on the tenant is then denied until the
    /// next asynchronous call on it resolves the commit. An application that serves requests sets a runtime.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::builder().build();
    /// # let _ = authorizer;
    /// ```
    pub fn build(self) -> Authorizer {
        let Self { store, clock, catalog, retries, retry_timeout, max_open, runtime, max_staleness } = self;
        let catalog = Arc::new(CompiledCatalog::new(catalog));
        let registry = Arc::new(Registry::new(max_open, Arc::clone(&clock)));
        let staleness = Arc::new(Staleness::new(max_staleness, Arc::clone(&clock), runtime.clone()));
        let counters = Arc::new(Counters::default());
        let shared = Shared { store, clock, catalog, retries, retry_timeout, runtime, staleness, counters };
        Authorizer { shared: Arc::new(shared), registry }
    }
}

impl fmt::Debug for AuthorizerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerBuilder")
            .field("catalog", &self.catalog)
            .field("retries", &self.retries)
            .field("retry_timeout", &self.retry_timeout)
            .field("max_open_tenants", &self.max_open)
            .field("max_staleness", &self.max_staleness)
            .finish_non_exhaustive()
    }
}
