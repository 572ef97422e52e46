//! [`PersistentVec`]: a persistent vector, for values that have dense numbers.
//!
//! Guarantees: `get` follows one pointer for each five bits of `len`: two up to 1,024 values, three up to 32,768, four
//! up to a million, seven at most. A change copies at most that path: nodes of 32 pointers and one leaf of 32 values.
//! Up to 32 values are one plain vector, so that a small table costs no more than its content.
//!
//! Deliberately absent: removal. The vector never shrinks. An index that was never set contains `T::default()`.
//!
//! Read next: `hash_index.rs`, which stores its buckets in such a vector.

use std::sync::Arc;
use std::{array, fmt, mem};

use crate::model::internal_fault::must;

/// A leaf has 32 values: a change to a shared leaf clones them all.
const LEAF_BITS: u32 = 5;
const LEAF: usize = 1 << LEAF_BITS;

/// A branch has 32 children. With 64, a lookup among a million values took equally long, and a change to a shared
/// table twice as long: 2.0 µs rather than 1.0. Most of that is spent on the reference counts of the siblings.
const BITS: u32 = 5;
const WIDTH: usize = 1 << BITS;

/// A persistent vector with indexes up to `u32::MAX`.
#[derive(Clone)]
pub(crate) struct PersistentVec<T> {
    root: Root<T>,
    /// The highest index ever set, plus one. INVARIANT: the root reaches every index below it.
    len: u64,
}

#[derive(Clone)]
enum Root<T> {
    Empty,
    /// INVARIANT: exactly `len` values, at most [`LEAF`].
    Flat(Arc<Vec<T>>),
    /// `shift` is the position of the bits that select a child of `node`.
    Tree {
        node: Arc<Node<T>>,
        shift: u32,
    },
}

/// INVARIANT: every slot is filled, all paths are equally long, and each part that was never set is a *blank*: one
/// shared node of defaults for each height. A lookup therefore never finds a missing child, and setting a far index
/// costs O(height) nodes.
///
/// Both variants are arrays of thin pointers of one size, so that the enum wastes no space, whatever the size of `T`.
#[derive(Clone)]
enum Node<T> {
    Branch([Arc<Node<T>>; WIDTH]),
    Leaves([Arc<[T; LEAF]>; WIDTH]),
}

impl<T> PersistentVec<T> {
    /// The empty vector; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { root: Root::Empty, len: 0 }
    }

    /// The highest index set, plus one. It is a `u64` because index `u32::MAX` can be set.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether two vectors share everything: nothing in them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Root::Empty, Root::Empty) => true,
            (Root::Flat(a), Root::Flat(b)) => Arc::ptr_eq(a, b),
            (Root::Tree { node: a, .. }, Root::Tree { node: b, .. }) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The value at `n`: the default if it was never set, `None` from `len` on.
    #[inline]
    pub(crate) fn get(&self, n: u32) -> Option<&T> {
        match &self.root {
            Root::Tree { node, shift } if u64::from(n) < self.len => node.leaf(n, *shift)?.get(n as usize % LEAF),
            Root::Flat(items) => items.get(n as usize),
            Root::Tree { .. } | Root::Empty => None,
        }
    }

    /// Index and value, ascending, from 0 to `len`, defaults included. O(1) per value: each leaf is looked up once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let starts = (0..=u32::MAX).step_by(LEAF).take_while(|&start| u64::from(start) < self.len);
        starts.flat_map(|start| (start..=u32::MAX).zip(self.leaf(start)))
    }

    /// The indexes, ascending, of all leaves that two vectors do not share. A value is the same at every other index.
    /// O(1) for each leaf.
    pub(crate) fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let len = self.len.max(other.len);
        let starts = (0..=u32::MAX).step_by(LEAF).take_while(move |start| u64::from(*start) < len);
        let is_shared = |start: &u32| {
            let (one, other) = (self.leaf(*start), other.leaf(*start));
            one.len() == other.len() && std::ptr::eq(one, other)
        };
        let numbers = move |start| (start..=u32::MAX).take(LEAF).take_while(move |number| u64::from(*number) < len);
        starts.filter(move |start| !is_shared(start)).flat_map(numbers)
    }

    /// The values of the leaf that begins at `start`, up to `len`.
    fn leaf(&self, start: u32) -> &[T] {
        match &self.root {
            _ if u64::from(start) >= self.len => &[],
            Root::Empty => &[],
            Root::Flat(items) => items,
            Root::Tree { node, shift } => {
                let leaf = node.leaf(start, *shift).map_or(&[][..], |leaf| leaf);
                let left = usize::try_from(self.len - u64::from(start)).unwrap_or(LEAF);
                leaf.get(..left).unwrap_or(leaf)
            }
        }
    }
}

