//! The slugs that belong to the tenant and to a catalog (R9): those of the open tenant, and those of a catalog that is
//! not deployed yet. And the tenant's slugs that begin with a prefix that a catalog reserves.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use super::Snapshot;
use super::table::{Origin, Row, Table};
use crate::model::catalog::Catalog;
use crate::model::error::{EntityKind, Quoted};
use crate::model::records::Slug;

/// A slug that belongs to a permission or role of the tenant and to one of the catalog (R9).
///
/// A permission in conflict gives nothing, neither the tenant's nor the catalog's. Roles in conflict keep what they
/// give. To repair it, rename or delete the tenant's own by its id.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::catalog::{Catalog, Definition, PermissionDef};
/// use rolecall::{Decision, Reason, store::MemoryStore};
///
/// let store = MemoryStore::default();
/// let old = Authorizer::builder().store(store.clone()).build();
/// old.create_tenant("acme", "Acme")?.update(|tx| tx.create_permission("billing:read")?.done())?;
///
/// // The next release defines that permission itself. The tenant opens, and only this slug is denied.
/// let permissions = &[PermissionDef::new("billing:read")];
/// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
/// let acme = Authorizer::builder().store(store).catalog(&catalog).build().tenant("acme")?;
/// acme.update(|tx| tx.create_user("alice")?.done())?;
/// assert_eq!(acme.decide("alice", "billing:read"), Decision::Denied(Reason::CatalogConflict));
///
/// for conflict in acme.conflicts() {
///     acme.update(|tx| tx.permission(conflict.own)?.set_slug("acme-billing:read")?.done())?;
/// }
/// assert!(acme.conflicts().is_empty());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct SlugConflict {
    /// A permission or a role.
    pub entity: EntityKind,
    /// The slug of both.
    pub slug: Slug,
    /// The id of the tenant's own.
    pub own: Uuid,
    /// The id of the catalog's.
    pub catalog: Uuid,
}

impl fmt::Display for SlugConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entity, slug, own, catalog } = self;
        write!(f, "{entity} {}: the tenant's own is {own}, the catalog's is {catalog}", Quoted(slug.as_str()))
    }
}

/// A slug of a permission or role of the tenant that begins with a prefix that a catalog reserves (R9).
///
/// It works as before. It will be in conflict as soon as a release of the catalog defines the same slug.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::catalog::{Catalog, Definition};
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_permission("billing:read")?.done())?;
///
/// let next = Catalog::new(&Definition { reserved_permission_prefixes: &["billing:"], ..Definition::default() })?;
/// let reserved = &acme.snapshot().reserved_slugs(&next)[0];
/// assert_eq!((reserved.slug.as_str(), reserved.prefix.as_str()), ("billing:read", "billing:"));
/// acme.update(|tx| tx.permission(reserved.own)?.set_slug("acme-billing:read")?.done())?;
/// assert!(acme.snapshot().reserved_slugs(&next).is_empty());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct ReservedSlug {
    /// A permission or a role.
    pub entity: EntityKind,
    /// Its slug.
    pub slug: Slug,
    /// Its id.
    pub own: Uuid,
    /// The reserved prefix.
    pub prefix: String,
}

impl fmt::Display for ReservedSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entity, slug, own, prefix } = self;
        write!(
            f,
            "{entity} {} ({own}) begins with {}, which the catalog reserves",
            Quoted(slug.as_str()),
            Quoted(prefix)
        )
    }
}

impl Snapshot {
    /// Returns the slugs that belong to the tenant and to the catalog that it is open with: first permissions, then
    /// roles, each in the catalog's order. [`SlugConflict`] has an example.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.snapshot().conflicts().is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(entries of the catalog · log n).
    pub fn conflicts(&self) -> Vec<SlugConflict> {
        self.catalog_conflicts(&self.0.catalog.definition)
    }

    /// Returns the conflicts that the tenant would have with another catalog, for example that of the next release. Ask
    /// for every tenant before you deploy it.
    ///
    /// This is about slugs alone. [`reconcile`](Self::reconcile) also returns what grants and patterns would give less
    /// or more, for example because an entry is renamed, and who would be affected.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition, RoleDef};
    ///
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// acme.update(|tx| tx.create_role("billing")?.done())?;
    /// let next = Catalog::new(&Definition { roles: &[RoleDef::new("billing")], ..Definition::default() })?;
    /// assert_eq!(acme.snapshot().catalog_conflicts(&next)[0].slug, "billing");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(entries of the catalog · log n).
    pub fn catalog_conflicts(&self, catalog: &Catalog) -> Vec<SlugConflict> {
        let state = &self.0.state;
        let permissions = catalog.permissions().iter().map(|entry| (entry.slug(), entry.id().as_uuid()));
        let roles = catalog.roles().iter().map(|entry| (entry.slug(), entry.id().as_uuid()));
        let permissions = permissions.filter_map(|(slug, id)| conflict(&state.permissions, slug, id));
        permissions.chain(roles.filter_map(|(slug, id)| conflict(&state.roles, slug, id))).collect()
    }

    /// Returns the tenant's own slugs that begin with a prefix that a catalog reserves: first permissions, then roles,
    /// each in bytewise order. [`ReservedSlug`] has an example.
    ///
    /// Ask for every tenant before you deploy a catalog that reserves a prefix. Such slugs keep working, and they may
    /// conflict with later releases.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// assert!(acme.snapshot().reserved_slugs(&rolecall::catalog::Catalog::empty()).is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Complexity
    /// O(prefixes · log n + slugs that begin with one).
    pub fn reserved_slugs(&self, catalog: &Catalog) -> Vec<ReservedSlug> {
        let state = &self.0.state;
        let permissions = catalog
            .reserved_permission_prefixes()
            .flat_map(|prefix| reserved(&state.permissions, prefix, |row| &row.record.slug));
        let roles =
            catalog.reserved_role_prefixes().flat_map(|prefix| reserved(&state.roles, prefix, |row| &row.record.slug));
        permissions.chain(roles).collect()
    }
}

fn reserved<'a, R: Row>(
    table: &'a Table<R>,
    prefix: &'a str,
    slug: fn(&R) -> &Slug,
) -> impl Iterator<Item = ReservedSlug> + 'a {
    let rows = table.sorted_from(prefix).filter_map(|number| table.row(number));
    let rows = rows.take_while(move |row| row.name().starts_with(prefix)).filter(|row| row.origin() == Origin::Tenant);
    rows.map(move |row| {
        let (slug, prefix) = (slug(row).clone(), prefix.to_owned());
        ReservedSlug { entity: R::ENTITY, slug, own: row.id(), prefix }
    })
}

/// Returns the entity of the tenant and the one of the catalog with this slug.
pub(crate) fn both<R: Row>(table: &Table<R>, slug: &Slug) -> Option<SlugConflict> {
    let named = table.sorted_from(slug.as_str()).filter_map(|number| table.row(number));
    let catalog = named.take_while(|row| row.name() == slug.as_str()).find(|row| row.origin() == Origin::Catalog)?;
    conflict(table, slug, catalog.id())
}

fn conflict<R: Row>(table: &Table<R>, slug: &Slug, catalog: Uuid) -> Option<SlugConflict> {
    let named = table.sorted_from(slug.as_str()).filter_map(|number| table.row(number));
    let own = named.take_while(|row| row.name() == slug.as_str()).find(|row| row.origin() == Origin::Tenant)?;
    Some(SlugConflict { entity: R::ENTITY, slug: slug.clone(), own: own.id(), catalog })
}
