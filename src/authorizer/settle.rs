//! Finding out what became of a commit of ours whose outcome is not known.
//!
//! The commit's id is looked for among the commits since its base. If the revision has not moved, the same commit is
//! sent again; if the store then refuses it for good, an empty commit takes its place, so that a late copy of the first
//! can no longer land. Whichever commit holds the next revision settles it. Every step is safe to repeat.

use std::sync::Arc;

use super::refresh::Loaded;
use super::tenant::{Inner, Outcome, Pending};
use crate::error::{Error, ErrorKind, Result};
use crate::records::{CommitId, Envelope};
use crate::snapshot::Standing;
use crate::store::{Base, Commit, Committed, Since, StoreError};

/// How often the store may answer "somebody moved" before the matter is left open for the next call.
const MOST_ROUNDS: usize = 4;

/// What to do next.
enum Round {
    Settled(Outcome),
    Again,
}

impl Inner {
    /// Settles what is open, if something is.
    pub(super) async fn settle_first(&self) -> Result<()> {
        let Some(pending) = self.slot.pending() else {
            // Settled through another opening of the same life: what was found is still to be seen here.
            let is_unsettled = self.current.guard().standing == Standing::Unsettled;
            return if is_unsettled { self.sync().await } else { Ok(()) };
        };
        match self.settle(&pending).await {
            Outcome::Open => Err(Error::new(ErrorKind::Unsettled).of_commit(pending.envelope.id.uuid())),
            Outcome::Landed(_) | Outcome::Lost | Outcome::Unknowable => Ok(()),
        }
    }

    /// One attempt to settle a commit. The caller has the turn. Afterwards the snapshot in hand holds what was found.
    pub(super) async fn settle(&self, pending: &Arc<Pending>) -> Outcome {
        for _ in 0..MOST_ROUNDS {
            let round = match self.tools.store.since(pending.base).await {
                Ok(Since::Commits(commits)) if commits.is_empty() => self.send_again(pending).await,
                Ok(Since::Commits(commits)) => self.found_among(pending, commits).await,
                Ok(Since::TooOld) => self.found_by_load(pending).await,
                Ok(Since::Gone) => self.life_is_over(),
                Err(_) => Round::Settled(Outcome::Open),
            };
            match round {
                Round::Settled(Outcome::Open) => break,
                Round::Settled(outcome) => {
                    self.tell(pending.envelope.id, outcome);
                    self.slot.set_pending(None);
                    return outcome;
                }
                Round::Again => {}
            }
        }
        self.tell(pending.envelope.id, Outcome::Open);
        Outcome::Open
    }

    async fn found_among(&self, pending: &Pending, commits: Vec<Committed>) -> Round {
        let own = commits.iter().find(|commit| commit.envelope.id == pending.envelope.id);
        let outcome = own.map_or(Outcome::Lost, |commit| Outcome::Landed(commit.revision));
        self.settled_as(outcome, pending, commits).await
    }

    /// A commit is settled once the snapshot in hand holds what was found: these commits on the base. A snapshot that is
    /// neither the base nor made by one of them (of a later opening) is of another history: the store was restored from a
    /// backup, and the snapshot is refused. No second question could help, since the store may be restored in between.
    async fn settled_as(&self, outcome: Outcome, pending: &Pending, commits: Vec<Committed>) -> Round {
        let present = self.current.guard().position;
        let made = |commit: &Committed| commit.revision == present.revision && commit.envelope.id == present.commit;
        if present != pending.base && !commits.iter().any(made) {
            self.current.stand(Standing::Refused);
            return Round::Settled(Outcome::Open);
        }
        Round::Settled(if self.follow(commits).await.is_ok() { outcome } else { Outcome::Open })
    }

    async fn found_by_load(&self, pending: &Arc<Pending>) -> Round {
        match self.load().await {
            Ok(Loaded::At(compiled)) => {
                let at = compiled.position;
                if at == pending.base {
                    return self.send_again(pending).await;
                }
                let outcome = if at.revision != pending.base.revision.next() {
                    Outcome::Unknowable
                } else if at.commit == pending.envelope.id {
                    Outcome::Landed(at.revision)
                } else {
                    Outcome::Lost
                };
                match self.accept(compiled) {
                    Ok(()) => Round::Settled(outcome),
                    // The history went back: in this one, the base of the commit never was.
                    Err(_) => Round::Settled(Outcome::Unknowable),
                }
            }
            Ok(Loaded::Gone) => self.life_is_over(),
            Err(_) => Round::Settled(Outcome::Open),
        }
    }

    /// The revision has not moved: the same commit, once more.
    async fn send_again(&self, pending: &Arc<Pending>) -> Round {
        match self.tools.store.commit(pending.as_commit()).await {
            Ok(revision) if revision == pending.base.revision.next() => self.landed(pending).await,
            Ok(_) | Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => Round::Settled(Outcome::Open),
            Err(StoreError::Conflict { .. }) => Round::Again,
            Err(StoreError::Gone) => self.life_is_over(),
            Err(_) => self.send_nothing(pending).await,
        }
    }

    async fn landed(&self, pending: &Pending) -> Round {
        let revision = pending.base.revision.next();
        let present = self.current.load();
        let next = pending.next.as_ref().filter(|next| Arc::ptr_eq(&next.opening, &present.opening));
        if let Some(next) = next.filter(|_| present.position == pending.base) {
            self.publish(Arc::clone(next));
            self.opening.published(next, &pending.changes);
            return Round::Settled(Outcome::Landed(revision));
        }
        let commit = Committed { revision, envelope: pending.envelope.clone(), changes: pending.changes.clone() };
        self.settled_as(Outcome::Landed(revision), pending, vec![commit]).await
    }

    /// The store refuses the commit for good, and an earlier copy may still be under way: an empty one takes its place.
    async fn send_nothing(&self, pending: &Pending) -> Round {
        let envelope = Envelope { id: CommitId::random(), ..pending.envelope.clone() };
        let commit = Commit { base: Base::State(pending.base), envelope: &envelope, changes: &[] };
        match self.tools.store.commit(commit).await {
            Ok(revision) if revision == pending.base.revision.next() => {
                let commit = Committed { revision, envelope, changes: Vec::new() };
                self.settled_as(Outcome::Lost, pending, vec![commit]).await
            }
            Err(StoreError::Conflict { .. }) => Round::Again,
            Err(StoreError::Gone) => self.life_is_over(),
            Ok(_) | Err(_) => Round::Settled(Outcome::Open),
        }
    }

    fn life_is_over(&self) -> Round {
        self.ended();
        Round::Settled(Outcome::Unknowable)
    }
}
