//! Resolves references by name: to entries of the document, of the catalog, or removed from the catalog.
//!
//! Every target has a *slot*, a number. A list that contains the same target twice, under any names, is found with one
//! table lookup per reference.

use uuid::Uuid;

use super::mistakes::{JsonPointer, Mistakes};
use super::names::NameIndex;
use crate::model::catalog::{Catalog, Taken};
use crate::model::error::{DidYouMean, EntityKind, MistakeCode, Quoted};
use crate::model::internal_fault::must;
use crate::model::records::{PermissionId, PermissionRef, RoleId, RoleRef, Slug};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::suggestions::{history, is_uuid, suggest_among};

/// The targets of references of one kind.
pub(super) struct Targets<'a, R> {
    entity: EntityKind,
    catalog: Option<&'a Catalog>,
    /// The slots below this are the catalog's entries, by index; then come `refs`.
    catalogs: usize,
    refs: Vec<R>,
    own: usize,
    /// The references to the entries of the document, then to entries removed from the catalog.
    names: NameIndex<'a>,
    /// The slots of entries removed from the catalog, in the order of their names.
    removed_from_catalog: Vec<usize>,
    round: u32,
    seen: Vec<u32>,
}

/// A reference to a permission or role, which either the tenant or the shared catalog defines.
pub(super) trait CatalogRef: Clone {
    const ENTITY: EntityKind;

    fn own(id: Uuid) -> Self;
    fn shared(id: Uuid, slug: Slug) -> Self;
    fn by_slug(catalog: &Catalog, slug: &str) -> Option<u32>;
    fn by_id(catalog: &Catalog, id: Uuid) -> Option<u32>;
    fn taken<'c>(catalog: &'c Catalog, slug: &str) -> Taken<'c>;
    /// Returns the present slug of the tenant's own entity that this refers to.
    fn own_slug(&self, state: &State) -> Option<Slug>;
    fn slugs(catalog: &Catalog) -> impl ExactSizeIterator<Item = &Slug>;
    /// Returns the entry of the catalog with this index.
    fn entry(catalog: &Catalog, index: usize) -> Option<Self>;
    /// Returns the last known slug of an entry removed from the catalog, if the tenant refers to it.
    fn last_slug(state: &State, id: Uuid) -> Option<Slug>;
}

