//! Builds a catalog from a definition: checks it, derives the ids and resolves the names.
//!
//! Read next: `fingerprint.rs`, the last step.

use std::sync::Arc;

use uuid::{Uuid, uuid};

use super::definition::{Definition, PermissionDef, RoleDef};
use super::entries::{Label, PermissionEntry, RoleEntry};
use super::fingerprint::{self, Content};
use super::names::EntryIndex;
use super::{Catalog, Inner, check, new_token};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Description, Name, Pattern, PermissionId, RoleId, Slug};

/// The namespaces of the ids that are derived from slugs. Stored references depend on them, so they never change.
const PERMISSIONS: Uuid = uuid!("3f976368-658a-4edf-9ded-650ecfd73fa4");
const ROLES: Uuid = uuid!("b8200445-d8c5-420c-9453-a7455f808dec");

impl Catalog {
    /// Checks a definition and builds its catalog.
    ///
    /// ```
    /// use rolecall::catalog::{Catalog, Definition, PermissionDef};
    ///
    /// let permissions = &[PermissionDef::new("posts:read")];
    /// let catalog = Catalog::new(&Definition { permissions, ..Definition::default() })?;
    /// assert_eq!(catalog.permissions().len(), 1);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// The macro refuses the same definitions at compile time.
    ///
    /// - [`Invalid`](ErrorKind::Invalid) for a slug, reserved prefix, name, description, category or pattern.
    /// - [`AlreadyExists`](ErrorKind::AlreadyExists) for a slug that occurs twice among the current, earlier and retired
    ///   slugs of permissions, or of roles.
    /// - [`NotFound`](ErrorKind::NotFound) for a grant of a permission that the catalog does not define, or for an
    ///   included role that does not precede the role that includes it.
    /// - [`Cycle`](ErrorKind::Cycle) for a role that includes itself.
    pub fn new(definition: &Definition<'_>) -> Result<Self> {
        check::sound(definition)?;
        let mut parts = Parts::default();
        for permission in definition.permissions {
            parts.permission(permission)?;
        }
        parts.retired_permissions = slugs(definition.retired_permissions)?;
        for role in definition.roles {
            parts.role(role)?;
        }
        parts.retired_roles = slugs(definition.retired_roles)?;
        parts.permission_names.reserve(slugs(definition.reserved_permission_prefixes)?);
        parts.role_names.reserve(slugs(definition.reserved_role_prefixes)?);
        Ok(parts.finish())
    }

    /// Returns the catalog of an application that defines nothing in code.
    ///
    /// ```
    /// use rolecall::catalog::Catalog;
    ///
    /// assert!(Catalog::empty().permissions().is_empty());
    /// ```
    pub fn empty() -> Self {
        Parts::default().finish()
    }
}

/// The parts of a catalog during its construction.
#[derive(Default)]
struct Parts {
    permissions: Vec<PermissionEntry>,
    permission_names: EntryIndex,
    retired_permissions: Vec<Slug>,
    roles: Vec<RoleEntry>,
    role_names: EntryIndex,
    retired_roles: Vec<Slug>,
}

impl Parts {
    fn permission(&mut self, of: &PermissionDef<'_>) -> Result<()> {
        let label = label(of.slug, of.name, of.description, of.renamed_from)?;
        let id = PermissionId::from_uuid(id_in(PERMISSIONS, &label));
        self.permission_names.add(index(self.permissions.len())?, id.as_uuid(), &label.slug, &label.renamed_from);
        let category = of.category.map(Name::new).transpose()?;
        self.permissions.push(PermissionEntry { id, category, label });
        Ok(())
    }

    fn role(&mut self, of: &RoleDef<'_>) -> Result<()> {
        let label = label(of.slug, of.name, of.description, of.renamed_from)?;
        let id = RoleId::from_uuid(id_in(ROLES, &label));
        let (mut grants, mut patterns, mut includes) = (Vec::new(), Vec::new(), Vec::new());
        for grant in of.grants {
            if Pattern::is_meant(grant) {
                patterns.push(Pattern::new(grant)?);
            } else {
                grants.push(self.permission_names.by_slug(grant).ok_or_else(unsound)?);
            }
        }
        for role in of.includes {
            includes.push(self.role_names.by_slug(role).ok_or_else(unsound)?);
        }
        // Added only after its inclusions are resolved, because an included role must precede this one.
        self.role_names.add(index(self.roles.len())?, id.as_uuid(), &label.slug, &label.renamed_from);
        let (grants, patterns, includes) = (set(grants), set(patterns), set(includes));
        self.roles.push(RoleEntry { id, label, grants, patterns, includes });
        Ok(())
    }

    fn finish(mut self) -> Catalog {
        let fingerprint = fingerprint::of(Content {
            permissions: &self.permissions,
            retired_permissions: &self.retired_permissions,
            roles: &self.roles,
            retired_roles: &self.retired_roles,
        });
        for slug in &self.retired_permissions {
            self.permission_names.retire(slug);
        }
        for slug in &self.retired_roles {
            self.role_names.retire(slug);
        }
        Catalog(Arc::new(Inner {
            token: new_token(),
            fingerprint,
            permissions: self.permissions.into(),
            permission_names: self.permission_names,
            roles: self.roles.into(),
            role_names: self.role_names,
        }))
    }
}

fn label(slug: &str, name: Option<&str>, description: &str, renamed_from: &[&str]) -> Result<Label> {
    let slug = Slug::new(slug)?;
    let name = name.map_or_else(|| Ok(Name::of_slug(slug.as_str())), Name::new)?;
    let renamed_from = slugs(renamed_from)?.into();
    Ok(Label { slug, name, description: Description::new(description)?, renamed_from })
}

fn slugs(of: &[&str]) -> Result<Vec<Slug>> {
    of.iter().map(|slug| Slug::new(slug)).collect()
}

/// Derives the id of an entry from its first published slug.
fn id_in(namespace: Uuid, label: &Label) -> Uuid {
    Uuid::new_v5(&namespace, label.first_slug().as_str().as_bytes())
}

fn index(of: usize) -> Result<u32> {
    u32::try_from(of).map_err(|_| Error::new(ErrorKind::TooManyEntities))
}

/// Sorts a list and removes duplicates: a repeated grant is not an error (R11).
fn set<T: Ord>(mut of: Vec<T>) -> Box<[T]> {
    of.sort_unstable();
    of.dedup();
    of.into()
}

/// The error for a name that passed the check and is missing from the tables. It never happens; it is an error because
/// the library must not panic.
fn unsound() -> Error {
    Error::new(ErrorKind::NotFound)
}
