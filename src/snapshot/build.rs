//! A snapshot from records: what a load pushes, or what a birth begins with. Untrusted: what breaks an invariant is
//! refused, with the list.

use std::sync::Arc;

use super::base::Base;
use super::edit::{Edit, Touched};
use super::flatten::flatten;
use super::opening::Opening;
use super::state::State;
use super::{Compiled, Standing};
use crate::error::Noun;
use crate::invariants::{Violation, find_cycle};
use crate::records::{At, Change, Kind, Record};

/// Past this many broken invariants, the rest is not looked for.
const MOST_VIOLATIONS: usize = 100;

/// Takes records one by one, in the order of kinds, and becomes a snapshot.
#[derive(Debug)]
pub(crate) struct Build {
    base: Arc<Base>,
    opening: Arc<Opening>,
    state: State,
    touched: Touched,
    violations: Vec<Violation>,
    last: Kind,
    repair: bool,
}

impl Build {
    pub(crate) fn new(base: Arc<Base>, opening: Arc<Opening>, repair: bool) -> Self {
        let state = base.state.clone();
        let touched = Touched::default();
        Self { base, opening, state, touched, violations: Vec::new(), last: Kind::Tenant, repair }
    }

    /// Numbers are the opening's, so what an earlier snapshot of it knew by number keeps its number.
    pub(crate) fn keeping_numbers_of(mut self, earlier: &State) -> Self {
        self.state.keep_numbers_of(earlier);
        self
    }

    /// True as long as it is worth going on.
    pub(crate) fn push(&mut self, record: Record) -> bool {
        let kind = record.kind();
        let outcome = if kind < self.last {
            Err(Violation::Misfit { key: record.key() })
        } else {
            self.last = kind;
            let change = Change::added(record);
            let Self { state, opening, touched, repair, .. } = self;
            let outcome = Edit { state, opening, touched, repair: *repair }.apply(&change);
            if matches!(outcome, Err(Violation::Clash { .. })) {
                // As for a repair, so that what refers to it is not reported, too.
                self.violations.extend(Edit { state, opening, touched, repair: true }.apply(&change).err());
            }
            outcome
        };
        self.violations.extend(outcome.err());
        self.violations.len() < MOST_VIOLATIONS
    }

    /// The snapshot.
    ///
    /// # Complexity
    /// O(records · log records), and each pattern once against the permissions that begin as it does.
    pub(crate) fn finish(mut self, position: At) -> Result<Compiled, Vec<Violation>> {
        if self.state.tenant.is_none() {
            self.violations.push(Violation::NoTenant);
        }
        if self.violations.is_empty() {
            self.violations.extend(cycles(&self.state, &self.touched));
        }
        if !self.violations.is_empty() {
            return Err(self.violations);
        }
        flatten(&mut self.state, &mut self.touched);
        let Self { base, opening, state, repair, .. } = self;
        let standing = if repair { Standing::Repair } else { Standing::Good };
        Ok(Compiled { base, opening, position, standing, state })
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
            build.push(Record::Membership(Membership { user, group, window: Window::ALWAYS }))
        };
        assert!((1..100).all(&mut push) && !push(100));
    }
}
