//! The first of the paths that an explanation lists, without a search for the others.
//!
//! It searches level by level from the user, and enters nothing whose cached row says that it does not lead to the
//! permission (I8). Where the rows are complete it visits only what lies on paths. Each level is kept in the order of
//! explanations: by the names along the path, then by the steps. So the first grant that it meets ends the path that an
//! explanation lists first. The histories compare the two after every step. `find_all` does so for all permissions of a
//! user.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::paths::{each_edge, grants, leads, link, name_of};
use super::{Path, PathStep};
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::Window;
use crate::resolver::bits::Bits;
use crate::resolver::snapshot::edge::{Edge, NEAR_END};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Row;
use crate::resolver::snapshot::walk::{Seen, is_active};

/// A node, and how the search came to it.
#[derive(Clone, Copy, Debug)]
struct Visit {
    /// The index of the visit before this one, or `None` if the user holds the node directly.
    before: Option<usize>,
    node: Source,
    window: Window,
    /// The rank of the names along the way among those of this level. Visits with the same names share a rank.
    rank: usize,
}

type Visits = SmallVec<[Visit; 16]>;

/// Finds the first path that is active at an instant.
///
/// # Complexity
/// O(edges of the groups and roles on the shortest paths), plus those that are nearer and whose row is incomplete.
pub(crate) fn find(state: &State, user: &UserRow, permission: u32, when: &When<'_>) -> Option<Path> {
    let (mut visits, mut seen) = (Visits::new(), Seen::default());
    let mut level = Visits::new();
    let enter = |level: &mut Visits, before, node, edge: &_| {
        if leads(state, node, permission) && is_active(*edge, when) {
            level.push(Visit { before, node, window: edge.window, rank: 0 });
        }
    };
    user.sources().for_each(|(node, edge)| enter(&mut level, None, node, &edge));
    while !level.is_empty() {
        let start = visits.len();
        sort(state, &visits, &mut level);
        visits.extend(level.drain(..).filter(|visit| seen.insert(visit.node)));
        for at in start..visits.len() {
            let visit = *visits.get(at)?;
            if let Some(grant) = grants(state, visit.node, permission).min() {
                return Some(Path { steps: steps(state, &visits, visit), grant: grant.to_owned() });
            }
            each_edge(state, visit.node, |node, edge| enter(&mut level, Some(at), node, edge));
        }
    }
    None
}

/// The first path to each permission that a user has at an instant.
///
/// Each is the path that [`find`] returns. The search skips nodes that are on no path, which does not change the order of
/// the others.
#[derive(Debug)]
pub(crate) struct FirstPaths {
    visits: Visits,
    /// Each permission once, with the visit of the role that grants it.
    found: Vec<(u32, usize)>,
}

/// Finds the first paths to all permissions at once, or to one of them, suspended or not.
///
/// # Complexity
/// O(groups and roles of the user, their relations and grants). For one permission, that of [`find`].
pub(crate) fn find_all(state: &State, user: &UserRow, only: Option<u32>, when: &When<'_>) -> FirstPaths {
    let (mut visits, mut seen) = (Visits::new(), Seen::default());
    let (mut level, mut known, mut found) = (Visits::new(), Bits::new(), Vec::new());
    let enter = |level: &mut Visits, before, node, edge: &Edge| {
        if only.is_none_or(|permission| leads(state, node, permission)) && is_active(*edge, when) {
            level.push(Visit { before, node, window: edge.window, rank: 0 });
        }
    };
    user.sources().for_each(|(node, edge)| enter(&mut level, None, node, &edge));
    while !level.is_empty() {
        let start = visits.len();
        sort(state, &visits, &mut level);
        visits.extend(level.drain(..).filter(|visit| seen.insert(visit.node)));
        for at in start..visits.len() {
            let Some(visit) = visits.get(at).copied() else { break };
            if let Some(permission) = only {
                if state.permission_is_grantable(permission) && grants(state, visit.node, permission).next().is_some() {
                    return FirstPaths { visits, found: vec![(permission, at)] };
                }
            } else if let Source::Role(role) = visit.node {
                if let Some(role) = state.roles.row(role) {
                    let named = role.grants.iter().copied().filter(|n| state.permission_is_grantable(*n));
                    let new = named.chain(role.matched.iter()).filter(|permission| known.insert(*permission));
                    found.extend(new.map(|permission| (permission, at)));
                }
            }
            each_edge(state, visit.node, |node, edge| enter(&mut level, Some(at), node, edge));
        }
    }
    FirstPaths { visits, found }
}

