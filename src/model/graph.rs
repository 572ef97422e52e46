//! Directed graphs whose edges a function lists: reachability, the nearest nodes, topological order, cycles, and a path from
//! both ends.
//!
//! Groups form a graph by their parents and roles by their inclusions. Both may be 100,000 levels deep, so nothing here
//! recurses. Nodes are numbers that this crate assigns, or indexes of a list. Callers cannot choose them, so the tables
//! use the fast hash of hashbrown, which is seeded but does not resist an attacker.
//!
//! Deliberately absent: the graphs themselves, and names. Some searches are elsewhere:
//!
//! - [`crate::reference`] is the oracle of the tests, so it shares no code with what it checks;
//! - the walk of a check (`walk.rs`) stops at the first grant, and `window_ends` there looks at edges rather than nodes;
//! - explanations (`resolver/explain`, `resolver/separations.rs`) keep the window of each edge of a path;
//! - `review/lint/grants.rs` gives up after a number of roles.

use std::collections::VecDeque;
use std::hash::Hash;
use std::iter::Enumerate;
use std::ops::ControlFlow;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

/// Follows edges from these nodes. `visit` receives the target of each edge, possibly several times, and returns whether
/// it is new. Only the edges of new nodes are followed.
///
/// # Complexity
/// O(nodes + edges) reached.
pub(crate) fn follow<N: Copy, I: Iterator<Item = N>>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
    mut visit: impl FnMut(N) -> bool,
) {
    let mut todo: Vec<N> = from.into_iter().collect();
    while let Some(node) = todo.pop() {
        todo.extend(next(node).filter(|to| visit(*to)));
    }
}

/// Visits these nodes and all nodes reachable from them, the nearest first and each once, until `found` returns something.
/// `found` also receives the predecessor on a shortest path: of several, the one that was visited first. The nodes where the
/// search begins have none.
///
/// # Complexity
/// O(nodes + edges) reached.
pub(crate) fn nearest<N: Copy + Eq + Hash, I: IntoIterator<Item = N>, T>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
    mut found: impl FnMut(N, Option<N>) -> Option<T>,
) -> Option<T> {
    let mut seen = HashSet::new();
    let mut todo: VecDeque<(N, Option<N>)> =
        from.into_iter().filter(|node| seen.insert(*node)).map(|node| (node, None)).collect();
    while let Some((node, before)) = todo.pop_front() {
        if let Some(result) = found(node, before) {
            return Some(result);
        }
        todo.extend(next(node).into_iter().filter(|to| seen.insert(*to)).map(|to| (to, Some(node))));
    }
    None
}

/// Returns these nodes and all nodes reachable from them, each with what [`nearest`] passes on.
///
/// # Complexity
/// O(nodes + edges) reached.
pub(crate) fn breadth_first<N: Copy + Eq + Hash, I: IntoIterator<Item = N>>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
) -> HashMap<N, Option<N>> {
    let mut all = HashMap::new();
    nearest(from, next, |node, before| {
        all.insert(node, before);
        None::<()>
    });
    all
}

