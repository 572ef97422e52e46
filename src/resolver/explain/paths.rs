//! Finding the paths from a user to a permission, shortest first.
//!
//! First it finds everything that the user reaches. Then, backwards from the roles that grant, it finds how far each
//! node is from a grant. The search that follows takes no useless step: it always extends the partial path of least
//! total length, and of those the longest. The first complete path is therefore a shortest one. In a lattice of 40
//! diamonds, which has 2^40 paths, each path costs only its own length.
//!
//! A path is active at the instants that lie in all of its windows. A path whose windows have no common instant never
//! allowed anything, so it does not count. Before the search, each node therefore gets the set of instants at which it
//! leads to the permission. A partial path is extended only to nodes where its own instants meet theirs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Path, PathStep};
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::{Pattern, Window, WindowSet};
use crate::resolver::snapshot::edge::{Edge, NEAR_END};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Row as _;
use crate::resolver::snapshot::walk::is_active;

pub(crate) const MOST_PATHS: usize = 64;
pub(crate) const MOST_STEPS: usize = 10_000;

/// How many windows of sets are combined, beyond one for each relation. In a tenant where they are more, the instants of
/// access are unknown.
pub(crate) const MOST_COMBINED: usize = 100_000;

/// Which paths are found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EdgeFilter<'a, 'c> {
    /// Those that are active at an instant.
    Active(&'a When<'c>),
    /// Those that are active at some instant.
    All,
}

/// The paths that were found, and whether there may be more.
#[derive(Debug, Default)]
pub(crate) struct FoundPaths {
    pub(crate) paths: Vec<Path>,
    pub(crate) more: bool,
}

/// Finds the paths that are active at an instant.
pub(crate) fn active(state: &State, user: &UserRow, permission: u32, when: &When<'_>) -> FoundPaths {
    Map::new(state, user, permission, EdgeFilter::Active(when), false).search(MOST_PATHS)
}

/// When a user holds a permission.
#[derive(Debug)]
pub(crate) enum Access {
    /// At no instant: nothing that the user holds leads there, in whatever windows.
    Never,
    /// At these instants. None, if no path is ever active.
    During(WindowSet),
    /// Too many windows combine. Nothing changes before the first of their ends.
    Unknown(Vec<Window>),
}

/// Finds the instants at which a user holds a permission, ignoring suspension.
///
/// # Complexity
/// O(relations that may lead there, times the windows that combine on them), bounded by [`MOST_COMBINED`].
pub(crate) fn access(state: &State, user: &UserRow, permission: u32) -> Access {
    Map::new(state, user, permission, EdgeFilter::All, true).access()
}

/// Finds the paths that are active at some instant.
pub(crate) fn at_any_time(state: &State, user: &UserRow, permission: u32) -> FoundPaths {
    Map::new(state, user, permission, EdgeFilter::All, false).search(MOST_PATHS)
}

/// Returns a shortest path whose windows may have no common instant.
pub(crate) fn ignoring_windows(state: &State, user: &UserRow, permission: u32) -> Option<Path> {
    let map = Map::new(state, user, permission, EdgeFilter::All, false);
    // Only the steps that lead to a grant are left, so each step comes nearer to one.
    let distance = |way: &Way| map.nodes.get(way.to).and_then(|node| node.distance);
    let nearest = |next: &[Way]| next.iter().copied().min_by_key(distance);
    let (mut steps, mut before, mut here) = (Vec::new(), None, nearest(&map.starts));
    while let Some(way) = here {
        let node = map.nodes.get(way.to)?;
        steps.extend(must(link(state, before, node.source, way.window), NEAR_END));
        if node.distance == Some(0) {
            let grant = grants(state, node.source, permission).min()?.to_owned();
            return Some(Path { steps, grant });
        }
        (before, here) = (Some(node.source), nearest(map.next(way.to)));
    }
    None
}

/// Everything that the user reaches, how far each node is from a grant, and when it leads there.
///
/// Nodes and edges are numbered in the order in which they are found, so that everything after that is an array access.
struct Map<'a> {
    state: &'a State,
    permission: u32,
    starts: Vec<Way>,
    nodes: Vec<Node>,
    /// Those that leave one node are adjacent.
    ways: Vec<Way>,
    /// Whether a partial path may lead to no path at all, because too many windows combine.
    has_dead_ends: bool,
}

/// A group or role.
struct Node {
    source: Source,
    /// The edges that leave it, in the order of the names to which they lead.
    ways: Range<usize>,
    /// The number of steps to a role that grants. `None` if no grant can be reached from it.
    distance: Option<usize>,
    /// The instants at which it leads to the permission. `None` if all edges are active at one instant, or if too many
    /// windows combine.
    instants: Option<WindowSet>,
}

