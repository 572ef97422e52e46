//! A tenant whose slugs clash with a new catalog is refused at opening (R9). Opened for repair, it answers no question
//! and takes renames and deletions, until it can be opened as usual.

use std::sync::Arc;

use super::commit::{Committed, not_nested, plan};
use super::tenant::Inner;
use super::{Authorizer, Tenant};
use crate::error::{Error, ErrorKind, Noun, Result};
use crate::plan::{Origins, Tx};
use crate::records::{Slug, TenantSlug};

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
/// old.create_tenant("acme", "Acme")?.update(|tx| tx.create_permission("billing:read").map(drop))?;
///
/// // The next release defines that permission itself.
/// let permissions = &[PermissionDef::new("billing:read")];
/// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
/// let new = Authorizer::builder().store(store).catalog(&catalog).build();
/// assert_eq!(new.tenant("acme").unwrap_err().kind(), ErrorKind::Clash);
///
/// let repair = new.repair("acme")?;
/// assert_eq!(repair.clashes()[0].1.as_str(), "billing:read");
/// repair.update(|tx| tx.permission("billing:read")?.rename("acme-billing:read").map(drop))?;
/// assert!(repair.clashes().is_empty());
/// let acme = new.tenant("acme")?;
/// # let _ = acme;
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repair(Tenant);

impl Authorizer {
    /// Opens a tenant that was refused with [`Clash`](ErrorKind::Clash), for repair.
    ///
    /// # Errors
    /// Those of [`Authorizer::tenant`]; [`Refusal`](ErrorKind::Refusal) if the tenant is open, and so needs no repair.
    pub async fn repair(&self, slug: &str) -> Result<Repair> {
        not_nested()?;
        let slug = TenantSlug::new(slug)?;
        self.settle_birth(&slug).await?;
        let not_found = || Error::new(ErrorKind::NotFound).about(Noun::Tenant, slug.as_str());
        let life = self.find(&slug).await?.ok_or_else(not_found)?;
        let slot = self.registry.hold(life);
        let _turn = slot.turns.take().await;
        if self.registry.by_life(life).is_some() {
            return Err(Error::refusal("the tenant is open, and needs no repair"));
        }
        let inner = self.load_life(life, true).await?;
        inner.settle_first().await?;
        Ok(Repair(Tenant(inner)))
    }
}

impl Repair {
    /// The tenant's own slugs that the catalog takes, each to be renamed or deleted.
    pub fn clashes(&self) -> Vec<(Noun, Slug)> {
        let compiled = self.0.0.current.load();
        let (state, catalog) = (&compiled.state, &compiled.base.catalog);
        let own = |noun, slug: &Slug, is_own: bool| is_own.then(|| (noun, slug.clone()));
        let permissions = catalog.permissions().iter().filter_map(|entry| {
            let row = state.permissions.by_name(entry.slug().as_str()).and_then(|n| state.permissions.row(n))?;
            own(Noun::Permission, entry.slug(), row.record.id != entry.id())
        });
        let roles = catalog.roles().iter().filter_map(|entry| {
            let row = state.roles.by_name(entry.slug().as_str()).and_then(|n| state.roles.row(n))?;
            own(Noun::Role, entry.slug(), row.record.id != entry.id())
        });
        permissions.chain(roles).collect()
    }

    /// Renames and deletes. Slugs stand for the tenant's own things; whatever else is asked for is refused.
    ///
    /// # Errors
    /// Those of [`Tenant::update`]; [`Refusal`](ErrorKind::Refusal) for anything but a rename or a deletion.
    pub async fn update<T>(&self, mut f: impl FnMut(&Tx) -> Result<T>) -> Result<Committed<T>> {
        let inner: &Inner = &self.0.0;
        let clock = Arc::clone(&inner.tools.clock);
        inner.run(|base| plan(base, Origins::new(&*clock), true, &mut f)).await
    }
}
