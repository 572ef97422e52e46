//! The user directory: the tenants in which a user exists, for sign-in pages.

use std::future::Future;
use std::sync::Arc;

use super::{Store, StoreError, TenantSummary};
use crate::model::records::{TenantSlug, UserKey};

/// A store that finds the tenants in which a user exists.
///
/// The capability is optional: the library needs only [`Store`]. A page that lets people choose their tenant after they
/// signed in asks it. The answer permits nothing: open the tenant, and check.
///
/// # Contract
/// | | clause |
/// |---|---|
/// | U1 | The answer has every existing tenant with a user of this key, and no other, in bytewise order of the tenants' slugs. Suspended users count. |
/// | U2 | The answer includes every revision that was visible before the call (S5). A user whose key was changed is found by the new key alone. |
/// | U3 | The store compares keys byte for byte (S8). |
/// | U4 | An answer has at most `limit` tenants, all with slugs after `after`. Fewer mean that the list ends there. |
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::{MemoryStore, UserDirectory};
///
/// let store = MemoryStore::default();
/// let authorizer = Authorizer::builder().store(store.clone()).build();
/// for slug in ["acme", "globex", "initech"] {
///     let tenant = authorizer.create_tenant(slug, slug)?;
///     if slug != "globex" {
///         tenant.update(|tx| tx.create_user("alice@example.com")?.done())?;
///     }
/// }
/// let tenants = pollster::block_on(store.tenants_of_user(&"alice@example.com".parse()?, None, 10))?;
/// let slugs: Vec<_> = tenants.iter().map(|tenant| tenant.slug.as_str()).collect();
/// assert_eq!(slugs, ["acme", "initech"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// The answer discloses whether a key exists, and where. Ask only for a user who has signed in.
pub trait UserDirectory: Store {
    /// Returns at most `limit` tenants with a user of this key whose slugs sort after `after`, in bytewise order of their
    /// slugs.
    ///
    /// Dropping the future has no effect.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store could not read, [`StoreError::Corrupt`] if what it read is damaged.
    fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TenantSummary>, StoreError>> + Send;
}

impl<S: UserDirectory> UserDirectory for Arc<S> {
    async fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        (**self).tenants_of_user(key, after, limit).await
    }
}
