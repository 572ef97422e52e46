//! [`Keyed`]: a keyed hash of 128-bit ids, for two multiplications.
//!
//! Ids may be chosen by somebody outside, so the hash has a secret key (A21). It is *pair-multiply-shift* (Thorup, High
//! Speed Hashing for Integers and Strings, 2015, section 3.5): strongly universal, so for any two ids that were chosen
//! without the key, their hashes are independent and uniform, whatever pattern the ids have.
//!
//! What it loses to: a keyed pseudo-random function, such as the standard library's, which also withstands somebody who
//! sees hashes. Nobody sees these: they leave no index, and no iteration follows them.

use std::hash::BuildHasher;

/// A key.
#[derive(Clone, Copy)]
pub(crate) struct Keyed([u64; 5]);

impl Keyed {
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
        low.wrapping_add(high).wrapping_add(last) & (u64::MAX << 32)
    }
}

impl std::fmt::Debug for Keyed {
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
        let key = Keyed::new(&BuildHasherDefault::<DefaultHasher>::new());
        for shift in [0, 7, 32, 61, 64, 96, 112] {
            let hashes = (0..10_000_u128).map(|n| key.hash(n << shift));
            let distinct: HashSet<u64> = hashes.collect();
            // Of 10,000 that are drawn, a hundredth of a pair is expected to meet in 32 bits.
            assert!(distinct.len() >= 9_998, "shifted by {shift}: {}", distinct.len());
        }
    }

    #[test]
    fn another_key_hashes_otherwise() {
        let (one, other) = (Keyed::new(&RandomState::new()), Keyed::new(&RandomState::new()));
        let same = (0..1_000).filter(|n| one.hash(*n) == other.hash(*n)).count();
        assert!(same < 3);
    }
}
