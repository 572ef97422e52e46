//! The entities that a record names, for a rebase: both ends of a relation, and what a separation or an assertion names anew.

use std::collections::HashSet;

use uuid::Uuid;

use crate::model::error::EntityKind;
use crate::model::records::{AssertionRecord, Change, Granted, Holder, PermissionRef, Record, RecordKey, RoleRef};
use crate::resolver::snapshot::table::Origin;

/// An entity that a record names.
pub(super) struct End {
    pub(super) entity: EntityKind,
    pub(super) id: Uuid,
    pub(super) key: RecordKey,
    pub(super) origin: Origin,
}

impl End {
    fn of(key: RecordKey) -> Option<Self> {
        let (entity, id) = match &key {
            RecordKey::Permission(id) => (EntityKind::Permission, id.as_uuid()),
            RecordKey::Role(id) => (EntityKind::Role, id.as_uuid()),
            RecordKey::Group(id) => (EntityKind::Group, id.as_uuid()),
            RecordKey::User(id) => (EntityKind::User, id.as_uuid()),
            RecordKey::Separation(id) => (EntityKind::Separation, id.as_uuid()),
            RecordKey::Assertion(id) => (EntityKind::Assertion, id.as_uuid()),
            RecordKey::Tenant
            | RecordKey::Grant(..)
            | RecordKey::GrantPattern(..)
            | RecordKey::Inclusion(..)
            | RecordKey::Parent(..)
            | RecordKey::Assignment(..)
            | RecordKey::Membership(..) => return None,
        };
        Some(Self { entity, id, key, origin: Origin::Tenant })
    }

    fn role(role: &RoleRef) -> Option<Self> {
        let end = Self::of(RecordKey::Role(role.id()));
        match role {
            RoleRef::Own(_) => end,
            RoleRef::Catalog { .. } => end.map(|end| Self { origin: Origin::Catalog, ..end }),
        }
    }

    fn permission(permission: &PermissionRef) -> Option<Self> {
        let end = Self::of(RecordKey::Permission(permission.id()));
        match permission {
            PermissionRef::Own(_) => end,
            PermissionRef::Catalog { .. } => end.map(|end| Self { origin: Origin::Catalog, ..end }),
        }
    }
}

/// Returns the two ends of a relation, the entity that has it first. A pattern has no second end.
pub(super) fn ends(record: &Record) -> [Option<End>; 2] {
    match record {
        Record::Membership(edge) => [End::of(RecordKey::User(edge.user)), End::of(RecordKey::Group(edge.group))],
        Record::Parent(edge) => [End::of(RecordKey::Group(edge.group)), End::of(RecordKey::Group(edge.parent))],
        Record::Inclusion(edge) => [End::of(RecordKey::Role(edge.role)), End::role(&edge.included)],
        Record::Assignment(edge) => {
            let holder = match edge.holder {
                Holder::User(id) => RecordKey::User(id),
                Holder::Group(id) => RecordKey::Group(id),
            };
            [End::of(holder), End::role(&edge.role)]
        }
        Record::Grant(edge) => {
            let granted = match &edge.granted {
                Granted::Permission(permission) => End::permission(permission),
                Granted::Pattern(_) => None,
            };
            [End::of(RecordKey::Role(edge.role)), granted]
        }
        Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Separation(_)
        | Record::Assertion(_) => [None, None],
    }
}

/// Returns what a separation or an assertion names after a change, and did not name before it.
pub(super) fn newly_named(change: &Change) -> impl Iterator<Item = End> {
    let before: HashSet<RecordKey> = change.before().into_iter().flat_map(listed).map(|end| end.key).collect();
    change.after().into_iter().flat_map(listed).filter(move |end| !before.contains(&end.key))
}

/// Returns the entities that the lists of a separation or an assertion name.
fn listed(record: &Record) -> Vec<End> {
    match record {
        Record::Separation(separation) => separation.roles.iter().filter_map(End::role).collect(),
        Record::Assertion(AssertionRecord { expected, .. }) => {
            let permission = expected.permission().map(End::permission);
            let users = expected.users().iter().map(|id| End::of(RecordKey::User(*id)));
            let groups = expected.groups().iter().map(|id| End::of(RecordKey::Group(*id)));
            let roles = expected.roles().iter().map(End::role);
            permission.into_iter().chain(users).chain(groups).chain(roles).flatten().collect()
        }
        Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Grant(_)
        | Record::Inclusion(_)
        | Record::Parent(_)
        | Record::Assignment(_)
        | Record::Membership(_) => Vec::new(),
    }
}

/// Returns the entities that a record names: itself, or both ends of a relation.
pub(super) fn named(record: &Record) -> [Option<End>; 2] {
    if record.kind().is_relation() { ends(record) } else { [End::of(record.key()), None] }
}

/// Returns the kind and the slug or key of the record of an entity.
pub(super) fn name_of(record: &Record) -> Option<(EntityKind, &str)> {
    match record {
        Record::Tenant(tenant) => Some((EntityKind::Tenant, tenant.slug.as_str())),
        Record::Permission(permission) => Some((EntityKind::Permission, permission.slug.as_str())),
        Record::Role(role) => Some((EntityKind::Role, role.slug.as_str())),
        Record::Group(group) => Some((EntityKind::Group, group.slug.as_str())),
        Record::User(user) => Some((EntityKind::User, user.key.as_str())),
        Record::Separation(separation) => Some((EntityKind::Separation, separation.slug.as_str())),
        Record::Assertion(assertion) => Some((EntityKind::Assertion, assertion.slug.as_str())),
        Record::Grant(_) | Record::Inclusion(_) | Record::Parent(_) | Record::Assignment(_) | Record::Membership(_) => {
            None
        }
    }
}
