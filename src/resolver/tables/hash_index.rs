//! [`HashIndex`]: a persistent hash table from a caller's hash to a `u32`, for finding a record by a key inside it.
//!
//! The keys are not stored: the caller decides which number is the right one. The table is a *linear hash table*
//! (Litwin, 1980) whose buckets are in a [`PersistentVec`]. It is therefore a radix trie over the hash bits that grows
//! by one bucket at a time.
//!
//! Guarantees: `get` is one vector lookup, then one cache line of up to seven entries (for 93 % of them; the others
//! are one pointer further). `insert` and `remove` change one bucket, and every third `insert` also splits one. An
//! entry costs about 21 bytes. Equal hashes are handled correctly, at the cost of a scan of the entries that share
//! them. Keys from outside need a keyed hash.
//!
//! A load fills an index that nobody else has yet. [`Building`] is the same table over a plain vector, with insertions
//! at a third of the cost. It is turned into a [`HashIndex`] in one step.
//!
//! Rejected: a trie that splits a full bucket 32 ways. It leaves buckets of one entry, each with its own allocation.
//! At some sizes this takes several times the memory and one more cache miss.
//!
//! Deliberately absent: keys, iteration, shrinking (it keeps its greatest width).
//!
//! Read next: `sorted_seq.rs`, the table for sorted lists.

use super::persistent_vec::PersistentVec;
use std::fmt;
use std::sync::Arc;

use crate::model::internal_fault::must;

/// The average number of entries in a bucket. With 3, one bucket in forty overflows, and 7 % of the entries are in
/// those. With 4 it is one in thirteen and 18 %.
const LOAD: u64 = 3;

/// The number of entries that fit in a cache line beside the count. Up to this size a table is one bucket, which is
/// the case for most tables of a small tenant.
const FEW: usize = 7;

const BUCKET: &str = "every address of an index has a bucket";

/// A persistent hash table from hashes to numbers.
#[derive(Clone, Default)]
pub(crate) struct HashIndex<B = PersistentVec<Bucket>> {
    /// Bucket `a` contains the entries whose tag has the address `a`: see [`address`].
    buckets: B,
    /// The address of the last bucket; 0 while there is none.
    last: u32,
    len: u64,
}

/// An index that is being filled and cannot be cloned yet.
pub(crate) type Building = HashIndex<Vec<Bucket>>;

/// The container of the buckets.
pub(crate) trait Buckets: Default {
    fn bucket(&self, address: u32) -> Option<&Bucket>;
    fn bucket_mut(&mut self, address: u32) -> Option<&mut Bucket>;
    /// Appends a bucket. `address` is that of the last bucket before it.
    fn append(&mut self, address: u32, bucket: Bucket);
}

impl Buckets for PersistentVec<Bucket> {
    #[inline]
    fn bucket(&self, address: u32) -> Option<&Bucket> {
        self.get(address)
    }

    fn bucket_mut(&mut self, address: u32) -> Option<&mut Bucket> {
        self.get_mut(address)
    }

    fn append(&mut self, address: u32, bucket: Bucket) {
        self.set(address, bucket);
    }
}

impl Buckets for Vec<Bucket> {
    #[inline]
    fn bucket(&self, address: u32) -> Option<&Bucket> {
        self.get(address as usize)
    }

    fn bucket_mut(&mut self, address: u32) -> Option<&mut Bucket> {
        self.get_mut(address as usize)
    }

    fn append(&mut self, _: u32, bucket: Bucket) {
        self.push(bucket);
    }
}

/// An entry. It stores half of the hash, which selects the bucket and filters entries before the caller is asked.
#[derive(Clone, Copy, Default)]
pub(crate) struct TaggedNumber {
    tag: u32,
    number: u32,
}

#[derive(Clone)]
#[repr(align(64))]
pub(crate) enum Bucket {
    Few {
        count: u8,
        entries: [TaggedNumber; FEW],
    },
    /// More than [`FEW`], by chance or because many hashes are equal.
    Many(Arc<Vec<TaggedNumber>>),
}

