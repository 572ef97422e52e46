//! Decides whether an assertion holds for a user at an instant, and if not, says how it fails (R17).
//!
//! An assertion is judged by numbers, whether a tenant carries it or a file names it. Checks never use this file.

use std::collections::BTreeSet;

use super::Problem;
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::{Expectation, Timestamp};
use crate::resolver::bits::Bits;
use crate::resolver::check::allows;
use crate::resolver::explain::{Decision, Reason, first, reason};
use crate::resolver::separations::{Below, count_held, count_reached, held_roles};
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::snapshot::edge::NEAR_END;
use crate::resolver::snapshot::entity_rows::{AssertionNumbers, AssertionRow, UserRow};
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::{is_in_one, window_ends};

/// The expectation for the users whom an assertion concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Allowed,
    Denied,
    Only,
    Separate,
}

/// An assertion about a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) state: &'a State,
    pub(crate) expected: Expected,
    pub(crate) named: &'a AssertionNumbers,
}

impl AssertionRow {
    pub(crate) fn expected(&self) -> Expected {
        match self.record.expected {
            Expectation::Allowed { .. } => Expected::Allowed,
            Expectation::Denied { .. } => Expected::Denied,
            Expectation::Only { .. } => Expected::Only,
            Expectation::Separate { .. } => Expected::Separate,
        }
    }

    /// Returns the judge of this assertion on the state that has it.
    pub(crate) fn judge<'a>(&'a self, state: &'a State) -> Judge<'a> {
        Judge { state, expected: self.expected(), named: &self.named }
    }
}

impl<'a> Judge<'a> {
    /// Returns the users whom the assertion can concern, at any time.
    ///
    /// # Complexity
    /// O(members of its groups), or the users of its roles or of the roles that grant its permission.
    pub(crate) fn candidates(&self) -> Bits {
        let mut below = Below::default();
        match self.expected {
            Expected::Allowed | Expected::Denied => {
                self.named.users.iter().for_each(|user| {
                    below.users.insert(*user);
                });
                self.named.groups.iter().for_each(|group| below.insert(Source::Group(*group)));
            }
            Expected::Only => self.granting_roles().for_each(|role| below.insert(Source::Role(role))),
            Expected::Separate => self.named.roles.iter().for_each(|role| below.insert(Source::Role(*role))),
        }
        below.all_users(self.state)
    }

    /// The roles that grant the permission themselves.
    pub(crate) fn granting_roles(&self) -> impl Iterator<Item = u32> + 'a {
        let state = self.state;
        let permission = self.named.permission.filter(|permission| state.permission_is_grantable(*permission));
        let by_name = permission.into_iter().flat_map(|permission| state.reverse_grants.of(permission));
        let slug = permission.map(|permission| state.permissions.name_at(permission));
        by_name.chain(slug.into_iter().flat_map(|slug| state.roles_matching(slug)))
    }

    /// Returns by how much the assertion fails for a user at an instant: 0 if it holds. Only for roles kept apart is it
    /// more than 1: the number that the user holds.
    pub(crate) fn failure_at(&self, user: u32, row: &UserRow, at: Timestamp) -> usize {
        let is_named = || self.named.users.binary_search(&user).is_ok();
        let is_in_group = || is_in_one(self.state, row, &self.named.groups, &When::Chosen(at));
        let fails = match self.expected {
            Expected::Allowed => {
                (is_named() || !self.state.is_suspended(user) && is_in_group()) && !self.may_do(user, at)
            }
            Expected::Denied => self.may_do(user, at) && (is_named() || is_in_group()),
            Expected::Only => self.may_do(user, at) && !is_named() && !is_in_group(),
            Expected::Separate => {
                let held = count_held(self.state, row, &self.named.roles, at);
                return if held > 1 { held } else { 0 };
            }
        };
        usize::from(fails)
    }

    fn may_do(&self, user: u32, at: Timestamp) -> bool {
        self.named.permission.is_some_and(|permission| allows(self.state, user, permission, &When::Chosen(at)))
    }

    /// Returns whether a user can break the assertion at any time. It is a fast filter before the instants are looked at.
    fn may_fail(&self, row: &UserRow, from: Timestamp) -> bool {
        self.expected != Expected::Separate || count_reached(self.state, row, &self.named.roles, from) > 1
    }

    /// Returns the first of these instants at which the assertion fails for a user, beyond what is tolerated.
    fn first(
        &self,
        user: u32,
        row: &UserRow,
        instants: BTreeSet<Timestamp>,
        is_tolerated: impl Fn(Timestamp, usize) -> bool,
    ) -> Option<Timestamp> {
        instants.into_iter().find(|at| {
            let failure = self.failure_at(user, row, *at);
            failure > 0 && !is_tolerated(*at, failure)
        })
    }

    /// Returns the first instant, from this one on, at which the assertion fails for a user.
    pub(crate) fn first_failure(&self, user: u32, row: &UserRow, from: Timestamp) -> Option<Timestamp> {
        if !self.may_fail(row, from) {
            return None;
        }
        self.first(user, row, instants(self.state, row, from), |_, _| false)
    }

    /// Returns the first instant, from this one on, at which the assertion fails for a user, and did not fail as much
    /// before.
    pub(crate) fn first_new_failure(&self, before: Option<&Self>, user: u32, from: Timestamp) -> Option<Timestamp> {
        let row = must(self.state.users.row(user), NEAR_END)?;
        if !self.may_fail(row, from) {
            return None;
        }
        let before = before.and_then(|before| Some((before, before.state.users.row(user)?)));
        let mut instants = instants(self.state, row, from);
        if let Some((before, row)) = before {
            window_ends(before.state, row, from, &mut instants);
        }
        self.first(user, row, instants, |at, failure| {
            before.is_some_and(|(before, row)| failure <= before.failure_at(user, row, at))
        })
    }

    /// Says how the assertion fails for a user at an instant at which it does.
    pub(crate) fn problem(
        &self,
        compiled: &CompiledTenant,
        user: u32,
        from: Timestamp,
        at: Timestamp,
    ) -> Option<Problem> {
        let row = must(self.state.users.row(user), NEAR_END)?;
        let later = (at > from).then_some(at);
        let when = When::Chosen(at);
        let permission =
            || self.named.permission.map(|n| self.state.permissions.name_at(n).to_owned()).unwrap_or_default();
        let key = row.key().clone();
        match self.expected {
            Expected::Allowed => {
                let reason = match reason::decide(compiled, Some(user), self.named.permission, &when) {
                    Decision::Denied(reason) => reason,
                    Decision::Allowed => Reason::InternalError,
                };
                Some(Problem::Denied { user: key, permission: permission(), from: later, reason })
            }
            Expected::Denied | Expected::Only => {
                let path = self.named.permission.and_then(|permission| first::find(self.state, row, permission, &when));
                let path = must(path, "an allowed check has a path")?;
                Some(Problem::Allowed { user: key, permission: permission(), from: later, path })
            }
            Expected::Separate => {
                let roles = held_roles(self.state, row, &self.named.roles, at);
                Some(Problem::Combined { user: key, from: later, roles })
            }
        }
    }
}

/// An instant, and the later ones at which the answers about a user can change.
pub(crate) fn instants(state: &State, user: &UserRow, from: Timestamp) -> BTreeSet<Timestamp> {
    let mut instants = BTreeSet::from([from]);
    window_ends(state, user, from, &mut instants);
    instants
}
