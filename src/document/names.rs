//! The names of a list of entries, and the first entry that has each name.

use std::hash::RandomState;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::resolver::tables::keyed_hash::{KeyedTextHash, spread};

/// The names of a list's entries.
pub(super) struct NameIndex<'a> {
    /// The first entry with each name. Names come from outside, so the hash is keyed (A21).
    first: HashTable<(&'a str, usize)>,
    hash: KeyedTextHash,
    /// The names by entry. A name may occur more than once.
    listed: Vec<&'a str>,
    /// The entries with the name of an earlier entry, each with the first such entry; ascending.
    repeated: Vec<(usize, usize)>,
}

impl<'a> NameIndex<'a> {
    pub(super) fn new(names: Vec<&'a str>) -> Self {
        let (first, hash) = (HashTable::with_capacity(names.len()), KeyedTextHash::new(&RandomState::new()));
        let mut all = Self { first, hash, listed: Vec::with_capacity(names.len()), repeated: Vec::new() };
        for name in names {
            all.push(name);
        }
        all
    }

    /// Adds an entry after the others.
    pub(super) fn push(&mut self, name: &'a str) {
        let entry = self.listed.len();
        self.listed.push(name);
        let hash = |name: &str| spread(self.hash.hash(name.as_bytes()));
        match self.first.entry(hash(name), |(other, _)| *other == name, |(other, _)| hash(other)) {
            Entry::Occupied(first) => self.repeated.push((entry, first.get().1)),
            Entry::Vacant(place) => {
                place.insert((name, entry));
            }
        }
    }

    /// Returns the name of an entry.
    pub(super) fn name(&self, entry: usize) -> &'a str {
        self.listed.get(entry).copied().unwrap_or_default()
    }

    pub(super) fn all(&self) -> &[&'a str] {
        &self.listed
    }

    /// Returns the first entry with the name of this one, if it is an earlier one.
    pub(super) fn before(&self, entry: usize) -> Option<usize> {
        let at = self.repeated.binary_search_by_key(&entry, |(entry, _)| *entry).ok()?;
        self.repeated.get(at).map(|(_, first)| *first)
    }

    /// Returns the first entry with this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let hash = spread(self.hash.hash(name.as_bytes()));
        self.first.find(hash, |(other, _)| *other == name).map(|(_, entry)| *entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 64 } else { 256 }))]
        #[test]
        fn each_name_leads_to_its_first_entry(
            listed in vec("[ab]{0,3}", 0..40), later in vec("[ab]{0,3}", 0..4), asked in vec("[ab]{0,4}", 0..150),
        ) {
            let mut names = NameIndex::new(listed.iter().map(String::as_str).collect());
            for name in &later {
                names.push(name);
            }
            let all: Vec<&String> = listed.iter().chain(&later).collect();
            let first = |name: &String| all.iter().position(|other| *other == name);
            for name in &asked {
                prop_assert_eq!(names.find(name), first(name));
            }
            for (entry, name) in all.iter().enumerate() {
                prop_assert_eq!(names.before(entry), first(name).filter(|first| *first != entry));
            }
        }
    }
}
