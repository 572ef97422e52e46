//! [`Roll`]: a persistent hash table from a caller's hash to small items that hold their own keys.
//!
//! For: what is looked up so often that it should lie where the hash leads, rather than where a number in an index
//! leads. Linear hashing, as in `index.rs`, over *leaves* of some 64 items. A leaf is an array of *lines* of a few
//! slots each; an item lies in the line that its hash names, or, where that is full, in the next that is not.
//!
//! Promises: `find` follows three pointers, whatever the size, and reads one line behind them for most items (a test
//! says how many), and no other line unless that one is full. A change copies, at most, the pointers of [`WIDE`] leaves,
//! one for each [`WIDE`] leaves of the table, and one leaf. Equal hashes are correct, and cost a scan.
//!
//! Deliberately absent: removal, iteration, shrinking.
//!
//! Read next: `order.rs`, the table for what must come out sorted.

use std::fmt;
use std::sync::Arc;

use super::index::tag;

/// The average number of items in a leaf: more are more to copy, fewer are more pointers to count when one is copied.
const LOAD: u64 = 64;

/// How many leaves a page holds.
const WIDE: usize = 128;

/// A persistent hash table of items.
#[derive(Clone)]
pub(crate) struct Roll<T> {
    /// INVARIANT: no page is empty, and all but the last are full. Leaf `a`, counted through all pages, holds the items
    /// whose tag has the address `a`.
    pages: Arc<[Page<T>]>,
    /// The lowest 2ⁿ − 1 that is not below the address of the last leaf.
    mask: u32,
    /// The address of the last leaf; 0 also while there is none.
    last: u32,
    len: u64,
}

type Page<T> = Arc<[Leaf<T>]>;

/// INVARIANT: if it has lines, at most three quarters of their slots are taken. So each search meets a free one.
type Leaf<T> = Arc<[Line<T>]>;

/// With two in 64 bytes, filled as much, every fourth item lay elsewhere, and a branch that nobody foresees led there.
const SLOTS: usize = 4;

#[derive(Clone, Copy, Debug)]
#[repr(align(128))]
struct Line<T>([T; SLOTS]);

/// What lies in a slot.
pub(crate) trait Item: Copy {
    /// What a slot holds that is free.
    const FREE: Self;

    /// Whether it is that. A search compares first and asks this afterwards, so that it need not ask of every slot.
    fn is_free(&self) -> bool;
}

