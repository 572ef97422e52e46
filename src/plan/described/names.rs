//! Looks up the names of a change in a snapshot before it and in one after it.

use std::collections::HashSet;

use uuid::Uuid;

use super::{ChangeKind, DescribedChange, DescribedListChange, NamedEntity};
use crate::model::error::EntityKind;
use crate::model::records::{
    AssertionRecord, Assignment, Change, FieldChange, Grant, Granted, GroupId, Holder, Inclusion, PermissionId,
    PermissionRef, Record, RecordKey, RoleId, RoleRef, Slug, UserId,
};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::stored::window_of;
use crate::resolver::snapshot::table::{Row, Table};

/// The snapshots in which names are looked up.
pub(super) struct NameLookup<'a> {
    pub(super) before: &'a CompiledTenant,
    pub(super) after: &'a CompiledTenant,
}

impl NameLookup<'_> {
    pub(super) fn describe(&self, change: &Change) -> DescribedChange {
        let own = |entity, id| own(change, entity, id);
        let user = |id: UserId| self.end(change, EntityKind::User, id.as_uuid());
        let group = |id: GroupId| self.end(change, EntityKind::Group, id.as_uuid());
        let role = |id: RoleId| self.end(change, EntityKind::Role, id.as_uuid());
        let permission = |id: PermissionId| self.end(change, EntityKind::Permission, id.as_uuid());
        let mut granted = None;
        let (subject, object) = match change.key() {
            RecordKey::Tenant => (own(EntityKind::Tenant, self.after.position.tenant_id.as_uuid()), None),
            RecordKey::Permission(id) => (own(EntityKind::Permission, id.as_uuid()), None),
            RecordKey::Role(id) => (own(EntityKind::Role, id.as_uuid()), None),
            RecordKey::Group(id) => (own(EntityKind::Group, id.as_uuid()), None),
            RecordKey::User(id) => (own(EntityKind::User, id.as_uuid()), None),
            RecordKey::Separation(id) => (own(EntityKind::Separation, id.as_uuid()), None),
            RecordKey::Assertion(id) => (own(EntityKind::Assertion, id.as_uuid()), None),
            RecordKey::Grant(by, id) => (role(by), Some(permission(id))),
            RecordKey::GrantPattern(by, pattern) => {
                granted = Some(pattern);
                (role(by), None)
            }
            RecordKey::Inclusion(by, included) => (role(by), Some(role(included))),
            RecordKey::Parent(of, parent) => (group(of), Some(group(parent))),
            RecordKey::Assignment(assigned, Holder::User(id)) => (user(id), Some(role(assigned))),
            RecordKey::Assignment(assigned, Holder::Group(id)) => (group(id), Some(role(assigned))),
            RecordKey::Membership(member, of) => (user(member), Some(group(of))),
        };
        let kind = match (change.before(), change.after()) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Changed,
        };
        DescribedChange {
            change: kind,
            kind: change.kind(),
            subject,
            object,
            pattern: granted,
            window_before: change.before().and_then(window_of),
            window_after: change.after().and_then(window_of),
            fields: change.fields().into_iter().chain(self.permission_of(change)).collect(),
            lists: self.lists_of(change),
        }
    }

    /// The permission that an assertion is about, if it differs.
    fn permission_of(&self, change: &Change) -> Option<FieldChange> {
        let (Record::Assertion(before), Record::Assertion(after)) = (change.before()?, change.after()?) else {
            return None;
        };
        let (before, after) = (before.expected.permission(), after.expected.permission());
        let id = |named: Option<&PermissionRef>| named.map(|named| named.id().as_uuid());
        let name = |tenant, named: Option<&PermissionRef>| {
            named.map(|named| name_of(tenant, EntityKind::Permission, named.id().as_uuid(), named.slug()))
        };
        (id(before) != id(after)).then(|| FieldChange {
            field: "permission",
            before: name(self.before, before),
            after: name(self.after, after),
        })
    }

    /// The lists of a separation or an assertion that differ.
    fn lists_of(&self, change: &Change) -> Vec<DescribedListChange> {
        let (Some(before), Some(after)) = (change.before(), change.after()) else { return Vec::new() };
        let lists = lists(before).into_iter().zip(lists(after));
        let differing = lists.map(|((field, entity, before), (_, _, after))| DescribedListChange {
            field,
            entity,
            added: names_beyond(self.after, entity, &after, &before),
            removed: names_beyond(self.before, entity, &before, &after),
        });
        differing.filter(|list| !list.added.is_empty() || !list.removed.is_empty()).collect()
    }

    /// Names an end of a relation, by the snapshots. The reference itself names an entry of the catalog that they do
    /// not have.
    fn end(&self, change: &Change, entity: EntityKind, id: Uuid) -> NamedEntity {
        let name = |tenant: &CompiledTenant, record: Option<&Record>| {
            let in_reference = || record.and_then(|record| slug_in_reference(record, entity, id)).map(Slug::to_string);
            name_at(&tenant.state, entity, id).or_else(in_reference)
        };
        let (before, after) = (name(self.before, change.before()), name(self.after, change.after()));
        NamedEntity { entity, id, before, after }
    }
}

