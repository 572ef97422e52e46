//! Separation of duties (R14): which roles of a separation a user holds, when they are too many, and how it holds them.
//!
//! Windows are looked at only for users who reach too many of the roles at any time at all. No check comes here.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::explain::paths::{each_edge, link};
use super::explain::{PathStep, Steps};
use super::snapshot::edge::{Edge, NEAR_END};
use super::snapshot::entity_rows::{SeparationRow, UserRow};
use super::snapshot::source::Source;
use super::snapshot::state::State;
use super::snapshot::table::Row as _;
use super::snapshot::walk::{Seen, all_above, is_active, window_ends};
use crate::model::clock::When;
use crate::model::error::{HeldRole, SeparationViolation};
use crate::model::graph::follow;
use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, Window};
use crate::resolver::bits::Bits;

/// The name of the internal fault of a visit that was not made.
pub(crate) const VISITED: &str = "a reported visit exists";

/// Visits the groups and roles of a user along the edges that the filter passes, nearest first, each once.
fn visit(state: &State, user: &UserRow, passes: impl Fn(&Edge) -> bool, mut found: impl FnMut(&[Visit], usize)) {
    let (mut visits, mut seen) = (Vec::new(), Seen::default());
    let mut enter = |visits: &mut Vec<Visit>, before, node, edge: &Edge| {
        if passes(edge) && seen.insert(node) {
            visits.push(Visit { before, node, window: edge.window });
        }
    };
    user.sources().for_each(|(node, edge)| enter(&mut visits, None, node, &edge));
    let mut at = 0;
    while let Some(visit) = visits.get(at).copied() {
        found(&visits, at);
        each_edge(state, visit.node, |node, edge| enter(&mut visits, Some(at), node, edge));
        at += 1;
    }
}

/// A group or role that a user reaches, and the one before it on a shortest path.
#[derive(Clone, Copy, Debug)]
struct Visit {
    before: Option<usize>,
    node: Source,
    window: Window,
}

/// How many of these roles a user holds at an instant, suspended or not.
pub(crate) fn count_held(state: &State, user: &UserRow, roles: &[u32], at: Timestamp) -> usize {
    let (mut count, when) = (0, When::Chosen(at));
    visit(state, user, |edge| is_active(*edge, &when), |visits, at| count += usize::from(is_one(roles, visits, at)));
    count
}

fn is_one(roles: &[u32], visits: &[Visit], at: usize) -> bool {
    must(visits.get(at), VISITED)
        .is_some_and(|visit| matches!(visit.node, Source::Role(role) if roles.binary_search(&role).is_ok()))
}

/// How many of these roles a user reaches at any instant from this one on, not necessarily together.
pub(crate) fn count_reached(state: &State, user: &UserRow, roles: &[u32], from: Timestamp) -> usize {
    let mut count = 0;
    let passes = |edge: &Edge| !edge.window.has_ended(from);
    visit(state, user, passes, |visits, at| count += usize::from(is_one(roles, visits, at)));
    count
}

/// Checks that a separation forbids something and allows something. The error is the expected value.
pub(crate) fn checked_number(at_most: u32, roles: usize) -> Result<NonZeroU32, String> {
    let fewer = NonZeroU32::new(at_most).filter(|_| usize::try_from(at_most).is_ok_and(|most| most < roles));
    fewer.ok_or_else(|| match roles {
        0 | 1 => format!("at least 2 roles, found {roles}"),
        2 => "1, because the separation has 2 roles".to_owned(),
        _ => format!("1 to {}, because the separation has {roles} roles", roles - 1),
    })
}

/// Returns the first instant, from this one on, at which a user holds more roles of a separation than it allows.
///
/// # Complexity
/// O(groups and roles that the user reaches). If they have too many of the roles among them, as much for each instant at
/// which a window around the user begins or ends.
pub(crate) fn first_excess(
    state: &State,
    user: &UserRow,
    separation: &SeparationRow,
    from: Timestamp,
) -> Option<Timestamp> {
    if count_reached(state, user, &separation.roles, from) <= separation.at_most() {
        return None;
    }
    let mut instants = BTreeSet::from([from]);
    window_ends(state, user, from, &mut instants);
    instants.into_iter().find(|at| count_held(state, user, &separation.roles, *at) > separation.at_most())
}