impl<B: Buckets> HashIndex<B> {
    /// The number of entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The number that was inserted with this hash and for which `same` is true.
    #[inline]
    pub(crate) fn get(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        self.buckets.bucket(address(tag, self.last))?.find(tag, same)
    }

    /// Adds `number` under `hash`. The caller guarantees that the pair is not present yet.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        if self.buckets.bucket(0).is_none() {
            self.buckets.append(0, Bucket::default());
        }
        if self.len >= ((u64::from(self.last) + 1) * LOAD).max(FEW as u64) {
            self.split();
        }
        let tag = tag(hash);
        if let Some(bucket) = must(self.buckets.bucket_mut(address(tag, self.last)), BUCKET) {
            bucket.push(TaggedNumber { tag, number });
            self.len += 1;
        }
    }

    /// Removes `number` from under `hash`. Returns `false`, and copies nothing, if it is absent.
    pub(crate) fn remove(&mut self, hash: u64, number: u32) -> bool {
        if self.get(hash, |n| n == number).is_none() {
            return false;
        }
        let tag = tag(hash);
        if let Some(bucket) = must(self.buckets.bucket_mut(address(tag, self.last)), BUCKET) {
            bucket.remove(tag, number);
            self.len -= 1;
        }
        true
    }

    /// Adds one bucket. Its entries come from the bucket whose address lacks the top bit of the new one.
    fn split(&mut self) {
        let Some(last) = self.last.checked_add(1) else { return };
        let top = 1 << last.ilog2();
        let Some(low) = must(self.buckets.bucket_mut(last - top), BUCKET) else { return };
        let (mut cached, mut high) = (Bucket::default(), Bucket::default());
        for entry in low.entries() {
            if entry.tag & top == 0 { cached.push(*entry) } else { high.push(*entry) }
        }
        *low = cached;
        self.buckets.append(last, high);
        self.last = last;
    }
}

impl Building {
    /// The same entries in a table that can be cloned. O(buckets).
    pub(crate) fn finish(self) -> HashIndex {
        HashIndex { buckets: PersistentVec::from_vec(self.buckets), last: self.last, len: self.len }
    }
}

impl Bucket {
    fn from_entries(entries: Vec<TaggedNumber>) -> Self {
        if entries.len() > FEW {
            return Self::Many(Arc::new(entries));
        }
        let mut bucket = Self::default();
        for entry in entries {
            bucket.push(entry);
        }
        bucket
    }

    #[inline]
    fn entries(&self) -> &[TaggedNumber] {
        match self {
            Self::Few { count, entries } => entries.get(..usize::from(*count)).unwrap_or_default(),
            Self::Many(entries) => entries,
        }
    }

    /// Compares all seven tags before it looks at one. Leaving the loop at the first hit is an unpredictable branch:
    /// it took 15 ns rather than 7 in a table of a thousand.
    #[inline]
    fn find(&self, tag: u32, same: impl Fn(u32) -> bool) -> Option<u32> {
        let (count, entries) = match self {
            Self::Few { count, entries } => (count, entries),
            Self::Many(entries) => {
                return entries.iter().filter(|entry| entry.tag == tag).map(|entry| entry.number).find(|n| same(*n));
            }
        };
        let hits = (0..).zip(entries).fold(0, |hits, (at, entry)| hits | (u32::from(entry.tag == tag) << at));
        let mut hits = hits & ((1 << count) - 1);
        while hits != 0 {
            let number = entries.get(hits.trailing_zeros() as usize)?.number;
            if same(number) {
                return Some(number);
            }
            hits &= hits - 1;
        }
        None
    }

    fn push(&mut self, entry: TaggedNumber) {
        match self {
            Self::Few { count, entries } => {
                if let Some(slot) = entries.get_mut(usize::from(*count)) {
                    *slot = entry;
                    *count += 1;
                } else {
                    *self = Self::Many(Arc::new(entries.iter().copied().chain([entry]).collect()));
                }
            }
            Self::Many(entries) => Arc::make_mut(entries).push(entry),
        }
    }