impl<T: Clone> PersistentVec<T> {
    /// The value at `n`, to change it; `None` from `len` on. Copies the shared part of the path.
    pub(crate) fn get_mut(&mut self, n: u32) -> Option<&mut T> {
        match &mut self.root {
            Root::Tree { node, shift } if u64::from(n) < self.len => {
                Arc::make_mut(node).leaf_mut(n, *shift)?.get_mut(n as usize % LEAF)
            }
            Root::Flat(items) if u64::from(n) < self.len => Arc::make_mut(items).get_mut(n as usize),
            Root::Tree { .. } | Root::Flat(_) | Root::Empty => None,
        }
    }
}

impl<T: Clone + Default> PersistentVec<T> {
    /// A vector of these values, the first at 0. Moves each once and walks no path. O(values).
    pub(crate) fn from_vec(mut items: Vec<T>) -> Self {
        let len = items.len() as u64;
        if items.is_empty() {
            return Self::new();
        }
        if items.len() <= LEAF {
            items.shrink_to_fit();
            return Self { root: Root::Flat(Arc::new(items)), len };
        }
        let mut items = items.into_iter();
        let leaves = std::iter::from_fn(|| (items.len() > 0).then(|| Arc::new(filled(&mut items)))).collect();
        let mut level = parents(leaves, &blank_leaf(), Node::Leaves);
        let mut shift = LEAF_BITS;
        while level.len() > 1 {
            level = parents(level, &Node::blank(shift), Node::Branch);
            shift += BITS;
        }
        let root = must(level.pop(), "a vector that is not empty has a root");
        Self { root: root.map_or(Root::Empty, |node| Root::Tree { node, shift }), len }
    }

    /// Sets the value at `n`. Indexes that are skipped hold `T::default()`.
    pub(crate) fn set(&mut self, n: u32, item: T) {
        if u64::from(n) >= self.len {
            self.len = u64::from(n) + 1;
            self.root = match mem::replace(&mut self.root, Root::Empty) {
                Root::Empty => Root::flat(Arc::default(), n),
                Root::Flat(items) => Root::flat(items, n),
                Root::Tree { node, shift } => Root::tree(node, shift, n),
            };
        }
        if let Some(slot) = must(self.get_mut(n), "a vector reaches the index that is set") {
            *slot = item;
        }
    }
}

impl<T: Clone + Default> Root<T> {
    /// A root with these values that reaches `n`, which is not below their number.
    fn flat(mut items: Arc<Vec<T>>, n: u32) -> Self {
        if (n as usize) < LEAF {
            let flat = Arc::make_mut(&mut items);
            // Without this, the vector would double its capacity, and a small table would cost twice its content.
            flat.reserve_exact(n as usize + 1 - flat.len());
            flat.resize_with(n as usize + 1, T::default);
            return Self::Flat(items);
        }
        let leaf = Arc::new(filled(&mut Arc::unwrap_or_clone(items).into_iter()));
        let node = Node::Leaves(padded([leaf], &blank_leaf()));
        Self::tree(Arc::new(node), LEAF_BITS, n)
    }

    /// This tree with as many more levels on top as it needs to reach `n`.
    fn tree(mut node: Arc<Node<T>>, mut shift: u32, n: u32) -> Self {
        while u64::from(n) >> (shift + BITS) != 0 {
            node = Arc::new(Node::Branch(padded([node], &Node::blank(shift))));
            shift += BITS;
        }
        Self::Tree { node, shift }
    }
}

impl<T> Node<T> {
    #[inline]
    fn leaf(&self, n: u32, mut shift: u32) -> Option<&[T; LEAF]> {
        let mut node = self;
        loop {
            match node {
                Self::Branch(nodes) => node = nodes.get(digit(n, shift))?,
                Self::Leaves(leaves) => return leaves.get(digit(n, shift)).map(|leaf| &**leaf),
            }
            shift -= BITS;
        }
    }
}

impl<T: Clone> Node<T> {
    fn leaf_mut(&mut self, n: u32, mut shift: u32) -> Option<&mut [T; LEAF]> {
        let mut node = self;
        loop {
            match node {
                Self::Branch(nodes) => node = Arc::make_mut(nodes.get_mut(digit(n, shift))?),
                Self::Leaves(leaves) => return leaves.get_mut(digit(n, shift)).map(Arc::make_mut),
            }
            shift -= BITS;
        }
    }
}

impl<T: Clone + Default> Node<T> {
    /// A node of defaults whose children are selected at `shift`. Recurses as deep as the tree, six calls at most.
    fn blank(shift: u32) -> Arc<Self> {
        Arc::new(if shift == LEAF_BITS {
            Self::Leaves(padded([], &blank_leaf()))
        } else {
            Self::Branch(padded([], &Self::blank(shift - BITS)))
        })
    }
}

/// One level of nodes above these parts, the last one filled up with blanks.
fn parents<P: Clone, T>(parts: Vec<P>, blank: &P, node: impl Fn([P; WIDTH]) -> Node<T>) -> Vec<Arc<Node<T>>> {
    let mut parts = parts.into_iter();
    std::iter::from_fn(|| (parts.len() > 0).then(|| Arc::new(node(padded(parts.by_ref(), blank))))).collect()
}

