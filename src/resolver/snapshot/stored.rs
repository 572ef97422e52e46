//! The records that a state consists of: all of them, or the one under a key.

use super::edge::FAR_END;
use super::edges::Edges;
use super::entity_rows::{GroupRow, PermissionRow, RoleRow, UserRow};
use super::state::State;
use super::table::{Origin, Row, Table};
use crate::model::internal_fault::must;
use crate::model::records::{
    Assignment, Grant, Granted, Holder, Inclusion, Membership, ParentLink, Pattern, Record, RecordKey, RoleRef, Window,
};

impl State {
    /// Returns the record of the tenant with this key. Entries of the catalog are not records.
    ///
    /// A reference to an entry of the catalog has the slug that the entry has now.
    ///
    /// # Complexity
    /// A few look-ups.
    pub(crate) fn record(&self, key: &RecordKey) -> Option<Record> {
        Some(match key {
            RecordKey::Tenant => Record::Tenant(self.tenant.clone()?),
            RecordKey::Permission(id) => {
                Record::Permission(own(&self.permissions, self.permissions.by_id(id.as_uuid()))?)
            }
            RecordKey::Role(id) => Record::Role(own(&self.roles, self.roles.by_id(id.as_uuid()))?),
            RecordKey::Group(id) => Record::Group(own(&self.groups, self.groups.by_id(id.as_uuid()))?),
            RecordKey::User(id) => Record::User(own(&self.users, self.user_by_id(id.as_uuid()))?),
            RecordKey::Grant(role, permission) => {
                let row = self.roles.row(self.roles.by_id(role.as_uuid())?)?;
                let permission = self.permissions.by_id(permission.as_uuid())?;
                row.grants.contains(|n| n.cmp(&permission)).then_some(())?;
                let granted = Granted::Permission(self.permissions.row(permission).map(PermissionRow::reference)?);
                Record::Grant(Grant { role: *role, granted })
            }
            RecordKey::GrantPattern(role, pattern) => {
                let row = self.roles.row(self.roles.by_id(role.as_uuid())?)?;
                row.patterns.binary_search(pattern).ok()?;
                Record::Grant(Grant { role: *role, granted: Granted::Pattern(pattern.clone()) })
            }
            RecordKey::Inclusion(role, included) => {
                let row = self.roles.row(self.roles.by_id(role.as_uuid())?)?;
                let (included, reference) = self.role_with_id(*included)?;
                row.includes.contains(|n| n.cmp(&included)).then_some(())?;
                Record::Inclusion(Inclusion { role: *role, included: reference })
            }
            RecordKey::Parent(group, parent) => {
                let row = self.groups.row(self.groups.by_id(group.as_uuid())?)?;
                let window = row.parents().get(self.groups.by_id(parent.as_uuid())?)?.window;
                Record::Parent(ParentLink { group: *group, parent: *parent, window })
            }
            RecordKey::Assignment(role, holder) => {
                let (role, reference) = self.role_with_id(*role)?;
                let edge = match holder {
                    Holder::User(id) => self.users.row(self.user_by_id(id.as_uuid())?)?.roles().get(role),
                    Holder::Group(id) => self.groups.row(self.groups.by_id(id.as_uuid())?)?.roles().get(role),
                };
                Record::Assignment(Assignment { role: reference, holder: *holder, window: edge?.window })
            }
            RecordKey::Membership(user, group) => {
                let row = self.users.row(self.user_by_id(user.as_uuid())?)?;
                let window = row.groups().get(self.groups.by_id(group.as_uuid())?)?.window;
                Record::Membership(Membership { user: *user, group: *group, window })
            }
            RecordKey::Assertion(id) => Record::Assertion(own(&self.assertions, self.assertions.by_id(id.as_uuid()))?),
            RecordKey::Separation(id) => {
                Record::Separation(own(&self.separations, self.separations.by_id(id.as_uuid()))?)
            }
        })
    }

