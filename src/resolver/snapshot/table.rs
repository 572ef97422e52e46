//! A table of the entities of one kind, by number, id and name, for permissions, roles, groups and users.
//!
//! A number is never given to another entity within a session. A deleted entity leaves its id at its number, so that
//! the same id gets the same number if it is added again. A lookup costs one hash and one comparison. Iteration follows
//! the bytewise order of names. Next: `entity_rows.rs` has the rows.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use smallvec::SmallVec;
use uuid::Uuid;

use crate::model::error::EntityKind;
use crate::model::internal_fault::must_hold;
use crate::resolver::tables::hash_index::HashIndex;
use crate::resolver::tables::keyed_hash::{KeyedHash, KeyedTextHash};
use crate::resolver::tables::persistent_vec::PersistentVec;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// How many rows, or lists of members, are read at a time. A processor waits for about ten cache lines at once.
pub(crate) const AT_A_TIME: usize = 16;

/// Where a permission or role is defined.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::moment::Origin;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_role("editor")?.done())?;
/// assert_eq!(acme.now().role("editor").map(|role| role.origin), Some(Origin::Tenant));
/// assert_eq!(Origin::RemovedFromCatalog.to_string(), "removed_from_catalog");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The tenant defines it.
    Tenant,
    /// The application's catalog defines it. The tenant can use it but cannot change it.
    Catalog,
    /// An earlier catalog defined it, and the tenant still refers to it. It grants nothing (R9).
    RemovedFromCatalog,
}

/// Writes the origin as in JSON.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Catalog => "catalog",
            Self::RemovedFromCatalog => "removed_from_catalog",
        })
    }
}

/// The row of an entity: its record, and the edges around it.
pub(crate) trait Row: Clone {
    const ENTITY: EntityKind;
    type Record: Clone + PartialEq;
    type Ids: Ids;

    fn own(record: Self::Record) -> Self;
    fn record(&self) -> &Self::Record;
    fn record_mut(&mut self) -> &mut Self::Record;
    fn id_of(record: &Self::Record) -> Uuid;
    /// The slug or key.
    fn name_of(record: &Self::Record) -> &str;
    /// Where it is defined. Entities that are removed from the catalog are stored but not listed.
    fn origin(&self) -> Origin;
    /// Whether its slug belongs to the tenant and to the catalog (I13).
    fn is_in_conflict(&self) -> bool;
    /// Marks it as in conflict, or not. Only rows that the catalog may define keep the mark.
    fn set_in_conflict(&mut self, is_in_conflict: bool);
    /// Whether it has no edges, as far as the row knows.
    fn is_bare(&self) -> bool;
    /// The directory that manages it and its id there, if it has both.
    fn external_of(record: &Self::Record) -> Option<(&str, &str)>;

    fn id(&self) -> Uuid {
        Self::id_of(self.record())
    }

    fn name(&self) -> &str {
        Self::name_of(self.record())
    }

    fn is_listed(&self) -> bool {
        self.origin() != Origin::RemovedFromCatalog
    }

    /// Whether it is the tenant's own, and its name leads to an entry of the catalog. It is listed after that entry, and
    /// found only by id.
    fn is_shadowed(&self) -> bool {
        self.is_in_conflict() && self.origin() == Origin::Tenant
    }
}

/// How a table finds the number of an id.
pub(crate) trait Ids: Clone + Default + fmt::Debug {
    /// Records that an id with this hash has this number.
    fn add_id(&mut self, hash: u64, number: u32);
}

impl Ids for HashIndex {
    fn add_id(&mut self, hash: u64, number: u32) {
        if self.get(hash, |n| n == number).is_none() {
            self.insert(hash, number);
        }
    }
}

/// Nothing: the index of users in the state does this (`state.rs`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByUserIndex;

impl Ids for ByUserIndex {
    fn add_id(&mut self, _: u64, _: u32) {}
}

/// The id that has a number, and its row unless the entity is deleted. The nil id if the number is not in use here.
#[derive(Clone, Debug)]
pub(crate) struct NumberedRow<R> {
    pub(crate) id: Uuid,
    pub(crate) row: Option<Arc<R>>,
}

impl<R> NumberedRow<R> {
    fn deleted(id: Uuid) -> Self {
        Self { id, row: None }
    }
}

