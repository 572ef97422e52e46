//! The store contract: implement [`Store`] to keep tenants in your own database.
//!
//! [`MemoryStore`] is the smallest complete implementation. *Implementing a store* in [`crate::docs`] is the guide. The
//! feature `conformance` adds the test suite that every store must pass.
//!
//! Deliberately absent: permissions, decisions and cascades. A store knows records, revisions and tenant slugs. Every
//! rule about what a set of records may be is checked before a commit reaches the store.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::records::{Change, Envelope, Position, Record, Revision, TenantId, TenantSlug};

/// Keeps tenants: their records, their revisions and their slugs.
///
/// # Contract
/// Documentation, errors and tests cite these clauses by number. A *position* is a tenant id, a revision and a commit
/// id. A commit *conflicts* if its base is *stale*, which means that it is not the tenant's latest position.
///
/// | | clause |
/// |---|---|
/// | S1 | A slug or tenant id that the store does not know is absent. The store creates a tenant by its first commit, at revision 1. Once deleted, a tenant stays deleted: its id is never used again. The store answers the creation of an existing tenant with `Conflict` and of a deleted one with `Deleted`, before it checks the slug. An *empty creation* ([`Base::Create`] without changes) of an unknown tenant prevents its creation. The store marks the id as deleted and returns revision 1, at which nothing can be read. |
/// | S2 | A load reads one consistent state and returns the position of that state. |
/// | S3 | The store answers a commit on a stale base with `Conflict`, which names the latest revision, or with `Deleted`, and changes nothing. A base with the latest revision and another commit id, as after the restore of a backup, is stale. A repeated commit is stale too if it was applied the first time: the caller looks for its commit id. The store reports `Conflict` and `Deleted` before `SlugTaken` and `TooLarge`. `Conflict` for a base that is the latest position breaks this clause: the authorizer finds no other commit, and its caller may get `InDoubt`. |
/// | S4 | The store applies all changes of a commit or none, even if its process dies. |
/// | S5 | A revision is visible once a commit returned it, a `Conflict` named it, or a read showed it. Every later find, list, load and since, on every connection, sees at least that revision. |
/// | S6 | The store returns `InDoubt` if the commit may have been applied, never `Unavailable`. A driver that may have sent a commit twice reports `InDoubt`, unless the answer is a success or `Conflict`. |
/// | S7 | Every commit raises the tenant's revision by one, even an empty one. A revision never repeats within a tenant, not even after the store is reopened. |
/// | S8 | The store compares identifiers byte for byte and keeps every byte: case, trailing spaces, Unicode form and length. |
/// | S9 | The same identifier in two tenants names two things. No two existing tenants have the same slug, not even after a rename. |
/// | S10 | A load returns exactly what was committed. A change replaces or removes the record with its key, whatever slug a reference in that record remembers. The store rejects a kind of record that it does not know, or keeps it whole. A load or since that meets such a record returns `UnsupportedRecord`. Other tenants are not affected. |
/// | S11 | A call whose future is dropped leaves the state before it or the state after it. A dropped commit may still be applied later, until another commit on its base succeeds. |
/// | S12 | Of two concurrent commits on one base, exactly one succeeds. |
/// | S13 | All connections share the same state. |
/// | S14 | The commits since a position are complete, in order and with their envelopes, or the answer is `TooOld`. A position of an existing tenant that is not in the store's history is `TooOld`. For an unknown or deleted tenant the answer is `Deleted`, whatever the position. |
/// | S15 | The store applies a commit of 200,000 changes as one commit, or returns `TooLarge` and changes nothing. |
///
/// A store derives three things. The index of tenant slugs comes from the tenant records. The removal of its tenant
/// record deletes a tenant and all its records. The set of deleted tenant ids follows from that. All other consequences
/// of a change are among the changes of the same commit.
///
/// Write the methods as `async fn`; no macro is needed. The library checks what a store returns and rejects a load that
/// breaks an invariant.
///
/// # Example
/// ```
/// use rolecall::records::TenantSlug;
/// use rolecall::store::{MemoryStore, Store};
///
/// async fn exists(store: &impl Store, slug: &str) -> Result<bool, Box<dyn std::error::Error>> {
///     Ok(store.find(&TenantSlug::new(slug)?).await?.is_some())
/// }
/// assert!(!pollster::block_on(exists(&MemoryStore::default(), "acme"))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Store: Send + Sync + 'static {
    /// Returns the id of the existing tenant with this slug, or `None`.
    ///
    /// Dropping the future has no effect.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store could not look, [`StoreError::Corrupt`] if its slugs are damaged. Never
    /// `None` in these cases.
    fn find(&self, slug: &TenantSlug) -> impl Future<Output = Result<Option<TenantId>, StoreError>> + Send;

    /// Returns at most `limit` existing tenants whose slugs sort after `after`, in bytewise order of their slugs.
    ///
    /// No tenant needs to have the slug `after`. Fewer than `limit` tenants mean that the list ends there. A limit above the
    /// store's integer type means no limit. Dropping the future has no effect.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store could not read, [`StoreError::Corrupt`] if its slugs are damaged.
    /// Damage in the records of one tenant is an error of its `load` and `since` only.
    fn list(
        &self,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TenantSummary>, StoreError>> + Send;

    /// Pushes every record of a tenant into the sink, from one consistent state, and returns the position of that state.
    ///
    /// Returns `None` for an unknown or deleted tenant. Records come kind by kind, in the order of
    /// [`RecordKind`](crate::records::RecordKind); within a kind the order is free. An authorizer cannot use a relation
    /// that comes before its entities, and reports the tenant as corrupt. Hold nothing that a commit waits for while
    /// pushing: a sink may be slow. A snapshot that blocks no writer may stay open. Dropping the future has no effect on the
    /// tenant.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if the sink returned [`Stop`], even at the last record. [`StoreError::UnsupportedRecord`],
    /// [`StoreError::Corrupt`] or [`StoreError::Unavailable`] if the records cannot be read. The caller discards what was
    /// pushed before an error.
    fn load(
        &self,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send;

    /// Applies all changes durably, or none, and returns the new revision.
    ///
    /// The commit that deletes the tenant returns the revision after its base, although nothing can be read at it. If the
    /// future is dropped, the commit may have been applied, or may still be applied later (S11).
    ///
    /// # Errors
    /// Every [`StoreError`] but [`Stopped`](StoreError::Stopped). Only [`InDoubt`](StoreError::InDoubt) leaves open
    /// whether this call applied the commit.
    fn commit(&self, commit: Commit<'_>) -> impl Future<Output = Result<Revision, StoreError>> + Send;

    /// Returns the commits after a position: none if it is the latest.
    ///
    /// A position is in the history if the commit of that revision has its commit id. If the store no longer keeps that
    /// commit, the commit of the next revision decides. The position is in the history if that commit names its commit
    /// id as [`Envelope::previous`], because all commits after it are there. [`Since::TooOld`] is allowed instead.
    /// Dropping the future has no effect.
    ///
    /// An authorizer calls it after a conflict, and when the closure of an update fails or has no effect. After commits
    /// without a pause it calls it twice, so that other processes can commit meanwhile. Nearly always the answer is empty
    /// or a few commits.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedRecord`], [`StoreError::Corrupt`] or [`StoreError::Unavailable`] if the commits cannot be
    /// read.
    fn since(&self, at: Position) -> impl Future<Output = Result<Since, StoreError>> + Send;
}

/// Receives the records of a load.
///
/// ```
/// use rolecall::records::Record;
/// use rolecall::store::{Sink, Stop};
///
/// struct Counter(usize);
///
/// impl Sink for Counter {
///     fn push(&mut self, _record: Record) -> Result<(), Stop> {
///         self.0 += 1;
///         if self.0 < 1_000_000 { Ok(()) } else { Err(Stop) }
///     }
/// }
/// ```
pub trait Sink: Send {
    /// Takes one record.
    ///
    /// # Errors
    /// [`Stop`] if the sink wants no more records. The store ends the load.
    fn push(&mut self, record: Record) -> Result<(), Stop>;
}

/// Tells a store to end a load.
///
/// ```
/// use rolecall::store::{Stop, StoreError};
///
/// fn pushed(result: Result<(), Stop>) -> Result<(), StoreError> {
///     result.map_err(|Stop| StoreError::Stopped)
/// }
/// assert!(pushed(Err(Stop)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stop;

impl Sink for Vec<Record> {
    fn push(&mut self, record: Record) -> Result<(), Stop> {
        self.push(record);
        Ok(())
    }
}

/// A set of changes to apply atomically.
///
/// To persist a commit, write its base, envelope and changes. A commit without changes is valid: on a position it makes
/// the next revision; for [`Base::Create`] see S1.
///
/// ```
/// use rolecall::records::{CommitId, Envelope, Fingerprint, TenantId, Timestamp};
/// use rolecall::store::{Base, Commit, MemoryStore, Store};
///
/// let (id, catalog) = (CommitId::random(), Fingerprint::from_uuid(Default::default()));
/// let envelope = Envelope { id, previous: None, actor: None, at: Timestamp::MIN, note: None, catalog };
/// let base = Base::Create(TenantId::random());
/// let prevent_creation = Commit { base, envelope: &envelope, changes: &[] };
/// let revision = pollster::block_on(MemoryStore::default().commit(prevent_creation))?;
/// assert_eq!(revision.number(), 1);
/// # Ok::<(), rolecall::store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The position that the changes were made on.
    pub base: Base,
    /// The commit's id, actor, time and note.
    pub envelope: &'a Envelope,
    /// The changes. Each record is changed at most once, from the stored state to the new one. A store may check that
    /// and return [`StoreError::Corrupt`]; an authorizer always sends correct changes. Do not compare the slug that a
    /// reference remembers.
    pub changes: &'a [Change],
}

/// The base of a commit: a new tenant, or a position of an existing one.
///
/// ```
/// use rolecall::records::TenantId;
/// use rolecall::store::Base;
///
/// let tenant_id = TenantId::random();
/// assert_eq!(Base::Create(tenant_id).tenant_id(), tenant_id);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// No tenant yet: the commit creates the tenant with this id. Without changes it prevents the creation (S1).
    Create(TenantId),
    /// The latest position when the commit was made.
    At(Position),
}

