//! Cycles among the entries of a document (R7), all of them at once.

use crate::model::internal_fault::must;

/// The name of the fault that an edge leads out of the graph.
const NODE: &str = "a node of a graph is among its nodes";

/// An edge to an entry, and where it stands in its list.
pub(super) type Edge = (usize, usize);

/// A cycle: the entry and the place in its list that close it, and the entries around, the first again at the end.
pub(super) struct Cycle<'a> {
    pub(super) entry: usize,
    pub(super) at: usize,
    pub(super) around: &'a mut dyn Iterator<Item = usize>,
}

/// Shows each edge that closes a cycle on the way through the entries in order; without these there is none. Iterative:
/// a document may be 100,000 deep.
///
/// # Complexity
/// O(entries + edges), and the depth at each cycle whose way around is looked at.
pub(super) fn each_cycle(edges: &[Vec<Edge>], mut found: impl FnMut(Cycle<'_>)) {
    /// How far through its edges an entry is; none before it is met, all of them when it is done.
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }

    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        let mut path: Vec<(usize, std::slice::Iter<'_, Edge>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(node) = next.take() {
                if let Some((mark @ Mark::New, out)) = must(marks.get_mut(node).zip(edges.get(node)), NODE) {
                    *mark = Mark::Open;
                    path.push((node, out.iter()));
                }
            }
            let Some((node, out)) = path.last_mut() else { break };
            match out.next() {
                Some((to, at)) if marks.get(*to) == Some(&Mark::Open) => {
                    let (entry, to, at) = (*node, *to, *at);
                    let mut around = path.iter().map(|(node, _)| *node).skip_while(|node| *node != to).chain([to]);
                    found(Cycle { entry, at, around: &mut around });
                }
                Some((to, _)) => next = Some(*to),
                None => {
                    if let Some(mark) = must(marks.get_mut(*node), NODE) {
                        *mark = Mark::Done;
                    }
                    path.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(edges: &[&[usize]]) -> Vec<Vec<usize>> {
        let edges: Vec<Vec<Edge>> = edges.iter().map(|out| out.iter().map(|to| (*to, 0)).collect()).collect();
        let mut all = Vec::new();
        each_cycle(&edges, |cycle| all.push(cycle.around.collect()));
        all
    }

    #[test]
    fn r7_every_cycle_is_shown() {
        assert_eq!(cycles(&[&[1, 2], &[2], &[]]), [[0; 0]; 0]);
        assert_eq!(cycles(&[&[0]]), [[0, 0]]);
        assert_eq!(cycles(&[&[1], &[2], &[0, 3], &[4], &[3]]), [vec![0, 1, 2, 0], vec![3, 4, 3]]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_costs_its_length() {
        let last = 100_000;
        let mut edges: Vec<Vec<Edge>> = (1..=last).map(|to| vec![(to, 0)]).collect();
        edges.push(vec![(0, 0)]);
        let mut lengths = Vec::new();
        each_cycle(&edges, |cycle| lengths.push((cycle.entry, cycle.around.count())));
        assert_eq!(lengths, [(last, last + 2)]);
    }
}
