//! Which roles have patterns that may match a slug: those alone are looked at when a permission comes, goes or is
//! renamed, or when it is asked who can.
//!
//! Whatever a pattern matches begins with the characters before its first star. So roles stand under the hash of those,
//! and a slug is looked for under each of its own beginnings that is as long as those of some pattern. That texts share
//! a hash costs a look at patterns that do not match.
//!
//! Deliberately absent: the matching, and what to do about patterns that begin with a star, all of which are looked at.

use super::table::Hashers;
use crate::model::internal_fault::must;
use crate::model::records::Pattern;
use crate::resolver::tables::sorted_seq::SortedSeq;

#[derive(Clone, Debug, Default)]
pub(crate) struct PatternIndex {
    /// The hash of what a pattern begins with, and a role that has such a one.
    by_prefix: SortedSeq<(u64, u32)>,
    /// A bit for each length of a beginning that has been met.
    lengths: [u64; 4],
}

impl PatternIndex {
    /// A role has this pattern, perhaps one of several that begin alike.
    pub(crate) fn add(&mut self, hashers: &Hashers, pattern: &Pattern, role: u32) {
        let (prefix, item) = (pattern.prefix(), (hashers.name(pattern.prefix()), role));
        self.by_prefix.insert(item, |other| other.cmp(&item));
        if let Some(word) = must(self.lengths.get_mut(prefix.len() / 64), "a pattern is no longer than a slug") {
            *word |= 1 << (prefix.len() % 64);
        }
    }

    /// A role has this pattern no more, and still has those that are left: one that begins alike, or with what has the
    /// same hash, goes on being found.
    pub(crate) fn remove(&mut self, hashers: &Hashers, pattern: &Pattern, role: u32, left: &[Pattern]) {
        let hash = |pattern: &Pattern| hashers.name(pattern.prefix());
        let item = (hash(pattern), role);
        if left.iter().all(|other| hash(other) != item.0) {
            must(self.by_prefix.remove(|other| other.cmp(&item)), "the beginning of a pattern is indexed");
        }
    }

    /// The roles with a pattern that begins as this slug does; some perhaps more than once.
    ///
    /// # Complexity
    /// O(lengths of beginnings · log patterns), and what comes out.
    pub(crate) fn candidates<'a>(&'a self, hashers: &'a Hashers, slug: &'a str) -> impl Iterator<Item = u32> + 'a {
        let is_met = |length: &usize| self.lengths.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1);
        let beginnings = (0..=slug.len()).filter(is_met).filter_map(|length| slug.get(..length));
        beginnings.flat_map(|beginning| {
            let hash = hashers.name(beginning);
            let from = self.by_prefix.iter_from(move |item| item.0.cmp(&hash));
            from.take_while(move |item| item.0 == hash).map(|item| item.1)
        })
    }

    /// What stands in it, for tests.
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

    /// As many beginnings as it takes until two have one hash: some 80,000.
    fn two_that_share_a_hash(hashers: &Hashers) -> [Pattern; 2] {
        let mut met: HashMap<u64, u32> = HashMap::new();
        let meets = |n: u32| Some([met.insert(hashers.name(&format!("p{n}")), n)?, n]);
        let numbers = (0..10_000_000).find_map(meets).unwrap();
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
