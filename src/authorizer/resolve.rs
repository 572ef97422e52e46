//! Resolves a commit in doubt: finds out whether it was applied.
//!
//! 1. Look for the commit's id among the commits since its base.
//! 2. If there are none, send the same commit again.
//! 3. If the store then rejects it permanently, send an empty commit on the same base. A late copy of the first commit
//!    can then no longer be applied.
//!
//! A staged commit is never sent again, because the application's own changes would be missing: step 3 follows step 1.
//!
//! The commit that made the next revision decides the outcome. Every step is safe to repeat.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::refresh::Loaded;
use super::runtime::Runtime;
use super::telemetry::{Span, TenantEvent};
use super::tenant::{Inner, Outcome};
use super::write_state::Pending;
use crate::model::error::{Error, Result};
use crate::model::records::{CommitId, Envelope};
use crate::resolver::snapshot::Availability;
use crate::resolver::snapshot::session::News;
use crate::store::{Base, Commit, Since, StoreError, StoredCommit};

/// The number of conflicts after which the commit stays in doubt until the next call.
const MOST_ROUNDS: usize = 4;

/// The next step.
enum Round {
    Resolved(Outcome),
    Again,
}

/// The pause before a task resolves a commit that could not be resolved at once. Each one is twice as long as the one
/// before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause. So a tenant serves at most this long after its store can be reached again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The task that resolves a commit in doubt. If a panic of the store ends it, another one continues.
struct Resolving {
    tenant: Weak<Inner>,
    pause: Duration,
}

impl Drop for Resolving {
    fn drop(&mut self) {
        let Some(inner) = self.tenant.upgrade() else { return };
        inner.is_being_resolved.store(false, Ordering::Release);
        if thread::panicking() && inner.is_open() && inner.is_in_doubt() {
            inner.start_resolving(self.pause);
        }
    }
}

impl Resolving {
    async fn run(mut self, runtime: Arc<dyn Runtime>) {
        loop {
            runtime.sleep(self.pause).await;
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            // Held only for an attempt, so that a tenant which everybody else has dropped is freed.
            let Some(inner) = self.tenant.upgrade() else { return };
            let _turn = inner.write_state.write_queue.take().await;
            if inner.is_open() && inner.is_in_doubt() {
                drop(inner.resolve_pending().await);
            }
            if !inner.is_open() || !inner.is_in_doubt() {
                // This task has the turn, and only the holder of the turn can put a commit in doubt.
                drop(self);
                return;
            }
        }
    }
}

impl Inner {
    /// Marks a commit as in doubt. Every check is denied until it is resolved, which is left to a task.
    pub(super) fn mark_in_doubt(self: &Arc<Self>, pending: Arc<Pending>) {
        self.remember_outcome(pending.envelope.id, Outcome::InDoubt);
        self.record(TenantEvent::InDoubt(pending.envelope.id));
        self.write_state.set_pending(Some(pending));
        self.current.set_availability(Availability::InDoubt);
        self.resolve_in_a_task();
    }

    /// Starts a task that resolves the commit in doubt, unless one is running. It ends when the tenant is resolved, closed
    /// or deleted, or when nobody refers to it.
    pub(super) fn resolve_in_a_task(self: &Arc<Self>) {
        self.start_resolving(Duration::ZERO);
    }

    fn start_resolving(self: &Arc<Self>, pause: Duration) {
        let Some(runtime) = self.shared.runtime.as_ref() else { return };
        if self.is_being_resolved.swap(true, Ordering::AcqRel) {
            return;
        }
        let resolving = Resolving { tenant: Arc::downgrade(self), pause };
        runtime.spawn(Box::pin(resolving.run(Arc::clone(runtime))));
    }

