//! What references can refer to: by name, among the entries of the document, the catalog's, and those that left it.
//!
//! Every target has a *slot*, so that the same thing listed twice shows, by whatever names, at the cost of one look
//! into a table.

use std::collections::HashMap;

use uuid::Uuid;

use super::mistakes::{Mistakes, Place};
use crate::catalog::{Catalog, Taken};
use crate::error::{Noun, shown};
use crate::near::near_of;
use crate::records::{PermissionId, PermissionRef, RoleId, RoleRef, Slug};
use crate::snapshot::state::State;

/// What references of one kind can refer to.
pub(super) struct Targets<'a, R> {
    noun: Noun,
    catalog: Option<&'a Catalog>,
    /// The slots below this are the catalog's entries, by index; then come `refs`.
    catalogs: usize,
    refs: Vec<R>,
    own: usize,
    by_name: HashMap<&'a str, usize>,
    names: Vec<&'a str>,
    round: usize,
    seen: Vec<usize>,
}

/// A reference to something that a catalog can define.
pub(super) trait Shared: Clone {
    const NOUN: Noun;

    fn own(id: Uuid) -> Self;
    fn shared(id: Uuid, slug: Slug) -> Self;
    fn by_slug(catalog: &Catalog, slug: &str) -> Option<u32>;
    fn by_id(catalog: &Catalog, id: Uuid) -> Option<u32>;
    fn taken(catalog: &Catalog, slug: &str) -> Taken;
    fn slugs(catalog: &Catalog) -> impl ExactSizeIterator<Item = &Slug>;
    /// The catalog's entry with this index.
    fn entry(catalog: &Catalog, index: usize) -> Option<Self>;
    /// The last known slug of what has left the catalog, where the tenant refers to it.
    fn last_slug(state: &State, id: Uuid) -> Option<Slug>;
}

macro_rules! shared {
    ($($noun:ident, $ref:ident, $id:ident, $list:ident, $by_slug:ident, $by_id:ident, $taken:ident;)*) => {$(
        impl Shared for $ref {
            const NOUN: Noun = Noun::$noun;

            fn own(id: Uuid) -> Self {
                Self::Own($id::from_uuid(id))
            }

            fn shared(id: Uuid, slug: Slug) -> Self {
                Self::Catalog { id: $id::from_uuid(id), slug }
            }

            fn by_slug(catalog: &Catalog, slug: &str) -> Option<u32> {
                catalog.$by_slug(slug)
            }

            fn by_id(catalog: &Catalog, id: Uuid) -> Option<u32> {
                catalog.$by_id($id::from_uuid(id))
            }

            fn taken(catalog: &Catalog, slug: &str) -> Taken {
                catalog.$taken(slug)
            }

            fn slugs(catalog: &Catalog) -> impl ExactSizeIterator<Item = &Slug> {
                catalog.$list().iter().map(|entry| entry.slug())
            }

            fn entry(catalog: &Catalog, index: usize) -> Option<Self> {
                catalog.$list().get(index).map(|entry| Self::Catalog { id: entry.id(), slug: entry.slug().clone() })
            }

            fn last_slug(state: &State, id: Uuid) -> Option<Slug> {
                let row = state.$list.by_id(id).and_then(|number| state.$list.row(number))?;
                Some(row.record.slug.clone())
            }
        }
    )*};
}

shared! {
    Permission, PermissionRef, PermissionId, permissions, permission_by_slug, permission_by_id, permission_slug_is_taken;
    Role, RoleRef, RoleId, roles, role_by_slug, role_by_id, role_slug_is_taken;
}

impl<'a, R> Targets<'a, R> {
    /// The entries of a document alone: references to the first, where two have one name.
    pub(super) fn own(noun: Noun, names: Vec<&'a str>, refs: Vec<R>) -> Self {
        let mut by_name = HashMap::with_capacity(names.len());
        for (slot, name) in names.iter().enumerate() {
            by_name.entry(*name).or_insert(slot);
        }
        let (own, seen) = (refs.len(), vec![0; refs.len()]);
        Self { noun, catalog: None, catalogs: 0, refs, own, by_name, names, round: 0, seen }
    }

