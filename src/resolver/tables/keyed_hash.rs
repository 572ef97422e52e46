//! [`KeyedHash`] and [`KeyedTextHash`]: fast keyed hashes of 128-bit ids and of short texts.
//!
//! They take one multiplication per eight bytes.
//!
//! Outsiders may choose both, so the hashes have a secret key (A21). They are *pair-multiply-shift* hashes (Thorup,
//! High Speed Hashing for Integers and Strings, 2015, section 3.5), which are strongly universal. For any two ids, or
//! two texts of one length, that were chosen without knowledge of the key, the hashes are independent and uniform,
//! whatever their pattern. A term for the length makes texts of different lengths as unlikely to collide.
//!
//! A keyed pseudo-random function, such as the standard library's, is stronger: it also withstands an attacker who
//! sees hashes. Here nobody sees them: they never leave an index, and no iteration follows them. For a text of 20
//! bytes, such a function takes 200 instructions, and this one 40.

use std::hash::BuildHasher;
use std::sync::Arc;

/// Only the upper half of a sum is uniform.
const UPPER: u64 = u64::MAX << 32;

/// Spreads a hash over all bits, for tables that read bits at both ends.
#[cfg(feature = "json")]
pub(crate) fn spread(hash: u64) -> u64 {
    hash | hash >> 32
}

/// A key.
#[derive(Clone, Copy)]
pub(crate) struct KeyedHash([u64; 5]);

impl KeyedHash {
    /// Draws a key from this source of keys. The same source gives the same key.
    pub(crate) fn new(source: &impl BuildHasher) -> Self {
        Self([0_u8, 1, 2, 3, 4].map(|n| source.hash_one(n)))
    }

    /// The hash. Only its upper half is used: the lower half is zero.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an id in four parts")]
    pub(crate) fn hash(&self, id: u128) -> u64 {
        let [first, second, third, fourth, last] = self.0;
        let part = |shift: u32| u64::from((id >> shift) as u32);
        let low = first.wrapping_add(part(32)).wrapping_mul(second.wrapping_add(part(0)));
        let high = third.wrapping_add(part(96)).wrapping_mul(fourth.wrapping_add(part(64)));
        low.wrapping_add(high).wrapping_add(last) & UPPER
    }
}

/// The longest valid name has 320 bytes. Longer text has not been validated yet, and is hashed block by block.
const EIGHTS: usize = 40;
const BLOCK: usize = EIGHTS * 8;

/// A key for texts. All tables of one catalog in a process share it.
#[derive(Clone)]
pub(crate) struct KeyedTextHash(Arc<[[u64; 2]; EIGHTS + 3]>);

impl KeyedTextHash {
    /// Draws a key from this source of keys. The same source gives the same key.
    pub(crate) fn new(source: &impl BuildHasher) -> Self {
        let draw = |at: usize| [0, 1].map(|half| source.hash_one(("text", at, half)));
        Self(Arc::new(std::array::from_fn(draw)))
    }

    /// The hash. Only its upper half is used: the lower half is zero.
    #[inline]
    pub(crate) fn hash(&self, text: &[u8]) -> u64 {
        if text.len() > BLOCK { self.hash_long(text) } else { self.sum(text) & UPPER }
    }

    /// Works from the end, so that the sum of each block has a term for the hash of all that follows.
    #[cold]
    fn hash_long(&self, text: &[u8]) -> u64 {
        let [_, _, after, ..] = &*self.0;
        let sum = |rest: u64, block| self.sum(block).wrapping_add(term(*after, rest.to_le_bytes())) & UPPER;
        text.chunks(BLOCK).rev().fold(0, sum)
    }

    #[inline]
    fn sum(&self, text: &[u8]) -> u64 {
        let [length, last, _, keys @ ..] = &*self.0;
        let sum = length[0].wrapping_mul(text.len() as u64).wrapping_add(length[1]);
        let eights = text.chunks_exact(8).filter_map(|eight| eight.first_chunk());
        let sum = keys.iter().zip(eights).fold(sum, |sum, (key, eight)| sum.wrapping_add(term(*key, *eight)));
        // The last eight bytes, even if the sum contains some of them already. With the length, they determine the
        // rest.
        let end = text.last_chunk().copied().unwrap_or_else(|| {
            let mut bytes = text.iter().copied();
            std::array::from_fn(|_| bytes.next().unwrap_or(0))
        });
        sum.wrapping_add(term(*last, end))
    }
}

/// The contribution of eight bytes to a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "eight bytes in two parts")]
fn term([one, other]: [u64; 2], eight: [u8; 8]) -> u64 {
    let eight = u64::from_le_bytes(eight);
    one.wrapping_add(eight >> 32).wrapping_mul(other.wrapping_add(u64::from(eight as u32)))
}

