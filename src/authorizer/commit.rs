//! Writes: plan, commit, publish. Only a bug of this crate can make the last step fail. The tenant is then out of
//! service.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::nested::{Inside, reject_nested};
use super::store_error::store_error;
use super::tenant::{Inner, Outcome, Tenant};
use super::write_state::Pending;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::internal_fault::InternalFault;
use crate::model::records::{Change, CommitId, Revision};
use crate::plan::{CommitContext, Draft, Plan, Tx};
use crate::resolver::snapshot::session::News;
use crate::resolver::snapshot::{Availability, CompiledTenant};
use crate::store::{Since, StoreError};

/// The result of an update.
///
/// ```
/// # let authorizer = rolecall::blocking::Authorizer::in_memory();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// let updated = acme.update(|tx| tx.create_user("alice")?.id())?;
/// assert_eq!(updated.revision, acme.revision());
/// assert_eq!(acme.now().user(updated.value).unwrap().key, "alice");
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Updated<T> {
    /// What the closure returned.
    pub value: T,
    /// The revision that contains the changes.
    pub revision: Revision,
    /// The id of the commit; `None` if there was nothing to change.
    pub commit: Option<CommitId>,
    /// The changes, ordered by the keys of the records; empty if there was nothing to change.
    pub changes: Vec<Change>,
}

impl<T: fmt::Debug> fmt::Debug for Updated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updated")
            .field("value", &self.value)
            .field("revision", &self.revision)
            .field("commit", &self.commit)
            .field("changes", &self.changes.len())
            .finish()
    }
}

const COMMITTED: &str = "the commit is in the store, and the tenant is out of service until a refresh succeeds";

/// The result of sending a plan to the store.
pub(super) enum Attempt {
    /// The plan is committed, or it has no effect on the latest revision.
    Done,
    /// The plan is not committed, and the current snapshot is newer than its base: plan again.
    Retry,
}

impl Tenant {
    /// Changes the tenant: everything that the closure does, or nothing.
    ///
    /// If another writer commits first, the closure runs again on the newer state; keep it free of side effects. If
    /// it returns an error or panics, nothing has happened. An update without effect makes no revision (R11). The
    /// closure's value is returned in [`Updated::value`]. An edit cannot be returned, so end a closure with
    /// `Ok(())` or with the value you need.
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
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// When it returns, every later question in this process sees the change.
    ///
    /// # Errors
    /// Those of the closure; [`Conflict`](crate::ErrorKind::Conflict) if other writers won every attempt;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the tenant was given a slug that is taken;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the store could not be reached and nothing happened;
    /// [`InDoubt`](crate::ErrorKind::InDoubt) if it is not known whether the commit was applied: until that is
    /// resolved every check is denied, and [`Tenant::outcome`] returns what became of it;
    /// [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update.
    pub async fn update<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Updated<T>> {
        self.try_update(f).await
    }

