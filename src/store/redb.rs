//! A store that keeps its tenants in one file: durable, without a server, in pure Rust. Needs the feature `redb`, and
//! Rust 1.90.
//!
//! The contract is in [`crate::store`], and the files below cite its clauses. Read them in this order: `format.rs` and
//! `rows.rs` say what stands in the file, `commit.rs`, `read.rs` and `load.rs` are the five calls, `link.rs` is the open
//! file and how it is opened again after a failure, `file.rs` creates, recognises and verifies it.
//!
//! Deliberately absent: compaction (redb uses freed space again), sharing a file between processes, one durable
//! transaction for the commits of several tenants, and any thread of this store's own: what waits for the disk runs on
//! the pool of the crate `blocking`, which grows with the calls under way, shrinks when they end, and needs no runtime.
//!
//! # Why a commit is synchronised twice
//!
//! Redb can commit in one phase, which is one synchronisation of the file, or in two. In one phase a commit counts if its
//! checksums fit, and they are no cryptographic ones: redb warns of an attacker who can choose data and cause crashes.
//! And after a synchronisation that failed, Linux forgets what it did not write and goes on showing it: a file that was
//! committed to in one phase was found broken after such a failure and a loss of power
//! (`s5_what_was_shown_after_a_failed_synchronisation_survives_a_loss_of_power` in `redb/tests.rs` fails with one phase).
//! Two phases cost what a second synchronisation costs. Medians of 400 commits at 100,000 users, in turns, ext4 on a
//! shared virtual disk, four runs of the bench `store`:
//!
//! | | two phases | one phase |
//! |---|---|---|
//! | an empty transaction of redb's: the floor | 5.6 to 10.2 ms | 3.6 to 4.0 ms |
//! | one row | 7.6 to 10.5 ms | 3.8 to 4.0 ms |
//! | a commit of one change here | 8.0 to 12.1 ms | |
//!
//! So a commit is 1.0 to 1.4 times the floor, and 1.0 to 1.2 times one row. In a run in which the disk acknowledged at
//! once (a floor of 0.19 ms, one row 0.22 ms) it took 0.37 ms, 1.9 times: what this store adds is 0.1 to 0.2 ms of its own.
//!
//! What redb calls quick repair would save reading the file after a crash. It is read at every opening anyway, to find
//! damage: 0.07 to 0.16 s for 429,985 records in 66 MiB, where the system has them in memory.
//!
//! Loading these takes 0.06 to 0.19 s (medians of five runs), 4 to 5 times what decoding them alone does: walking redb's
//! pages and checking each row is the rest. It runs beside the building of the tenant, which takes longer. A birth with
//! all of them takes 1 to 2.5 s.

#[cfg(test)]
mod tests;
mod commit;
mod load;
mod link;
mod read;
mod file;
#[cfg(test)]
mod disk;
mod error;
mod format;
mod rows;
mod fault;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::commit::Order;
use self::file::Medium;
use self::link::Link;
use self::load::Walk;
use super::{Commit, Since, Sink, Stop, Store, StoreError, TenantSummary};
use crate::model::records::{Position, Revision, TenantId, TenantSlug};

pub use self::error::RedbError;

/// Keeps tenants in one file, durably. A clone is a second connection; when the last one is dropped, the file is closed.
///
/// It keeps every record, and every commit with its envelope and changes, unless [`RedbOptions::history`] bounds them; of
/// an ended tenant, some thirty bytes, for good (S1).
///
/// # Example
/// ```
/// use rolecall::{blocking::Authorizer, store::RedbStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tenants.redb");
/// let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).build();
/// authorizer.create_tenant("acme", "Acme")?;
/// drop(authorizer); // the process ends, or is killed
///
/// let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).build();
/// assert!(authorizer.tenant("acme").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Consistency
/// A commit is on the disk, synchronised, before it is acknowledged or seen by anybody. Commits follow each other, those
/// of all tenants; reads wait for nobody and each sees one state (S2, S5). Every row carries a check of its own, and every
/// life the number and digest of its records: a load that lost one, or met an altered one, is *corrupt* (S10), and the
/// other tenants still answer.
///
/// The futures need no runtime and work under any. What waits for the disk does so on a pool of threads. A future that is
/// dropped lets go of its load, or leaves its commit to end as it may (S11). Dropping the last clone waits for a commit
/// that is under way.
///
/// One process at a time may have the file open; clone the store rather than open the file twice.
/// Move or remove the file only while no process has it open: what is committed to a file that was removed goes with it.
///
/// # Complexity
/// With n records in a tenant, c changes in a commit, and N rows in the file.
///
/// | call | cost |
/// |---|---|
/// | [`open`](Self::open) | O(N): the checksum of every page, so that damage is found before it is answered from |
/// | `find` | O(log N) |
/// | `list` | O(log N + limit) |
/// | `load` | O(n), a few thousand records in memory at once |
/// | `commit` | O(c log N), and two synchronisations of the disk; O(n) more for the one that ends the tenant |
/// | `since` | O(log N + changes told) |
///
/// Memory: at most 64 MiB of pages are kept. Measured: the header of `src/store/redb.rs`, and the bench `store`.
///
/// # Errors
/// *Unknown*, if the disk fails while a commit is being made durable, and the file cannot be opened again at once or does
/// not tell. *Unavailable*, if the disk fails before or in a read, or is full: then certainly nothing happened. After either
/// the file is opened again, which reads it whole, so a disk that comes back needs no restart. *Corrupt*, for what is damaged and for a commit that cannot have been made on its base (an added
/// record that is there, a removed one that is not, a noun that was another, two changes of one record, a birth without a
/// tenant record). *Refused*, for a life in which a later release has written a kind of record that this one does not
/// know. Damage that makes redb panic becomes an error, unless the application is built to abort on panics.
///
/// # Security
/// Nothing is encrypted, and the checks find accidents, not forgeries: whoever can write the file decides who may do what.
#[derive(Clone)]
pub struct RedbStore(Arc<Handle>);

