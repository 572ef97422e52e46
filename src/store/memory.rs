//! A store in memory: for tests, for examples, for applications that import their tenants at startup, and as the smallest
//! implementation to read before writing a store.
//!
//! The contract is in [`crate::store`]; this file cites its clauses. A commit is checked first, without changing anything,
//! and then applied, which cannot fail. The tests are in `tests/tenants/memory_store.rs`.
//!
//! Deliberately absent: a lock per tenant, a persistent map, files. They would make the store faster or durable, but no
//! longer a good example.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::history::page;
use super::watch::{HintSender, LocalHints};
use super::{
    Base, Commit, CommitPage, CommitQuery, History, Positions, Since, Sink, Stop, Store, StoreError, StoredCommit,
    TenantSummary, UserDirectory, Watch,
};
use crate::model::records::{Change, Position, Record, RecordKey, Revision, TenantId, TenantSlug, UserKey};

/// A [`Store`] that keeps tenants in memory; nothing survives the process.
///
/// A clone is a second connection to the same tenants. The store keeps the records of each tenant and its newest commits,
/// up to 100,000 changes or the limit of [`with_history`](Self::with_history). It keeps 16 bytes of each deleted tenant
/// forever (S1).
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
/// Every call runs under one lock, so calls happen one after the other (S5, S12). No call awaits anything: its future is
/// ready at the first poll, and does nothing if it is dropped before (S11).
///
/// # Complexity
/// n is the number of records in the tenant, t the number of tenants.
///
/// | call | under the lock | outside of it |
/// |---|---|---|
/// | `find` | O(log t) | |
/// | `list` | O(log t + limit) | |
/// | `load` | O(1) | O(n): copies each record; the copies share their texts |
/// | `commit` of c changes | O(c log n) | O(c log c) |
/// | the first commit with changes during a load | O(n) more: copies the map that the load still reads | |
/// | the deletion of a tenant | O(n) more: drops its records | |
/// | `since` | O(commits returned) | O(changes returned) |
/// | `commits` | O(commits in the history) | O(changes read for the page) |
/// | `positions` | O(ids) | |
/// | `tenants_of_user` | O(log users of all tenants + tenants of the user) | O(the same · log) |
///
/// Measured with 1,000,000 memberships: a commit of one change takes 3 to 12 µs, the first one during a load 0.6 s.
///
/// # Errors
/// Never `Unavailable`, `InDoubt` or `UnsupportedRecord`. `Corrupt` for a commit that cannot have been made on its base. It
/// adds a record that exists. It removes or changes a record that is absent or different. It changes one record twice. Or it
/// creates a tenant without a tenant record. The message names the clause.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<MemoryState>>,
    hints: HintSender,
}

impl MemoryStore {
    /// Returns a store that keeps, for each tenant, the newest commits with at most this many changes together.
    ///
    /// An empty commit counts as one change. The commits since an older position are `TooOld` (S14), and the library loads
    /// the tenant instead. The latest position is never too old.
    ///
    /// ```
    /// use rolecall::store::MemoryStore;
    ///
    /// let store = MemoryStore::with_history(1_000);
    /// # drop(store);
    /// ```
    pub fn with_history(max_changes: usize) -> Self {
        let state = Arc::new(Mutex::new(MemoryState { max_changes, ..MemoryState::default() }));
        Self { state, hints: HintSender::default() }
    }

    fn state(&self) -> MutexGuard<'_, MemoryState> {
        // A poisoned lock is harmless: no code of the caller runs under it, and a commit is fully checked before it changes
        // anything.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let found = self.state().live.get(&tenant_id).map(|tenant| (Arc::clone(&tenant.records), tenant.at));
        let Some((records, at)) = found else { return Ok(None) };
        for record in records.values() {
            sink.push(record.clone()).map_err(|Stop| StoreError::Stopped)?;
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let mut changes: Vec<_> = commit.changes.iter().map(|change| (change.key(), change)).collect();
        changes.sort_by(|(a, _), (b, _)| a.cmp(b));
        let revision = self.state().commit(commit, &changes)?;
        self.hints.send(commit.base.tenant_id(), revision);
        Ok(revision)
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let commits = match self.state().live.get(&at.tenant_id) {
            None => return Ok(Since::Deleted),
            Some(tenant) => tenant.history.since(at),
        };
        Ok(commits
            .map_or(Since::TooOld, |commits| Since::Commits(commits.iter().map(|c| StoredCommit::clone(c)).collect())))
    }
}

impl History for MemoryStore {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        let found = self.state().live.get(&tenant_id).map(|tenant| tenant.history.newest_first(query.ends_before()));
        let Some((start, commits)) = found else { return Ok(None) };
        page(query, start, commits.into_iter().map(Ok)).map(Some)
    }
}

impl Positions for MemoryStore {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        let state = self.state();
        Ok(tenant_ids.iter().map(|tenant_id| state.live.get(tenant_id).map(|tenant| tenant.at)).collect())
    }
}