impl<R> Default for NumberedRow<R> {
    fn default() -> Self {
        Self::deleted(Uuid::nil())
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has read the row of a user.
    pub(crate) static USERS_LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn count_look(entity: EntityKind) {
    USERS_LOOKED_AT.set(USERS_LOOKED_AT.get() + u64::from(entity == EntityKind::User));
}

/// The hashes of ids and names. Both come from outside, so both hashes are keyed (A21).
#[derive(Clone, Debug)]
pub(crate) struct Hashers {
    ids: KeyedHash,
    names: KeyedTextHash,
}

impl Hashers {
    /// Draws keys from this source.
    pub(crate) fn new(source: &impl BuildHasher) -> Self {
        Self { ids: KeyedHash::new(source), names: KeyedTextHash::new(source) }
    }

    #[inline]
    pub(crate) fn id(&self, id: Uuid) -> u64 {
        self.ids.hash(id.to_u128_le())
    }

    #[inline]
    pub(crate) fn name(&self, name: &str) -> u64 {
        self.names.hash(name.as_bytes())
    }

    /// Neither of the two has control characters, so one between them keeps all pairs distinct.
    pub(crate) fn external(&self, (manager, id): (&str, &str)) -> u64 {
        let mut pair: SmallVec<[u8; 96]> = SmallVec::with_capacity(manager.len() + 1 + id.len());
        pair.extend_from_slice(manager.as_bytes());
        pair.push(0);
        pair.extend_from_slice(id.as_bytes());
        self.names.hash(&pair)
    }
}

#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Table<R: Row> {
    hashers: Hashers,
    slots: PersistentVec<NumberedRow<R>>,
    ids: R::Ids,
    names: HashIndex,
    sorted: SortedSeq<u32>,
    /// Unlisted entities, by name and id. They are found by name if no listed entity has the name.
    unlisted: SortedSeq<u32>,
    /// Entities by directory and external id. It has no other entries (I12).
    external: HashIndex,
}

impl<R: Row> Table<R> {
    /// An empty table.
    pub(crate) fn new(hashers: Hashers) -> Self {
        Self {
            hashers,
            slots: PersistentVec::new(),
            ids: R::Ids::default(),
            names: HashIndex::default(),
            sorted: SortedSeq::default(),
            unlisted: SortedSeq::default(),
            external: HashIndex::default(),
        }
    }

    pub(crate) fn hashers(&self) -> &Hashers {
        &self.hashers
    }

    /// Every number that was given to an id, even if the entity is deleted. The caller provides the number of the nil
    /// id, if it has one: once it is deleted, its slot looks like one that was never used.
    pub(crate) fn numbers(&self, nil: Option<u32>) -> impl Iterator<Item = (u32, Uuid)> {
        let is_used = move |(number, slot): &(u32, &NumberedRow<R>)| !slot.id.is_nil() || Some(*number) == nil;
        self.slots.iter().filter(is_used).map(|(number, slot)| (number, slot.id))
    }

    #[inline]
    pub(crate) fn row(&self, number: u32) -> Option<&R> {
        #[cfg(test)]
        count_look(R::ENTITY);
        self.slots.get(number)?.row.as_deref()
    }

    /// The row, in which everything but the id and name may be changed.
    pub(crate) fn row_mut(&mut self, number: u32) -> Option<&mut R> {
        #[cfg(test)]
        count_look(R::ENTITY);
        self.slots.get_mut(number)?.row.as_mut().map(Arc::make_mut)
    }

    /// Whether two tables share everything.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.slots.is_same(&other.slots) && self.sorted.is_same(&other.sorted)
    }

    /// Whether two tables share the row at a number. If so, nothing about the entity has changed.
    pub(crate) fn same_row(&self, other: &Self, number: u32) -> bool {
        let (one, other) = (self.slots.get(number), other.slots.get(number));
        let rows = one.and_then(|slot| slot.row.as_ref()).zip(other.and_then(|slot| slot.row.as_ref()));
        rows.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// The numbers at which one of two tables has a row that they do not share: everything that was added, changed or
    /// removed. Skips the parts of the tables that are shared.
    pub(crate) fn unshared_rows<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let has_row = |table: &Self, number| table.slots.get(number).is_some_and(|slot| slot.row.is_some());
        let unshared = self.slots.unshared(&other.slots).filter(|number| !self.same_row(other, *number));
        unshared.filter(move |number| has_row(self, *number) || has_row(other, *number))
    }