    fn remove(&mut self, tag: u32, number: u32) {
        let is_removed = |entry: &TaggedNumber| entry.tag == tag && entry.number == number;
        match self {
            Self::Few { .. } => {
                let rest = self.entries().iter().copied().filter(|entry| !is_removed(entry)).collect();
                *self = Self::from_entries(rest);
            }
            Self::Many(entries) => {
                let entries = Arc::make_mut(entries);
                entries.retain(|entry| !is_removed(entry));
                if entries.len() <= FEW {
                    *self = Self::from_entries(std::mem::take(entries));
                }
            }
        }
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self::Few { count: 0, entries: [TaggedNumber::default(); FEW] }
    }
}

/// The low bits of the tag: as many as the last address has, or one fewer if those lead to a bucket that has not been
/// split off yet.
#[inline]
fn address(tag: u32, last: u32) -> u32 {
    address_in(tag, last, mask(last))
}

/// The same with the mask given.
#[inline]
pub(super) fn address_in(tag: u32, last: u32, mask: u32) -> u32 {
    let address = tag & mask;
    if address <= last { address } else { address & (mask >> 1) }
}

/// The lowest 2ⁿ − 1 that is not below this address.
#[inline]
pub(super) fn mask(last: u32) -> u32 {
    u32::MAX.checked_shr(last.leading_zeros()).unwrap_or(0)
}

/// Uses both halves of the hash, whichever of them the caller's hasher mixes better.
#[inline]
pub(super) fn tag(hash: u64) -> u32 {
    ((hash ^ (hash << 32)) >> 32) as u32
}

impl<B> fmt::Debug for HashIndex<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashIndex({} numbers)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Hashes from perfect to useless: a good one, one of four values, only the high half, and one value for all keys.
    fn hash(kind: u8, key: u32) -> u64 {
        let good = (u64::from(key) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match kind {
            0 => good ^ (good >> 29),
            1 => u64::from(key % 4),
            2 => u64::from(key) << 32,
            _ => 7,
        }
    }

    /// Key `k` is found under number `n` when `keys[n] == k`, as a record is found by the name inside it.
    fn same<B: Buckets>(index: &HashIndex<B>, kind: u8, keys: &[u32], model: &HashMap<u32, u32>) -> bool {
        let get = |key| index.get(hash(kind, key), |n| keys[n as usize] == key);
        index.len() == model.len() as u64 && (0..130).all(|key| get(key) == model.get(&key).copied())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 256 }))]
        #[test]
        fn an_index_answers_like_a_hash_map_and_leaves_older_clones_alone(
            kind in 0..4u8,
            ops in vec((prop_oneof![3 => Just(true), 1 => Just(false)], 0..120u32), 0..250),
        ) {
            let (mut index, mut model, mut keys) = (<HashIndex>::default(), HashMap::new(), Vec::new());
            let mut building = Building::default();
            for (add, key) in ops {
                let (older, before) = (index.clone(), model.clone());
                let number = u32::try_from(keys.len()).unwrap();
                if add && !model.contains_key(&key) {
                    keys.push(key);
                    model.insert(key, number);
                    index.insert(hash(kind, key), number);
                    building.insert(hash(kind, key), number);
                } else {
                    let number = model.remove(&key);
                    building.remove(hash(kind, key), number.unwrap_or(u32::MAX));
                    prop_assert_eq!(index.remove(hash(kind, key), number.unwrap_or(u32::MAX)), number.is_some());
                }
                prop_assert!(same(&index, kind, &keys, &model));
                prop_assert!(same(&older, kind, &keys, &before));
                prop_assert!(same(&building, kind, &keys, &model));
            }
            prop_assert!(same(&building.finish(), kind, &keys, &model));
        }
    }

    #[test]
    fn a_thousand_equal_hashes_are_all_found_and_all_removed() {
        let mut index = <HashIndex>::default();
        (0..1000).for_each(|n| index.insert(42, n));
        assert!((0..1000).all(|key| index.get(42, |n| n == key) == Some(key)));
        assert!((0..1000).all(|n| index.remove(42, n)) && index.len() == 0);
    }

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }
}
