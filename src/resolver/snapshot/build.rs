//! Building a snapshot from records: those of a load, or those that a new tenant begins with.
//!
//! The records are untrusted. Records that break an invariant are rejected, with a list of the violations. Users and
//! the edges that leave them are most of a load, and `bulk_load.rs` stores them. Everything else is applied as a
//! commit would apply it.

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

/// After this many violations, the load stops looking for more.
const MOST_VIOLATIONS: usize = 100;

/// Takes records one by one, in the order of their kinds, and builds a snapshot.
#[derive(Debug)]
pub(crate) struct Build {
    catalog: Arc<CompiledCatalog>,
    session: Arc<Session>,
    state: State,
    /// Users and the edges that leave them, until the end.
    users: BulkLoad,
    /// Assertions, until there are users.
    assertions: Vec<Record>,
    touched: Touched,
    violations: Vec<Violation>,
    last: RecordKind,
}

impl Build {
    pub(crate) fn new(catalog: Arc<CompiledCatalog>, session: Arc<Session>) -> Self {
        let state = catalog.state.clone();
        let users = BulkLoad::new(&state.users);
        let touched = Touched::default();
        let violations = catalog.fault.map(Violation::Internal).into_iter().collect();
        let assertions = Vec::new();
        Self { catalog, session, state, users, assertions, touched, violations, last: RecordKind::Tenant }
    }

    /// Numbers belong to the session: every id that an earlier snapshot of it numbered keeps its number.
    pub(crate) fn keeping_numbers_of(mut self, earlier: &State) -> Self {
        let result = watch(|| {
            self.state.keep_numbers_of(earlier);
            self.users.keep_numbers_of(earlier);
        });
        self.violations.extend(result.err().map(Violation::Internal));
        self
    }

    /// Adds a record. Returns `false` once further records would be pointless.
    pub(crate) fn push(&mut self, record: &Record) -> bool {
        let outcome = watch(|| self.put(record)).unwrap_or_else(|fault| Err(Violation::Internal(fault)));
        self.violations.extend(outcome.err());
        self.violations.len() < MOST_VIOLATIONS
    }

    fn put(&mut self, record: &Record) -> Result<(), Violation> {
        let kind = record.kind();
        if kind < self.last {
            return Err(Violation::Mismatch { key: record.key() });
        }
        self.last = kind;
        match record {
            Record::User(record) => self.user(record),
            Record::Membership(edge) => self.membership(edge, record),
            Record::Assignment(edge @ Assignment { holder: Holder::User(user), .. }) => {
                self.assignment(edge, *user, record)
            }
            Record::Assertion(_) => {
                self.assertions.push(record.clone());
                Ok(())
            }
            other => self.edit(other.clone()),
        }
    }

    /// Applies a record of a kind that is not bulk-loaded, as a commit would.
    fn edit(&mut self, record: Record) -> Result<(), Violation> {
        let Self { state, session, touched, .. } = self;
        Edit { state, session, touched }.apply(&Change::added(record))
    }

    fn user(&mut self, record: &UserRecord) -> Result<(), Violation> {
        let (id, known) = (record.id.as_uuid(), self.users.number_of(record.id.as_uuid()));
        let number = match (known, Arc::get_mut(&mut self.session)) {
            (Some(number), _) => Ok(number),
            (None, Some(session)) => session.new_number(EntityKind::User),
            (None, None) => self.session.number_of_new(EntityKind::User, id),
        };
        self.users.put(number.map_err(|_| Violation::TooManyEntities)?, known.is_some(), record.clone())
    }

    fn membership(&mut self, edge: &Membership, record: &Record) -> Result<(), Violation> {
        let dangling = |entity| Violation::Dangling { edge: record.key(), entity };
        let user = self.users.user(edge.user).ok_or_else(|| dangling(EntityKind::User))?;
        let group = self.state.groups.by_id(edge.group.as_uuid()).ok_or_else(|| dangling(EntityKind::Group))?;
        self.users.join(user, group, edge.window);
        Ok(())
    }

    fn assignment(&mut self, edge: &Assignment, user: UserId, record: &Record) -> Result<(), Violation> {
        let Self { state, session, touched, .. } = self;
        let role = Edit { state, session, touched }.role(&edge.role, record)?;
        let dangling = || Violation::Dangling { edge: record.key(), entity: EntityKind::User };
        let user = self.users.user(user).ok_or_else(dangling)?;
        self.users.assign(user, role, edge.window);
        Ok(())
    }

    /// Returns the snapshot.
    ///
    /// # Complexity
    /// O(records · log records), and one match of each pattern with each permission that begins with its literal
    /// prefix.
    pub(crate) fn finish(mut self, position: Position) -> Result<CompiledTenant, Vec<Violation>> {
        let users = std::mem::replace(&mut self.users, BulkLoad::new(&self.state.users));
        let stored = watch(|| users.store(&mut self.state));
        self.violations.extend(stored.unwrap_or_else(|fault| vec![Violation::Internal(fault)]));
        let assertions = std::mem::take(&mut self.assertions);
        let asserted = |assertion| self.edit(assertion).err();
        let broken = watch(|| assertions.into_iter().filter_map(asserted).take(MOST_VIOLATIONS).collect());
        self.violations.extend(broken.unwrap_or_else(|fault| vec![Violation::Internal(fault)]));
        if self.state.tenant.is_none() {
            self.violations.push(Violation::NoTenant);
        }
        let Self { catalog, session, mut state, mut touched, mut violations, .. } = self;
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
        Ok(CompiledTenant { availability: Availability::Serving, session, state, catalog, position })
    }
}

impl CompiledTenant {
    /// Returns the same records under another catalog, as a process with that catalog would load them. A reference to
    /// an entry has the slug that the entry has now.
    ///
    /// # Complexity
    /// As [`Build::finish`].
    pub(crate) fn under(&self, catalog: Arc<CompiledCatalog>) -> Result<Self, Vec<Violation>> {
        let session = Arc::new(catalog.open());
        let mut build = Build::new(catalog, session);
        // Stops when there are too many violations.
        self.state.records().all(|record| build.push(&record));
        Ok(build.finish(self.position)?.with_availability(self.availability))
    }
}

/// Finds a cycle through an entity that was touched (I3).
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
        let mut build = Build::new(base, session);
        let mut push = |n| {
            let (user, group) = (UserId::from_uuid(Uuid::from_u128(n)), GroupId::from_uuid(Uuid::from_u128(n)));
            build.push(&Record::Membership(Membership { user, group, window: Window::ALWAYS }))
        };
        assert!((1..100).all(&mut push) && !push(100));
    }
}
