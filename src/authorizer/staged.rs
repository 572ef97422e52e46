//! Staged transactions: committed by the application, inside its own database transaction.
//!
//! The stage has the tenant's turn until it ends. The authorizer cannot see how the application's transaction ends. So a
//! stage ends as a commit in doubt does: the commit that made the next revision decides. If there is none, an empty commit
//! makes it. The staged commit itself is never sent: the application's rows would not be there.
//!
//! `tests/staged_protocol` is the model.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::commit::{Updated, committed, plan};
use super::detached::detached;
use super::nested::reject_nested;
use super::telemetry::{Span, TenantEvent};
use super::tenant::{Inner, Outcome, Tenant};
use super::write_queue::Turn;
use super::write_state::Pending;
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::records::CommitId;
use crate::plan::{CommitContext, Plan, Tx};
use crate::store::Commit;
use crate::timer::{self, Sleep};

const NOT_COMMITTED: &str = "the staged commit is not in the store and never will be: it was not part of a committed transaction, or another writer was faster";

const NOT_ENDED: &str = "this process staged it and did not finish it in time";

/// A transaction that is planned, and that the application commits inside its own database transaction.
///
/// [`Tenant::stage`] returns it. The application gives [`Staged::commit`] to its store's `commit_in`, together with its
/// own open transaction, and ends that transaction. Then it calls [`Staged::finish`], or [`Staged::rolled_back`] if it has
/// rolled back.
///
/// **Until then the tenant cannot be changed, refreshed or closed in this process**, so keep it short. Such a call waits at
/// most [`retry_timeout`](crate::AuthorizerBuilder::retry_timeout) for the end of the stage, and then returns
/// [`Blocked`](crate::ErrorKind::Blocked). So does one of the same task, which would wait for itself. Questions are answered
/// from the revision before the stage.
///
/// | the stage ends with | the tenant |
/// |---|---|
/// | [`finish`](Self::finish) | has the latest state of the store |
/// | [`rolled_back`](Self::rolled_back) | is unchanged |
/// | a drop before `commit` was called | is unchanged |
/// | a drop after it | is in doubt, which denies every check, until that is resolved: a [runtime](crate::AuthorizerBuilder::runtime) does so at once, otherwise the next asynchronous call on the tenant |
///
/// # Example
/// ```
/// # use rolecall::store::{MemoryStore, Store};
/// # pollster::block_on(async {
/// # let store = std::sync::Arc::new(MemoryStore::default());
/// # let authorizer = rolecall::Authorizer::builder().store(store.clone()).build();
/// let acme = authorizer.create_tenant("acme", "Acme").await?;
/// let staged = acme.stage(|tx| tx.create_group("project-7")?.done()).await?;
/// // With a database: `store.commit_in(&mut transaction, staged.commit())`, and then `transaction.commit()`.
/// store.commit(staged.commit()).await?;
/// assert!(acme.now().group("project-7").is_none(), "not before `finish`");
/// staged.finish().await?;
/// assert!(acme.now().group("project-7").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "finish it: if it is dropped after `commit`, its commit is in doubt"]
pub struct Staged<T> {
    value: T,
    plan: Plan,
    held: StagedTurn,
}

/// The turn of a tenant, and the commit that the application may have sent. Dropping it leaves that commit in doubt.
struct StagedTurn {
    inner: Arc<Inner>,
    pending: Arc<Pending>,
    is_handed_out: AtomicBool,
    /// Passed on last.
    _turn: Turn,
}

impl Drop for StagedTurn {
    fn drop(&mut self) {
        self.inner.write_state.set_staged(None);
        if *self.is_handed_out.get_mut() {
            self.inner.mark_in_doubt(Arc::clone(&self.pending));
        }
    }
}

impl StagedTurn {
    /// Nothing is in doubt any more.
    fn resolved(&mut self) {
        *self.is_handed_out.get_mut() = false;
    }

    /// Asks the store for the outcome, and publishes its latest state.
    async fn find_out(mut self) -> Outcome {
        let outcome = self.inner.resolve(&self.pending).await;
        if outcome != Outcome::InDoubt {
            self.resolved();
        }
        let event = match outcome {
            Outcome::Committed(revision) => TenantEvent::Committed(revision),
            Outcome::Aborted => TenantEvent::CommitFailed(ErrorKind::Conflict),
            Outcome::InDoubt | Outcome::Unknown => return outcome,
        };
        // A caller that has hung up can ask for it.
        self.inner.remember_outcome(self.pending.envelope.id, outcome);
        self.inner.record(event);
        outcome
    }
}

