//! Opens a tenant whose slugs conflict with a new catalog (R9). Such a tenant cannot be opened as usual. While it is
//! open for repair, every check is denied, and it accepts only renames and deletions.

use std::sync::Arc;

use super::commit::{Updated, plan};
use super::nested::reject_nested;
use super::tenant::Inner;
use super::{Authorizer, Tenant};
use crate::model::error::{EntityKind, Error, Result};
use crate::model::records::{Slug, TenantSlug};
use crate::plan::{CommitContext, Tx};

/// A tenant that is open for repair.
///
/// # Example
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::catalog::{Catalog, Definition, PermissionDef};
/// use rolecall::{ErrorKind, store::MemoryStore};
///
/// let store = MemoryStore::default();
/// let old = Authorizer::builder().store(store.clone()).build();
/// old.create_tenant("acme", "Acme")?.update(|tx| tx.create_permission("billing:read")?.done())?;
///
/// // The next release defines that permission itself.
/// let permissions = &[PermissionDef::new("billing:read")];
/// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
/// let new = Authorizer::builder().store(store).catalog(&catalog).build();
/// assert_eq!(new.tenant("acme").unwrap_err().kind(), ErrorKind::CatalogConflict);
///
/// let repair = new.repair("acme")?;
/// assert_eq!(repair.clashes()[0].1.as_str(), "billing:read");
/// repair.update(|tx| tx.permission("billing:read")?.set_slug("acme-billing:read")?.done())?;
/// assert!(repair.clashes().is_empty());
/// let acme = new.tenant("acme")?;
/// # let _ = acme;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repair(Tenant);

impl Authorizer {
    /// Opens a tenant for repair that was refused with [`CatalogConflict`](crate::ErrorKind::CatalogConflict). See
    /// [`Repair`] for an example.
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`]; [`Rejected`](crate::ErrorKind::Rejected) if the tenant is open and so needs
    /// no repair.
    pub async fn repair(&self, slug: &str) -> Result<Repair> {
        reject_nested()?;
        let slug = TenantSlug::new(slug)?;
        self.resolve_creation(&slug).await?;
        let not_found = || Error::not_found(EntityKind::Tenant, slug.as_str());
        let tenant_id = self.find(&slug).await?.ok_or_else(not_found)?;
        let write_state = self.registry.write_state(tenant_id);
        let _turn = write_state.write_queue.take().await;
        if self.registry.by_tenant_id(tenant_id).is_some() {
            return Err(Error::rejected("the tenant is open and needs no repair"));
        }
        let inner = self.load_tenant(tenant_id, true).await?;
        inner.resolve_pending().await?;
        Ok(Repair(Tenant(inner)))
    }
}

impl Repair {
    /// Returns the tenant's own slugs that the catalog defines too. Rename or delete each of them.
    pub fn clashes(&self) -> Vec<(EntityKind, Slug)> {
        let compiled = self.0.0.current.load();
        let (state, catalog) = (&compiled.state, &compiled.catalog.definition);
        let own = |entity, slug: &Slug, is_own: bool| is_own.then(|| (entity, slug.clone()));
        let permissions = catalog.permissions().iter().filter_map(|entry| {
            let row = state.permissions.by_name(entry.slug().as_str()).and_then(|n| state.permissions.row(n))?;
            own(EntityKind::Permission, entry.slug(), row.record.id != entry.id())
        });
        let roles = catalog.roles().iter().filter_map(|entry| {
            let row = state.roles.by_name(entry.slug().as_str()).and_then(|n| state.roles.row(n))?;
            own(EntityKind::Role, entry.slug(), row.record.id != entry.id())
        });
        permissions.chain(roles).collect()
    }

    /// Renames or deletes the conflicting entries. A slug refers to the tenant's own entry. See [`Repair`] for an
    /// example.
    ///
    /// # Errors
    /// Those of [`Tenant::update`]; [`Rejected`](crate::ErrorKind::Rejected) for anything but a rename or a
    /// deletion.
    pub async fn update<T>(&self, mut f: impl FnMut(&Tx) -> Result<T>) -> Result<Updated<T>> {
        let inner: &Arc<Inner> = &self.0.0;
        let clock = Arc::clone(&inner.shared.clock);
        inner.run(|base| plan(base, CommitContext::new(&*clock), true, &mut f)).await
    }
}