    /// Whether a commit must be resolved before the tenant is available again.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.write_state.pending().is_some() || self.current.guard().availability == Availability::InDoubt
    }

    /// Resolves the pending commit of an earlier call, if there is one.
    ///
    /// # Errors
    /// [`Blocked`](crate::ErrorKind::Blocked) if it stays in doubt: nothing of the calling write was sent.
    pub(super) async fn resolve_pending(&self) -> Result<()> {
        let Some(pending) = self.write_state.pending() else {
            // Another session of the tenant has resolved the commit. This one still has to see the outcome.
            let is_in_doubt = self.current.guard().availability == Availability::InDoubt;
            return if is_in_doubt { self.sync().await } else { Ok(()) };
        };
        match self.resolve(&pending).await {
            Outcome::InDoubt => Err(Error::blocked(pending.envelope.id)),
            Outcome::Committed(_) | Outcome::Aborted | Outcome::Unknown => Ok(()),
        }
    }

    /// Makes one attempt to resolve a commit. The caller has the turn. Once the commit is resolved, the current
    /// snapshot reflects the outcome.
    pub(super) async fn resolve(&self, pending: &Arc<Pending>) -> Outcome {
        Span::resolve(self.tenant_id, pending.envelope.id).around(self.find_out(pending)).await
    }

    async fn find_out(&self, pending: &Arc<Pending>) -> Outcome {
        for _ in 0..MOST_ROUNDS {
            let round = match self.store().since(pending.base).await {
                Ok(Since::Commits(commits)) if commits.is_empty() => self.send_again(pending).await,
                Ok(Since::Commits(commits)) => self.found_among(pending, commits).await,
                Ok(Since::TooOld) => self.found_by_load(pending).await,
                Ok(Since::Deleted) => self.tenant_is_deleted(),
                Err(_) => Round::Resolved(Outcome::InDoubt),
            };
            match round {
                Round::Resolved(Outcome::InDoubt) => break,
                Round::Resolved(outcome) => {
                    // After a plain conflict nothing is pending, and nobody asks for the outcome.
                    if self.write_state.pending().is_some() || outcome == Outcome::Unknown {
                        self.remember_outcome(pending.envelope.id, outcome);
                        self.record(TenantEvent::Resolved(pending.envelope.id, outcome));
                    }
                    self.write_state.set_pending(None);
                    return outcome;
                }
                Round::Again => {}
            }
        }
        if self.write_state.pending().is_some() {
            self.remember_outcome(pending.envelope.id, Outcome::InDoubt);
        }
        Outcome::InDoubt
    }

    async fn found_among(&self, pending: &Pending, commits: Vec<StoredCommit>) -> Round {
        let own = commits.iter().find(|commit| commit.envelope.id == pending.envelope.id);
        let outcome = own.map_or(Outcome::Aborted, |commit| Outcome::Committed(commit.revision));
        self.resolved_as(outcome, pending, commits).await
    }

    /// Resolves a commit once the current snapshot includes these commits on its base. A snapshot that is neither the
    /// base nor the result of one of them belongs to another history: the store was restored from a backup. Such a
    /// snapshot is taken out of service. Asking the store again would not help, because it may be restored again in
    /// between.
    async fn resolved_as(&self, outcome: Outcome, pending: &Pending, commits: Vec<StoredCommit>) -> Round {
        let present = self.current.guard().position;
        let made = |commit: &StoredCommit| commit.revision == present.revision && commit.envelope.id == present.commit;
        if present != pending.base && !commits.iter().any(made) {
            self.current.set_availability(Availability::InvalidContent);
            return Round::Resolved(Outcome::InDoubt);
        }
        Round::Resolved(if self.follow(commits).await.is_ok() { outcome } else { Outcome::InDoubt })
    }

    async fn found_by_load(&self, pending: &Arc<Pending>) -> Round {
        match self.load().await {
            Ok(Loaded::Tenant(compiled)) => {
                let at = compiled.position;
                if at == pending.base {
                    return self.send_again(pending).await;
                }
                let outcome = if at.revision != pending.base.revision.next() {
                    Outcome::Unknown
                } else if at.commit == pending.envelope.id {
                    Outcome::Committed(at.revision)
                } else {
                    Outcome::Aborted
                };
                match self.accept(compiled) {
                    Ok(()) => Round::Resolved(outcome),
                    // The store went back in history: the base of the commit does not exist there.
                    Err(_) => Round::Resolved(Outcome::Unknown),
                }
            }
            Ok(Loaded::Deleted) => self.tenant_is_deleted(),
            Err(_) => Round::Resolved(Outcome::InDoubt),
        }
    }

    /// Sends the same commit again. The caller has found that the revision has not moved.
    async fn send_again(&self, pending: &Arc<Pending>) -> Round {
        if pending.is_staged {
            return self.send_nothing(pending).await;
        }
        match self.store().commit(pending.as_commit()).await {
            Ok(revision) if revision == pending.base.revision.next() => self.committed(pending).await,
            Ok(_) | Err(StoreError::Unavailable(_) | StoreError::InDoubt(_)) => Round::Resolved(Outcome::InDoubt),
            Err(StoreError::Conflict { .. }) => Round::Again,
            Err(StoreError::Deleted) => self.tenant_is_deleted(),
            Err(_) => self.send_nothing(pending).await,
        }
    }

    async fn committed(&self, pending: &Pending) -> Round {
        let revision = pending.base.revision.next();
        let present = self.current.load();
        let next = pending.next.as_ref().filter(|next| Arc::ptr_eq(&next.session, &present.session));
        let is_base = present.position == pending.base && present.availability != Availability::Broken;
        if let Some(next) = next.filter(|_| is_base) {
            let published = self.publish(Arc::clone(next), News::Changes(&[&pending.changes]));
            // The commit is resolved once a snapshot that includes it is published.
            return Round::Resolved(published.map_or(Outcome::InDoubt, |()| Outcome::Committed(revision)));
        }
        let commit = StoredCommit { revision, envelope: pending.envelope.clone(), changes: pending.changes.clone() };
        self.resolved_as(Outcome::Committed(revision), pending, vec![commit]).await
    }

    /// Sends an empty commit on the same base. The store has rejected the commit permanently, and an earlier copy of it
    /// may still arrive; or the transaction of a staged commit may still be committed.
    async fn send_nothing(&self, pending: &Pending) -> Round {
        let envelope = Envelope { id: CommitId::random(), ..pending.envelope.clone() };
        let commit = Commit { base: Base::At(pending.base), envelope: &envelope, changes: &[] };
        match self.store().commit(commit).await {
            Ok(revision) if revision == pending.base.revision.next() => {
                let commit = StoredCommit { revision, envelope, changes: Vec::new() };
                self.resolved_as(Outcome::Aborted, pending, vec![commit]).await
            }
            Err(StoreError::Conflict { .. }) => Round::Again,
            Err(StoreError::Deleted) => self.tenant_is_deleted(),
            Ok(_) | Err(_) => Round::Resolved(Outcome::InDoubt),
        }
    }

    fn tenant_is_deleted(&self) -> Round {
        self.ended();
        Round::Resolved(Outcome::Unknown)
    }
}