    /// [`Tenant::update`] for a closure with an error type of the application.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// #[derive(Debug)]
    /// enum AppError {
    ///     Rolecall(rolecall::Error),
    ///     TooYoung,
    /// }
    ///
    /// impl From<rolecall::Error> for AppError {
    ///     fn from(error: rolecall::Error) -> Self {
    ///         Self::Rolecall(error)
    ///     }
    /// }
    ///
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let refused = acme.try_update(|tx| {
    ///     tx.create_user("alice")?;
    ///     Err::<(), _>(AppError::TooYoung)
    /// });
    /// assert!(matches!(refused, Err(AppError::TooYoung)));
    /// assert!(acme.now().user("alice").is_none(), "nothing has happened");
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tenant::update`], converted.
    pub async fn try_update<T, E: From<Error>>(&self, mut f: impl FnMut(&Tx) -> Result<T, E>) -> Result<Updated<T>, E> {
        let clock = Arc::clone(&self.0.shared.clock);
        self.0.run(|base| plan(base, CommitContext::new(&*clock), &mut f)).await
    }

    /// Plans what an update would do on the newest snapshot, and commits nothing.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice").map(drop))?;
    /// assert_eq!(plan.changes().len(), 1);
    /// acme.commit(plan)?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the closure.
    pub fn plan<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<(T, Plan)> {
        self.try_plan(f)
    }

    /// [`Tenant::plan`] for a closure with an error type of the application.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.try_plan(|tx| tx.create_user("alice").map(drop))?;
    /// assert!(!plan.is_empty());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tenant::plan`], converted.
    pub fn try_plan<T, E: From<Error>>(&self, mut f: impl FnMut(&Tx) -> Result<T, E>) -> Result<(T, Plan), E> {
        self.0.writable()?;
        plan(self.0.current.load(), CommitContext::new(&*self.0.shared.clock), &mut f)
    }

    /// Commits a plan.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice").map(drop))?;
    /// acme.commit(plan)?;
    /// assert!(acme.now().user("alice").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Stale`](crate::ErrorKind::Stale) if the tenant has changed since the plan was made;
    /// [`ForeignPlan`](crate::ErrorKind::ForeignPlan) if the plan was made by another tenant, or before this one
    /// was opened again; otherwise those of [`Tenant::update`].
    pub async fn commit(&self, plan: Plan) -> Result<Updated<()>> {
        reject_nested()?;
        let _turn = self.0.write_state.write_queue.take().await;
        self.0.ready().await?;
        let present = self.0.current.load();
        if !Arc::ptr_eq(&plan.base.session, &present.session) {
            return Err(Error::new(ErrorKind::ForeignPlan));
        }
        if plan.base.position != present.position {
            return Err(Error::new(ErrorKind::Stale));
        }
        match self.0.push(&plan).await? {
            Attempt::Done => Ok(committed((), plan)),
            Attempt::Retry => Err(Error::new(ErrorKind::Stale)),
        }
    }

    /// Deletes the tenant with everything in it. Its slug is free afterwards.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// acme.delete()?;
    /// assert!(authorizer.tenant("acme").is_err());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tenant::update`].
    pub async fn delete(&self) -> Result<()> {
        self.update(Tx::delete_tenant).await.map(drop)
    }
}

pub(super) fn committed<T>(value: T, plan: Plan) -> Updated<T> {
    let commit = (!plan.changes.is_empty()).then_some(plan.envelope.id);
    Updated { value, revision: plan.next.position.revision, commit, changes: plan.changes }
}

impl CommitContext {
    pub(crate) fn new(clock: &dyn crate::model::clock::Clock) -> Self {
        Self { commit: CommitId::random(), at: clock.now(), new_id: Uuid::new_v4 }
    }
}

/// Runs a closure on a draft of this state.
pub(super) fn plan<T, E: From<Error>>(
    base: Arc<CompiledTenant>,
    origins: CommitContext,
    f: &mut impl FnMut(&Tx) -> Result<T, E>,
) -> Result<(T, Plan), E> {
    let _inside = Inside::enter();
    Tx::run(Draft::new(base, origins), f)
}

/// Guards a commit that was sent until its outcome is known. If it is dropped before that, because the future was
/// dropped or the store panicked, the commit is in doubt.
struct Sent<'a> {
    inner: &'a Inner,
    pending: Option<Arc<Pending>>,
}

impl Sent<'_> {
    fn resolved(mut self) {
        self.pending = None;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.inner.mark_in_doubt(pending);
        }
    }
}

impl Inner {
    /// Marks a commit as in doubt. Every check is denied until it is resolved.
    pub(super) fn mark_in_doubt(&self, pending: Arc<Pending>) {
        self.tell(pending.envelope.id, Outcome::InDoubt);
        self.write_state.set_pending(Some(pending));
        self.current.set_availability(Availability::InDoubt);
    }

