//! The flaws, each with the mistake behind it: `lives.rs` about tenants and their slugs (S1, S9), `commits.rs` about what
//! a commit is made on and what becomes of it (S3, S4, S7, S12, S15), `reads.rs` about what is read (S2, S5, S8, S10,
//! S11, S13), `histories.rs` about what happened since (S14), `statements.rs` about the statements that a commit becomes,
//! `texts.rs` about texts and ids on their way there and back, `reopened.rs` about what a cache hides.

mod commits;
mod histories;
mod lives;
mod reads;
mod reopened;
mod statements;
mod texts;

pub(super) use commits::*;
pub(super) use histories::*;
pub(super) use lives::*;
pub(super) use reads::*;
pub(super) use reopened::*;
pub(super) use statements::*;
pub(super) use texts::*;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use rolecall::records::{
    Assignment, At, Change, CommitId, Envelope, Granted, Holder, Kind, Life, Membership, Record, RecordKey, Revision,
    Status, TenantSlug, Timestamp, UserId, UserKey, UserRecord, Window,
};
use uuid::Uuid;

use rolecall::store::{Base, Commit, Committed, Listed, MemoryStore, Since, Sink, Stop, Store, StoreError};

use super::wrong::Flaw;

type Shared<T> = Arc<Mutex<T>>;

/// What the flaws are made of.
mod prelude {
    pub(super) use super::*;
}

/// All records of a life, and where it stands.
async fn whole(store: &MemoryStore, life: Life) -> Result<Option<(Vec<Record>, At)>, StoreError> {
    let mut records = Vec::new();
    Ok(store.load(life, &mut records).await?.map(|at| (records, at)))
}

fn push(records: Vec<Record>, sink: &mut dyn Sink) -> Result<(), StoreError> {
    records.into_iter().try_for_each(|record| sink.push(record)).map_err(|Stop| StoreError::Stopped)
}

/// Lets others run.
async fn awaits_something() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::thread::yield_now();
        Poll::Pending
    })
    .await;
}

/// A load whose records go through this.
async fn retold(
    store: &MemoryStore,
    life: Life,
    sink: &mut dyn Sink,
    tell: impl FnOnce(Vec<Record>) -> Vec<Record>,
) -> Result<Option<At>, StoreError> {
    let Some((records, at)) = whole(store, life).await? else { return Ok(None) };
    push(tell(records), sink).map(|()| Some(at))
}

fn slug_of(changes: &[Change]) -> Option<TenantSlug> {
    changes.iter().find_map(|change| match change.after() {
        Some(Record::Tenant(tenant)) => Some(tenant.slug.clone()),
        _ => None,
    })
}

/// Where each life stands, as far as this process has seen.
#[derive(Clone, Default)]
struct Heads(Shared<HashMap<Life, At>>);

impl Heads {
    fn of(&self, life: Life) -> Option<At> {
        self.0.lock().unwrap().get(&life).copied()
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        let at = At { life: commit.base.life(), revision, commit: commit.envelope.id };
        self.0.lock().unwrap().insert(at.life, at);
        Ok(revision)
    }
}

fn without_tenant(changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| change.kind() != Kind::Tenant).cloned().collect()
}
