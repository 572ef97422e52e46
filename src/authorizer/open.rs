//! Finds and opens tenants, by slug or by id.

use std::sync::Arc;

use super::Authorizer;
use super::nested::reject_nested;
use super::opening::not_found;
use super::store_error::store_error;
use super::tenant::{Inner, Tenant};
use crate::model::error::{ErrorKind, Result};
use crate::model::records::{TenantId, TenantSlug};
use crate::store::TenantSummary;

impl Authorizer {
    /// Returns the tenant with this slug, and opens it if it is not open.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// authorizer.create_tenant("acme-corp", "Acme Corp")?;
    /// let acme = authorizer.tenant("acme-corp")?;
    /// # let _ = acme;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// A tenant that has slugs of the catalog opens, too; only those slugs are affected (R9, [`Tenant::conflicts`]).
    /// An open tenant that has this slug at its own revision is returned from memory. Otherwise the store is asked.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Unavailable`](crate::ErrorKind::Unavailable),
    /// [`Corrupt`](crate::ErrorKind::Corrupt). [`UnsupportedRecord`](crate::ErrorKind::UnsupportedRecord) if a later
    /// release has written a kind of record that this store does not know. [`Blocked`](crate::ErrorKind::Blocked) if it
    /// is not known whether a tenant was created under this slug, or whether the tenant still has it.
    pub async fn tenant(&self, slug: &str) -> Result<Tenant> {
        reject_nested()?;
        let slug = TenantSlug::new(slug)?;
        self.resolve_creation(&slug).await?;
        if let Some(inner) = self.registry.by_slug(&slug) {
            // Resolved first: the commit in doubt may be a rename.
            if resolved(&inner).await? && inner.has_slug(&slug) {
                return Ok(Tenant(inner));
            }
        }
        // Between the lookup and the load, the tenant may be renamed and its slug given to another tenant.
        for _ in 0..MOST_RENAMES {
            let tenant_id = self.find(&slug).await?.ok_or_else(|| not_found(slug.as_str()))?;
            match self.open(tenant_id).await {
                Ok(tenant) if tenant.has_slug(&slug).await? => {
                    self.registry.record_slug(slug, tenant_id);
                    return Ok(tenant);
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Deleted) => {}
                Err(error) => return Err(error),
            }
        }
        Err(not_found(slug.as_str()))
    }

    /// Returns the tenant with this id, and opens it if it is not open.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let id = authorizer.create_tenant("acme", "Acme")?.tenant_id();
    /// let acme = authorizer.tenant_by_id(id)?;
    /// # let _ = acme;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`].
    pub async fn tenant_by_id(&self, tenant_id: TenantId) -> Result<Tenant> {
        reject_nested()?;
        match self.registry.by_tenant_id(tenant_id) {
            Some(inner) if resolved(&inner).await? => Ok(Tenant(inner)),
            _ => self.open(tenant_id).await,
        }
    }

    /// Returns the tenant with this slug, and creates it with this name if it does not exist: for code that runs at
    /// every start.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.open_or_create("acme", "Acme")?;
    /// let again = authorizer.open_or_create("acme", "Acme")?;
    /// assert_eq!(acme.tenant_id(), again.tenant_id());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`] and [`Authorizer::create_tenant`].
    pub async fn open_or_create(&self, slug: &str, name: &str) -> Result<Tenant> {
        match self.tenant(slug).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            answer => return answer,
        }
        match self.create_tenant(slug, name).await {
            // Another caller has just created it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.tenant(slug).await,
            answer => answer,
        }
    }

    /// Returns at most `limit` tenants of the store, open or not, ordered by slug, after the given slug.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// authorizer.create_tenant("acme", "Acme")?;
    /// authorizer.create_tenant("globex", "Globex")?;
    /// let first = authorizer.tenants(None, 1)?;
    /// let next = authorizer.tenants(Some(first[0].slug.as_str()), 10)?;
    /// assert_eq!(next[0].slug.as_str(), "globex");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if `after` is not a slug; [`Unavailable`](crate::ErrorKind::Unavailable);
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the store's slugs are damaged.
    pub async fn tenants(&self, after: Option<&str>, limit: usize) -> Result<Vec<TenantSummary>> {
        let after = after.map(TenantSlug::new).transpose()?;
        let listed = self.shared.store.list(after.as_ref(), limit).await;
        listed.map_err(|error| store_error(error, ""))
    }
}

/// The number of lookups before a slug that keeps moving between tenants is reported as not found.
const MOST_RENAMES: usize = 4;

impl Tenant {
    /// Whether the tenant has this slug, in the current snapshot or else after a refresh. The store has just returned
    /// the tenant for this slug, so a snapshot without it is out of date.
    async fn has_slug(&self, slug: &TenantSlug) -> Result<bool> {
        if self.0.has_slug(slug) {
            return Ok(true);
        }
        match self.refresh().await {
            Err(error) if error.kind() == ErrorKind::Deleted => Ok(false),
            Err(error) => Err(error),
            Ok(_) => Ok(self.0.has_slug(slug)),
        }
    }
}

/// Resolves a pending commit of an open tenant. If that fails, every check stays denied, and the next call tries again.
/// Returns whether the tenant is still open. It may have been closed in the meantime, or found to be deleted.
async fn resolved(inner: &Arc<Inner>) -> Result<bool> {
    if inner.is_in_doubt() {
        let turn = inner.write_state.write_queue.take().await;
        let tenant = Arc::clone(inner);
        let resolve = async move {
            let _turn = turn;
            if tenant.is_open() {
                drop(tenant.resolve_pending().await);
            }
        };
        inner.detached(resolve).await?;
    }
    Ok(inner.is_open())
}
