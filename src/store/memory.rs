//! A store that keeps its tenants in the memory of the process: for tests, for examples, for an application that
//! imports its tenants when it starts, and as the smallest thing to read before writing a store of one's own.
//!
//! The contract is in [`crate::store`], and this file cites its clauses. A commit is first admitted, by looking only,
//! and then carried out, which cannot fail. The tests are in `tests/memory_store.rs`.
//!
//! Deliberately absent: a lock for each tenant, a persistent map, any file. They would make it quicker or lasting, and
//! no longer an example.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Base, Commit, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};
use crate::model::records::{Change, Position, Record, RecordKey, Revision, TenantId, TenantSlug};

/// Keeps tenants in memory. A clone is a second connection to the same tenants; nothing survives the process.
///
/// For each living tenant it keeps the records, and the newest commits up to 100,000 changes, or as many as
/// [`with_history`](Self::with_history) says; for each ended one, 16 bytes, for good (S1).
///
/// ```
/// use rolecall::records::TenantSlug;
/// use rolecall::store::{MemoryStore, Store};
///
/// let store = MemoryStore::default();
/// let second_connection = store.clone();
/// let acme = TenantSlug::new("acme")?;
/// assert_eq!(pollster::block_on(second_connection.find(&acme))?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Consistency
/// One lock stands before everything, so each call happens at one instant (S5, S12). No call awaits anything: its
/// future is ready when it is first polled, and so does nothing if it is dropped before (S11).
///
/// # Complexity
/// With n records in the tenant and t tenants; what is outside the lock keeps nobody waiting.
///
/// | call | under the lock | outside |
/// |---|---|---|
/// | `find` | O(log t) | |
/// | `list` | O(log t + limit) | |
/// | `load` | O(1) | O(n): a copy of each record, whose texts are shared |
/// | `commit` of c changes | O(c log n) | O(c log c) |
/// | the first one with changes during a load | O(n) more: a copy of the map, as the load keeps the old one | |
/// | the one that ends the tenant | O(n) more: its records are dropped | |
/// | `since` | O(commits told) | O(changes told) |
///
/// Measured with 1,000,000 memberships: a commit of one change takes 3 to 12 µs, the first one during a load 0.6 s.
///
/// # Errors
/// Never *unavailable*, *unknown* or *refused*. A commit that cannot have been made on its base (an added record that is
/// there, a removed or changed one that is not, a noun that was another, two changes of one record, a birth without a
/// tenant record) is *corrupt*, and the text names the clause.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// A store that keeps, for each tenant, the newest commits as long as they have at most this many changes together;
    /// an empty commit counts as one. Whoever asks for the commits since an older state is told that it is too old
    /// (S14), and loads instead. The latest state is never too old.
    pub fn with_history(max_changes: usize) -> Self {
        Self(Arc::new(Mutex::new(State { max_changes, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned state is whole: nothing of the caller's runs under the lock, and a commit is admitted down to its
        // last change before it alters anything.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        Ok(self.state().slugs.get(slug).copied())
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let slugs = state.slugs.range::<TenantSlug, _>((after, Bound::Unbounded)).take(limit);
        Ok(slugs.map(|(slug, tenant_id)| TenantSummary { tenant_id: *tenant_id, slug: slug.clone() }).collect())
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let found = self.state().living.get(&tenant_id).map(|tenant| (Arc::clone(&tenant.records), tenant.at));
        let Some((records, at)) = found else { return Ok(None) };
        for record in records.values() {
            sink.push(record.clone()).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let mut changes: Vec<_> = commit.changes.iter().map(|change| (change.key(), change)).collect();
        changes.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.state().commit(commit, &changes)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let told = match self.state().living.get(&at.tenant_id) {
            None => return Ok(Since::Deleted),
            Some(tenant) => tenant.history.since(at),
        };
        Ok(told
            .map_or(Since::TooOld, |commits| Since::Commits(commits.iter().map(|c| StoredCommit::clone(c)).collect())))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

type Records = BTreeMap<RecordKey, Record>;

/// The changes of a commit in the order of their keys, so that two of one record stand side by side.
type Ordered<'a> = [(RecordKey, &'a Change)];

/// All that there is. The slugs are those of the tenant records of the living, and no life is both living and ended.
struct State {
    living: HashMap<TenantId, Living>,
    ended: HashSet<TenantId>,
    slugs: BTreeMap<TenantSlug, TenantId>,
    max_changes: usize,
}

/// One living tenant. A load shares its records (S2); a commit that meets one copies them first and leaves it the old.
struct Living {
    at: Position,
    records: Arc<Records>,
    history: History,
}

impl Default for State {
    fn default() -> Self {
        Self { living: HashMap::new(), ended: HashSet::new(), slugs: BTreeMap::new(), max_changes: 100_000 }
    }
}

impl State {
    fn commit(&mut self, commit: Commit<'_>, changes: &Ordered<'_>) -> Result<Revision, StoreError> {
        let revision = self.admit(commit.base, changes)?;
        self.carry_out(commit, changes, revision);
        Ok(revision)
    }

    /// The revision that a commit would make, or why there will be none. Alters nothing, so a refusal does not (S4).
    fn admit(&self, base: Base, changes: &Ordered<'_>) -> Result<Revision, StoreError> {
        let tenant_id = base.tenant_id();
        if self.ended.contains(&tenant_id) {
            return Err(StoreError::Deleted);
        }
        let (records, revision) = match (self.living.get(&tenant_id), base) {
            (None, Base::At(_)) => return Err(StoreError::Deleted),
            (None, Base::Create(_)) => (&Records::new(), Revision::FIRST),
            (Some(tenant), Base::At(at)) if at == tenant.at => (&*tenant.records, at.revision.next()),
            (Some(tenant), _) => {
                return Err(StoreError::Conflict { actual: tenant.at.revision });
            }
        };
        if matches!(base, Base::At(at) if at.revision == revision) {
            return Err(StoreError::TooLarge("S7: no revision is left".to_owned()));
        }
        compare(records, changes)?;
        let (_, after) = slugs(changes);
        if matches!(base, Base::Create(_)) && after.is_none() && !changes.is_empty() {
            return Err(StoreError::Corrupt("S1: a birth adds no tenant record".to_owned()));
        }
        match after.and_then(|slug| self.slugs.get(slug)) {
            Some(bearer) if *bearer != tenant_id => Err(StoreError::SlugTaken),
            _ => Ok(revision),
        }
    }

    /// Makes the changes of a commit that has been admitted. Cannot fail.
    fn carry_out(&mut self, commit: Commit<'_>, changes: &Ordered<'_>, revision: Revision) {
        let tenant_id = commit.base.tenant_id();
        let (before, after) = slugs(changes);
        if let Some(before) = before {
            self.slugs.remove(before);
        }
        if let Some(after) = after {
            self.slugs.insert(after.clone(), tenant_id);
        }
        let begins = matches!(commit.base, Base::Create(_));
        if after.is_none() && (before.is_some() || begins) {
            self.living.remove(&tenant_id);
            self.ended.insert(tenant_id);
            return;
        }
        let at = Position { tenant_id, revision, commit: commit.envelope.id };
        let max_changes = self.max_changes;
        let tenant = self
            .living
            .entry(tenant_id)
            .and_modify(|tenant| tenant.history.push(commit, revision, max_changes))
            .or_insert_with(|| Living { at, records: Arc::default(), history: History::after(at) });
        tenant.at = at;
        tenant.replace(changes);
    }
}

/// Whether the changes can be made: no two of one record, and each from what is stored or from nothing.
///
/// An edge that is there is not compared with the one that the change begins with: a reference to a catalog entry
/// remembers the slug of its day, and a newer release knows the same entry by a newer one.
fn compare(records: &Records, changes: &Ordered<'_>) -> Result<(), StoreError> {
    let mut neighbours = changes.iter().zip(changes.iter().skip(1));
    if let Some(((key, _), _)) = neighbours.find(|((key, _), (next, _))| key == next) {
        return Err(corrupt("S10", key, "is changed twice in one commit"));
    }
    let fits = |key, change: &Change| match (records.get(key), change.before()) {
        (Some(stored), Some(before)) => stored == before || stored.kind().is_relation(),
        (stored, before) => stored.is_none() && before.is_none(),
    };
    match changes.iter().find(|(key, change)| !fits(key, change)) {
        Some((key, _)) => Err(corrupt("S3", key, "is not what the change begins with")),
        None => Ok(()),
    }
}

/// Says which record, by its ids alone: the key of a user is nobody's business.
fn corrupt(clause: &str, key: &RecordKey, what: &str) -> StoreError {
    StoreError::Corrupt(format!("{clause}: {key:?} {what}"))
}

/// The slug before and after, where the tenant record is among the changes. Its key is the least of all.
fn slugs<'a>(changes: &Ordered<'a>) -> (Option<&'a TenantSlug>, Option<&'a TenantSlug>) {
    let slug = |side: Option<&'a Record>| match side {
        Some(Record::Tenant(tenant)) => Some(&tenant.slug),
        _ => None,
    };
    let tenant = changes.first().map(|(_, change)| *change);
    (tenant.and_then(|change| slug(change.before())), tenant.and_then(|change| slug(change.after())))
}

impl Living {
    fn replace(&mut self, changes: &Ordered<'_>) {
        if changes.is_empty() {
            return; // not even a copy for the sake of a load
        }
        let records = Arc::make_mut(&mut self.records);
        if records.is_empty() {
            // A birth: a map made of sorted records at once needs no search for each. Importing 165,179 grants: 125 ms
            // rather than 175.
            let added = changes.iter().filter_map(|(key, change)| Some((key.clone(), change.after()?.clone())));
            *records = added.collect();
            return;
        }
        for (key, change) in changes {
            match change.after() {
                Some(after) => records.insert(key.clone(), after.clone()),
                None => records.remove(key),
            };
        }
    }
}

/// The newest commits of one life, shared with whoever is being told of them.
struct History {
    /// The state on which the oldest of them was made; the latest state if there are none.
    floor: Position,
    commits: VecDeque<Arc<StoredCommit>>,
    changes: usize,
}

impl History {
    /// A history that begins with this state. The birth itself is in nobody's past: no base comes before it.
    fn after(floor: Position) -> Self {
        Self { floor, commits: VecDeque::new(), changes: 0 }
    }

    fn push(&mut self, commit: Commit<'_>, revision: Revision, max_changes: usize) {
        let (envelope, changes) = (commit.envelope.clone(), commit.changes.to_vec());
        self.changes += weight(&changes);
        self.commits.push_back(Arc::new(StoredCommit { revision, envelope, changes }));
        while self.changes > max_changes {
            let Some(oldest) = self.commits.pop_front() else { return };
            self.changes -= weight(&oldest.changes);
            self.floor = Position { revision: oldest.revision, commit: oldest.envelope.id, ..self.floor };
        }
    }

    /// The commits since this state; none if it is none of those between the floor and the latest (S14).
    fn since(&self, at: Position) -> Option<Vec<Arc<StoredCommit>>> {
        let past = usize::try_from(at.revision.number().checked_sub(self.floor.revision.number())?).ok()?;
        let commit = match past.checked_sub(1) {
            None => self.floor.commit,
            Some(index) => self.commits.get(index)?.envelope.id,
        };
        (commit == at.commit).then(|| self.commits.iter().skip(past).cloned().collect())
    }
}

/// What a commit takes of the room. Not zero, or empty commits would be kept without end.
fn weight(changes: &[Change]) -> usize {
    changes.len().max(1)
}
