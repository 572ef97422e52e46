//! The edges: grant, inclusion, parent, assignment, membership. An edge refers by id, so a rename touches no edge, and a
//! thing that is deleted and made anew under the same name inherits none.

use serde::{Deserialize, Serialize};

use super::{GroupId, Pattern, PermissionId, RoleId, Slug, UserId, Window};

/// Which role is meant, and whose it is (R9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleRef {
    /// One of the tenant's own.
    Own(RoleId),
    /// One that the application's catalog defines.
    Catalog {
        /// From the entry's first published slug.
        id: RoleId,
        /// The slug it had when this was written, for people to read after the entry has left the catalog.
        slug: Slug,
    },
}

impl RoleRef {
    /// The id, whosever it is.
    pub fn id(&self) -> RoleId {
        match self {
            Self::Own(id) | Self::Catalog { id, .. } => *id,
        }
    }
}

/// Which permission is meant, and whose it is (R9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PermissionRef {
    /// One of the tenant's own.
    Own(PermissionId),
    /// One that the application's catalog defines.
    Catalog {
        /// From the entry's first published slug.
        id: PermissionId,
        /// The slug it had when this was written, for people to read after the entry has left the catalog.
        slug: Slug,
    },
}

impl PermissionRef {
    /// The id, whosever it is.
    pub fn id(&self) -> PermissionId {
        match self {
            Self::Own(id) | Self::Catalog { id, .. } => *id,
        }
    }
}

/// What a role grants: one permission, or all that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granted {
    /// One permission.
    Permission(PermissionRef),
    /// All permissions whose present slug it matches, those to come included.
    Pattern(Pattern),
}

/// A role grants a permission, or a pattern of permissions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// One of the tenant's own roles.
    pub role: RoleId,
    /// What it grants.
    pub granted: Granted,
}

/// A role includes another: whoever has the one has the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// One of the tenant's own roles.
    pub role: RoleId,
    /// The role that comes with it.
    pub included: RoleRef,
}

/// A group has a parent, for a time: while the link is active, a member of the group is an inherited member of the parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// The subgroup.
    pub group: GroupId,
    /// The parent group.
    pub parent: GroupId,
    /// When it is active.
    pub window: Window,
}

/// To whom a role is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// To one user, directly.
    User(UserId),
    /// To all who are in a group.
    Group(GroupId),
}

/// A role is assigned to a user or to a group, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The role.
    pub role: RoleRef,
    /// Who holds it.
    pub holder: Holder,
    /// When it counts.
    pub window: Window,
}

/// A user is a member of a group, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The member.
    pub user: UserId,
    /// The group.
    pub group: GroupId,
    /// When it counts.
    pub window: Window,
}
