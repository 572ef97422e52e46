//! [`PersistentHashTable`]: a persistent hash table from a caller's hash to small items that contain their own keys.
//!
//! Use it for frequent lookups: the item is stored where the hash leads, without an index in between. It uses linear
//! hashing, as `hash_index.rs` does, over *leaves* of about 24 items. Leaves are grouped in pages, and pages in
//! chapters. A leaf is an array of *lines* of two slots each: a cache line, if an item has 32 bytes. Its items are
//! divided into sixteen classes by their hashes. For each class a *pilot* is stored beside the pointer to the lines.
//! With the pilot, the hash leads each item of the class to a line that has room. Pilots are found by trial, the
//! largest class first (*hash, displace and compress*; Belazzougui, Botelho, Dietzfelbinger, 2009).
//!
//! An item may have *parts*. A line then begins with both items, and one pair of parts after the other follows. A search
//! compares the items only. So it reads one cache line, if an item has 32 bytes.
//!
//! Guarantees: `find` follows three pointers, whatever the size, and then reads one line, whether the item is
//! present or not. A change copies at most one leaf, the pointers of a page and of a chapter, and one pointer for each
//! 25,000 items. A new item may cause the others of its leaf to be placed again, in about 500 steps. Nine of ten slots
//! are used. Equal hashes are handled correctly, at the cost of a scan of a leaf.
//!
//! Rejected: lines found by probing. For a million items of 32 bytes at most 5/8 of their slots were used, an item
//! cost 73 bytes, and every twelfth lay outside its line. This table costs 40 bytes an item of that size.
//!
//! Deliberately absent: removal, iteration, shrinking.
//!
//! Read next: `sorted_seq.rs`, the table for sorted lists.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use crate::model::internal_fault::must;

use super::hash_index::{address_in, mask, tag};

/// The average number of items in a leaf. A leaf has between two thirds and twice as many. More are harder to place.
const LOAD: u64 = 24;

/// The number of leaves in a page, and of pages in a chapter. It is fixed, so that the path to a leaf needs no loop
/// and no test of the kind of node. Wider pages would mean fewer pointers to follow, but a change increments the
/// reference counts of a whole page, each in a cache line of its own. At a million items there are forty chapters. A
/// change copies least when all three levels are about equally wide.
const PAGE: usize = 32;
const CHAPTER: usize = 32;

const CLASSES: usize = 16;

/// The pilot of a class for which none was found. Its items are wherever there was room.
const ASTRAY: u8 = u8::MAX;

/// How many lines more than usual are tried before a class is given up as [`ASTRAY`]. One in fourteen leaves needs one
/// more.
const MORE_LINES: usize = 4;

/// The number of lines for 32 items. Where all items come at once, it is close to the minimum. Where more are expected
/// it has room, so that most new items fit without placing the others again.
const CLOSE: usize = 17;
const ROOMY: usize = 22;

const LEAF: &str = "every address of a hash table has a leaf";

/// A persistent hash table of items.
#[derive(Clone)]
pub(crate) struct PersistentHashTable<T: Item, const PARTS: usize = 0> {
    /// INVARIANT: no chapter or page is empty, and all but the last are full. Leaf `a`, counted through all pages,
    /// contains the items whose tag has the address `a`.
    chapters: Arc<[Chapter<T, PARTS>]>,
    /// The lowest 2ⁿ − 1 that is not below the address of the last leaf.
    mask: u32,
    /// The address of the last leaf; also 0 for an empty table.
    last: u32,
    len: u64,
}

type Chapter<T, const PARTS: usize> = Arc<[Page<T, PARTS>]>;
type Page<T, const PARTS: usize> = Arc<[Leaf<T, PARTS>]>;

/// An item with its parts.
type ItemWithParts<T, const PARTS: usize> = (T, [<T as Item>::Part; PARTS]);

/// An item where it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemRef<'a, T: Item> {
    pub(crate) item: &'a T,
    is_first: bool,
    /// Those of both items.
    parts: &'a [[T::Part; 2]],
}

