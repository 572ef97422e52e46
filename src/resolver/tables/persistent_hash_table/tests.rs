//! The table against a hash map, and its layout.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;

/// Key and value, which is never 0. A free slot has a key that an item may have, too.
type Pair = (u32, u32);

impl Item for Pair {
    const FREE: Self = (0, 0);

    type Part = u32;
    const NO_PART: u32 = 0;

    fn is_free(&self) -> bool {
        self.1 == 0
    }
}

/// Hashes from good to useless: a good one, one of four values, one that leads all items to one line, and one
/// value for all.
fn hash(kind: u8, key: u32) -> u64 {
    let good = (u64::from(key) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    match kind {
        0 => good & (u64::MAX << 32),
        1 => u64::from(key % 4) << 32,
        2 => u64::from(key) << 32,
        _ => 7,
    }
}

/// The parts are a function of the item.
fn with_parts<const PARTS: usize>(item: Pair) -> ItemWithParts<Pair, PARTS> {
    (item, std::array::from_fn(|n| item.0.wrapping_mul(31) ^ item.1.wrapping_add(u32::try_from(n).unwrap())))
}

fn same<const PARTS: usize>(
    persistent_hash_table: &PersistentHashTable<Pair, PARTS>,
    kind: u8,
    model: &HashMap<u32, u32>,
) -> bool {
    let find = |key| persistent_hash_table.find(hash(kind, key), |item| item.0 == key);
    let get = |key| find(key).map(|stored| (*stored.item, stored.parts().copied().collect()));
    let expected_item = |key, value| with_parts::<PARTS>((key, value));
    let expected =
        |key| model.get(&key).map(|value| expected_item(key, *value)).map(|(item, parts)| (item, parts.to_vec()));
    persistent_hash_table.len == model.len() as u64 && (0..400).all(|key| get(key) == expected(key))
}

fn set<const PARTS: usize>(persistent_hash_table: &mut PersistentHashTable<Pair, PARTS>, kind: u8, item: Pair) {
    persistent_hash_table.set(with_parts(item), |item| hash(kind, item.0), |other| other.0 == item.0);
}

fn of_keys<const PARTS: usize>(keys: u32, kind: u8) -> PersistentHashTable<Pair, PARTS> {
    PersistentHashTable::from_items((0..keys).map(|key| with_parts((key, 1))).collect(), |item| hash(kind, item.0))
}

fn behaves_like_a_hash_map<const PARTS: usize>(kind: u8, start: u32, items: &[Pair]) -> Result<(), TestCaseError> {
    let mut model: HashMap<u32, u32> = (0..start).map(|key| (key, 1)).collect();
    let mut table = of_keys::<PARTS>(start, kind);
    for item in items {
        let (older, before) = (table.clone(), model.clone());
        set(&mut table, kind, *item);
        model.insert(item.0, item.1);
        prop_assert!(same(&table, kind, &model));
        prop_assert!(same(&older, kind, &before));
    }
    prop_assert!(same(&table, kind, &model));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 8 } else { 64 }))]
    #[test]
    fn the_table_behaves_like_a_hash_map_and_older_clones_do_not_change(
        kind in 0..4u8,
        start in prop_oneof![0..40u32, 0..400u32],
        items in vec((0..400u32, 1..u32::MAX), 0..120),
    ) {
        behaves_like_a_hash_map::<0>(kind, start, &items)?;
        behaves_like_a_hash_map::<2>(kind, start, &items)?;
    }
}

#[test]
fn items_are_found_in_one_line_with_nine_of_ten_slots_used() {
    let mut grown = PersistentHashTable::<Pair>::default();
    for key in 0..50_000 {
        set(&mut grown, 0, (key, 1));
    }
    for (persistent_hash_table, most) in [(grown, 85_000), (of_keys(50_000, 0), 57_000)] {
        let is_home = |key: &u32| {
            let tag = tag(hash(0, *key));
            let leaf = persistent_hash_table.leaf(persistent_hash_table.address(tag)).unwrap();
            let line = &leaf.lines[home(tag, leaf.pilot(tag), leaf.lines.len())];
            leaf.pilot(tag) != ASTRAY && line.items.iter().any(|item| !item.is_free() && item.0 == *key)
        };
        let at_home = (0..50_000).filter(is_home).count();
        let slots: usize =
            (0..=persistent_hash_table.last).map(|at| persistent_hash_table.leaf(at).unwrap().lines.len() * 2).sum();
        assert!(at_home > 49_900 && slots < most, "{at_home} of 50,000 at home, in {slots} slots");
    }
}

#[test]
fn a_leaf_is_half_a_cache_line() {
    assert_eq!((size_of::<Leaf<Pair, 0>>(), align_of::<Leaf<Pair, 0>>()), (32, 32));
}

/// As large as an index entry of a user, and its parts.
#[derive(Clone, Copy, Debug)]
struct HalfLine([u64; 4]);

impl Item for HalfLine {
    const FREE: Self = Self([0; 4]);

    type Part = Self;
    const NO_PART: Self = Self::FREE;

    fn is_free(&self) -> bool {
        self.0 == [0; 4]
    }
}

#[test]
fn two_items_fill_a_cache_line_and_each_pair_of_parts_another() {
    fn layout<const PARTS: usize>() -> [usize; 3] {
        type Of<const PARTS: usize> = Line<HalfLine, PARTS>;
        [size_of::<Of<PARTS>>(), align_of::<Of<PARTS>>(), std::mem::offset_of!(Of<PARTS>, parts)]
    }
    assert_eq!((layout::<0>(), layout::<1>(), layout::<3>()), ([64, 64, 64], [128, 64, 64], [256, 64, 64]));
}
