//! Writes: plan, commit, publish. Only a bug of this crate can make the last step fail. The tenant is then out of
//! service.

mod attempts;
mod sent;
mod updated;

use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use self::attempts::{Attempts, Progress};
use self::sent::Sent;
pub use self::updated::Updated;
use super::detached::{Stopped, detached};
use super::nested::{Inside, reject_nested};
use super::pacing::CALLS;
use super::store_error::store_error;
use super::telemetry::{Span, TenantEvent};
use super::tenant::{Inner, Outcome, Tenant};
use super::write_queue::Turn;
use super::write_state::Pending;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::internal_fault::InternalFault;
use crate::model::records::{CommitId, Position, Revision, Timestamp};
use crate::plan::{CommitContext, Draft, Plan, Tx};
use crate::resolver::snapshot::session::News;
use crate::resolver::snapshot::{Availability, CompiledTenant, Snapshot};
use crate::store::{Since, StoreError};

const COMMITTED: &str = "the commit is in the store, and the tenant is out of service until a refresh succeeds";

const STALE_ADVICE: &str = "use `rebase`, or plan again";
const FOREIGN_ADVICE: &str = "use `rebase` for a plan of this tenant, otherwise plan again on this one";

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
    /// it returns an error, the store is asked whether there are newer commits. If there are, the closure runs again;
    /// otherwise its error is returned. So `NotFound` means that another process has not created the entity either.
    /// If the closure returns an error or panics, nothing has happened. An update without effect makes no revision (R11). The
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
    /// When it returns, every later question in this process sees the change. Updates of several processes live together:
    /// *consistency* in [`crate::docs`] has the figures.
    ///
    /// If its future is dropped once the closure has returned, a [runtime](crate::AuthorizerBuilder::runtime) finishes
    /// the commit all the same. Without one, the commit is in doubt until the next asynchronous call on the tenant.
    ///
    /// # Complexity
    /// One call to the store. A closure that fails or has no effect costs one call too. A conflict costs two calls more,
    /// and each process that commits without a pause makes two calls more now and then, to let others in.
    ///
    /// # Errors
    /// The errors of the closure, and:
    ///
    /// - [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) if the result breaks a separation (R14), and
    ///   [`AssertionFailed`](crate::ErrorKind::AssertionFailed) if it breaks an assertion (R17).
    /// - [`Escalation`](crate::ErrorKind::Escalation) if the closure has [set a guard](crate::Tx::set_guard) and gives what
    ///   its actor lacks (R13).
    /// - [`TooManyEntities`](crate::ErrorKind::TooManyEntities) if the tenant has had too many entities of one kind since it
    ///   was opened.
    /// - [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the tenant was given a slug that is taken.
    /// - [`Conflict`](crate::ErrorKind::Conflict) if other writers won every attempt.
    /// - [`Blocked`](crate::ErrorKind::Blocked) if an earlier commit is in doubt. Nothing was sent.
    /// - [`Unavailable`](crate::ErrorKind::Unavailable) if the store could not be reached and nothing happened. The same if
    ///   the closure failed and the store could not confirm that its base is the latest revision.
    /// - [`InDoubt`](crate::ErrorKind::InDoubt) if it is not known whether the commit was applied. Every check is denied
    ///   until that is resolved. [`Tenant::outcome`] then returns its outcome.
    /// - [`NestedUpdate`](crate::ErrorKind::NestedUpdate) inside the closure of an update.
    /// - [`Closed`](crate::ErrorKind::Closed) or [`Deleted`](crate::ErrorKind::Deleted) if the tenant is.
    /// - [`TooLarge`](crate::ErrorKind::TooLarge), [`UnsupportedRecord`](crate::ErrorKind::UnsupportedRecord) or
    ///   [`Corrupt`](crate::ErrorKind::Corrupt) if the store refused the commit, which then changed nothing, or if the newer
    ///   commits of another process could not be read.
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

    /// Plans an update on the newest snapshot, and commits nothing.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// assert_eq!(plan.changes().len(), 1);
    /// acme.commit(plan)?;
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Consistency
    /// The store is not called. An error of the closure can be due to an old revision: call [`Tenant::refresh`] first, or
    /// use [`Tenant::update`].
    ///
    /// # Errors
    /// The errors of the closure, and:
    ///
    /// - [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) if the result breaks a separation (R14), and
    ///   [`AssertionFailed`](crate::ErrorKind::AssertionFailed) if it breaks an assertion (R17).
    /// - [`Escalation`](crate::ErrorKind::Escalation) (R13), and [`TooManyEntities`](crate::ErrorKind::TooManyEntities).
    /// - [`Closed`](crate::ErrorKind::Closed) or [`Deleted`](crate::ErrorKind::Deleted) if the tenant is, and
    ///   [`Internal`](crate::ErrorKind::Internal) if it is out of service.
    pub fn plan<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<(T, Plan)> {
        self.try_plan(f)
    }

    /// [`Tenant::plan`] for a closure with an error type of the application.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.try_plan(|tx| tx.create_user("alice")?.done())?;
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
    /// The plan was judged at the instant at which it was made ([`Plan::instant`]). A window that has ended since is stored
    /// and has no effect (R3).
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let (_, plan) = acme.plan(|tx| tx.create_user("alice")?.done())?;
    /// acme.commit(plan)?;
    /// assert!(acme.now().user("alice").is_some());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Stale`](crate::ErrorKind::Stale) if the tenant has changed since the plan was made.
    /// [`ForeignPlan`](crate::ErrorKind::ForeignPlan) if the plan was made by another tenant, or before this one was opened
    /// again. Otherwise the errors of [`Tenant::update`]. [`Tenant::rebase`] helps with the first two, unless the plan is of
    /// another tenant. The plan is consumed, so keep a clone for that.
    pub async fn commit(&self, plan: Plan) -> Result<Updated<()>> {
        reject_nested()?;
        let turn = self.0.turn().await?;
        let turn = self.0.made_ready(turn).await?;
        let began = self.0.shared.clock.now();
        self.0.let_others_in(began).await?;
        let present = self.0.current.load();
        if !Arc::ptr_eq(&plan.base.session, &present.session) {
            return Err(Error::new(ErrorKind::ForeignPlan).advise(FOREIGN_ADVICE));
        }
        if plan.base.position != present.position {
            return Err(Error::new(ErrorKind::Stale).advise(STALE_ADVICE));
        }
        match self.0.push_to_the_end(turn, plan).await? {
            (_turn, plan, Attempt::Done) => {
                self.0.has_committed(&plan, began);
                Ok(committed((), plan))
            }
            (_turn, _, Attempt::Retry) => Err(Error::new(ErrorKind::Stale).advise(STALE_ADVICE)),
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
    without_value(plan).with_value(value)
}

fn without_value(plan: Plan) -> Updated<()> {
    let commit = (!plan.changes.is_empty()).then_some(plan.envelope.id);
    let warnings = plan.warnings();
    let revision = plan.next.position.revision;
    let sides = commit.map(|_| (Snapshot(plan.base), Snapshot(plan.next)));
    Updated { value: (), revision, commit, changes: plan.changes, warnings, sides }
}

impl CommitContext {
    pub(crate) fn new(clock: &dyn crate::model::clock::Clock) -> Self {
        Self { commit: CommitId::random(), at: clock.now(), new_id: Uuid::new_v4 }
    }
}

/// Runs a closure on a draft of this state.
pub(super) fn plan<T, E: From<Error>>(
    base: Arc<CompiledTenant>,
    context: CommitContext,
    f: &mut impl FnMut(&Tx) -> Result<T, E>,
) -> Result<(T, Plan), E> {
    let _inside = Inside::enter();
    Tx::run(Draft::new(base, context), f)
}

impl Inner {
    /// Plans, commits and publishes. Tries again if another writer commits first.
    pub(super) async fn run<T, E: From<Error>>(
        self: &Arc<Self>,
        mut make: impl FnMut(Arc<CompiledTenant>) -> Result<(T, Plan), E>,
    ) -> Result<Updated<T>, E> {
        let mut attempts = Attempts::begin(self).await?;
        loop {
            attempts = match make(attempts.base()?) {
                Ok((value, plan)) => match attempts.send(plan).await? {
                    Progress::Done(plan) => return Ok(committed(value, plan)),
                    Progress::Again(attempts) => attempts,
                },
                Err(error) => match attempts.with_newer_base().await? {
                    Some(attempts) => attempts,
                    None => return Err(error),
                },
            };
        }
    }

    /// Lets other processes commit, if this one has committed without a pause for long. See `pacing.rs`.
    async fn let_others_in(&self, now: Timestamp) -> Result<()> {
        if self.write_state.pacing.is_due(now) {
            for _ in 0..CALLS {
                self.latest().await?;
            }
        }
        Ok(())
    }

    fn has_committed(&self, plan: &Plan, sent: Timestamp) {
        if !plan.is_empty() {
            self.write_state.pacing.committed(sent, self.shared.clock.now());
        }
    }

    /// Takes in the commits of other processes, and returns the latest position.
    pub(super) async fn latest(&self) -> Result<Position> {
        let before = self.current.guard().position;
        self.sync().await?;
        self.writable()?;
        let latest = self.current.guard().position;
        if latest != before {
            self.write_state.pacing.met_others();
        }
        Ok(latest)
    }

    /// Makes the tenant ready for a write, even if the caller's future is dropped meanwhile.
    pub(super) async fn made_ready(self: &Arc<Self>, turn: Turn) -> Result<Turn> {
        let is_serving = self.current.guard().availability == Availability::Serving;
        if is_serving && self.write_state.pending().is_none() {
            return Ok(turn);
        }
        let inner = Arc::clone(self);
        self.detached(async move { inner.ready().await.map(|()| turn) }).await?
    }

    /// Makes the tenant ready for a write: open, without a commit in doubt, and with valid content that is confirmed.
    async fn ready(self: &Arc<Self>) -> Result<()> {
        self.writable()?;
        self.resolve_pending().await?;
        let availability = self.current.guard().availability;
        if matches!(availability, Availability::InvalidContent | Availability::Unconfirmed) {
            self.sync().await?;
        }
        self.writable()
    }

    /// Sends a plan to the store, even if the caller's future is dropped meanwhile. The plan was made on the current
    /// snapshot. Returns the turn, for another attempt. If the caller is gone, the turn is passed on.
    async fn push_to_the_end(self: &Arc<Self>, turn: Turn, plan: Plan) -> Result<(Turn, Plan, Attempt)> {
        let (inner, commit) = (Arc::clone(self), plan.envelope.id);
        let span = Span::commit(self.tenant_id, Some(plan.base.position), commit, plan.changes.len());
        let work = async move { inner.push(&plan).await.map(|attempt| (turn, plan, attempt)) };
        match detached(self.shared.runtime.as_ref(), span.around(work)).await {
            Ok(pushed) => pushed,
            Err(Stopped::BeforeItBegan) => Err(Stopped::BeforeItBegan.into()),
            Err(Stopped::HalfWay) => {
                Err(Error::in_doubt(commit).reason("the task of the update was stopped before it finished"))
            }
        }
    }

    /// Runs this to its end, even if the caller's future is dropped meanwhile.
    pub(super) fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        let running = detached(self.shared.runtime.as_ref(), work);
        async move { Ok(running.await?) }
    }

    /// Sends a plan to the store. The caller has the turn, and the plan was made on the current snapshot.
    async fn push(self: &Arc<Self>, plan: &Plan) -> Result<Attempt> {
        if plan.changes.is_empty() {
            return self.still_latest(plan).await;
        }
        let pending = Arc::new(Pending {
            base: plan.base.position,
            envelope: plan.envelope.clone(),
            changes: plan.changes.clone(),
            next: Some(Arc::clone(&plan.next)),
            is_staged: false,
        });
        let sent = Sent { inner: self, pending: Some(Arc::clone(&pending)) };
        let answer = self.store().commit(pending.as_commit()).await;
        match answer {
            Ok(revision) if revision == plan.next.position.revision => {
                sent.resolved();
                let published = self.publish(Arc::clone(&plan.next), News::Changes(&[&plan.changes]));
                self.record(TenantEvent::Committed(revision));
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
                self.record(match outcome {
                    Outcome::Committed(revision) => TenantEvent::Committed(revision),
                    _ => TenantEvent::Conflict(actual),
                });
                Self::judged(outcome, &pending)
            }
            // In doubt, or a revision that this commit cannot have.
            Ok(_) | Err(StoreError::InDoubt(_)) => {
                drop(sent);
                let outcome = self.resolve(&pending).await;
                if matches!(outcome, Outcome::Committed(_) | Outcome::Aborted) {
                    self.resolved_within_call(pending.envelope.id);
                }
                Self::judged(outcome, &pending).map_err(|error| because(error, answer))
            }
            Err(error) => {
                sent.resolved();
                if matches!(error, StoreError::Deleted) {
                    self.ended();
                }
                let error =
                    store_error(error, plan.next.state.tenant.as_ref().map_or("", |tenant| tenant.slug.as_str()));
                let error = error.of_refused_commit();
                self.record(TenantEvent::CommitFailed(error.kind()));
                Err(error)
            }
        }
    }

    fn judged(outcome: Outcome, pending: &Pending) -> Result<Attempt> {
        match outcome {
            Outcome::Committed(_) => Ok(Attempt::Done),
            Outcome::Aborted => Ok(Attempt::Retry),
            Outcome::InDoubt => Err(Error::in_doubt(pending.envelope.id)),
            Outcome::Unknown => Err(Error::in_doubt(pending.envelope.id)
                .reason("it can no longer be found out")
                .advise("look at the tenant before you repeat the call: the commit may have been applied")),
        }
    }

    /// Confirms with the store that the base is still the latest, before an update reports that it had no effect (R11).
    async fn still_latest(&self, plan: &Plan) -> Result<Attempt> {
        let base = plan.base.position;
        match self.store().since(base).await {
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