/// The child that the bits from `shift` on select.
#[inline]
fn digit(n: u32, shift: u32) -> usize {
    (n >> shift) as usize % WIDTH
}

fn blank_leaf<T: Default>() -> Arc<[T; LEAF]> {
    Arc::new(array::from_fn(|_| T::default()))
}

/// The next values, then defaults.
fn filled<T: Default>(items: &mut impl Iterator<Item = T>) -> [T; LEAF] {
    array::from_fn(|_| items.next().unwrap_or_default())
}

/// The next parts, then blanks.
fn padded<P: Clone>(parts: impl IntoIterator<Item = P>, blank: &P) -> [P; WIDTH] {
    let mut parts = parts.into_iter();
    array::from_fn(|_| parts.next().unwrap_or_else(|| blank.clone()))
}

impl<T> Default for PersistentVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for PersistentVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersistentVec({} values)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn same(persistent_vec: &PersistentVec<u64>, model: &[u64]) -> bool {
        persistent_vec.len() == model.len() as u64
            && persistent_vec.iter().eq((0..).zip(model))
            && (0..).zip(model).all(|(n, item)| persistent_vec.get(n) == Some(item))
            && persistent_vec.get(u32::try_from(model.len()).unwrap()).is_none()
    }

    fn vec_of(model: &[u64]) -> PersistentVec<u64> {
        let mut persistent_vec = PersistentVec::new();
        (0..).zip(model).for_each(|(n, item)| persistent_vec.set(n, *item));
        persistent_vec
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
        /// Every index at which two vectors differ is in a leaf that they do not share, and nothing else is far from one.
        #[test]
        fn unshared_leaves_have_all_differences_and_no_leaf_without_a_change(
            start in prop_oneof![0..70usize, 2040..2060usize],
            ops in vec((prop_oneof![0..40u32, 0..3000u32], 1..u64::MAX), 0..6),
        ) {
            let before = vec_of(&(0..start as u64).collect::<Vec<_>>());
            let mut after = before.clone();
            for (n, item) in &ops {
                after.set(*n, *item);
            }
            let unshared: Vec<u32> = before.unshared(&after).collect();
            prop_assert!(after.unshared(&before).eq(unshared.iter().copied()));
            prop_assert!(unshared.is_sorted());
            let len = u32::try_from(before.len().max(after.len())).unwrap();
            let differs = |n: &u32| before.get(*n) != after.get(*n);
            prop_assert!((0..len).filter(differs).all(|n| unshared.binary_search(&n).is_ok()));
            let leaf = |n: u32| n / u32::try_from(LEAF).unwrap();
            let grown = |n: u32| n as usize + LEAF >= start;
            let touched = |n: &u32| grown(*n) || ops.iter().any(|(set, _)| leaf(*set) == leaf(*n));
            prop_assert!(unshared.iter().all(touched));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
        #[test]
        fn the_vector_behaves_like_a_vec_and_older_clones_do_not_change(
            start in prop_oneof![0..70usize, 2040..2060usize],
            ops in vec((prop_oneof![0..40u32, 0..5000u32], 1..u64::MAX), 0..40),
        ) {
            let mut model: Vec<u64> = (0..start as u64).collect();
            let mut persistent_vec = vec_of(&model);
            prop_assert!(same(&persistent_vec, &model));
            for (n, item) in ops {
                let (older, before) = (persistent_vec.clone(), model.clone());
                if let Some(slot) = persistent_vec.get_mut(n) {
                    *slot = item;
                } else {
                    persistent_vec.set(n, item);
                }
                let at = n as usize;
                model.resize(model.len().max(at + 1), 0);
                model[at] = item;
                prop_assert!(same(&persistent_vec, &model));
                prop_assert!(same(&older, &before));
            }
        }
    }

    #[test]
    fn the_highest_index_can_be_set_and_what_it_skips_is_default() {
        let mut persistent_vec = PersistentVec::new();
        persistent_vec.set(7, 1u8);
        persistent_vec.set(u32::MAX, 2);
        assert_eq!(persistent_vec.len(), 1 << 32);
        assert_eq!([0, 7, 8, 1 << 30, u32::MAX].map(|n| persistent_vec.get(n).copied()), [0, 1, 0, 0, 2].map(Some));
    }

    #[test]
    fn a_vector_of_any_length_keeps_its_values() {
        for len in [0, 1, 31, 32, 33, 2047, 2048, 2049, 131_072, 131_073] {
            let model: Vec<u64> = (1..=len).collect();
            assert!(same(&vec_of(&model), &model), "{len}");
            let mut bulk = PersistentVec::from_vec(model.clone());
            assert!(same(&bulk, &model), "{len} at once");
            bulk.set(u32::try_from(len).unwrap(), 7);
            assert!(same(&bulk, &[&model[..], &[7]].concat()), "{len} at once, and one more");
        }
    }
}
