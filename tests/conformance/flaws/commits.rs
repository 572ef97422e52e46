//! Flaws in the base of a commit and in its effect (S3, S4, S7, S12, S15).

use super::prelude::*;

/// S3. `WHERE revision = ?`.
#[derive(Clone, Default)]
pub(crate) struct ComparesRevisionsOnly(Heads);

impl Flaw for ComparesRevisionsOnly {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::At(at) => Base::At(self.0.of(at.tenant_id).filter(|head| head.revision == at.revision).unwrap_or(at)),
            base @ Base::Create(_) => base,
        };
        self.0.commit(store, Commit { base, ..commit }).await
    }
}

/// S4. The unique index on slugs is violated by the last statement, and the ones before it stay.
#[derive(Clone, Default)]
pub(crate) struct KeepsWritesOfRejectedCommits;

impl Flaw for KeepsWritesOfRejectedCommits {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let answer = store.commit(commit).await;
        if matches!((&answer, commit.base), (Err(StoreError::SlugTaken), Base::At(_))) {
            store.commit(Commit { changes: &without_tenant(commit.changes), ..commit }).await?;
        }
        answer
    }
}

/// S4. A batch has at most 1,000 rows, and each batch is committed.
#[derive(Clone, Default)]
pub(crate) struct SplitsLargeCommits;

impl Flaw for SplitsLargeCommits {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let (Base::At(base), Some((first, rest))) = (commit.base, commit.changes.split_at_checked(1_000)) else {
            return store.commit(commit).await;
        };
        let envelope = Envelope { id: CommitId::random(), ..commit.envelope.clone() };
        let revision = store.commit(Commit { envelope: &envelope, changes: first, ..commit }).await?;
        let base = Base::At(Position { revision, commit: envelope.id, ..base });
        store.commit(Commit { base, envelope: commit.envelope, changes: rest }).await
    }
}

/// S7. The revision is counted in memory, and after reopening it is one less than it was.
#[derive(Clone, Default)]
pub(crate) struct RepeatsARevision(Arc<AtomicU64>);

impl RepeatsARevision {
    fn up(&self, at: Position) -> Position {
        Position { revision: Revision::new(at.revision.number() + self.0.load(Ordering::SeqCst)), ..at }
    }

    fn down(&self, revision: Revision) -> Revision {
        Revision::new(revision.number() - self.0.load(Ordering::SeqCst))
    }
}

impl Flaw for RepeatsARevision {
    fn reopened(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    async fn load(
        &self,
        store: &MemoryStore,
        tenant_id: TenantId,
        sink: &mut dyn Sink,
    ) -> Result<Option<Position>, StoreError> {
        Ok(store.load(tenant_id, sink).await?.map(|at| Position { revision: self.down(at.revision), ..at }))
    }

    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::At(at) => Base::At(self.up(at)),
            base @ Base::Create(_) => base,
        };
        match store.commit(Commit { base, ..commit }).await {
            Ok(revision) => Ok(self.down(revision)),
            Err(StoreError::Conflict { actual }) => Err(StoreError::Conflict { actual: self.down(actual) }),
            Err(error) => Err(error),
        }
    }

    async fn since(&self, store: &MemoryStore, at: Position) -> Result<Since, StoreError> {
        Ok(match store.since(self.up(at)).await? {
            Since::Commits(commits) => Since::Commits(
                commits
                    .into_iter()
                    .map(|commit| StoredCommit { revision: self.down(commit.revision), ..commit })
                    .collect(),
            ),
            other => other,
        })
    }
}

/// S12. `SELECT revision`, a comparison in the program, `UPDATE`.
#[derive(Clone, Default)]
pub(crate) struct ChecksThenWrites(Heads);

impl Flaw for ChecksThenWrites {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let tenant_id = commit.base.tenant_id();
        let is_latest = matches!(commit.base, Base::At(at) if self.0.of(tenant_id) == Some(at));
        if !is_latest {
            return self.0.commit(store, commit).await;
        }
        yield_once().await;
        loop {
            let base = self.0.of(tenant_id).map_or(commit.base, Base::At);
            match self.0.commit(store, Commit { base, ..commit }).await {
                Err(StoreError::Conflict { .. }) => yield_once().await,
                answer => return answer,
            }
        }
    }
}

/// S15. The statement with too many parameters fails, and its error is ignored.
#[derive(Clone, Default)]
pub(crate) struct IgnoresTheParameterLimit;

impl Flaw for IgnoresTheParameterLimit {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let changes = commit.changes.get(..65_535).unwrap_or(commit.changes);
        store.commit(Commit { changes, ..commit }).await
    }
}

/// S3. The last one who writes wins.
#[derive(Clone, Default)]
pub(crate) struct AcceptsStaleBases(Heads);

impl Flaw for AcceptsStaleBases {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::At(at) => Base::At(self.0.of(at.tenant_id).filter(|head| head.revision > at.revision).unwrap_or(at)),
            base @ Base::Create(_) => base,
        };
        self.0.commit(store, Commit { base, ..commit }).await
    }
}

/// S3. `WHERE revision <= ?`.
#[derive(Clone, Default)]
pub(crate) struct AcceptsFutureBases(Heads);

impl Flaw for AcceptsFutureBases {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let base = match commit.base {
            Base::At(at) => Base::At(self.0.of(at.tenant_id).filter(|head| head.revision < at.revision).unwrap_or(at)),
            base @ Base::Create(_) => base,
        };
        self.0.commit(store, Commit { base, ..commit }).await
    }
}

/// S3. A commit that is in the history returns its revision again, so two calls claim one commit.
#[derive(Clone, Default)]
pub(crate) struct ReportsRepeatsAsSuccess;

impl Flaw for ReportsRepeatsAsSuccess {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let answer = store.commit(commit).await;
        let (Err(StoreError::Conflict { .. }), Base::At(base)) = (&answer, commit.base) else {
            return answer;
        };
        let Since::Commits(commits) = store.since(base).await? else {
            return answer;
        };
        match commits.iter().find(|stored| stored.envelope.id == commit.envelope.id) {
            Some(stored) => Ok(stored.revision),
            None => answer,
        }
    }
}

/// S7. There is nothing to write, so nothing is.
#[derive(Clone, Default)]
pub(crate) struct SkipsEmptyCommits(Heads);

impl Flaw for SkipsEmptyCommits {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        match commit.base {
            Base::At(at) if commit.changes.is_empty() && self.0.of(at.tenant_id) == Some(at) => Ok(at.revision.next()),
            _ => self.0.commit(store, commit).await,
        }
    }
}

/// S7. One sequence counts the commits of all tenants.
#[derive(Clone, Default)]
pub(crate) struct SharesOneRevisionCounter(Shared<BTreeSet<TenantId>>);

impl Flaw for SharesOneRevisionCounter {
    async fn commit(&self, store: &MemoryStore, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let revision = store.commit(commit).await?;
        if revision == Revision::FIRST {
            return Ok(revision);
        }
        let mut written = self.0.lock().unwrap();
        written.insert(commit.base.tenant_id());
        Ok(Revision::new(revision.number() + u64::try_from(written.len()).unwrap() - 1))
    }
}