/// An edge to a node.
#[derive(Clone, Copy)]
struct Way {
    to: usize,
    window: Window,
}

/// The numbers of the nodes from which edges lead to each node.
type Incoming = Vec<SmallVec<[usize; 2]>>;

const NUMBERED: &str = "an edge of a map leads to one of its nodes";

impl<'a> Map<'a> {
    /// `shallow` stops at nodes that give the permission at every instant, for a question that needs no paths.
    fn new(state: &'a State, user: &UserRow, permission: u32, which: EdgeFilter<'_, '_>, shallow: bool) -> Self {
        let takes = |edge| match which {
            EdgeFilter::Active(when) => is_active(edge, when),
            EdgeFilter::All => true,
        };
        let (starts, nodes, ways) = (Vec::new(), Vec::new(), Vec::new());
        let mut map = Self { state, permission, starts, nodes, ways, has_dead_ends: false };
        let mut numbers = HashMap::new();
        for (source, edge) in user.sources() {
            if leads(state, source, permission) && takes(edge) {
                let to = map.number(&mut numbers, source);
                map.starts.push(Way { to, window: edge.window });
            }
        }
        let (mut incoming, mut near) = (Incoming::new(), VecDeque::new());
        let mut at = 0;
        while let Some(source) = map.nodes.get(at).map(|node| node.source) {
            let first = map.ways.len();
            // A cached row contains what the node gives at every instant (I7).
            let for_good = shallow && state.always_gives(source, permission);
            if !for_good {
                each_edge(state, source, |to, edge| {
                    if leads(state, to, permission) && takes(*edge) {
                        let to = map.number(&mut numbers, to);
                        map.ways.push(Way { to, window: edge.window });
                    }
                });
            }
            incoming.resize_with(map.nodes.len(), SmallVec::new);
            for way in map.ways.get(first..).unwrap_or_default() {
                if let Some(incoming) = must(incoming.get_mut(way.to), NUMBERED) {
                    incoming.push(at);
                }
            }
            let ends = for_good || grants(state, source, permission).next().is_some();
            let end = map.ways.len();
            if let Some(node) = map.nodes.get_mut(at) {
                node.ways = first..end;
                node.distance = ends.then_some(0);
            }
            near.extend(ends.then_some((at, 0)));
            at += 1;
        }
        while let Some((at, distance)) = near.pop_front() {
            for before in incoming.get(at).into_iter().flatten() {
                let Some(node) = must(map.nodes.get_mut(*before), NUMBERED) else { continue };
                if node.distance.is_none() {
                    node.distance = Some(distance + 1);
                    near.push_back((*before, distance + 1));
                }
            }
        }
        map.keep_what_leads();
        if matches!(which, EdgeFilter::All) {
            map.has_dead_ends = !map.find_instants(&incoming);
        }
        map
    }

    /// The number of a node, which is new if the node is.
    fn number(&mut self, numbers: &mut HashMap<Source, usize>, source: Source) -> usize {
        *numbers.entry(source).or_insert_with(|| {
            self.nodes.push(Node { source, ways: 0..0, distance: None, instants: None });
            self.nodes.len() - 1
        })
    }

    /// Drops the edges that lead to no grant, and sorts the others by name.
    fn keep_what_leads(&mut self) {
        let Self { state, starts, nodes, ways, .. } = self;
        let leads = |nodes: &[Node], way: &Way| nodes.get(way.to).is_some_and(|node| node.distance.is_some());
        let name = |nodes: &[Node], way: &Way| nodes.get(way.to).map_or("", |node| name_of(state, node.source));
        starts.retain(|way| leads(nodes, way));
        starts.sort_by(|a, b| name(nodes, a).cmp(name(nodes, b)));
        for at in 0..nodes.len() {
            let Some(range) = nodes.get(at).map(|node| node.ways.clone()) else { continue };
            let Some(all) = must(ways.get_mut(range.clone()), NUMBERED) else { continue };
            // The sort keeps the order of what is equal.
            all.sort_by(|a, b| {
                let order = leads(nodes, b).cmp(&leads(nodes, a));
                order.then_with(|| name(nodes, a).cmp(name(nodes, b)))
            });
            let left = all.partition_point(|way| leads(nodes, way));
            if let Some(node) = nodes.get_mut(at) {
                node.ways = range.start..range.start + left;
            }
        }
    }

