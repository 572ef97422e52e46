//! The relations: grant, inclusion, parent link, assignment and membership.
//!
//! A relation refers to entities by id. A rename therefore changes no relation, and a new entity with the name of a
//! deleted one inherits nothing.

use serde::{Deserialize, Serialize};

use super::{GroupId, Pattern, PermissionId, RoleId, Slug, UserId, Window};

/// A reference to a role, with its origin: the tenant or the catalog (R9).
///
/// ```
/// use rolecall::records::{RoleId, RoleRef};
///
/// let id = RoleId::random();
/// assert_eq!(RoleRef::Own(id).id(), id);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleRef {
    /// A role of the tenant's own.
    Own(RoleId),
    /// A role of the catalog.
    Catalog {
        /// The id, which is derived from the first published slug of the entry.
        id: RoleId,
        /// The slug of the entry when the reference was stored. It names the entry after its removal from the catalog.
        slug: Slug,
    },
}

impl RoleRef {
    /// Returns the id, whatever the origin.
    ///
    /// ```
    /// use rolecall::records::{RoleId, RoleRef, Slug};
    ///
    /// let id = RoleId::random();
    /// assert_eq!(RoleRef::Catalog { id, slug: Slug::new("editor")? }.id(), id);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn id(&self) -> RoleId {
        match self {
            Self::Own(id) | Self::Catalog { id, .. } => *id,
        }
    }
}

/// A reference to a permission, with its origin: the tenant or the catalog (R9).
///
/// ```
/// use rolecall::records::{PermissionId, PermissionRef};
///
/// let id = PermissionId::random();
/// assert_eq!(PermissionRef::Own(id).id(), id);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PermissionRef {
    /// A permission of the tenant's own.
    Own(PermissionId),
    /// A permission of the catalog.
    Catalog {
        /// The id, which is derived from the first published slug of the entry.
        id: PermissionId,
        /// The slug of the entry when the reference was stored. It names the entry after its removal from the catalog.
        slug: Slug,
    },
}

impl PermissionRef {
    /// Returns the id, whatever the origin.
    ///
    /// ```
    /// use rolecall::records::{PermissionId, PermissionRef, Slug};
    ///
    /// let id = PermissionId::random();
    /// assert_eq!(PermissionRef::Catalog { id, slug: Slug::new("posts:read")? }.id(), id);
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn id(&self) -> PermissionId {
        match self {
            Self::Own(id) | Self::Catalog { id, .. } => *id,
        }
    }
}

/// The content of a grant: one permission, or every permission that a pattern matches.
///
/// ```
/// use rolecall::records::{Granted, Pattern};
///
/// let granted = Granted::Pattern(Pattern::new("posts:*")?);
/// assert!(matches!(granted, Granted::Pattern(_)));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granted {
    /// One permission.
    Permission(PermissionRef),
    /// Every permission whose current slug matches the pattern, including permissions created later.
    Pattern(Pattern),
}

/// A role grants a permission, or a pattern of permissions.
///
/// ```
/// use rolecall::records::{Grant, Granted, Pattern, RoleId};
///
/// let grant = Grant { role: RoleId::random(), granted: Granted::Pattern(Pattern::new("posts:*")?) };
/// assert!(matches!(grant.granted, Granted::Pattern(_)));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role, which is the tenant's own.
    pub role: RoleId,
    /// The granted permission or pattern.
    pub granted: Granted,
}

/// The inclusion of a role in another one. A user who has the including role also has the included one.
///
/// ```
/// use rolecall::records::{Inclusion, RoleId, RoleRef};
///
/// let viewer = RoleId::random();
/// let inclusion = Inclusion { role: RoleId::random(), included: RoleRef::Own(viewer) };
/// assert_eq!(inclusion.included.id(), viewer);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The role, which is the tenant's own.
    pub role: RoleId,
    /// The included role.
    pub included: RoleRef,
}

/// A link from a group to its parent group. While it is active, each member of the group is an inherited member of the
/// parent.
///
/// ```
/// use rolecall::records::{GroupId, ParentLink, Window};
///
/// let link = ParentLink { group: GroupId::random(), parent: GroupId::random(), window: Window::ALWAYS };
/// assert!(link.window.is_always());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentLink {
    /// The subgroup.
    pub group: GroupId,
    /// The parent group.
    pub parent: GroupId,
    /// When the link is active.
    pub window: Window,
}

/// The user or group that a role is assigned to.
///
/// ```
/// use rolecall::records::{Holder, UserId};
///
/// let alice = UserId::random();
/// assert_eq!(Holder::User(alice), Holder::User(alice));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// A user that has the role directly.
    User(UserId),
    /// A group. Its direct and inherited members have the role.
    Group(GroupId),
}

/// A role is assigned to a user or to a group.
///
/// ```
/// use rolecall::records::{Assignment, Holder, RoleId, RoleRef, UserId, Window};
///
/// let holder = Holder::User(UserId::random());
/// let assignment = Assignment { role: RoleRef::Own(RoleId::random()), holder, window: Window::ALWAYS };
/// assert_eq!(assignment.holder, holder);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The role.
    pub role: RoleRef,
    /// The user or group that has the role.
    pub holder: Holder,
    /// When the assignment is active.
    pub window: Window,
}

/// A user is a direct member of a group.
///
/// ```
/// use rolecall::records::{GroupId, Membership, UserId, Window};
///
/// let membership = Membership { user: UserId::random(), group: GroupId::random(), window: Window::ALWAYS };
/// assert!(membership.window.is_always());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The member.
    pub user: UserId,
    /// The group.
    pub group: GroupId,
    /// When the membership is active.
    pub window: Window,
}