    /// Plans, commits and publishes. Tries again if another writer commits first.
    pub(super) async fn run<T, E: From<Error>>(
        &self,
        mut make: impl FnMut(Arc<CompiledTenant>) -> Result<(T, Plan), E>,
    ) -> Result<Updated<T>, E> {
        reject_nested()?;
        let _turn = self.write_state.write_queue.take().await;
        self.ready().await?;
        for _ in 0..=self.shared.retries {
            let (value, plan) = make(self.current.load())?;
            match self.push(&plan).await? {
                Attempt::Done => return Ok(committed(value, plan)),
                Attempt::Retry => self.writable()?,
            }
        }
        Err(Error::new(ErrorKind::Conflict).into())
    }

    /// Makes the tenant ready for a write: open, without a commit in doubt, and with valid content.
    pub(super) async fn ready(&self) -> Result<()> {
        self.writable()?;
        self.resolve_pending().await?;
        if self.current.guard().availability == Availability::InvalidContent {
            self.sync().await?;
        }
        self.writable()
    }

    /// Sends a plan to the store. The caller has the turn, and the plan was made on the current snapshot.
    pub(super) async fn push(&self, plan: &Plan) -> Result<Attempt> {
        if plan.changes.is_empty() {
            return self.still_latest(plan).await;
        }
        let pending = Arc::new(Pending {
            base: plan.base.position,
            envelope: plan.envelope.clone(),
            changes: plan.changes.clone(),
            next: Some(Arc::clone(&plan.next)),
        });
        let sent = Sent { inner: self, pending: Some(Arc::clone(&pending)) };
        let answer = self.shared.store.commit(pending.as_commit()).await;
        match answer {
            Ok(revision) if revision == plan.next.position.revision => {
                sent.resolved();
                let published = self.publish(Arc::clone(&plan.next), News::Changes(&[&plan.changes]));
                let error = |fault: InternalFault| fault.error(COMMITTED).of_commit(plan.envelope.id);
                published.map(|()| Attempt::Done).map_err(error)
            }
            // The conflict may be with this very commit, if a driver has sent it twice. Readers are still served
            // meanwhile.
            Err(StoreError::Conflict { actual }) => {
                self.seen(actual);
                let outcome = self.resolve(&pending).await;
                if outcome != Outcome::InDoubt {
                    sent.resolved();
                }
                Self::judged(outcome, &pending)
            }
            // In doubt, or a revision that this commit cannot have.
            Ok(_) | Err(StoreError::InDoubt(_)) => {
                drop(sent);
                let outcome = self.resolve(&pending).await;
                Self::judged(outcome, &pending).map_err(|error| because(error, answer))
            }
            Err(error) => {
                sent.resolved();
                if matches!(error, StoreError::Deleted) {
                    self.ended();
                }
                Err(store_error(error, plan.next.state.tenant.as_ref().map_or("", |tenant| tenant.slug.as_str())))
            }
        }
    }

    fn judged(outcome: Outcome, pending: &Pending) -> Result<Attempt> {
        match outcome {
            Outcome::Committed(_) => Ok(Attempt::Done),
            Outcome::Aborted => Ok(Attempt::Retry),
            Outcome::InDoubt => Err(Error::in_doubt(pending.envelope.id)),
            Outcome::Unknown => Err(Error::in_doubt(pending.envelope.id).reason("it can no longer be found out")),
        }
    }

    /// Confirms with the store that the base is still the latest, before an update reports that it had no effect (R11).
    async fn still_latest(&self, plan: &Plan) -> Result<Attempt> {
        let base = plan.base.position;
        match self.shared.store.since(base).await {
            Ok(Since::Commits(commits)) if commits.is_empty() => {
                self.latest_is(base.revision);
                Ok(Attempt::Done)
            }
            answer => {
                self.take_in(answer).await?;
                let moved = self.current.guard().position != base;
                Ok(if moved { Attempt::Retry } else { Attempt::Done })
            }
        }
    }
}

/// Adds the store's own reason to an error, if there is one.
fn because(error: Error, answer: Result<Revision, StoreError>) -> Error {
    match answer {
        Err(StoreError::InDoubt(why)) => error.reason(why.to_string()).because(StoreError::InDoubt(why)),
        Ok(_) | Err(_) => error,
    }
}
