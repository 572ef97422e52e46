//! [`Roll`]: a persistent hash table from a caller's hash to small items that hold their own keys.
//!
//! For: what is looked up so often that it should lie where the hash leads, rather than where a number in an index
//! leads. Linear hashing, as in `index.rs`, over *leaves* of some 24 items. A leaf is an array of cache lines of two
//! slots each. Its items are in sixteen classes by their hashes, and for each class a *pilot* is kept beside the pointer
//! to the lines: with it, the hash leads each item of the class to a line that has room. Pilots are found by trying, the
//! largest class first (*hash, displace and compress*; Belazzougui, Botelho, Dietzfelbinger, 2009).
//!
//! Promises: `find` reads one cache line behind the path to the leaf, whether the item is there or not. A change copies,
//! at most, the path and one leaf, and an item that is new may place the others of its leaf anew: some 500 steps. Nine
//! of ten slots are taken. Equal hashes are correct, and cost a scan of a leaf.
//!
//! What it replaced, measured for items of 32 bytes: lines found by probing, of whose slots at most 5/8 were taken, cost
//! 72 bytes an item, and every twelfth lay beyond its line; this costs 41.
//!
//! Deliberately absent: removal, iteration, shrinking.
//!
//! Read next: `order.rs`, the table for what must come out sorted.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use super::index::{address, tag};
use super::slab::Slab;

/// The average number of items in a leaf. A leaf has from two thirds to twice as many: more are harder to place.
const LOAD: u64 = 24;

const CLASSES: usize = 16;

/// The pilot of a class for which none was found: its items lie wherever there was room.
const ASTRAY: u8 = u8::MAX;

/// How many lines more than usual are tried before a class goes astray. One in fourteen leaves needs one.
const MORE_LINES: usize = 4;

/// A persistent hash table of items.
#[derive(Clone)]
pub(crate) struct Roll<T> {
    leaves: Slab<Leaf<T>>,
    /// The address of the last leaf; 0 while there is none.
    last: u32,
    len: u64,
}

/// INVARIANT: an item lies in its [`home`], or its class is [`ASTRAY`].
///
/// Aligned, so that no leaf straddles two cache lines.
#[derive(Clone)]
#[repr(align(32))]
struct Leaf<T> {
    lines: Option<Arc<[Line<T>]>>,
    pilots: [u8; CLASSES],
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line<T>([Option<T>; 2]);

impl<T: Copy> Roll<T> {
    /// The item inserted with this hash for which `same` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<&T> {
        let tag = tag(hash);
        let leaf = self.leaves.get(address(tag, self.last))?;
        let (lines, pilot) = (leaf.lines(), leaf.pilot(tag));
        let [one, other] = &lines.get(home(tag, pilot, lines.len()))?.0;
        // Chosen before it is looked at, for which of the two it is cannot be foreseen.
        let chosen = if other.as_ref().is_some_and(&same) { other } else { one };
        match chosen {
            Some(item) if same(item) => Some(item),
            _ if pilot == ASTRAY => astray(lines, same),
            _ => None,
        }
    }

