//! Flaws in the history (S14).

use super::prelude::*;

macro_rules! histories {
    ($($(#[$doc:meta])* $name:ident: $alter:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name;

        impl Flaw for $name {
            async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
                let alter: fn(Since) -> Since = $alter;
                store.since(at).await.map(alter)
            }
        }
    )+};
}

histories! {
    /// S14. The history is made from the rows that changed.
    OmitsEmptyCommits: |since| match since {
        Since::Commits(mut commits) => {
            commits.retain(|commit| !commit.changes.is_empty());
            Since::Commits(commits)
        }
        other => other,
    };
    /// S14. `WHERE revision > ?`: no commits follow an unknown position.
    AcceptsUnknownPositions: |since| match since {
        Since::TooOld => Since::Commits(Vec::new()),
        other => other,
    };
    /// S14. The history has columns for changes, and none for the actor and the note.
    LosesActorsAndNotes: |since| match since {
        Since::Commits(mut commits) => {
            for commit in &mut commits {
                (commit.envelope.actor, commit.envelope.note) = (None, None);
            }
            Since::Commits(commits)
        }
        other => other,
    };
    /// S14. A deleted tenant has no history, so the answer is too old.
    ReportsDeletedAsTooOld: |since| match since {
        Since::Deleted => Since::TooOld,
        other => other,
    };
}

/// S14. `WHERE revision >= ?`.
#[derive(Clone, Default)]
pub(crate) struct IncludesTheBaseCommit(Shared<HashMap<Position, StoredCommit>>);

impl Flaw for IncludesTheBaseCommit {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        let (tenant_id, envelope, changes) =
            (commit.base.tenant_id(), commit.envelope.clone(), commit.changes.to_vec());
        let at = Position { tenant_id, revision, commit: envelope.id };
        if revision > Revision::FIRST {
            self.0.lock().unwrap().insert(at, StoredCommit { revision, envelope, changes });
        }
        Ok(revision)
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        Ok(match store.since(at).await? {
            Since::Commits(commits) => {
                let own = self.0.lock().unwrap().get(&at).cloned();
                Since::Commits(own.into_iter().chain(commits).collect())
            }
            other => other,
        })
    }
}

/// S14. The envelope is remembered, and of it the id alone is written.
#[derive(Clone, Default)]
pub(crate) struct DoesNotPersistEnvelopes(Arc<AtomicBool>);

impl Flaw for DoesNotPersistEnvelopes {
    fn reopened(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let mut since = store.since(at).await?;
        if let (Since::Commits(commits), true) = (&mut since, self.0.load(Ordering::SeqCst)) {
            for commit in commits {
                commit.envelope.actor = None;
            }
        }
        Ok(since)
    }
}

/// S14. `ORDER BY at`: the clock of the process that committed, and clocks go back.
#[derive(Clone, Default)]
pub(crate) struct SortsCommitsByTime;

impl Flaw for SortsCommitsByTime {
    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let since = store.since(at).await?;
        let Since::Commits(mut commits) = since else { return Ok(since) };
        commits.sort_by_key(|commit| commit.envelope.at);
        Ok(Since::Commits(commits))
    }
}

/// S14. `LIMIT 100`, copied from another query.
#[derive(Clone, Default)]
pub(crate) struct ReturnsAtMost100Commits;

impl Flaw for ReturnsAtMost100Commits {
    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let since = store.since(at).await?;
        let Since::Commits(mut commits) = since else { return Ok(since) };
        commits.truncate(100);
        Ok(Since::Commits(commits))
    }
}

/// S14. The changes of a commit are rows of their own, and are read in a transaction of their own. Some changes of a
/// commit that has just been made are therefore missing.
#[derive(Clone, Default)]
pub(crate) struct ReadsHalfACommit(Arc<AtomicU64>);

impl Flaw for ReadsHalfACommit {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        self.0.fetch_add(1, Ordering::SeqCst);
        yield_once().await;
        self.0.fetch_sub(1, Ordering::SeqCst);
        Ok(revision)
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let since = store.since(at).await?;
        let Since::Commits(mut commits) = since else { return Ok(since) };
        if self.0.load(Ordering::SeqCst) > 0 {
            if let Some(last) = commits.last_mut() {
                last.changes.truncate(last.changes.len().div_ceil(2));
            }
        }
        Ok(Since::Commits(commits))
    }
}
