//! What can be chosen about an authorizer.

use std::fmt;
use std::sync::Arc;

use super::{Authorizer, Registry, Tools};
use crate::catalog::Catalog;
use crate::clock::{Clock, SystemClock};
use crate::snapshot::base::Base;
use crate::store::{Erased, MemoryStore, Store};

/// Makes an [`Authorizer`].
///
/// ```
/// use rolecall::{Authorizer, store::MemoryStore};
/// let authorizer = Authorizer::builder().store(MemoryStore::default()).retries(8).most_open(1_000).build();
/// # let _ = authorizer;
/// ```
#[must_use]
pub struct Builder {
    store: Arc<dyn Erased>,
    clock: Arc<dyn Clock>,
    catalog: Catalog,
    retries: u32,
    most_open: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::default()),
            clock: Arc::new(SystemClock),
            catalog: Catalog::empty(),
            retries: 16,
            most_open: usize::MAX,
        }
    }
}

impl Builder {
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

    /// How many tenants stay open; without this, all. Only those that nobody holds, and whose commits are settled, are
    /// closed to make room, the one that was opened or found longest ago first.
    pub fn most_open(mut self, most: usize) -> Self {
        self.most_open = most;
        self
    }

    /// The authorizer. It compiles the catalog, once for all tenants.
    pub fn build(self) -> Authorizer {
        let Self { store, clock, catalog, retries, most_open } = self;
        let base = Arc::new(Base::new(catalog));
        Authorizer {
            tools: Arc::new(Tools { store, clock, base, retries }),
            registry: Arc::new(Registry::new(most_open)),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("catalog", &self.catalog)
            .field("retries", &self.retries)
            .field("most_open", &self.most_open)
            .finish_non_exhaustive()
    }
}
