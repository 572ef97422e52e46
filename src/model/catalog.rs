//! What the application defines in code (R9): the system permissions and roles, shared by all its tenants.
//!
//! A [`Catalog`] is a set of rules checked once: when it compiles, where the macro [`catalog!`](crate::catalog!) lists
//! it, or when [`Catalog::new`] makes it. It never changes afterwards. It promises:
//!
//! - an entry's id is made from its first published slug, so that a rename in code keeps it;
//! - a slug that was an entry's, or was retired, never comes to mean another thing;
//! - the entries stand in the order in which they were written, and an enum's variant is the index of its entry;
//! - a role includes only roles that stand before it, so that one pass in order meets each role after what it includes.
//!
//! Deliberately absent: tenants, and what a pattern matches. Read next: [`Definition`] for what can be written, then
//! `check.rs` for the rules.

mod build;
mod check;
mod definition;
mod entries;
mod fingerprint;
mod macros;
mod names;
#[cfg(test)]
mod tests;
mod texts;
mod written;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use definition::{Definition, PermissionDef, RoleDef};
pub use entries::{PermissionEntry, RoleEntry};
pub(crate) use names::Taken;

#[cfg(feature = "json")]
use crate::model::records::PermissionId;
use crate::model::records::{Fingerprint, RoleId};
use names::Names;

/// The system permissions and roles of an application. Cloning it copies a pointer.
///
/// # Example
/// Most applications list theirs with the macro [`catalog!`](crate::catalog!). One that reads it from elsewhere says:
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
    permission_names: Names,
    roles: Box<[RoleEntry]>,
    role_names: Names,
}

/// Whose a handle is. Catalogs and openings draw from one source, so that a handle of the one is never taken for a handle
/// of the other; a clone of a catalog has the token of its original.
pub(crate) fn new_token() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Catalog {
    /// The permissions, in the order in which they were written.
    pub fn permissions(&self) -> &[PermissionEntry] {
        &self.0.permissions
    }

    /// The roles, in the order in which they were written: each after those it includes.
    pub fn roles(&self) -> &[RoleEntry] {
        &self.0.roles
    }

    /// The permissions that a role grants by name, without those of its patterns and of the roles it includes.
    ///
    /// Nothing for the id of a role that is not of this catalog.
    pub fn granted(&self, role: RoleId) -> impl Iterator<Item = &PermissionEntry> {
        let grants = self.role_entry(role).map_or(&[][..], RoleEntry::grants);
        grants.iter().filter_map(|at| self.0.permissions.get(*at as usize))
    }

    /// The roles that a role includes by name, without those that these include.
    ///
    /// Nothing for the id of a role that is not of this catalog.
    pub fn included(&self, role: RoleId) -> impl Iterator<Item = &RoleEntry> {
        let includes = self.role_entry(role).map_or(&[][..], RoleEntry::includes);
        includes.iter().filter_map(|at| self.0.roles.get(*at as usize))
    }

    /// What identifies its content: ids, texts, retired slugs, grants, inclusions. The order of entries is no content.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// What no other catalog of this process has, one of equal content included; its clones have the same.
    pub(crate) fn token(&self) -> u64 {
        self.0.token
    }

    /// The index of the permission with this present slug.
    pub(crate) fn permission_by_slug(&self, slug: &str) -> Option<u32> {
        self.0.permission_names.by_slug(slug)
    }

    /// The index of the permission with this id.
    #[cfg(feature = "json")]
    pub(crate) fn permission_by_id(&self, id: PermissionId) -> Option<u32> {
        self.0.permission_names.by_id(id.as_uuid())
    }

    /// Whether a tenant may call a permission of its own so.
    pub(crate) fn permission_slug_is_taken(&self, slug: &str) -> Taken {
        self.0.permission_names.taken(slug)
    }

    /// The index of the role with this present slug.
    pub(crate) fn role_by_slug(&self, slug: &str) -> Option<u32> {
        self.0.role_names.by_slug(slug)
    }

    /// The index of the role with this id.
    pub(crate) fn role_by_id(&self, id: RoleId) -> Option<u32> {
        self.0.role_names.by_id(id.as_uuid())
    }

    /// Whether a tenant may call a role of its own so.
    pub(crate) fn role_slug_is_taken(&self, slug: &str) -> Taken {
        self.0.role_names.taken(slug)
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

/// An enum of the permissions of a catalog: a variant is as good as its slug wherever a permission is asked for, and
/// faster. The macro [`catalog!`](crate::catalog!) implements it; nothing else should.
pub trait CatalogPermission: Copy + fmt::Debug + Send + Sync + 'static {
    /// The catalog whose permissions these are.
    #[doc(hidden)]
    fn catalog() -> &'static Catalog;

    /// Where in it this one stands.
    #[doc(hidden)]
    fn index(self) -> u32;
}

/// An enum of the roles of a catalog: a variant is as good as its slug wherever a role is asked for. The macro
/// [`catalog!`](crate::catalog!) implements it; nothing else should.
pub trait CatalogRole: Copy + fmt::Debug + Send + Sync + 'static {
    /// The catalog whose roles these are.
    #[doc(hidden)]
    fn catalog() -> &'static Catalog;

    /// Where in it this one stands.
    #[doc(hidden)]
    fn index(self) -> u32;
}

/// What the code that [`catalog!`](crate::catalog!) writes calls. No part of the public API.
#[doc(hidden)]
pub mod __private {
    use super::{Catalog, Definition};

    pub use super::check::{assert_sound, slots};

    /// The catalog of a definition that compiled.
    #[must_use]
    pub fn catalog(definition: &Definition<'static>) -> Catalog {
        // No definition comes here that `assert_sound` has not passed in a constant of the same macro call, and
        // `Catalog::new` refuses by the same function. So the other arm is not reached; were it, nothing is allowed.
        Catalog::new(definition).unwrap_or_else(|_| Catalog::empty())
    }

    /// Where the permission with this slug stands.
    #[must_use]
    pub fn permission(catalog: &Catalog, slug: &str) -> Option<u32> {
        catalog.permission_by_slug(slug)
    }

    /// Where the role with this slug stands.
    #[must_use]
    pub fn role(catalog: &Catalog, slug: &str) -> Option<u32> {
        catalog.role_by_slug(slug)
    }
}
