//! The catalog: permissions and system roles that the application defines in code (R9), shared by all its tenants.
//!
//! A [`Catalog`] is checked once: at compile time if the macro [`catalog!`](crate::catalog!) defines it, otherwise by
//! [`Catalog::new`]. It never changes afterwards. It guarantees:
//!
//! - An entry's id is derived from its first published slug, so renaming an entry in code keeps the id.
//! - An earlier or retired slug never refers to another entry.
//! - Entries keep the order in which they are written. A variant of the enum is the index of its entry.
//! - A role includes only roles that precede it, so one pass in order visits each role after those it includes.
//!
//! Deliberately absent: tenants, and matching of patterns. Read next: [`Definition`], then `check.rs` for the rules.

#[cfg(test)]
mod tests;
mod macros;
mod generated;
mod build;
mod check;
mod texts;
mod definition;
mod fingerprint;
mod names;
mod entries;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use definition::{Definition, PermissionDef, RoleDef};
pub use entries::{PermissionEntry, RoleEntry};
pub(crate) use names::Taken;

#[cfg(feature = "json")]
use crate::model::records::PermissionId;
use crate::model::records::{Fingerprint, RoleId, Slug};
use names::EntryIndex;

/// The permissions and system roles that an application defines. A clone copies a pointer.
///
/// # Example
/// Most applications use the macro [`catalog!`](crate::catalog!). To read a catalog from elsewhere:
///
/// ```
/// use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
///
/// let catalog = Catalog::new(&Definition {
///     permissions: &[
///         PermissionDef::new("posts:read"),
///         PermissionDef { renamed_from: &["posts:edit"], ..PermissionDef::new("posts:write") },
///     ],
///     roles: &[RoleDef { grants: &["posts:read", "drafts:*"], ..RoleDef::new("editor") }],
///     ..Definition::default()
/// })?;
/// let editor = &catalog.roles()[0];
/// assert_eq!(editor.patterns()[0].as_str(), "drafts:*");
/// assert_eq!(catalog.granted(editor.id()).count(), 1);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    token: u64,
    fingerprint: Fingerprint,
    permissions: Box<[PermissionEntry]>,
    permission_names: EntryIndex,
    roles: Box<[RoleEntry]>,
    role_names: EntryIndex,
}

/// Returns a number that identifies the owner of a handle. Catalogs and sessions draw from one counter, so a handle of
/// one is never mistaken for a handle of another. A clone of a catalog has the token of its original.
pub(crate) fn new_token() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Catalog {
    /// Returns the permissions, in the order in which they are written.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_eq!(catalog.permissions()[0].slug(), "posts:read");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn permissions(&self) -> &[PermissionEntry] {
        &self.0.permissions
    }

    /// Returns the roles, in the order in which they are written: each after those it includes.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_eq!(catalog.roles()[1].slug(), "editor");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn roles(&self) -> &[RoleEntry] {
        &self.0.roles
    }

    /// Returns the permissions that a role grants by name. Its patterns and included roles are not followed.
    ///
    /// Empty if the role is not in this catalog.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// let editor = catalog.roles()[1].id();
    /// assert_eq!(catalog.granted(editor).count(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn granted(&self, role: RoleId) -> impl Iterator<Item = &PermissionEntry> {
        let grants = self.role_entry(role).map_or(&[][..], RoleEntry::grants);
        grants.iter().filter_map(|at| self.0.permissions.get(*at as usize))
    }

    /// Returns the roles that a role includes directly.
    ///
    /// Empty if the role is not in this catalog.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// let editor = catalog.roles()[1].id();
    /// assert_eq!(catalog.included(editor).next().unwrap().slug(), "viewer");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn included(&self, role: RoleId) -> impl Iterator<Item = &RoleEntry> {
        let includes = self.role_entry(role).map_or(&[][..], RoleEntry::includes);
        includes.iter().filter_map(|at| self.0.roles.get(*at as usize))
    }

    /// Returns the prefixes of slugs that are reserved for the catalog's permissions, in bytewise order. A prefix that
    /// begins with another reserved one is left out.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition};
    ///
    /// let prefixes = &["posts:", "billing:", "billing:invoices:"];
    /// let catalog = Catalog::new(&Definition { reserved_permission_prefixes: prefixes, ..Definition::default() })?;
    /// assert!(catalog.reserved_permission_prefixes().eq(["billing:", "posts:"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn reserved_permission_prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.permission_names.reserved().iter().map(Slug::as_str)
    }

    /// Returns the prefixes of slugs that are reserved for the catalog's roles, in bytewise order. A prefix that begins
    /// with another reserved one is left out.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition};
    ///
    /// let catalog = Catalog::new(&Definition { reserved_role_prefixes: &["acme-"], ..Definition::default() })?;
    /// assert!(catalog.reserved_role_prefixes().eq(["acme-"]));
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn reserved_role_prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.role_names.reserved().iter().map(Slug::as_str)
    }

    /// Returns a hash of the content: ids, texts, retired slugs, grants and inclusions. The order of entries does not
    /// matter, and neither do reserved prefixes, which change no decision.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_ne!(catalog.fingerprint(), Catalog::empty().fingerprint());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// Returns the number that identifies this catalog and its clones within the process.
    pub(crate) fn token(&self) -> u64 {
        self.0.token
    }

    /// Returns the index of the permission with this current slug.
    pub(crate) fn permission_by_slug(&self, slug: &str) -> Option<u32> {
        self.0.permission_names.by_slug(slug)
    }

    /// Returns the index of the permission with this id.
    #[cfg(feature = "json")]
    pub(crate) fn permission_by_id(&self, id: PermissionId) -> Option<u32> {
        self.0.permission_names.by_id(id.as_uuid())
    }

    /// Returns whether a tenant may use this slug for a permission of its own.
    pub(crate) fn permission_slug_is_taken(&self, slug: &str) -> Taken<'_> {
        self.0.permission_names.taken(slug)
    }

    /// Returns the index of the role with this current slug.
    pub(crate) fn role_by_slug(&self, slug: &str) -> Option<u32> {
        self.0.role_names.by_slug(slug)
    }

    /// Returns the index of the role with this id.
    pub(crate) fn role_by_id(&self, id: RoleId) -> Option<u32> {
        self.0.role_names.by_id(id.as_uuid())
    }

    /// Returns whether a tenant may use this slug for a role of its own.
    pub(crate) fn role_slug_is_taken(&self, slug: &str) -> Taken<'_> {
        self.0.role_names.taken(slug)
    }

    /// Returns the present slug of the permission that had this one.
    pub(crate) fn permission_renamed_to(&self, slug: &str) -> Option<&Slug> {
        let entry = self.0.permission_names.renamed(slug)?;
        self.0.permissions.get(entry as usize).map(PermissionEntry::slug)
    }

    /// Returns the present slug of the role that had this one.
    pub(crate) fn role_renamed_to(&self, slug: &str) -> Option<&Slug> {
        let entry = self.0.role_names.renamed(slug)?;
        self.0.roles.get(entry as usize).map(RoleEntry::slug)
    }

    fn role_entry(&self, id: RoleId) -> Option<&RoleEntry> {
        self.role_by_id(id).and_then(|at| self.0.roles.get(at as usize))
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("permissions", &self.permissions().len())
            .field("roles", &self.roles().len())
            .field("fingerprint", &self.fingerprint())
            .finish()
    }
}

