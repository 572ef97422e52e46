//! An open tenant: the handle of the application, and the state behind it. Its questions are in `tenant/questions.rs`.

mod questions;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;

use super::counters::Counters;
use super::current_snapshot::CurrentSnapshot;
use super::runtime::Runtime;
use super::staleness::{AskedAt, Confirmed, Staleness};
use super::write_state::WriteStateRef;
use crate::model::clock::Clock;
use crate::model::error::{Error, ErrorKind};
use crate::model::internal_fault::{InternalFault, must_hold};
use crate::model::records::{CommitId, Revision, TenantId, TenantSlug, Timestamp};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::session::{News, Session};
use crate::resolver::snapshot::{Availability, CompiledTenant};
use crate::store::DynStore;

/// An open tenant. A clone refers to the same one and keeps it open.
///
/// Questions are answered from memory at once: they do not fail, block or await. A call that writes, refreshes or
/// closes goes to the store and waits for the writes before it.
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// acme.update(|tx| {
///     tx.create_permission("posts:write")?;
///     tx.create_role("editor")?.grant("posts:write")?;
///     tx.create_user("alice")?.assign("editor")?;
///     Ok(())
/// })?;
/// assert!(acme.check("alice", "posts:write"));
/// println!("{}", acme.explain("alice", "posts:write"));
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Consistency
/// A question sees the newest snapshot that this process has published. An update of this authorizer is
/// published before `update` returns. Updates of other processes are seen after [`Tenant::refresh`] or
/// [`Tenant::at_least`], after an update that conflicted with them, failed or had no effect, and through a
/// [follower](crate::Authorizer::follow).
///
/// With a [runtime](crate::AuthorizerBuilder::runtime), a call continues when its future is dropped. Without one, a
/// write whose future is dropped after the store was called leaves a commit in doubt. Until that is resolved, every
/// check is denied.
#[derive(Clone)]
pub struct Tenant(pub(crate) Arc<Inner>);

/// The configuration of an authorizer, which never changes.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn DynStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Arc<CompiledCatalog>,
    pub(crate) retries: u32,
    pub(crate) retry_timeout: Duration,
    pub(crate) runtime: Option<Arc<dyn Runtime>>,
    pub(crate) staleness: Arc<Staleness>,
    pub(crate) counters: Arc<Counters>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) write_state: WriteStateRef,
    pub(crate) session: Arc<Session>,
    pub(crate) tenant_id: TenantId,
    pub(crate) current: CurrentSnapshot,
    /// Whether a task is resolving a commit in doubt.
    pub(super) is_being_resolved: AtomicBool,
    sync_state: Mutex<SyncState>,
}

/// The state of the store, as far as it is known beyond the current snapshot.
#[derive(Debug)]
struct SyncState {
    /// When the turn's holder last asked the store.
    asked: AskedAt,
    /// When the store was asked that last confirmed the current snapshot as its latest state.
    confirmed: AskedAt,
    latest: Option<Revision>,
    failed_refreshes: u32,
    outcomes: VecDeque<Remembered>,
}

/// A commit that was in doubt, or whose caller no longer waited.
#[derive(Debug)]
struct Remembered {
    commit: CommitId,
    outcome: Outcome,
    /// Whether the call that sent the commit ended before the commit was resolved. Such commits are forgotten last,
    /// because somebody may still ask for them.
    outlived_call: bool,
}

/// The outcome of a commit that was in doubt. See [`Tenant::outcome`].
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// let commit = acme.update(|tx| tx.create_user("alice")?.done())?.commit.unwrap();
/// assert_eq!(acme.outcome(commit), None, "it was never in doubt");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was applied, as this revision.
    Committed(Revision),
    /// It was not applied and never will be.
    Aborted,
    /// It is not known yet.
    InDoubt,
    /// It can no longer be known: the store does not have the commits of that time any more, or the tenant is deleted.
    Unknown,
}

