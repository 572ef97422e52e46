//! Finding the paths from a user to a permission, shortest first.
//!
//! First it finds everything that the user reaches. Then, backwards from the roles that grant, it finds how far each
//! node is from a grant. The search that follows takes no useless step: it always extends the partial path of least
//! total length, and of those the longest. The first complete path is therefore a shortest one. In a lattice of 40
//! diamonds, which has 2^40 paths, each path costs only its own length.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hashbrown::HashMap;

use super::{Path, PathStep};
use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::{Pattern, Window};
use crate::resolver::snapshot::edge::{Edge, NEAR_END};
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::walk::is_active;

pub(crate) const MOST_PATHS: usize = 64;
pub(crate) const MOST_STEPS: usize = 10_000;

/// Which edges a path may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edges<'a, 'c> {
    /// Those that are active at an instant.
    Counting(&'a When<'c>),
    /// All, active or not.
    All,
}

/// The paths that were found, and whether there may be more.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) paths: Vec<Path>,
    pub(crate) more: bool,
}

pub(crate) fn find(state: &State, user: &UserRow, permission: u32, edges: Edges<'_, '_>, most: usize) -> Found {
    let map = Map::new(state, user, permission, edges);
    let mut search = Search::default();
    for (source, _) in map.starts.iter().rev() {
        search.push(None, *source, 1, &map);
    }
    let mut found = Found::default();
    let mut steps = 0;
    while let Some((Reverse(_), _, _, at)) = search.heap.pop() {
        steps += 1;
        if found.paths.len() >= most || (!found.paths.is_empty() && steps > MOST_STEPS) {
            found.more = true;
            break;
        }
        let Some(step) = search.arena.get(at).copied() else { continue };
        if step.ends {
            let path = search.steps(state, at, &map);
            steps += path.len();
            // One more than wanted shows whether there are more.
            let wanted = (most + 1).saturating_sub(found.paths.len());
            let grants = grants(state, step.node, permission).take(wanted);
            found.paths.extend(grants.map(|grant| Path { steps: path.clone(), grant: grant.to_owned() }));
            continue;
        }
        for (next, _) in map.next(step.node).iter().rev() {
            search.push(Some(at), *next, step.length + 1, &map);
        }
        if map.grants(step.node) {
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

/// The windows on every edge that could lead from a user to a permission.
pub(crate) fn windows(state: &State, user: &UserRow, permission: u32) -> Vec<Window> {
    let map = Map::new(state, user, permission, Edges::All);
    let all = map.edges.values().flatten().chain(&map.starts).map(|(_, window)| *window);
    all.filter(|window| !window.is_always()).collect()
}

/// Everything that the user reaches, and how far each node is from a grant.
struct Map {
    starts: Vec<(Source, Window)>,
    edges: HashMap<Source, Vec<(Source, Window)>>,
    /// The number of steps from a node to a role that grants. A node that is missing leads to none.
    distance: HashMap<Source, usize>,
}

impl Map {
    fn new(state: &State, user: &UserRow, permission: u32, edges: Edges<'_, '_>) -> Self {
        let takes = |edge| match edges {
            Edges::Counting(when) => is_active(edge, when),
            Edges::All => true,
        };
        let mut starts: Vec<(Source, Window)> = user
            .sources()
            .filter(|(source, edge)| leads(state, *source, permission) && takes(*edge))
            .map(|(source, edge)| (source, edge.window))
            .collect();
        let mut map = Self { starts: Vec::new(), edges: HashMap::new(), distance: HashMap::new() };
        let mut back: HashMap<Source, Vec<Source>> = HashMap::new();
        let mut near = VecDeque::new();
        let mut todo: Vec<Source> = starts.iter().map(|(source, _)| *source).collect();
        while let Some(node) = todo.pop() {
            if map.edges.contains_key(&node) {
                continue;
            }
            let mut next: Vec<(Source, Window)> = Vec::new();
            each_edge(state, node, |to, edge| {
                if leads(state, to, permission) && takes(*edge) {
                    next.push((to, edge.window));
                }
            });
            for (to, _) in &next {
                back.entry(*to).or_default().push(node);
                todo.push(*to);
            }
            map.edges.insert(node, next);
            if grants(state, node, permission).next().is_some() {
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
        let Self { edges, distance, .. } = &mut map;
        for next in edges.values_mut().chain([&mut starts]) {
            next.retain(|(to, _)| distance.contains_key(to));
            next.sort_by(|(a, _), (b, _)| name_of(state, *a).cmp(name_of(state, *b)));
        }
        map.starts = starts;
        map
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
}

/// Whether this source may give the permission at some instant (I8). Without a cached row it may.
pub(super) fn leads(state: &State, source: Source, permission: u32) -> bool {
    state.cached_row(source).is_none_or(|cached| !cached.complete || cached.row.contains(permission))
}

/// Passes on the edges that leave a node.
#[inline]
pub(super) fn each_edge(state: &State, node: Source, mut visit: impl FnMut(Source, &Edge)) {
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

/// What a node itself grants that is this permission: its slug, and patterns that match. A permission that was removed
/// from the catalog has been reported as unknown before paths are searched.
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
pub(super) fn link(state: &State, before: Option<Source>, node: Source, window: Window) -> Option<PathStep> {
    Some(match (before, node) {
        (None, Source::Group(n)) => PathStep::Member { group: state.groups.row(n)?.record.slug.clone(), window },
        (Some(_), Source::Group(n)) => PathStep::Parent { group: state.groups.row(n)?.record.slug.clone(), window },
        (Some(Source::Role(_)), Source::Role(n)) => {
            PathStep::Included { role: state.roles.row(n)?.record.slug.clone() }
        }
        (_, Source::Role(n)) => PathStep::Role { role: state.roles.row(n)?.record.slug.clone(), window },
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
    ends: bool,
}

impl Search {
    fn push(&mut self, before: Option<usize>, node: Source, length: usize, map: &Map) {
        let Some(distance) = must(map.distance.get(&node), "a path leads to a grant") else { return };
        let at = self.arena.len();
        self.arena.push(Partial { before, node, length, ends: false });
        self.heap.push((Reverse(length + distance), length, at, at));
    }

    /// Marks the partial path here as a complete one, too.
    fn end(&mut self, at: usize) {
        let Some(step) = self.arena.get(at).copied() else { return };
        let end = self.arena.len();
        self.arena.push(Partial { ends: true, ..step });
        self.heap.push((Reverse(step.length), step.length, end, end));
    }

    fn steps(&self, state: &State, at: usize, map: &Map) -> Vec<PathStep> {
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
