//! The authorizer: opens tenants over a store, commits their updates and keeps them up to date.
//!
//! Only this layer and the store are asynchronous. The files are listed from the highest to the lowest:
//!
//! | file | purpose |
//! |---|---|
//! | `builder.rs` | builds an authorizer |
//! | `import.rs` | creates or replaces a tenant from a document |
//! | `open.rs`, `creation.rs`, `opening.rs` | find and open a tenant; create one; load one that is not open |
//! | `follow.rs` | follows the commits of other processes |
//! | `maintenance.rs` | refreshes and closes a tenant |
//! | `rebase.rs` | makes a plan again on the newest state |
//! | `staged.rs` | plans what the application commits inside its own database transaction |
//! | `commit.rs` | plans, commits and publishes |
//! | `resolve.rs` | finds out the outcome of a commit that is in doubt |
//! | `refresh.rs` | applies the commits of other writers |
//! | `history.rs` | past states |
//! | `registry.rs` | tracks the open tenants, and closes idle ones |
//! | `tenant.rs` | an open tenant |
//! | `write_state.rs`, `creation_queue.rs` | the state that outlives a session of a tenant |
//! | `current_snapshot.rs`, `write_queue.rs` | the cell that readers and writers share; the order of the writers |
//! | `pacing.rs` | when a process lets other processes write |
//! | `staleness.rs` | when a tenant stops answering because its state is too old |
//! | `detached.rs`, `runtime.rs` | work that goes on without its caller; what runs it, and what pauses it |
//! | `metrics.rs`, `counters.rs`, `telemetry.rs` | the numbers to export; the events behind them, and the spans of the feature `tracing` |
//! | `sync.rs`, `store_error.rs`, `nested.rs` | synchronization primitives, store errors, and nested updates |

#[cfg(test)]
#[cfg(loom)]
mod loom_model;
mod builder;
#[cfg(feature = "json")]
mod import;
mod open;
mod creation;
mod opening;
pub mod follow;
mod maintenance;
mod rebase;
pub mod history;
mod staged;
mod commit;
mod resolve;
mod refresh;
mod registry;
mod metrics;
mod telemetry;
mod tenant;
mod counters;
mod write_state;
mod creation_queue;
mod current_snapshot;
mod write_queue;
mod pacing;
mod staleness;
mod sync;
mod detached;
pub mod runtime;
mod store_error;
mod nested;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::AuthorizerBuilder;
pub use self::commit::Updated;
pub use self::metrics::Metrics;
pub(crate) use self::registry::Registry;
use self::runtime::Runtime;
pub use self::staged::Staged;
#[cfg(test)]
pub(crate) use self::tenant::PUBLISHED;
use self::tenant::Shared;
pub use self::tenant::{Lag, Outcome, Tenant};
use crate::model::catalog::Catalog;

/// Keeps tenants open over a store. A clone refers to the same open tenants.
///
/// ```
/// use rolecall::Authorizer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rolecall::Error> {
/// let authorizer = Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme Corp").await?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?;
///     tx.create_role("editor")?.grant("posts:*")?;
///     tx.create_user("alice")?.assign("editor")?;
///     Ok(())
/// })
/// .await?;
/// assert!(acme.check("alice", "posts:write"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Authorizer {
    shared: Arc<Shared>,
    registry: Arc<Registry>,
}

impl Authorizer {
    /// Creates an authorizer over a memory store of its own, without a catalog.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::in_memory();
    /// assert_eq!(authorizer.open_tenant_count(), 0);
    /// ```
    pub fn in_memory() -> Self {
        Self::builder().build()
    }

    /// Returns a builder to choose a store, a catalog, a clock and bounds.
    ///
    /// ```
    /// let authorizer = rolecall::Authorizer::builder().retries(8).build();
    /// # let _ = authorizer;
    /// ```
    pub fn builder() -> AuthorizerBuilder {
        AuthorizerBuilder::default()
    }

    /// Returns the catalog that all tenants share.
    ///
    /// ```
    /// assert!(rolecall::Authorizer::in_memory().catalog().permissions().is_empty());
    /// ```
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog.definition
    }

    /// Returns the runtime, for the blocking API.
    pub(crate) fn runtime(&self) -> Option<&Arc<dyn Runtime>> {
        self.shared.runtime.as_ref()
    }

    /// Returns how many tenants are open.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// assert_eq!(authorizer.open_tenant_count(), 1);
    /// # let _ = acme;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(open tenants).
    pub fn open_tenant_count(&self) -> usize {
        self.registry.len()
    }

    /// Returns the open tenants, in no particular order. Use it to refresh them all, or to record which ones the next
    /// process should open first. This does not count as use. The list holds its tenants open.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// # authorizer.create_tenant("acme", "Acme Corp")?;
    /// for tenant in authorizer.open_tenants() {
    ///     if let Err(error) = tenant.refresh() {
    ///         eprintln!("{}: {error}", tenant.tenant_id());
    ///     }
    /// }
    /// # assert_eq!(authorizer.open_tenants().len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(open tenants).
    pub fn open_tenants(&self) -> Vec<Tenant> {
        self.registry.all_open().into_iter().map(Tenant).collect()
    }

    /// Closes the unused tenants without a commit in doubt. A tenant is unused if nothing refers to it, and its last request
    /// was at least this long ago by the authorizer's clock. Returns how many were closed. A question does not count as a
    /// request. A duration of zero closes all tenants that nobody holds.
    ///
    /// Nothing calls this automatically. Call it on a timer, every minute for example.
    /// [`AuthorizerBuilder::max_open_tenants`] bounds the number of open tenants and says what holds one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rolecall::blocking::Authorizer;
    ///
    /// let authorizer = Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// assert_eq!(authorizer.close_idle(Duration::ZERO), 0, "somebody holds it");
    /// drop(acme);
    /// assert_eq!(authorizer.close_idle(Duration::from_secs(900)), 0, "it was requested just now");
    /// assert_eq!(authorizer.close_idle(Duration::ZERO), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(open tenants), and freeing what is closed. The store is not called.
    pub fn close_idle(&self, unused_for: Duration) -> usize {
        self.registry.close_idle(unused_for)
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").field("catalog", self.catalog()).field("open", &self.open_tenant_count()).finish()
    }
}
