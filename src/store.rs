//! **The seam.** Implement [`Store`] to keep tenants in your own database. This module is the contract, and nothing else;
//! [`MemoryStore`] keeps all of it. *Implementing a store* in [`crate::docs`] is the guide, and the feature `conformance`
//! has the suite that tells whether a store keeps it.
//!
//! Deliberately absent: permissions, decisions, bitsets, cascades. A store knows records, revisions and the slugs of
//! tenants; every rule about what a set of records may be has been applied before a commit reaches it.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "redb")]
mod redb;
mod memory;
mod dyn_store;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::records::{Change, Envelope, Position, Record, Revision, TenantId, TenantSlug};

pub(crate) use dyn_store::DynStore;
pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::{RedbError, RedbOptions, RedbStore};

/// Where tenants are kept.
///
/// # Contract
/// The clauses have numbers; documentation, errors and tests use the same ones.
///
/// | | clause |
/// |---|---|
/// | S1 | An unknown slug or life is absent. A life begins with its birth, at revision one; once ended, it is gone for good. A birth of a living life answers *conflict*, of an ended one *gone*, before the slug is looked at. An empty commit against nothing ends that life before it began, answering revision one, which names nothing: its birth is then *gone*. |
/// | S2 | A load is one consistent state, with its revision. |
/// | S3 | A commit on a stale base changes nothing and answers *conflict* with the actual revision, or *gone*. A base whose revision is right and whose commit id is another (a restored backup) is stale. So is the base of a commit that has landed and is sent again: whoever sent it looks for its id. Conflict and gone come before taken and too large. |
/// | S4 | A commit is all or nothing, also when the process dies. |
/// | S5 | After a success, a *conflict* that names a revision, or a read that showed it, every later find, list, load and since, through any connection, sees at least that revision. |
/// | S6 | An error that may hide a success is *unknown*, never *unavailable*. A driver that may have sent a commit twice says *unknown*, unless the answer is success or a *conflict*. |
/// | S7 | Revisions rise by one with each commit and never repeat within a life, also after reopening. |
/// | S8 | Identifiers are compared byte for byte: case, trailing space, Unicode form and length survive. |
/// | S9 | The same identifier in two tenants is two things. Tenant slugs are unique among the living, by rename too. |
/// | S10 | What was committed is what is loaded, nothing dropped or widened; a change replaces or removes the record with its key, whatever slug a reference in it remembers. A kind that the store does not know is refused or kept whole; a load or since that meets such a record answers *refused*, for that life only. |
/// | S11 | Dropping a pending future leaves the state before or the state after. A commit may land later, until another one on its base wins. |
/// | S12 | Of two commits racing on one base, exactly one wins. |
/// | S13 | A second connection shares the state. |
/// | S14 | The commits since a base are complete, in order, with their envelopes; or the answer is *too old*. A base that is not in the store's history is *too old*. |
/// | S15 | A commit of 200,000 changes is one commit, or *too large* and nothing changed. |
///
/// A store derives three things from what it is given: the index of unique tenant slugs (from the tenant record), the
/// end of a life with all its records (when the tenant record is removed), and the ids of ended lives. Every other
/// consequence of a change is already among the changes.
///
/// Implementations write `async fn`; no macro is needed. What a store returns is not trusted: a load that breaks an
/// invariant is refused.
pub trait Store: Send + Sync + 'static {
    /// The living tenant with this slug.
    fn find(&self, slug: &TenantSlug) -> impl Future<Output = Result<Option<TenantId>, StoreError>> + Send;

    /// At most `limit` living tenants, in bytewise order of their slugs, after this one, which need not exist. Fewer only
    /// at the end; none if the limit is 0.
    fn list(
        &self,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TenantSummary>, StoreError>> + Send;

    /// Pushes every record of a life into the sink, kind by kind in the order of [`RecordKind`](crate::records::RecordKind), within a
    /// kind in any order, and returns where that state stands. None if the life is unknown or ended. When the sink says
    /// stop, also at the last record, the answer is [`StoreError::Stopped`]. Push outside of locks: a sink may be slow.
    fn load(
        &self,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send;

    /// Makes the changes durable, all or none, and returns the new revision; of a commit that ends the life, the one after
    /// its base, though nothing can be read at it.
    fn commit(&self, commit: Commit<'_>) -> impl Future<Output = Result<Revision, StoreError>> + Send;

    /// The commits after this state: none if it is the latest. A state is in the history if its own commit has this id,
    /// or the next one's `previous` has.
    fn since(&self, at: Position) -> impl Future<Output = Result<Since, StoreError>> + Send;
}

/// Takes the records of a load.
pub trait Sink: Send {
    /// Takes one record.
    ///
    /// # Errors
    /// [`Stop`]: nothing more is wanted, and the load may end.
    fn push(&mut self, record: Record) -> Result<(), Stop>;
}

/// A sink wants nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

impl Sink for Vec<Record> {
    fn push(&mut self, record: Record) -> Result<(), Stop> {
        self.push(record);
        Ok(())
    }
}

/// A set of changes on their way to a store; to keep it, write base, envelope and changes. Empty is allowed: against a state it makes the next revision and changes
/// nothing else; against nothing, see S1.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// What the changes were made against.
    pub base: Base,
    /// The commit's id and what else it carries.
    pub envelope: &'a Envelope,
    /// The changes: no two of the same record, each from what is stored to what shall be. A store may check that, and
    /// answer *corrupt*; what an authorizer sends is right. A reference's remembered slug is not compared.
    pub changes: &'a [Change],
}

/// What a commit was made against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// Nothing: a birth, which begins this life. With no changes, it ends the life before it began (S1).
    Create(TenantId),
    /// A state that was the latest one when the commit was made.
    At(Position),
}

