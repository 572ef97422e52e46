//! The things of one kind, by number, id and name: the shape that permissions, roles, groups and users share.
//!
//! A number is never given to another thing within an opening: a thing that goes leaves its id behind in its place, so
//! that the same id, should it come back, gets the same number. Look-ups cost one hash and one comparison; listing
//! follows the bytewise order of names. Next: `entities.rs` has the rows.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::error::EntityKind;
use crate::model::internal_fault::must_hold;
use crate::resolver::tables::hash_index::HashIndex;
use crate::resolver::tables::keyed_hash::{KeyedHash, KeyedTextHash};
use crate::resolver::tables::persistent_vec::PersistentVec;
use crate::resolver::tables::sorted_seq::SortedSeq;

/// Where a permission or role is defined.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::moment::Origin;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_role("editor").map(drop))?;
/// assert_eq!(acme.now().role("editor").map(|role| role.origin), Some(Origin::Tenant));
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The tenant defines it.
    Tenant,
    /// The application's catalog defines it. The tenant can use it and cannot change it.
    Catalog,
    /// An earlier catalog defined it, and the tenant still refers to it. It grants nothing (R9).
    RemovedFromCatalog,
}

/// The row of a noun: its record, and the edges around it.
pub(crate) trait Row: Clone {
    const ENTITY: EntityKind;
    type Record: Clone + PartialEq;
    type Ids: Ids;

    fn own(record: Self::Record) -> Self;
    fn record(&self) -> &Self::Record;
    fn record_mut(&mut self) -> &mut Self::Record;
    fn id_of(record: &Self::Record) -> Uuid;
    /// Slug or key.
    fn name_of(record: &Self::Record) -> &str;
    /// The tenant's own, the catalog's, or what has left the catalog: kept, and not listed.
    fn origin(&self) -> Origin;
    /// Whether no edge hangs on it, by what the row knows.
    fn is_bare(&self) -> bool;
    /// The directory that manages it and its id there, for kinds that have such, where it has both.
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
}

/// How a table finds the number of an id.
pub(crate) trait Ids: Clone + Default + fmt::Debug {
    /// An id of this hash has this number.
    fn meet(&mut self, hash: u64, number: u32);
}

impl Ids for HashIndex {
    fn meet(&mut self, hash: u64, number: u32) {
        if self.get(hash, |n| n == number).is_none() {
            self.insert(hash, number);
        }
    }
}

/// Not at all: the cards of a state do (`state.rs`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByIndexedUser;

impl Ids for ByIndexedUser {
    fn meet(&mut self, _: u64, _: u32) {}
}

/// What is at a number: whose it is, and the thing unless it is gone. Where nothing has the number here, the nil id.
#[derive(Clone, Debug)]
pub(crate) struct NumberedRow<R> {
    pub(crate) id: Uuid,
    pub(crate) row: Option<Arc<R>>,
}

impl<R> NumberedRow<R> {
    fn gone(id: Uuid) -> Self {
        Self { id, row: None }
    }
}

