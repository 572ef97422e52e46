//! Chooses the id of each entry: the id in the document, the id of the existing entity that it matches, or a new one.
//!
//! An entry with an id matches only the entity with that id. An entry without one matches the entity with its slug or
//! key, unless another entry has the id of that entity. A rename by id therefore frees the old name, and a new entity
//! with that name inherits nothing.

use std::hash::RandomState;

use hashbrown::hash_table::{self, HashTable};
use uuid::Uuid;

use super::entry::Entry;
use super::mistakes::{JsonPointer, Mistakes};
use super::shape::{Assertion, Group, Permission, Role, Separation, User};
use super::values::Id;
use crate::model::catalog::Catalog;
use crate::model::error::{EntityKind, Error, MistakeCode, Result};
use crate::model::records::{PermissionId, RoleId};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::{Row, Table};
use crate::resolver::tables::keyed_hash::{KeyedHash, spread};

/// The context that a document is checked in.
#[derive(Clone, Copy)]
pub(super) struct ImportContext<'a> {
    pub(super) catalog: &'a Catalog,
    /// The tenant to replace. `None` for an import.
    pub(super) present: Option<&'a State>,
    pub(super) new_id: fn() -> Uuid,
}

/// An entry with a name and an optional id.
pub(super) trait Named {
    const ENTITY: EntityKind;
    const LIST: &'static str;
    const NAME: &'static str;

    fn name(&self) -> &str;
    fn id(&self) -> Option<&Id>;
}

macro_rules! named {
    ($($entry:ident, $list:literal, $name:ident;)*) => {$(
        impl Named for $entry {
            const ENTITY: EntityKind = EntityKind::$entry;
            const LIST: &'static str = $list;
            const NAME: &'static str = stringify!($name);

            fn name(&self) -> &str {
                &self.$name
            }

            fn id(&self) -> Option<&Id> {
                self.id.as_ref()
            }
        }
    )*};
}

named! {
    Permission, "permissions", slug;
    Role, "roles", slug;
    Group, "groups", slug;
    User, "users", key;
    Separation, "separations", slug;
    Assertion, "assertions", slug;
}

/// The ids in the document, each with the place of its first use.
pub(super) struct Ids<'a> {
    context: ImportContext<'a>,
    /// Ids come from outside, so the hash is keyed (A21).
    stated: HashTable<Stated>,
    hash: KeyedHash,
}

/// An id and its first place, which takes a third of the memory of a whole [`JsonPointer`].
#[derive(Clone, Copy)]
struct Stated {
    id: Uuid,
    list: &'static str,
    entry: usize,
}

impl Stated {
    fn place(self) -> JsonPointer {
        JsonPointer::entry(self.list, self.entry).field("id")
    }
}

impl<'a> Ids<'a> {
    pub(super) fn new(context: ImportContext<'a>) -> Self {
        Self { context, stated: HashTable::new(), hash: KeyedHash::new(&RandomState::new()) }
    }

    /// Returns the ids of the entries of a list, in order. `table` has the existing entities of the kind.
    pub(super) fn of<T: Named, R: Row + 'a>(
        &mut self,
        entries: &[Entry<T>],
        table: impl Fn(&'a State) -> &'a Table<R>,
        mistakes: &mut Mistakes,
    ) -> Vec<Uuid> {
        let mut ids: Vec<Option<Uuid>> = Vec::with_capacity(entries.len());
        let hash = self.hash;
        let count = entries.iter().filter(|entry| entry.id().is_some()).count();
        self.stated.reserve(count, |stated| spread(hash.hash(stated.id.to_u128_le())));
        for (at, entry) in entries.iter().enumerate() {
            let place = JsonPointer::entry(T::LIST, at).field("id");
            let stated = entry.id().and_then(|id| mistakes.check(place, read_id(id)));
            let is_new = |ids: &mut Self, id, mistakes: &mut Mistakes| {
                ids.state(Stated { id, list: T::LIST, entry: at }, mistakes)
            };
            ids.push(stated.filter(|id| is_new(self, *id, mistakes) && self.is_own(*id, T::ENTITY, place, mistakes)));
        }
        let table = self.context.present.map(table);
        let found = ids.iter().zip(entries).map(|(id, entry)| match id {
            Some(id) => *id,
            None => {
                table.and_then(|table| self.matched(table, entry.name())).unwrap_or_else(|| (self.context.new_id)())
            }
        });
        found.collect()
    }

    /// Returns the id of an entry that was removed from the catalog, or that was removed when the document was exported.
    pub(super) fn removed_from_catalog(
        &mut self,
        id: &Id,
        entity: EntityKind,
        at: usize,
        mistakes: &mut Mistakes,
    ) -> Option<Uuid> {
        let place = JsonPointer::entry("removed_from_catalog", at).field("id");
        let id = mistakes.check(place, read_id(id))?;
        if !self.state(Stated { id, list: "removed_from_catalog", entry: at }, mistakes) {
            return None;
        }
        let other = match (self.catalogs(id), self.context.present.and_then(|state| present(state, id, entity))) {
            (Some(other), _) if other != entity => format!("a {other} of the catalog"),
            (None, Some((other, Origin::Tenant))) => format!("a {other} of the tenant"),
            (None, Some((other, _))) if other != entity => format!("a {other}"),
            _ => return Some(id),
        };
        mistakes.add(place, MistakeCode::IdTaken, || format!("id `{id}` belongs to {other}"));
        None
    }