impl<'a, T: Item> ItemRef<'a, T> {
    #[inline]
    pub(crate) fn without_parts(item: &'a T) -> Self {
        Self { item, is_first: true, parts: &[] }
    }

    #[inline]
    pub(crate) fn has_parts(self) -> bool {
        !self.parts.is_empty()
    }

    #[inline]
    pub(crate) fn parts(self) -> impl Iterator<Item = &'a T::Part> + Clone {
        self.parts.iter().map(move |[one, other]| if self.is_first { one } else { other })
    }
}

/// INVARIANT: each item is in its [`home`], or its class is [`ASTRAY`].
///
/// Aligned, so that no leaf straddles two cache lines.
#[derive(Clone)]
#[repr(align(32))]
struct Leaf<T: Item, const PARTS: usize> {
    lines: Arc<[Line<T, PARTS>]>,
    pilots: [u8; CLASSES],
}

/// INVARIANT: the first slot is filled before the second.
///
/// In this order, so that two items of 32 bytes fill the first cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line<T: Item, const PARTS: usize> {
    items: [T; 2],
    parts: [[T::Part; 2]; PARTS],
}

/// The content of a slot.
pub(crate) trait Item: Copy {
    /// The content of a free slot.
    const FREE: Self;

    /// Data of an item beyond its half of the first cache line.
    type Part: Copy + fmt::Debug;

    /// A part of a free slot.
    const NO_PART: Self::Part;

    /// Whether the slot is free. A search compares first and asks this only of the slot that it chose.
    fn is_free(&self) -> bool;
}

/// Where items of one hash are stored: the line, and all lines of its leaf if the class may be astray.
#[derive(Clone, Copy, Debug)]
struct Bucket<'a, T: Item, const PARTS: usize> {
    line: &'a Line<T, PARTS>,
    astray: &'a [Line<T, PARTS>],
}

impl<'a, T: Item, const PARTS: usize> Bucket<'a, T, PARTS> {
    /// The item for which `same` is true.
    #[inline]
    fn find(self, same: impl Fn(&T) -> bool) -> Option<ItemRef<'a, T>> {
        let [one, other] = &self.line.items;
        // Selects a slot before testing it, because which of the two it is cannot be predicted. If both are the same,
        // it selects the first: the second is free then.
        let chosen = if same(one) { one } else { other };
        if same(chosen) && !chosen.is_free() {
            let is_first = std::ptr::eq(chosen, one);
            return Some(ItemRef { item: chosen, is_first, parts: &self.line.parts });
        }
        if self.astray.is_empty() { None } else { find_astray(self.astray, same) }
    }
}

/// Separate, so that the code of a usual look-up stays short enough to be inlined.
#[cold]
fn find_astray<T: Item, const PARTS: usize>(
    lines: &[Line<T, PARTS>],
    same: impl Fn(&T) -> bool,
) -> Option<ItemRef<'_, T>> {
    lines.iter().flat_map(Line::stored).find(|stored| !stored.item.is_free() && same(stored.item))
}

