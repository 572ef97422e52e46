//! Would an edge close a cycle? (R7)
//!
//! The search goes up from one end and down from the other by turns, and ends where the smaller side ends. So a chain of
//! 100,000 built from either end costs a step for each edge, and one pieced together in any order O(n log n) in all.

use std::collections::HashMap;

/// The path `from` → … → `to` along `up`, if there is one. `down` is the same edges the other way.
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

/// What has been reached from one end, each with where from.
struct Side<I> {
    seen: HashMap<u32, u32>,
    todo: Vec<u32>,
    open: Option<(u32, I)>,
}

impl<I: Iterator<Item = u32>> Side<I> {
    fn new(start: u32) -> Self {
        Self { seen: HashMap::from([(start, start)]), todo: vec![start], open: None }
    }

    /// Looks at one edge: the node if it is new; nothing at all if no edge is left.
    #[expect(clippy::option_option, reason = "outer: is there an edge left; inner: does it lead to a new node")]
    fn step(&mut self, next: &impl Fn(u32) -> I) -> Option<Option<u32>> {
        loop {
            if let Some((node, rest)) = &mut self.open {
                if let Some(to) = rest.next() {
                    if self.seen.contains_key(&to) {
                        return Some(None);
                    }
                    self.seen.insert(to, *node);
                    self.todo.push(to);
                    return Some(Some(to));
                }
            }
            let node = self.todo.pop()?;
            self.open = Some((node, next(node)));
        }
    }

    /// From a node back to where this side began.
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
    use super::path;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn find(edges: &[(u32, u32)], from: u32, to: u32) -> Option<Vec<u32>> {
        let up = |n: u32| edges.iter().filter(move |e| e.0 == n).map(|e| e.1);
        let down = |n: u32| edges.iter().filter(move |e| e.1 == n).map(|e| e.0);
        path(from, to, up, down)
    }

    #[test]
    fn r7_a_path_is_found_from_both_ends() {
        let edges = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (6, 3)];
        assert_eq!(find(&edges, 0, 3), Some(vec![0, 1, 2, 3]));
        assert_eq!(find(&edges, 3, 0), None);
        assert_eq!(find(&edges, 2, 2), Some(vec![2]));
        assert_eq!(find(&edges, 5, 6), None);
    }

    /// One side may come to its end just after the two have met: a path must have been seen by then.
    #[test]
    fn r7_a_path_is_found_past_a_wide_end() {
        let wide = |n| (10..20).map(move |side| if n == 2 { (side, 2) } else { (0, side) });
        for n in [0, 2] {
            let edges: Vec<_> = wide(n).chain([(0, 1), (1, 2)]).collect();
            assert_eq!(find(&edges, 0, 2), Some(vec![0, 1, 2]));
        }
    }

    proptest! {
        #[test]
        fn r7_a_path_is_found_wherever_there_is_one(edges in vec((0..8_u32, 0..8_u32), 0..16)) {
            let mut reached = BTreeSet::from([0]);
            // A round for each node: what is reached by then is all.
            for _ in 0..8 {
                reached.extend(edges.iter().filter(|e| reached.contains(&e.0)).map(|e| e.1).collect::<Vec<_>>());
            }
            for to in 0..8 {
                let found = find(&edges, 0, to);
                prop_assert_eq!(found.is_some(), reached.contains(&to));
                if let Some(path) = found {
                    prop_assert_eq!((path.first(), path.last()), (Some(&0), Some(&to)));
                    prop_assert!(path.windows(2).all(|pair| edges.contains(&(pair[0], pair[1]))));
                }
            }
        }
    }
}