    /// Puts an item in the place of the one that is the same, or adds it. `hash` is that of an item.
    pub(crate) fn set(&mut self, item: T, hash: impl Fn(&T) -> u64, same: impl Fn(&T) -> bool) {
        let tag_of = |item: &T| tag(hash(item));
        let tag = tag_of(&item);
        if self.find(hash(&item), &same).is_some() {
            if let Some(leaf) = self.leaves.get_mut(address(tag, self.last)) {
                leaf.replace(tag, item, &same);
            }
            return;
        }
        self.len += 1;
        if self.len > (u64::from(self.last) + 1) * LOAD {
            self.split(&tag_of);
        }
        let at = address(tag, self.last);
        if !self.leaves.get_mut(at).is_some_and(|leaf| leaf.put(tag, item)) {
            let mut items = self.leaves.get(at).map(Leaf::items).unwrap_or_default();
            items.push(item);
            self.leaves.set(at, Leaf::of(&items, tag_of));
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

/// Which class an item is in, and where in the class: the upper bits, for the lower ones have led to the leaf.
#[inline]
fn class(tag: u32) -> usize {
    (tag >> 28) as usize
}

/// The line that an item lies in.
#[inline]
fn home(tag: u32, pilot: u8, lines: usize) -> usize {
    ((((tag >> 20) & 0xFF) as usize ^ usize::from(pilot)) * lines) >> 8
}

/// The item, wherever it lies.
#[cold]
fn astray<T>(lines: &[Line<T>], same: impl Fn(&T) -> bool) -> Option<&T> {
    lines.iter().flat_map(|line| &line.0).flatten().find(|item| same(item))
}

impl<T: Copy> Leaf<T> {
    #[inline]
    fn lines(&self) -> &[Line<T>] {
        self.lines.as_deref().unwrap_or_default()
    }

    #[inline]
    fn pilot(&self, tag: u32) -> u8 {
        self.pilots.get(class(tag)).copied().unwrap_or(ASTRAY)
    }

    fn items(&self) -> Vec<T> {
        self.lines().iter().flat_map(|line| line.0).flatten().collect()
    }

    /// Puts an item in the place of the one that is the same.
    fn replace(&mut self, tag: u32, item: T, same: impl Fn(&T) -> bool) {
        let (lines, pilot) = (self.lines(), self.pilot(tag));
        let around = if pilot == ASTRAY { 0 } else { home(tag, pilot, lines.len()) };
        let mut places = (around..).zip(lines.iter().skip(around));
        let is_it = |slot: &Option<T>| slot.as_ref().is_some_and(&same);
        let found = places.find_map(|(at, line)| Some((at, line.0.iter().position(is_it)?)));
        if let Some(slot) = found.and_then(|(line, slot)| self.slot_mut(line, slot)) {
            *slot = Some(item);
        }
    }

    /// Puts an item that is not there in its home: false, and nothing copied, if that has no room.
    fn put(&mut self, tag: u32, item: T) -> bool {
        let at = home(tag, self.pilot(tag), self.lines().len());
        let Some(slot) = self.lines().get(at).and_then(Line::free) else { return false };
        if let Some(slot) = self.slot_mut(at, slot) {
            *slot = Some(item);
        }
        true
    }

    fn slot_mut(&mut self, line: usize, slot: usize) -> Option<&mut Option<T>> {
        Arc::make_mut(self.lines.as_mut()?).get_mut(line)?.0.get_mut(slot)
    }

    /// These items in as few lines as lead none of them astray, if a few more than usual do.
    fn of(items: &[T], tag_of: impl Fn(&T) -> u32) -> Self {
        if items.is_empty() {
            return Self::default();
        }
        let mut items: Vec<(u32, T)> = items.iter().map(|item| (tag_of(item), *item)).collect();
        items.sort_unstable_by_key(|(tag, _)| class(*tag));
        let mut classes: Vec<&[(u32, T)]> = items.chunk_by(|a, b| class(a.0) == class(b.0)).collect();
        classes.sort_by_key(|class| Reverse(class.len()));
        let usual = (items.len() * 17).div_ceil(32);
        let mut tried = (usual..usual + MORE_LINES).map(|count| Self::placed(&classes, count));
        let led = tried.find(|leaf| !leaf.pilots.contains(&ASTRAY));
        led.unwrap_or_else(|| Self::placed(&classes, usual + MORE_LINES))
    }

    /// The items of these classes, the largest first, in so many lines. There are slots for all.
    fn placed(classes: &[&[(u32, T)]], count: usize) -> Self {
        let (mut lines, mut pilots, mut left) = (vec![Line([None; 2]); count], [0; CLASSES], Vec::new());
        for items in classes {
            let pilot = (0..ASTRAY).find(|pilot| has_room(&lines, items, *pilot)).unwrap_or(ASTRAY);
            for (tag, item) in *items {
                pilots.iter_mut().skip(class(*tag)).take(1).for_each(|place| *place = pilot);
                match lines.get_mut(home(*tag, pilot, count)) {
                    Some(line) if pilot != ASTRAY => line.put(*item),
                    _ => left.push(*item),
                }
            }
        }
        let room = lines.iter_mut().flat_map(|line| &mut line.0).filter(|slot| slot.is_none());
        room.zip(left).for_each(|(slot, item)| *slot = Some(item));
        Self { lines: Some(lines.into()), pilots }
    }
}

/// Whether the lines have room for all of a class where a pilot leads them.
fn has_room<T>(lines: &[Line<T>], items: &[(u32, T)], pilot: u8) -> bool {
    let home_of = |tag: u32| home(tag, pilot, lines.len());
    items.iter().enumerate().all(|(n, (tag, _))| {
        let at = home_of(*tag);
        let mates = items.iter().take(n).filter(|(other, _)| home_of(*other) == at).count();
        lines.get(at).is_some_and(|line| line.0.iter().filter(|slot| slot.is_none()).count() > mates)
    })
}

impl<T> Line<T> {
    fn free(&self) -> Option<usize> {
        self.0.iter().position(Option::is_none)
    }

    fn put(&mut self, item: T) {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(item);
        }
    }
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self { lines: None, pilots: [0; CLASSES] }
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
    fn one_by_one_or_at_once_all_lie_in_the_line_that_is_looked_at_and_nine_of_ten_slots_are_taken() {
        let items: Vec<Item> = (0..50_000).map(|key| (key, 0)).collect();
        let mut grown = Roll::default();
        for item in &items {
            set(&mut grown, 0, *item);
        }
        for (roll, most) in [(grown, 65_000), (Roll::from_items(items, |item| hash(0, item.0)), 57_000)] {
            let is_home = |key: &u32| {
                let tag = tag(hash(0, *key));
                let leaf = roll.leaves.get(address(tag, roll.last)).unwrap();
                let line = &leaf.lines()[home(tag, leaf.pilot(tag), leaf.lines().len())];
                leaf.pilot(tag) != ASTRAY && line.0.iter().flatten().any(|item| item.0 == *key)
            };
            let at_home = (0..50_000).filter(is_home).count();
            let slots: usize = roll.leaves.iter().map(|(_, leaf)| leaf.lines().len() * 2).sum();
            assert!(at_home > 49_900 && slots < most, "{at_home} of 50,000 at home, in {slots} slots");
        }
    }

    #[test]
    fn a_leaf_is_half_a_cache_line() {
        assert_eq!((size_of::<Leaf<Item>>(), align_of::<Leaf<Item>>()), (32, 32));
    }
}