impl<T: Item, const PARTS: usize> PersistentHashTable<T, PARTS> {
    /// The item that was inserted with this hash and for which `same` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<ItemRef<'_, T>> {
        self.bucket(hash)?.find(same)
    }

    /// Where the items with a hash are stored. Does not read them.
    #[inline]
    fn bucket(&self, hash: u64) -> Option<Bucket<'_, T, PARTS>> {
        let tag = tag(hash);
        let leaf = self.leaf(self.address(tag))?;
        let pilot = leaf.pilot(tag);
        let line = leaf.lines.get(home(tag, pilot, leaf.lines.len()))?;
        Some(Bucket { line, astray: if pilot == ASTRAY { &leaf.lines } else { &[] } })
    }

    /// Whether two tables share everything: nothing in them was copied.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chapters, &other.chapters)
    }

    #[inline]
    fn leaf(&self, at: u32) -> Option<&Leaf<T, PARTS>> {
        let at = at as usize;
        self.chapters.get(at / (PAGE * CHAPTER))?.get(at / PAGE % CHAPTER)?.get(at % PAGE)
    }

    fn leaf_mut(&mut self, at: u32) -> Option<&mut Leaf<T, PARTS>> {
        let at = at as usize;
        let chapter = Arc::make_mut(&mut self.chapters).get_mut(at / (PAGE * CHAPTER))?;
        Arc::make_mut(Arc::make_mut(chapter).get_mut(at / PAGE % CHAPTER)?).get_mut(at % PAGE)
    }

    #[inline]
    fn address(&self, tag: u32) -> u32 {
        address_in(tag, self.last, self.mask)
    }

    /// Replaces the item that is the same, or adds this one. `hash` computes the hash of an item.
    pub(crate) fn set(&mut self, item: ItemWithParts<T, PARTS>, hash: impl Fn(&T) -> u64, same: impl Fn(&T) -> bool) {
        let tag_of = |item: &T| tag(hash(item));
        let tag = tag_of(&item.0);
        if self.find(hash(&item.0), &same).is_some() {
            if let Some(leaf) = must(self.leaf_mut(self.address(tag)), LEAF) {
                leaf.replace(tag, &item, &same);
            }
            return;
        }
        if self.len == 0 {
            *self = Self::from_items(vec![item], hash);
            return;
        }
        self.len += 1;
        if self.len > (u64::from(self.last) + 1) * LOAD {
            self.split(&tag_of);
        }
        let Some(leaf) = must(self.leaf_mut(self.address(tag)), LEAF) else { return };
        if !leaf.put(tag, &item) {
            let mut items = leaf.items();
            items.push(item);
            *leaf = Leaf::of(&items, ROOMY, tag_of);
        }
    }

    /// A table of these items, all of them different.
    pub(crate) fn from_items(items: Vec<ItemWithParts<T, PARTS>>, hash: impl Fn(&T) -> u64) -> Self {
        let len = items.len() as u64;
        if items.is_empty() {
            return Self::default();
        }
        let tag_of = |item: &T| tag(hash(item));
        let last = u32::try_from(len.div_ceil(LOAD) - 1).unwrap_or(u32::MAX);
        let mut persistent_hash_table = Self { chapters: Arc::default(), mask: mask(last), last, len };
        let mut leaves: Vec<Vec<ItemWithParts<T, PARTS>>> = Vec::new();
        leaves.resize_with(last as usize + 1, Vec::new);
        for item in items {
            let leaf = leaves.get_mut(persistent_hash_table.address(tag_of(&item.0)) as usize);
            if let Some(leaf) = must(leaf, LEAF) {
                leaf.push(item);
            }
        }
        let leaf = |items: &Vec<ItemWithParts<T, PARTS>>| Leaf::of(items, CLOSE, tag_of);
        let pages: Vec<Page<T, PARTS>> = leaves.chunks(PAGE).map(|leaves| leaves.iter().map(leaf).collect()).collect();
        persistent_hash_table.chapters = pages.chunks(CHAPTER).map(Arc::from).collect();
        persistent_hash_table
    }

    /// Adds one leaf. Its items come from the leaf whose address lacks the top bit of the new one.
    fn split(&mut self, tag_of: &impl Fn(&T) -> u32) {
        let Some(last) = self.last.checked_add(1) else { return };
        let Some(low) = must(self.leaf_mut(last - (1 << last.ilog2())), LEAF) else { return };
        let is_high = |(item, _): &ItemWithParts<T, PARTS>| tag_of(item) >> last.ilog2() & 1 == 1;
        let (high, low_items): (Vec<_>, Vec<_>) = low.items().into_iter().partition(is_high);
        *low = Leaf::of(&low_items, ROOMY, tag_of);
        self.append(last as usize, Leaf::of(&high, ROOMY, tag_of));
        (self.last, self.mask) = (last, mask(last));
    }

    fn append(&mut self, at: usize, leaf: Leaf<T, PARTS>) {
        let Some(chapter) = Arc::make_mut(&mut self.chapters).get_mut(at / (PAGE * CHAPTER)) else {
            self.chapters = with(&self.chapters, Arc::from([Arc::from([leaf])]));
            return;
        };
        match Arc::make_mut(chapter).get_mut(at / PAGE % CHAPTER) {
            Some(page) => *page = with(page, leaf),
            None => *chapter = with(chapter, Arc::from([leaf])),
        }
    }
}

