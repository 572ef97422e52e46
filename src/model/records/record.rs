//! One record of a tenant, and its key: what makes two records the same one.

use serde::{Deserialize, Serialize};

use super::{
    Assignment, Grant, Granted, GroupId, GroupRecord, Holder, Inclusion, Membership, Parent, Pattern, PermissionId,
    PermissionRecord, RoleId, RoleRecord, TenantRecord, UserId, UserRecord,
};

/// One thing that a store keeps for a tenant: a noun or an edge.
///
/// A store that meets a kind which it does not know refuses it or keeps it whole; it never drops it (S10). A kind never
/// gains a field: a new meaning is a new kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Record {
    /// The tenant itself.
    Tenant(TenantRecord),
    /// A permission of its own.
    Permission(PermissionRecord),
    /// A role of its own.
    Role(RoleRecord),
    /// A group.
    Group(GroupRecord),
    /// A user.
    User(UserRecord),
    /// A role grants.
    Grant(Grant),
    /// A role includes.
    Inclusion(Inclusion),
    /// A group has a parent.
    Parent(Parent),
    /// A role is assigned.
    Assignment(Assignment),
    /// A user is a member.
    Membership(Membership),
}

/// The kinds of records, in the order in which a load pushes them: what is referred to comes before what refers.
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
}

/// What makes two records the same one: its kind and ids. A change replaces the record with its key.
///
/// Keys are ordered kind by kind, in the order of a load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RecordKey {
    /// There is one tenant record in a life.
    Tenant,
    /// By id.
    Permission(PermissionId),
    /// By id.
    Role(RoleId),
    /// By id.
    Group(GroupId),
    /// By id.
    User(UserId),
    /// The role grants this permission, whatever slug the reference remembers.
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
    ];

    /// Whether it connects entities. Otherwise it is an entity.
    pub(crate) const fn is_relation(self) -> bool {
        match self {
            Self::Tenant | Self::Permission | Self::Role | Self::Group | Self::User => false,
            Self::Grant | Self::Inclusion | Self::Parent | Self::Assignment | Self::Membership => true,
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

    /// Returns the kind's place in the order of a load. It never changes, so a store can keep it in a column and sort by it.
    pub const fn ordinal(self) -> u8 {
        self as u8
    }
}

impl RecordKey {
    /// The kind of the record with this key.
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
        }
    }
}

impl Record {
    /// Its key.
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
        }
    }

    /// Its kind.
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
        // A kind that is added behind the last one is named here, or this does not compile.
        let is_last = |kind| match kind {
            RecordKind::Tenant
            | RecordKind::Permission
            | RecordKind::Role
            | RecordKind::Group
            | RecordKind::User
            | RecordKind::Grant
            | RecordKind::Inclusion
            | RecordKind::Parent
            | RecordKind::Assignment => false,
            RecordKind::Membership => true,
        };
        assert!(RecordKind::ALL.last().is_some_and(|kind| is_last(*kind)));
        assert!(RecordKind::ALL.is_sorted_by_key(|kind| kind.is_relation()), "entities come before relations");
    }
}
