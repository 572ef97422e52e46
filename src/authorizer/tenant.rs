//! An open tenant: what an application holds, and what the parts of its protocol share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::current_snapshot::CurrentSnapshot;
use super::slot::Hold;
use crate::model::clock::Clock;
use crate::model::error::{Error, ErrorKind};
use crate::model::internal_fault::{InternalFault, must_hold};
use crate::model::records::{CommitId, Revision, TenantId, TenantSlug};
use crate::resolver::explain::{Decision, Explanation};
use crate::resolver::moment::{Moment, PermissionSet};
use crate::resolver::snapshot::compiled_catalog::CompiledCatalog;
use crate::resolver::snapshot::names::{AsPermission, AsUser, PermissionHandle, UserHandle};
use crate::resolver::snapshot::session::{News, Session};
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot};
use crate::store::DynStore;

/// An open tenant. A clone is another hold on the same one.
///
/// Questions are answered from memory at once: they do not fail, block or await. Everything that writes, refreshes or
/// closes reaches the store, and takes its turn with the others of this tenant.
///
/// # Consistency
/// A question sees the newest snapshot that this process has published. Commits of this authorizer are published before
/// `update` returns. Those of other processes are seen after [`Tenant::refresh`], or after a commit that met them.
///
/// Run writes in a task of their own: a future that is dropped after it reached the store leaves a commit whose outcome
/// is not known, and until that is settled the tenant denies everything.
#[derive(Clone)]
pub struct Tenant(pub(crate) Arc<Inner>);

/// What never changes about an authorizer.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn DynStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Arc<CompiledCatalog>,
    pub(crate) retries: u32,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: Hold,
    pub(crate) session: Arc<Session>,
    pub(crate) tenant_id: TenantId,
    /// Opened for repair: it never answers, whatever else happens to it.
    pub(crate) repair: bool,
    pub(crate) current: CurrentSnapshot,
    known: Mutex<Known>,
}

/// What is known beside the snapshot.
#[derive(Debug, Default)]
struct Known {
    latest: Option<Revision>,
    failed_refreshes: u32,
    outcomes: VecDeque<(CommitId, Outcome)>,
}

/// What became of a commit whose outcome was not known at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It landed, at this revision.
    Committed(Revision),
    /// It did not land, and never will.
    Aborted,
    /// It is not known yet.
    InDoubt,
    /// It cannot be known any more: the store no longer has the commits of that time, or the life has ended.
    Unknown,
}

/// How far a tenant in hand is known to be behind its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// How many revisions the store is known to be ahead.
    pub revisions: u64,
    /// How many refreshes have failed since the last one that succeeded.
    pub failed_refreshes: u32,
}

const MOST_OUTCOMES: usize = 1_024;

/// The name of the fault that a snapshot was not published.
pub(crate) const PUBLISHED: &str = "what is published is no older than the snapshot in hand";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here is a plain assignment, so what a panic left behind is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(crate) fn new(shared: Arc<Shared>, slot: Hold, compiled: CompiledTenant) -> Self {
        let compiled = Arc::new(compiled);
        let session = Arc::clone(&compiled.session);
        session.published(&compiled, News::All);
        let (tenant_id, repair) = (compiled.position.tenant_id, compiled.availability == Availability::Repair);
        let current = CurrentSnapshot::new(compiled);
        Self { shared, slot, session, tenant_id, repair, current, known: Mutex::default() }
    }

    /// Publishes a snapshot that is known to be a state of the store's, and tells the session what is new in it.
    ///
    /// The cell comes first. It alone decides whether the snapshot is published, and the session must not hear of one that
    /// is not: it would forget numbers that no published snapshot knows, and give a number to a second id; and it would
    /// hold a snapshot of a tenant that is closed for ever. Nobody misses a number between the two steps: the session still
    /// has those that are new, and a plan on the new snapshot finds them there.
    ///
    /// # Errors
    /// The snapshot in hand is newer. It is out of service then, until a refresh succeeds.
    pub(crate) fn publish(&self, next: Arc<CompiledTenant>, news: News<'_>) -> Result<(), InternalFault> {
        let availability = match &next.state.tenant {
            None => Availability::Deleted,
            Some(_) if self.repair => Availability::Repair,
            Some(_) => Availability::Serving,
        };
        let next =
            if next.availability == availability { next } else { Arc::new(next.with_availability(availability)) };
        self.latest_is(next.position.revision);
        let published = self.current.publish(Arc::clone(&next));
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

    /// The life has ended: the tenant denies, and nothing is kept of it but what is held.
    pub(crate) fn ended(&self) {
        self.current.set_availability(Availability::Deleted);
        self.slot.forget(&self.session);
    }

    pub(crate) fn latest_is(&self, revision: Revision) {
        let mut known = lock(&self.known);
        known.latest = known.latest.max(Some(revision));
        known.failed_refreshes = 0;
    }

    pub(crate) fn seen(&self, revision: Revision) {
        let mut known = lock(&self.known);
        known.latest = known.latest.max(Some(revision));
    }

    pub(crate) fn refresh_failed(&self) {
        let mut known = lock(&self.known);
        known.failed_refreshes = known.failed_refreshes.saturating_add(1);
    }

    pub(crate) fn tell(&self, commit: CommitId, outcome: Outcome) {
        let mut known = lock(&self.known);
        known.outcomes.retain(|(id, _)| *id != commit);
        if known.outcomes.len() >= MOST_OUTCOMES {
            known.outcomes.pop_front();
        }
        known.outcomes.push_back((commit, outcome));
    }

    /// Whether it is open and bears this slug at its own revision.
    pub(crate) fn has_slug(&self, slug: &TenantSlug) -> bool {
        self.current.guard().state.tenant.as_ref().is_some_and(|tenant| tenant.slug == *slug)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.current.guard().availability.is_over()
    }

    /// Whether there is a tenant to write to.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        match self.current.guard().availability {
            Availability::Closed => Err(Error::new(ErrorKind::Closed)),
            Availability::Deleted => Err(Error::new(ErrorKind::Deleted)),
            Availability::Serving
            | Availability::InDoubt
            | Availability::InvalidContent
            | Availability::Broken
            | Availability::Repair => Ok(()),
        }
    }

    /// Whether it takes writes: not on a snapshot that is out of service.
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

