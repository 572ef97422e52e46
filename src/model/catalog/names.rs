//! Look-up by slug and by id, for one kind of entry, and the prefixes that are reserved for it.
//!
//! Slugs come from outside, so the tables use a keyed hash (the standard library's default).

use std::collections::HashMap;

use uuid::Uuid;

use crate::model::records::Slug;

/// Whether a tenant may use a slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken<'a> {
    /// The catalog does not use it.
    Free,
    /// An entry has it.
    Present,
    /// It is an earlier or retired slug.
    Retired,
    /// It begins with this prefix, which the catalog reserves.
    Reserved(&'a Slug),
}

/// The names of the entries of one kind. Look-ups return an index.
#[derive(Default)]
pub(super) struct EntryIndex {
    by_slug: HashMap<Box<str>, Use>,
    by_id: HashMap<Uuid, u32>,
    /// Sorted. None begins with another.
    reserved: Vec<Slug>,
}

enum Use {
    Present(u32),
    /// An entry had the slug, and has another one.
    Renamed(u32),
    Retired,
}

impl EntryIndex {
    /// Adds an entry. A current slug stays current if it is also added as an earlier one.
    pub(super) fn add(&mut self, at: u32, id: Uuid, slug: &Slug, renamed_from: &[Slug]) {
        self.by_slug.insert(slug.as_str().into(), Use::Present(at));
        self.by_id.insert(id, at);
        for earlier in renamed_from {
            self.by_slug.entry(earlier.as_str().into()).or_insert(Use::Renamed(at));
        }
    }

    /// Adds a slug that belongs to no entry.
    pub(super) fn retire(&mut self, slug: &Slug) {
        self.by_slug.entry(slug.as_str().into()).or_insert(Use::Retired);
    }

    /// Reserves prefixes. One that begins with another reserves nothing more, so it is left out.
    pub(super) fn reserve(&mut self, mut prefixes: Vec<Slug>) {
        prefixes.sort_unstable();
        for prefix in prefixes {
            if self.reserved.last().is_none_or(|last| !prefix.as_str().starts_with(last.as_str())) {
                self.reserved.push(prefix);
            }
        }
    }

    pub(super) fn reserved(&self) -> &[Slug] {
        &self.reserved
    }

    /// Returns the reserved prefix with which a slug begins. No reserved prefix begins with another one, so only the last
    /// that does not sort after the slug can match.
    fn reserved_prefix(&self, slug: &str) -> Option<&Slug> {
        let after = self.reserved.partition_point(|prefix| prefix.as_str() <= slug);
        self.reserved.get(after.checked_sub(1)?).filter(|prefix| slug.starts_with(prefix.as_str()))
    }

    pub(super) fn by_slug(&self, slug: &str) -> Option<u32> {
        match self.by_slug.get(slug) {
            Some(Use::Present(at)) => Some(*at),
            Some(Use::Renamed(_) | Use::Retired) | None => None,
        }
    }

    /// Returns the entry that had this slug and has another one.
    pub(super) fn renamed(&self, slug: &str) -> Option<u32> {
        match self.by_slug.get(slug) {
            Some(Use::Renamed(at)) => Some(*at),
            Some(Use::Present(_) | Use::Retired) | None => None,
        }
    }

    pub(super) fn by_id(&self, id: Uuid) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn taken(&self, slug: &str) -> Taken<'_> {
        match self.by_slug.get(slug) {
            Some(Use::Present(_)) => Taken::Present,
            Some(Use::Renamed(_) | Use::Retired) => Taken::Retired,
            None => self.reserved_prefix(slug).map_or(Taken::Free, Taken::Reserved),
        }
    }
}