    /// The index of the first entry of the document with this name.
    pub(super) fn first(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).and_then(|slot| self.entry_of(*slot))
    }

    /// The index of the document's entry in a slot, if it is one.
    pub(super) fn entry_of(&self, slot: usize) -> Option<usize> {
        slot.checked_sub(self.catalogs).filter(|entry| *entry < self.own)
    }

    /// What refers to an entry of the document.
    pub(super) fn own_at(&self, entry: usize) -> Option<&R> {
        self.refs.get(entry)
    }

    /// The name of an entry of the document.
    pub(super) fn name(&self, entry: usize) -> &'a str {
        self.names.get(entry).copied().unwrap_or_default()
    }

    /// From here on another list is read: in it, everything may stand again.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// Whether this is the first time that the list has this slot.
    fn is_first(&mut self, slot: usize) -> bool {
        self.seen.get_mut(slot).is_some_and(|seen| std::mem::replace(seen, self.round) != self.round)
    }
}

impl<'a, R: Shared> Targets<'a, R> {
    /// The entries of a document and those of the catalog.
    pub(super) fn with_catalog(catalog: &'a Catalog, names: Vec<&'a str>, ids: &[Uuid]) -> Self {
        let mut targets = Self::own(R::NOUN, names, ids.iter().map(|id| R::own(*id)).collect());
        let catalogs = R::slugs(catalog).len();
        targets.by_name.values_mut().for_each(|slot| *slot += catalogs);
        targets.seen.resize(catalogs + targets.own, 0);
        Self { catalog: Some(catalog), catalogs, ..targets }
    }

    /// Adds what has left the catalog, under a name that nothing has. True unless something has it.
    pub(super) fn add_departed(&mut self, name: &'a str, id: Uuid, slug: Slug) -> bool {
        let back = self.catalog.and_then(|catalog| R::by_id(catalog, id)).map(|index| index as usize);
        if self.slot_of(name).is_some_and(|slot| Some(slot) != back) {
            return false;
        }
        let slot = back.unwrap_or_else(|| {
            self.refs.push(R::shared(id, slug));
            self.seen.push(0);
            self.seen.len() - 1
        });
        self.by_name.insert(name, slot);
        true
    }

    fn slot_of(&self, name: &str) -> Option<usize> {
        let shared = || self.catalog.and_then(|catalog| R::by_slug(catalog, name)).map(|index| index as usize);
        self.by_name.get(name).copied().or_else(shared)
    }

    /// The target of a reference, once in a list.
    pub(super) fn take(&mut self, name: &str, place: Place, mistakes: &mut Mistakes) -> Option<(usize, R)> {
        let Some(slot) = self.slot_of(name) else {
            mistakes.add(place, || self.unknown(name, self.catalog.into_iter().flat_map(R::slugs)));
            return None;
        };
        if !self.is_first(slot) {
            mistakes.add(place, || twice(self.noun, name));
            return None;
        }
        let target = match slot.checked_sub(self.catalogs) {
            Some(at) => self.refs.get(at).cloned(),
            None => self.catalog.and_then(|catalog| R::entry(catalog, slot)),
        };
        target.map(|target| (slot, target))
    }
}

impl<R: Copy> Targets<'_, R> {
    /// The target of a reference, once in a list, where the catalog defines nothing of the kind.
    pub(super) fn take_own(&mut self, name: &str, place: Place, mistakes: &mut Mistakes) -> Option<(usize, R)> {
        let Some(slot) = self.by_name.get(name).copied() else {
            mistakes.add(place, || self.unknown(name, std::iter::empty()));
            return None;
        };
        if !self.is_first(slot) {
            mistakes.add(place, || twice(self.noun, name));
            return None;
        }
        self.refs.get(slot).map(|target| (slot, *target))
    }
}

impl<R> Targets<'_, R> {
    fn unknown<'s>(&'s self, name: &str, shared: impl Iterator<Item = &'s Slug>) -> String {
        let or_catalog = if self.catalogs == 0 { "" } else { " or the catalog" };
        let mut line = format!("there is no {} `{}` in this document{or_catalog}", self.noun, shown(name));
        let near = near_of(self.names.iter().copied().chain(shared.map(Slug::as_str)), name);
        for (i, near) in near.iter().enumerate() {
            line.push_str(if i == 0 { "; did you mean `" } else { " or `" });
            line.push_str(&shown(near));
            line.push('`');
        }
        if !near.is_empty() {
            line.push('?');
        }
        line
    }
}

fn twice(noun: Noun, name: &str) -> String {
    format!("the {noun} `{}` stands twice in this list", shown(name))
}