    /// Finds the instants at which each node leads to the permission, from the grants backwards. Returns `false` if too many
    /// windows combine.
    fn find_instants(&mut self, incoming: &Incoming) -> bool {
        let mut waits_for: Vec<usize> = self.nodes.iter().map(|node| node.ways.len()).collect();
        let leads = |(_, node): &(usize, &Node)| node.distance.is_some() && node.ways.is_empty();
        let mut ready: Vec<usize> = (0..).zip(&self.nodes).filter(leads).map(|(at, _)| at).collect();
        let mut combined = 0;
        while let Some(at) = ready.pop() {
            let Some(node) = must(self.nodes.get(at), NUMBERED) else { continue };
            let mut set = if node.distance == Some(0) { WindowSet::always() } else { WindowSet::default() };
            for way in self.next(at) {
                if set.is_always() {
                    break;
                }
                let of_next = self.nodes.get(way.to).and_then(|node| node.instants.as_ref());
                let Some(of_next) = must(of_next, "a graph without cycles has an order") else { continue };
                combined += (of_next.windows().len() + set.windows().len()).saturating_sub(2);
                set.insert_within(of_next, way.window);
            }
            if combined > MOST_COMBINED {
                self.nodes.iter_mut().for_each(|node| node.instants = None);
                return false;
            }
            if let Some(node) = self.nodes.get_mut(at) {
                node.instants = Some(set);
            }
            for before in incoming.get(at).into_iter().flatten() {
                let Some(count) = waits_for.get_mut(*before) else { continue };
                *count -= 1;
                if *count == 0 {
                    ready.push(*before);
                }
            }
        }
        true
    }

    fn access(self) -> Access {
        if self.has_dead_ends {
            let next = (0..self.nodes.len()).flat_map(|at| self.next(at));
            let windows = next.chain(&self.starts).map(|way| way.window);
            return Access::Unknown(windows.filter(|window| !window.is_always()).collect());
        }
        if self.starts.is_empty() {
            return Access::Never;
        }
        let mut set = WindowSet::default();
        for way in &self.starts {
            let of_node = self.nodes.get(way.to).and_then(|node| node.instants.as_ref());
            if let Some(of_node) = must(of_node, "a graph without cycles has an order") {
                set.insert_within(of_node, way.window);
            }
        }
        Access::During(set)
    }

    /// The edges of a node that lead to a grant.
    fn next(&self, at: usize) -> &[Way] {
        self.nodes.get(at).and_then(|node| self.ways.get(node.ways.clone())).unwrap_or_default()
    }

    /// Finds at most this many paths.
    fn search(&self, most: usize) -> FoundPaths {
        let (state, permission) = (self.state, self.permission);
        let mut search = Search::default();
        for way in self.starts.iter().rev() {
            search.push(None, *way, self);
        }
        let mut found = FoundPaths::default();
        let mut steps = 0;
        while let Some((Reverse(_), _, _, at)) = search.heap.pop() {
            steps += 1;
            if found.paths.len() >= most || ((self.has_dead_ends || !found.paths.is_empty()) && steps > MOST_STEPS) {
                found.more = true;
                break;
            }
            let Some(step) = search.arena.get(at).copied() else { continue };
            let Some(node) = must(self.nodes.get(step.way.to), NUMBERED) else { continue };
            if step.ends {
                steps += step.length;
                // One more than wanted shows whether there are more.
                let wanted = (most + 1).saturating_sub(found.paths.len());
                let grants = grants(state, node.source, permission).take(wanted);
                found.paths.extend(grants.map(|grant| Path { steps: search.steps(at, self), grant: grant.to_owned() }));
                continue;
            }
            for way in self.next(step.way.to).iter().rev() {
                search.push(Some(at), *way, self);
            }
            if node.distance == Some(0) {
                search.end(at);
            }
        }
        if found.paths.len() > most {
            found.paths.truncate(most);
            found.more = true;
        }
        found.paths.sort_by(|a, b| {
            a.steps.len().cmp(&b.steps.len()).then_with(|| a.names().cmp(b.names())).then_with(|| a.cmp(b))
        });
        found
    }
}

/// Whether this source may give the permission at some instant (I8). Without a cached row it may.
pub(super) fn leads(state: &State, source: Source, permission: u32) -> bool {
    let columns = &state.columns;
    match columns.column(source) {
        // One line of columns answers for many sources.
        Some(column) if columns.has(column, permission) => true,
        Some(column) if !columns.is_incomplete(column) => false,
        _ => state.may_give(source, permission),
    }
}

