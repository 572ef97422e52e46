//! One reason: the first of the paths that an explanation has, without looking for the others.
//!
//! A search by levels from the user, into nothing whose kept row says that it does not lead there (I8). So where rows are
//! exact it visits what lies on paths and nothing else. Each level is kept in the order of explanations, by the names
//! along the path and then by the steps; so the first grant that is met ends the path that is listed first.
//!
//! Deliberately absent: the rest, which `paths.rs` finds.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::paths::{each_edge, grants, leads, link, name_of};
use super::{Link, Path};
use crate::clock::When;
use crate::records::Window;
use crate::snapshot::names::sealed::Found;
use crate::snapshot::source::Source;
use crate::snapshot::state::State;
use crate::snapshot::walk::{Seen, counts, held};

/// A node, and how the search came to it.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Where the step before is in the list of all steps; from the user, [`NONE`].
    before: u32,
    node: Source,
    /// Steps of one level that have the same names along the way share this number, and it rises with the names.
    names: u32,
}

const NONE: u32 = u32::MAX;

type Steps = SmallVec<[Step; 16]>;

/// The first path that counts at an instant, if there is one.
///
/// # Complexity
/// O(edges of the groups and roles on shortest paths), and of all that is nearer and whose row cannot tell.
pub(crate) fn first(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> Option<Path> {
    let held = held(state, user);
    let counting = held.iter().filter(|(source, edge)| leads(state, *source, permission) && counts(*edge, when));
    let (mut steps, mut seen) = (Steps::new(), Seen::default());
    let mut level: Steps = counting.map(|(node, _)| Step { before: NONE, node: *node, names: 0 }).collect();
    while !level.is_empty() {
        let from = steps.len();
        in_order(state, &steps, &mut level);
        steps.extend(level.drain(..).filter(|step| seen.insert(step.node)));
        for at in from..steps.len() {
            let step = steps.get(at)?;
            if let Some(grant) = grants(state, step.node, permission).min() {
                let user = held.iter().map(|(source, edge)| (*source, edge.window));
                return Some(Path { links: links(state, &steps, at, user), grant: grant.to_owned() });
            }
            let before = u32::try_from(at).ok()?;
            each_edge(state, step.node, |node, edge| {
                if leads(state, node, permission) && counts(*edge, when) {
                    level.push(Step { before, node, names: 0 });
                }
            });
        }
    }
    None
}

/// Sorts a level: by the names along the way, then by the kinds of the steps. The level before is sorted.
fn in_order(state: &State, steps: &[Step], level: &mut [Step]) {
    if level.len() < 2 {
        return;
    }
    let names = |step: &Step| steps.get(step.before as usize).map_or(0, |before| before.names);
    let by_names = |a: &Step, b: &Step| -> Ordering {
        names(a).cmp(&names(b)).then_with(|| name_of(state, a.node).cmp(name_of(state, b.node)))
    };
    let is_role = |step: &Step| matches!(step.node, Source::Role(_));
    level.sort_by(|a, b| by_names(a, b).then(a.before.cmp(&b.before)).then(is_role(a).cmp(&is_role(b))));
    let (mut before, mut rank) = (level.first().copied(), 0);
    for step in level {
        rank += u32::from(before.is_some_and(|before| by_names(&before, step).is_ne()));
        before = Some(*step);
        step.names = rank;
    }
}

/// The steps that led to this one, as they are told.
fn links(
    state: &State,
    steps: &[Step],
    last: usize,
    held: impl Iterator<Item = (Source, Window)> + Clone,
) -> Vec<Link> {
    let mut links = Vec::new();
    let mut here = steps.get(last);
    while let Some(step) = here {
        here = steps.get(step.before as usize);
        let before = here.map(|before| before.node);
        let window = match before {
            Some(before) => window(state, before, step.node),
            None => held.clone().find(|(source, _)| *source == step.node).map(|(_, window)| window),
        };
        links.extend(link(state, before, step.node, window.unwrap_or_default()));
    }
    links.reverse();
    links
}

/// When an edge counts: only those from groups to roles have windows.
fn window(state: &State, from: Source, to: Source) -> Option<Window> {
    match (from, to) {
        (Source::Group(group), Source::Role(role)) => {
            state.groups.row(group)?.roles.get(|edge| edge.to.cmp(&role)).map(|edge| edge.window)
        }
        _ => None,
    }
}
