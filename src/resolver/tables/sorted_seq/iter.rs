//! Iteration over a [`SortedSeq`](super::SortedSeq), without pointers from leaf to leaf.

use smallvec::SmallVec;
use std::{mem, slice};

use super::{Child, Node};

/// The items of a [`SortedSeq`], ascending.
#[derive(Clone)]
pub(crate) struct Iter<'a, T> {
    /// The remaining children of each branch above the leaf.
    rest: SmallVec<[slice::Iter<'a, Child<T>>; 4]>,
    leaf: slice::Iter<'a, T>,
}

impl<'a, T> Iter<'a, T> {
    /// Begins at the first item that is not `less`.
    pub(super) fn below(root: Option<&'a Node<T>>, less: impl Fn(&T) -> bool) -> Self {
        let mut iter = Self { rest: SmallVec::new(), leaf: [].iter() };
        if let Some(root) = root {
            iter.descend(root, less);
        }
        iter
    }

    /// Descends to the first item that is not `less`. It is below the last child that begins with a lesser item, or it
    /// begins the child after that. In the second case `next` advances to it by itself.
    fn descend(&mut self, mut node: &'a Node<T>, less: impl Fn(&T) -> bool) {
        while let Node::Branch(children) = node {
            let at = children.partition_point(|child| less(&child.first)).saturating_sub(1);
            let mut rest = children.get(at..).unwrap_or_default().iter();
            let Some(child) = rest.next() else { return };
            self.rest.push(rest);
            node = &child.node;
        }
        if let Node::Leaf(items) = node {
            self.leaf = items.get(items.partition_point(less)..).unwrap_or_default().iter();
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            match self.rest.last_mut()?.next() {
                Some(child) => self.descend(&child.node, |_| false),
                None => drop(self.rest.pop()),
            }
        }
    }

    /// Faster than [`Self::next`] for each item: it goes through a leaf without asking whether it has ended.
    #[inline]
    fn fold<B, F: FnMut(B, &'a T) -> B>(mut self, first: B, mut join: F) -> B {
        let mut joined = mem::take(&mut self.leaf).fold(first, &mut join);
        while let Some(item) = self.next() {
            joined = join(joined, item);
            joined = mem::take(&mut self.leaf).fold(joined, &mut join);
        }
        joined
    }
}
