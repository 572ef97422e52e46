//! [`Roll`]: a persistent hash table from a caller's hash to small items that hold their own keys.
//!
//! For: what is looked up so often that it should lie where the hash leads, rather than where a number in an index
//! leads. Linear hashing, as in `index.rs`, over *leaves* of some 24 items. A leaf is an array of cache lines of two
//! slots each; an item lies in the line that its hash names, or, where that is full, in the next that is not.
//!
//! Promises: `find` reads one cache line behind the path to the leaf, for nine items of ten, and no other line unless
//! that one is full. A change copies, at most, the path and one leaf. Slots are between 5/16 and 5/8 full. Equal hashes
//! are correct, and cost a scan.
//!
//! Deliberately absent: removal, iteration, shrinking.
//!
//! Read next: `order.rs`, the table for what must come out sorted.

use std::fmt;
use std::sync::Arc;

use super::index::{address, tag};
use super::slab::Slab;

/// The average number of items in a leaf.
const LOAD: u64 = 24;

/// A persistent hash table of items.
#[derive(Clone)]
pub(crate) struct Roll<T> {
    leaves: Slab<Leaf<T>>,
    /// The address of the last leaf; 0 while there is none.
    last: u32,
    len: u64,
}

/// INVARIANT: none, or a power of two of lines, of whose slots at most 5/8 are taken. So each search meets a free slot.
#[derive(Clone)]
struct Leaf<T>(Option<Arc<[Line<T>]>>);

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<T>([Option<T>; 2]);

impl<T: Copy> Roll<T> {
    /// The item inserted with this hash for which `same` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<&T> {
        let tag = tag(hash);
        let lines = self.leaves.get(address(tag, self.last))?.lines();
        let [one, other] = &lines.get(home(tag, lines))?.0;
        // Chosen before it is looked at, for which of the two it is cannot be foreseen.
        let chosen = if other.as_ref().is_some_and(&same) { other } else { one };
        match chosen {
            Some(item) if same(item) => Some(item),
            _ => beyond(lines, tag, same),
        }
    }

    /// Whether two rolls are one: nothing below them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.leaves.is_same(&other.leaves)
    }

    /// Puts an item in the place of the one that is the same, or adds it. `hash` is that of an item.
    pub(crate) fn set(&mut self, item: T, hash: impl Fn(&T) -> u64, same: impl Fn(&T) -> bool) {
        let tag_of = |item: &T| tag(hash(item));
        let tag = tag_of(&item);
        let at = address(tag, self.last);
        let place = self.leaves.get(at).and_then(|leaf| locate(leaf.lines(), tag, same));
        if let Some((line, slot)) = place {
            let lines = self.leaves.get_mut(at).and_then(|leaf| leaf.0.as_mut()).map(Arc::make_mut);
            let line = lines.and_then(|lines| lines.get_mut(line));
            if let Some(slot) = line.and_then(|line| line.0.get_mut(slot)) {
                *slot = Some(item);
            }
            return;
        }
        self.len += 1;
        if self.len > (u64::from(self.last) + 1) * LOAD {
            self.split(&tag_of);
        }
        let at = address(tag, self.last);
        let mut items = self.leaves.get(at).map(Leaf::items).unwrap_or_default();
        match self.leaves.get_mut(at) {
            Some(Leaf(Some(lines))) if has_room(lines.len(), items.len() + 1) => put(Arc::make_mut(lines), tag, item),
            _ => {
                items.push(item);
                self.leaves.set(at, Leaf::of(&items, tag_of));
            }
        }
    }

    /// These items, no two of them the same.
    pub(crate) fn from_items(items: Vec<T>, hash: impl Fn(&T) -> u64) -> Self {
        let len = items.len() as u64;
        let tag_of = |item: &T| tag(hash(item));
        let last = u32::try_from(len.div_ceil(LOAD).saturating_sub(1)).unwrap_or(u32::MAX);
        let mut leaves: Vec<Vec<T>> = Vec::new();
        leaves.resize_with(last as usize + 1, Vec::new);
        for item in items {
            if let Some(leaf) = leaves.get_mut(address(tag_of(&item), last) as usize) {
                leaf.push(item);
            }
        }
        let leaves = leaves.into_iter().map(|items| Leaf::of(&items, tag_of)).collect();
        Self { leaves: Slab::from_vec(leaves), last, len }
    }

    /// Adds one leaf, which takes its items from the one whose address lacks the new one's top bit.
    fn split(&mut self, tag_of: &impl Fn(&T) -> u32) {
        let Some(last) = self.last.checked_add(1) else { return };
        let top = 1 << last.ilog2();
        let items = self.leaves.get(last - top).map(Leaf::items).unwrap_or_default();
        let (high, low): (Vec<T>, Vec<T>) = items.into_iter().partition(|item| tag_of(item) & top != 0);
        self.leaves.set(last - top, Leaf::of(&low, tag_of));
        self.leaves.set(last, Leaf::of(&high, tag_of));
        self.last = last;
    }
}

