//! The edges that leave a user or a group, to groups and roles.
//!
//! Those of a user lead to the groups of which it is a direct member, and those of a group to its parents. Nearly all
//! users and groups have few edges, all without a window. Those are stored in the row as plain numbers.
//!
//! Two sorted sequences of edges with windows took 112 bytes a user and two allocations. This takes 24 bytes. Users
//! and groups with more edges, or with windows, still have such sequences. Next: `entity_rows.rs`, the rows that
//! contain edges.

use std::mem;

use super::edge::Edge;
use super::source::Source;
use crate::model::internal_fault::{must, must_hold};
use crate::model::records::Window;
use crate::resolver::tables::sorted_seq::{self, SortedSeq};

/// As many as fit in three words with their counts.
const FEW: usize = 5;

const FEW_ARE_FEW: &str = "few edges fit in the short form";

/// The groups and roles that a user or a group has directly.
///
/// INVARIANT: edges that can be `Few` are, so that equal edges are stored in the same form.
#[derive(Clone, Debug)]
pub(crate) enum HeldEdges {
    /// The numbers of `groups` groups, ascending, then of `roles` roles, ascending. All are active at every instant.
    Few { groups: u8, roles: u8, to: [u32; FEW] },
    /// More edges, or some with windows.
    Many(Box<Many>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Many {
    groups: SortedSeq<Edge>,
    roles: SortedSeq<Edge>,
}

/// The edges of one kind that leave one entity, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edges<'a> {
    /// The numbers that these edges lead to. All are active at every instant.
    Few(&'a [u32]),
    Many(&'a SortedSeq<Edge>),
}

/// The edges of an [`Edges`].
pub(crate) enum Iter<'a> {
    Few(std::slice::Iter<'a, u32>),
    Many(sorted_seq::Iter<'a, Edge>),
}

impl<'a> Edges<'a> {
    #[inline]
    pub(crate) fn iter(self) -> Iter<'a> {
        match self {
            Self::Few(to) => Iter::Few(to.iter()),
            Self::Many(edges) => Iter::Many(edges.iter()),
        }
    }

    /// The edge to a number.
    pub(crate) fn get(self, to: u32) -> Option<Edge> {
        match self {
            Self::Few(all) => all.contains(&to).then_some(always(to)),
            Self::Many(edges) => edges.get(|edge| edge.to.cmp(&to)).copied(),
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        match self {
            Self::Few(to) => to.next().copied().map(always),
            Self::Many(edges) => edges.next().copied(),
        }
    }
}

fn always(to: u32) -> Edge {
    Edge { to, window: Window::ALWAYS }
}

impl HeldEdges {
    /// Makes edges from lists that are sorted by number and have no duplicates.
    pub(crate) fn from_sorted(
        groups: impl Iterator<Item = Edge> + Clone,
        roles: impl Iterator<Item = Edge> + Clone,
    ) -> Self {
        let (mut all, mut to) = (groups.clone().chain(roles.clone()), [0; FEW]);
        let fill = |(place, edge): (&mut u32, Edge)| {
            *place = edge.to;
            edge.window.is_always()
        };
        if to.iter_mut().zip(all.by_ref()).all(fill) && all.next().is_none() {
            let count = |edges: usize| must(u8::try_from(edges).ok(), FEW_ARE_FEW).unwrap_or_default();
            return Self::Few { groups: count(groups.count()), roles: count(roles.count()), to };
        }
        let (groups, roles) = (SortedSeq::from_sorted(groups.collect()), SortedSeq::from_sorted(roles.collect()));
        Self::Many(Box::new(Many { groups, roles }))
    }

    #[inline]
    pub(crate) fn groups(&self) -> Edges<'_> {
        match self {
            Self::Few { groups, to, .. } => Edges::Few(to.get(..usize::from(*groups)).unwrap_or_default()),
            Self::Many(many) => Edges::Many(&many.groups),
        }
    }

    #[inline]
    pub(crate) fn roles(&self) -> Edges<'_> {
        match self {
            Self::Few { groups, roles, to } => {
                let (start, count) = (usize::from(*groups), usize::from(*roles));
                Edges::Few(to.get(start..start + count).unwrap_or_default())
            }
            Self::Many(many) => Edges::Many(&many.roles),
        }
    }

    /// All edges, groups first, with their windows.
    #[inline]
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Source, Edge)> + '_ {
        let groups = self.groups().iter().map(|edge| (Source::Group(edge.to), edge));
        groups.chain(self.roles().iter().map(|edge| (Source::Role(edge.to), edge)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few { groups, roles, .. } => usize::from(*groups) + usize::from(*roles),
            Self::Many(many) => many.groups.len() + many.roles.len(),
        }
    }

    /// The window of the edge to a source, if there is one.
    fn window(&self, of: Source) -> Option<Window> {
        let edge = match of {
            Source::Group(number) => self.groups().get(number),
            Source::Role(number) => self.roles().get(number),
        };
        edge.map(|edge| edge.window)
    }

    /// Adds an edge, or changes its window from `before`. Returns `false` if the present window is not `before`.
    pub(crate) fn set(&mut self, source: Source, window: Window, before: Option<Window>) -> bool {
        if self.window(source) != before {
            return false;
        }
        if before.is_none() && window.is_always() && self.len() < FEW && self.put_among_few(source) {
            return true;
        }
        let edge = Edge { to: source.number(), window };
        let order = |other: &Edge| other.to.cmp(&edge.to);
        self.change(source, |edges| match before {
            Some(_) => edges.replace(edge, order),
            None => edges.insert(edge, order),
        });
        true
    }

    /// Removes an edge with this window. Returns `false` if there is none.
    pub(crate) fn take(&mut self, source: Source, window: Window) -> bool {
        if self.window(source) != Some(window) {
            return false;
        }
        match self {
            Self::Few { groups, roles, to } => {
                let (count, start) = match source {
                    Source::Group(_) => (groups, 0),
                    Source::Role(_) => (roles, usize::from(*groups)),
                };
                let rest = to.get_mut(start..).unwrap_or_default();
                let at = rest.iter().position(|number| *number == source.number());
                if let Some(rest) = must(at.and_then(|at| rest.get_mut(at..)), FEW_ARE_FEW) {
                    rest.rotate_left(1);
                    *count -= 1;
                }
            }
            Self::Many(_) => self.change(source, |edges| edges.remove(|edge| edge.to.cmp(&source.number())).is_some()),
        }
        true
    }

    /// Adds a source to few edges while they remain few. Returns `false` if they do not fit.
    fn put_among_few(&mut self, source: Source) -> bool {
        let Self::Few { groups, roles, to } = self else { return false };
        let (split, end) = (usize::from(*groups), usize::from(*groups) + usize::from(*roles));
        let (count, kind) = match source {
            Source::Group(_) => (groups, 0..split),
            Source::Role(_) => (roles, split..end),
        };
        let start = kind.start;
        let before = to.get(kind).unwrap_or_default().partition_point(|number| *number < source.number());
        if let Some(rest) = must(to.get_mut(start + before..=end), FEW_ARE_FEW) {
            rest.rotate_right(1);
            rest.iter_mut().take(1).for_each(|place| *place = source.number());
            *count += 1;
        }
        true
    }

    /// Changes the sequence for this kind of source, and returns to the short form where possible.
    fn change(&mut self, source: Source, work: impl FnOnce(&mut SortedSeq<Edge>) -> bool) {
        let order = |edges: Edges<'_>| SortedSeq::from_sorted(edges.iter().collect());
        let mut many = match mem::take(self) {
            Self::Many(many) => many,
            few @ Self::Few { .. } => Box::new(Many { groups: order(few.groups()), roles: order(few.roles()) }),
        };
        let done = match source {
            Source::Group(_) => work(&mut many.groups),
            Source::Role(_) => work(&mut many.roles),
        };
        must_hold(done, "an edge that is known can be changed");
        let are_few = many.groups.len() + many.roles.len() <= FEW
            && many.groups.iter().chain(many.roles.iter()).all(|edge| edge.window.is_always());
        *self = if are_few {
            Self::from_sorted(many.groups.iter().copied(), many.roles.iter().copied())
        } else {
            Self::Many(many)
        };
    }
}

impl Default for HeldEdges {
    fn default() -> Self {
        Self::Few { groups: 0, roles: 0, to: [0; FEW] }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    /// Kind and number, then window.
    type Model = BTreeMap<(bool, u32), Window>;

    fn window(n: u32) -> Window {
        if n == 0 { Window::ALWAYS } else { Window::until(Timestamp::from_secs(n.into()).unwrap()) }
    }

    fn listed(edges: &HeldEdges) -> Vec<((bool, u32), Window)> {
        let of = |role, edges: Edges<'_>| edges.iter().map(|e| ((role, e.to), e.window)).collect::<Vec<_>>();
        [of(false, edges.groups()), of(true, edges.roles())].concat()
    }

    fn same(edges: &HeldEdges, model: &Model) -> bool {
        let are_few = model.len() <= FEW && model.values().all(|window| window.is_always());
        let get = |(role, to)| if role { edges.roles().get(to) } else { edges.groups().get(to) };
        are_few == matches!(edges, HeldEdges::Few { .. })
            && edges.is_empty() == model.is_empty()
            && listed(edges).into_iter().eq(model.iter().map(|(key, window)| (*key, *window)))
            && (0..20).all(|n| {
                [(false, n), (true, n)].map(get).map(|e| e.map(|e| e.window))
                    == [(false, n), (true, n)].map(|key| model.get(&key).copied())
            })
    }

    fn built_in_bulk(model: &Model) -> HeldEdges {
        let of =
            |role| model.iter().filter(move |(key, _)| key.0 == role).map(|(key, w)| Edge { to: key.1, window: *w });
        HeldEdges::from_sorted(of(false), of(true))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 256 }))]
        #[test]
        fn edges_behave_like_a_map(
            ops in vec((0..3u8, any::<bool>(), 0..20u32, prop_oneof![4 => Just(0), 1 => 1..3u32]), 0..60),
        ) {
            let (mut edges, mut model) = (HeldEdges::default(), Model::new());
            for (op, role, to, end) in ops {
                let source = if role { Source::Role(to) } else { Source::Group(to) };
                let (key, window) = ((role, to), window(end));
                let before = model.get(&key).copied();
                match op {
                    0 => {
                        prop_assert_eq!(edges.set(source, window, None), before.is_none());
                        model.entry(key).or_insert(window);
                    }
                    1 => {
                        let known = before.unwrap_or(window);
                        prop_assert_eq!(edges.set(source, window, Some(known)), before.is_some());
                        model.entry(key).and_modify(|present| *present = window);
                    }
                    _ => {
                        let is_so = before == Some(window);
                        prop_assert_eq!(edges.take(source, window), is_so);
                        if is_so {
                            model.remove(&key);
                        }
                    }
                }
                prop_assert!(same(&edges, &model));
                prop_assert!(same(&built_in_bulk(&model), &model));
            }
        }
    }

    #[test]
    fn the_edges_of_a_user_or_group_are_three_words() {
        assert_eq!(size_of::<HeldEdges>(), 24);
    }
}
