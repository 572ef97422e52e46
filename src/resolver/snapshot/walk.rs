//! The walk: from a user up through groups and roles along the edges that are active at an instant.
//!
//! The plain form of every question. A check walks only if cached rows do not answer it. Sets, explanations and tests
//! can always walk. It does not recurse, visits every node once, and remembers nothing afterwards (A4). The few nodes
//! of a usual walk fit on the stack.

use std::collections::BTreeSet;

use hashbrown::HashSet;
use smallvec::SmallVec;

use super::columns::USUAL;
use super::edge::{Edge, NEAR_END};
use super::entity_rows::{GroupRow, UserRow};
use super::index_entry::EntryRef;
use super::names::found::Found;
use super::source::Source;
use super::state::State;
use super::user_summaries::Summary;
use crate::model::clock::When;
use crate::model::graph;
use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, Window};
use crate::resolver::bits::{BitRow, Bits};

/// The next action of a walk after it has visited a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Follow its edges.
    Into,
    /// Skip its edges: their targets are known already.
    Past,
    /// Stop: the question is answered.
    Stop,
}

/// Visits everything that these groups and roles lead to at an instant, in no particular order. Returns whether the
/// visitor stopped it.
///
/// # Complexity
/// O(nodes and edges visited).
fn walk_from(
    state: &State,
    held: impl Iterator<Item = Source>,
    when: &When<'_>,
    mut visit: impl FnMut(Source) -> Step,
) -> bool {
    let mut seen = Seen::default();
    let mut todo: SmallVec<[Source; INLINE]> = SmallVec::new();
    let mut found = |source, todo: &mut SmallVec<[Source; INLINE]>| {
        if seen.insert(source) {
            match visit(source) {
                Step::Into => todo.push(source),
                Step::Past => {}
                Step::Stop => return true,
            }
        }
        false
    };
    for source in held {
        if found(source, &mut todo) {
            return true;
        }
    }
    while let Some(source) = todo.pop() {
        let stopped = match source {
            Source::Group(n) => must(state.groups.row(n), NEAR_END).is_some_and(|group| {
                group.sources().any(|(source, edge)| is_active(edge, when) && found(source, &mut todo))
            }),
            Source::Role(n) => must(state.roles.row(n), NEAR_END)
                .is_some_and(|role| role.includes.iter().any(|included| found(Source::Role(*included), &mut todo))),
        };
        if stopped {
            return true;
        }
    }
    false
}

/// Whether an edge is active at the instant. The instant is needed only if the edge has a window.
#[inline]
pub(crate) fn is_active(edge: Edge, when: &When<'_>) -> bool {
    edge.window.is_always() || edge.window.contains(when.instant())
}

/// Whether a walk from these sources finds a permission. Cached rows shorten the walk. They never add a permission.
pub(crate) fn reaches(state: &State, held: impl Iterator<Item = Source>, permission: u32, when: &When<'_>) -> bool {
    walk_from(state, held, when, |source| match source {
        _ if state.always_gives(source, permission) => Step::Stop,
        _ if !state.may_give(source, permission) => Step::Past,
        _ => match source {
            Source::Role(role) if state.roles.row(role).is_some_and(|row| state.role_grants(row, permission)) => {
                Step::Stop
            }
            _ => Step::Into,
        },
    })
}

/// Everything that a user that was found may do at an instant. If none of its sources is incomplete, it is the union of
/// their rows, and no other row is read.
pub(crate) fn effective_found(state: &State, user: Found<'_>, when: &When<'_>) -> Bits {
    let mut columns: SmallVec<[u32; USUAL]> = SmallVec::new();
    let is_column = |column: &u16| *column != 0;
    if let Some(complete) = user.entry().and_then(EntryRef::complete) {
        columns.extend(complete.copied().take_while(is_column).map(u32::from));
    } else {
        match state.summaries.summary(user.number()) {
            Summary::Nothing => return Bits::new(),
            Summary::Wide => {
                return state.users.row(user.number()).map(|row| effective(state, row, when)).unwrap_or_default();
            }
            Summary::Always(all) => columns.extend(all.iter().copied().take_while(is_column).map(u32::from)),
            Summary::Windowed(held) => columns.extend(held.active(when).filter(is_column).map(u32::from)),
        }
    }
    let sources = columns.iter().filter_map(|column| state.columns.source(*column));
    if columns.iter().any(|column| state.columns.is_incomplete(*column)) {
        return effective_from(state, sources, when);
    }
    let rows = sources.filter_map(|source| state.row_always(source));
    Bits::union_of(&rows.collect::<SmallVec<[&BitRow; USUAL]>>())
}

/// Whether a user is in one of these groups, which are sorted, at an instant: directly or through a subgroup.
pub(crate) fn is_in_one(state: &State, user: &UserRow, groups: &[u32], when: &When<'_>) -> bool {
    if groups.is_empty() {
        return false;
    }
    let held = user.sources().filter(|(_, edge)| is_active(*edge, when)).map(|(source, _)| source);
    walk_from(state, held, when, |source| match source {
        Source::Group(group) if groups.binary_search(&group).is_ok() => Step::Stop,
        Source::Group(_) => Step::Into,
        Source::Role(_) => Step::Past,
    })
}

/// Everything that a user may do at an instant, ignoring suspension.
pub(crate) fn effective(state: &State, user: &UserRow, when: &When<'_>) -> Bits {
    let counting = user.sources().filter(|(_, edge)| is_active(*edge, when)).map(|(source, _)| source);
    effective_from(state, counting, when)
}

