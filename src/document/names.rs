//! The names of a list, and which entry has each.
//!
//! A large document names its users several times over, in an order of its own, and each look into a table of a million is
//! three cache lines, one behind the other. So names that follow each other in a list are looked up together: first each
//! bucket is touched, then each name that may be the right one, so that the waits overlap.

use std::hash::RandomState;

use crate::resolver::tables::hash_index::Building;
use crate::resolver::tables::keyed_hash::KeyedTextHash;

/// How many names are looked up together.
const BATCH: usize = 64;

/// The names of a list's entries.
pub(super) struct Names<'a> {
    /// The names are somebody's choice, so the key is drawn (A21).
    hashers: KeyedTextHash,
    index: Building,
    /// By entry, the same name perhaps more than once.
    listed: Vec<&'a str>,
    /// The entries whose name an earlier one has, and the first of those; in order.
    again: Vec<(usize, usize)>,
}

impl<'a> Names<'a> {
    pub(super) fn new(listed: Vec<&'a str>) -> Self {
        let hashers = KeyedTextHash::new(&RandomState::new());
        let count = listed.len();
        let mut all = Self { hashers, index: Building::default(), listed, again: Vec::new() };
        for entry in 0..count {
            all.enter(entry);
        }
        all
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, name: &'a str) {
        self.listed.push(name);
        self.enter(self.listed.len() - 1);
    }

    fn enter(&mut self, entry: usize) {
        let (name, Ok(number)) = (self.name(entry), u32::try_from(entry)) else { return };
        match self.find(name) {
            Some(first) => self.again.push((entry, first)),
            None => self.index.insert(self.hashers.hash(name.as_bytes()), number),
        }
    }

    /// The name of an entry.
    pub(super) fn name(&self, entry: usize) -> &'a str {
        self.listed.get(entry).copied().unwrap_or_default()
    }

    pub(super) fn all(&self) -> &[&'a str] {
        &self.listed
    }

    /// The first entry with the name of this one, if that is another.
    pub(super) fn before(&self, entry: usize) -> Option<usize> {
        let at = self.again.binary_search_by_key(&entry, |(entry, _)| *entry).ok()?;
        self.again.get(at).map(|(_, first)| *first)
    }

    /// The first entry with this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.look(self.hashers.hash(name.as_bytes()), name)
    }

    fn look(&self, hash: u64, name: &str) -> Option<usize> {
        self.index.get(hash, |entry| self.name(entry as usize) == name).map(|entry| entry as usize)
    }

    /// The first entry with each of these names.
    pub(super) fn find_all<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Vec<Option<usize>> {
        let mut found = Vec::with_capacity(names.size_hint().0);
        let (mut sought, mut likely) = (Vec::new(), Vec::new());
        loop {
            let batch = names.by_ref().take(BATCH).map(|name| (self.hashers.hash(name.as_bytes()), name));
            refill(&mut sought, batch);
            if sought.is_empty() {
                return found;
            }
            std::hint::black_box(sought.iter().fold(false, |all, (hash, _)| all ^ self.index.touch(*hash)));
            refill(&mut likely, sought.iter().map(|(hash, _)| self.index.get(*hash, |_| true).map(|n| n as usize)));
            let near = likely.iter().map(|entry| entry.map_or("", |entry| self.name(entry)));
            std::hint::black_box(near.fold(0, |all, name| all ^ name.as_bytes().first().copied().unwrap_or_default()));
            found.extend(sought.iter().zip(&likely).map(|((hash, name), likely)| {
                let right = likely.filter(|entry| self.name(*entry) == *name);
                right.or_else(|| self.look(*hash, name))
            }));
        }
    }
}

fn refill<T>(list: &mut Vec<T>, items: impl Iterator<Item = T>) {
    list.clear();
    list.extend(items);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_name_leads_to_its_first_entry_one_by_one_and_together(
            listed in vec("[ab]{0,3}", 0..40), later in vec("[ab]{0,3}", 0..4), asked in vec("[ab]{0,4}", 0..150),
        ) {
            let mut names = Names::new(listed.iter().map(String::as_str).collect());
            for name in &later {
                names.push(name);
            }
            let all: Vec<&String> = listed.iter().chain(&later).collect();
            let first = |name: &String| all.iter().position(|other| *other == name);
            let one_by_one: Vec<_> = asked.iter().map(|name| names.find(name)).collect();
            prop_assert_eq!(&one_by_one, &asked.iter().map(first).collect::<Vec<_>>());
            prop_assert_eq!(&one_by_one, &names.find_all(asked.iter().map(String::as_str)));
            for (entry, name) in all.iter().enumerate() {
                prop_assert_eq!(names.before(entry), first(name).filter(|first| *first != entry));
            }
        }
    }
}
