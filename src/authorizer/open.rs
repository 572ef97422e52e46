//! Asking for a tenant opens it, once per life.

use super::Authorizer;
use super::nested::reject_nested;
use super::opening::not_found;
use super::store_error::store_error;
use super::tenant::{Inner, Tenant};
use crate::model::error::{ErrorKind, Result};
use crate::model::records::{TenantId, TenantSlug};
use crate::resolver::snapshot::Availability;
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
    /// An open tenant that has this slug at its own revision is returned from memory. Otherwise the store is asked.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`Unavailable`](crate::ErrorKind::Unavailable),
    /// [`Corrupt`](crate::ErrorKind::Corrupt); [`UnsupportedRecord`](crate::ErrorKind::UnsupportedRecord) if a
    /// later release has written a kind of record that this store does not know;
    /// [`CatalogConflict`](crate::ErrorKind::CatalogConflict) if the tenant uses slugs of the catalog, see
    /// [`Authorizer::repair`]; [`InDoubt`](crate::ErrorKind::InDoubt) if it is not known whether a tenant was
    /// created under this slug.
    pub async fn tenant(&self, slug: &str) -> Result<Tenant> {
        reject_nested()?;
        let slug = TenantSlug::new(slug)?;
        self.resolve_creation(&slug).await?;
        if let Some(inner) = self.registry.by_slug(&slug) {
            // Settled first: what was open may be a rename.
            if resolved(&inner).await && inner.has_slug(&slug) {
                return Ok(Tenant(inner));
            }
        }
        // Between the look-up and the opening, the tenant may be renamed and its slug given to another.
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
            Some(inner) if resolved(&inner).await => Ok(Tenant(inner)),
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
            // Somebody else has just created it.
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
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`Corrupt`](crate::ErrorKind::Corrupt),
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn tenants(&self, after: Option<&str>, limit: usize) -> Result<Vec<TenantSummary>> {
        let after = after.map(TenantSlug::new).transpose()?;
        let listed = self.shared.store.list(after.as_ref(), limit).await;
        listed.map_err(|error| store_error(error, ""))
    }
}

/// How often a slug may move to another tenant while it is asked for.
const MOST_RENAMES: usize = 4;

impl Tenant {
    /// Whether it has this slug: in the snapshot in hand, or else in the newest one, since the store has just said so.
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

/// Settles an open tenant, if that can be done; where it cannot, the tenant denies, and the next call on it tries again.
/// False if it is open no more: closed while this waited for its turn, or found to have ended.
async fn resolved(inner: &Inner) -> bool {
    if inner.write_state.pending().is_some() || inner.current.guard().availability == Availability::InDoubt {
        let _turn = inner.write_state.write_queue.take().await;
        if inner.is_open() {
            drop(inner.resolve_pending().await);
        }
    }
    inner.is_open()
}