/// Everything that these sources give at an instant.
pub(crate) fn effective_from(state: &State, held: impl Iterator<Item = Source>, when: &When<'_>) -> Bits {
    let mut bits = Bits::new();
    walk_from(state, held, when, |source| {
        let cached = state.cached_row(source);
        if let Some(cached) = cached {
            bits.union_row(cached.always.row(&state.grantable));
        }
        if cached.is_some_and(|cached| !cached.is_incomplete()) {
            return Step::Past;
        }
        if let Source::Role(role) = source {
            own_bits(state, role, &mut bits);
        }
        Step::Into
    });
    bits
}

/// Those of these roles, which are sorted, that a user has at an instant, ignoring suspension.
pub(crate) fn roles_among(state: &State, user: &UserRow, roles: &[u32], when: &When<'_>) -> SmallVec<[u32; 4]> {
    let active = user.sources().filter(|(_, edge)| is_active(*edge, when)).map(|(source, _)| source);
    roles_among_from(state, active, roles, when)
}

/// Those of these roles, which are sorted, that one of the sources is or leads to.
pub(crate) fn roles_among_from(
    state: &State,
    sources: impl Iterator<Item = Source>,
    roles: &[u32],
    when: &When<'_>,
) -> SmallVec<[u32; 4]> {
    let mut held = SmallVec::new();
    walk_from(state, sources, when, |source| {
        if let Source::Role(role) = source {
            if roles.binary_search(&role).is_ok() {
                held.push(role);
            }
        }
        if held.len() < roles.len() { Step::Into } else { Step::Stop }
    });
    held
}

/// The role's own grants.
pub(crate) fn own_bits(state: &State, role: u32, bits: &mut Bits) {
    let Some(row) = state.roles.row(role) else { return };
    for permission in row.grants.iter() {
        if state.permission_is_grantable(*permission) {
            bits.insert(*permission);
        }
    }
    bits.union_row(&row.matched);
}

/// The edges that leave a group or role: to its roles and parents, or to the roles that it includes.
pub(crate) fn edges_of(state: &State, source: Source) -> impl Iterator<Item = (Source, Edge)> + '_ {
    let (group, role) = match source {
        Source::Group(n) => (must(state.groups.row(n), NEAR_END), None),
        Source::Role(n) => (None, must(state.roles.row(n), NEAR_END)),
    };
    let included = role.into_iter().flat_map(|role| role.includes.iter());
    let included = included.map(|n| (Source::Role(*n), Edge { to: *n, window: Window::ALWAYS }));
    let roles = group.into_iter().flat_map(|group| group.roles().iter()).map(|edge| (Source::Role(edge.to), edge));
    let parents = group.into_iter().flat_map(|group| group.parents().iter()).map(|edge| (Source::Group(edge.to), edge));
    included.chain(roles).chain(parents)
}

/// A source and everything that it leads to at any time, each once.
pub(crate) fn all_above(state: &State, source: Source) -> Vec<Source> {
    let (mut seen, mut all) = (Seen::default(), vec![source]);
    seen.insert(source);
    graph::follow(
        [source],
        |source| edges_of(state, source).map(|(to, _)| to),
        |to| {
            let new = seen.insert(to);
            if new {
                all.push(to);
            }
            new
        },
    );
    all
}

/// Adds the instants after `from` at which a window begins or ends on the way from a user upwards.
pub(crate) fn window_ends(state: &State, user: &UserRow, from: Timestamp, instants: &mut BTreeSet<Timestamp>) {
    let (mut seen, mut todo) = (Seen::default(), Vec::new());
    let mut found = |source: Source, edge: Edge, todo: &mut Vec<u32>| {
        let ends = [edge.window.start(), edge.window.end()];
        instants.extend(ends.into_iter().flatten().filter(|instant| *instant > from));
        // Inclusions of roles have no window, so there is nothing above a role.
        if let Source::Group(group) = source {
            if seen.insert(source) {
                todo.push(group);
            }
        }
    };
    for (source, edge) in user.sources() {
        found(source, edge, &mut todo);
    }
    while let Some(group) = todo.pop() {
        for (source, edge) in must(state.groups.row(group), NEAR_END).into_iter().flat_map(GroupRow::sources) {
            found(source, edge, &mut todo);
        }
    }
}

const INLINE: usize = 16;

/// The nodes seen so far: a short list, and a set once it is long. Nodes are internal numbers, so the hash is fast.
#[derive(Default)]
pub(crate) struct Seen {
    few: SmallVec<[Source; INLINE]>,
    many: HashSet<Source>,
}

impl Seen {
    /// Adds a node. Returns whether it is new.
    pub(crate) fn insert(&mut self, source: Source) -> bool {
        if self.many.is_empty() && self.few.len() < INLINE {
            let new = !self.few.contains(&source);
            if new {
                self.few.push(source);
            }
            return new;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().copied());
        }
        self.many.insert(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_new_once_and_few_nodes_stay_in_the_short_list() {
        let mut seen = Seen::default();
        for n in 0..40 {
            assert!(seen.insert(Source::Group(n)) && !seen.insert(Source::Group(n)) && seen.insert(Source::Role(n)));
        }
        assert!((0..40).all(|n| !seen.insert(Source::Group(n)) && !seen.insert(Source::Role(n))));
        assert_eq!((seen.few.len(), seen.many.len()), (INLINE, 80));
    }
}
