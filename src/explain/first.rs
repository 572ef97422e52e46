//! One reason: the first of the paths that an explanation has, without looking for the others.
//!
//! A search by levels from the user, into nothing whose kept row says that it does not lead there (I8). So where rows are
//! exact it visits what lies on paths and nothing else. Each level is kept in the order of explanations, by the names
//! along the path and then by the steps; so the first grant that is met ends the path that is listed first.
//!
//! Deliberately absent: the rest, which `paths.rs` finds.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::paths::{edges_of, grants, leads, link, name_of};
use super::{Link, Path};
use crate::clock::When;
use crate::records::Window;
use crate::snapshot::nouns::UserRow;
use crate::snapshot::source::Source;
use crate::snapshot::state::State;
use crate::snapshot::walk::{Seen, counts};

/// A node, and how the search came to it.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The step before, in the list of all steps; none from the user.
    before: Option<usize>,
    node: Source,
    window: Window,
    /// Which of its level have the same names along the way: they share this number, and it rises with the names.
    names: usize,
}

/// The first path that counts at an instant, if there is one.
///
/// # Complexity
/// O(edges of the groups and roles on shortest paths), and of all that is nearer and whose row cannot tell.
pub(crate) fn first(state: &State, user: &UserRow, permission: u32, when: &When<'_>) -> Option<Path> {
    let mut steps: SmallVec<[Step; 16]> = SmallVec::new();
    let mut seen = Seen::default();
    let mut level: SmallVec<[Step; 16]> = State::sources_of(user)
        .filter(|(source, edge)| leads(state, *source, permission) && counts(*edge, when))
        .map(|(node, edge)| Step { before: None, node, window: edge.window, names: 0 })
        .collect();
    while !level.is_empty() {
        let from = steps.len();
        in_order(state, &steps, &mut level);
        steps.extend(level.drain(..).filter(|step| seen.insert(step.node)));
        for at in from..steps.len() {
            let step = steps.get(at)?;
            if let Some(grant) = grants(state, step.node, permission).min() {
                return Some(Path { links: links(state, &steps, at), grant: grant.to_owned() });
            }
            let onward = edges_of(state, step.node)
                .filter(|(to, edge)| leads(state, *to, permission) && counts(*edge, when) && !seen.has(*to))
                .map(|(node, edge)| Step { before: Some(at), node, window: edge.window, names: 0 });
            level.extend(onward);
        }
    }
    None
}

/// Sorts a level: by the names along the way, then by the kinds of the steps. The level before is sorted.
fn in_order(state: &State, steps: &[Step], level: &mut [Step]) {
    if level.len() < 2 {
        return;
    }
    let names = |step: &Step| step.before.and_then(|before| steps.get(before)).map(|before| before.names);
    let by_names = |a: &Step, b: &Step| -> Ordering {
        names(a).cmp(&names(b)).then_with(|| name_of(state, a.node).cmp(&name_of(state, b.node)))
    };
    let is_role = |step: &Step| matches!(step.node, Source::Role(_));
    level
        .sort_by(|a, b| by_names(a, b).then_with(|| a.before.cmp(&b.before)).then_with(|| is_role(a).cmp(&is_role(b))));
    let (mut before, mut rank) = (level.first().copied(), 0);
    for step in level {
        rank += usize::from(before.is_some_and(|before| by_names(&before, step).is_ne()));
        before = Some(*step);
        step.names = rank;
    }
}

fn links(state: &State, steps: &[Step], at: usize) -> Vec<Link> {
    let way = std::iter::successors(steps.get(at), |step| steps.get(step.before?));
    let mut links: Vec<Link> = way
        .filter_map(|step| {
            let before = step.before.and_then(|before| steps.get(before)).map(|before| before.node);
            link(state, before, step.node, step.window)
        })
        .collect();
    links.reverse();
    links
}