    /// Records the use of an id. Adds a mistake and returns `false` if it was used before.
    fn state(&mut self, stated: Stated, mistakes: &mut Mistakes) -> bool {
        let hash = |id: Uuid| spread(self.hash.hash(id.to_u128_le()));
        match self.stated.entry(hash(stated.id), |other| other.id == stated.id, |other| hash(other.id)) {
            hash_table::Entry::Occupied(first) => {
                let (id, place, first) = (stated.id, stated.place(), first.get().place());
                mistakes.add(place, MistakeCode::DuplicateId, || format!("duplicate id `{id}`, first used at {first}"));
                false
            }
            hash_table::Entry::Vacant(free) => {
                free.insert(stated);
                true
            }
        }
    }

    fn is_stated(&self, id: Uuid) -> bool {
        self.stated.find(spread(self.hash.hash(id.to_u128_le())), |stated| stated.id == id).is_some()
    }

    /// Returns whether one of the tenant's own entities of this kind can have an id. Adds a mistake if not.
    fn is_own(&self, id: Uuid, entity: EntityKind, place: JsonPointer, mistakes: &mut Mistakes) -> bool {
        let other = match (self.catalogs(id), self.context.present.and_then(|state| present(state, id, entity))) {
            (Some(other), _) => format!("a {other} of the catalog"),
            (None, Some((other, Origin::Tenant))) if other != entity => format!("a {other} of the tenant"),
            (None, Some((other, Origin::RemovedFromCatalog))) => format!("a {other} that was removed from the catalog"),
            _ => return true,
        };
        mistakes.add(place, MistakeCode::IdTaken, || format!("id `{id}` belongs to {other}"));
        false
    }

    fn catalogs(&self, id: Uuid) -> Option<EntityKind> {
        let catalog = self.context.catalog;
        let permission = catalog.permission_by_id(PermissionId::from_uuid(id)).map(|_| EntityKind::Permission);
        permission.or_else(|| catalog.role_by_id(RoleId::from_uuid(id)).map(|_| EntityKind::Role))
    }

    /// Returns the id of the existing entity with this name, unless another entry has that id.
    fn matched<R: Row>(&self, table: &Table<R>, name: &str) -> Option<Uuid> {
        let number = table.sorted_from(name).next().filter(|number| table.name_at(*number) == name)?;
        let row = table.row(number).filter(|row| row.origin() == Origin::Tenant)?;
        Some(row.id()).filter(|id| !self.is_stated(*id))
    }
}

/// Returns the kind and origin of the existing entity with an id. An id has one kind; the one that is likely is tried
/// first.
fn present(state: &State, id: Uuid, likely: EntityKind) -> Option<(EntityKind, Origin)> {
    const KINDS: [EntityKind; 6] = [
        EntityKind::Permission,
        EntityKind::Role,
        EntityKind::Group,
        EntityKind::User,
        EntityKind::Separation,
        EntityKind::Assertion,
    ];
    let found = |kind| origin_of(state, id, kind).map(|origin| (kind, origin));
    std::iter::once(likely).chain(KINDS).find_map(found)
}

fn origin_of(state: &State, id: Uuid, kind: EntityKind) -> Option<Origin> {
    let State { permissions, roles, groups, users, separations, assertions, .. } = state;
    match kind {
        EntityKind::Permission => permissions.by_id(id).and_then(|n| permissions.row(n)).map(Row::origin),
        EntityKind::Role => roles.by_id(id).and_then(|n| roles.row(n)).map(Row::origin),
        EntityKind::Group => groups.by_id(id).and_then(|n| groups.row(n)).map(Row::origin),
        // The users' index by id has what is needed: all of them are the tenant's own.
        EntityKind::User => state.user_by_id(id).and_then(|n| users.id_at(n)).map(|_| Origin::Tenant),
        EntityKind::Separation => separations.by_id(id).and_then(|n| separations.row(n)).map(Row::origin),
        EntityKind::Assertion => assertions.by_id(id).and_then(|n| assertions.row(n)).map(Row::origin),
        EntityKind::Tenant => None,
    }
}

fn read_id(id: &Id) -> Result<Uuid> {
    match id {
        Id::Read(id) => Ok(*id),
        Id::Other(text) => Err(Error::invalid("id", text, "a UUID, like 67e55044-10b1-426f-9247-bb680e5fe0c8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for good in [id, &id.to_uppercase()] {
            assert_eq!(read_id(&Id::of(good)).unwrap().to_string(), id);
        }
        let braced = format!("{{{id}}}");
        for bad in
            ["", "x", "67e5504410b1426f9247bb680e5fe0c8", &braced, "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8"]
        {
            assert!(read_id(&Id::of(bad)).is_err(), "{bad}");
        }
    }
}