/// Finds a path that leads through one of these roles, which are sorted: a shortest way to it, and a shortest one from
/// there.
///
/// # Complexity
/// O(groups and roles of the user, and their relations).
pub(crate) fn find_through(
    state: &State,
    user: &UserRow,
    roles: &[u32],
    permission: u32,
    when: &When<'_>,
) -> Option<Path> {
    let FirstPaths { visits, .. } = find_all(state, user, None, when);
    let is_one = |visit: &Visit| matches!(visit.node, Source::Role(role) if roles.binary_search(&role).is_ok());
    let way_to = |at: usize| {
        let visit = *visits.get(at).filter(|visit| is_one(visit))?;
        let (mut ways, mut seen): (Vec<(Option<usize>, Source)>, _) = (vec![(None, visit.node)], Seen::default());
        let mut next = 0;
        while let Some((_, node)) = ways.get(next).copied() {
            if let Some(grant) = grants(state, node, permission).min() {
                let mut path = Path { steps: steps(state, &visits, visit), grant: grant.to_owned() };
                let mut above = Vec::new();
                let mut here = ways.get(next).copied();
                while let Some((Some(before), node)) = here {
                    here = ways.get(before).copied();
                    above.extend(link(state, here.map(|(_, node)| node), node, Window::ALWAYS));
                }
                path.steps.extend(above.into_iter().rev());
                return Some(path);
            }
            each_edge(state, node, |to, _| {
                if leads(state, to, permission) && seen.insert(to) {
                    ways.push((Some(next), to));
                }
            });
            next += 1;
        }
        None
    };
    (0..visits.len()).find_map(way_to)
}

impl FirstPaths {
    /// The permissions, each with the visit of the role that grants it.
    pub(crate) fn found(&self) -> &[(u32, usize)] {
        &self.found
    }

    /// The path to one of the permissions.
    pub(crate) fn path(&self, state: &State, (permission, visit): (u32, usize)) -> Option<Path> {
        let visit = *self.visits.get(visit)?;
        let grant = grants(state, visit.node, permission).min()?.to_owned();
        Some(Path { steps: steps(state, &self.visits, visit), grant })
    }
}

/// Sorts a level by the names along the way, then by the kinds of the steps. The level before it is sorted.
fn sort(state: &State, visits: &[Visit], level: &mut [Visit]) {
    if level.len() < 2 {
        return;
    }
    let rank_before = |visit: &Visit| visit.before.and_then(|at| visits.get(at)).map_or(0, |before| before.rank);
    let by_names = |a: &Visit, b: &Visit| -> Ordering {
        rank_before(a).cmp(&rank_before(b)).then_with(|| name_of(state, a.node).cmp(name_of(state, b.node)))
    };
    // Groups before roles, and the tenant's role before the catalog's with the same slug.
    let kind = |visit: &Visit| match visit.node {
        Source::Group(_) => None,
        Source::Role(n) => Some(state.roles.row(n).map(Row::origin)),
    };
    level.sort_by(|a, b| by_names(a, b).then(a.before.cmp(&b.before)).then_with(|| kind(a).cmp(&kind(b))));
    let (mut previous, mut rank) = (level.first().copied(), 0);
    for visit in level {
        rank += usize::from(previous.is_some_and(|previous| by_names(&previous, visit).is_ne()));
        previous = Some(*visit);
        visit.rank = rank;
    }
}

/// The steps from the user to the last visit.
fn steps(state: &State, visits: &[Visit], last: Visit) -> Vec<PathStep> {
    let mut steps = Vec::new();
    let mut here = Some(last);
    while let Some(visit) = here {
        here = visit.before.and_then(|at| visits.get(at)).copied();
        steps.extend(must(link(state, here.map(|before| before.node), visit.node, visit.window), NEAR_END));
    }
    steps.reverse();
    steps
}
