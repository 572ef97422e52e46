//! [`SortedSeq`]: a persistent sorted sequence, for lists and searches in an order.
//!
//! A B+ tree. Each call takes the order as a closure, as `slice::binary_search_by` does: how does the item compare
//! with the target? An item can therefore be a number whose name is stored elsewhere. All calls must use the same
//! order.
//!
//! Guarantees: a search takes O(log n) comparisons. A change then copies at most one node of up to 64 items per level:
//! two levels at a thousand items, four at a million. A set of up to 64 items is one leaf. Iteration allocates nothing
//! per item.
//!
//! Cost: where a comparison is trivial, a `BTreeSet` of a million finds a number in 100 ns, and this in 120.
//!
//! Deliberately absent: ranks, backward iteration, balancing beyond merging small neighbours.
//!
//! Read next: back to `tables.rs`, for when to use which table.

mod iter;

use smallvec::SmallVec;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

pub(crate) use self::iter::Iter;
use crate::model::internal_fault::{broken, must};

/// The most items in a leaf, and children in a branch.
const MAX: usize = 64;

/// Neighbours that together have no more than this are merged. It is far below `MAX`, so that the next insert does not
/// split again what a removal merged.
const THIN: usize = MAX / 2;

/// How full a bulk load makes its nodes. This leaves room for a few inserts before they split.
const FILL: usize = MAX / 4 * 3;

const PATH: &str = "a path leads to a place in a sequence";
const NOT_EMPTY: &str = "no node of a sequence is empty";

/// A persistent sorted sequence of small items.
#[derive(Clone)]
pub(crate) struct SortedSeq<T> {
    root: Option<Arc<Node<T>>>,
    len: usize,
}

/// INVARIANT: all leaves are equally deep, no node is empty or wider than [`MAX`], and two neighbours under one branch
/// together have more than [`THIN`]. The average node is therefore wider than `THIN / 2`, and the height is O(log n).
enum Node<T> {
    Leaf(Vec<T>),
    Branch(Vec<Child<T>>),
}

#[derive(Clone)]
struct Child<T> {
    /// INVARIANT: a copy of the first item below. A search therefore opens only the child that can contain its target.
    first: T,
    node: Arc<Node<T>>,
}

/// The index of the child at each branch, from the root.
type Path = SmallVec<[usize; 6]>;

impl<T> SortedSeq<T> {
    /// The empty sequence; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether two sequences share everything: nothing in them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// The equal item; any of them, if `cmp` finds several equal.
    #[inline]
    pub(crate) fn get(&self, cmp: impl Fn(&T) -> Ordering) -> Option<&T> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Branch(children) => node = &children.get(child_at(children, &cmp))?.node,
                Node::Leaf(items) => return items.get(place(items, cmp).ok()?),
            }
        }
    }

    /// Whether there is an equal item.
    #[inline]
    pub(crate) fn contains(&self, cmp: impl Fn(&T) -> Ordering) -> bool {
        self.get(cmp).is_some()
    }

    /// All items, ascending.
    pub(crate) fn iter(&self) -> Iter<'_, T> {
        self.iter_from(|_| Ordering::Equal)
    }

    /// The items from the first one that is not less, ascending.
    pub(crate) fn iter_from(&self, cmp: impl Fn(&T) -> Ordering) -> Iter<'_, T> {
        Iter::below(self.root.as_deref(), |item| cmp(item).is_lt())
    }
}

impl<T: Copy> SortedSeq<T> {
    /// Adds an item. Returns `false`, and copies nothing, if there is an equal one.
    pub(crate) fn insert(&mut self, item: T, cmp: impl Fn(&T) -> Ordering) -> bool {
        let Some(root) = &mut self.root else {
            *self = Self::from_sorted(vec![item]);
            return true;
        };
        let (path, Err(at)) = root.locate(cmp) else {
            return false;
        };
        self.len += 1;
        if let Some(right) = Arc::make_mut(root).insert(&path, at, item) {
            let left = must(Child::new(Arc::clone(root)), NOT_EMPTY);
            *root = Arc::new(Node::Branch(left.into_iter().chain([right]).collect()));
        }
        true
    }

    /// Overwrites the equal item. Returns `false`, and copies nothing, if there is none.
    pub(crate) fn replace(&mut self, item: T, cmp: impl Fn(&T) -> Ordering) -> bool {
        let Some(root) = &mut self.root else { return false };
        let (path, Ok(at)) = root.locate(cmp) else { return false };
        Arc::make_mut(root).replace(&path, at, item);
        true
    }

