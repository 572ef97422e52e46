//! Which id each entry gets: the one that it states, that of the present thing which it matches, or a new one.
//!
//! An entry that states an id is matched by it alone; one that states none by its slug or key, unless the thing that has
//! it now is stated elsewhere. So a rename by id frees the old name for another thing, and nothing old sticks to that.

use std::hash::RandomState;

use hashbrown::hash_map::{self, HashMap};
use uuid::Uuid;

use super::mistakes::{Mistakes, Place};
use super::shape::{Group, Permission, Role, User};
use super::values::Id;
use super::written::Entry;
use crate::model::catalog::Catalog;
use crate::model::error::{EntityKind, Error, MistakeCode, Result};
use crate::model::records::{PermissionId, RoleId};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Origin;
use crate::resolver::snapshot::table::{Row, Table};

/// What a document is judged against.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) catalog: &'a Catalog,
    /// The tenant that it is to replace, if it is.
    pub(super) present: Option<&'a State>,
    pub(super) new_id: fn() -> Uuid,
}

/// An entry that has a name and perhaps an id.
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
}

/// The ids that are stated, and where first.
pub(super) struct Ids<'a> {
    ground: Ground<'a>,
    /// Ids come from outside, so the hash is keyed (A21).
    stated: HashMap<Uuid, Place, RandomState>,
}

impl<'a> Ids<'a> {
    pub(super) fn new(ground: Ground<'a>) -> Self {
        Self { ground, stated: HashMap::default() }
    }

    /// The ids of the entries of a list, in order. `table` has what is present of the kind.
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
            let stated = entry.id().and_then(|id| mistakes.judge(place, read_id(id)));
            ids.push(
                stated.filter(|id| self.state(*id, place, mistakes) && self.is_own(*id, T::ENTITY, place, mistakes)),
            );
        }
        let table = self.ground.present.map(table);
        let found = ids.iter().zip(entries).map(|(id, entry)| match id {
            Some(id) => *id,
            None => table.and_then(|table| self.matched(table, entry.name())).unwrap_or_else(|| (self.ground.new_id)()),
        });
        found.collect()
    }

    /// The id of something that has left the catalog, or was there when the document was written.
    pub(super) fn removed_from_catalog(
        &mut self,
        id: &Id,
        entity: EntityKind,
        place: Place,
        mistakes: &mut Mistakes,
    ) -> Option<Uuid> {
        let id = mistakes.judge(place, read_id(id))?;
        if !self.state(id, place, mistakes) {
            return None;
        }
        let other = match (self.catalogs(id), self.ground.present.and_then(|state| present(state, id))) {
            (Some(other), _) if other != entity => format!("a {other} of the catalog"),
            (None, Some((other, Origin::Tenant))) => format!("a {other} of the tenant"),
            (None, Some((other, _))) if other != entity => format!("a {other}"),
            _ => return Some(id),
        };
        mistakes.add(place, MistakeCode::IdTaken, || format!("id `{id}` belongs to {other}"));
        None
    }

    /// Whether an id stands here for the first time.
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

    /// Whether an id can be that of an own thing of this kind.
    fn is_own(&self, id: Uuid, entity: EntityKind, place: Place, mistakes: &mut Mistakes) -> bool {
        let other = match (self.catalogs(id), self.ground.present.and_then(|state| present(state, id))) {
            (Some(other), _) => format!("a {other} of the catalog"),
            (None, Some((other, Origin::Tenant))) if other != entity => format!("a {other} of the tenant"),
            (None, Some((other, Origin::RemovedFromCatalog))) => format!("a {other} that was removed from the catalog"),
            _ => return true,
        };
        mistakes.add(place, MistakeCode::IdTaken, || format!("id `{id}` belongs to {other}"));
        false
    }

    fn catalogs(&self, id: Uuid) -> Option<EntityKind> {
        let catalog = self.ground.catalog;
        let permission = catalog.permission_by_id(PermissionId::from_uuid(id)).map(|_| EntityKind::Permission);
        permission.or_else(|| catalog.role_by_id(RoleId::from_uuid(id)).map(|_| EntityKind::Role))
    }

    /// The id of the present thing with this name, unless an entry states it. What is listed is not departed.
    fn matched<R: Row>(&self, table: &Table<R>, name: &str) -> Option<Uuid> {
        let number = table.sorted_from(name).next().filter(|number| table.name_at(*number) == name)?;
        let row = table.row(number).filter(|row| row.origin() == Origin::Tenant)?;
        Some(row.id()).filter(|id| !self.stated.contains_key(id))
    }
}

/// What a present id is the id of.
fn present(state: &State, id: Uuid) -> Option<(EntityKind, Origin)> {
    fn of<R: Row>(table: &Table<R>, number: Option<u32>) -> Option<(EntityKind, Origin)> {
        number.and_then(|number| table.row(number)).map(|row| (R::ENTITY, row.origin()))
    }
    let State { permissions, roles, groups, users, .. } = state;
    let roles_or_permissions = of(permissions, permissions.by_id(id)).or_else(|| of(roles, roles.by_id(id)));
    roles_or_permissions.or_else(|| of(groups, groups.by_id(id))).or_else(|| of(users, state.user_by_id(id)))
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