/// Describes which roles of a separation a user holds at an instant.
pub(crate) fn violation(
    state: &State,
    user: &UserRow,
    separation: &SeparationRow,
    at: Timestamp,
) -> SeparationViolation {
    SeparationViolation::new(
        separation.name().to_owned(),
        separation.record.at_most.get(),
        user.key().as_str().to_owned(),
        at.to_string(),
        held_roles(state, user, &separation.roles, at),
    )
}

/// Returns those of the roles that a user holds at an instant, each with a shortest path. The roles are sorted by number.
pub(crate) fn held_roles(state: &State, user: &UserRow, of: &[u32], at: Timestamp) -> Vec<HeldRole> {
    let (mut roles, when) = (Vec::new(), When::Chosen(at));
    visit(
        state,
        user,
        |edge| is_active(*edge, &when),
        |visits, at| {
            if let (true, Some(visit)) = (is_one(of, visits, at), visits.get(at)) {
                let steps = steps(state, visits, *visit);
                let role = match visit.node {
                    Source::Role(role) => state.roles.name_at(role).to_owned(),
                    Source::Group(_) => String::new(),
                };
                roles.push(HeldRole::new(role, Steps(&steps).to_string()));
            }
        },
    );
    roles.sort_by(|a, b| a.role.cmp(&b.role));
    roles
}

fn steps(state: &State, visits: &[Visit], last: Visit) -> Vec<PathStep> {
    let (mut steps, mut here) = (Vec::new(), Some(last));
    while let Some(visit) = here {
        here = visit.before.and_then(|at| visits.get(at)).copied();
        steps.extend(link(state, here.map(|before| before.node), visit.node, visit.window));
    }
    steps.reverse();
    steps
}

/// The groups and roles, and their users, that may be affected: where a search downwards begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Below {
    pub(crate) roles: Bits,
    pub(crate) groups: Bits,
    pub(crate) users: Bits,
}

impl Below {
    /// Adds a group or role.
    pub(crate) fn insert(&mut self, source: Source) {
        match source {
            Source::Group(group) => self.groups.insert(group),
            Source::Role(role) => self.roles.insert(role),
        };
    }

    /// Returns the users who have one of these groups or roles at any time, directly or not, and the users themselves.
    ///
    /// # Complexity
    /// O(roles, groups and members below).
    pub(crate) fn all_users(self, state: &State) -> Bits {
        let Self { mut roles, mut groups, mut users } = self;
        follow(roles.clone().iter(), |role| state.includers(role), |role| roles.insert(role));
        for row in roles.iter().filter_map(|role| must(state.roles.row(role), NEAR_END)) {
            for reverse in row.groups.iter() {
                groups.insert(reverse.from());
            }
            for reverse in row.users.iter() {
                users.insert(reverse.from());
            }
        }
        follow(groups.clone().iter(), |group| state.subgroups(group), |group| groups.insert(group));
        for row in groups.iter().filter_map(|group| must(state.groups.row(group), NEAR_END)) {
            for reverse in row.members.iter() {
                users.insert(reverse.from());
            }
        }
        users
    }
}

/// The separations that name a role above a group or role, at any time. It remembers the results.
#[derive(Debug, Default)]
pub(crate) struct SeparationsAbove {
    known: hashbrown::HashMap<Source, SmallVec<[u32; 2]>>,
}

impl SeparationsAbove {
    /// Returns the separations above a source, by number.
    ///
    /// # Complexity
    /// O(groups and roles above), once for each source.
    pub(crate) fn separations(&mut self, state: &State, source: Source) -> &[u32] {
        self.known.entry(source).or_insert_with(|| {
            let roles = all_above(state, source).into_iter().filter_map(|source| match source {
                Source::Role(role) => Some(role),
                Source::Group(_) => None,
            });
            let found: BTreeSet<u32> = roles.flat_map(|role| separations_of(state, role)).collect();
            found.into_iter().collect()
        })
    }
}

fn separations_of(state: &State, role: u32) -> impl Iterator<Item = u32> + '_ {
    let names = move |number: &u32| {
        must(state.separations.row(*number), NEAR_END).is_some_and(|row| row.roles.binary_search(&role).is_ok())
    };
    state.separations.sorted().filter(names)
}