/// Writes it for a log.
///
/// ```
/// use rolecall::authorizer::Outcome;
///
/// assert_eq!(Outcome::Committed(5.into()).to_string(), "committed as revision 5");
/// assert_eq!(Outcome::InDoubt.to_string(), "in doubt");
/// ```
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed(revision) => write!(f, "committed as revision {revision}"),
            Self::Aborted => f.write_str("aborted"),
            Self::InDoubt => f.write_str("in doubt"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// How far a tenant is known to be behind its store. See [`Tenant::lag`].
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// let lag = acme.lag();
/// assert_eq!((lag.revisions, lag.failed_refreshes), (0, 0));
/// assert!(lag.confirmed_at <= acme.now().instant());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Lag {
    /// How many revisions the store is known to be ahead.
    pub revisions: u64,
    /// The number of failed refreshes since the last successful one. A failed poll of a follower counts too.
    pub failed_refreshes: u32,
    /// An instant, by the authorizer's clock, at which this state was the latest of the store. The answers contain every
    /// commit made before that instant. They may lack later ones.
    pub confirmed_at: Timestamp,
}

const MOST_OUTCOMES: usize = 1_024;

/// The invariant that a published snapshot is not older than the current one.
pub(crate) const PUBLISHED: &str = "a published snapshot is not older than the current snapshot";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here is a plain assignment, so the value is valid even after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Opens a tenant with the state that the store returned when it was asked at `asked`.
    pub(crate) fn open(
        shared: Arc<Shared>,
        write_state: WriteStateRef,
        compiled: CompiledTenant,
        asked: AskedAt,
    ) -> Arc<Self> {
        let compiled = Arc::new(compiled);
        let session = Arc::clone(&compiled.session);
        // Nobody has this session yet, so the order does not matter as it does in `publish`.
        session.published(&compiled, News::All);
        let tenant_id = compiled.position.tenant_id;
        let current = CurrentSnapshot::new(compiled);
        let is_being_resolved = AtomicBool::new(false);
        let (latest, outcomes) = (None, VecDeque::new());
        let sync_state = SyncState { asked, confirmed: asked, latest, failed_refreshes: 0, outcomes };
        let sync_state = Mutex::new(sync_state);
        let inner = Arc::new(Self { shared, write_state, session, tenant_id, current, is_being_resolved, sync_state });
        let weak: Weak<Self> = Arc::downgrade(&inner);
        inner.shared.staleness.add(weak);
        // The load may have taken longer than the bound.
        inner.judge(&inner.shared.staleness);
        inner
    }

    /// Returns the store, for the holder of the turn. If the store answers, that confirms the snapshot that is published
    /// next.
    pub(super) fn store(&self) -> &dyn DynStore {
        let asked = self.shared.staleness.asked();
        lock(&self.sync_state).asked = asked;
        &*self.shared.store
    }

    /// Publishes a snapshot that is known to be a state of the store, and tells the session what is new in it.
    ///
    /// The cell comes first, because it decides whether the snapshot is published. The session must not learn of a
    /// snapshot that is not published. It would forget numbers that no published snapshot has, and could give one to a
    /// second id. It would also keep the snapshot of a closed tenant for ever. No number is missing between the two
    /// steps: the session still has the new ones, and a plan on the new snapshot finds them there.
    ///
    /// # Errors
    /// The current snapshot is newer. The tenant is then out of service until a refresh succeeds.
    pub(crate) fn publish(&self, next: Arc<CompiledTenant>, news: News<'_>) -> Result<(), InternalFault> {
        let availability = match &next.state.tenant {
            None => Availability::Deleted,
            Some(_) if self.is_asked_in_time() => Availability::Serving,
            Some(_) => Availability::Unconfirmed,
        };
        let next =
            if next.availability == availability { next } else { Arc::new(next.with_availability(availability)) };
        let published = self.current.publish(Arc::clone(&next));
        // The answer of the store is about this snapshot, and not about the one before it.
        self.latest_is(next.position.revision);
        if !must_hold(published || !self.is_open(), PUBLISHED) {
            self.current.set_availability(Availability::Broken);
            return Err(InternalFault(PUBLISHED));
        }
        if published {
            self.session.published(&next, news);
        }
        if availability == Availability::Deleted {
            self.ended();
        }
        Ok(())
    }

    /// Whether the holder of the turn asked the store within the bound on staleness. Its answer may have taken longer.
    fn is_asked_in_time(&self) -> bool {
        let sync_state = lock(&self.sync_state);
        self.shared.staleness.is_within(sync_state.confirmed.later(sync_state.asked))
    }

    /// Marks the tenant as deleted. Every check is denied, and the registry drops it.
    pub(crate) fn ended(&self) {
        self.current.set_availability(Availability::Deleted);
        self.write_state.forget(&self.session);
    }

    /// Records that the store has just confirmed to the holder of the turn that this is the latest revision.
    pub(crate) fn latest_is(&self, revision: Revision) {
        let mut sync_state = lock(&self.sync_state);
        sync_state.latest = sync_state.latest.max(Some(revision));
        let asked = sync_state.asked;
        self.confirm(&mut sync_state, asked);
    }

    /// Notes that the store has confirmed the current snapshot as its latest state, in an answer to a call of that time.
    pub(super) fn is_confirmed(&self, asked: AskedAt) {
        self.confirm(&mut lock(&self.sync_state), asked);
    }

    /// The lock is held while the availability changes, so that a confirmation and its expiry come one after the other.
    fn confirm(&self, sync_state: &mut SyncState, asked: AskedAt) {
        sync_state.failed_refreshes = 0;
        sync_state.confirmed = sync_state.confirmed.later(asked);
        // The answer may have taken longer than the bound.
        self.current.set_confirmed(self.shared.staleness.is_within(sync_state.confirmed));
    }

    pub(crate) fn seen(&self, revision: Revision) {
        let mut sync_state = lock(&self.sync_state);
        sync_state.latest = sync_state.latest.max(Some(revision));
    }

    pub(crate) fn refresh_failed(&self) {
        let mut sync_state = lock(&self.sync_state);
        sync_state.failed_refreshes = sync_state.failed_refreshes.saturating_add(1);
    }

    /// Remembers the outcome of a commit that is or was in doubt, or whose caller may no longer wait.
    pub(crate) fn remember_outcome(&self, commit: CommitId, outcome: Outcome) {
        let outcomes = &mut lock(&self.sync_state).outcomes;
        if let Some(remembered) = outcomes.iter_mut().find(|remembered| remembered.commit == commit) {
            remembered.outcome = outcome;
            return;
        }
        if outcomes.len() >= MOST_OUTCOMES {
            let least = outcomes.iter().position(|remembered| !remembered.outlived_call).unwrap_or(0);
            outcomes.remove(least);
        }
        outcomes.push_back(Remembered { commit, outcome, outlived_call: true });
    }

    /// Forgets an outcome that its caller receives.
    pub(crate) fn outcome_is_returned(&self, commit: CommitId) {
        lock(&self.sync_state).outcomes.retain(|remembered| remembered.commit != commit);
    }

    /// Records that the call that sent a commit has resolved it. No caller received `InDoubt`.
    pub(crate) fn resolved_within_call(&self, commit: CommitId) {
        let mut sync_state = lock(&self.sync_state);
        if let Some(remembered) = sync_state.outcomes.iter_mut().find(|remembered| remembered.commit == commit) {
            remembered.outlived_call = false;
        }
    }

    /// Whether the current snapshot has this slug.
    pub(crate) fn has_slug(&self, slug: &TenantSlug) -> bool {
        self.current.guard().state.tenant.as_ref().is_some_and(|tenant| tenant.slug == *slug)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.current.guard().availability.is_over()
    }

    /// Returns an error if the tenant is closed or deleted.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        match self.current.guard().availability {
            Availability::Closed => Err(Error::new(ErrorKind::Closed)),
            Availability::Deleted => Err(Error::new(ErrorKind::Deleted)),
            Availability::Serving
            | Availability::Unconfirmed
            | Availability::InDoubt
            | Availability::InvalidContent
            | Availability::Broken => Ok(()),
        }
    }

    /// Returns an error if the tenant is closed, deleted or out of service.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        self.alive()?;
        if self.is_broken() {
            const REASON: &str = "the tenant is out of service until a refresh succeeds; nothing was committed";
            return Err(Error::new(ErrorKind::Internal).reason(REASON));
        }
        Ok(())
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.current.guard().availability == Availability::Broken
    }
}

impl Confirmed for Inner {
    fn judge(&self, staleness: &Staleness) {
        let sync_state = lock(&self.sync_state);
        self.current.set_confirmed(staleness.is_within(sync_state.confirmed));
    }

    fn expire(&self) {
        let _known = lock(&self.sync_state);
        self.current.set_confirmed(false);
    }
}

/// Closes the session, because nothing can publish any more.
impl Drop for Inner {
    fn drop(&mut self) {
        self.session.close();
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tenant").field(&self.snapshot()).finish()
    }
}
