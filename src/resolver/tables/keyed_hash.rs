//! [`KeyedHash`] and [`KeyedTextHash`]: keyed hashes of 128-bit ids and of short texts, for a multiplication each eight bytes.
//!
//! Both may be chosen by somebody outside, so the hashes have a secret key (A21). They are *pair-multiply-shift* (Thorup,
//! High Speed Hashing for Integers and Strings, 2015, section 3.5): strongly universal, so for any two ids, or texts of
//! one length, that were chosen without the key, the hashes are independent and uniform, whatever pattern they have.
//! Texts of different lengths have a term each for it, which makes them as unlikely to meet.
//!
//! What they lose to: a keyed pseudo-random function, such as the standard library's, which also withstands somebody who
//! sees hashes. Nobody sees these: they leave no index, and no iteration follows them. For a text of 20 bytes that takes
//! 200 instructions, and this 40.

use std::hash::BuildHasher;
use std::sync::Arc;

/// The bits of a sum that are good.
const UPPER: u64 = u64::MAX << 32;

/// A key.
#[derive(Clone, Copy)]
pub(crate) struct KeyedHash([u64; 5]);

impl KeyedHash {
    /// A key drawn from this source of keys: the same source, the same key.
    pub(crate) fn new(source: &impl BuildHasher) -> Self {
        Self([0_u8, 1, 2, 3, 4].map(|n| source.hash_one(n)))
    }

    /// The hash, whose upper half alone is good: the lower is zero.
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

/// The longest text that is a name has 320 bytes. What is longer was not judged yet, and is hashed block by block.
const EIGHTS: usize = 40;
const BLOCK: usize = EIGHTS * 8;

/// A key for texts, which all tables of a process that share a catalog share.
#[derive(Clone)]
pub(crate) struct KeyedTextHash(Arc<[[u64; 2]; EIGHTS + 3]>);

impl KeyedTextHash {
    /// A key drawn from this source of keys: the same source, the same key.
    pub(crate) fn new(source: &impl BuildHasher) -> Self {
        let draw = |at: usize| [0, 1].map(|half| source.hash_one(("text", at, half)));
        Self(Arc::new(std::array::from_fn(draw)))
    }

    /// The hash, whose upper half alone is good: the lower is zero.
    #[inline]
    pub(crate) fn hash(&self, text: &[u8]) -> u64 {
        if text.len() > BLOCK { self.hash_long(text) } else { self.sum(text) & UPPER }
    }

    /// From the end, so that each block's sum has a term for the hash of all that follows.
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
        // The last eight bytes, whatever of them was in the sum already: with the length, they say what was not.
        let end = text.last_chunk().copied().unwrap_or_else(|| {
            let mut bytes = text.iter().copied();
            std::array::from_fn(|_| bytes.next().unwrap_or(0))
        });
        sum.wrapping_add(term(*last, end))
    }
}

/// What eight bytes add to a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "eight bytes in two parts")]
fn term([one, other]: [u64; 2], eight: [u8; 8]) -> u64 {
    let eight = u64::from_le_bytes(eight);
    one.wrapping_add(eight >> 32).wrapping_mul(other.wrapping_add(u64::from(eight as u32)))
}

impl std::fmt::Debug for KeyedTextHash {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedText")
    }
}

impl std::fmt::Debug for KeyedHash {
    /// Without the key.
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
            // Of 10,000 that are drawn, a hundredth of a pair is expected to meet in 32 bits.
            assert!(distinct.len() >= 9_998, "shifted by {shift}: {}", distinct.len());
        }
    }

    /// A21: names that an adversary would choose, who knows the hash and not the key: numbered, long and alike but for one
    /// byte wherever it stands, alike but for what stands where no name reaches, zeros of every length, and with zeros at
    /// the end.
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
            // The bits that name a bucket of a small table spread, too.
            let buckets: HashSet<u64> = distinct.iter().map(|hash| hash >> 32 & 63).collect();
            assert!(buckets.len() > 60, "{}", buckets.len());
        }
    }

    /// A21: whoever knows an unkeyed hash finds keys that all lead to one bucket, in a second. Here they lead to as many as
    /// keys that were drawn would.
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