impl<R> Default for NumberedRow<R> {
    fn default() -> Self {
        Self::gone(Uuid::nil())
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has looked at the row of a user (P9).
    pub(crate) static USERS_LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn count_look(entity: EntityKind) {
    USERS_LOOKED_AT.set(USERS_LOOKED_AT.get() + u64::from(entity == EntityKind::User));
}

/// How ids and names are hashed. Both come from outside, so both hashes are keyed (A21).
#[derive(Clone, Debug)]
pub(crate) struct Hashers {
    ids: KeyedHash,
    names: KeyedTextHash,
}

impl Hashers {
    /// With keys from this source.
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

    /// Neither of the two has control characters, so one between them keeps all pairs apart.
    pub(crate) fn external(&self, (manager, id): (&str, &str)) -> u64 {
        self.names.hash(format!("{manager}\0{id}").as_bytes())
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
    /// What is not listed, by name and id: found by name where nothing listed has it.
    unlisted: SortedSeq<u32>,
    /// What has an external id, by that and the directory. It has no entry for anything else (I12).
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

    /// Every number that was given to an id, also where the thing is gone. The nil id's, if it was met, is the caller's to
    /// say: where it is gone, its slot looks like one that nothing was ever in.
    pub(crate) fn numbers(&self, nil: Option<u32>) -> impl Iterator<Item = (u32, Uuid)> {
        let met = move |(number, slot): &(u32, &NumberedRow<R>)| !slot.id.is_nil() || Some(*number) == nil;
        self.slots.iter().filter(met).map(|(number, slot)| (number, slot.id))
    }

    #[inline]
    pub(crate) fn row(&self, number: u32) -> Option<&R> {
        #[cfg(test)]
        count_look(R::ENTITY);
        self.slots.get(number)?.row.as_deref()
    }

    /// The row, to be changed in everything but its id and name.
    pub(crate) fn row_mut(&mut self, number: u32) -> Option<&mut R> {
        #[cfg(test)]
        count_look(R::ENTITY);
        self.slots.get_mut(number)?.row.as_mut().map(Arc::make_mut)
    }

    /// Whether two tables are one, down to the last page.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.slots.is_same(&other.slots) && self.sorted.is_same(&other.sorted)
    }

    /// Whether two tables hold the very same row at a number: then nothing about it has changed.
    pub(crate) fn same_row(&self, other: &Self, number: u32) -> bool {
        let (one, other) = (self.slots.get(number), other.slots.get(number));
        let rows = one.and_then(|slot| slot.row.as_ref()).zip(other.and_then(|slot| slot.row.as_ref()));
        rows.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// Whose a number is, of all numbers that were given here.
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

    /// The thing that this directory knows by this id.
    pub(crate) fn by_external(&self, external: (&str, &str)) -> Option<u32> {
        let is_it = |n| self.row(n).is_some_and(|row| R::external_of(row.record()) == Some(external));
        self.external.get(self.hashers.external(external), is_it)
    }

    /// How many have an external id.
    #[cfg(test)]
    pub(crate) fn external_len(&self) -> u64 {
        self.external.len()
    }

    /// All rows, by number, what is not listed included.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &R> {
        self.slots.iter().filter_map(|(_, slot)| slot.row.as_deref())
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The numbers of what is listed, in bytewise order of names.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = u32> + '_ {
        self.sorted.iter().copied()
    }

    /// The same, from the first name that is not before this one.
    pub(crate) fn sorted_from<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        self.sorted.iter_from(move |n| self.name_at(*n).cmp(name)).copied()
    }

    pub(crate) fn name_at(&self, number: u32) -> &str {
        self.row(number).map_or("", Row::name)
    }

    /// Puts a thing at its number. The caller has made sure that neither id nor name is another's; a thing that is not
    /// listed may find its name taken, and is then found by id alone.
    pub(crate) fn insert(&mut self, number: u32, row: R) {
        let id = row.id();
        self.ids.meet(self.hashers.id(id), number);
        if let Some(external) = R::external_of(row.record()) {
            self.external.insert(self.hashers.external(external), number);
        }
        let (slots, order) = (&self.slots, |n: &u32| order_in(&self.slots, *n).cmp(&(row.name(), row.id())));
        let new = if row.is_listed() {
            self.names.insert(self.hashers.name(row.name()), number);
            self.sorted.insert(number, |n| name_in(slots, *n).cmp(row.name()))
        } else {
            self.unlisted.insert(number, order)
        };
        must_hold(new, "a name that is listed was free");
        self.slots.set(number, NumberedRow { id, row: Some(Arc::new(row)) });
    }

    /// Takes a thing away; its number stays its id's.
    pub(crate) fn remove(&mut self, number: u32) -> Option<R> {
        let row = self.lift(number)?;
        self.slots.set(number, NumberedRow::gone(row.id()));
        Some(row)
    }

    /// Takes a thing out of the names and listings until it is inserted again: so two things can swap their names. `None`
    /// if it is not there, or was taken out already.
    pub(crate) fn lift(&mut self, number: u32) -> Option<R> {
        let row = self.row(number)?.clone();
        self.unname(number, &row).then_some(row)
    }

    fn unname(&mut self, number: u32, row: &R) -> bool {
        if let Some(external) = R::external_of(row.record()) {
            self.external.remove(self.hashers.external(external), number);
        }
        let slots = &self.slots;
        if row.is_listed() {
            let listed = self.sorted.remove(|n| name_in(slots, *n).cmp(row.name()).then(n.cmp(&number))).is_some();
            let named = self.names.remove(self.hashers.name(row.name()), number);
            must_hold(listed == named, "a name is listed and indexed, or neither") && listed
        } else {
            self.unlisted.remove(|n| order_in(slots, *n).cmp(&(row.name(), row.id()))).is_some()
        }
    }
}

impl<R: Row<Ids = HashIndex>> Table<R> {
    /// The number of an id, also where the thing is gone.
    pub(crate) fn number_of(&self, id: Uuid) -> Option<u32> {
        self.ids.get(self.hashers.id(id), |n| self.id_at(n) == Some(id))
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<u32> {
        self.number_of(id).filter(|n| self.row(*n).is_some())
    }

    /// Marks as gone here whatever another table has at a number that is empty here.
    pub(crate) fn keep_numbers_of(&mut self, earlier: &Self) {
        for (number, id) in earlier.numbers(earlier.number_of(Uuid::nil())) {
            if self.number_of(id).is_none() {
                self.ids.meet(self.hashers.id(id), number);
                self.slots.set(number, NumberedRow::gone(id));
            }
        }
    }
}

impl<R: Row<Ids = ByIndexedUser>> Table<R> {
    /// Takes in everything at once, where there was nothing: what is at each number, with the indexes of names and of
    /// external ids, and the numbers of what lives in order of names, all of it listed.
    pub(crate) fn fill(&mut self, slots: Vec<NumberedRow<R>>, names: HashIndex, external: HashIndex, sorted: Vec<u32>) {
        (self.slots, self.names, self.external) = (PersistentVec::from_vec(slots), names, external);
        self.sorted = SortedSeq::from_sorted(sorted);
    }
}

fn name_in<R: Row>(slots: &PersistentVec<NumberedRow<R>>, number: u32) -> &str {
    slots.get(number).and_then(|slot| slot.row.as_deref()).map_or("", Row::name)
}

/// By name, and of one name by id, so that the order is the same however a snapshot came about.
fn order_in<R: Row>(slots: &PersistentVec<NumberedRow<R>>, number: u32) -> (&str, Uuid) {
    (name_in(slots, number), slots.get(number).map_or(Uuid::nil(), |slot| slot.id))
}
