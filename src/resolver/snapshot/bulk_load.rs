//! Bulk loading of users and the edges that leave them: collected as they come, stored in one step.
//!
//! They are most of a large tenant. Added one by one, a user costs a path through four persistent tables, and each of
//! its memberships a search by key among the members of the group. During a load nothing is shared yet. Users are
//! collected in a plain vector by number, and edges in another. At the end they are sorted once, and every table is
//! made from the sorted data. `edit.rs` is the plain way to the same state. The random histories compare the two.
//!
//! A broken invariant is reported when its record comes, with one exception: duplicate edges are found after sorting.

use uuid::Uuid;

use super::edge::{Edge, NEAR_END, ReverseEdge};
use super::edges::HeldEdges;
use super::edit::{external_taken, is_managed};
use super::entity_rows::UserRow;
use super::state::State;
use super::table::{Hashers, NumberedRow, Table};
use super::user_index::{UserIndexBuilder, Width};
use super::user_summaries::{SummariesInOrder, UserSummary};
use crate::model::error::EntityKind;
use crate::model::internal_fault::must;
use crate::model::invariants::Violation;
use crate::model::records::{Holder, RecordKey, UserId, UserRecord, Window};
use crate::resolver::tables::counting_sort::counting_sort;
use crate::resolver::tables::hash_index::Building;
use crate::resolver::tables::sorted_seq::SortedSeq;

#[derive(Debug)]
pub(crate) struct BulkLoad {
    hashers: Hashers,
    ids: Building,
    names: Building,
    external: Building,
    /// By number.
    places: Vec<LoadedUser>,
    memberships: Vec<Out>,
    assignments: Vec<Out>,
    /// The user of the last edge. Most stores return the edges of a user one after the other.
    last: Option<(Uuid, u32)>,
}

#[derive(Clone, Debug)]
enum LoadedUser {
    Empty,
    Deleted(Uuid),
    Live(UserRecord),
}

/// An edge that leaves a user.
#[derive(Clone, Copy, Debug)]
struct Out {
    user: u32,
    to: u32,
    window: Window,
}

/// Edges by user, those of each user by number.
struct ByUser {
    edges: Vec<Out>,
    /// The index at which the edges of each number begin, with one more entry for the end.
    starts: Vec<usize>,
}

impl BulkLoad {
    /// A load without users, to be stored in a table like this.
    pub(crate) fn new(table: &Table<UserRow>) -> Self {
        Self {
            hashers: table.hashers().clone(),
            ids: Building::default(),
            names: Building::default(),
            external: Building::default(),
            places: Vec::new(),
            memberships: Vec::new(),
            assignments: Vec::new(),
            last: None,
        }
    }

    /// Every id that an earlier state numbered keeps its number.
    pub(crate) fn keep_numbers_of(&mut self, earlier: &State) {
        for (number, id) in earlier.users.numbers(earlier.number_of(EntityKind::User, Uuid::nil())) {
            if self.number_of(id).is_none() {
                self.ids.insert(self.hashers.id(id), number);
                self.set(number, LoadedUser::Deleted(id));
            }
        }
    }

    /// The number of an id, even if its user has not been loaded yet.
    pub(crate) fn number_of(&self, id: Uuid) -> Option<u32> {
        self.ids.get(self.hashers.id(id), |n| self.is(n, id))
    }

    fn is(&self, number: u32, id: Uuid) -> bool {
        self.places.get(number as usize).and_then(LoadedUser::id) == Some(id)
    }