impl std::fmt::Debug for KeyedTextHash {
    /// Does not show the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedText")
    }
}

impl std::fmt::Debug for KeyedHash {
    /// Does not show the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasherDefault, DefaultHasher, RandomState};

    #[test]
    fn ids_of_any_pattern_spread_as_if_drawn() {
        let key = KeyedHash::new(&BuildHasherDefault::<DefaultHasher>::new());
        for shift in [0, 7, 32, 61, 64, 96, 112] {
            let hashes = (0..10_000_u128).map(|n| key.hash(n << shift));
            let distinct: HashSet<u64> = hashes.collect();
            // Of 10,000 random 32-bit hashes, 0.01 pairs are expected to collide.
            assert!(distinct.len() >= 9_998, "shifted by {shift}: {}", distinct.len());
        }
    }

    /// A21: names chosen by an adversary who knows the hash function and not the key. They are numbered names, long
    /// names that differ in one byte, texts that differ only beyond the longest name, zeros of every length, and names
    /// that end with zeros.
    #[test]
    fn texts_of_any_pattern_spread_as_if_drawn() {
        let key = KeyedTextHash::new(&BuildHasherDefault::<DefaultHasher>::new());
        let numbered = (0..10_000).map(|n| format!("user{n}@example.com").into_bytes());
        let reversed = (0..10_000).map(|n| format!("{n:07}").bytes().rev().collect::<Vec<_>>());
        let alike = (0..9_600).map(|n| (0..320).map(move |at| if at == n % 320 { n / 320 + 1 } else { 0 }));
        let alike = alike.map(|bytes| bytes.map(|byte| u8::try_from(byte).unwrap()).collect::<Vec<_>>());
        let zeros = (0..1_000).map(|length| vec![0; length]);
        let beyond = (0..10_000_u64).map(|n| {
            let mut bytes = vec![0; 1_000];
            let at = 320 + usize::try_from(n % 80).unwrap() * 8;
            bytes[at..at + 8].copy_from_slice(&(n / 80 + 1).to_le_bytes());
            bytes
        });
        let ended = (0..40).flat_map(|length| [b"a", b"b"].map(|start| [&start[..], &vec![0; length]].concat()));
        for texts in
            [numbered.collect(), reversed.collect(), alike.collect(), beyond.collect(), zeros.chain(ended).collect()]
        {
            let texts: Vec<Vec<u8>> = texts;
            let distinct: HashSet<u64> = texts.iter().map(|text| key.hash(text)).collect();
            assert!(distinct.len() + 2 >= texts.len(), "{} of {}", distinct.len(), texts.len());
            assert!(distinct.iter().all(|hash| hash.trailing_zeros() >= 32));
            // The bits that select a bucket of a small table are spread as well.
            let buckets: HashSet<u64> = distinct.iter().map(|hash| hash >> 32 & 63).collect();
            assert!(buckets.len() > 60, "{}", buckets.len());
        }
    }

    /// A21: for an unkeyed hash, an attacker finds keys that all lead to one bucket within a second. With the key,
    /// they lead to as many buckets as random keys would.
    #[test]
    fn keys_that_collide_without_a_key_do_not_with_one() {
        let unkeyed = BuildHasherDefault::<DefaultHasher>::new();
        let names = (0..).map(|n| format!("user{n}@example.com"));
        let names: Vec<String> = names.filter(|name| unkeyed.hash_one(name) & 0xFFF == 7).take(200).collect();
        let ids: Vec<u128> = (0..).filter(|id| unkeyed.hash_one(id) & 0xFFF == 7).take(200).collect();
        let (ours, texts) = (KeyedHash::new(&RandomState::new()), KeyedTextHash::new(&RandomState::new()));
        let buckets =
            |hashes: &mut dyn Iterator<Item = u64>| hashes.map(|hash| hash >> 32 & 0xFFF).collect::<HashSet<_>>();
        for buckets in [
            buckets(&mut names.iter().map(|name| texts.hash(name.as_bytes()))),
            buckets(&mut ids.iter().map(|id| ours.hash(*id))),
        ] {
            // 195 are expected.
            assert!(buckets.len() > 170, "{}", buckets.len());
        }
    }

    #[test]
    fn another_key_hashes_otherwise() {
        let (one, other) = (KeyedHash::new(&RandomState::new()), KeyedHash::new(&RandomState::new()));
        let same = (0..1_000).filter(|n| one.hash(*n) == other.hash(*n)).count();
        assert!(same < 3);
        let (one, other) = (KeyedTextHash::new(&RandomState::new()), KeyedTextHash::new(&RandomState::new()));
        let same = (0..1_000_u32).map(u32::to_le_bytes).filter(|text| one.hash(text) == other.hash(text)).count();
        assert!(same < 3);
    }
}