/// An enum of a catalog's permissions. A variant can be used wherever a permission is expected, without looking up a
/// slug. The macro [`catalog!`](crate::catalog!) implements this trait; do not implement it yourself.
///
/// ```
/// use rolecall::catalog::CatalogPermission;
///
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
/// }
///
/// fn name(permission: impl CatalogPermission) -> String {
///     format!("{permission:?}")
/// }
/// assert_eq!(name(Permission::PostsRead), "PostsRead");
/// ```
pub trait CatalogPermission: Copy + fmt::Debug + Send + Sync + 'static {
    /// Returns the catalog of these permissions.
    #[doc(hidden)]
    fn catalog() -> &'static Catalog;

    /// Returns the index in the catalog.
    #[doc(hidden)]
    fn index(self) -> u32;
}

/// An enum of a catalog's roles. A variant can be used wherever a role is expected. The macro
/// [`catalog!`](crate::catalog!) implements this trait; do not implement it yourself.
///
/// ```
/// use rolecall::catalog::CatalogRole;
///
/// rolecall::catalog! {
///     enum Permission { PostsRead = "posts:read" }
///     enum SystemRole { Viewer = "viewer" { grants: [PostsRead] } }
/// }
///
/// fn name(role: impl CatalogRole) -> String {
///     format!("{role:?}")
/// }
/// assert_eq!(name(SystemRole::Viewer), "Viewer");
/// ```
pub trait CatalogRole: Copy + fmt::Debug + Send + Sync + 'static {
    /// Returns the catalog of these roles.
    #[doc(hidden)]
    fn catalog() -> &'static Catalog;

    /// Returns the index in the catalog.
    #[doc(hidden)]
    fn index(self) -> u32;
}

/// Items for the code that [`catalog!`](crate::catalog!) generates. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    use super::{Catalog, Definition};

    pub use super::check::{assert_sound, slots};

    /// Builds the catalog of a definition that was checked at compile time.
    #[must_use]
    pub fn catalog(definition: &Definition<'static>) -> Catalog {
        // `assert_sound` has checked the definition in a constant of the same macro call, with the function that
        // `Catalog::new` uses. If the other arm were reached, the empty catalog would allow nothing.
        Catalog::new(definition).unwrap_or_else(|_| Catalog::empty())
    }

    /// Returns the index of the permission with this slug.
    #[must_use]
    pub fn permission(catalog: &Catalog, slug: &str) -> Option<u32> {
        catalog.permission_by_slug(slug)
    }

    /// Returns the index of the role with this slug.
    #[must_use]
    pub fn role(catalog: &Catalog, slug: &str) -> Option<u32> {
        catalog.role_by_slug(slug)
    }
}
