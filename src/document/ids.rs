//! Chooses the id of each entry: the id in the document, the id of the existing entity that it matches, or a new one.
//!
//! An entry with an id matches only the entity with that id. An entry without one matches the entity with its slug or key,
//! unless another entry has the id of that entity. A rename by id therefore frees the old name, and a new entity with that
//! name inherits nothing.

use std::hash::RandomState;

use hashbrown::hash_map::{self, HashMap};
use uuid::Uuid;

use super::entry::Entry;
use super::mistakes::{Mistakes, Place};
use super::shape::{Assertion, Group, Permission, Role, Separation, User};
use super::values::Id;
use crate::model::catalog::Catalog;
use crate::model::error::{EntityKind, Error, MistakeCode, Result};
use crate::model::records::{PermissionId, RoleId};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::{Row, Table};

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
    stated: HashMap<Uuid, Place, RandomState>,
}

impl<'a> Ids<'a> {
    pub(super) fn new(context: ImportContext<'a>) -> Self {
        Self { context, stated: HashMap::default() }
    }

    /// Returns the ids of the entries of a list, in order. `table` has the existing entities of the kind.
    pub(super) fn of<T: Named, R: Row + 'a>(
        &mut self,
        entries: &[Entry<T>],
        table: impl Fn(&'a State) -> &'a Table<R>,
        mistakes: &mut Mistakes,
    ) -> Vec<Uuid> {
        let mut ids: Vec<Option<Uuid>> = Vec::with_capacity(entries.len());
        self.stated.reserve(entries.iter().filter(|entry| entry.id().is_some()).count());
        for (at, entry) in entries.iter().enumerate() {
            let place = Place::entry(T::LIST, at).field("id");
            let stated = entry.id().and_then(|id| mistakes.check(place, read_id(id)));
            ids.push(
                stated.filter(|id| self.state(*id, place, mistakes) && self.is_own(*id, T::ENTITY, place, mistakes)),
            );
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
        place: Place,
        mistakes: &mut Mistakes,
    ) -> Option<Uuid> {
        let id = mistakes.check(place, read_id(id))?;
        if !self.state(id, place, mistakes) {
            return None;
        }
        let other = match (self.catalogs(id), self.context.present.and_then(|state| present(state, id))) {
            (Some(other), _) if other != entity => format!("a {other} of the catalog"),
            (None, Some((other, Origin::Tenant))) => format!("a {other} of the tenant"),
            (None, Some((other, _))) if other != entity => format!("a {other}"),
            _ => return Some(id),
        };
        mistakes.add(place, MistakeCode::IdTaken, || format!("id `{id}` belongs to {other}"));
        None
    }

    /// Records the use of an id. Adds a mistake and returns `false` if it was used before.
    fn state(&mut self, id: Uuid, place: Place, mistakes: &mut Mistakes) -> bool {
        match self.stated.entry(id) {
            hash_map::Entry::Occupied(first) => {
                let first = *first.get();
                mistakes.add(place, MistakeCode::DuplicateId, || format!("duplicate id `{id}`, first used at {first}"));
                false
            }
            hash_map::Entry::Vacant(free) => {
                free.insert(place);
                true
            }
        }
    }

    /// Returns whether one of the tenant's own entities of this kind can have an id. Adds a mistake if not.
    fn is_own(&self, id: Uuid, entity: EntityKind, place: Place, mistakes: &mut Mistakes) -> bool {
        let other = match (self.catalogs(id), self.context.present.and_then(|state| present(state, id))) {
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
        Some(row.id()).filter(|id| !self.stated.contains_key(id))
    }
}

/// Returns the kind and origin of the existing entity with an id.
fn present(state: &State, id: Uuid) -> Option<(EntityKind, Origin)> {
    fn of<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<(EntityKind, Origin)> {
        number.and_then(|number| table.row(number)).map(|row| (R::ENTITY, row.origin()))
    }
    let State { permissions, roles, groups, users, separations, assertions, .. } = state;
    let roles_or_permissions = of(permissions, permissions.by_id(id)).or_else(|| of(roles, roles.by_id(id)));
    let principals = of(groups, groups.by_id(id)).or_else(|| of(users, state.user_by_id(id)));
    let others = || of(separations, separations.by_id(id)).or_else(|| of(assertions, assertions.by_id(id)));
    roles_or_permissions.or(principals).or_else(others)
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
