//! A durable store in one file, in pure Rust and without a server. Needs the feature `redb` and Rust 1.90.
//!
//! The contract is in [`crate::store`]; the files below cite its clauses. Read them in this commit: `format.rs` and
//! `rows.rs` define the contents of the file. `commit.rs`, `read.rs` and `load.rs` implement the five calls.
//! `shared_database.rs` holds the open file and reopens it after a failure. `file.rs` creates and verifies the file.
//!
//! Deliberately absent: compaction (redb reuses freed space), sharing a file between processes, group commit over several
//! tenants, and threads of its own. Blocking work runs on the pool of the crate `blocking`, which needs no runtime.
//!
//! # Why a commit synchronises the file twice
//!
//! Redb can commit in one phase (one synchronisation) or in two. A one-phase commit is valid if its checksums match, and
//! they are not cryptographic: redb warns that an attacker who chooses the data can cause crashes. There is a second risk.
//! After a failed synchronisation, Linux forgets what it did not write and still shows it. After such a failure and a loss
//! of power, a file written in one phase was found broken
//! (`s5_a_state_read_after_a_failed_sync_survives_a_loss_of_power` in `redb/tests.rs` fails with one phase).
//! Two phases cost what a second synchronisation costs. Medians of 400 commits at 100,000 users, in turns, ext4 on a
//! shared virtual disk, four runs of the bench `store`:
//!
//! | | two phases | one phase |
//! |---|---|---|
//! | an empty redb transaction | 5.6 to 10.2 ms | 3.6 to 4.0 ms |
//! | one row | 7.6 to 10.5 ms | 3.8 to 4.0 ms |
//! | a commit of one change in this store | 8.0 to 12.1 ms | |
//!
//! A commit takes 1.0 to 1.4 times an empty transaction, and 1.0 to 1.2 times one row. On a disk that acknowledged at once
//! (0.19 ms empty, 0.22 ms one row) it took 0.37 ms. This store adds 0.1 to 0.2 ms.
//!
//! Redb's quick repair would save reading the file after a crash. This store reads the file at every opening anyway, to
//! find damage: 0.07 to 0.16 s for 429,985 records in 66 MiB of cached pages.
//!
//! Loading these records takes 0.06 to 0.19 s (medians of five runs), 4 to 5 times as long as decoding them. The rest is
//! walking redb's pages and verifying each row. The load runs while the snapshot is built, which takes longer. Creating a
//! tenant with all of them takes 1 to 2.5 s.

#[cfg(test)]
mod tests;
mod commit;
mod load;
mod shared_database;
mod read;
mod file;
#[cfg(test)]
mod disk;
mod error;
mod format;
mod rows;
mod failure;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::commit::OwnedCommit;
use self::file::Backend;
use self::load::LoadCursor;
use self::shared_database::SharedDatabase;
use super::watch::{HintSender, LocalHints};
use super::{
    Commit, CommitPage, CommitQuery, History, Positions, Since, Sink, Stop, Store, StoreError, TenantSummary,
    UserDirectory, Watch,
};
use crate::model::records::{Position, Revision, TenantId, TenantSlug, UserKey};

pub use self::error::RedbError;

