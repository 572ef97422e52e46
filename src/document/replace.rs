//! What replacing a tenant by a document would change: its records now, those of the document, and the difference.

use std::sync::Arc;

use super::Document;
use super::ids::Ground;
use super::rules;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::{Assignment, Change, Grant, Granted, Holder, Inclusion, Membership, Parent, Record};
use crate::plan::{CommitContext, Draft, Plan};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::entity_rows::RoleRow;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::Row as _;

impl Document {
    /// The plan that makes this state what the document says.
    ///
    /// # Complexity
    /// O(n log n) for the records before and after.
    pub(crate) fn plan_on(&self, base: Arc<CompiledTenant>, origins: CommitContext) -> Result<Plan> {
        if base.state.tenant.is_none() {
            return Err(Error::new(ErrorKind::Deleted));
        }
        let catalog = &base.base.catalog;
        let ground = Ground { catalog, present: Some(&base.state), new_id: origins.new_id };
        let after = rules::additions(&self.0, ground)?.into_iter().filter_map(Change::into_after);
        let changes = changes(present(&base.state), after.collect());
        let mut draft = Draft::new(base, origins, false);
        draft.apply_whole(changes, &self.0.acts_for)?;
        Ok(draft.finish())
    }
}

/// From one set of records to another, ordered by their keys.
fn changes(mut before: Vec<Record>, mut after: Vec<Record>) -> Vec<Change> {
    before.sort_by_cached_key(Record::key);
    after.sort_by_cached_key(Record::key);
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    let mut changes = Vec::new();
    loop {
        // The lesser key goes first; of two equal ones, both.
        let order = match (before.peek(), after.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key().cmp(&new.key()),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { after.next() } else { None };
        if old != new {
            changes.extend(Change::new(old, new));
        }
    }
}

/// The records of a state, the catalog's excepted.
pub(super) fn present(state: &State) -> Vec<Record> {
    let mut records: Vec<Record> = state.tenant.iter().cloned().map(Record::Tenant).collect();
    let permissions = state.permissions.rows().filter(|row| row.origin() == Origin::Tenant);
    records.extend(permissions.map(|row| Record::Permission(row.record.clone())));
    for row in state.roles.rows().filter(|row| row.origin() == Origin::Tenant) {
        of_role(state, row, &mut records);
    }
    for row in state.groups.rows() {
        let group = row.id();
        let parents = row.parents.iter().filter_map(|n| state.groups.row(*n));
        records.extend(parents.map(|parent| Record::Parent(Parent { group, parent: parent.id() })));
        let roles = row.roles.iter().filter_map(|edge| Some((state.roles.row(edge.to)?.reference(), edge.window)));
        let holder = Holder::Group(group);
        records.extend(roles.map(|(role, window)| Record::Assignment(Assignment { role, holder, window })));
        records.push(Record::Group(row.record.clone()));
    }
    for row in state.users.rows() {
        let user = row.id();
        let groups = row.groups().iter().filter_map(|edge| Some((state.groups.row(edge.to)?.id(), edge.window)));
        records.extend(groups.map(|(group, window)| Record::Membership(Membership { user, group, window })));
        let roles = row.roles().iter().filter_map(|edge| Some((state.roles.row(edge.to)?.reference(), edge.window)));
        let holder = Holder::User(user);
        records.extend(roles.map(|(role, window)| Record::Assignment(Assignment { role, holder, window })));
        records.push(Record::User(row.record.clone()));
    }
    records
}

fn of_role(state: &State, row: &RoleRow, records: &mut Vec<Record>) {
    let role = row.record.id;
    let permissions = row.grants.iter().filter_map(|n| state.permissions.row(*n));
    let permissions = permissions.map(|permission| Granted::Permission(permission.reference()));
    let granted = permissions.chain(row.patterns.iter().cloned().map(Granted::Pattern));
    records.extend(granted.map(|granted| Record::Grant(Grant { role, granted })));
    let includes = row.includes.iter().filter_map(|n| state.roles.row(*n));
    records.extend(includes.map(|included| Record::Inclusion(Inclusion { role, included: included.reference() })));
    records.push(Record::Role(row.record.clone()));
}
