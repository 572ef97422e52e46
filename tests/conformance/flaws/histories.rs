//! Flaws in what happened since (S14).

use super::prelude::*;

macro_rules! histories {
    ($($(#[$doc:meta])* $name:ident: $tell:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(crate) struct $name;

        impl Flaw for $name {
            async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
                let tell: fn(Since) -> Since = $tell;
                store.since(at).await.map(tell)
            }
        }
    )+};
}

histories! {
    /// S14. The history is made from the rows that changed.
    ForgetsEmptyCommits: |since| match since {
        Since::Commits(mut commits) => {
            commits.retain(|told| !told.changes.is_empty());
            Since::Commits(commits)
        }
        other => other,
    };
    /// S14. `WHERE revision > ?`: nothing comes after a state that nobody knows.
    KnowsEveryState: |since| match since {
        Since::TooOld => Since::Commits(Vec::new()),
        other => other,
    };
    /// S14. The history has columns for changes, and none for the actor and the note.
    LosesEnvelopes: |since| match since {
        Since::Commits(mut commits) => {
            for told in &mut commits {
                (told.envelope.actor, told.envelope.note) = (None, None);
            }
            Since::Commits(commits)
        }
        other => other,
    };
    /// S14. An ended life has no history any more, so that is too old.
    EndsAreTooOld: |since| match since {
        Since::Deleted => Since::TooOld,
        other => other,
    };
}

/// S14. `WHERE revision >= ?`.
#[derive(Clone, Default)]
pub(crate) struct TellsTheBaseToo(Shared<HashMap<Position, StoredCommit>>);

impl Flaw for TellsTheBaseToo {
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
pub(crate) struct WritesNoEnvelopes(Arc<AtomicBool>);

impl Flaw for WritesNoEnvelopes {
    fn reopened(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let mut told = store.since(at).await?;
        if let (Since::Commits(commits), true) = (&mut told, self.0.load(Ordering::SeqCst)) {
            for commit in commits {
                commit.envelope.actor = None;
            }
        }
        Ok(told)
    }
}

/// S14. `ORDER BY at`: the clock of the process that committed, and clocks go back.
#[derive(Clone, Default)]
pub(crate) struct SortsByTime;

impl Flaw for SortsByTime {
    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let told = store.since(at).await?;
        let Since::Commits(mut commits) = told else { return Ok(told) };
        commits.sort_by_key(|told| told.envelope.at);
        Ok(Since::Commits(commits))
    }
}

/// S14. `LIMIT 100`, which whoever wrote the query took from another one.
#[derive(Clone, Default)]
pub(crate) struct TellsAHundred;

impl Flaw for TellsAHundred {
    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let told = store.since(at).await?;
        let Since::Commits(mut commits) = told else { return Ok(told) };
        commits.truncate(100);
        Ok(Since::Commits(commits))
    }
}

/// S14. The changes of a commit are rows of their own, and are read in a transaction of their own: of a commit that has
/// just been made, some are not there yet.
#[derive(Clone, Default)]
pub(crate) struct TellsHalfACommit(Arc<AtomicU64>);

impl Flaw for TellsHalfACommit {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        self.0.fetch_add(1, Ordering::SeqCst);
        awaits_something().await;
        self.0.fetch_sub(1, Ordering::SeqCst);
        Ok(revision)
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        let told = store.since(at).await?;
        let Since::Commits(mut commits) = told else { return Ok(told) };
        if self.0.load(Ordering::SeqCst) > 0 {
            if let Some(last) = commits.last_mut() {
                last.changes.truncate(last.changes.len().div_ceil(2));
            }
        }
        Ok(Since::Commits(commits))
    }
}
