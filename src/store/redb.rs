//! A store that keeps its tenants in one file: durable, without a server, in pure Rust.
//!
//! The contract is in [`crate::store`], and the files below cite its clauses. Read them in this order: `format.rs` and
//! `rows.rs` say what stands in the file, `commit.rs`, `read.rs` and `load.rs` are the five calls, `link.rs` is the open
//! file and how it is opened again after a failure, `file.rs` creates, recognises and verifies it.
//!
//! Deliberately absent: compaction (redb uses freed space again), sharing a file between processes, one durable
//! transaction for the commits of several tenants.

mod commit;
#[cfg(test)]
mod disk;
mod error;
mod fault;
mod file;
mod format;
mod link;
mod load;
mod read;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::commit::Order;
use self::file::Medium;
use self::link::Link;
use self::load::Walk;
use super::{Commit, Listed, Since, Sink, Stop, Store, StoreError};
use crate::records::{At, Life, Revision, TenantSlug};

pub use self::error::RedbError;

/// Keeps tenants in one file, durably. A clone is a second connection; when the last one is dropped, the file is closed.
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
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbError> {
        Self::options().open(path)
    }

    /// Opens it otherwise than [`open`](Self::open) does.
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

    /// Keeps, of each tenant, the newest commits as long as they have at most this many changes together.
    pub fn history(mut self, max_changes: u64) -> Self {
        self.history = max_changes;
        self
    }

    /// Opens the file.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbStore, RedbError> {
        let path = path.as_ref();
        self.open_medium(Medium::File(path.to_owned()), !path.try_exists()?)
    }

    fn open_medium(&self, medium: Medium, missing: bool) -> Result<RedbStore, RedbError> {
        if missing && self.create {
            medium.create()?;
        }
        Ok(RedbStore(Arc::new(Handle(Arc::new(Link::new(medium, self.history)?)))))
    }
}

impl Store for RedbStore {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<Life>, StoreError> {
        let slug = slug.clone();
        self.wait(move |link| link.with(|database, _| read::find(database, &slug))).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let after = after.cloned();
        self.wait(move |link| link.with(|database, _| read::list(database, after.as_ref(), limit))).await
    }

    async fn load(&self, life: Life, sink: &mut dyn Sink) -> Result<Option<At>, StoreError> {
        let Some(walk) = self.wait(move |link| Walk::begin(link, life)).await? else { return Ok(None) };
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
        self.wait(move |link| link.with(|database, _| commit::carry_out(database, &order, link.history))).await
    }

    async fn since(&self, at: At) -> Result<Since, StoreError> {
        self.wait(move |link| link.with(|database, _| read::since(database, at))).await
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}
