//! The pattern index: which roles have patterns that may match a slug.
//!
//! Only those are examined when a permission is created, deleted or renamed, and for `who_can`.
//!
//! Every slug that a pattern matches begins with the characters before its first star, its prefix. Roles are stored
//! under the hash of that prefix. A slug is looked up under each of its own prefixes that is as long as that of some
//! pattern. Prefixes with equal hashes only cost a look at patterns that do not match.
//!
//! Deliberately absent: the matching itself, and any narrowing of patterns that begin with a star. All of those are
//! examined.

use super::table::Hashers;
use crate::model::internal_fault::must;
use crate::model::records::Pattern;
use crate::resolver::tables::sorted_seq::SortedSeq;

#[derive(Clone, Debug, Default)]
pub(crate) struct PatternIndex {
    /// The hash of the prefix of a pattern, and a role that has such a pattern.
    by_prefix: SortedSeq<(u64, u32)>,
    /// One bit for each length of a prefix that was ever added.
    lengths: [u64; 4],
}

impl PatternIndex {
    /// Adds a pattern of a role, which may have others with the same prefix.
    pub(crate) fn add(&mut self, hashers: &Hashers, pattern: &Pattern, role: u32) {
        let (prefix, item) = (pattern.prefix(), (hashers.name(pattern.prefix()), role));
        self.by_prefix.insert(item, |other| other.cmp(&item));
        if let Some(word) = must(self.lengths.get_mut(prefix.len() / 64), "a pattern is no longer than a slug") {
            *word |= 1 << (prefix.len() % 64);
        }
    }

    /// Removes a pattern of a role that still has the patterns in `left`. The role stays if one of those has the same
    /// prefix, or one with the same hash.
    pub(crate) fn remove(&mut self, hashers: &Hashers, pattern: &Pattern, role: u32, left: &[Pattern]) {
        let hash = |pattern: &Pattern| hashers.name(pattern.prefix());
        let item = (hash(pattern), role);
        if left.iter().all(|other| hash(other) != item.0) {
            must(self.by_prefix.remove(|other| other.cmp(&item)), "the prefix of a pattern is indexed");
        }
    }

    /// The roles that have a pattern whose prefix this slug begins with. A role may be repeated.
    ///
    /// # Complexity
    /// O(lengths of prefixes · log patterns), and the result.
    pub(crate) fn candidates<'a>(&'a self, hashers: &'a Hashers, slug: &'a str) -> impl Iterator<Item = u32> + 'a {
        let is_met = |length: &usize| self.lengths.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1);
        let beginnings = (0..=slug.len()).filter(is_met).filter_map(|length| slug.get(..length));
        beginnings.flat_map(|beginning| {
            let hash = hashers.name(beginning);
            let from = self.by_prefix.iter_from(move |item| item.0.cmp(&hash));
            from.take_while(move |item| item.0 == hash).map(|item| item.1)
        })
    }

    /// The entries, for tests.
    #[cfg(test)]
    pub(crate) fn items(&self) -> Vec<(u64, u32)> {
        self.by_prefix.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::RandomState;

    use super::*;

    /// Tries prefixes until two have the same hash: some 80,000.
    fn two_that_share_a_hash(hashers: &Hashers) -> [Pattern; 2] {
        let mut seen: HashMap<u64, u32> = HashMap::new();
        let collide = |n: u32| Some([seen.insert(hashers.name(&format!("p{n}")), n)?, n]);
        let numbers = (0..10_000_000).find_map(collide).unwrap();
        numbers.map(|n| Pattern::new(&format!("p{n}*")).unwrap())
    }

    #[test]
    fn removing_a_pattern_keeps_others_with_the_same_hash() {
        let hashers = Hashers::new(&RandomState::new());
        let [one, other] = two_that_share_a_hash(&hashers);
        let mut pattern_index = PatternIndex::default();
        pattern_index.add(&hashers, &one, 7);
        pattern_index.add(&hashers, &other, 7);
        pattern_index.remove(&hashers, &one, 7, std::slice::from_ref(&other));
        assert!(pattern_index.candidates(&hashers, other.prefix()).eq([7]));
        pattern_index.remove(&hashers, &other, 7, &[]);
        assert_eq!(pattern_index.items(), []);
    }
}
