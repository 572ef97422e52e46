//! The options of an authorizer.

use std::fmt;
use std::sync::Arc;

use super::{Authorizer, Registry, Shared};
use crate::model::catalog::Catalog;
use crate::model::clock::{Clock, SystemClock};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::store::{DynStore, MemoryStore, Store};

/// Builds an [`Authorizer`].
///
/// ```
/// use rolecall::Authorizer;
/// use rolecall::store::MemoryStore;
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
    max_open: usize,
}

impl Default for AuthorizerBuilder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(SystemClock),
            catalog: Catalog::empty(),
            retries: 16,
            max_open: usize::MAX,
        }
    }
}

impl AuthorizerBuilder {
    /// Sets the store that keeps the tenants. The default is a [`MemoryStore`] of its own.
    ///
    /// ```
    /// # use rolecall::Authorizer;
    /// let authorizer = Authorizer::builder().store(rolecall::store::MemoryStore::default()).build();
    /// # let _ = authorizer;
    /// ```
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Sets the permissions and system roles that the application defines in code. An enum made by
    /// [`catalog!`](crate::catalog!) has it as `Permission::catalog()`. The default is empty.
    ///
    /// ```
    /// use rolecall::Authorizer;
    /// use rolecall::catalog::{Catalog, Definition, PermissionDef};
    ///
    /// let permissions = &[PermissionDef::new("posts:read")];
    /// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
    /// let authorizer = Authorizer::builder().catalog(&catalog).build();
    /// assert_eq!(authorizer.catalog().fingerprint(), catalog.fingerprint());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn catalog(mut self, catalog: &Catalog) -> Self {
        self.catalog = catalog.clone();
        self
    }

    /// Sets the source of "now". The default is the [`SystemClock`].
    ///
    /// ```
    /// # use rolecall::Authorizer;
    /// use rolecall::Timestamp;
    /// use rolecall::clock::ManualClock;
    ///
    /// let authorizer = Authorizer::builder().clock(ManualClock::new(Timestamp::UNIX_EPOCH)).build();
    /// # let _ = authorizer;
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how often an update is planned again when another writer was faster. The default is 16 times.
    ///
    /// ```
    /// # use rolecall::Authorizer;
    /// let authorizer = Authorizer::builder().retries(3).build();
    /// # let _ = authorizer;
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets how many tenants stay open. By default all do; with 0, only those that are in use.
    ///
    /// Opening one more closes others to make room, the least recently handed out first. Only tenants that nobody
    /// references and that have no commit in doubt are closed. The next request for a closed tenant loads it again.
    ///
    /// A [`Tenant`](crate::Tenant) references its tenant: keep one to keep the tenant in memory. A
    /// [`Snapshot`](crate::Snapshot) does not; it keeps answering after the tenant is closed. A handle does not either, and
    /// is unknown after the tenant is opened again.
    ///
    /// If all are in use, more than this many stay open until they are released and another one is opened or
    /// [`close_idle`](Authorizer::close_idle) is called.
    ///
    /// ```
    /// # use rolecall::Authorizer;
    /// let authorizer = Authorizer::builder().max_open_tenants(1_000).build();
    /// # let _ = authorizer;
    /// ```
    ///
    /// # Complexity
    /// O(1) for each tenant that is handed out. Beyond the bound, opening one tries to close 64 at most.
    pub fn max_open_tenants(mut self, max: usize) -> Self {
        self.max_open = max;
        self
    }

    /// Builds the authorizer. This compiles the catalog, once for all tenants.
    ///
    /// ```
    /// use rolecall::Authorizer;
    ///
    /// assert_eq!(Authorizer::builder().build().open_tenant_count(), 0);
    /// ```
    pub fn build(self) -> Authorizer {
        let Self { store, clock, catalog, retries, max_open } = self;
        let catalog = Arc::new(CompiledCatalog::new(catalog));
        let registry = Arc::new(Registry::new(max_open, Arc::clone(&clock)));
        Authorizer { shared: Arc::new(Shared { store, clock, catalog, retries }), registry }
    }
}

impl fmt::Debug for AuthorizerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerBuilder")
            .field("catalog", &self.catalog)
            .field("retries", &self.retries)
            .field("max_open_tenants", &self.max_open)
            .finish_non_exhaustive()
    }
}
