//! The entries of a catalog.
//!
//! Only `build.rs` creates them. Everything that an entry refers to is in the same catalog.

use crate::model::records::{Description, Name, Pattern, PermissionId, RoleId, Slug};

/// A permission that the application defines.
#[derive(Clone, Debug)]
pub struct PermissionEntry {
    pub(super) id: PermissionId,
    pub(super) category: Option<Name>,
    pub(super) label: Label,
}

/// A role that the application defines.
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
            pub fn slug(&self) -> &Slug {
                &self.label.slug
            }

            /// Returns the display name, or the slug if none was given.
            pub fn name(&self) -> &Name {
                &self.label.name
            }

            /// Returns the description, which may be empty.
            pub fn description(&self) -> &Description {
                &self.label.description
            }

            /// Returns the earlier slugs, oldest first.
            pub fn renamed_from(&self) -> &[Slug] {
                &self.label.renamed_from
            }
        }
    )*};
}
labelled!(PermissionEntry, RoleEntry);

impl PermissionEntry {
    /// Returns the id, which a rename does not change.
    pub fn id(&self) -> PermissionId {
        self.id
    }

    /// Returns the heading under which an administration page lists it.
    pub fn category(&self) -> Option<&Name> {
        self.category.as_ref()
    }
}

impl RoleEntry {
    /// Returns the id, which a rename does not change.
    pub fn id(&self) -> RoleId {
        self.id
    }

    /// Returns the patterns that it grants, without those of included roles.
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
