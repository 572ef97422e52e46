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

use hashbrown::HashMap;

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
pub(crate) enum Edges<'a, 'c> {
    /// Those that are active at an instant.
    Active(&'a When<'c>),
    /// Those that are active at some instant.
    All,
}

/// The paths that were found, and whether there may be more.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) paths: Vec<Path>,
    pub(crate) more: bool,
}

/// Finds the paths that are active at an instant.
pub(crate) fn active(state: &State, user: &UserRow, permission: u32, when: &When<'_>) -> Found {
    Map::new(state, user, permission, Edges::Active(when), false).search(MOST_PATHS)
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
    Map::new(state, user, permission, Edges::All, true).access()
}

/// Finds the paths that are active at some instant.
pub(crate) fn at_any_time(state: &State, user: &UserRow, permission: u32) -> Found {
    Map::new(state, user, permission, Edges::All, false).search(MOST_PATHS)
}

/// Returns a shortest path whose windows may have no common instant.
pub(crate) fn ignoring_windows(state: &State, user: &UserRow, permission: u32) -> Option<Path> {
    let map = Map::new(state, user, permission, Edges::All, false);
    // What leads to a grant is all that is left, so each step comes nearer to one.
    let nearest = |next: &[(Source, Window)]| next.iter().copied().min_by_key(|(to, _)| map.distance.get(to));
    let (mut steps, mut before, mut here) = (Vec::new(), None, nearest(&map.starts));
    while let Some((node, window)) = here {
        steps.extend(must(link(state, before, node, window), NEAR_END));
        if map.grants(node) {
            let grant = grants(state, node, permission).min()?.to_owned();
            return Some(Path { steps, grant });
        }
        (before, here) = (Some(node), nearest(map.next(node)));
    }
    None
}

/// Everything that the user reaches, how far each node is from a grant, and when it leads there.
struct Map<'a> {
    state: &'a State,
    permission: u32,
    starts: Vec<(Source, Window)>,
    edges: HashMap<Source, Vec<(Source, Window)>>,
    /// The number of steps from a node to a role that grants. A node that is missing leads to none.
    distance: HashMap<Source, usize>,
    /// The instants at which a node leads to the permission. `None` if all edges are active at one instant, or if too
    /// many windows combine.
    instants: Option<HashMap<Source, WindowSet>>,
    /// Whether a partial path may lead to no path at all, because too many windows combine.
    has_dead_ends: bool,
}

impl<'a> Map<'a> {
    /// `shallow` stops at nodes that give the permission at every instant, for a question that needs no paths.
    fn new(state: &'a State, user: &UserRow, permission: u32, which: Edges<'_, '_>, shallow: bool) -> Self {
        let takes = |edge| match which {
            Edges::Active(when) => is_active(edge, when),
            Edges::All => true,
        };
        let starts: Vec<(Source, Window)> = user
            .sources()
            .filter(|(source, edge)| leads(state, *source, permission) && takes(*edge))
            .map(|(source, edge)| (source, edge.window))
            .collect();
        let mut todo: Vec<Source> = starts.iter().map(|(source, _)| *source).collect();
        let mut map = Self {
            state,
            permission,
            starts,
            edges: HashMap::new(),
            distance: HashMap::new(),
            instants: None,
            has_dead_ends: false,
        };
        let mut back: HashMap<Source, Vec<Source>> = HashMap::new();
        let mut near = VecDeque::new();
        while let Some(node) = todo.pop() {
            if map.edges.contains_key(&node) {
                continue;
            }
            let mut next: Vec<(Source, Window)> = Vec::new();
            // A cached row contains what the node gives at every instant (I7).
            let for_good = shallow && state.always_gives(node, permission);
            if !for_good {
                each_edge(state, node, |to, edge| {
                    if leads(state, to, permission) && takes(*edge) {
                        next.push((to, edge.window));
                    }
                });
            }
            for (to, _) in &next {
                back.entry(*to).or_default().push(node);
                todo.push(*to);
            }
            map.edges.insert(node, next);
            if for_good || grants(state, node, permission).next().is_some() {
                map.distance.insert(node, 0);
                near.push_back((node, 0));
            }
        }
        while let Some((node, distance)) = near.pop_front() {
            for before in back.get(&node).into_iter().flatten() {
                if !map.distance.contains_key(before) {
                    map.distance.insert(*before, distance + 1);
                    near.push_back((*before, distance + 1));
                }
            }
        }
        map.keep_what_leads();
        if matches!(which, Edges::All) {
            map.instants = map.find_instants(&back);
            map.has_dead_ends = map.instants.is_none();
        }
        map
    }

    /// Drops the edges that lead to no grant, and sorts the others by name.
    fn keep_what_leads(&mut self) {
        let Self { state, starts, edges, distance, .. } = self;
        edges.retain(|node, _| distance.contains_key(node));
        for next in edges.values_mut().chain([starts]) {
            next.retain(|(to, _)| distance.contains_key(to));
            next.sort_by(|(a, _), (b, _)| name_of(state, *a).cmp(name_of(state, *b)));
        }
    }