/// A list in a record: the name of its field, the kind of entity, and the id of each with the slug in the reference.
type NamedList<'a> = (&'static str, EntityKind, Vec<(Uuid, Option<&'a Slug>)>);

/// Returns the entities that a separation or an assertion names, in a fixed order for its kind.
fn lists(record: &Record) -> Vec<NamedList<'_>> {
    match record {
        Record::Separation(separation) => vec![("roles", EntityKind::Role, references(&separation.roles))],
        Record::Assertion(AssertionRecord { expected, .. }) => {
            let users = expected.users().iter().map(|id| (id.as_uuid(), None));
            let groups = expected.groups().iter().map(|id| (id.as_uuid(), None));
            vec![
                ("users", EntityKind::User, users.collect()),
                ("groups", EntityKind::Group, groups.collect()),
                ("roles", EntityKind::Role, references(expected.roles())),
            ]
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

fn references(roles: &[RoleRef]) -> Vec<(Uuid, Option<&Slug>)> {
    roles.iter().map(|role| (role.id().as_uuid(), role.slug())).collect()
}

/// Names the entities of a list that are not in another one, by a snapshot.
fn names_beyond(
    tenant: &CompiledTenant,
    entity: EntityKind,
    list: &[(Uuid, Option<&Slug>)],
    other: &[(Uuid, Option<&Slug>)],
) -> Vec<String> {
    let there: HashSet<Uuid> = other.iter().map(|(id, _)| *id).collect();
    let only_here = list.iter().filter(|(id, _)| !there.contains(id));
    let mut names: Vec<String> = only_here.map(|(id, stored)| name_of(tenant, entity, *id, *stored)).collect();
    names.sort_unstable();
    names
}

/// Names an entity, by a snapshot. A reference to the catalog names an entry that it does not have.
fn name_of(tenant: &CompiledTenant, entity: EntityKind, id: Uuid, stored: Option<&Slug>) -> String {
    let stored = || stored.map_or_else(|| id.to_string(), Slug::to_string);
    name_at(&tenant.state, entity, id).unwrap_or_else(stored)
}

/// Names the entity whose own record changes.
fn own(change: &Change, entity: EntityKind, id: Uuid) -> NamedEntity {
    let name = |record: Option<&Record>| record.and_then(own_name).map(str::to_owned);
    NamedEntity { entity, id, before: name(change.before()), after: name(change.after()) }
}

fn own_name(record: &Record) -> Option<&str> {
    match record {
        Record::Tenant(record) => Some(record.slug.as_str()),
        Record::Permission(record) => Some(record.slug.as_str()),
        Record::Role(record) => Some(record.slug.as_str()),
        Record::Group(record) => Some(record.slug.as_str()),
        Record::User(record) => Some(record.key.as_str()),
        Record::Separation(record) => Some(record.slug.as_str()),
        Record::Assertion(record) => Some(record.slug.as_str()),
        Record::Grant(_) | Record::Inclusion(_) | Record::Parent(_) | Record::Assignment(_) | Record::Membership(_) => {
            None
        }
    }
}

/// Returns the name of an entity in a snapshot. Entries that are removed from the catalog have one while they are
/// referred to.
fn name_at(state: &State, entity: EntityKind, id: Uuid) -> Option<String> {
    fn name<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<String> {
        table.row(number?).map(|row| row.name().to_owned())
    }
    match entity {
        EntityKind::Tenant => state.tenant.as_ref().map(|tenant| tenant.slug.to_string()),
        EntityKind::Permission => name(&state.permissions, state.permissions.by_id(id)),
        EntityKind::Role => name(&state.roles, state.roles.by_id(id)),
        EntityKind::Group => name(&state.groups, state.groups.by_id(id)),
        EntityKind::User => name(&state.users, state.user_by_id(id)),
        EntityKind::Separation => name(&state.separations, state.separations.by_id(id)),
        EntityKind::Assertion => name(&state.assertions, state.assertions.by_id(id)),
    }
}

/// Returns the slug that a reference to the catalog has stored.
fn slug_in_reference(record: &Record, entity: EntityKind, id: Uuid) -> Option<&Slug> {
    match record {
        Record::Assignment(Assignment { role, .. }) | Record::Inclusion(Inclusion { included: role, .. }) => {
            role.slug().filter(|_| entity == EntityKind::Role && role.id().as_uuid() == id)
        }
        Record::Grant(Grant { granted: Granted::Permission(permission), .. }) => {
            permission.slug().filter(|_| entity == EntityKind::Permission)
        }
        Record::Grant(Grant { granted: Granted::Pattern(_), .. })
        | Record::Parent(_)
        | Record::Membership(_)
        | Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Separation(_)
        | Record::Assertion(_) => None,
    }
}