/// Passes on the edges that leave a node.
#[inline]
pub(crate) fn each_edge(state: &State, node: Source, mut visit: impl FnMut(Source, &Edge)) {
    match node {
        Source::Group(n) => {
            let Some(group) = must(state.groups.row(n), NEAR_END) else { return };
            group.sources().for_each(|(source, edge)| visit(source, &edge));
        }
        Source::Role(n) => {
            let Some(role) = must(state.roles.row(n), NEAR_END) else { return };
            role.includes.iter().for_each(|n| visit(Source::Role(*n), &Edge { to: *n, window: Window::ALWAYS }));
        }
    }
}

/// The node's own grants of this permission: its slug, and patterns that match. A permission that was removed from the
/// catalog has been reported as unknown before paths are searched.
pub(super) fn grants(state: &State, node: Source, permission: u32) -> impl Iterator<Item = &str> {
    let role = match node {
        Source::Role(role) => state.roles.row(role),
        Source::Group(_) => None,
    };
    role.into_iter().flat_map(move |role| {
        let slug = state.permissions.name_at(permission);
        let complete = role.grants.contains(|n| n.cmp(&permission)).then_some(slug);
        let patterns = role.patterns.iter().filter(move |pattern| pattern.matches(slug));
        complete.into_iter().chain(patterns.map(Pattern::as_str))
    })
}

/// The slug of a node.
pub(super) fn name_of(state: &State, node: Source) -> &str {
    match node {
        Source::Group(n) => state.groups.name_at(n),
        Source::Role(n) => state.roles.name_at(n),
    }
}

/// The step to `node`, from the node `before` or from the user.
pub(crate) fn link(state: &State, before: Option<Source>, node: Source, window: Window) -> Option<PathStep> {
    let role = |n| state.roles.row(n).map(|row| (row.record.slug.clone(), row.origin(), row.is_in_conflict()));
    Some(match (before, node) {
        (None, Source::Group(n)) => PathStep::Member { group: state.groups.row(n)?.record.slug.clone(), window },
        (Some(_), Source::Group(n)) => PathStep::Parent { group: state.groups.row(n)?.record.slug.clone(), window },
        (Some(Source::Role(_)), Source::Role(n)) => {
            let (role, origin, in_conflict) = role(n)?;
            PathStep::Included { role, origin, in_conflict }
        }
        (_, Source::Role(n)) => {
            let (role, origin, in_conflict) = role(n)?;
            PathStep::Role { role, origin, in_conflict, window }
        }
    })
}

/// Partial paths. Each extends another by one step.
#[derive(Default)]
struct Search {
    arena: Vec<Partial>,
    /// Least total length first, then the longest, then the one pushed last.
    heap: BinaryHeap<(Reverse<usize>, usize, usize, usize)>,
}

#[derive(Clone, Copy)]
struct Partial {
    before: Option<usize>,
    way: Way,
    length: usize,
    /// The instants at which all of the path so far is active.
    window: Window,
    ends: bool,
}

impl Search {
    /// Extends a partial path by a step, if the longer one is active at some instant and leads to a grant.
    fn push(&mut self, before: Option<usize>, way: Way, map: &Map<'_>) {
        let before_it = before.and_then(|at| self.arena.get(at));
        let (length, so_far) = before_it.map_or((1, Window::ALWAYS), |before| (before.length + 1, before.window));
        let Some(window) = so_far.intersection(way.window) else { return };
        let Some(node) = must(map.nodes.get(way.to), NUMBERED) else { return };
        if node.instants.as_ref().is_some_and(|instants| !instants.meets(window)) {
            return;
        }
        let Some(distance) = must(node.distance, "a path leads to a grant") else { return };
        let at = self.arena.len();
        self.arena.push(Partial { before, way, length, window, ends: false });
        self.heap.push((Reverse(length + distance), length, at, at));
    }

    /// Marks the partial path here as a complete one, too.
    fn end(&mut self, at: usize) {
        let Some(step) = self.arena.get(at).copied() else { return };
        let end = self.arena.len();
        self.arena.push(Partial { ends: true, ..step });
        self.heap.push((Reverse(step.length), step.length, end, end));
    }

    /// The steps of a complete path.
    fn steps(&self, at: usize, map: &Map<'_>) -> Vec<PathStep> {
        let mut here = self.arena.get(at);
        let mut steps = Vec::with_capacity(here.map_or(0, |last| last.length));
        while let Some(Partial { before, way, .. }) = here {
            here = before.and_then(|before| self.arena.get(before));
            let source = |way: &Way| map.nodes.get(way.to).map(|node| node.source);
            let before = here.and_then(|before| source(&before.way));
            let step = source(way).and_then(|node| link(map.state, before, node, way.window));
            steps.extend(must(step, NEAR_END));
        }
        steps.reverse();
        steps
    }
}