    /// Finds the instants at which each node leads to the permission, from the grants backwards. `None` if too many
    /// windows combine.
    fn find_instants(&self, back: &HashMap<Source, Vec<Source>>) -> Option<HashMap<Source, WindowSet>> {
        let mut instants: HashMap<Source, WindowSet> = HashMap::with_capacity(self.edges.len());
        let mut waits_for: HashMap<Source, usize> = self.edges.iter().map(|(node, next)| (*node, next.len())).collect();
        let mut ready: Vec<Source> =
            waits_for.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
        let mut combined = 0;
        while let Some(node) = ready.pop() {
            let mut set = if self.grants(node) { WindowSet::always() } else { WindowSet::default() };
            for (to, window) in self.next(node) {
                if set.is_always() {
                    break;
                }
                let Some(of_next) = must(instants.get(to), "a graph without cycles has an order") else { continue };
                combined += (of_next.windows().len() + set.windows().len()).saturating_sub(2);
                set.insert_within(of_next, *window);
            }
            if combined > MOST_COMBINED {
                return None;
            }
            instants.insert(node, set);
            for before in back.get(&node).into_iter().flatten() {
                let Some(count) = waits_for.get_mut(before) else { continue };
                *count -= 1;
                if *count == 0 {
                    ready.push(*before);
                }
            }
        }
        Some(instants)
    }

    fn access(self) -> Access {
        let Some(instants) = self.instants else {
            let windows = self.edges.into_values().flatten().chain(self.starts).map(|(_, window)| window);
            return Access::Unknown(windows.filter(|window| !window.is_always()).collect());
        };
        if self.starts.is_empty() {
            return Access::Never;
        }
        let mut set = WindowSet::default();
        for (node, window) in &self.starts {
            if let Some(of_node) = must(instants.get(node), "a graph without cycles has an order") {
                set.insert_within(of_node, *window);
            }
        }
        Access::During(set)
    }

    fn next(&self, node: Source) -> &[(Source, Window)] {
        self.edges.get(&node).map_or(&[], Vec::as_slice)
    }

    fn grants(&self, node: Source) -> bool {
        self.distance.get(&node) == Some(&0)
    }

    fn window(&self, from: Option<Source>, to: Source) -> Window {
        let edges = from.map_or(self.starts.as_slice(), |from| self.next(from));
        edges.iter().find(|(node, _)| *node == to).map_or(Window::ALWAYS, |(_, window)| *window)
    }

    /// Finds at most this many paths.
    fn search(&self, most: usize) -> Found {
        let (state, permission) = (self.state, self.permission);
        let mut search = Search::default();
        for (source, window) in self.starts.iter().rev() {
            search.push(None, *source, *window, self);
        }
        let mut found = Found::default();
        let mut steps = 0;
        while let Some((Reverse(_), _, _, at)) = search.heap.pop() {
            steps += 1;
            if found.paths.len() >= most || ((self.has_dead_ends || !found.paths.is_empty()) && steps > MOST_STEPS) {
                found.more = true;
                break;
            }
            let Some(step) = search.arena.get(at).copied() else { continue };
            if step.ends {
                let path = search.steps(state, at, self);
                steps += path.len();
                // One more than wanted shows whether there are more.
                let wanted = (most + 1).saturating_sub(found.paths.len());
                let grants = grants(state, step.node, permission).take(wanted);
                found.paths.extend(grants.map(|grant| Path { steps: path.clone(), grant: grant.to_owned() }));
                continue;
            }
            for (next, window) in self.next(step.node).iter().rev() {
                search.push(Some(at), *next, *window, self);
            }
            if self.grants(step.node) {
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
    state.may_give(source, permission)
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
    node: Source,
    length: usize,
    /// The instants at which all of the path so far is active.
    window: Window,
    ends: bool,
}

impl Search {
    /// Extends a partial path by a step, if the longer one is active at some instant and leads to a grant.
    fn push(&mut self, before: Option<usize>, node: Source, edge: Window, map: &Map<'_>) {
        let before_it = before.and_then(|at| self.arena.get(at));
        let (length, so_far) = before_it.map_or((1, Window::ALWAYS), |before| (before.length + 1, before.window));
        let Some(window) = so_far.intersection(edge) else { return };
        if let Some(instants) = &map.instants {
            let Some(of_node) = must(instants.get(&node), "every node of a path has its instants") else { return };
            if !of_node.meets(window) {
                return;
            }
        }
        let Some(distance) = must(map.distance.get(&node), "a path leads to a grant") else { return };
        let at = self.arena.len();
        self.arena.push(Partial { before, node, length, window, ends: false });
        self.heap.push((Reverse(length + distance), length, at, at));
    }

    /// Marks the partial path here as a complete one, too.
    fn end(&mut self, at: usize) {
        let Some(step) = self.arena.get(at).copied() else { return };
        let end = self.arena.len();
        self.arena.push(Partial { ends: true, ..step });
        self.heap.push((Reverse(step.length), step.length, end, end));
    }

    fn steps(&self, state: &State, at: usize, map: &Map<'_>) -> Vec<PathStep> {
        let mut nodes = Vec::new();
        let mut step = self.arena.get(at).copied();
        while let Some(here) = step {
            nodes.push(here.node);
            step = here.before.and_then(|before| self.arena.get(before)).copied();
        }
        nodes.reverse();
        let before = [None].into_iter().chain(nodes.iter().map(|node| Some(*node)));
        nodes
            .iter()
            .zip(before)
            .filter_map(|(node, before)| must(link(state, before, *node, map.window(before, *node)), NEAR_END))
            .collect()
    }
}
