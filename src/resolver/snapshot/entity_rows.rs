//! The rows of the compiled tables: each entity with the edges that leave it and those that lead to it.
//!
//! Edges that leave an entity are sorted by number and have their windows. Lists that may have a million users are
//! sorted by the users' keys, so that a page costs only its own length.

use uuid::Uuid;

use super::edge::{Edge, ReverseEdge};
use super::edges::{Edges, HeldEdges};
use super::source::Source;
use super::table::{ByUserIndex, Origin, Row};
use crate::model::error::EntityKind;
use crate::model::records::{
    AssertionRecord, Description, GroupId, GroupRecord, Name, Pattern, PermissionId, PermissionRecord, PermissionRef,
    RoleId, RoleRecord, RoleRef, SeparationRecord, Slug, Status, UserId, UserKey, UserRecord,
};
use crate::resolver::bits::BitRow;
use crate::resolver::tables::hash_index::HashIndex;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// The roles that grant it are in `reverse_grants.rs`.
#[derive(Clone, Debug)]
pub(crate) struct PermissionRow {
    pub(crate) record: PermissionRecord,
    pub(crate) origin: Origin,
    /// It gives nothing while this is set (I13).
    pub(crate) in_conflict: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RoleRow {
    pub(crate) record: RoleRecord,
    pub(crate) origin: Origin,
    /// I13
    pub(crate) in_conflict: bool,
    pub(crate) grants: SortedSeq<u32>,
    /// Sorted.
    pub(crate) patterns: Vec<Pattern>,
    /// The permissions that the patterns match (I7). A new permission adds its bit, and no pattern is matched with the
    /// permissions that were there before.
    pub(crate) matched: BitRow,
    pub(crate) includes: SortedSeq<u32>,
    pub(crate) included_by: SortedSeq<u32>,
    /// Users to whom it is assigned directly, by key.
    pub(crate) users: SortedSeq<ReverseEdge>,
    /// Groups to which it is assigned, by number.
    pub(crate) groups: SortedSeq<ReverseEdge>,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupRow {
    pub(crate) record: GroupRecord,
    /// Its parents and the roles that are assigned to it.
    pub(crate) edges: HeldEdges,
    /// Direct subgroups, by number.
    pub(crate) children: SortedSeq<ReverseEdge>,
    /// Direct members, by key.
    pub(crate) members: SortedSeq<ReverseEdge>,
}

#[derive(Clone, Debug)]
pub(crate) struct UserRow {
    pub(crate) record: UserRecord,
    pub(crate) edges: HeldEdges,
}

impl PermissionRow {
    pub(crate) fn new(record: PermissionRecord, origin: Origin) -> Self {
        Self { record, origin, in_conflict: false }
    }

    /// A permission that was removed from the catalog: only its id and last known slug remain.
    pub(crate) fn removed_from_catalog(id: PermissionId, slug: &Slug) -> Self {
        let record = PermissionRecord {
            id,
            slug: slug.clone(),
            name: Name::of_slug(slug.as_str()),
            description: Description::default(),
            category: None,
        };
        Self::new(record, Origin::RemovedFromCatalog)
    }

    /// Whether a role can give it (R9).
    pub(crate) fn is_grantable(&self) -> bool {
        self.origin != Origin::RemovedFromCatalog && !self.in_conflict
    }

    pub(crate) fn reference(&self) -> PermissionRef {
        match self.origin {
            Origin::Tenant => PermissionRef::Own(self.record.id),
            Origin::Catalog | Origin::RemovedFromCatalog => {
                PermissionRef::Catalog { id: self.record.id, slug: self.record.slug.clone() }
            }
        }
    }
}

/// A separation of duties. Its record is as it was stored.
#[derive(Clone, Debug)]
pub(crate) struct SeparationRow {
    pub(crate) record: SeparationRecord,
    /// The roles that it names, by number.
    pub(crate) roles: Vec<u32>,
}

impl SeparationRow {
    fn new(record: SeparationRecord) -> Self {
        Self { record, roles: Vec::new() }
    }

    pub(crate) fn at_most(&self) -> usize {
        self.record.at_most.get().try_into().unwrap_or(usize::MAX)
    }
}

/// An assertion. Its record is as it was stored. The entities that it names are listed by number, in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct AssertionRow {
    pub(crate) record: AssertionRecord,
    pub(crate) named: AssertionNumbers,
}

/// The numbers of the entities that an assertion names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AssertionNumbers {
    pub(crate) permission: Option<u32>,
    pub(crate) users: Vec<u32>,
    pub(crate) groups: Vec<u32>,
    pub(crate) roles: Vec<u32>,
}

/// An entity that an assertion may name, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asserted {
    Permission(u32),
    Role(u32),
    Group(u32),
    User(u32),
}

impl AssertionRow {
    fn new(record: AssertionRecord) -> Self {
        Self { record, named: AssertionNumbers::default() }
    }

    pub(crate) fn names(&self, entity: Asserted) -> bool {
        match entity {
            Asserted::Permission(number) => self.named.permission == Some(number),
            Asserted::Role(number) => self.named.roles.binary_search(&number).is_ok(),
            Asserted::Group(number) => self.named.groups.binary_search(&number).is_ok(),
            Asserted::User(number) => self.named.users.binary_search(&number).is_ok(),
        }
    }
}

