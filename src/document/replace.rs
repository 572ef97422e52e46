//! Plans the replacement of a tenant by a document: the difference between the current records and those of the document.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::Document;
use super::ids::ImportContext;
use super::rules;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::internal_fault::{must, watch};
use crate::model::invariants::refused;
use crate::model::records::{
    Assignment, Change, CommitId, Grant, Granted, Holder, Inclusion, Manager, Membership, Parent, Position, Record,
    RecordKind, Revision, TenantId, Timestamp,
};
use crate::plan::{CommitContext, Draft, Guard, Plan};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::build::Build;
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::{GroupRow, RoleRow};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::Row as _;

impl Document {
    /// Returns the plan that makes this state equal to the document.
    ///
    /// # Complexity
    /// O(n log n) for the records before and after.
    pub(crate) fn plan_on(&self, base: Arc<CompiledTenant>, origins: CommitContext) -> Result<Plan> {
        if base.state.tenant.is_none() {
            return Err(Error::new(ErrorKind::Deleted));
        }
        let catalog = &base.catalog.definition;
        let context = ImportContext { catalog, present: Some(&base.state), new_id: origins.new_id };
        let after = rules::additions(&self.0, context)?.into_iter().filter_map(Change::into_after);
        let changes = watch(|| changes(present(&base.state), after.collect()))?;
        let guards = self.0.guards.iter().map(|asked| Guard::of_asked(&base, asked)).collect();
        let mut draft = Draft::new(base, origins);
        draft.guards = guards;
        draft.apply_whole(changes, &self.0.acts_for)?;
        draft.finish()
    }

    /// Checks that an import gives nobody a right that one of the actors lacks (R13): nobody is there before.
    pub(crate) fn check_guard(&self, changes: &[Change], catalog: &Arc<CompiledCatalog>, at: Timestamp) -> Result<()> {
        if self.0.guards.is_empty() {
            return Ok(());
        }
        let mut build = Build::new(Arc::clone(catalog), Arc::new(catalog.open()));
        let (tenant, others): (Vec<_>, Vec<_>) =
            changes.iter().cloned().partition(|change| change.kind() == RecordKind::Tenant);
        for record in tenant.iter().filter_map(Change::after) {
            build.push(record);
        }
        let (commit, revision) = (CommitId::random(), Revision::FIRST);
        let position = Position { tenant_id: TenantId::random(), revision, commit };
        let base = Arc::new(build.finish(position).map_err(|violations| refused(&violations))?);
        let guards = self.0.guards.iter().map(|asked| Guard::of_asked(&base, asked)).collect();
        let mut draft = Draft::new(base, CommitContext { commit, at, new_id: Uuid::new_v4 });
        draft.guards = guards;
        draft.apply_whole(others, &managers(changes))?;
        draft.finish().map(drop)
    }
}

/// The directories that manage something in these changes. An import acts for all of them.
fn managers(changes: &[Change]) -> Vec<Manager> {
    let managed = changes.iter().filter_map(|change| match change.after()? {
        Record::User(record) => record.managed_by(),
        Record::Group(record) => record.managed_by(),
        _ => None,
    });
    let managers: BTreeSet<&Manager> = managed.collect();
    managers.into_iter().cloned().collect()
}

/// Returns the changes from one set of records to another, ordered by key.
fn changes(mut before: Vec<Record>, mut after: Vec<Record>) -> Vec<Change> {
    before.sort_by_cached_key(Record::key);
    after.sort_by_cached_key(Record::key);
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    let mut changes = Vec::new();
    loop {
        // Take the record with the smaller key, or both if the keys are equal.
        let order = match (before.peek(), after.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key().cmp(&new.key()),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { after.next() } else { None };
        if old != new {
            changes.extend(must(Change::new(old, new), "both sides of a change have the same key"));
        }
    }
}

/// Returns the records of a state, without the catalog's.
pub(super) fn present(state: &State) -> Vec<Record> {
    let mut records: Vec<Record> = state.tenant.iter().cloned().map(Record::Tenant).collect();
    let permissions = state.permissions.rows().filter(|row| row.origin() == Origin::Tenant);
    records.extend(permissions.map(|row| Record::Permission(row.record.clone())));
    for row in state.roles.rows().filter(|row| row.origin() == Origin::Tenant) {
        of_role(state, row, &mut records);
    }
    let role = |n| must(state.roles.row(n), NEAR_END).map(RoleRow::reference);
    for row in state.groups.rows() {
        let group = row.id();
        let parent = |n| must(state.groups.row(n), NEAR_END).map(GroupRow::id);
        let parents = row.parents().iter().filter_map(|edge| Some((parent(edge.to)?, edge.window)));
        records.extend(parents.map(|(parent, window)| Record::Parent(Parent { group, parent, window })));
        let roles = row.roles().iter().filter_map(|edge| Some((role(edge.to)?, edge.window)));
        let holder = Holder::Group(group);
        records.extend(roles.map(|(role, window)| Record::Assignment(Assignment { role, holder, window })));
        records.push(Record::Group(row.record.clone()));
    }
    for row in state.users.rows() {
        let user = row.id();
        let group = |n| must(state.groups.row(n), NEAR_END).map(GroupRow::id);
        let groups = row.groups().iter().filter_map(|edge| Some((group(edge.to)?, edge.window)));
        records.extend(groups.map(|(group, window)| Record::Membership(Membership { user, group, window })));
        let roles = row.roles().iter().filter_map(|edge| Some((role(edge.to)?, edge.window)));
        let holder = Holder::User(user);
        records.extend(roles.map(|(role, window)| Record::Assignment(Assignment { role, holder, window })));
        records.push(Record::User(row.record.clone()));
    }
    records.extend(state.separations.rows().map(|row| Record::Separation(row.record.clone())));
    records.extend(state.assertions.rows().map(|row| Record::Assertion(row.record.clone())));
    records
}

fn of_role(state: &State, row: &RoleRow, records: &mut Vec<Record>) {
    let role = row.record.id;
    let permissions = row.grants.iter().filter_map(|n| must(state.permissions.row(*n), NEAR_END));
    let permissions = permissions.map(|permission| Granted::Permission(permission.reference()));
    let granted = permissions.chain(row.patterns.iter().cloned().map(Granted::Pattern));
    records.extend(granted.map(|granted| Record::Grant(Grant { role, granted })));
    let includes = row.includes.iter().filter_map(|n| must(state.roles.row(*n), NEAR_END));
    records.extend(includes.map(|included| Record::Inclusion(Inclusion { role, included: included.reference() })));
    records.push(Record::Role(row.record.clone()));
}