impl Watch for MemoryStore {
    type Hints = LocalHints;

    async fn watch(&self) -> Result<LocalHints, StoreError> {
        Ok(self.hints.watch())
    }
}

impl UserDirectory for MemoryStore {
    async fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let mut tenants = self.state().tenants_of_user(key);
        tenants.retain(|tenant| after.is_none_or(|after| tenant.slug > *after));
        tenants.sort_by(|a, b| a.slug.cmp(&b.slug));
        tenants.truncate(limit);
        Ok(tenants)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

type Records = BTreeMap<RecordKey, Record>;

/// The changes of a commit sorted by their keys, so that two changes of one record are neighbours.
type SortedChanges<'a> = [(RecordKey, &'a Change)];

/// All tenants. `slugs` has the slug of every tenant record in `live`, and `users` the key of every user there; no id is
/// both live and deleted.
struct MemoryState {
    live: HashMap<TenantId, LiveTenant>,
    deleted: HashSet<TenantId>,
    slugs: BTreeMap<TenantSlug, TenantId>,
    users: BTreeSet<(UserKey, TenantId)>,
    max_changes: usize,
}

/// One existing tenant. A load shares its records (S2); a commit during a load copies them first.
struct LiveTenant {
    at: Position,
    records: Arc<Records>,
    history: RecentCommits,
}

impl Default for MemoryState {
    fn default() -> Self {
        let (slugs, users) = (BTreeMap::new(), BTreeSet::new());
        Self { live: HashMap::new(), deleted: HashSet::new(), slugs, users, max_changes: 100_000 }
    }
}

impl MemoryState {
    fn commit(&mut self, commit: Commit<'_>, changes: &SortedChanges<'_>) -> Result<Revision, StoreError> {
        let revision = self.check(commit.base, changes)?;
        self.apply(commit, changes, revision);
        Ok(revision)
    }

    /// Checks a commit and returns the revision that it produces. Changes nothing, so a rejection is atomic (S4).
    fn check(&self, base: Base, changes: &SortedChanges<'_>) -> Result<Revision, StoreError> {
        let tenant_id = base.tenant_id();
        if self.deleted.contains(&tenant_id) {
            return Err(StoreError::Deleted);
        }
        let (records, revision) = match (self.live.get(&tenant_id), base) {
            (None, Base::At(_)) => return Err(StoreError::Deleted),
            (None, Base::Create(_)) => (&Records::new(), Revision::FIRST),
            (Some(tenant), Base::At(at)) if at == tenant.at => (&*tenant.records, at.revision.next()),
            (Some(tenant), _) => {
                return Err(StoreError::Conflict { actual: tenant.at.revision });
            }
        };
        if matches!(base, Base::At(at) if at.revision == revision) {
            return Err(StoreError::too_large("S7: no revision is left"));
        }
        check_changes(records, changes)?;
        let (_, after) = slugs(changes);
        if matches!(base, Base::Create(_)) && after.is_none() && !changes.is_empty() {
            return Err(StoreError::corrupt("S1: the creation adds no tenant record"));
        }
        match after.and_then(|slug| self.slugs.get(slug)) {
            Some(bearer) if *bearer != tenant_id => Err(StoreError::SlugTaken),
            _ => Ok(revision),
        }
    }

    /// Applies a commit that was checked. Cannot fail.
    fn apply(&mut self, commit: Commit<'_>, changes: &SortedChanges<'_>, revision: Revision) {
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
            let removed = self.live.remove(&tenant_id);
            for record in removed.iter().flat_map(|tenant| tenant.records.values()) {
                self.remove_user(record, tenant_id);
            }
            self.deleted.insert(tenant_id);
            return;
        }
        self.replace_users(changes, tenant_id);
        let at = Position { tenant_id, revision, commit: commit.envelope.id };
        let max_changes = self.max_changes;
        let tenant = self
            .live
            .entry(tenant_id)
            .and_modify(|tenant| tenant.history.push(commit, revision, max_changes))
            .or_insert_with(|| LiveTenant { at, records: Arc::default(), history: RecentCommits::after(at) });
        tenant.at = at;
        tenant.replace(changes);
    }
}

/// The index of user keys.
impl MemoryState {
    fn remove_user(&mut self, record: &Record, tenant_id: TenantId) {
        if let Record::User(user) = record {
            self.users.remove(&(user.key.clone(), tenant_id));
        }
    }

    /// All removals come first, because two users may exchange their keys.
    fn replace_users(&mut self, changes: &SortedChanges<'_>, tenant_id: TenantId) {
        for before in changes.iter().filter_map(|(_, change)| change.before()) {
            self.remove_user(before, tenant_id);
        }
        for after in changes.iter().filter_map(|(_, change)| change.after()) {
            if let Record::User(user) = after {
                self.users.insert((user.key.clone(), tenant_id));
            }
        }
    }