impl Base {
    /// Returns the id of the tenant that the commit belongs to. [`Base`] has an example.
    pub fn tenant_id(self) -> TenantId {
        match self {
            Self::Create(tenant_id) => tenant_id,
            Self::At(at) => at.tenant_id,
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(tenant_id) => write!(f, "creation of tenant {tenant_id}"),
            Self::At(at) => write!(f, "revision {} of tenant {}", at.revision, at.tenant_id),
        }
    }
}

/// One existing tenant, as [`Store::list`] returns it.
///
/// ```
/// use rolecall::records::{TenantId, TenantSlug};
/// use rolecall::store::TenantSummary;
///
/// let summary = TenantSummary { tenant_id: TenantId::random(), slug: TenantSlug::new("acme")? };
/// assert_eq!(summary.slug.as_str(), "acme");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantSummary {
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// The tenant's slug.
    pub slug: TenantSlug,
}

/// The history after a position, as [`Store::since`] returns it.
///
/// ```
/// use rolecall::store::Since;
///
/// fn must_load(since: &Since) -> bool {
///     matches!(since, Since::TooOld)
/// }
/// assert!(!must_load(&Since::Commits(Vec::new())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// The commits after the position, in order; none if the position is the latest.
    Commits(Vec<StoredCommit>),
    /// The position is too old, or not in the store's history. The caller loads the tenant instead.
    TooOld,
    /// The tenant is deleted or was never created.
    Deleted,
}