    /// Returns all records, in the order of their kinds: what a load would return.
    ///
    /// A reference to an entry of the catalog has the slug that the entry has now.
    ///
    /// # Complexity
    /// O(records) look-ups.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let tenant = self.tenant.iter().cloned().map(Record::Tenant);
        let entities = tenant
            .chain(all_own(&self.permissions).map(|row| Record::Permission(row.record.clone())))
            .chain(all_own(&self.roles).map(|row| Record::Role(row.record.clone())))
            .chain(all_own(&self.groups).map(|row| Record::Group(row.record.clone())))
            .chain(all_own(&self.users).map(|row| Record::User(row.record.clone())));
        let relations = all_own(&self.roles)
            .flat_map(|row| self.grants_of(row))
            .chain(all_own(&self.roles).flat_map(|row| self.inclusions_of(row)))
            .chain(all_own(&self.groups).flat_map(|row| self.parents_of(row)))
            .chain(all_own(&self.groups).flat_map(|row| self.assignments_of(Holder::Group(row.id()), row.roles())))
            .chain(all_own(&self.users).flat_map(|row| self.assignments_of(Holder::User(row.id()), row.roles())))
            .chain(all_own(&self.users).flat_map(|row| self.memberships_of(row)));
        let separations = all_own(&self.separations).map(|row| Record::Separation(row.record.clone()));
        let assertions = all_own(&self.assertions).map(|row| Record::Assertion(row.record.clone()));
        entities.chain(relations).chain(separations).chain(assertions)
    }

    fn grants_of<'a>(&'a self, row: &'a RoleRow) -> impl Iterator<Item = Record> + 'a {
        let role = row.record.id;
        let permissions = row.grants.iter().filter_map(move |number| {
            let row = must(self.permissions.row(*number), FAR_END)?;
            Some(Record::Grant(Grant { role, granted: Granted::Permission(row.reference()) }))
        });
        let pattern =
            move |pattern: &Pattern| Record::Grant(Grant { role, granted: Granted::Pattern(pattern.clone()) });
        permissions.chain(row.patterns.iter().map(pattern))
    }

    fn inclusions_of<'a>(&'a self, row: &'a RoleRow) -> impl Iterator<Item = Record> + 'a {
        let role = row.record.id;
        row.includes.iter().filter_map(move |number| {
            let included = must(self.roles.row(*number), FAR_END)?.reference();
            Some(Record::Inclusion(Inclusion { role, included }))
        })
    }

    fn parents_of<'a>(&'a self, row: &'a GroupRow) -> impl Iterator<Item = Record> + 'a {
        let group = row.id();
        row.parents().iter().filter_map(move |edge| {
            let parent = must(self.groups.row(edge.to), FAR_END)?.id();
            Some(Record::Parent(ParentLink { group, parent, window: edge.window }))
        })
    }

    fn assignments_of<'a>(&'a self, holder: Holder, roles: Edges<'a>) -> impl Iterator<Item = Record> + 'a {
        roles.iter().filter_map(move |edge| {
            let role = must(self.roles.row(edge.to), FAR_END)?.reference();
            Some(Record::Assignment(Assignment { role, holder, window: edge.window }))
        })
    }

    fn memberships_of<'a>(&'a self, row: &'a UserRow) -> impl Iterator<Item = Record> + 'a {
        let user = row.id();
        row.groups().iter().filter_map(move |edge| {
            let group = must(self.groups.row(edge.to), FAR_END)?.id();
            Some(Record::Membership(Membership { user, group, window: edge.window }))
        })
    }

    fn role_with_id(&self, id: crate::model::records::RoleId) -> Option<(u32, RoleRef)> {
        let number = self.roles.by_id(id.as_uuid())?;
        Some((number, self.roles.row(number)?.reference()))
    }
}

fn all_own<R: Row>(table: &Table<R>) -> impl Iterator<Item = &R> {
    table.rows().filter(|row| row.origin() == Origin::Tenant)
}

/// Returns the record of an entity, unless the catalog defines it.
fn own<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<R::Record> {
    table.row(number?).filter(|row| row.origin() == Origin::Tenant).map(|row| row.record().clone())
}

/// Returns the window of a record, if records of its kind have one.
pub(crate) fn window_of(record: &Record) -> Option<Window> {
    match record {
        Record::Parent(edge) => Some(edge.window),
        Record::Assignment(edge) => Some(edge.window),
        Record::Membership(edge) => Some(edge.window),
        Record::Grant(_)
        | Record::Inclusion(_)
        | Record::Tenant(_)
        | Record::Permission(_)
        | Record::Role(_)
        | Record::Group(_)
        | Record::User(_)
        | Record::Separation(_)
        | Record::Assertion(_) => None,
    }
}