/// Nobody publishes any more.
impl Drop for Inner {
    fn drop(&mut self) {
        self.session.close();
    }
}

impl Tenant {
    /// May this user do this, now? See [`Moment::check`].
    #[inline]
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check(&self, user: impl AsUser, permission: impl AsPermission) -> bool {
        self.now().check(user, permission)
    }

    /// May this user do at least one of these, now? See [`Moment::check_any`].
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_any<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.now().check_any(user, permissions)
    }

    /// May this user do all of these, now? See [`Moment::check_all`].
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn check_all<P: AsPermission>(&self, user: impl AsUser, permissions: impl IntoIterator<Item = P>) -> bool {
        self.now().check_all(user, permissions)
    }

    /// Many checks, all on this moment. See [`Moment::check_many`].
    #[must_use = "answers come as they are asked for, and one that is not looked at protects nothing"]
    pub fn check_many<U: AsUser, P: AsPermission>(
        &self,
        questions: impl IntoIterator<Item = (U, P)>,
    ) -> impl Iterator<Item = bool> {
        let now = self.now();
        questions.into_iter().map(move |(user, permission)| now.check(user, permission))
    }

    /// The check and the reason, now. See [`Moment::decide`].
    pub fn decide(&self, user: impl AsUser, permission: impl AsPermission) -> Decision {
        self.now().decide(user, permission)
    }

    /// The decision and how it came about, now. See [`Moment::explain`].
    pub fn explain(&self, user: impl AsUser, permission: impl AsPermission) -> Explanation {
        self.now().explain(user, permission)
    }

    /// Everything that a user may do, now. See [`Moment::effective`].
    pub fn effective(&self, user: impl AsUser) -> PermissionSet {
        self.now().effective(user)
    }

    /// A number for a user, for fast questions on this opening. See [`Moment::user_handle`].
    pub fn user_handle(&self, user: impl AsUser) -> Option<UserHandle> {
        self.now().user_handle(user)
    }

    /// A number for a permission, for fast questions on this opening. See [`Moment::permission_handle`].
    pub fn permission_handle(&self, permission: impl AsPermission) -> Option<PermissionHandle> {
        self.now().permission_handle(permission)
    }

    /// This moment: the newest snapshot, at the clock's instant. All questions are asked on it.
    ///
    /// # Complexity
    /// An atomic load. Keep it for a request, not for long: for that, take a [`Tenant::snapshot`].
    #[inline]
    pub fn now(&self) -> Moment<'_> {
        Moment::guarded(self.0.current.guard(), &*self.0.shared.clock)
    }

    /// The newest snapshot, to be held.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.current.load())
    }

    /// Which life of a tenant this is.
    pub fn tenant_id(&self) -> TenantId {
        self.0.current.guard().position.tenant_id
    }

    /// The newest revision that this process has published.
    pub fn revision(&self) -> Revision {
        self.0.current.guard().position.revision
    }

    /// The tenant's slug, as of the newest snapshot; empty once the tenant was deleted.
    pub fn slug(&self) -> String {
        self.snapshot().slug().to_owned()
    }

    /// The tenant's name, as of the newest snapshot; empty once the tenant was deleted.
    pub fn name(&self) -> String {
        self.snapshot().name().to_owned()
    }

    /// How far this tenant is known to be behind its store. What was never asked is not known.
    pub fn lag(&self) -> Lag {
        let known = lock(&self.0.known);
        let ahead = known.latest.map_or(0, |latest| latest.number().saturating_sub(self.revision().number()));
        Lag { revisions: ahead, failed_refreshes: known.failed_refreshes }
    }

    /// What became of a commit whose outcome was not known when its update returned, or was dropped. None if no such
    /// commit is known here: only the last 1,024 of an opening are remembered.
    pub fn outcome(&self, commit: CommitId) -> Option<Outcome> {
        let known = lock(&self.0.known);
        known.outcomes.iter().find(|(id, _)| *id == commit).map(|(_, outcome)| *outcome)
    }

    /// The commit that must be settled before the tenant answers again, if there is one.
    pub fn in_doubt(&self) -> Option<CommitId> {
        self.0.slot.pending().map(|pending| pending.envelope.id)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tenant").field(&self.snapshot()).finish()
    }
}