impl Tenant {
    /// Plans a transaction that the application commits inside its own database transaction, together with its own rows.
    ///
    /// The closure runs once, on the latest state of the store. It is not run again if another process commits before the
    /// application does. The application's transaction then fails with a conflict and has to be repeated as a whole. A
    /// staged transaction without effect is an empty commit. It conflicts with any commit that would give it an effect. It
    /// is the exception to R11. [`Staged`] says what ends a stage.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.id())?;
    /// assert!(staged.plan().changes().len() == 1 && acme.now().group("project-7").is_none());
    /// staged.rolled_back();
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// Neither the creation of a tenant nor its deletion can be staged. [Create](crate::Authorizer::open_or_create) it
    /// before the application's transaction, and stage its content in that. [Delete](Tenant::delete) it after the
    /// transaction that deletes the application's rows. Both calls can be repeated after a failure.
    ///
    /// # Consistency
    /// The turn is taken: other writes to the tenant in this process wait for the end of the stage. Readers see the state
    /// before it until [`Staged::finish`] returns.
    ///
    /// # Complexity
    /// One call to the store.
    ///
    /// # Errors
    /// The errors of the closure and of [`Tenant::refresh`], and:
    ///
    /// - [`SeparationOfDuties`](crate::ErrorKind::SeparationOfDuties) if the result breaks a separation (R14), and
    ///   [`AssertionFailed`](crate::ErrorKind::AssertionFailed) if it breaks an assertion (R17).
    /// - [`Escalation`](crate::ErrorKind::Escalation) (R13).
    /// - [`Blocked`](crate::ErrorKind::Blocked) if an earlier commit is in doubt, or another stage does not end.
    /// - [`Rejected`](crate::ErrorKind::Rejected) if the closure deletes the tenant. Use [`Tenant::delete`].
    pub async fn stage<T>(&self, f: impl FnMut(&Tx) -> Result<T>) -> Result<Staged<T>> {
        self.try_stage(f).await
    }

    /// [`Tenant::stage`] for a closure with an error type of the application.
    ///
    /// ```
    /// # let authorizer = rolecall::blocking::Authorizer::in_memory();
    /// let acme = authorizer.create_tenant("acme", "Acme")?;
    /// let staged = acme.try_stage(|tx| tx.create_user("alice")?.done())?;
    /// staged.rolled_back();
    /// assert!(acme.now().user("alice").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tenant::stage`], converted.
    pub async fn try_stage<T, E: From<Error>>(&self, mut f: impl FnMut(&Tx) -> Result<T, E>) -> Result<Staged<T>, E> {
        reject_nested()?;
        let turn = self.0.turn().await?;
        let turn = self.0.made_ready(turn).await?;
        self.0.latest().await?;
        let (value, plan) = plan(self.0.current.load(), CommitContext::new(&*self.0.shared.clock), &mut f)?;
        if plan.next.state.tenant.is_none() {
            const REASON: &str = "a staged transaction cannot delete the tenant";
            return Err(Error::rejected(REASON).advise("use `Tenant::delete`").into());
        }
        Ok(Staged { value, held: StagedTurn::new(&self.0, turn, &plan), plan })
    }
}