    /// Removes the equal item. Returns `None`, and copies nothing, if there is none.
    pub(crate) fn remove(&mut self, cmp: impl Fn(&T) -> Ordering) -> Option<T> {
        let root = self.root.as_mut()?;
        let (path, Ok(at)) = root.locate(cmp) else { return None };
        let item = must(Arc::make_mut(root).remove(&path, at), PATH)?;
        self.len -= 1;
        while let Some(only) = root.only_child() {
            *root = only;
        }
        if root.width() == 0 {
            self.root = None;
        }
        Some(item)
    }

    /// A sequence of these items, which are sorted and have no duplicates. O(items).
    pub(crate) fn from_sorted(mut items: Vec<T>) -> Self {
        let len = items.len();
        if (1..=MAX).contains(&len) {
            items.shrink_to_fit();
            return Self { root: Some(Arc::new(Node::Leaf(items))), len };
        }
        let leaves = items.chunks(FILL).map(|items| Node::Leaf(items.to_vec()));
        let child = |node| must(Child::new(Arc::new(node)), NOT_EMPTY);
        let mut level: Vec<Child<T>> = leaves.filter_map(child).collect();
        while level.len() > 1 {
            let branches = level.chunks(FILL).map(|children| Node::Branch(children.to_vec()));
            level = branches.filter_map(child).collect();
        }
        Self { root: level.pop().map(|child| child.node), len }
    }
}

/// The child that must contain an equal item.
#[inline]
fn child_at<T>(children: &[Child<T>], cmp: impl Fn(&T) -> Ordering) -> usize {
    quarters(children, |child| cmp(&child.first).is_le()).saturating_sub(1)
}

/// The index of the equal item in a leaf, or where it would be inserted.
#[inline]
fn place<T>(items: &[T], cmp: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
    let at = quarters(items, |item| cmp(item).is_lt());
    if items.get(at).is_some_and(|item| cmp(item).is_eq()) { Ok(at) } else { Err(at) }
}

/// The number of items before the first that is not `less`, as in `partition_point`, with three comparisons at a time.
/// Where a comparison reads uncached memory, as with the keys of users, three cache misses overlap. It takes half as
/// many rounds.
#[inline]
fn quarters<P>(parts: &[P], less: impl Fn(&P) -> bool) -> usize {
    let is_less = |at: usize| usize::from(parts.get(at).is_some_and(&less));
    let (mut from, mut to) = (0, parts.len());
    while from < to {
        let quarter = (to - from) / 4;
        // Three numbers and not an array: `array::map` takes longer to compile than everything else in this file.
        let (first, second, third) = (from + quarter, from + (to - from) / 2, to - 1 - quarter);
        let (after, before) = match is_less(first) + is_less(second) + is_less(third) {
            0 => (from, first),
            1 => (first + 1, second),
            2 => (second + 1, third),
            _ => (third + 1, to),
        };
        (from, to) = (after, before.max(after));
    }
    from
}

impl<T: Copy> Child<T> {
    fn new(node: Arc<Node<T>>) -> Option<Self> {
        Some(Self { first: node.first()?, node })
    }

    /// Changes the node below, then updates the copy of its first item.
    fn change<R>(&mut self, work: impl FnOnce(&mut Node<T>) -> R) -> R {
        let node = Arc::make_mut(&mut self.node);
        let result = work(node);
        self.first = node.first().unwrap_or(self.first);
        result
    }
}

/// A copy is made to be changed. It has room for one more item, so that an insertion does not move it again.
impl<T: Copy> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(items) => Self::Leaf(roomy(items)),
            Self::Branch(children) => Self::Branch(roomy(children)),
        }
    }
}

fn roomy<P: Clone>(parts: &[P]) -> Vec<P> {
    let mut copy = Vec::with_capacity(parts.len() + 1);
    copy.extend_from_slice(parts);
    copy
}

/// The three changes follow a path that a search has found. They compare nothing, and copy only what they change. They
/// recurse as deep as the tree is high. A path that does not end at a leaf is an internal fault.
impl<T: Copy> Node<T> {
    /// The path to the equal item, or to where it would be inserted.
    fn locate(&self, cmp: impl Fn(&T) -> Ordering) -> (Path, Result<usize, usize>) {
        let (mut path, mut node) = (Path::new(), self);
        loop {
            match node {
                Self::Leaf(items) => return (path, place(items, cmp)),
                Self::Branch(children) => {
                    let at = child_at(children, &cmp);
                    path.push(at);
                    let Some(child) = children.get(at) else {
                        return (path, Err(0));
                    };
                    node = &child.node;
                }
            }
        }
    }