    fn tenants_of_user(&self, key: &UserKey) -> Vec<TenantSummary> {
        let first = (key.clone(), TenantId::from_uuid(uuid::Uuid::nil()));
        let found = self.users.range(first..).take_while(|(of, _)| of == key);
        let slug = |tenant_id: &TenantId| match self.live.get(tenant_id)?.records.first_key_value()?.1 {
            Record::Tenant(tenant) => Some(tenant.slug.clone()),
            _ => None,
        };
        found.filter_map(|(_, id)| slug(id).map(|slug| TenantSummary { tenant_id: *id, slug })).collect()
    }
}

/// Checks the changes: at most one for each record, and `before` is what is stored.
///
/// Relations are not compared with `before`. A reference to a catalog entry remembers the slug of its time, and a newer
/// release may know the entry by another slug.
fn check_changes(records: &Records, changes: &SortedChanges<'_>) -> Result<(), StoreError> {
    let mut neighbours = changes.iter().zip(changes.iter().skip(1));
    if let Some(((key, _), _)) = neighbours.find(|((key, _), (next, _))| key == next) {
        return Err(corrupt("S10", key, "is changed twice in one commit"));
    }
    let matches_before = |key, change: &Change| match (records.get(key), change.before()) {
        (Some(stored), Some(before)) => stored == before || stored.kind().is_relation(),
        (stored, before) => stored.is_none() && before.is_none(),
    };
    match changes.iter().find(|(key, change)| !matches_before(key, change)) {
        Some((key, _)) => Err(corrupt("S3", key, "does not match `before`")),
        None => Ok(()),
    }
}

/// An error that names the record by its ids alone: a user's key must not reach an error message.
fn corrupt(clause: &str, key: &RecordKey, what: &str) -> StoreError {
    StoreError::corrupt(format!("{clause}: {key:?} {what}"))
}

/// The tenant's slug before and after the commit, if the tenant record is among the changes. Its key sorts first.
fn slugs<'a>(changes: &SortedChanges<'a>) -> (Option<&'a TenantSlug>, Option<&'a TenantSlug>) {
    let slug = |side: Option<&'a Record>| match side {
        Some(Record::Tenant(tenant)) => Some(&tenant.slug),
        _ => None,
    };
    let tenant = changes.first().map(|(_, change)| *change);
    (tenant.and_then(|change| slug(change.before())), tenant.and_then(|change| slug(change.after())))
}

impl LiveTenant {
    fn replace(&mut self, changes: &SortedChanges<'_>) {
        if changes.is_empty() {
            return; // no copy during a load
        }
        let records = Arc::make_mut(&mut self.records);
        if records.is_empty() {
            // A creation: building a map from sorted records needs no search for each. Importing 165,179 grants takes 125 ms
            // rather than 175 ms.
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

/// The newest commits of one tenant, shared with the calls that return them.
struct RecentCommits {
    /// The position before the oldest commit; the latest position if nothing was committed.
    start: Position,
    commits: VecDeque<Arc<StoredCommit>>,
    changes: usize,
}

impl RecentCommits {
    /// A history that starts at this position. A tenant's creation is never part of it: no position precedes it.
    fn after(start: Position) -> Self {
        Self { start, commits: VecDeque::new(), changes: 0 }
    }

    fn push(&mut self, commit: Commit<'_>, revision: Revision, max_changes: usize) {
        let (envelope, changes) = (commit.envelope.clone(), commit.changes.to_vec());
        self.changes += size(&changes);
        self.commits.push_back(Arc::new(StoredCommit { revision, envelope, changes }));
        while self.changes > max_changes {
            let Some(oldest) = self.commits.pop_front() else { return };
            self.changes -= size(&oldest.changes);
            self.start = Position { revision: oldest.revision, commit: oldest.envelope.id, ..self.start };
        }
    }

    /// The commits since a position; `None` if the position is outside of the history (S14).
    fn since(&self, at: Position) -> Option<Vec<Arc<StoredCommit>>> {
        let skipped = usize::try_from(at.revision.number().checked_sub(self.start.revision.number())?).ok()?;
        let commit = match skipped.checked_sub(1) {
            None => self.start.commit,
            Some(index) => self.commits.get(index)?.envelope.id,
        };
        (commit == at.commit).then(|| self.commits.iter().skip(skipped).cloned().collect())
    }

    /// The position before the oldest commit, and the commits before a revision.
    fn newest_first(&self, before: Option<Revision>) -> (Position, Vec<Arc<StoredCommit>>) {
        let is_before = |commit: &&Arc<StoredCommit>| before.is_none_or(|before| commit.revision < before);
        (self.start, self.commits.iter().rev().filter(is_before).cloned().collect())
    }
}

/// The size of a commit in the history. At least one, or empty commits would be kept forever.
fn size(changes: &[Change]) -> usize {
    changes.len().max(1)
}
