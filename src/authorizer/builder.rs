//! What can be chosen about an authorizer.

use std::fmt;
use std::sync::Arc;

use super::{Authorizer, Registry, Shared};
use crate::model::catalog::Catalog;
use crate::model::clock::{Clock, SystemClock};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::store::{DynStore, MemoryStore, Store};

/// Makes an [`Authorizer`].
///
/// ```
/// use rolecall::{Authorizer, store::MemoryStore};
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
    /// Where tenants are kept. Without this, in memory.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// The permissions and roles that the application defines in code: of an enum made by
    /// [`catalog!`](crate::catalog!), `Permission::catalog()`.
    pub fn catalog(mut self, catalog: &Catalog) -> Self {
        self.catalog = catalog.clone();
        self
    }

    /// Where "now" comes from. Without this, the system's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How often an update is planned again when another writer came first; without this, 16 times.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// How many tenants stay open; without this, all, and with 0 only those that somebody holds. Whenever one more is
    /// opened, others are closed to make room: the least recently handed out first, and only such as nobody holds and
    /// whose commits are settled. A closed one is opened again, with a load, by whoever asks for it next.
    ///
    /// Whoever has a [`Tenant`](crate::Tenant) holds it, and keeps it open: so to keep one in memory, keep it. A
    /// [`Snapshot`](crate::Snapshot) does not, and answers on; nor does a handle, which is unknown after another opening.
    ///
    /// If all are held, more than this stay open, until they are let go and another one is opened or
    /// [`close_idle`](Authorizer::close_idle) is called.
    ///
    /// # Complexity
    /// O(1) for each one that is handed out. Beyond the bound, an opening looks at 64 at most.
    pub fn max_open_tenants(mut self, max: usize) -> Self {
        self.max_open = max;
        self
    }

    /// The authorizer. It compiles the catalog, once for all tenants.
    pub fn build(self) -> Authorizer {
        let Self { store, clock, catalog, retries, max_open } = self;
        let catalog = Arc::new(CompiledCatalog::new(catalog));
        let registry = Arc::new(Registry::new(max_open, Arc::clone(&clock)));
        Authorizer { shared: Arc::new(Shared { store, clock, catalog, retries }), registry }
    }
}

impl fmt::Debug for AuthorizerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("catalog", &self.catalog)
            .field("retries", &self.retries)
            .field("max_open_tenants", &self.max_open)
            .finish_non_exhaustive()
    }
}
