//! Applying one change to a state: a call in a transaction, another process's commit, or a record of a load.
//!
//! A change is applied in two halves: *lift* removes the old record and *put* adds the new one. For a set of changes,
//! all edges are lifted first, then entities are lifted, entities are put, and edges are put. Two entities can
//! therefore swap their names, and no edge is ever left dangling. A change that breaks an invariant is rejected, and
//! the state must then be discarded. This file applies entities; `edges.rs` applies edges.
//!
//! Deliberately absent: cycles (I3), which are checked once per set; and cached rows, which `row_cache.rs` computes.

mod edges;

use std::collections::BTreeSet;

use super::edge::{FAR_END, NEAR_END, ReverseEdge};
use super::entity_rows::Asserted;
use super::entity_rows::AssertionNumbers;
use super::session::Session;
use super::source::Source;
use super::state::State;
use super::table::Origin;
use super::table::{Row, Table};
use super::user_summaries::UserSummary;
use crate::model::error::EntityKind;
use crate::model::internal_fault::{must, must_hold};
use crate::model::invariants::Violation;
use crate::model::records::{AssertionRecord, Change, ExternalId, Manager, Record, RecordKey, SeparationRecord};

/// The entities and slugs that the edits have touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Roles whose own grants, patterns or inclusions changed.
    pub(crate) roles: BTreeSet<u32>,
    /// Groups whose own roles or parents changed.
    pub(crate) groups: BTreeSet<u32>,
    /// Roles whose own patterns changed.
    pub(crate) patterns: BTreeSet<u32>,
    /// Slugs that permissions gained or lost. Patterns may match them.
    pub(crate) slugs: BTreeSet<String>,
    /// The permissions that gained or lost them.
    pub(crate) permissions: BTreeSet<u32>,
}

type Result<T = ()> = std::result::Result<T, Violation>;

#[derive(Debug)]
pub(crate) struct Edit<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) session: &'a Session,
    pub(crate) touched: &'a mut Touched,
}