impl RoleRow {
    pub(crate) fn new(record: RoleRecord, origin: Origin) -> Self {
        Self {
            record,
            origin,
            in_conflict: false,
            grants: SortedSeq::default(),
            patterns: Vec::new(),
            matched: BitRow::EMPTY,
            includes: SortedSeq::default(),
            included_by: SortedSeq::default(),
            users: SortedSeq::default(),
            groups: SortedSeq::default(),
        }
    }

    /// A role that was removed from the catalog: only its id and last known slug remain.
    pub(crate) fn removed_from_catalog(id: RoleId, slug: &Slug) -> Self {
        let record = RoleRecord {
            id,
            slug: slug.clone(),
            name: Name::of_slug(slug.as_str()),
            description: Description::default(),
        };
        Self::new(record, Origin::RemovedFromCatalog)
    }

    pub(crate) fn reference(&self) -> RoleRef {
        match self.origin {
            Origin::Tenant => RoleRef::Own(self.record.id),
            Origin::Catalog | Origin::RemovedFromCatalog => {
                RoleRef::Catalog { id: self.record.id, slug: self.record.slug.clone() }
            }
        }
    }

    /// Whether no edge of the tenant refers to it.
    pub(crate) fn is_unused(&self) -> bool {
        self.included_by.is_empty() && self.users.is_empty() && self.groups.is_empty()
    }
}

impl GroupRow {
    pub(crate) fn new(record: GroupRecord) -> Self {
        Self { record, edges: HeldEdges::default(), children: SortedSeq::default(), members: SortedSeq::default() }
    }

    pub(crate) fn id(&self) -> GroupId {
        self.record.id
    }

    #[inline]
    pub(crate) fn parents(&self) -> Edges<'_> {
        self.edges.groups()
    }

    #[inline]
    pub(crate) fn roles(&self) -> Edges<'_> {
        self.edges.roles()
    }

    /// Its parents and roles, with their windows.
    #[inline]
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Source, Edge)> + '_ {
        self.edges.sources()
    }
}

impl UserRow {
    pub(crate) fn new(record: UserRecord) -> Self {
        Self { record, edges: HeldEdges::default() }
    }

    pub(crate) fn id(&self) -> UserId {
        self.record.id
    }

    #[inline]
    pub(crate) fn groups(&self) -> Edges<'_> {
        self.edges.groups()
    }

    #[inline]
    pub(crate) fn roles(&self) -> Edges<'_> {
        self.edges.roles()
    }

    pub(crate) fn key(&self) -> &UserKey {
        &self.record.key
    }

    /// Its direct groups and roles, with their windows.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Source, Edge)> + '_ {
        self.edges.sources()
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.record.status == Status::Suspended
    }
}

macro_rules! rows {
    ($($row:ident: $kind:ident, $record:ident, $name:ident, $ids:ident, $own:expr, $origin:expr, $is_in_conflict:expr, $set_in_conflict:expr, $bare:expr, $external:expr;)*) => {$(
        impl Row for $row {
            const ENTITY: EntityKind = EntityKind::$kind;
            type Record = $record;
            type Ids = $ids;

            fn own(record: $record) -> Self {
                $own(record)
            }

            fn record(&self) -> &$record {
                &self.record
            }

            fn record_mut(&mut self) -> &mut $record {
                &mut self.record
            }

            fn id_of(record: &$record) -> Uuid {
                record.id.as_uuid()
            }

            fn name_of(record: &$record) -> &str {
                record.$name.as_str()
            }

            fn origin(&self) -> Origin {
                $origin(self)
            }

            fn is_in_conflict(&self) -> bool {
                $is_in_conflict(self)
            }

            fn set_in_conflict(&mut self, is_in_conflict: bool) {
                $set_in_conflict(self, is_in_conflict);
            }

            fn is_bare(&self) -> bool {
                $bare(self)
            }

            fn external_of(record: &$record) -> Option<(&str, &str)> {
                $external(record)
            }
        }
    )*};
}

rows! {
    PermissionRow: Permission, PermissionRecord, slug, HashIndex,
        |record| Self::new(record, Origin::Tenant), |row: &Self| row.origin,
        |row: &Self| row.in_conflict, |row: &mut Self, set| row.in_conflict = set, |_| true, |_| None;
    RoleRow: Role, RoleRecord, slug, HashIndex,
        |record| Self::new(record, Origin::Tenant), |row: &Self| row.origin,
        |row: &Self| row.in_conflict, |row: &mut Self, set| row.in_conflict = set,
        |row: &Self| row.is_unused() && row.grants.is_empty() && row.patterns.is_empty() && row.includes.is_empty(),
        |_| None;
    GroupRow: Group, GroupRecord, slug, HashIndex, Self::new, |_| Origin::Tenant, |_| false, |_, _| (),
        |row: &Self| row.edges.is_empty() && row.members.is_empty() && row.children.is_empty(),
        GroupRecord::external;
    UserRow: User, UserRecord, key, ByUserIndex, Self::new, |_| Origin::Tenant, |_| false, |_, _| (),
        |row: &Self| row.edges.is_empty(), UserRecord::external;
    SeparationRow: Separation, SeparationRecord, slug, HashIndex, Self::new, |_| Origin::Tenant, |_| false, |_, _| (),
        |_| true, |_| None;
    AssertionRow: Assertion, AssertionRecord, slug, HashIndex, Self::new, |_| Origin::Tenant, |_| false, |_, _| (),
        |_| true, |_| None;
}
