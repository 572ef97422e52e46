//! The flaws, each with the mistake behind it, grouped by their subject: `tenants.rs`, `commits.rs`, `reads.rs`,
//! `histories.rs`, `statements.rs` (SQL statements), `texts.rs` (encoding) and `reopened.rs` (what a cache hides).

mod commits;
mod histories;

mod reads;
mod reopened;
mod statements;
mod tenants;
mod texts;

pub(super) use commits::*;
pub(super) use histories::*;
pub(super) use reads::*;
pub(super) use reopened::*;
pub(super) use statements::*;
pub(super) use tenants::*;
pub(super) use texts::*;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use rolecall::records::{
    Assignment, Change, CommitId, Envelope, Granted, Holder, Membership, ParentLink, Position, Record, RecordKey,
    RecordKind, Revision, Status, TenantId, TenantSlug, Timestamp, UserId, UserKey, UserRecord, Window,
};
use uuid::Uuid;

use rolecall::store::{Base, Commit, MemoryStore, Since, Sink, Stop, Store, StoreError, StoredCommit, TenantSummary};

use super::wrong::Flaw;

type Shared<T> = Arc<Mutex<T>>;

/// The parts that the flaws share.
mod prelude {
    pub(super) use super::*;
}

/// All records of a tenant, and its position.
async fn whole(store: &MemoryStore, tenant_id: TenantId) -> Result<Option<(Vec<Record>, Position)>, StoreError> {
    let mut records = Vec::new();
    Ok(store.load(tenant_id, &mut records).await?.map(|at| (records, at)))
}

fn push(records: Vec<Record>, sink: &mut dyn Sink) -> Result<(), StoreError> {
    records.into_iter().try_for_each(|record| sink.push(record)).map_err(|Stop| StoreError::Stopped)
}

/// Lets others run.
async fn yield_once() {
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

/// A load whose records pass through a function.
async fn load_altered(
    store: &MemoryStore,
    tenant_id: TenantId,
    sink: &mut dyn Sink,
    alter: impl FnOnce(Vec<Record>) -> Vec<Record>,
) -> Result<Option<Position>, StoreError> {
    let Some((records, at)) = whole(store, tenant_id).await? else { return Ok(None) };
    push(alter(records), sink).map(|()| Some(at))
}

fn slug_of(changes: &[Change]) -> Option<TenantSlug> {
    changes.iter().find_map(|change| match change.after() {
        Some(Record::Tenant(tenant)) => Some(tenant.slug.clone()),
        _ => None,
    })
}

/// The latest position of each tenant that this process has seen.
#[derive(Clone, Default)]
struct Heads(Shared<HashMap<TenantId, Position>>);

impl Heads {
    fn of(&self, tenant_id: TenantId) -> Option<Position> {
        self.0.lock().unwrap().get(&tenant_id).copied()
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        let at = Position { tenant_id: commit.base.tenant_id(), revision, commit: commit.envelope.id };
        self.0.lock().unwrap().insert(at.tenant_id, at);
        Ok(revision)
    }
}

fn without_tenant(changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| change.kind() != RecordKind::Tenant).cloned().collect()
}