/// How a [`RedbStore`] is opened.
#[derive(Clone, Debug)]
#[must_use]
pub struct RedbOptions {
    create: bool,
    history: u64,
}

/// Closes the file when the last connection is dropped; work that is left over on other threads holds only the link.
#[derive(Debug)]
struct Handle(Arc<Link>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl RedbStore {
    /// Opens the file, and creates it if it is not there.
    ///
    /// This waits for the disk, and reads the whole file: in an asynchronous application, call it before it serves.
    ///
    /// # Errors
    /// [`RedbError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbError> {
        Self::options().open(path)
    }

    /// To open it otherwise than [`open`](Self::open) does.
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

    /// Does the work on a thread that may wait. A panic has become an error before it gets here.
    async fn wait<T: Send + 'static>(&self, work: impl FnOnce(&Arc<Link>) -> T + Send + 'static) -> T {
        let link = Arc::clone(&self.0.0);
        blocking::unblock(move || work(&link)).await
    }
}

impl RedbOptions {
    /// Only a file that is there is opened; one that is missing is an error.
    pub fn existing(mut self) -> Self {
        self.create = false;
        self
    }

    /// Keeps, of each tenant, the newest commits as long as they have at most this many changes together; an empty commit
    /// counts as one. Whoever asks for the commits since an older state is told that it is too old (S14), and loads
    /// instead.
    ///
    /// Without it all are kept, and the file grows with every commit: by some 200 bytes and the changes, each before and
    /// after. Of a birth the envelope alone is kept: no state comes before it. Freed space is used again; the file does
    /// not become smaller. A tenant keeps to a new bound from its next commit on.
    pub fn history(mut self, max_changes: u64) -> Self {
        self.history = max_changes;
        self
    }

    /// Opens the file, as [`RedbStore::open`] does.
    ///
    /// # Errors
    /// [`RedbError`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbStore, RedbError> {
        // The same file when it is opened again after a failure, wherever the process has moved meanwhile.
        let path = std::path::absolute(path)?;
        let missing = !path.try_exists()?;
        self.open_medium(Medium::File(path), missing)
    }

    fn open_medium(&self, medium: Medium, missing: bool) -> Result<RedbStore, RedbError> {
        if missing && self.create {
            medium.create()?;
        }
        Ok(RedbStore(Arc::new(Handle(Arc::new(Link::new(medium, self.history)?)))))
    }
}

impl Store for RedbStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let slug = slug.clone();
        self.wait(move |link| link.with(|database, _| read::find(database, &slug))).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        let after = after.cloned();
        self.wait(move |link| link.with(|database, _| read::list(database, after.as_ref(), limit))).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        let Some(walk) = self.wait(move |link| Walk::begin(link, tenant_id)).await? else { return Ok(None) };
        let at = walk.at();
        let mut step = Some(blocking::unblock(move || walk.step()));
        while let Some(under_way) = step {
            let (batch, walk) = under_way.await?;
            // The next batch is decoded while this one is pushed.
            step = walk.map(|walk| blocking::unblock(move || walk.step()));
            for record in batch {
                sink.push(record).map_err(|Stop| StoreError::Stopped)?;
            }
        }
        Ok(Some(at))
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let Commit { base, envelope, changes } = commit;
        let order = Order { base, envelope: envelope.clone(), changes: changes.to_vec() };
        let work = move |link: &Arc<Link>| match link.with(|file, _| commit::carry_out(file, &order, link.history)) {
            Err(StoreError::InDoubt(why)) => Err(commit::after_a_failure(link, order.base, why)),
            answer => answer,
        };
        self.wait(work).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.wait(move |link| link.with(|database, _| read::since(database, at))).await
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}
