//! A snapshot from records: what a load pushes, or what a birth begins with. Untrusted: what breaks an invariant is
//! refused, with the list. Users and what leaves them are most of it, and are `gather.rs`'s; all else is put in as a
//! commit would.

use std::sync::Arc;

use super::base::Base;
use super::edit::{Edit, Touched};
use super::flatten::flatten;
use super::gather::Gather;
use super::opening::Opening;
use super::state::State;
use super::{Compiled, Standing};
use crate::error::Noun;
use crate::invariants::{Violation, find_cycle};
use crate::records::{Assignment, At, Change, Holder, Kind, Membership, Record, UserId, UserRecord};

/// Past this many broken invariants, the rest is not looked for.
const MOST_VIOLATIONS: usize = 100;

/// Takes records one by one, in the order of kinds, and becomes a snapshot.
#[derive(Debug)]
pub(crate) struct Build {
    base: Arc<Base>,
    opening: Arc<Opening>,
    state: State,
    /// Users and what leaves them, until the end.
    users: Gather,
    touched: Touched,
    violations: Vec<Violation>,
    last: Kind,
    repair: bool,
}

impl Build {
    pub(crate) fn new(base: Arc<Base>, opening: Arc<Opening>, repair: bool) -> Self {
        let state = base.state.clone();
        let users = Gather::new(&state.users);
        let touched = Touched::default();
        Self { base, opening, state, users, touched, violations: Vec::new(), last: Kind::Tenant, repair }
    }

    /// Numbers are the opening's, so what an earlier snapshot of it knew by number keeps its number.
    pub(crate) fn keeping_numbers_of(mut self, earlier: &State) -> Self {
        self.state.keep_numbers_of(earlier);
        self.users.keep_numbers_of(earlier);
        self
    }

    /// True as long as it is worth going on.
    pub(crate) fn push(&mut self, record: &Record) -> bool {
        let kind = record.kind();
        let outcome = if kind < self.last {
            Err(Violation::Misfit { key: record.key() })
        } else {
            self.last = kind;
            match record {
                Record::User(record) => self.user(record),
                Record::Membership(edge) => self.membership(edge, record),
                Record::Assignment(edge @ Assignment { holder: Holder::User(user), .. }) => {
                    self.assignment(edge, *user, record)
                }
                other => self.edit(other.clone()),
            }
        };
        self.violations.extend(outcome.err());
        self.violations.len() < MOST_VIOLATIONS
    }

    /// What is few enough, put in as a commit would.
    fn edit(&mut self, record: Record) -> Result<(), Violation> {
        let change = Change::added(record);
        let Self { state, opening, touched, repair, .. } = self;
        let outcome = Edit { state, opening, touched, repair: *repair }.apply(&change);
        if matches!(outcome, Err(Violation::Clash { .. })) {
            // As for a repair, so that what refers to it is not reported, too.
            self.violations.extend(Edit { state, opening, touched, repair: true }.apply(&change).err());
        }
        outcome
    }

    fn user(&mut self, record: &UserRecord) -> Result<(), Violation> {
        let (id, met) = (record.id.uuid(), self.users.number_met(record.id.uuid()));
        let number = match (met, Arc::get_mut(&mut self.opening)) {
            (Some(number), _) => Ok(number),
            (None, Some(opening)) => opening.first_met(Noun::User),
            (None, None) => self.opening.unmet(Noun::User, id),
        };
        self.users.put(number.map_err(|_| Violation::Exhausted)?, met.is_some(), record.clone())
    }

    fn membership(&mut self, edge: &Membership, record: &Record) -> Result<(), Violation> {
        let dangling = |noun| Violation::Dangling { edge: record.key(), noun };
        let user = self.users.user(edge.user).ok_or_else(|| dangling(Noun::User))?;
        let group = self.state.groups.by_id(edge.group.uuid()).ok_or_else(|| dangling(Noun::Group))?;
        self.users.join(user, group, edge.window);
        Ok(())
    }

    fn assignment(&mut self, edge: &Assignment, user: UserId, record: &Record) -> Result<(), Violation> {
        let Self { state, opening, touched, repair, .. } = self;
        let role = Edit { state, opening, touched, repair: *repair }.role(&edge.role, record)?;
        let dangling = || Violation::Dangling { edge: record.key(), noun: Noun::User };
        let user = self.users.user(user).ok_or_else(dangling)?;
        self.users.assign(user, role, edge.window);
        Ok(())
    }

    /// The snapshot.
    ///
    /// # Complexity
    /// O(records · log records), and each pattern once against the permissions that begin as it does.
    pub(crate) fn finish(mut self, position: At) -> Result<Compiled, Vec<Violation>> {
        self.violations.extend(self.users.store(&mut self.state));
        if self.state.tenant.is_none() {
            self.violations.push(Violation::NoTenant);
        }
        if self.violations.is_empty() {
            self.violations.extend(cycles(&self.state, &self.touched));
        }
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        self.state.granters.pack();
        flatten(&mut self.state, &mut self.touched);
        let Self { base, opening, state, repair, .. } = self;
        let standing = if repair { Standing::Repair } else { Standing::Good };
        Ok(Compiled { standing, opening, state, base, position })
    }
}

/// Cycles through what was touched (I3).
pub(crate) fn cycles(state: &State, touched: &Touched) -> Option<Violation> {
    let parents = |n| state.groups.row(n).into_iter().flat_map(|row| row.parents.iter().copied());
    let includes = |n| state.roles.row(n).into_iter().flat_map(|row| row.includes.iter().copied());
    let shown = |noun, around: Vec<u32>, name: &dyn Fn(u32) -> String| Violation::Cycle {
        noun,
        names: around.into_iter().map(name).collect(),
    };
    let groups = find_cycle(touched.groups.iter().copied(), parents)
        .map(|around| shown(Noun::Group, around, &|n| state.groups.name_at(n).to_owned()));
    groups.or_else(|| {
        find_cycle(touched.roles.iter().copied(), includes)
            .map(|around| shown(Noun::Role, around, &|n| state.roles.name_at(n).to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::records::{GroupId, Membership, UserId, Window};
    use uuid::Uuid;

    #[test]
    fn the_hundredth_broken_invariant_ends_the_load() {
        let base = Arc::new(Base::new(Catalog::empty()));
        let opening = Arc::new(base.open());
        let mut build = Build::new(base, opening, false);
        let mut push = |n| {
            let (user, group) = (UserId::from_uuid(Uuid::from_u128(n)), GroupId::from_uuid(Uuid::from_u128(n)));
            build.push(&Record::Membership(Membership { user, group, window: Window::ALWAYS }))
        };
        assert!((1..100).all(&mut push) && !push(100));
    }
}