    /// The number of a user that has been loaded.
    pub(crate) fn user(&mut self, id: UserId) -> Option<u32> {
        let id = id.as_uuid();
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == id) {
            return Some(number);
        }
        // The next edge most likely belongs to the user with the next number. That needs no index lookup.
        let next = self.last.map(|(_, number)| number + 1).filter(|next| self.is(*next, id));
        let number = next.or_else(|| self.number_of(id)).filter(|n| self.record(*n).is_some())?;
        self.last = Some((id, number));
        Some(number)
    }

    /// Adds a user at the number of its id (I2, I12).
    pub(crate) fn put(&mut self, number: u32, has_number: bool, record: UserRecord) -> Result<(), Violation> {
        let taken = |name: String| Violation::Duplicate { entity: EntityKind::User, name };
        if self.record(number).is_some() {
            return Err(taken(record.id.to_string()));
        }
        let hash = self.hashers.name(record.key.as_str());
        if self.names.get(hash, |n| self.record(n).is_some_and(|other| other.key == record.key)).is_some() {
            return Err(taken(record.key.as_str().to_owned()));
        }
        self.put_external(number, &record)?;
        self.names.insert(hash, number);
        if !has_number {
            self.ids.insert(self.hashers.id(record.id.as_uuid()), number);
        }
        self.set(number, LoadedUser::Live(record));
        Ok(())
    }

    fn put_external(&mut self, number: u32, record: &UserRecord) -> Result<(), Violation> {
        is_managed(record.external_id(), record.managed_by(), RecordKey::User(record.id))?;
        let Some(external) = record.external() else { return Ok(()) };
        let hash = self.hashers.external(external);
        let is_same = |n| self.record(n).is_some_and(|other| other.external() == Some(external));
        if self.external.get(hash, is_same).is_some() {
            return Err(external_taken(EntityKind::User, external.0, external.1));
        }
        self.external.insert(hash, number);
        Ok(())
    }

    pub(crate) fn join(&mut self, user: u32, group: u32, window: Window) {
        self.memberships.push(Out { user, to: group, window });
    }

    pub(crate) fn assign(&mut self, user: u32, role: u32, window: Window) {
        self.assignments.push(Out { user, to: role, window });
    }

    /// Stores everything in a state that has no users yet. Returns the duplicate edges. If there are any, the state
    /// must be discarded.
    ///
    /// # Complexity
    /// O(users · log users + edges · log edges of a user), whatever the order in which they were added.
    pub(crate) fn store(self, state: &mut State) -> Vec<Violation> {
        let Self { hashers, names, external, places, memberships, assignments, .. } = self;
        let memberships = ByUser::new(memberships, places.len());
        let assignments = ByUser::new(assignments, places.len());
        let broken = duplicates(state, &places, &memberships, &assignments);
        if !broken.is_empty() {
            return broken;
        }
        let sorted = by_key(&places);
        for (group, members) in memberships.far_ends(&sorted) {
            if let Some(row) = must(state.groups.row_mut(group), NEAR_END) {
                row.members = SortedSeq::from_sorted(members);
            }
        }
        for (role, users) in assignments.far_ends(&sorted) {
            if let Some(row) = must(state.roles.row_mut(role), NEAR_END) {
                row.users = SortedSeq::from_sorted(users);
            }
        }
        let (mut slots, mut summaries) = (Vec::with_capacity(places.len()), SummariesInOrder::default());
        let sources = |user| memberships.of(user).iter().chain(assignments.of(user)).map(|edge| edge.window);
        let live = (0..).zip(&places).filter(|(_, place)| place.record().is_some());
        let mut user_index = UserIndexBuilder::new(Width::of(live.map(|(user, _)| sources(user))), places.len());
        for (number, place) in (0..).zip(places) {
            let id = place.id();
            let (slot, summary) = match place {
                LoadedUser::Empty => (NumberedRow::default(), UserSummary::default()),
                LoadedUser::Deleted(id) => (NumberedRow { id, row: None }, UserSummary::default()),
                LoadedUser::Live(record) => {
                    let edges = HeldEdges::from_sorted(memberships.edges_of(number), assignments.edges_of(number));
                    let row = UserRow { record, edges };
                    let summary = UserSummary::of(&row, &state.columns);
                    (NumberedRow { id: row.id().as_uuid(), row: Some(row.into()) }, summary)
                }
            };
            if let Some(id) = id {
                user_index.push(id, number, &summary);
            }
            slots.push(slot);
            summaries.push(summary);
        }
        state.user_index = user_index.finish(|id| hashers.id(id));
        state.users.fill(slots, names.finish(), external.finish(), sorted);
        state.summaries = summaries.finish();
        Vec::new()
    }

    fn record(&self, number: u32) -> Option<&UserRecord> {
        self.places.get(number as usize)?.record()
    }

    fn set(&mut self, number: u32, place: LoadedUser) {
        let number = number as usize;
        if number >= self.places.len() {
            self.places.resize(number + 1, LoadedUser::Empty);
        }
        if let Some(slot) = must(self.places.get_mut(number), "a user that is loaded has a place") {
            *slot = place;
        }
    }
}