impl<T: Copy> Leaf<T> {
    #[inline]
    fn lines(&self) -> &[Line<T>] {
        self.0.as_deref().unwrap_or_default()
    }

    fn items(&self) -> Vec<T> {
        self.lines().iter().flat_map(|line| line.0).flatten().collect()
    }

    fn of(items: &[T], tag_of: impl Fn(&T) -> u32) -> Self {
        if items.is_empty() {
            return Self(None);
        }
        let mut count = 1;
        while !has_room(count, items.len()) {
            count *= 2;
        }
        let mut lines = vec![Line([None; 2]); count];
        for item in items {
            put(&mut lines, tag_of(item), *item);
        }
        Self(Some(lines.into()))
    }
}

/// Whether so many lines may hold so many items.
fn has_room(lines: usize, items: usize) -> bool {
    items * 8 <= lines * 2 * 5
}

/// The line that an item should lie in: the upper bits, for the lower ones have led to the leaf.
#[inline]
fn home<T>(tag: u32, lines: &[Line<T>]) -> usize {
    (tag >> 20) as usize & lines.len().wrapping_sub(1)
}

/// The lines from an item's own on, all round.
fn from_home<T>(lines: &[Line<T>], tag: u32) -> impl Iterator<Item = (usize, &Line<T>)> {
    let home = home(tag, lines).min(lines.len());
    let (before, after) = lines.split_at(home);
    (home..).zip(after).chain((0..).zip(before))
}

/// In which line and slot the item lies.
fn locate<T>(lines: &[Line<T>], tag: u32, same: impl Fn(&T) -> bool) -> Option<(usize, usize)> {
    for (at, line) in from_home(lines, tag) {
        if let Some(slot) = line.0.iter().position(|slot| slot.as_ref().is_some_and(&same)) {
            return Some((at, slot));
        }
        if line.0.iter().any(Option::is_none) {
            return None;
        }
    }
    None
}

/// The item, wherever it lies.
#[cold]
fn beyond<T>(lines: &[Line<T>], tag: u32, same: impl Fn(&T) -> bool) -> Option<&T> {
    let (at, slot) = locate(lines, tag, same)?;
    lines.get(at)?.0.get(slot)?.as_ref()
}

/// Puts an item into the first free slot. There is one.
fn put<T>(lines: &mut [Line<T>], tag: u32, item: T) {
    let free = |(_, line): &(usize, &Line<T>)| line.0.iter().any(Option::is_none);
    let Some(at) = from_home(lines, tag).find(free).map(|(at, _)| at) else { return };
    let slot = lines.get_mut(at).and_then(|line| line.0.iter_mut().find(|slot| slot.is_none()));
    if let Some(slot) = slot {
        *slot = Some(item);
    }
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self { leaves: Slab::new(), last: 0, len: 0 }
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

    /// Key and value.
    type Item = (u32, u32);

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

    fn same(roll: &Roll<Item>, kind: u8, model: &HashMap<u32, u32>) -> bool {
        let get = |key| roll.find(hash(kind, key), |item| item.0 == key).map(|item| item.1);
        roll.len == model.len() as u64 && (0..400).all(|key| get(key) == model.get(&key).copied())
    }

    fn set(roll: &mut Roll<Item>, kind: u8, item: Item) {
        roll.set(item, |item| hash(kind, item.0), |other| other.0 == item.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_roll_answers_like_a_hash_map_and_leaves_older_clones_alone(
            kind in 0..4u8,
            start in prop_oneof![0..40u32, 0..400u32],
            items in vec((0..400u32, any::<u32>()), 0..120),
        ) {
            let mut model: HashMap<u32, u32> = (0..start).map(|key| (key, 0)).collect();
            let mut roll = Roll::from_items((0..start).map(|key| (key, 0)).collect(), |item| hash(kind, item.0));
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
        let items: Vec<Item> = (0..50_000).map(|key| (key, 0)).collect();
        let mut grown = Roll::default();
        for item in &items {
            set(&mut grown, 0, *item);
        }
        for roll in [grown, Roll::from_items(items, |item| hash(0, item.0))] {
            let is_home = |key: &u32| {
                let tag = tag(hash(0, *key));
                let lines = roll.leaves.get(address(tag, roll.last)).unwrap().lines();
                lines[home(tag, lines)].0.iter().flatten().any(|item| item.0 == *key)
            };
            let at_home = (0..50_000).filter(is_home).count();
            assert!(at_home > 45_000, "{at_home} of 50,000");
        }
    }
}
