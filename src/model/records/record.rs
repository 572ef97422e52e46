//! A record of a tenant, and its key, which identifies it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    AssertionId, AssertionRecord, Assignment, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Membership,
    ParentLink, Pattern, PermissionId, PermissionRecord, RoleId, RoleRecord, SeparationId, SeparationRecord,
    TenantRecord, UserId, UserRecord,
};

/// An entity or a relation as a store keeps it.
///
/// A store that receives an unknown kind refuses it or keeps it unchanged; it never drops it (S10). An existing kind
/// never gains a field: new data gets a new kind.
///
/// ```
/// use rolecall::records::{GroupId, Membership, Record, RecordKind, UserId, Window};
///
/// let membership = Membership { user: UserId::random(), group: GroupId::random(), window: Window::ALWAYS };
/// assert_eq!(Record::Membership(membership).kind(), RecordKind::Membership);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Record {
    /// The tenant itself.
    Tenant(TenantRecord),
    /// A permission of the tenant's own.
    Permission(PermissionRecord),
    /// A role of the tenant's own.
    Role(RoleRecord),
    /// A group.
    Group(GroupRecord),
    /// A user.
    User(UserRecord),
    /// A role grants a permission or a pattern.
    Grant(Grant),
    /// A role includes another role.
    Inclusion(Inclusion),
    /// A group has a parent group.
    Parent(ParentLink),
    /// A role is assigned to a user or a group.
    Assignment(Assignment),
    /// A user is a member of a group.
    Membership(Membership),
    /// A user may hold only some of these roles (R14).
    Separation(SeparationRecord),
    /// A statement that the tenant must allow or deny something (R17).
    Assertion(AssertionRecord),
}

/// The kinds of records, in the order in which a load returns them. A record comes after those that it refers to.
///
/// ```
/// use rolecall::records::RecordKind;
///
/// assert!(RecordKind::User < RecordKind::Membership);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RecordKind {
    /// [`Record::Tenant`]
    Tenant,
    /// [`Record::Permission`]
    Permission,
    /// [`Record::Role`]
    Role,
    /// [`Record::Group`]
    Group,
    /// [`Record::User`]
    User,
    /// [`Record::Grant`]
    Grant,
    /// [`Record::Inclusion`]
    Inclusion,
    /// [`Record::Parent`]
    Parent,
    /// [`Record::Assignment`]
    Assignment,
    /// [`Record::Membership`]
    Membership,
    /// [`Record::Separation`]
    Separation,
    /// [`Record::Assertion`]
    Assertion,
}

/// The identity of a record: its kind and ids. A change replaces the record with the same key.
///
/// Keys are ordered by kind, in the order of a load. The JSON of a key is the same, byte for byte, in every release, so a
/// store can find records by it.
///
/// ```
/// use rolecall::records::{GroupId, RecordKey, UserId};
///
/// let (user, group) = (UserId::random(), GroupId::random());
/// assert!(RecordKey::User(user) < RecordKey::Membership(user, group));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RecordKey {
    /// The only tenant record.
    Tenant,
    /// A permission by id.
    Permission(PermissionId),
    /// A role by id.
    Role(RoleId),
    /// A group by id.
    Group(GroupId),
    /// A user by id.
    User(UserId),
    /// The role grants this permission, whichever slug the reference contains.
    Grant(RoleId, PermissionId),
    /// The role grants this pattern.
    GrantPattern(RoleId, Pattern),
    /// The first role includes the second.
    Inclusion(RoleId, RoleId),
    /// The first group has the second as its parent.
    Parent(GroupId, GroupId),
    /// The role is assigned to the holder.
    Assignment(RoleId, Holder),
    /// The user is a member of the group.
    Membership(UserId, GroupId),
    /// A separation by id.
    Separation(SeparationId),
    /// An assertion by id.
    Assertion(AssertionId),
}

impl RecordKind {
    /// Every kind, in the order of a load.
    ///
    /// A later release may add a kind at the end: it gets the next ordinal.
    ///
    /// ```
    /// use rolecall::records::RecordKind;
    ///
    /// assert!(RecordKind::ALL.is_sorted_by_key(|kind| kind.ordinal()));
    /// ```
    pub const ALL: &'static [Self] = &[
        Self::Tenant,
        Self::Permission,
        Self::Role,
        Self::Group,
        Self::User,
        Self::Grant,
        Self::Inclusion,
        Self::Parent,
        Self::Assignment,
        Self::Membership,
        Self::Separation,
        Self::Assertion,
    ];

    /// Returns whether this is a kind of relation rather than of entity.
    pub(crate) const fn is_relation(self) -> bool {
        match self {
            Self::Tenant
            | Self::Permission
            | Self::Role
            | Self::Group
            | Self::User
            | Self::Separation
            | Self::Assertion => false,
            Self::Grant | Self::Inclusion | Self::Parent | Self::Assignment | Self::Membership => true,
        }
    }

    /// Returns whether this is a kind of entity that names others, as a relation does, and that nothing names.
    pub(crate) const fn names_others(self) -> bool {
        match self {
            Self::Tenant
            | Self::Permission
            | Self::Role
            | Self::Group
            | Self::User
            | Self::Grant
            | Self::Inclusion
            | Self::Parent
            | Self::Assignment
            | Self::Membership => false,
            Self::Separation | Self::Assertion => true,
        }
    }

    /// Returns the kind with this ordinal, or `None` if only a later release knows it.
    ///
    /// ```
    /// use rolecall::records::RecordKind;
    ///
    /// assert_eq!(RecordKind::from_ordinal(RecordKind::Grant.ordinal()), Some(RecordKind::Grant));
    /// assert_eq!(RecordKind::from_ordinal(u8::MAX), None);
    /// ```
    pub fn from_ordinal(ordinal: u8) -> Option<Self> {
        Self::ALL.get(usize::from(ordinal)).copied()
    }

    /// Returns the position of the kind in the order of a load. It never changes, so a store can keep it in a column
    /// and sort by it.
    ///
    /// ```
    /// use rolecall::records::RecordKind;
    ///
    /// assert_eq!(RecordKind::Tenant.ordinal(), 0);
    /// ```
    pub const fn ordinal(self) -> u8 {
        self as u8
    }
}