impl Inner {
    /// Waits for the turn. A wait for a stage has a limit: the stage may belong to the very task that waits.
    ///
    /// The limit is that of one stage. It runs from the beginning of the stage, which wakes all that wait, or from the call
    /// if that is later. Updates do not count.
    pub(super) async fn turn(&self) -> Result<Turn> {
        let mut wait = pin!(self.write_state.write_queue.take());
        let mut limit: Option<(CommitId, Sleep)> = None;
        poll_fn(|cx| {
            if let Poll::Ready(turn) = wait.as_mut().poll(cx) {
                return Poll::Ready(Ok(turn));
            }
            // Read when the wait is in the queue: a stage that begins later wakes it.
            let Some(commit) = self.write_state.staged() else { return Poll::Pending };
            let (_, limit) = match &mut limit {
                Some(limit) if limit.0 == commit => limit,
                limit => limit.insert((commit, timer::sleep(self.shared.retry_timeout))),
            };
            match Pin::new(limit).poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(Error::blocked(commit).reason(NOT_ENDED))),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

impl StagedTurn {
    fn new(inner: &Arc<Inner>, turn: Turn, plan: &Plan) -> Self {
        let pending = Arc::new(Pending {
            base: plan.base.position,
            envelope: plan.envelope.clone(),
            changes: plan.changes.clone(),
            next: None,
            is_staged: true,
        });
        inner.write_state.set_staged(Some(pending.envelope.id));
        inner.write_state.write_queue.wake_waiting();
        Self { inner: Arc::clone(inner), pending, is_handed_out: AtomicBool::new(false), _turn: turn }
    }
}

impl<T> Staged<T> {
    /// Returns the commit, for the `commit_in` of a store, and with it the application's transaction.
    ///
    /// Give it to one transaction only. If that fails with an error, roll back and call [`rolled_back`](Self::rolled_back):
    /// the commit is not in the store.
    ///
    /// ```
    /// # use rolecall::store::{MemoryStore, Store};
    /// # pollster::block_on(async {
    /// # let store = std::sync::Arc::new(MemoryStore::default());
    /// # let authorizer = rolecall::Authorizer::builder().store(store.clone()).build();
    /// # let acme = authorizer.create_tenant("acme", "Acme").await?;
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.done()).await?;
    /// assert_eq!(staged.commit().changes.len(), 1);
    /// store.commit(staged.commit()).await?; // with a database: `store.commit_in(&mut transaction, staged.commit())`
    /// # staged.finish().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn commit(&self) -> Commit<'_> {
        self.held.is_handed_out.store(true, Ordering::Relaxed);
        self.held.pending.as_commit()
    }

    /// Returns the value of the closure.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.id())?;
    /// println!("the id of the group, for the application's own row: {}", staged.value());
    /// staged.rolled_back();
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the plan: its changes, and the access that users would gain or lose.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.done())?;
    /// assert_eq!(staged.plan().changes().len(), 1);
    /// staged.rolled_back();
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Finds out whether the commit is in the store, and publishes the store's latest state. Call it after COMMIT, even if
    /// the answer to COMMIT was lost.
    ///
    /// If neither this commit nor another one has made the next revision, an empty commit does. A transaction that is still
    /// open then cannot be committed any more. Or this call waits for its end, as long as the store waits for locks. So end
    /// the transaction first.
    ///
    /// ```
    /// # use rolecall::store::{MemoryStore, Store};
    /// # pollster::block_on(async {
    /// # let store = std::sync::Arc::new(MemoryStore::default());
    /// # let authorizer = rolecall::Authorizer::builder().store(store.clone()).build();
    /// # let acme = authorizer.create_tenant("acme", "Acme").await?;
    /// let staged = acme.stage(|tx| tx.create_group("project-7")?.done()).await?;
    /// store.commit(staged.commit()).await?;
    /// let updated = staged.finish().await?;
    /// assert_eq!(updated.revision, acme.revision());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Consistency
    /// When it returns, every later question in this process sees the change.
    ///
    /// If its future is dropped, a [runtime](crate::AuthorizerBuilder::runtime) finds out all the same, and [`Tenant::outcome`]
    /// returns it. Without one, the commit is in doubt until the next asynchronous call on the tenant.
    ///
    /// # Complexity
    /// One call to the store. One more if the commit is not there.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) if the commit is not in the store and never will be: it can be staged again.
    /// [`InDoubt`](crate::ErrorKind::InDoubt) if that could not be found out: until it is, every check is denied, and
    /// [`Tenant::outcome`] returns what became of it.
    pub async fn finish(self) -> Result<Updated<T>> {
        let Self { value, plan, mut held } = self;
        let commit = plan.envelope.id;
        if !*held.is_handed_out.get_mut() {
            return Err(not_committed(&plan));
        }
        let inner = Arc::clone(&held.inner);
        let runtime = inner.shared.runtime.as_ref();
        let span = Span::commit(held.inner.tenant_id, Some(plan.base.position), commit, plan.changes.len());
        // A task that is stopped drops its turn, and the commit is in doubt.
        let outcome = detached(runtime, span.around(held.find_out())).await;
        if matches!(outcome, Ok(Outcome::Committed(_) | Outcome::Aborted)) {
            inner.outcome_is_returned(commit);
        }
        match outcome {
            // Also without changes, it is a commit.
            Ok(Outcome::Committed(revision)) => {
                let mut updated = committed(value, plan);
                (updated.revision, updated.commit) = (revision, Some(commit));
                Ok(updated)
            }
            Ok(Outcome::Aborted) => Err(not_committed(&plan)),
            Ok(Outcome::InDoubt) => Err(Error::in_doubt(commit)),
            Ok(Outcome::Unknown) => Err(Error::in_doubt(commit)
                .reason("it can no longer be found out")
                .advise("look at the tenant before you repeat the call: the commit may have been applied")),
            Err(_) => Err(Error::in_doubt(commit).reason("the runtime stopped the task")),
        }
    }

    /// Ends the stage after the application has rolled back its transaction, or never gave the commit to one. Nothing has
    /// happened.
    ///
    /// Call it only if the rollback is certain: the transaction was rolled back before COMMIT was sent. Otherwise use
    /// [`finish`](Self::finish). If the transaction is committed all the same, its changes appear like those of another
    /// process.
    ///
    /// ```
    /// # let acme = rolecall::blocking::Authorizer::in_memory().create_tenant("acme", "Acme")?;
    /// let staged = acme.stage(|tx| tx.create_user("alice")?.done())?;
    /// staged.rolled_back();
    /// assert!(acme.now().user("alice").is_none());
    /// # Ok::<(), rolecall::Error>(())
    /// ```
    pub fn rolled_back(mut self) {
        self.held.resolved();
    }
}

fn not_committed(plan: &Plan) -> Error {
    Error::new(ErrorKind::Conflict)
        .of_commit(plan.envelope.id)
        .in_words(NOT_COMMITTED.to_owned())
        .advise("stage it again")
}

impl<T> fmt::Debug for Staged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.plan.changes.len();
        f.debug_struct("Staged")
            .field("base", &self.held.pending.base)
            .field("changes", &changes)
            .finish_non_exhaustive()
    }
}