    /// The id of a number, even if the entity is deleted.
    #[inline]
    pub(crate) fn id_at(&self, number: u32) -> Option<Uuid> {
        self.slots.get(number).map(|slot| slot.id)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<u32> {
        let listed = self.names.get(self.hashers.name(name), |n| self.row(n).is_some_and(|row| row.name() == name));
        listed.or_else(|| {
            let first = self.unlisted.iter_from(|n| self.name_at(*n).cmp(name)).next().copied();
            first.filter(|n| self.name_at(*n) == name)
        })
    }

    /// The entity to which this directory has given this id.
    pub(crate) fn by_external(&self, external: (&str, &str)) -> Option<u32> {
        let is_it = |n| self.row(n).is_some_and(|row| R::external_of(row.record()) == Some(external));
        self.external.get(self.hashers.external(external), is_it)
    }

    #[inline]
    pub(crate) fn hash_of_name(&self, name: &str) -> u64 {
        self.hashers.name(name)
    }

    #[inline]
    pub(crate) fn hash_of_external(&self, external: (&str, &str)) -> u64 {
        self.hashers.external(external)
    }

    /// The first entity to which the index of names leads. Only its row says whether it has the name.
    #[inline]
    pub(crate) fn likely_by_name(&self, hash: u64) -> Option<u32> {
        self.names.get(hash, |_| true)
    }

    /// As [`Table::likely_by_name`], by external id.
    #[inline]
    pub(crate) fn likely_by_external(&self, hash: u64) -> Option<u32> {
        self.external.get(hash, |_| true)
    }

    /// The rows at these numbers that pass a test. They are seldom cached, so the processor waits for several at a time.
    pub(crate) fn rows_that(
        &self,
        mut numbers: impl Iterator<Item = u32>,
        passes: impl Fn(&R) -> bool,
    ) -> impl Iterator<Item = &R> {
        let next = move || {
            let some: SmallVec<[u32; AT_A_TIME]> = numbers.by_ref().take(AT_A_TIME).collect();
            let rows: SmallVec<[&R; AT_A_TIME]> = some.iter().filter_map(|number| self.row(*number)).collect();
            (!some.is_empty())
                .then(|| rows.into_iter().filter(|row| passes(row)).collect::<SmallVec<[&R; AT_A_TIME]>>())
        };
        std::iter::from_fn(next).flatten()
    }

    /// How many entities have an external id.
    #[cfg(test)]
    pub(crate) fn external_len(&self) -> u64 {
        self.external.len()
    }

    /// The number after the highest that is in use.
    pub(crate) fn numbers_in_use(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// All rows by number, including those that are not listed.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &R> {
        self.slots.iter().filter_map(|(_, slot)| slot.row.as_deref())
    }

    /// As [`Table::rows`], with their numbers.
    #[cfg(feature = "json")]
    pub(crate) fn numbered_rows(&self) -> impl Iterator<Item = (u32, &R)> {
        self.slots.iter().filter_map(|(number, slot)| Some((number, slot.row.as_deref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The numbers of the listed entities, in bytewise order of names.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = u32> + '_ {
        self.sorted.iter().copied()
    }

    /// The same, from the first name that is not before this one.
    pub(crate) fn sorted_from<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        self.sorted.iter_from(move |n| self.name_at(*n).cmp(name)).copied()
    }

    /// The numbers after a name, in the order of names.
    pub(crate) fn sorted_after<'a>(&'a self, name: &str) -> impl Iterator<Item = u32> + use<'a, R> {
        self.sorted.iter_from(|n| self.name_at(*n).cmp(name).then(Ordering::Less)).copied()
    }

    /// The numbers of the entities that are listed, in the order of names, and then those that were removed from the
    /// catalog.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.sorted.iter().chain(self.unlisted.iter()).copied()
    }

    pub(crate) fn name_at(&self, number: u32) -> &str {
        self.row(number).map_or("", Row::name)
    }