/// Returns these nodes and all nodes reachable from them, each before the targets of its edges.
///
/// A graph with a cycle has no such order, but every node still appears once.
///
/// # Complexity
/// O(nodes + edges) reached.
pub(crate) fn topological_order<N: Copy + Eq + Hash, I: Iterator<Item = N>>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
) -> Vec<N> {
    let mut order = Vec::new();
    let complete = depth_first(from, next, |event| {
        if let SearchEvent::Finished(node) = event {
            order.push(node);
        }
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(complete.is_continue());
    order.reverse();
    order
}

/// An edge that closes a cycle.
#[cfg_attr(not(any(test, feature = "json")), expect(dead_code, reason = "only documents list every cycle"))]
pub(crate) struct Cycle<'a, N> {
    /// The source of the edge.
    pub(crate) from: N,
    /// The index of the edge among those of its source.
    pub(crate) edge: usize,
    /// The nodes around the cycle, from the target of the edge back to it. Collecting them takes O(length of the cycle).
    pub(crate) around: &'a mut dyn Iterator<Item = N>,
}

/// Calls `found` for each edge that closes a cycle, among the nodes reachable from these. Without those edges the graph
/// is acyclic.
///
/// # Complexity
/// O(nodes + edges) reached, and the depth of each cycle whose `around` is read.
#[cfg(any(test, feature = "json"))]
pub(crate) fn each_cycle<N: Copy + Eq + Hash, I: Iterator<Item = N>>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
    mut found: impl FnMut(Cycle<'_, N>),
) {
    let complete = depth_first(from, next, |event| {
        if let SearchEvent::Cycle(cycle) = event {
            found(cycle);
        }
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(complete.is_continue());
}

/// Returns the nodes around one cycle reachable from these, with the first one repeated at the end.
///
/// # Complexity
/// O(nodes + edges) reached.
pub(crate) fn find_cycle<N: Copy + Eq + Hash, I: Iterator<Item = N>>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
) -> Option<Vec<N>> {
    let found = depth_first(from, next, |event| match event {
        SearchEvent::Cycle(cycle) => ControlFlow::Break(cycle.around.collect()),
        SearchEvent::Finished(_) => ControlFlow::Continue(()),
    });
    found.break_value()
}

/// An event of a depth-first search.
enum SearchEvent<'a, N> {
    /// Everything reachable from this node has been visited.
    Finished(N),
    Cycle(Cycle<'a, N>),
}

#[derive(Clone, Copy)]
enum Mark {
    /// On the path from the start of the search.
    Open,
    Finished,
}

fn depth_first<N: Copy + Eq + Hash, I: Iterator<Item = N>, B>(
    from: impl IntoIterator<Item = N>,
    next: impl Fn(N) -> I,
    mut on: impl FnMut(SearchEvent<'_, N>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut marks: HashMap<N, Mark> = HashMap::new();
    let mut path: Vec<(N, Enumerate<I>)> = Vec::new();
    for start in from {
        if let Entry::Vacant(mark) = marks.entry(start) {
            mark.insert(Mark::Open);
            path.push((start, next(start).enumerate()));
        }
        while let Some((node, edges)) = path.last_mut() {
            let node = *node;
            let Some((edge, to)) = edges.next() else {
                marks.insert(node, Mark::Finished);
                path.pop();
                on(SearchEvent::Finished(node))?;
                continue;
            };
            match marks.entry(to) {
                Entry::Vacant(mark) => {
                    mark.insert(Mark::Open);
                    path.push((to, next(to).enumerate()));
                }
                Entry::Occupied(mark) if matches!(mark.get(), Mark::Open) => {
                    let mut around = path.iter().map(|(on, _)| *on).skip_while(|on| *on != to).chain([to]);
                    on(SearchEvent::Cycle(Cycle { from: node, edge, around: &mut around }))?;
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    ControlFlow::Continue(())
}

/// Returns a path `from` → … → `to` along `up`, or `None`. `down` lists the same edges in reverse (R7).
///
/// # Complexity
/// It searches up from one end and down from the other, alternating edge by edge, and stops when the smaller side is
/// exhausted. Building a chain of n edges from either end costs O(1) per edge; building it in any order costs O(n log
/// n) in total.
pub(crate) fn path<I: Iterator<Item = u32>, J: Iterator<Item = u32>>(
    from: u32,
    to: u32,
    up: impl Fn(u32) -> I,
    down: impl Fn(u32) -> J,
) -> Option<Vec<u32>> {
    if from == to {
        return Some(vec![from]);
    }
    let mut above = Side::new(from);
    let mut below = Side::new(to);
    loop {
        match above.step(&up)? {
            Some(node) if below.seen.contains_key(&node) => return Some(join(&above, &below, node)),
            _ => {}
        }
        match below.step(&down)? {
            Some(node) if above.seen.contains_key(&node) => return Some(join(&above, &below, node)),
            _ => {}
        }
    }
}

/// The nodes reached from one end, each with its predecessor.
struct Side<I> {
    seen: HashMap<u32, u32>,
    todo: Vec<u32>,
    open: Option<(u32, I)>,
}

impl<I: Iterator<Item = u32>> Side<I> {
    fn new(start: u32) -> Self {
        Self { seen: HashMap::from([(start, start)]), todo: vec![start], open: None }
    }

    /// Follows one edge, and returns its target if that is new.
    #[expect(clippy::option_option, reason = "outer: whether an edge is left; inner: whether its target is new")]
    fn step(&mut self, next: &impl Fn(u32) -> I) -> Option<Option<u32>> {
        loop {
            if let Some((node, rest)) = &mut self.open {
                if let Some(to) = rest.next() {
                    let Entry::Vacant(place) = self.seen.entry(to) else { return Some(None) };
                    place.insert(*node);
                    self.todo.push(to);
                    return Some(Some(to));
                }
            }
            let node = self.todo.pop()?;
            self.open = Some((node, next(node)));
        }
    }

    /// Returns the path from a node back to the start of this side.
    fn back(&self, mut node: u32) -> Vec<u32> {
        let mut path = vec![node];
        while let Some(before) = self.seen.get(&node).filter(|before| **before != node) {
            node = *before;
            path.push(node);
        }
        path
    }
}

fn join<I: Iterator<Item = u32>, J: Iterator<Item = u32>>(above: &Side<I>, below: &Side<J>, node: u32) -> Vec<u32> {
    let mut path = above.back(node);
    path.reverse();
    path.extend(below.back(node).into_iter().skip(1));
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn after(edges: &[(u32, u32)], node: u32) -> impl Iterator<Item = u32> {
        edges.iter().filter(move |edge| edge.0 == node).map(|edge| edge.1)
    }

    fn before(edges: &[(u32, u32)], node: u32) -> impl Iterator<Item = u32> {
        edges.iter().filter(move |edge| edge.1 == node).map(|edge| edge.0)
    }

    fn find(edges: &[(u32, u32)], from: u32, to: u32) -> Option<Vec<u32>> {
        path(from, to, |n| after(edges, n), |n| before(edges, n))
    }

    fn cycles(edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        each_cycle(0..10, |n| after(edges, n), |cycle| all.push(cycle.around.collect()));
        assert_eq!(find_cycle(0..10, |n| after(edges, n)), all.first().cloned());
        all
    }

    /// The nodes reachable from 0, itself included. After one round per node, nothing new can be reached.
    fn reached(edges: &[(u32, u32)]) -> BTreeSet<u32> {
        let mut reached = BTreeSet::from([0]);
        for _ in 0..8 {
            reached.extend(edges.iter().filter(|e| reached.contains(&e.0)).map(|e| e.1).collect::<Vec<_>>());
        }
        reached
    }

    #[test]
    fn i3_every_cycle_is_found_and_listed() {
        assert_eq!(cycles(&[(0, 1), (1, 2), (0, 2)]), [[0; 0]; 0]);
        assert_eq!(cycles(&[(3, 3)]), [[3, 3]]);
        assert_eq!(cycles(&[(0, 1), (1, 2), (2, 3), (3, 1)]), [[1, 2, 3, 1]]);
        assert_eq!(cycles(&[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3)]), [vec![0, 1, 2, 0], vec![3, 4, 3]]);
    }

    #[test]
    fn i3_a_cycle_of_a_hundred_thousand_is_found_and_listed() {
        let last = 100_000_u32;
        let next = |n| [if n == last { 0 } else { n + 1 }].into_iter();
        let mut lengths = Vec::new();
        each_cycle(0..=last, next, |cycle| lengths.push((cycle.from, cycle.edge, cycle.around.count())));
        assert_eq!(lengths, [(last, 0, 100_002)]);
    }

    #[test]
    fn r7_a_path_is_found_from_both_ends() {
        let edges = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (6, 3)];
        assert_eq!(find(&edges, 0, 3), Some(vec![0, 1, 2, 3]));
        assert_eq!(find(&edges, 3, 0), None);
        assert_eq!(find(&edges, 2, 2), Some(vec![2]));
        assert_eq!(find(&edges, 5, 6), None);
    }

    /// Building a chain of 100,000 from either end follows a few edges each time.
    #[test]
    fn r7_building_a_chain_from_either_end_costs_one_step_per_edge() {
        let steps = std::cell::Cell::new(0_u32);
        for length in 1..100_000_u32 {
            let count = |n| {
                steps.set(steps.get() + 1);
                n
            };
            let up = |n: u32| (n + 1 < length).then(|| count(n + 1)).into_iter();
            let down = |n: u32| (0 < n && n < length).then(|| count(n - 1)).into_iter();
            // A new node above the top, then a new node below the bottom.
            assert_eq!(path(length, length - 1, up, down), None);
            assert_eq!(path(0, length, up, down), None);
        }
        assert!(steps.get() <= 400_000, "{}", steps.get());
    }

    /// One side may be exhausted just after the two sides meet. The path must be found by then.
    #[test]
    fn r7_a_path_is_found_when_one_end_has_many_edges() {
        let wide = |n| (10..20).map(move |side| if n == 2 { (side, 2) } else { (0, side) });
        for n in [0, 2] {
            let edges: Vec<_> = wide(n).chain([(0, 1), (1, 2)]).collect();
            assert_eq!(find(&edges, 0, 2), Some(vec![0, 1, 2]));
        }
    }

    #[test]
    fn the_nearest_are_visited_first_and_from_the_first_that_leads_there() {
        let visits = |edges: &[(u32, u32)], from: &[u32], end: Option<u32>| {
            let mut visits = Vec::new();
            let found = nearest(
                from.iter().copied(),
                |n| after(edges, n),
                |node, before| {
                    visits.push((node, before));
                    (Some(node) == end).then_some(node)
                },
            );
            assert_eq!(found, end);
            visits
        };
        let diamond = [(0, 1), (0, 2), (1, 3), (2, 3)];
        assert_eq!(visits(&diamond, &[0], None), [(0, None), (1, Some(0)), (2, Some(0)), (3, Some(1))]);
        let other_order = [(0, 2), (0, 1), (1, 3), (2, 3)];
        assert_eq!(visits(&other_order, &[0], None), [(0, None), (2, Some(0)), (1, Some(0)), (3, Some(2))]);
        assert_eq!(visits(&diamond, &[2, 1, 2], None), [(2, None), (1, None), (3, Some(2))], "several starts");
        assert_eq!(visits(&diamond, &[0], Some(1)), [(0, None), (1, Some(0))], "no further than needed");
        let chain = breadth_first([0], |n| (n < 100_000).then_some(n + 1));
        assert_eq!((chain.len(), chain[&100_000]), (100_001, Some(99_999)));
    }

    proptest! {
        #[test]
        fn r7_a_path_is_found_if_and_only_if_one_exists(edges in vec((0..8_u32, 0..8_u32), 0..16)) {
            let reached = reached(&edges);
            for to in 0..8 {
                let found = find(&edges, 0, to);
                prop_assert_eq!(found.is_some(), reached.contains(&to));
                if let Some(path) = found {
                    prop_assert_eq!((path.first(), path.last()), (Some(&0), Some(&to)));
                    prop_assert!(path.windows(2).all(|pair| edges.contains(&(pair[0], pair[1]))));
                }
            }
        }

        #[test]
        fn breadth_first_finds_a_shortest_path_to_each_node(edges in vec((0..8_u32, 0..8_u32), 0..16)) {
            let found = breadth_first([0], |n| after(&edges, n));
            prop_assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), reached(&edges));
            // After n rounds, exactly the nodes at most n steps away are reached.
            let steps = |node| std::iter::successors(Some(node), |n| found[n]).count() - 1;
            let mut within = BTreeSet::from([0]);
            for round in 0..8 {
                prop_assert_eq!(&found.keys().copied().filter(|n| steps(*n) <= round).collect::<BTreeSet<_>>(), &within);
                within.extend(edges.iter().filter(|e| within.contains(&e.0)).map(|e| e.1).collect::<Vec<_>>());
            }
            prop_assert!(found.iter().all(|(to, from)| from.is_none_or(|from| edges.contains(&(from, *to)))));
        }

        #[test]
        fn topological_order_lists_each_reachable_node_once(edges in vec((0..8_u32, 0..8_u32), 0..16)) {
            let mut followed = BTreeSet::from([0]);
            follow([0], |n| after(&edges, n), |n| followed.insert(n));
            prop_assert_eq!(&followed, &reached(&edges));
            let order = topological_order([0], |n| after(&edges, n));
            prop_assert_eq!(order.len(), followed.len());
            prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), followed);
            // Edges that lead only to higher numbers cannot form a cycle.
            let edges: Vec<(u32, u32)> = edges.into_iter().filter(|(from, to)| from < to).collect();
            let order = topological_order(0..8, |n| after(&edges, n));
            let place = |node| order.iter().position(|other| *other == node);
            prop_assert!(edges.iter().all(|(from, to)| place(*from) < place(*to)));
            prop_assert_eq!(find_cycle(0..8, |n| after(&edges, n)), None);
        }
    }
}