impl<T: Item> Roll<T> {
    /// The item inserted with this hash for which `same` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<&T> {
        self.place(hash)?.find(same)
    }

    /// Where the items with a hash lie, without a look at them.
    #[inline]
    pub(crate) fn place(&self, hash: u64) -> Option<Place<'_, T>> {
        let tag = tag(hash);
        let lines = self.leaf(self.address(tag))?;
        Some(Place { line: lines.get(home(tag, lines.len()))?, lines, tag })
    }

    #[inline]
    fn leaf(&self, at: u32) -> Option<&[Line<T>]> {
        let at = at as usize;
        self.pages.get(at / WIDE)?.get(at % WIDE).map(|leaf| &**leaf)
    }

    /// The low bits of the tag: as many as number the last leaf, or one fewer where those lead beyond it, to a leaf that
    /// has not been split off yet.
    #[inline]
    fn address(&self, tag: u32) -> u32 {
        let address = tag & self.mask;
        if address <= self.last { address } else { address & (self.mask >> 1) }
    }

    fn leaf_mut(&mut self, at: u32) -> Option<&mut Leaf<T>> {
        let at = at as usize;
        Arc::make_mut(Arc::make_mut(&mut self.pages).get_mut(at / WIDE)?).get_mut(at % WIDE)
    }

    /// Whether two rolls are one: nothing below them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pages, &other.pages)
    }

    /// Puts an item in the place of the one that is the same, or adds it. `hash` is that of an item.
    pub(crate) fn set(&mut self, item: T, hash: impl Fn(&T) -> u64, same: impl Fn(&T) -> bool) {
        let tag_of = |item: &T| tag(hash(item));
        let tag = tag_of(&item);
        let at = self.address(tag);
        let place = self.leaf(at).and_then(|lines| locate(lines, tag, same));
        if let Some((line, slot)) = place {
            let line = self.leaf_mut(at).and_then(|leaf| Arc::make_mut(leaf).get_mut(line));
            if let Some(slot) = line.and_then(|line| line.0.get_mut(slot)) {
                *slot = item;
            }
            return;
        }
        self.len += 1;
        if self.pages.is_empty() {
            self.pages = Arc::new([Arc::new([leaf_of(&[item], 1, tag_of)])]);
            return;
        }
        if self.len > (u64::from(self.last) + 1) * LOAD {
            self.split(&tag_of);
        }
        let at = self.address(tag);
        let Some(leaf) = self.leaf_mut(at) else { return };
        let mut items = items_of(leaf);
        if has_room(leaf.len(), items.len() + 1) {
            put(Arc::make_mut(leaf), tag, item);
        } else {
            items.push(item);
            *leaf = leaf_of(&items, roomy(items.len()), tag_of);
        }
    }

    /// These items, no two of them the same.
    pub(crate) fn from_items(items: Vec<T>, hash: impl Fn(&T) -> u64) -> Self {
        let len = items.len() as u64;
        if items.is_empty() {
            return Self::default();
        }
        let tag_of = |item: &T| tag(hash(item));
        let last = u32::try_from(len.div_ceil(LOAD) - 1).unwrap_or(u32::MAX);
        let mut roll = Self { pages: Arc::default(), mask: mask(last), last, len };
        let mut leaves: Vec<Vec<T>> = Vec::new();
        leaves.resize_with(last as usize + 1, Vec::new);
        for item in items {
            if let Some(leaf) = leaves.get_mut(roll.address(tag_of(&item)) as usize) {
                leaf.push(item);
            }
        }
        let page = |leaves: &[Vec<T>]| leaves.iter().map(|items| leaf_of(items, close(items.len()), tag_of)).collect();
        roll.pages = leaves.chunks(WIDE).map(page).collect();
        roll
    }

    /// Adds one leaf, which takes its items from the one whose address lacks the new one's top bit.
    fn split(&mut self, tag_of: &impl Fn(&T) -> u32) {
        let Some(last) = self.last.checked_add(1) else { return };
        let top = 1 << last.ilog2();
        let items = self.leaf(last - top).map(items_of).unwrap_or_default();
        let (high, low): (Vec<T>, Vec<T>) = items.into_iter().partition(|item| tag_of(item) & top != 0);
        if let Some(leaf) = self.leaf_mut(last - top) {
            *leaf = leaf_of(&low, roomy(low.len()), tag_of);
        }
        let high = leaf_of(&high, roomy(high.len()), tag_of);
        let page = last as usize / WIDE;
        let appended = |page: &Page<T>| page.iter().cloned().chain([Arc::clone(&high)]).collect();
        match Arc::make_mut(&mut self.pages).get_mut(page) {
            Some(page) => *page = appended(page),
            None => self.pages = self.pages.iter().cloned().chain([Arc::from([high])]).collect(),
        }
        (self.last, self.mask) = (last, mask(last));
    }
}

/// Where items of one hash lie: the line, and the others that may have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a, T> {
    line: &'a Line<T>,
    lines: &'a [Line<T>],
    tag: u32,
}

impl<'a, T: Item> Place<'a, T> {
    /// The item for which `same` is true.
    #[inline]
    pub(crate) fn find(self, same: impl Fn(&T) -> bool) -> Option<&'a T> {
        let [first, others @ ..] = &self.line.0;
        // Chosen before it is looked at, for which of them it is cannot be foreseen.
        let chosen = others.iter().fold(first, |chosen, slot| if same(slot) { slot } else { chosen });
        if same(chosen) && !chosen.is_free() { Some(chosen) } else { beyond(self.lines, self.tag, same) }
    }

    /// Reads a little of each cache line of the line, so that it is near when it is looked at: of many places, one after
    /// the other, the processor fetches as many at once as it can.
    #[inline]
    pub(crate) fn touch(self) -> bool {
        self.line.0.iter().step_by(2).fold(false, |all, item| all ^ item.is_free())
    }
}

fn mask(last: u32) -> u32 {
    u32::MAX.checked_shr(last.leading_zeros()).unwrap_or(0)
}

fn items_of<T: Item>(lines: &[Line<T>]) -> Vec<T> {
    lines.iter().flat_map(|line| line.0).filter(|item| !item.is_free()).collect()
}

fn leaf_of<T: Item>(items: &[T], lines: usize, tag_of: impl Fn(&T) -> u32) -> Leaf<T> {
    let mut leaf: Leaf<T> = std::iter::repeat_n(Line([T::FREE; SLOTS]), lines).collect();
    for item in items {
        put(Arc::make_mut(&mut leaf), tag_of(item), *item);
    }
    leaf
}

/// Whether so many lines may hold so many items.
fn has_room(lines: usize, items: usize) -> bool {
    items * 4 <= lines * SLOTS * 3
}

/// Lines for so many items and a quarter more.
fn roomy(items: usize) -> usize {
    (items * 5).div_ceil(3 * SLOTS)
}

/// Lines for so many items and few more: what is loaded seldom grows.
fn close(items: usize) -> usize {
    (items * 10).div_ceil(7 * SLOTS)
}

