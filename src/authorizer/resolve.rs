//! Finding out what became of a commit of ours whose outcome is not known.
//!
//! The commit's id is looked for among the commits since its base. If the revision has not moved, the same commit is
//! sent again; if the store then refuses it for good, an empty commit takes its place, so that a late copy of the first
//! can no longer land. Whichever commit references the next revision settles it. Every step is safe to repeat.

use std::sync::Arc;

use super::refresh::Loaded;
use super::tenant::{Inner, Outcome};
use super::write_state::Pending;
use crate::model::error::{Error, Result};
use crate::model::records::{CommitId, Envelope};
use crate::resolver::snapshot::Availability;
use crate::resolver::snapshot::session::News;
use crate::store::{Base, Commit, Since, StoreError, StoredCommit};

/// How often the store may answer "somebody moved" before the matter is left open for the next call.
const MOST_ROUNDS: usize = 4;

/// What to do next.
enum Round {
    Resolved(Outcome),
    Again,
}

impl Inner {
    /// Settles what is open, if something is.
    pub(super) async fn resolve_pending(&self) -> Result<()> {
        let Some(pending) = self.write_state.pending() else {
            // Settled through another opening of the same life: what was found is still to be seen here.
            let is_in_doubt = self.current.guard().availability == Availability::InDoubt;
            return if is_in_doubt { self.sync().await } else { Ok(()) };
        };
        match self.resolve(&pending).await {
            Outcome::InDoubt => Err(Error::in_doubt(pending.envelope.id)),
            Outcome::Committed(_) | Outcome::Aborted | Outcome::Unknown => Ok(()),
        }
    }

    /// One attempt to settle a commit. The caller has the turn. Afterwards the snapshot in hand references what was found.
    pub(super) async fn resolve(&self, pending: &Arc<Pending>) -> Outcome {
        for _ in 0..MOST_ROUNDS {
            let round = match self.shared.store.since(pending.base).await {
                Ok(Since::Commits(commits)) if commits.is_empty() => self.send_again(pending).await,
                Ok(Since::Commits(commits)) => self.found_among(pending, commits).await,
                Ok(Since::TooOld) => self.found_by_load(pending).await,
                Ok(Since::Deleted) => self.tenant_is_deleted(),
                Err(_) => Round::Resolved(Outcome::InDoubt),
            };
            match round {
                Round::Resolved(Outcome::InDoubt) => break,
                Round::Resolved(outcome) => {
                    self.tell(pending.envelope.id, outcome);
                    self.write_state.set_pending(None);
                    return outcome;
                }
                Round::Again => {}
            }
        }
        self.tell(pending.envelope.id, Outcome::InDoubt);
        Outcome::InDoubt
    }

    async fn found_among(&self, pending: &Pending, commits: Vec<StoredCommit>) -> Round {
        let own = commits.iter().find(|commit| commit.envelope.id == pending.envelope.id);
        let outcome = own.map_or(Outcome::Aborted, |commit| Outcome::Committed(commit.revision));
        self.resolved_as(outcome, pending, commits).await
    }

    /// A commit is settled once the snapshot in hand references what was found: these commits on the base. A snapshot that is
    /// neither the base nor made by one of them (of a later opening) is of another history: the store was restored from a
    /// backup, and the snapshot is refused. No second question could help, since the store may be restored in between.
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
                    // The history went back: in this one, the base of the commit never was.
                    Err(_) => Round::Resolved(Outcome::Unknown),
                }
            }
            Ok(Loaded::Deleted) => self.tenant_is_deleted(),
            Err(_) => Round::Resolved(Outcome::InDoubt),
        }
    }

    /// The revision has not moved: the same commit, once more.
    async fn send_again(&self, pending: &Arc<Pending>) -> Round {
        match self.shared.store.commit(pending.as_commit()).await {
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
            // The commit is resolved once a snapshot that references it is published.
            return Round::Resolved(published.map_or(Outcome::InDoubt, |()| Outcome::Committed(revision)));
        }
        let commit = StoredCommit { revision, envelope: pending.envelope.clone(), changes: pending.changes.clone() };
        self.resolved_as(Outcome::Committed(revision), pending, vec![commit]).await
    }

    /// The store refuses the commit for good, and an earlier copy may still be under way: an empty one takes its place.
    async fn send_nothing(&self, pending: &Pending) -> Round {
        let envelope = Envelope { id: CommitId::random(), ..pending.envelope.clone() };
        let commit = Commit { base: Base::At(pending.base), envelope: &envelope, changes: &[] };
        match self.shared.store.commit(commit).await {
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