/// These parts and one more.
fn with<P: Clone>(parts: &[P], part: P) -> Arc<[P]> {
    parts.iter().cloned().chain([part]).collect()
}

/// The class of an item and its offset in the class, from the upper bits. The lower ones selected the leaf.
#[inline]
fn class(tag: u32) -> usize {
    (tag >> 28) as usize
}

/// The line of an item.
#[inline]
fn home(tag: u32, pilot: u8, lines: usize) -> usize {
    ((((tag >> 20) & 0xFF) as usize ^ usize::from(pilot)) * lines) >> 8
}

impl<T: Item, const PARTS: usize> Leaf<T, PARTS> {
    #[inline]
    fn pilot(&self, tag: u32) -> u8 {
        self.pilots.get(class(tag)).copied().unwrap_or(ASTRAY)
    }

    fn items(&self) -> Vec<ItemWithParts<T, PARTS>> {
        let stored = self.lines.iter().flat_map(Line::stored).filter(|stored| !stored.item.is_free());
        let parts = |stored: ItemRef<'_, T>| {
            let mut parts = [T::NO_PART; PARTS];
            parts.iter_mut().zip(stored.parts()).for_each(|(place, part)| *place = *part);
            parts
        };
        stored.map(|stored| (*stored.item, parts(stored))).collect()
    }

    /// Replaces the item that is the same.
    fn replace(&mut self, tag: u32, item: &ItemWithParts<T, PARTS>, same: impl Fn(&T) -> bool) {
        let (lines, pilot) = (&self.lines, self.pilot(tag));
        let around = if pilot == ASTRAY { 0 } else { home(tag, pilot, lines.len()) };
        let mut places = (around..).zip(lines.iter().skip(around));
        let is_it = |slot: &T| !slot.is_free() && same(slot);
        let found = places.find_map(|(at, line)| Some((at, line.items.iter().position(is_it)?)));
        if let Some((line, slot)) = must(found, "an item that was found has a slot") {
            self.fill(line, slot, item);
        }
    }

    /// Puts a new item in its home. Returns `false`, and copies nothing, if there is no room.
    fn put(&mut self, tag: u32, item: &ItemWithParts<T, PARTS>) -> bool {
        let at = home(tag, self.pilot(tag), self.lines.len());
        let Some(slot) = self.lines.get(at).and_then(Line::free) else { return false };
        self.fill(at, slot, item);
        true
    }

    fn fill(&mut self, line: usize, slot: usize, item: &ItemWithParts<T, PARTS>) {
        if let Some(line) = must(Arc::make_mut(&mut self.lines).get_mut(line), "a line that was found can be changed") {
            line.fill(slot, item);
        }
    }

    /// A leaf of these items, in as few lines as place every class. It begins with `lines` for each 32 items and tries
    /// a few more.
    fn of(items: &[ItemWithParts<T, PARTS>], lines: usize, tag_of: impl Fn(&T) -> u32) -> Self {
        Self::of_tagged(items.iter().map(|item| (tag_of(&item.0), *item)).collect(), lines)
    }

    /// Separate from [`Self::of`], so that it is not compiled again for each closure.
    fn of_tagged(mut items: Vec<(u32, ItemWithParts<T, PARTS>)>, lines: usize) -> Self {
        if items.is_empty() {
            return Self::default();
        }
        items.sort_unstable_by_key(|(tag, _)| class(*tag));
        let mut classes: Vec<&[(u32, ItemWithParts<T, PARTS>)]> =
            items.chunk_by(|a, b| class(a.0) == class(b.0)).collect();
        classes.sort_by_key(|class| Reverse(class.len()));
        let usual = (items.len() * lines).div_ceil(32);
        let mut tried = (usual..usual + MORE_LINES).map(|count| Self::placed(&classes, count));
        let led = tried.find(|leaf| !leaf.pilots.contains(&ASTRAY));
        led.unwrap_or_else(|| Self::placed(&classes, usual + MORE_LINES))
    }

    /// The items of these classes, the largest first, in `count` lines. There are slots for all.
    fn placed(classes: &[&[(u32, ItemWithParts<T, PARTS>)]], count: usize) -> Self {
        let (mut lines, mut pilots, mut left) = (vec![Line::FREE; count], [0; CLASSES], Vec::new());
        // Counts of free slots, so that the many trials read no line.
        let mut room = vec![2_u8; count];
        for items in classes {
            let pilot = (0..ASTRAY).find(|pilot| has_room(&room, items, *pilot)).unwrap_or(ASTRAY);
            for (tag, item) in *items {
                if let Some(place) = must(pilots.get_mut(class(*tag)), "every class has a pilot") {
                    *place = pilot;
                }
                let at = home(*tag, pilot, count);
                match lines.get_mut(at).zip(room.get_mut(at)) {
                    Some((line, room)) if pilot != ASTRAY => {
                        line.put(item);
                        *room -= 1;
                    }
                    _ => left.push(item),
                }
            }
        }
        for item in left {
            let line = lines.iter_mut().find(|line| line.free().is_some());
            must(line.map(|line| line.put(item)), "a leaf has a slot for every item");
        }
        Self { lines: lines.into(), pilots }
    }
}