    /// Inserts the item. Splits off the right half of this node if it became too wide.
    fn insert(&mut self, path: &[usize], at: usize, item: T) -> Option<Child<T>> {
        let right = match (self, path) {
            (Self::Leaf(items), _) => {
                make_room(items);
                items.insert(at, item);
                Self::Leaf(halve(items)?)
            }
            (Self::Branch(children), [next, rest @ ..]) => {
                let right = must(children.get_mut(*next), PATH)?.change(|node| node.insert(rest, at, item))?;
                children.insert(next + 1, right);
                Self::Branch(halve(children)?)
            }
            (Self::Branch(_), []) => {
                broken(PATH);
                return None;
            }
        };
        must(Child::new(Arc::new(right)), NOT_EMPTY)
    }

    fn replace(&mut self, path: &[usize], at: usize, item: T) {
        match (self, path) {
            (Self::Leaf(items), _) => {
                if let Some(slot) = must(items.get_mut(at), PATH) {
                    *slot = item;
                }
            }
            (Self::Branch(children), [next, rest @ ..]) => {
                if let Some(child) = must(children.get_mut(*next), PATH) {
                    child.change(|node| node.replace(rest, at, item));
                }
            }
            (Self::Branch(_), []) => broken(PATH),
        }
    }

    fn remove(&mut self, path: &[usize], at: usize) -> Option<T> {
        match (self, path) {
            (Self::Leaf(items), _) => Some(items.remove(at)),
            (Self::Branch(children), [next, rest @ ..]) => {
                let item = must(children.get_mut(*next), PATH)?.change(|node| node.remove(rest, at));
                mend(children, *next);
                item
            }
            (Self::Branch(_), []) => None,
        }
    }

    /// Appends the items or children of the right neighbour, which has the same height.
    fn append(&mut self, right: Self) {
        match (self, right) {
            (Self::Leaf(items), Self::Leaf(more)) => items.extend(more),
            (Self::Branch(children), Self::Branch(more)) => {
                let seam = children.len();
                children.extend(more);
                mend(children, seam);
            }
            (Self::Leaf(_), Self::Branch(_)) | (Self::Branch(_), Self::Leaf(_)) => {
                broken("neighbours in a sequence are equally high");
            }
        }
    }

    fn first(&self) -> Option<T> {
        match self {
            Self::Leaf(items) => items.first().copied(),
            Self::Branch(children) => children.first().map(|child| child.first),
        }
    }
}

impl<T> Node<T> {
    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Branch(children) => children.len(),
        }
    }

    fn only_child(&self) -> Option<Arc<Self>> {
        match self {
            Self::Branch(children) if children.len() == 1 => children.first().map(|child| Arc::clone(&child.node)),
            Self::Branch(_) | Self::Leaf(_) => None,
        }
    }
}

/// Reserves room for a quarter more. Most sequences are short and seldom grow. With doubling they would be half empty.
fn make_room<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact(1 + items.len() / 4);
    }
}

fn halve<P>(parts: &mut Vec<P>) -> Option<Vec<P>> {
    (parts.len() > MAX).then(|| {
        let right = parts.split_off(MAX / 2);
        parts.shrink_to_fit();
        right
    })
}

/// Restores the invariant after a removal below child `at`. One merge is enough. The merged node is at least as large
/// as each of its parts, so its other neighbour needs no merge. The neighbours of an emptied child are wide, or it
/// would have been merged before.
fn mend<T: Copy>(children: &mut Vec<Child<T>>, at: usize) {
    let width = |at: usize| children.get(at).map(|child| child.node.width());
    if width(at) == Some(0) {
        children.remove(at);
        return;
    }
    let thin = |left: &usize| width(*left).zip(width(left + 1)).is_some_and(|(a, b)| a + b <= THIN);
    if let Some(left) = at.checked_sub(1).into_iter().chain([at]).find(thin) {
        let right = Arc::unwrap_or_clone(children.remove(left + 1).node);
        if let Some(child) = must(children.get_mut(left), PATH) {
            child.change(|node| node.append(right));
        }
    }
}