macro_rules! shared {
    ($($kind:ident, $ref:ident, $id:ident, $list:ident, $by_slug:ident, $by_id:ident, $taken:ident;)*) => {$(
        impl CatalogRef for $ref {
            const ENTITY: EntityKind = EntityKind::$kind;

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

            fn taken<'c>(catalog: &'c Catalog, slug: &str) -> Taken<'c> {
                catalog.$taken(slug)
            }

            fn own_slug(&self, state: &State) -> Option<Slug> {
                let row = state.$list.by_id(self.id().as_uuid()).and_then(|number| state.$list.row(number))?;
                (row.origin == Origin::Tenant).then(|| row.record.slug.clone())
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
    /// Creates the targets for the entries of a document only. A duplicate name refers to its first entry.
    pub(super) fn own(entity: EntityKind, names: Vec<&'a str>, refs: Vec<R>) -> Self {
        let (own, seen) = (refs.len(), vec![0; refs.len()]);
        let (names, removed_from_catalog) = (NameIndex::new(names), Vec::new());
        Self { entity, catalog: None, catalogs: 0, refs, own, names, removed_from_catalog, round: 0, seen }
    }

    /// Returns the first entry of the document with the name of this one, if it is an earlier one.
    pub(super) fn before(&self, entry: usize) -> Option<usize> {
        self.names.before(entry)
    }

    /// Returns the index of the entry in a slot, if the slot belongs to an entry of the document.
    pub(super) fn entry_of(&self, slot: usize) -> Option<usize> {
        slot.checked_sub(self.catalogs).filter(|entry| *entry < self.own)
    }

    /// Returns the reference to an entry of the document.
    pub(super) fn own_at(&self, entry: usize) -> Option<&R> {
        must(self.refs.get(entry), TARGET)
    }

    /// Returns the kind of the targets.
    pub(super) fn kind(&self) -> EntityKind {
        self.entity
    }

    /// Returns the name of an entry of the document.
    pub(super) fn name(&self, entry: usize) -> &'a str {
        self.names.name(entry)
    }

    /// Starts the next list, in which every reference may occur again.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// Returns whether this is the first use of the slot in the current list.
    fn is_first(&mut self, slot: usize) -> bool {
        self.seen.get_mut(slot).is_some_and(|seen| std::mem::replace(seen, self.round) != self.round)
    }
}

/// The text of the fault that a resolved name has no target.
const TARGET: &str = "a resolved name in a document has a target";

impl<'a, R: CatalogRef> Targets<'a, R> {
    /// Creates the targets for the entries of a document and of the catalog.
    pub(super) fn with_catalog(catalog: &'a Catalog, names: Vec<&'a str>, ids: &[Uuid]) -> Self {
        let mut targets = Self::own(R::ENTITY, names, ids.iter().map(|id| R::own(*id)).collect());
        let catalogs = R::slugs(catalog).len();
        targets.seen.resize(catalogs + targets.own, 0);
        Self { catalog: Some(catalog), catalogs, ..targets }
    }

    /// Adds an entry removed from the catalog under a free name. Returns `false` if the name is taken.
    pub(super) fn add_removed(&mut self, name: &'a str, id: Uuid, slug: Slug) -> bool {
        let back = self.catalog.and_then(|catalog| R::by_id(catalog, id)).map(|index| index as usize);
        if self.slot_of(name).is_some_and(|slot| Some(slot) != back) {
            return false;
        }
        let slot = back.unwrap_or_else(|| {
            self.refs.push(R::shared(id, slug));
            self.seen.push(0);
            self.seen.len() - 1
        });
        if self.names.find(name).is_none() {
            self.names.push(name);
            self.removed_from_catalog.push(slot);
        }
        true
    }

    /// Returns the slot of the name with this index.
    fn slot_at(&self, at: usize) -> usize {
        let removed_from_catalog = at.checked_sub(self.own).and_then(|at| self.removed_from_catalog.get(at).copied());
        removed_from_catalog.unwrap_or(self.catalogs + at)
    }

    fn slot_of(&self, name: &str) -> Option<usize> {
        let shared = || self.catalog.and_then(|catalog| R::by_slug(catalog, name)).map(|index| index as usize);
        self.names.find(name).map(|at| self.slot_at(at)).or_else(shared)
    }

    /// Resolves a reference. Adds a mistake if it has no target, or occurs twice in the list.
    pub(super) fn take(&mut self, name: &str, place: JsonPointer, mistakes: &mut Mistakes) -> Option<(usize, R)> {
        let Some(slot) = self.slot_of(name) else {
            mistakes
                .add(place, MistakeCode::NotFound, || self.unknown(name, self.catalog.into_iter().flat_map(R::slugs)));
            return None;
        };
        if !self.is_first(slot) {
            mistakes.add(place, MistakeCode::DuplicateReference, || twice(self.entity, name));
            return None;
        }
        let target = match slot.checked_sub(self.catalogs) {
            Some(at) => self.refs.get(at).cloned(),
            None => self.catalog.and_then(|catalog| R::entry(catalog, slot)),
        };
        must(target, TARGET).map(|target| (slot, target))
    }
}

/// For kinds that the catalog does not define, a slot is the index of an entry.
impl<R: Copy> Targets<'_, R> {
    /// Resolves a reference. Adds a mistake if it has no target, or occurs twice in the list.
    pub(super) fn take_own(&mut self, name: &str, place: JsonPointer, mistakes: &mut Mistakes) -> Option<(usize, R)> {
        let Some(slot) = self.names.find(name) else {
            mistakes.add(place, MistakeCode::NotFound, || self.unknown(name, std::iter::empty()));
            return None;
        };
        if !self.is_first(slot) {
            mistakes.add(place, MistakeCode::DuplicateReference, || twice(self.entity, name));
            return None;
        }
        must(self.refs.get(slot), TARGET).map(|target| (slot, *target))
    }
}

impl<R> Targets<'_, R> {
    fn unknown<'s>(&'s self, name: &str, shared: impl Iterator<Item = &'s Slug>) -> String {
        let or_catalog = if self.catalogs == 0 { "" } else { " or the catalog" };
        let history = self.catalog.and_then(|catalog| history(catalog, self.entity, name));
        let names = self.names.all().iter().take(self.own).copied().chain(shared.map(Slug::as_str));
        let message = format!("{} {} not found in the document{or_catalog}", self.entity, Quoted(name));
        let similar = || {
            let similar = suggest_among(names, name);
            (!similar.is_empty()).then(|| DidYouMean { asked: name, names: &similar }.to_string())
        };
        // Keys can be UUIDs, too. Then a similar one was meant, and not an id.
        let more = history.or_else(similar).or_else(|| is_uuid(name).then(|| self.named_by_id()));
        match more {
            Some(more) => format!("{message}; {more}"),
            None => message,
        }
    }

    /// The advice for a reference that is an id as text.
    fn named_by_id(&self) -> String {
        let (entity, name) = (self.entity, if self.entity == EntityKind::User { "key" } else { "slug" });
        format!("this text is a UUID, and a document refers to a {entity} by its {name}, not by its id")
    }
}

fn twice(entity: EntityKind, name: &str) -> String {
    format!("{entity} {} is listed twice", Quoted(name))
}