    /// The text after which the next page of a list begins: the name, and a space for a shadowed entity. It then sorts
    /// right after the catalog's entry with its name, because no slug has a space, and a space precedes every character
    /// of one.
    pub(crate) fn cursor_at(&self, number: u32) -> Cow<'_, str> {
        let name = Cow::Borrowed(self.name_at(number));
        if self.row(number).is_some_and(Row::is_shadowed) { name + " " } else { name }
    }

    /// Puts an entity at its number. The caller guarantees that its id and name are free. An unlisted or shadowed entity
    /// may have a name that another has, and is then found only by id.
    pub(crate) fn insert(&mut self, number: u32, row: R) {
        let id = row.id();
        self.ids.add_id(self.hashers.id(id), number);
        if let Some(external) = R::external_of(row.record()) {
            self.external.insert(self.hashers.external(external), number);
        }
        let (slots, order) = (&self.slots, |n: &u32| order_in(&self.slots, *n).cmp(&(row.name(), row.id())));
        let new = if row.is_listed() {
            if !row.is_shadowed() {
                self.names.insert(self.hashers.name(row.name()), number);
            }
            // The numbers of the catalog precede those of the tenant, so its entry comes first.
            self.sorted.insert(number, |n| name_in(slots, *n).cmp(row.name()).then(n.cmp(&number)))
        } else {
            self.unlisted.insert(number, order)
        };
        must_hold(new, "a name that is listed was free");
        self.slots.set(number, NumberedRow { id, row: Some(Arc::new(row)) });
    }

    /// Removes an entity. Its number stays reserved for its id.
    pub(crate) fn remove(&mut self, number: u32) -> Option<R> {
        let row = self.lift(number)?;
        self.slots.set(number, NumberedRow::deleted(row.id()));
        Some(row)
    }

    /// Removes an entity from the names and lists until it is inserted again, so that two entities can swap their
    /// names. `None` if it is absent or was lifted already.
    pub(crate) fn lift(&mut self, number: u32) -> Option<R> {
        let row = self.row(number)?.clone();
        self.unname(number, &row).then_some(row)
    }

    fn unname(&mut self, number: u32, row: &R) -> bool {
        let external = R::external_of(row.record());
        let found = external.map(|external| self.external.remove(self.hashers.external(external), number));
        let slots = &self.slots;
        let was_named = if row.is_listed() {
            let listed = self.sorted.remove(|n| name_in(slots, *n).cmp(row.name()).then(n.cmp(&number))).is_some();
            let named = self.names.remove(self.hashers.name(row.name()), number);
            must_hold(named == (listed && !row.is_shadowed()), "a name is listed and indexed, or neither") && listed
        } else {
            self.unlisted.remove(|n| order_in(slots, *n).cmp(&(row.name(), row.id()))).is_some()
        };
        let agree = found.is_none_or(|found| found == was_named);
        must_hold(agree, "an entity is found by its name and by its external id, or by neither") && was_named
    }
}

impl<R: Row<Ids = HashIndex>> Table<R> {
    /// The number of an id, even if the entity is deleted.
    pub(crate) fn number_of(&self, id: Uuid) -> Option<u32> {
        self.ids.get(self.hashers.id(id), |n| self.id_at(n) == Some(id))
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<u32> {
        self.number_of(id).filter(|n| self.row(*n).is_some())
    }

    /// Marks as deleted here every entity of an earlier table whose number is not in use here.
    pub(crate) fn keep_numbers_of(&mut self, earlier: &Self) {
        for (number, id) in earlier.numbers(earlier.number_of(Uuid::nil())) {
            if self.number_of(id).is_none() {
                self.ids.add_id(self.hashers.id(id), number);
                self.slots.set(number, NumberedRow::deleted(id));
            }
        }
    }
}

impl<R: Row<Ids = ByUserIndex>> Table<R> {
    /// Fills an empty table in one step. It receives the row at each number, the indexes of names and of external ids,
    /// and the numbers of all entities in order of names. All of them are listed.
    pub(crate) fn fill(&mut self, slots: Vec<NumberedRow<R>>, names: HashIndex, external: HashIndex, sorted: Vec<u32>) {
        (self.slots, self.names, self.external) = (PersistentVec::from_vec(slots), names, external);
        self.sorted = SortedSeq::from_sorted(sorted);
    }
}

fn name_in<R: Row>(slots: &PersistentVec<NumberedRow<R>>, number: u32) -> &str {
    slots.get(number).and_then(|slot| slot.row.as_deref()).map_or("", Row::name)
}

/// By name, and for equal names by id. The order is then the same however a snapshot was made.
fn order_in<R: Row>(slots: &PersistentVec<NumberedRow<R>>, number: u32) -> (&str, Uuid) {
    (name_in(slots, number), slots.get(number).map_or(Uuid::nil(), |slot| slot.id))
}