impl Edit<'_> {
    /// Applies a set of changes, in the order that lets entities swap their names.
    pub(crate) fn apply_all(&mut self, changes: &[Change]) -> Result {
        let is_edge = |c: &&Change| c.kind().is_relation() || c.kind().names_others();
        let mut rest = changes;
        while let Some((first, after)) = rest.split_first() {
            if let Some(left) = self.leave_together(rest)? {
                rest = rest.get(left..).unwrap_or_default();
                continue;
            }
            if is_edge(&first) {
                self.lift(first)?;
            }
            rest = after;
        }
        changes.iter().filter(|c| !is_edge(c)).try_for_each(|c| self.lift(c))?;
        changes.iter().filter(|c| !is_edge(c)).try_for_each(|c| self.put(c))?;
        changes.iter().filter(is_edge).try_for_each(|c| self.put(c))
    }

    /// Applies changes one after the other, and counts those that were applied.
    pub(crate) fn apply_in_order(&mut self, changes: &[Change], done: &mut usize) -> Result {
        while let Some(change) = changes.get(*done) {
            if let Some(left) = self.leave_together(changes.get(*done..).unwrap_or_default())? {
                *done += left;
                continue;
            }
            self.apply(change)?;
            *done += 1;
        }
        Ok(())
    }

    /// Applies one change.
    pub(crate) fn apply(&mut self, change: &Change) -> Result {
        self.lift(change)?;
        self.put(change)
    }

    fn lift(&mut self, change: &Change) -> Result {
        let Some(before) = change.before() else { return Ok(()) };
        let stays = change.after().is_some();
        match before {
            Record::Tenant(record) => {
                if self.state.tenant.take().as_ref() != Some(record) {
                    return Err(Violation::Mismatch { key: RecordKey::Tenant });
                }
            }
            Record::Permission(record) => {
                self.touched.slugs.insert(record.slug.as_str().to_owned());
                let found = self.state.permissions.by_id(record.id.as_uuid());
                let (number, shadowing) = lift_entity(&mut self.state.permissions, found, record, stays, before)?;
                self.touched.permissions.insert(number);
                self.touch_conflict(number, shadowing);
                if !stays
                    && (!self.state.reverse_grants.is_empty(number)
                        || self.state.is_asserted(Asserted::Permission(number)))
                {
                    return Err(Violation::Mismatch { key: before.key() });
                }
            }
            Record::Role(record) => {
                let found = self.state.roles.by_id(record.id.as_uuid());
                let (number, _) = lift_entity(&mut self.state.roles, found, record, stays, before)?;
                self.touched.roles.insert(number);
                if !stays && (self.state.is_separated(number) || self.state.is_asserted(Asserted::Role(number))) {
                    return Err(Violation::Mismatch { key: before.key() });
                }
            }
            Record::Group(record) => {
                let found = self.state.groups.by_id(record.id.as_uuid());
                let (number, _) = lift_entity(&mut self.state.groups, found, record, stays, before)?;
                self.touched.groups.insert(number);
                if !stays && self.state.is_asserted(Asserted::Group(number)) {
                    return Err(Violation::Mismatch { key: before.key() });
                }
            }
            Record::User(record) => {
                let found = self.state.user_by_id(record.id.as_uuid());
                if let Some(number) = found {
                    // This comes before the comparison of the record. The change may still not fit.
                    self.detach(number).ok_or_else(|| Violation::Mismatch { key: before.key() })?;
                }
                let (number, _) = lift_entity(&mut self.state.users, found, record, stays, before)?;
                self.summary(number);
                if !stays && self.state.is_asserted(Asserted::User(number)) {
                    return Err(Violation::Mismatch { key: before.key() });
                }
            }
            Record::Separation(record) => self.lift_separation(record, stays, before)?,
            Record::Assertion(record) => self.lift_assertion(record, stays, before)?,
            // An edge of which only the window changes is checked and replaced in `put`.
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Parent(_)
            | Record::Assignment(_)
            | Record::Membership(_)
                if stays => {}
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Parent(_)
            | Record::Assignment(_)
            | Record::Membership(_) => self.remove_edge(before)?,
        }
        Ok(())
    }

    fn put(&mut self, change: &Change) -> Result {
        let Some(after) = change.after() else { return Ok(()) };
        let new = change.before().is_none();
        match after {
            Record::Tenant(record) => {
                if self.state.tenant.replace(record.clone()).is_some() {
                    return Err(Violation::Mismatch { key: RecordKey::Tenant });
                }
            }
            Record::Permission(record) => {
                self.touched.slugs.insert(record.slug.as_str().to_owned());
                let number = self.number(EntityKind::Permission, record.id.as_uuid())?;
                self.touched.permissions.insert(number);
                let shadowing = put_entity(&mut self.state.permissions, number, record, new)?;
                self.touch_conflict(number, shadowing);
            }
            Record::Role(record) => {
                let number = self.number(EntityKind::Role, record.id.as_uuid())?;
                put_entity(&mut self.state.roles, number, record, new)?;
                self.state.columns.assign(Source::Role(number));
                self.touched.roles.insert(number);
            }
            Record::Group(record) => {
                is_managed(record.external_id(), record.managed_by(), after.key())?;
                let number = self.number(EntityKind::Group, record.id.as_uuid())?;
                put_entity(&mut self.state.groups, number, record, new)?;
                self.state.columns.assign(Source::Group(number));
                self.touched.groups.insert(number);
            }
            Record::User(record) => {
                is_managed(record.external_id(), record.managed_by(), after.key())?;
                let number = self.number(EntityKind::User, record.id.as_uuid())?;
                put_entity(&mut self.state.users, number, record, new)?;
                self.attach(number);
                self.summary(number);
            }
            Record::Separation(record) => self.put_separation(record, new, after)?,
            Record::Assertion(record) => self.put_assertion(record, new, after)?,
            Record::Grant(_)
            | Record::Inclusion(_)
            | Record::Parent(_)
            | Record::Assignment(_)
            | Record::Membership(_) => self.put_edge(after, change.before())?,
        }
        Ok(())
    }

    fn lift_separation(&mut self, record: &SeparationRecord, stays: bool, whole: &Record) -> Result {
        let found = self.state.separations.by_id(record.id.as_uuid());
        let named = found.and_then(|number| self.state.separations.row(number)).map(|row| row.roles.clone());
        let (number, _) = lift_entity(&mut self.state.separations, found, record, stays, whole)?;
        if stays {
            if let Some(row) = must(self.state.separations.row_mut(number), "a separation that stays has a row") {
                row.roles.clear();
            }
        }
        named.into_iter().flatten().for_each(|role| self.forget_removed_role(role));
        Ok(())
    }

    fn put_separation(&mut self, record: &SeparationRecord, new: bool, whole: &Record) -> Result {
        let mut roles: Vec<u32> = Vec::with_capacity(record.roles.len());
        for reference in &record.roles {
            roles.push(self.role(reference, whole)?);
        }
        roles.sort_unstable();
        roles.dedup();
        let number = self.number(EntityKind::Separation, record.id.as_uuid())?;
        put_entity(&mut self.state.separations, number, record, new)?;
        if let Some(row) = must(self.state.separations.row_mut(number), "a separation that was put has a row") {
            row.roles = roles;
        }
        Ok(())
    }

    fn lift_assertion(&mut self, record: &AssertionRecord, stays: bool, whole: &Record) -> Result {
        let found = self.state.assertions.by_id(record.id.as_uuid());
        let named = found.and_then(|number| self.state.assertions.row(number)).map(|row| row.named.clone());
        let (number, _) = lift_entity(&mut self.state.assertions, found, record, stays, whole)?;
        if stays {
            if let Some(row) = must(self.state.assertions.row_mut(number), "an assertion that stays has a row") {
                row.named = AssertionNumbers::default();
            }
        }
        let AssertionNumbers { permission, roles, .. } = named.unwrap_or_default();
        if let Some(permission) = permission {
            self.forget_removed_permission(permission);
        }
        for role in roles {
            self.forget_removed_role(role);
        }
        Ok(())
    }

    fn put_assertion(&mut self, record: &AssertionRecord, new: bool, whole: &Record) -> Result {
        let dangling = |entity| Violation::Dangling { edge: whole.key(), entity };
        let expected = &record.expected;
        let mut named = AssertionNumbers::default();
        if let Some(permission) = expected.permission() {
            named.permission = Some(self.permission(permission, whole)?);
        }
        for id in expected.users() {
            named.users.push(self.state.user_by_id(id.as_uuid()).ok_or_else(|| dangling(EntityKind::User))?);
        }
        for id in expected.groups() {
            named.groups.push(self.state.groups.by_id(id.as_uuid()).ok_or_else(|| dangling(EntityKind::Group))?);
        }
        for reference in expected.roles() {
            named.roles.push(self.role(reference, whole)?);
        }
        for numbers in [&mut named.users, &mut named.groups, &mut named.roles] {
            numbers.sort_unstable();
            numbers.dedup();
        }
        let number = self.number(EntityKind::Assertion, record.id.as_uuid())?;
        put_entity(&mut self.state.assertions, number, record, new)?;
        if let Some(row) = must(self.state.assertions.row_mut(number), "an assertion that was put has a row") {
            row.named = named;
        }
        Ok(())
    }

    /// Touches the entry of the catalog with which a permission is or was in conflict, and the roles that grant one of
    /// the two by name (R9). Roles that grant them by pattern are touched with the slug.
    fn touch_conflict(&mut self, own: u32, shadowing: Option<u32>) {
        if let Some(shadowing) = shadowing {
            let State { reverse_grants, .. } = &*self.state;
            self.touched.permissions.insert(shadowing);
            self.touched.roles.extend(reverse_grants.of(own).chain(reverse_grants.of(shadowing)));
        }
    }

    fn number(&self, entity: EntityKind, id: uuid::Uuid) -> Result<u32> {
        self.session.number(self.state, entity, id).map_err(|_| Violation::TooManyEntities)
    }

    /// Removes a user from the lists that are sorted by its key, before the key changes. `None` if it was missing from
    /// one of them.
    fn detach(&mut self, number: u32) -> Option<()> {
        let State { users, groups, roles, .. } = &mut *self.state;
        let row = users.row(number)?;
        for edge in row.groups().iter() {
            groups.row_mut(edge.to)?.members.remove(|reverse| users.name_at(reverse.from()).cmp(row.name()))?;
        }
        for edge in row.roles().iter() {
            roles.row_mut(edge.to)?.users.remove(|reverse| users.name_at(reverse.from()).cmp(row.name()))?;
        }
        Some(())
    }

    /// Adds a user to the lists that are sorted by its key.
    fn attach(&mut self, number: u32) {
        let State { users, groups, roles, .. } = &mut *self.state;
        let Some(row) = must(users.row(number), "a user that was put has a row") else { return };
        for edge in row.groups().iter() {
            if let Some(group) = must(groups.row_mut(edge.to), NEAR_END) {
                let reverse = ReverseEdge::new(number, edge.window);
                let new = group.members.insert(reverse, |other| users.name_at(other.from()).cmp(row.name()));
                must_hold(new, FAR_END);
            }
        }
        for edge in row.roles().iter() {
            if let Some(role) = must(roles.row_mut(edge.to), NEAR_END) {
                let reverse = ReverseEdge::new(number, edge.window);
                let new = role.users.insert(reverse, |other| users.name_at(other.from()).cmp(row.name()));
                must_hold(new, FAR_END);
            }
        }
    }

    /// Updates the summary and the index entry of a user (I11).
    fn summary(&mut self, number: u32) {
        let summary = match self.state.users.row(number) {
            Some(row) => UserSummary::of(row, &self.state.columns),
            None => UserSummary::default(),
        };
        self.state.summaries.set(number, &summary);
        let State { users, user_index, .. } = &mut *self.state;
        if let Some(id) = must(users.id_at(number), "a user has an id at its number") {
            user_index.set(id, number, &summary, |id| users.hashers().id(id));
        }
    }
}

