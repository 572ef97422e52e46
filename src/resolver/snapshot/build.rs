//! A snapshot from records: what a load pushes, or what a birth begins with. Untrusted: what breaks an invariant is
//! refused, with the list. Users and what leaves them are most of it, and are `bulk_load.rs`'s; all else is put in as a
//! commit would.

use std::sync::Arc;

use super::bulk_load::BulkLoad;
use super::compiled_catalog::CompiledCatalog;
use super::edit::{Edit, Touched};
use super::row_cache::recompute_rows;
use super::session::Session;
use super::state::State;
use super::{Availability, CompiledTenant};
use crate::model::error::EntityKind;
use crate::model::graph::find_cycle;
use crate::model::internal_fault::watch;
use crate::model::invariants::Violation;
use crate::model::records::{Assignment, Change, Holder, Membership, Position, Record, RecordKind, UserId, UserRecord};

/// Past this many broken invariants, the rest is not looked for.
const MOST_VIOLATIONS: usize = 100;

/// Takes records one by one, in the order of kinds, and becomes a snapshot.
#[derive(Debug)]
pub(crate) struct Build {
    catalog: Arc<CompiledCatalog>,
    session: Arc<Session>,
    state: State,
    /// Users and what leaves them, until the end.
    users: BulkLoad,
    touched: Touched,
    violations: Vec<Violation>,
    last: RecordKind,
    repair: bool,
}

impl Build {
    pub(crate) fn new(catalog: Arc<CompiledCatalog>, session: Arc<Session>, repair: bool) -> Self {
        let state = catalog.state.clone();
        let users = BulkLoad::new(&state.users);
        let touched = Touched::default();
        let violations = catalog.fault.map(Violation::Internal).into_iter().collect();
        Self { catalog, session, state, users, touched, violations, last: RecordKind::Tenant, repair }
    }

    /// Numbers are the opening's, so what an earlier snapshot of it knew by number keeps its number.
    pub(crate) fn keeping_numbers_of(mut self, earlier: &State) -> Self {
        let kept = watch(|| {
            self.state.keep_numbers_of(earlier);
            self.users.keep_numbers_of(earlier);
        });
        self.violations.extend(kept.err().map(Violation::Internal));
        self
    }

    /// True as long as it is worth going on.
    pub(crate) fn push(&mut self, record: &Record) -> bool {
        let outcome = watch(|| self.put(record)).unwrap_or_else(|fault| Err(Violation::Internal(fault)));
        self.violations.extend(outcome.err());
        self.violations.len() < MOST_VIOLATIONS
    }

    fn put(&mut self, record: &Record) -> Result<(), Violation> {
        let kind = record.kind();
        if kind < self.last {
            return Err(Violation::Misfit { key: record.key() });
        }
        self.last = kind;
        match record {
            Record::User(record) => self.user(record),
            Record::Membership(edge) => self.membership(edge, record),
            Record::Assignment(edge @ Assignment { holder: Holder::User(user), .. }) => {
                self.assignment(edge, *user, record)
            }
            other => self.edit(other.clone()),
        }
    }

    /// What is few enough, put in as a commit would.
    fn edit(&mut self, record: Record) -> Result<(), Violation> {
        let change = Change::added(record);
        let Self { state, session, touched, repair, .. } = self;
        let outcome = Edit { state, session, touched, repair: *repair }.apply(&change);
        if matches!(outcome, Err(Violation::Clash { .. })) {
            // As for a repair, so that what refers to it is not reported, too.
            self.violations.extend(Edit { state, session, touched, repair: true }.apply(&change).err());
        }
        outcome
    }

    fn user(&mut self, record: &UserRecord) -> Result<(), Violation> {
        let (id, met) = (record.id.as_uuid(), self.users.number_of(record.id.as_uuid()));
        let number = match (met, Arc::get_mut(&mut self.session)) {
            (Some(number), _) => Ok(number),
            (None, Some(session)) => session.first_met(EntityKind::User),
            (None, None) => self.session.unmet(EntityKind::User, id),
        };
        self.users.put(number.map_err(|_| Violation::Exhausted)?, met.is_some(), record.clone())
    }

    fn membership(&mut self, edge: &Membership, record: &Record) -> Result<(), Violation> {
        let dangling = |entity| Violation::Dangling { edge: record.key(), entity };
        let user = self.users.user(edge.user).ok_or_else(|| dangling(EntityKind::User))?;
        let group = self.state.groups.by_id(edge.group.as_uuid()).ok_or_else(|| dangling(EntityKind::Group))?;
        self.users.join(user, group, edge.window);
        Ok(())
    }

    fn assignment(&mut self, edge: &Assignment, user: UserId, record: &Record) -> Result<(), Violation> {
        let Self { state, session, touched, repair, .. } = self;
        let role = Edit { state, session, touched, repair: *repair }.role(&edge.role, record)?;
        let dangling = || Violation::Dangling { edge: record.key(), entity: EntityKind::User };
        let user = self.users.user(user).ok_or_else(dangling)?;
        self.users.assign(user, role, edge.window);
        Ok(())
    }

    /// The snapshot.
    ///
    /// # Complexity
    /// O(records · log records), and each pattern once against the permissions that begin as it does.
    pub(crate) fn finish(mut self, position: Position) -> Result<CompiledTenant, Vec<Violation>> {
        let users = self.users;
        let stored = watch(|| users.store(&mut self.state));
        self.violations.extend(stored.unwrap_or_else(|fault| vec![Violation::Internal(fault)]));
        if self.state.tenant.is_none() {
            self.violations.push(Violation::NoTenant);
        }
        let Self { catalog, session, mut state, mut touched, mut violations, repair, .. } = self;
        if violations.is_empty() {
            violations.extend(cycles(&state, &touched));
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let finished = watch(|| {
            state.reverse_grants.pack();
            recompute_rows(&mut state, &mut touched);
        });
        finished.map_err(|fault| vec![Violation::Internal(fault)])?;
        let availability = if repair { Availability::Repair } else { Availability::Serving };
        Ok(CompiledTenant { availability, session, state, catalog, position })
    }
}

/// Cycles through what was touched (I3).
pub(crate) fn cycles(state: &State, touched: &Touched) -> Option<Violation> {
    let shown = |entity, around: Vec<u32>, name: &dyn Fn(u32) -> String| Violation::Cycle {
        entity,
        names: around.into_iter().map(name).collect(),
    };
    let groups = find_cycle(touched.groups.iter().copied(), |group| state.parents(group))
        .map(|around| shown(EntityKind::Group, around, &|n| state.groups.name_at(n).to_owned()));
    groups.or_else(|| {
        find_cycle(touched.roles.iter().copied(), |role| state.includes(role))
            .map(|around| shown(EntityKind::Role, around, &|n| state.roles.name_at(n).to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Catalog;
    use crate::model::records::{GroupId, Membership, UserId, Window};
    use uuid::Uuid;

    #[test]
    fn the_hundredth_broken_invariant_ends_the_load() {
        let base = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let session = Arc::new(base.open());
        let mut build = Build::new(base, session, false);
        let mut push = |n| {
            let (user, group) = (UserId::from_uuid(Uuid::from_u128(n)), GroupId::from_uuid(Uuid::from_u128(n)));
            build.push(&Record::Membership(Membership { user, group, window: Window::ALWAYS }))
        };
        assert!((1..100).all(&mut push) && !push(100));
    }
}