/// A [`Store`] that keeps tenants in one file, durably.
///
/// A clone is a second connection. Dropping the last clone closes the file. The store keeps every record, and every commit
/// with its envelope and changes, unless [`RedbOptions::history`] limits them. It keeps some thirty bytes of each deleted
/// tenant forever (S1).
///
/// # Example
/// ```
/// use rolecall::{blocking::Authorizer, store::RedbStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tenants.redb");
/// let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).build();
/// authorizer.create_tenant("acme", "Acme")?;
/// drop(authorizer); // the process ends
///
/// let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).build();
/// assert!(authorizer.tenant("acme").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Consistency
/// A commit is synchronised to the disk before it returns and before any call sees it. The store runs one commit at a
/// time, over all tenants. Reads never wait; each reads one state (S2, S5). Every row has a checksum, and every tenant the
/// number and digest of its records. A load that misses a record or meets an altered one returns `Corrupt` (S10); the
/// other tenants still work.
///
/// The futures work under every runtime and without one; blocking work runs on a thread pool. A dropped load stops. A
/// dropped commit may still complete (S11). Dropping the last clone waits for a running commit.
///
/// One process at a time can open the file. To share it within the process, clone the store. Do not move or remove the
/// file while it is open: later commits would be lost with it.
///
/// # Complexity
/// n is the number of records in a tenant, c the number of changes in a commit, N the number of rows in the file.
///
/// | call | cost |
/// |---|---|
/// | [`open`](Self::open) | O(N): verifies the checksum of every page |
/// | `find` | O(log N) |
/// | `list` | O(log N + limit) |
/// | `load` | O(n), a few thousand records in memory at once |
/// | `commit` | O(c log N) and two synchronisations; O(n) more for a deletion |
/// | `since` | O(log N + changes returned) |
/// | `positions` | O(ids · log N) |
/// | `tenants_of_user` | O(users of all tenants after `after`): the file has no index of user keys |
///
/// The store caches at most 64 MiB of pages. The header of the source file has measurements: the link *source* on this page leads to it.
///
/// # Errors
/// | error | cause |
/// |---|---|
/// | `InDoubt` | the disk fails during a commit, and the reopened file does not show the outcome |
/// | `Unavailable` | the disk fails before a commit or in a read, or is full: nothing was applied |
/// | `Corrupt` | the file is damaged, or the commit cannot have been made on its base. For example, it adds a record that exists, changes one record twice, or creates a tenant without a tenant record |
/// | `UnsupportedRecord` | a later release wrote a kind of record into this tenant that this release does not know |
///
/// After a failure the store reopens the file, so it recovers without a restart when the disk does. Damage that makes redb
/// panic becomes an error, unless the application aborts on panics.
///
/// # Security
/// The file is not encrypted. The checksums find accidents, not forgeries: who can write the file can grant any permission.
#[derive(Clone)]
pub struct RedbStore {
    file: Arc<CloseOnDrop>,
    hints: HintSender,
}

/// Options for opening a [`RedbStore`].
///
/// ```no_run
/// use rolecall::store::RedbStore;
///
/// let store = RedbStore::options().existing().open("tenants.redb")?;
/// # Ok::<(), rolecall::store::RedbError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedbOptions {
    create: bool,
    history: u64,
}

/// Closes the file when the last connection is dropped. Work on other threads holds only the shared database.
#[derive(Debug)]
struct CloseOnDrop(Arc<SharedDatabase>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl RedbStore {
    /// Opens the file, or creates it if it does not exist.
    ///
    /// Blocks and reads the whole file. An asynchronous application should call it before it serves requests.
    ///
    /// ```no_run
    /// use rolecall::{Authorizer, store::RedbStore};
    ///
    /// let authorizer = Authorizer::builder().store(RedbStore::open("tenants.redb")?).build();
    /// # Ok::<(), rolecall::store::RedbError>(())
    /// ```
    ///
    /// # Errors
    /// A [`RedbError`] if the file cannot be opened, is damaged, or is not a store of this crate.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbError> {
        Self::options().open(path)
    }

    /// Returns options for opening a file in another way than [`open`](Self::open) does.
    ///
    /// ```no_run
    /// use rolecall::store::RedbStore;
    ///
    /// let store = RedbStore::options().existing().history(100_000).open("tenants.redb")?;
    /// # Ok::<(), rolecall::store::RedbError>(())
    /// ```
    pub fn options() -> RedbOptions {
        RedbOptions { create: true, history: u64::MAX }
    }

    /// Runs blocking work on the thread pool. `catch_panic` has turned panics into errors before.
    async fn wait<T: Send + 'static>(&self, work: impl FnOnce(&Arc<SharedDatabase>) -> T + Send + 'static) -> T {
        let shared = Arc::clone(&self.file.0);
        blocking::unblock(move || work(&shared)).await
    }
}