/// The line that an item should lie in: by the upper bits, for the lower ones have led to the leaf.
#[inline]
fn home(tag: u32, lines: usize) -> usize {
    ((u64::from(tag) * lines as u64) >> 32) as usize
}

/// The lines from an item's own on, all round.
fn from_home<T>(lines: &[Line<T>], tag: u32) -> impl Iterator<Item = (usize, &Line<T>)> {
    let home = home(tag, lines.len()).min(lines.len());
    let (before, after) = lines.split_at(home);
    (home..).zip(after).chain((0..).zip(before))
}

/// In which line and slot the item lies.
fn locate<T: Item>(lines: &[Line<T>], tag: u32, same: impl Fn(&T) -> bool) -> Option<(usize, usize)> {
    for (at, line) in from_home(lines, tag) {
        if let Some(slot) = line.0.iter().position(|slot| !slot.is_free() && same(slot)) {
            return Some((at, slot));
        }
        if line.0.iter().any(T::is_free) {
            return None;
        }
    }
    None
}

/// The item, wherever it lies.
#[cold]
fn beyond<T: Item>(lines: &[Line<T>], tag: u32, same: impl Fn(&T) -> bool) -> Option<&T> {
    let (at, slot) = locate(lines, tag, same)?;
    lines.get(at)?.0.get(slot)
}

/// Puts an item into the first free slot. There is one.
fn put<T: Item>(lines: &mut [Line<T>], tag: u32, item: T) {
    let free = |(_, line): &(usize, &Line<T>)| line.0.iter().any(T::is_free);
    let Some(at) = from_home(lines, tag).find(free).map(|(at, _)| at) else { return };
    let slot = lines.get_mut(at).and_then(|line| line.0.iter_mut().find(|slot| slot.is_free()));
    if let Some(slot) = slot {
        *slot = item;
    }
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self { pages: Arc::default(), mask: 0, last: 0, len: 0 }
    }
}

impl<T> fmt::Debug for Roll<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roll({} items)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Key and value, which is never 0. What is free has a key that an item may have, too.
    type Pair = (u32, u32);

    impl Item for Pair {
        const FREE: Self = (0, 0);

        fn is_free(&self) -> bool {
            self.1 == 0
        }
    }

    /// Hashes from good to useless: a good one, one of four values, one that leads all to one line, and one for all.
    fn hash(kind: u8, key: u32) -> u64 {
        let good = (u64::from(key) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match kind {
            0 => good & (u64::MAX << 32),
            1 => u64::from(key % 4) << 32,
            2 => u64::from(key) << 32,
            _ => 7,
        }
    }

    fn same(roll: &Roll<Pair>, kind: u8, model: &HashMap<u32, u32>) -> bool {
        let get = |key| roll.find(hash(kind, key), |item| item.0 == key).map(|item| item.1);
        roll.len == model.len() as u64 && (0..400).all(|key| get(key) == model.get(&key).copied())
    }

    fn set(roll: &mut Roll<Pair>, kind: u8, item: Pair) {
        roll.set(item, |item| hash(kind, item.0), |other| other.0 == item.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_roll_answers_like_a_hash_map_and_leaves_older_clones_alone(
            kind in 0..4u8,
            start in prop_oneof![0..40u32, 0..400u32],
            items in vec((0..400u32, 1..u32::MAX), 0..120),
        ) {
            let mut model: HashMap<u32, u32> = (0..start).map(|key| (key, 1)).collect();
            let mut roll = Roll::from_items((0..start).map(|key| (key, 1)).collect(), |item| hash(kind, item.0));
            for item in items {
                let (older, before) = (roll.clone(), model.clone());
                set(&mut roll, kind, item);
                model.insert(item.0, item.1);
                prop_assert!(same(&roll, kind, &model));
                prop_assert!(same(&older, kind, &before));
            }
            prop_assert!(same(&roll, kind, &model));
        }
    }

    #[test]
    fn one_by_one_or_at_once_nine_of_ten_lie_in_the_line_that_is_looked_at_first() {
        let items: Vec<Pair> = (0..50_000).map(|key| (key, 1)).collect();
        let mut grown = Roll::default();
        for item in &items {
            set(&mut grown, 0, *item);
        }
        for roll in [grown, Roll::from_items(items, |item| hash(0, item.0))] {
            let is_home = |key: &u32| {
                let tag = tag(hash(0, *key));
                let lines = roll.leaf(roll.address(tag)).unwrap();
                lines[home(tag, lines.len())].0.iter().any(|item| item.0 == *key)
            };
            let at_home = (0..50_000).filter(is_home).count();
            assert!(at_home > 45_000, "{at_home} of 50,000");
        }
    }
}