impl LoadedUser {
    fn id(&self) -> Option<Uuid> {
        match self {
            Self::Live(record) => Some(record.id.as_uuid()),
            Self::Deleted(id) => Some(*id),
            Self::Empty => None,
        }
    }

    fn record(&self) -> Option<&UserRecord> {
        match self {
            Self::Live(record) => Some(record),
            Self::Empty | Self::Deleted(_) => None,
        }
    }
}

/// The duplicate edges (I4).
fn duplicates(state: &State, places: &[LoadedUser], memberships: &ByUser, assignments: &ByUser) -> Vec<Violation> {
    let user = |n: u32| places.get(n as usize).and_then(LoadedUser::record).map(|record| record.id);
    let assigned = assignments.duplicates().filter_map(|edge| {
        let role = must(state.roles.row(edge.to), NEAR_END)?.record.id;
        Some(RecordKey::Assignment(role, Holder::User(must(user(edge.user), NEAR_END)?)))
    });
    let joined = memberships.duplicates().filter_map(|edge| {
        let group = must(state.groups.row(edge.to), NEAR_END)?.record.id;
        Some(RecordKey::Membership(must(user(edge.user), NEAR_END)?, group))
    });
    assigned.chain(joined).map(|key| Violation::Mismatch { key }).collect()
}

/// The numbers of the loaded users, in bytewise order of their keys. The first bytes of each key are stored beside the
/// number and decide nearly every comparison, without following a pointer.
fn by_key(places: &[LoadedUser]) -> Vec<u32> {
    let key = |n: u32| places.get(n as usize).and_then(LoadedUser::record).map_or("", |record| record.key.as_str());
    let numbers = (0..).zip(places).filter(|(_, place)| place.record().is_some()).map(|(n, _)| n);
    let mut all: Vec<(u128, u32)> = numbers.map(|n| (beginning(key(n)), n)).collect();
    all.sort_unstable_by(|(a, m), (b, n)| a.cmp(b).then_with(|| key(*m).cmp(key(*n))));
    all.into_iter().map(|(_, n)| n).collect()
}

/// The first bytes of a text as a number that sorts as they do.
fn beginning(text: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    u128::from_be_bytes(bytes)
}

impl ByUser {
    fn new(edges: Vec<Out>, users: usize) -> Self {
        let (mut edges, starts) = counting_sort(edges, users, |edge| edge.user as usize);
        for own in edges.chunk_by_mut(|a, b| a.user == b.user) {
            own.sort_by_key(|edge| edge.to);
        }
        Self { edges, starts }
    }

    fn of(&self, user: u32) -> &[Out] {
        let at = |n: usize| must(self.starts.get(n).copied(), "the edges of a user have a start").unwrap_or_default();
        must(self.edges.get(at(user as usize)..at(user as usize + 1)), "the edges of a user are contiguous")
            .unwrap_or_default()
    }