impl RedbOptions {
    /// Opens only an existing file. A missing file is an error.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("tenants.redb");
    /// use rolecall::store::RedbStore;
    ///
    /// assert!(RedbStore::options().existing().open(&path).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn existing(mut self) -> Self {
        self.create = false;
        self
    }

    /// Limits the history of each tenant to the newest commits with at most this many changes together.
    ///
    /// An empty commit counts as one change. The commits since an older position are `TooOld` (S14), and the library loads
    /// the tenant instead.
    ///
    /// Without a limit the store keeps all commits. The file then grows with every commit by some 200 bytes and the changes,
    /// each before and after. Of a tenant's creation only the envelope is kept, since no position precedes it. Freed space is
    /// reused; the file never shrinks. A new limit takes effect for a tenant at its next commit.
    ///
    /// ```no_run
    /// use rolecall::store::RedbStore;
    ///
    /// let store = RedbStore::options().history(100_000).open("tenants.redb")?;
    /// # Ok::<(), rolecall::store::RedbError>(())
    /// ```
    pub fn history(mut self, max_changes: u64) -> Self {
        self.history = max_changes;
        self
    }

    /// Opens the file, as [`RedbStore::open`] does.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("tenants.redb");
    /// use rolecall::store::RedbStore;
    ///
    /// drop(RedbStore::options().open(&path)?); // creates the file
    /// assert!(RedbStore::options().existing().open(&path).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`RedbError`], as [`RedbStore::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbStore, RedbError> {
        // An absolute path, so that the file is found again after a failure although the process changed its directory.
        let named = |error: std::io::Error| RedbError::from(error).at(path.as_ref());
        let absolute = std::path::absolute(&path).map_err(named)?;
        let missing = !absolute.try_exists().map_err(named)?;
        self.open_backend(Backend::File(absolute), missing)
    }

    fn open_backend(&self, backend: Backend, missing: bool) -> Result<RedbStore, RedbError> {
        if missing && self.create {
            backend.create()?;
        }
        let file = Arc::new(CloseOnDrop(Arc::new(SharedDatabase::new(backend, self.history)?)));
        Ok(RedbStore { file, hints: HintSender::default() })
    }
}

impl Store for RedbStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let slug = slug.clone();
        self.wait(move |shared| shared.with(|database, _| read::find(database, &slug))).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let after = after.cloned();
        self.wait(move |shared| shared.with(|database, _| read::list(database, after.as_ref(), limit))).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let Some(cursor) = self.wait(move |shared| LoadCursor::start(shared, tenant_id)).await? else {
            return Ok(None);
        };
        let at = cursor.at();
        let mut next_batch = Some(blocking::unblock(move || cursor.next_batch()));
        while let Some(running) = next_batch {
            let (batch, cursor) = running.await?;
            // Decode the next batch while this one is pushed.
            next_batch = cursor.map(|cursor| blocking::unblock(move || cursor.next_batch()));
            for record in batch {
                sink.push(record).map_err(|Stop| StoreError::Stopped)?;
            }
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let hints = self.hints.clone();
        let commit =
            OwnedCommit { base: commit.base, envelope: commit.envelope.clone(), changes: commit.changes.to_vec() };
        let work = |shared: &Arc<SharedDatabase>, commit: OwnedCommit| match shared
            .with(|file, _| commit::execute(file, &commit, shared.history))
        {
            Err(StoreError::InDoubt(why)) => Err(commit::resolve_failed_commit(shared, commit.base, why)),
            answer => answer,
        };
        // In the work, which goes on if this future is dropped.
        self.wait(move |shared| {
            let tenant_id = commit.base.tenant_id();
            work(shared, commit).inspect(|revision| hints.send(tenant_id, *revision))
        })
        .await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.wait(move |shared| shared.with(|database, _| read::since(database, at))).await
    }
}

impl History for RedbStore {
    async fn commits(&self, tenant_id: TenantId, query: &CommitQuery) -> Result<Option<CommitPage>, StoreError> {
        let query = query.clone();
        self.wait(move |shared| shared.with(|database, _| read::history(database, tenant_id, &query))).await
    }
}

impl Positions for RedbStore {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        let tenant_ids = tenant_ids.to_vec();
        self.wait(move |shared| shared.with(|database, _| read::positions(database, &tenant_ids))).await
    }
}

impl Watch for RedbStore {
    type Hints = LocalHints;

    async fn watch(&self) -> Result<LocalHints, StoreError> {
        Ok(self.hints.watch())
    }
}

impl UserDirectory for RedbStore {
    async fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let (key, after) = (key.clone(), after.cloned());
        let work = move |shared: &Arc<SharedDatabase>| {
            shared.with(|database, _| read::tenants_of_user(database, &key, after.as_ref(), limit))
        };
        self.wait(work).await
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}
