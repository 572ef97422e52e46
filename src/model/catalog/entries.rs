//! The entries of a catalog, as they are read.
//!
//! They are made in `build.rs` alone, and well formed: what they refer to is in the same catalog.

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

/// What people read of an entry of either kind.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) slug: Slug,
    pub(super) name: Name,
    pub(super) description: Description,
    pub(super) renamed_from: Box<[Slug]>,
}

impl Label {
    /// The slug from which the id comes.
    pub(super) fn first_slug(&self) -> &Slug {
        self.renamed_from.first().unwrap_or(&self.slug)
    }
}

macro_rules! labelled {
    ($($Entry:ident),*) => {$(
        impl $Entry {
            /// What programs call it now.
            pub fn slug(&self) -> &Slug {
                &self.label.slug
            }

            /// The display name; its slug where none was given.
            pub fn name(&self) -> &Name {
                &self.label.name
            }

            /// What it is for; may be empty.
            pub fn description(&self) -> &Description {
                &self.label.description
            }

            /// Its earlier slugs, oldest first.
            pub fn renamed_from(&self) -> &[Slug] {
                &self.label.renamed_from
            }
        }
    )*};
}
labelled!(PermissionEntry, RoleEntry);

impl PermissionEntry {
    /// Its id, which a rename does not change.
    pub fn id(&self) -> PermissionId {
        self.id
    }

    /// Where an administration page groups it.
    pub fn category(&self) -> Option<&Name> {
        self.category.as_ref()
    }
}

impl RoleEntry {
    /// Its id, which a rename does not change.
    pub fn id(&self) -> RoleId {
        self.id
    }

    /// The patterns that it grants, without those of the roles it includes.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The indices of the permissions that it grants by name, ascending.
    pub(crate) fn grants(&self) -> &[u32] {
        &self.grants
    }

    /// The indices of the roles that it includes by name, ascending, all below its own.
    pub(crate) fn includes(&self) -> &[u32] {
        &self.includes
    }
}