/// Whether the lines to which a pilot leads have room for a whole class.
fn has_room<T>(room: &[u8], items: &[(u32, T)], pilot: u8) -> bool {
    let home_of = |tag: u32| home(tag, pilot, room.len());
    (0..).zip(items).all(|(n, (tag, _))| {
        let at = home_of(*tag);
        let before = items.iter().take(n).filter(|(other, _)| home_of(*other) == at).count();
        room.get(at).is_some_and(|room| usize::from(*room) > before)
    })
}

impl<T: Item, const PARTS: usize> Line<T, PARTS> {
    const FREE: Self = Self { items: [T::FREE; 2], parts: [[T::NO_PART; 2]; PARTS] };

    /// Both slots.
    fn stored(&self) -> [ItemRef<'_, T>; 2] {
        let [one, other] = &self.items;
        [(one, true), (other, false)].map(|(item, is_first)| ItemRef { item, is_first, parts: &self.parts })
    }

    fn free(&self) -> Option<usize> {
        self.items.iter().position(Item::is_free)
    }

    fn put(&mut self, item: &ItemWithParts<T, PARTS>) {
        if let Some(slot) = must(self.free(), "a line that has room has a free slot") {
            self.fill(slot, item);
        }
    }

    fn fill(&mut self, slot: usize, (item, parts): &ItemWithParts<T, PARTS>) {
        if let Some(place) = must(self.items.get_mut(slot), "a line has two slots") {
            *place = *item;
        }
        for (both, part) in self.parts.iter_mut().zip(parts) {
            if let Some(place) = must(both.get_mut(slot), "a line has two slots") {
                *place = *part;
            }
        }
    }
}

impl<T: Item, const PARTS: usize> Default for Leaf<T, PARTS> {
    fn default() -> Self {
        Self { lines: Arc::default(), pilots: [0; CLASSES] }
    }
}

impl<T: Item, const PARTS: usize> Default for PersistentHashTable<T, PARTS> {
    fn default() -> Self {
        Self { chapters: Arc::default(), mask: 0, last: 0, len: 0 }
    }
}

impl<T: Item, const PARTS: usize> fmt::Debug for PersistentHashTable<T, PARTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersistentHashTable({} items)", self.len)
    }
}

#[cfg(test)]
mod tests;