/// Writes the kind as in JSON.
///
/// ```
/// use rolecall::records::RecordKind;
///
/// assert_eq!(RecordKind::Membership.to_string(), "membership");
/// ```
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::Group => "group",
            Self::User => "user",
            Self::Grant => "grant",
            Self::Inclusion => "inclusion",
            Self::Parent => "parent",
            Self::Assignment => "assignment",
            Self::Membership => "membership",
            Self::Separation => "separation",
            Self::Assertion => "assertion",
        })
    }
}

impl RecordKey {
    /// Returns the kind of the record with this key.
    ///
    /// ```
    /// use rolecall::records::{RecordKey, RecordKind};
    ///
    /// assert_eq!(RecordKey::Tenant.kind(), RecordKind::Tenant);
    /// ```
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Tenant => RecordKind::Tenant,
            Self::Permission(_) => RecordKind::Permission,
            Self::Role(_) => RecordKind::Role,
            Self::Group(_) => RecordKind::Group,
            Self::User(_) => RecordKind::User,
            Self::Grant(..) | Self::GrantPattern(..) => RecordKind::Grant,
            Self::Inclusion(..) => RecordKind::Inclusion,
            Self::Parent(..) => RecordKind::Parent,
            Self::Assignment(..) => RecordKind::Assignment,
            Self::Membership(..) => RecordKind::Membership,
            Self::Separation(_) => RecordKind::Separation,
            Self::Assertion(_) => RecordKind::Assertion,
        }
    }
}

impl Record {
    /// Returns the key of the record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(record.key(), RecordKey::Membership(user, group));
    /// ```
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Tenant(_) => RecordKey::Tenant,
            Self::Permission(r) => RecordKey::Permission(r.id),
            Self::Role(r) => RecordKey::Role(r.id),
            Self::Group(r) => RecordKey::Group(r.id),
            Self::User(r) => RecordKey::User(r.id),
            Self::Grant(r) => match &r.granted {
                Granted::Permission(p) => RecordKey::Grant(r.role, p.id()),
                Granted::Pattern(p) => RecordKey::GrantPattern(r.role, p.clone()),
            },
            Self::Inclusion(r) => RecordKey::Inclusion(r.role, r.included.id()),
            Self::Parent(r) => RecordKey::Parent(r.group, r.parent),
            Self::Assignment(r) => RecordKey::Assignment(r.role.id(), r.holder),
            Self::Membership(r) => RecordKey::Membership(r.user, r.group),
            Self::Separation(r) => RecordKey::Separation(r.id),
            Self::Assertion(r) => RecordKey::Assertion(r.id),
        }
    }

    /// Returns the kind of the record.
    ///
    /// ```
    /// # use rolecall::records::{Change, GroupId, Membership, Record, RecordKey, RecordKind, UserId, Window};
    /// # let (user, group) = (UserId::random(), GroupId::random());
    /// # let record = Record::Membership(Membership { user, group, window: Window::ALWAYS });
    /// assert_eq!(record.kind(), RecordKind::Membership);
    /// ```
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Tenant(_) => RecordKind::Tenant,
            Self::Permission(_) => RecordKind::Permission,
            Self::Role(_) => RecordKind::Role,
            Self::Group(_) => RecordKind::Group,
            Self::User(_) => RecordKind::User,
            Self::Grant(_) => RecordKind::Grant,
            Self::Inclusion(_) => RecordKind::Inclusion,
            Self::Parent(_) => RecordKind::Parent,
            Self::Assignment(_) => RecordKind::Assignment,
            Self::Membership(_) => RecordKind::Membership,
            Self::Separation(_) => RecordKind::Separation,
            Self::Assertion(_) => RecordKind::Assertion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_at_its_ordinal() {
        let listed = RecordKind::ALL.iter().map(|kind| usize::from(kind.ordinal()));
        assert!(listed.eq(0..RecordKind::ALL.len()));
        // This match does not compile until a new kind is added to it.
        let is_last = |kind| match kind {
            RecordKind::Tenant
            | RecordKind::Permission
            | RecordKind::Role
            | RecordKind::Group
            | RecordKind::User
            | RecordKind::Grant
            | RecordKind::Inclusion
            | RecordKind::Parent
            | RecordKind::Assignment
            | RecordKind::Membership
            | RecordKind::Separation => false,
            RecordKind::Assertion => true,
        };
        assert!(RecordKind::ALL.last().is_some_and(|kind| is_last(*kind)));
        let others = RecordKind::ALL.iter().filter(|kind| !kind.names_others());
        assert!(others.is_sorted_by_key(|kind| kind.is_relation()), "entities come before relations");
    }
}