/// A commit in a store's history.
///
/// ```
/// use rolecall::store::StoredCommit;
///
/// fn describe(commit: &StoredCommit) -> String {
///     format!("revision {}: {} changes", commit.revision, commit.changes.len())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCommit {
    /// The revision that the commit produced.
    pub revision: Revision,
    /// The envelope, as it was sent.
    pub envelope: Envelope,
    /// The changes.
    pub changes: Vec<Change>,
}

/// The cause of a [`StoreError`]: a message, or a driver's error, which callers can downcast.
///
/// ```
/// use rolecall::store::{Cause, StoreError};
///
/// let cause: Cause = "the server is not reachable".into();
/// let error = StoreError::unavailable(cause);
/// assert!(error.to_string().contains("the server is not reachable"));
/// ```
pub type Cause = Box<dyn Error + Send + Sync>;

/// The reason why a call of a store failed.
///
/// All but [`InDoubt`](Self::InDoubt) promise that this call applied nothing and never will. A commit can be sent twice. If
/// the first copy was applied, the second returns [`Conflict`](Self::Conflict), or [`Deleted`](Self::Deleted) if it deletes
/// the tenant or prevents its creation. The enum is exhaustive, so that a new kind of failure cannot be mistaken for one of
/// these promises.
///
/// ```
/// use std::error::Error;
/// use std::io;
/// use rolecall::store::StoreError;
///
/// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
/// let error = StoreError::unavailable(refused);
/// assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
/// assert_eq!(StoreError::unavailable("no free connection").to_string(), "unavailable: no free connection");
/// ```
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The base is stale. This call applied nothing; an earlier copy of the commit may have been applied (S3).
    #[error("conflict: the latest revision is {actual}")]
    Conflict {
        /// The latest revision.
        actual: Revision,
    },
    /// The tenant is deleted or was never created. This call applied nothing; an earlier copy of the commit may have deleted
    /// the tenant.
    #[error("tenant is deleted or was never created")]
    Deleted,
    /// Another existing tenant has the slug. The commit was not applied.
    #[error("tenant slug is taken")]
    SlugTaken,
    /// The commit is larger than the store accepts. It was not applied.
    #[error("too large: {0}")]
    TooLarge(#[source] Cause),
    /// The store does not know a kind of record. A commit was not applied; a load or since needs a later release.
    #[error("unsupported record: {0}")]
    UnsupportedRecord(#[source] Cause),
    /// The content of the store, or of the call, breaks the contract. A commit was not applied.
    #[error("corrupt: {0}")]
    Corrupt(#[source] Cause),
    /// The store could not be reached, is full, denied access or timed out before it sent the commit. The commit was
    /// certainly not applied. The library does not retry; the error reaches the application.
    #[error("unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// The commit may have been applied, or may still be. The library resolves it: it looks for the commit's id with
    /// [`Store::since`] and may send the same commit again.
    #[error("outcome in doubt: {0}")]
    InDoubt(#[source] Cause),
    /// The sink ended the load.
    #[error("load stopped by the sink")]
    Stopped,
}

impl StoreError {
    /// Returns [`TooLarge`](Self::TooLarge) with a message or an error as its cause.
    ///
    /// ```
    /// # use rolecall::store::StoreError;
    /// assert_eq!(StoreError::too_large("20 MB, at most 16").to_string(), "too large: 20 MB, at most 16");
    /// ```
    pub fn too_large(cause: impl Into<Cause>) -> Self {
        Self::TooLarge(cause.into())
    }

    /// Returns [`UnsupportedRecord`](Self::UnsupportedRecord) with a message or an error as its cause.
    ///
    /// ```
    /// # use rolecall::store::StoreError;
    /// let unsupported = |ordinal: u8| StoreError::unsupported_record(format!("kind {ordinal}, of a later release"));
    /// assert_eq!(unsupported(200).to_string(), "unsupported record: kind 200, of a later release");
    /// ```
    pub fn unsupported_record(cause: impl Into<Cause>) -> Self {
        Self::UnsupportedRecord(cause.into())
    }

    /// Returns [`Corrupt`](Self::Corrupt) with a message or an error as its cause.
    ///
    /// ```
    /// # use rolecall::store::StoreError;
    /// let bytes = [0xff];
    /// let error = std::str::from_utf8(&bytes).map_err(StoreError::corrupt).unwrap_err();
    /// assert!(matches!(error, StoreError::Corrupt(cause) if cause.is::<std::str::Utf8Error>()));
    /// ```
    pub fn corrupt(cause: impl Into<Cause>) -> Self {
        Self::Corrupt(cause.into())
    }

    /// Returns [`Unavailable`](Self::Unavailable) with a message or an error as its cause. A commit was certainly not applied.
    ///
    /// ```
    /// # use rolecall::store::StoreError;
    /// assert_eq!(StoreError::unavailable("no free connection").to_string(), "unavailable: no free connection");
    /// ```
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// Returns [`InDoubt`](Self::InDoubt) with a message or an error as its cause. A commit may have been applied.
    ///
    /// ```
    /// # use rolecall::store::StoreError;
    /// let error = StoreError::in_doubt("the link broke after COMMIT was sent");
    /// assert!(matches!(error, StoreError::InDoubt(_)));
    /// ```
    pub fn in_doubt(cause: impl Into<Cause>) -> Self {
        Self::InDoubt(cause.into())
    }
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

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "redb")]
mod redb;
mod memory;
mod history;
mod positions;
mod user_directory;
mod watch;
mod dyn_store;

pub(crate) use dyn_store::DynStore;
pub use history::{CommitPage, CommitQuery, History};
pub use memory::MemoryStore;
pub(crate) use positions::DynPositions;
pub use positions::Positions;
#[cfg(feature = "redb")]
pub use redb::{RedbError, RedbOptions, RedbStore};
pub use user_directory::UserDirectory;
pub(crate) use watch::{DynHints, DynWatch};
pub use watch::{Hint, Hints, LocalHints, Watch};
