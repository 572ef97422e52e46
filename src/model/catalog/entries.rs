//! The entries of a catalog.
//!
//! Only `build.rs` creates them. Everything that an entry refers to is in the same catalog.

use crate::model::records::{Description, Name, Pattern, PermissionId, RoleId, Slug};

/// A permission that the application defines.
///
/// ```
/// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
/// #
/// # let catalog = Catalog::new(&Definition {
/// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
/// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
/// #     ..Definition::default()
/// # })?;
/// let read = &catalog.permissions()[0];
/// assert_eq!((read.slug().as_str(), read.name().as_str()), ("posts:read", "posts:read"));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PermissionEntry {
    pub(super) id: PermissionId,
    pub(super) category: Option<Name>,
    pub(super) label: Label,
}

/// A role that the application defines.
///
/// ```
/// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
/// #
/// # let catalog = Catalog::new(&Definition {
/// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
/// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
/// #     ..Definition::default()
/// # })?;
/// let editor = &catalog.roles()[1];
/// assert_eq!(editor.slug(), "editor");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RoleEntry {
    pub(super) id: RoleId,
    pub(super) label: Label,
    pub(super) grants: Box<[u32]>,
    pub(super) patterns: Box<[Pattern]>,
    pub(super) includes: Box<[u32]>,
}

/// The texts of an entry of either kind.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) slug: Slug,
    pub(super) name: Name,
    pub(super) description: Description,
    pub(super) renamed_from: Box<[Slug]>,
}

impl Label {
    /// The slug from which the id is derived.
    pub(super) fn first_slug(&self) -> &Slug {
        self.renamed_from.first().unwrap_or(&self.slug)
    }
}

macro_rules! labelled {
    ($($Entry:ident),*) => {$(
        impl $Entry {
            /// Returns the current slug.
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
            /// assert_eq!(catalog.roles()[0].slug(), "viewer");
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn slug(&self) -> &Slug {
                &self.label.slug
            }

            /// Returns the display name, or the slug if none was given.
            ///
            /// ```
            /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
            /// #
            /// # let catalog = Catalog::new(&Definition {
            /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
            /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
            /// #     ..Definition::default()
            /// # })?;
            /// assert_eq!(catalog.permissions()[0].name(), "posts:read");
            /// assert_eq!(catalog.roles()[0].name(), "viewer");
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn name(&self) -> &Name {
                &self.label.name
            }

            /// Returns the description, which may be empty.
            ///
            /// ```
            /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
            /// #
            /// # let catalog = Catalog::new(&Definition {
            /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
            /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
            /// #     ..Definition::default()
            /// # })?;
            /// assert!(catalog.permissions()[0].description().is_empty());
            /// assert!(catalog.roles()[0].description().is_empty());
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn description(&self) -> &Description {
                &self.label.description
            }

            /// Returns the earlier slugs, oldest first.
            ///
            /// ```
            /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
            /// #
            /// # let catalog = Catalog::new(&Definition {
            /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
            /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
            /// #     ..Definition::default()
            /// # })?;
            /// assert_eq!(catalog.permissions()[0].renamed_from()[0], "posts:view");
            /// assert!(catalog.roles()[0].renamed_from().is_empty());
            /// # Ok::<(), rolecall::Error>(())
            /// ```
            pub fn renamed_from(&self) -> &[Slug] {
                &self.label.renamed_from
            }
        }
    )*};
}
labelled!(PermissionEntry, RoleEntry);

impl PermissionEntry {
    /// Returns the id, which a rename does not change.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// let old = Catalog::new(&Definition { permissions: &[PermissionDef::new("posts:view")], ..Definition::default() })?;
    /// assert_eq!(catalog.permissions()[0].id(), old.permissions()[0].id());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn id(&self) -> PermissionId {
        self.id
    }

    /// Returns the heading under which an administration page lists it.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_eq!(catalog.permissions()[0].category(), None);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn category(&self) -> Option<&Name> {
        self.category.as_ref()
    }
}

impl RoleEntry {
    /// Returns the id, which a rename does not change.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_ne!(catalog.roles()[0].id(), catalog.roles()[1].id());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn id(&self) -> RoleId {
        self.id
    }

    /// Returns the patterns that it grants, without those of included roles.
    ///
    /// ```
    /// # use rolecall::catalog::{Catalog, Definition, PermissionDef, RoleDef};
    /// #
    /// # let catalog = Catalog::new(&Definition {
    /// #     permissions: &[PermissionDef { renamed_from: &["posts:view"], ..PermissionDef::new("posts:read") }],
    /// #     roles: &[RoleDef::new("viewer"), RoleDef { grants: &["posts:read", "drafts:*"], includes: &["viewer"], ..RoleDef::new("editor") }],
    /// #     ..Definition::default()
    /// # })?;
    /// assert_eq!(catalog.roles()[1].patterns()[0], "drafts:*");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns the indices of the permissions that it grants by name, ascending.
    pub(crate) fn grants(&self) -> &[u32] {
        &self.grants
    }

    /// Returns the indices of the roles that it includes, ascending, all below its own.
    pub(crate) fn includes(&self) -> &[u32] {
        &self.includes
    }
}
