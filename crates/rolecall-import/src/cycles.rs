//! Leaves out the edges that close cycles, which a document may not have (R7). The remaining edges give less, never more.

use std::collections::{BTreeMap, BTreeSet};

/// From a node to its neighbours: from a role to those that it includes.
pub(crate) type Edges = BTreeMap<String, BTreeSet<String>>;

/// Removes the edges that close cycles, and returns them.
///
/// A depth-first walk without recursion. An edge to a node of the present path closes a cycle.
pub(crate) fn remove_cycles(edges: &mut Edges) -> Vec<(String, String)> {
    let (mut finished, mut removed) = (BTreeSet::new(), Vec::new());
    for start in edges.keys() {
        let mut path: Vec<(&String, Vec<&String>)> = Vec::new();
        let mut on_path = BTreeSet::new();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take().filter(|node| !finished.contains(*node)) {
                on_path.insert(node);
                path.push((node, edges.get(node).into_iter().flatten().collect()));
            }
            let Some((node, waiting)) = path.last_mut() else { break };
            match waiting.pop() {
                Some(target) if on_path.contains(target) => removed.push(((*node).clone(), target.clone())),
                Some(target) => next = Some(target),
                None => {
                    on_path.remove(*node);
                    finished.insert(*node);
                    path.pop();
                }
            }
        }
    }
    for (from, to) in &removed {
        if let Some(targets) = edges.get_mut(from) {
            targets.remove(to);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_that_close_cycles_are_removed_and_others_stay() {
        let edges = |list: &[(&str, &str)]| {
            let mut edges = Edges::new();
            for (from, to) in list {
                edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
            edges
        };
        for (list, removed) in [
            (&[("a", "b"), ("a", "c"), ("b", "c")][..], 0),
            (&[("a", "a"), ("a", "b")], 1),
            (&[("a", "b"), ("b", "c"), ("c", "a")], 1),
            (&[("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("a", "d")], 2),
        ] {
            let mut graph = edges(list);
            assert_eq!(remove_cycles(&mut graph).len(), removed, "{list:?}");
            assert_eq!(remove_cycles(&mut graph), []);
            assert_eq!(graph.values().map(BTreeSet::len).sum::<usize>(), list.len() - removed);
        }
    }
}