impl<T> Default for SortedSeq<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SortedSeq<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortedSeq({} items)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Key and value. The order is that of the keys.
    type Item = (u32, u32);

    fn by(key: u32) -> impl Fn(&Item) -> Ordering {
        move |item| item.0.cmp(&key)
    }

    /// Checks the invariants all the way down, and returns the height.
    fn height(node: &Node<Item>) -> usize {
        assert!((1..=MAX).contains(&node.width()));
        let Node::Branch(children) = node else { return 1 };
        assert!(children.windows(2).all(|pair| pair[0].node.width() + pair[1].node.width() > THIN));
        assert!(children.iter().all(|child| child.node.first() == Some(child.first)));
        let heights: Vec<usize> = children.iter().map(|child| height(&child.node)).collect();
        assert!(heights.iter().all(|height| *height == heights[0]));
        heights[0] + 1
    }

    /// How many items `fold` goes through after so many calls of `next`, all of them ascending.
    fn folded(order: &SortedSeq<(u32, u32)>, passed: usize) -> usize {
        let mut items = order.iter();
        items.by_ref().take(passed).for_each(drop);
        let (count, _) = items.fold((0, None), |(count, last), item| {
            assert!(last.is_none_or(|last| last < item.0), "ascending");
            (count + 1, Some(item.0))
        });
        count
    }

    fn same(order: &SortedSeq<Item>, model: &BTreeMap<u32, u32>) -> bool {
        order.root.as_deref().map_or(0, height) <= 4
            && order.len() == model.len()
            && order.iter().copied().eq(model.iter().map(|(key, value)| (*key, *value)))
            && (0..3).all(|passed| folded(order, passed) == model.len().saturating_sub(passed))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 32 } else { 256 }))]
        #[test]
        fn an_order_answers_like_a_btree_map_and_leaves_older_clones_alone(
            start in prop_oneof![Just(0), 0..200u32, 4000..5000u32],
            runs in vec((0..3u8, 0..10_000u32, 1..1500u32), 0..12),
        ) {
            let mut model: BTreeMap<u32, u32> = (0..start).map(|n| (n * 2, 0)).collect();
            let mut order = SortedSeq::from_sorted(model.iter().map(|(key, value)| (*key, *value)).collect());
            for (run, (op, from, count)) in (1..).zip(runs) {
                let (older, before) = (order.clone(), model.clone());
                for key in from..from + count {
                    match op {
                        0 => {
                            let absent = !model.contains_key(&key);
                            model.entry(key).or_insert(run);
                            prop_assert_eq!(order.insert((key, run), by(key)), absent);
                        }
                        1 => prop_assert_eq!(order.remove(by(key)), model.remove(&key).map(|value| (key, value))),
                        _ => {
                            let present = model.get_mut(&key).map(|value| *value = run).is_some();
                            prop_assert_eq!(order.replace((key, run), by(key)), present);
                        }
                    }
                }
                prop_assert!(same(&order, &model));
                prop_assert!(same(&older, &before));
                prop_assert_eq!(order.get(by(from)).map(|item| item.1), model.get(&from).copied());
                prop_assert!(order.iter_from(by(from)).map(|item| &item.0).eq(model.range(from..).map(|(key, _)| key)));
            }
        }
    }

    #[test]
    fn removing_nearly_everything_leaves_a_low_tree() {
        let mut order = SortedSeq::from_sorted((0..100_000u32).map(|n| (n, 0)).collect());
        (0..100_000).filter(|n| n % 2000 != 7).for_each(|n| assert!(order.remove(by(n)).is_some()));
        assert!(order.root.as_deref().map_or(0, height) <= 2);
        assert!(order.iter().map(|item| item.0).eq((0..50).map(|n| n * 2000 + 7)));
    }

    #[test]
    fn a_refused_change_copies_nothing() {
        let older = SortedSeq::from_sorted((0..5000u32).map(|n| (n, 0)).collect());
        let mut newer = older.clone();
        assert!(
            !newer.insert((7, 1), by(7)) && !newer.replace((9999, 1), by(9999)) && newer.remove(by(9999)).is_none()
        );
        assert!(Arc::ptr_eq(older.root.as_ref().unwrap(), newer.root.as_ref().unwrap()));
    }

    #[test]
    fn a_coarser_comparison_starts_at_the_first_of_its_equals() {
        let order = SortedSeq::from_sorted((0..5000u32).map(|n| (n, 0)).collect());
        let from = order.iter_from(|item| (item.0 / 1000).cmp(&3));
        assert!(from.map(|item| item.0).eq(3000..5000));
    }
}