impl Base {
    /// Whose base.
    pub fn tenant_id(self) -> TenantId {
        match self {
            Self::Create(tenant_id) => tenant_id,
            Self::At(at) => at.tenant_id,
        }
    }
}

/// A living tenant in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSummary {
    /// Its life.
    pub tenant_id: TenantId,
    /// Its slug.
    pub slug: TenantSlug,
}

/// What happened since a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Since {
    /// These commits, in order; none if the state is the latest.
    Commits(Vec<StoredCommit>),
    /// The store cannot tell: the state is too old, or not in its history. A load can.
    TooOld,
    /// The life has ended, or never began.
    Deleted,
}

/// A commit as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCommit {
    /// The revision that it made.
    pub revision: Revision,
    /// What it carried.
    pub envelope: Envelope,
    /// What it changed.
    pub changes: Vec<Change>,
}

/// What a store can answer instead. Exhaustive: a caller decides what an unknown outcome means by these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The base is not the latest state; this is. Nothing happened.
    #[error("conflict: the latest revision is {actual}")]
    Conflict {
        /// The latest revision.
        actual: Revision,
    },
    /// The life has ended, or never began. Nothing happened.
    #[error("the life has ended, or never began")]
    Deleted,
    /// The tenant's slug is another living tenant's. Nothing happened.
    #[error("the tenant slug is taken")]
    SlugTaken,
    /// More than the store takes at once. Nothing happened.
    #[error("too large: {0}")]
    TooLarge(String),
    /// A kind of record that the store does not know. Of a commit: nothing happened. Of a load or a since: this life can
    /// be read by a later release only.
    #[error("refused: {0}")]
    UnsupportedRecord(String),
    /// What the store holds, or was sent, cannot be right. Nothing happened.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// Certainly nothing happened, for whatever reason: not reached, full, denied, timed out before it was sent. It is not
    /// tried again, and reaches the application.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Something may have happened, or may still happen. The commit's id will be looked for with `since`, and the same
    /// commit may be sent again.
    #[error("outcome unknown: {0}")]
    InDoubt(String),
    /// The sink of a load wanted no more.
    #[error("stopped by the sink")]
    Stopped,
}

impl<S: Store> Store for Arc<S> {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        (**self).find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        (**self).list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        (**self).load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        (**self).commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        (**self).since(at).await
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(tenant_id) => write!(f, "nothing, for life {tenant_id}"),
            Self::At(at) => write!(f, "revision {} of life {}", at.revision, at.tenant_id),
        }
    }
}