/// Removes the name of an entity, and the entity itself unless it stays. Its edges must have been removed before.
///
/// Returns its number, and the entry of the catalog with which it was in conflict, if it was (R9).
fn lift_entity<R: Row>(
    table: &mut Table<R>,
    found: Option<u32>,
    record: &R::Record,
    stays: bool,
    whole: &Record,
) -> Result<(u32, Option<u32>)> {
    let mismatch = || Violation::Mismatch { key: whole.key() };
    let number = found.ok_or_else(mismatch)?;
    let row = table.row(number).filter(|row| row.record() == record).ok_or_else(mismatch)?;
    if row.origin() != Origin::Tenant || !(stays || row.is_bare()) {
        return Err(mismatch());
    }
    let shadowed = row.is_shadowed();
    // `None` if two changes of one commit lift the same entity.
    let lifted = if stays { table.lift(number) } else { table.remove(number) };
    lifted.ok_or_else(mismatch)?;
    if !shadowed {
        return Ok((number, None));
    }
    let shadowing = must(table.by_name(R::name_of(record)), SHADOWED);
    if let Some(entry) = shadowing.and_then(|shadowing| must(table.row_mut(shadowing), SHADOWED)) {
        entry.set_in_conflict(false);
    }
    Ok((number, shadowing))
}

