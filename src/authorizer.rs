//! What an application holds. It forwards and decides nothing.
//!
//! Only this layer and the store are asynchronous. The files below are listed from the highest to the lowest:
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | makes an authorizer |
//! | `import.rs` | creates or replaces a tenant from a document |
//! | `repair.rs` | opens a tenant whose slugs conflict with a new catalog |
//! | `open.rs`, `creation.rs`, `opening.rs` | find and open a tenant; create one; load one that is not open |
//! | `maintenance.rs` | refreshes and closes a tenant |
//! | `commit.rs` | plans, commits and publishes |
//! | `resolve.rs` | finds out the outcome of a commit that is in doubt |
//! | `refresh.rs` | takes in what other writers have committed |
//! | `registry.rs` | knows which tenants are open, and closes idle ones |
//! | `tenant.rs` | an open tenant |
//! | `write_state.rs`, `creation_queue.rs` | what outlives one opening of a tenant |
//! | `current_snapshot.rs`, `write_queue.rs` | the one cell that readers and writers share; the order of the writers |
//! | `sync.rs`, `store_error.rs`, `nested.rs` | locks, errors of the store, and updates inside updates |

#[cfg(test)]
#[cfg(loom)]
mod model;
mod builder;
#[cfg(feature = "json")]
mod import;
mod repair;
mod open;
mod creation;
mod opening;
mod maintenance;
mod commit;
mod resolve;
mod refresh;
mod registry;
mod tenant;
mod write_state;
mod creation_queue;
mod current_snapshot;
mod write_queue;
mod sync;
mod store_error;
mod nested;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::AuthorizerBuilder;
pub use self::commit::Updated;
pub(crate) use self::registry::Registry;
pub use self::repair::Repair;
#[cfg(test)]
pub(crate) use self::tenant::PUBLISHED;
use self::tenant::Shared;
pub use self::tenant::{Lag, Outcome, Tenant};
use crate::model::catalog::Catalog;

/// Keeps tenants open over a store. A clone is another hold on the same one.
///
/// # Example
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
    /// An authorizer over a store of its own in memory, without a catalog.
    pub fn in_memory() -> Self {
        Self::builder().build()
    }

    /// An authorizer with what can be chosen, chosen.
    pub fn builder() -> AuthorizerBuilder {
        AuthorizerBuilder::default()
    }

    /// The catalog that its tenants share.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog.definition
    }

    /// How many tenants are open.
    pub fn open_tenant_count(&self) -> usize {
        self.registry.len()
    }

    /// The tenants that are open, in no particular order: to refresh them all, say, or to remember which ones the next
    /// process should open first. To be listed does not count as being handed out; while the list is kept, its tenants are
    /// held.
    ///
    /// # Example
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

    /// Closes the tenants that nobody holds, whose commits are settled, and that were last handed out at least this
    /// long ago, by the authorizer's clock: not since the last question, which notes nothing. Returns how many. Their
    /// memory is given back at once; whoever asks for one of them next opens it again. Of zero, all that nobody holds
    /// are closed.
    ///
    /// Nothing calls this by itself: an application that wants it does so now and then, every minute say. A bound on how
    /// many are open is [`AuthorizerBuilder::max_open_tenants`], which also says what holds a tenant.
    ///
    /// # Example
    /// ```
    /// use std::time::Duration;
    /// use rolecall::blocking::Authorizer;
    ///
    /// let authorizer = Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme Corp")?;
    /// assert_eq!(authorizer.close_idle(Duration::ZERO), 0, "somebody holds it");
    /// drop(acme);
    /// assert_eq!(authorizer.close_idle(Duration::from_secs(900)), 0, "it has just been handed out");
    /// assert_eq!(authorizer.close_idle(Duration::ZERO), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(open tenants), and freeing what is closed. The store is not asked.
    pub fn close_idle(&self, unused_for: Duration) -> usize {
        self.registry.close_idle(unused_for)
    }
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").field("catalog", self.catalog()).field("open", &self.open_tenant_count()).finish()
    }
}