    fn edges_of(&self, user: u32) -> impl Iterator<Item = Edge> + Clone + '_ {
        self.of(user).iter().map(|edge| Edge { to: edge.to, window: edge.window })
    }

    /// The edges that repeat another one.
    fn duplicates(&self) -> impl Iterator<Item = &Out> {
        let pairs = self.edges.iter().zip(self.edges.iter().skip(1));
        pairs.filter(|(one, next)| (one.user, one.to) == (next.user, next.to)).map(|(_, next)| next)
    }

    /// The reverse edges of each number, in this order of users.
    fn far_ends(&self, sorted: &[u32]) -> impl Iterator<Item = (u32, Vec<ReverseEdge>)> + use<> {
        let mut ends: Vec<Vec<ReverseEdge>> = Vec::new();
        for edge in sorted.iter().flat_map(|user| self.of(*user)) {
            let to = edge.to as usize;
            if to >= ends.len() {
                ends.resize_with(to + 1, Vec::new);
            }
            if let Some(end) = must(ends.get_mut(to), NEAR_END) {
                end.push(ReverseEdge::new(edge.user, edge.window));
            }
        }
        (0..).zip(ends).filter(|(_, end)| !end.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::catalog::Catalog;
    use crate::model::records::{
        Assignment, Change, CommitId, Description, ExternalId, GroupId, GroupRecord, Manager, Membership, Name,
        Position, Record, Revision, RoleId, RoleRecord, RoleRef, Slug, Status, TenantId, TenantRecord, TenantSlug,
        UserKey,
    };
    use crate::resolver::snapshot::build::Build;
    use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
    use crate::resolver::snapshot::edit::{Edit, Touched};
    use crate::resolver::snapshot::session::Session;
    use crate::resolver::snapshot::verify::verify;
    use crate::{Timestamp, Window};

    const USERS: u32 = 150;

    fn uuid(n: u32) -> Uuid {
        Uuid::from_u128(u128::from(n) + 1)
    }

    fn window(n: u32) -> Window {
        if n % 3 == 0 { Window::until(Timestamp::from_secs(i64::from(n)).unwrap()) } else { Window::ALWAYS }
    }

    /// Some keys share their first sixteen bytes and more, and one is a prefix of the others.
    fn key(n: u32) -> UserKey {
        let start = if n % 2 == 0 { "a-key-that-is-rather-long" } else { "rather-long" };
        UserKey::new(&if n == 0 { start.to_owned() } else { format!("{start}{n}") }).unwrap()
    }

    fn member(user: u32, group: u32) -> Record {
        let (user, group, window) = (UserId::from_uuid(uuid(user)), GroupId::from_uuid(uuid(group)), window(user));
        Record::Membership(Membership { user, group, window })
    }

    fn held(user: u32, role: u32) -> Record {
        let (holder, role) = (Holder::User(UserId::from_uuid(uuid(user))), RoleRef::Own(RoleId::from_uuid(uuid(role))));
        Record::Assignment(Assignment { role, holder, window: window(user) })
    }

    fn records() -> Vec<Record> {
        let named = |n: u32| (Slug::new(&format!("s{n}")).unwrap(), Name::new("N").unwrap(), Description::default());
        let tenant = TenantRecord { slug: TenantSlug::new("t").unwrap(), name: Name::new("T").unwrap() };
        let mut all = vec![Record::Tenant(tenant)];
        for n in 0..4 {
            let (slug, name, description) = named(n);
            let id = GroupId::from_uuid(uuid(n));
            all.push(Record::Group(GroupRecord::new(id, slug.clone(), name.clone(), description)));
            let id = RoleId::from_uuid(uuid(n));
            all.push(Record::Role(RoleRecord { id, slug, name, description: Description::default() }));
        }
        for n in 0..USERS {
            let status = if n % 10 == 0 { Status::Suspended } else { Status::Active };
            let mut user = UserRecord::new(UserId::from_uuid(uuid(n)), key(n)).with_status(status);
            if n % 7 == 0 {
                user.set_managed_by(Some(Manager::new(if n % 2 == 0 { "okta" } else { "entra" }).unwrap()));
                user.set_external_id(Some(ExternalId::new(&format!("x{}", n / 14)).unwrap()));
            }
            all.push(Record::User(user));
            all.extend((0..4).filter(|group| (n >> group) & 1 == 1).map(|group| member(n, group)));
            all.extend((0..4).filter(|role| n % (role + 5) == 0).map(|role| held(n, role)));
        }
        all
    }

    fn loaded_at_once(
        session: &Arc<Session>,
        catalog: &Arc<CompiledCatalog>,
        records: &[Record],
    ) -> Result<State, Vec<Violation>> {
        let mut build = Build::new(Arc::clone(catalog), Arc::clone(session));
        assert!(records.iter().all(|record| build.push(record)));
        let at = Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
        build.finish(at).map(|compiled| compiled.state)
    }

    /// The plain way: record by record.
    fn edit_by_edit(session: &Session, catalog: &CompiledCatalog, records: &[Record]) -> State {
        let (mut state, mut touched) = (catalog.state.clone(), Touched::default());
        for record in records {
            let mut edit = Edit { state: &mut state, session, touched: &mut touched };
            edit.apply(&Change::added(record.clone())).unwrap();
        }
        state
    }

    /// Everything about users and the edges that leave them, in storage order.
    fn shown(state: &State) -> Vec<String> {
        let by_name = state.users.sorted().map(|n| state.users.name_at(n).to_owned());
        let user = |n| {
            format!(
                "{:?} {:?}",
                state.summaries.read(n),
                state.users.row(n).map(|row| {
                    (&row.record, row.groups().iter().collect::<Vec<_>>(), row.roles().iter().collect::<Vec<_>>())
                })
            )
        };
        let far = |n| {
            let members = state.groups.row(n).map(|row| row.members.iter().collect::<Vec<_>>());
            format!("{members:?} {:?}", state.roles.row(n).map(|row| row.users.iter().collect::<Vec<_>>()))
        };
        by_name.chain((0..USERS).map(user)).chain((0..4).map(far)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 6 } else { 64 }))]
        #[test]
        fn bulk_load_in_any_order_equals_edits(mut records in Just(records()).prop_shuffle()) {
            records.sort_by_key(Record::kind);
            let catalog = Arc::new(CompiledCatalog::new(Catalog::empty()));
            let session = Arc::new(catalog.open());
            let plain = edit_by_edit(&session, &catalog, &records);
            let state = loaded_at_once(&session, &catalog, &records).unwrap();
            prop_assert_eq!(shown(&state), shown(&plain));
            verify(&state);
        }
    }

    #[test]
    fn a_duplicate_edge_is_refused_wherever_it_occurs() {
        let mut records = records();
        records.extend([member(7, 1), held(35, 2), held(35, 0)]);
        records.sort_by_key(Record::kind);
        let catalog = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let broken = loaded_at_once(&Arc::new(catalog.open()), &catalog, &records).unwrap_err();
        let mismatches = [held(35, 0), held(35, 2), member(7, 1)].map(|edge| Violation::Mismatch { key: edge.key() });
        assert_eq!(broken, mismatches);
    }

    /// An empty place looks like one from which the nil id was deleted.
    #[test]
    fn a_deleted_user_keeps_its_number_through_a_reload() {
        let catalog = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let session = Arc::new(catalog.open());
        let user = |n: u32| {
            let id = n.checked_sub(1).map_or(Uuid::nil(), uuid);
            Record::User(UserRecord::new(UserId::from_uuid(id), key(n)))
        };
        let tenant = records().into_iter().take(1);
        let all: Vec<Record> = tenant.clone().chain((0..4).map(user)).collect();
        let mut state = edit_by_edit(&session, &catalog, &all);
        let numbers =
            |state: &State| [Uuid::nil(), uuid(0), uuid(1), uuid(2)].map(|id| state.number_of(EntityKind::User, id));
        let before = numbers(&state);
        for removed in [user(0), user(2)] {
            let mut touched = Touched::default();
            let mut edit = Edit { state: &mut state, session: &session, touched: &mut touched };
            edit.apply(&Change::removed(removed)).unwrap();
        }
        let mut build = Build::new(Arc::clone(&catalog), Arc::clone(&session)).keeping_numbers_of(&state);
        assert!(tenant.chain([user(1), user(3)]).all(|record| build.push(&record)));
        let at = Position { tenant_id: TenantId::random(), revision: Revision::FIRST, commit: CommitId::random() };
        let state = build.finish(at).map(|compiled| compiled.state).unwrap();
        assert!(before.iter().all(Option::is_some) && numbers(&state) == before);
        assert_eq!([Uuid::nil(), uuid(0)].map(|id| state.user_by_id(id).is_some()), [false, true]);
    }

    #[test]
    fn a_key_that_two_users_have_is_refused_and_so_is_an_id() {
        let mut records = records();
        let user = |id, text| {
            let key: UserKey = text;
            Record::User(UserRecord::new(UserId::from_uuid(uuid(id)), key))
        };
        records.extend([user(USERS, key(3)), user(3, key(USERS)), member(USERS, 0)]);
        records.sort_by_key(Record::kind);
        let catalog = Arc::new(CompiledCatalog::new(Catalog::empty()));
        let broken = loaded_at_once(&Arc::new(catalog.open()), &catalog, &records).unwrap_err();
        let taken = |name: String| Violation::Duplicate { entity: EntityKind::User, name };
        let dangling = Violation::Dangling { edge: member(USERS, 0).key(), entity: EntityKind::User };
        assert_eq!(
            broken,
            [taken(key(3).as_str().to_owned()), taken(UserId::from_uuid(uuid(3)).to_string()), dangling]
        );
    }
}