/// Puts an entity at its number, with the edges that it had (I2).
///
/// Returns the entry of the catalog that has its slug, if there is one: the two are then in conflict (R9).
fn put_entity<R: Row>(table: &mut Table<R>, number: u32, record: &R::Record, new: bool) -> Result<Option<u32>> {
    let name = R::name_of(record);
    let mut row = match table.row(number) {
        Some(_) if new => return Err(Violation::Duplicate { entity: R::ENTITY, name: R::id_of(record).to_string() }),
        Some(row) => {
            let mut row = row.clone();
            record.clone_into(row.record_mut());
            row
        }
        None => R::own(record.clone()),
    };
    let taken = || Violation::Duplicate { entity: R::ENTITY, name: name.to_owned() };
    let mut shadowing = None;
    if let Some(other) = table.by_name(name) {
        match table.row(other).map(|other| (other.origin(), other.is_in_conflict())) {
            Some((Origin::Catalog, false)) => shadowing = Some(other),
            // Another entity of the tenant has the slug, too.
            Some((Origin::Catalog, true) | (Origin::Tenant, _)) => return Err(taken()),
            // An entity that was removed from the catalog may have the same slug as one of the tenant's. It is then
            // found by id.
            Some((Origin::RemovedFromCatalog, _)) | None => {}
        }
    }
    if let Some((manager, id)) = R::external_of(record).filter(|external| table.by_external(*external).is_some()) {
        return Err(external_taken(R::ENTITY, manager, id));
    }
    if let Some(entry) = shadowing.and_then(|shadowing| must(table.row_mut(shadowing), SHADOWED)) {
        entry.set_in_conflict(true);
    }
    row.set_in_conflict(shadowing.is_some());
    table.insert(number, row);
    Ok(shadowing)
}

const SHADOWED: &str = "the name of a shadowed entity leads to an entry of the catalog";

pub(super) fn external_taken(entity: EntityKind, manager: &str, id: &str) -> Violation {
    Violation::DuplicateExternalId { entity, manager: manager.to_owned(), id: id.to_owned() }
}

/// Checks that an external id has a manager (I12).
pub(super) fn is_managed(external_id: Option<&ExternalId>, managed_by: Option<&Manager>, key: RecordKey) -> Result {
    if external_id.is_some() && managed_by.is_none() { Err(Violation::NotManaged { key }) } else { Ok(()) }
}
