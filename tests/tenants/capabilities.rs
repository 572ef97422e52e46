//! The optional capabilities that followers and sign-in pages use, on the memory store and on redb; and wrong stores,
//! which the suite must catch.

#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use pollster::block_on;
use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug, UserKey};
use rolecall::store::conformance::{self, Clause, Fixture, FixtureError, Report, Task};
use rolecall::store::{
    Commit, Hint, Hints, LocalHints, MemoryStore, Positions, Since, Sink, Store, StoreError, TenantSummary,
    UserDirectory, Watch,
};

struct InMemory<M>(M);

impl<S: Store + Clone, M: Fn() -> S + Send + Sync> Fixture for InMemory<M> {
    type Store = S;

    async fn fresh(&self) -> Result<S, FixtureError> {
        Ok((self.0)())
    }

    async fn second_connection(&self, store: &S) -> Result<Option<S>, FixtureError> {
        Ok(Some(store.clone()))
    }

    async fn reopen(&self, store: S) -> Result<Option<S>, FixtureError> {
        Ok(Some(store))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        conformance::run_on_threads(tasks)
    }

    fn hint_timeout(&self) -> Duration {
        Duration::from_millis(200)
    }
}

#[track_caller]
fn passed(report: &Report, clauses: &[Clause]) {
    assert!(report.passed() && report.not_exercised().next().is_none(), "{report}");
    for clause in clauses {
        assert!(report.cases.iter().any(|case| case.clause == *clause), "{clause} has no case");
    }
}

#[test]
fn the_memory_store_keeps_the_contracts() {
    let fixture = InMemory(MemoryStore::default);
    passed(&block_on(conformance::run_positions(&fixture)), &Clause::POSITIONS);
    passed(&block_on(conformance::run_watch(&fixture)), &Clause::WATCH);
    passed(&block_on(conformance::run_user_directory(&fixture)), &Clause::USER_DIRECTORY);
}

#[cfg(feature = "redb")]
#[test]
fn redb_keeps_the_contracts() {
    use rolecall::store::RedbStore;

    struct Files(tempfile::TempDir, Mutex<u32>);

    impl Fixture for Files {
        type Store = RedbStore;

        async fn fresh(&self) -> Result<RedbStore, FixtureError> {
            let mut number = self.1.lock().unwrap();
            *number += 1;
            Ok(RedbStore::open(self.0.path().join(number.to_string()))?)
        }

        async fn second_connection(&self, store: &RedbStore) -> Result<Option<RedbStore>, FixtureError> {
            Ok(Some(store.clone()))
        }

        async fn reopen(&self, store: RedbStore) -> Result<Option<RedbStore>, FixtureError> {
            Ok(Some(store))
        }

        async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
            conformance::run_on_threads(tasks)
        }
    }

    let fixture = Files(tempfile::tempdir().unwrap(), Mutex::default());
    passed(&block_on(conformance::run_positions(&fixture)), &Clause::POSITIONS);
    passed(&block_on(conformance::run_watch(&fixture)), &Clause::WATCH);
    passed(&block_on(conformance::run_user_directory(&fixture)), &Clause::USER_DIRECTORY);
}

/// The fault of a wrong store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    // Positions
    SkipsUnknown,
    IsOneBehind,
    InventsCommitIds,
    AnswersForEveryTenant,
    AnswersForAThousand,
    // Watch
    HintsTooEarly,
    HintsNoDeletion,
    LosesWhatAWaitTook,
    SharesHints,
    ForgetsTheNewest,
    // UserDirectory
    FindsTheSuspendedNot,
    RemembersOldKeys,
    FoldsCase,
    IgnoresAfter,
    IgnoresTheLimit,
}

/// A store with one fault.
#[derive(Clone)]
struct Wrong {
    store: MemoryStore,
    fault: Fault,
    /// The positions before the latest commits.
    before: Arc<Mutex<Vec<Position>>>,
    shared: Arc<Mutex<Option<LocalHints>>>,
    /// Every key of a user that was ever committed.
    keys: Arc<Mutex<Vec<(UserKey, TenantId)>>>,
}

impl Wrong {
    fn new(fault: Fault) -> Self {
        let (before, shared, keys) = (Arc::default(), Arc::default(), Arc::default());
        Self { store: MemoryStore::default(), fault, before, shared, keys }
    }
}

impl Store for Wrong {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let (tenant_id, changes) = (commit.base.tenant_id(), commit.changes);
        let before = self.store.positions(&[tenant_id]).await?;
        self.before.lock().unwrap().extend(before.into_iter().flatten());
        for record in changes.iter().filter_map(|change| change.after()) {
            if let rolecall::records::Record::User(user) = record {
                self.keys.lock().unwrap().push((user.key.clone(), tenant_id));
            }
        }
        self.store.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.store.since(at).await
    }
}

impl Positions for Wrong {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        let mut found = self.store.positions(tenant_ids).await?;
        match self.fault {
            Fault::SkipsUnknown => found.retain(Option::is_some),
            Fault::AnswersForAThousand => found.iter_mut().skip(1_000).for_each(|position| *position = None),
            Fault::IsOneBehind => {
                for position in found.iter_mut().flatten() {
                    let before = self.before.lock().unwrap();
                    *position =
                        before.iter().rev().find(|at| at.tenant_id == position.tenant_id).map_or(*position, |at| *at);
                }
            }
            Fault::InventsCommitIds => {
                found.iter_mut().flatten().for_each(|position| position.commit = CommitId::random());
            }
            Fault::AnswersForEveryTenant => {
                for (position, tenant_id) in found.iter_mut().zip(tenant_ids) {
                    let (revision, commit) = (Revision::FIRST, CommitId::random());
                    position.get_or_insert(Position { tenant_id: *tenant_id, revision, commit });
                }
            }
            _ => {}
        }
        Ok(found)
    }
}

struct WrongHints {
    hints: Option<LocalHints>,
    of: Wrong,
}

impl Watch for Wrong {
    type Hints = WrongHints;

    async fn watch(&self) -> Result<WrongHints, StoreError> {
        let hints = self.store.watch().await?;
        let hints = if self.fault == Fault::SharesHints {
            // The newest receiver takes the hints of all.
            *self.shared.lock().unwrap() = Some(hints);
            None
        } else {
            Some(hints)
        };
        Ok(WrongHints { hints, of: self.clone() })
    }
}

impl Hints for WrongHints {
    async fn next(&mut self) -> Result<Hint, StoreError> {
        loop {
            let hint = match &mut self.hints {
                Some(hints) => hints.next().await?,
                None => next_of(&self.of.shared).await?,
            };
            let Hint::Moved { tenant_id, revision } = hint else { return Ok(hint) };
            match self.of.fault {
                Fault::HintsTooEarly => return Ok(Hint::Moved { tenant_id, revision: revision.next() }),
                Fault::HintsNoDeletion if self.of.store.positions(&[tenant_id]).await? == [None] => {}
                Fault::ForgetsTheNewest if revision.number() > 100 => {}
                Fault::LosesWhatAWaitTook => {
                    let mut was_polled = false;
                    let later = poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        if std::mem::replace(&mut was_polled, true) { Poll::Ready(()) } else { Poll::Pending }
                    });
                    later.await;
                    return Ok(hint);
                }
                _ => return Ok(hint),
            }
        }
    }
}

/// Takes a hint of the receiver that all share.
async fn next_of(shared: &Mutex<Option<LocalHints>>) -> Result<Hint, StoreError> {
    let mut taken = shared.lock().unwrap().take();
    let Some(hints) = &mut taken else { return std::future::pending().await };
    let hint = hints.next().await;
    *shared.lock().unwrap() = taken;
    hint
}

impl UserDirectory for Wrong {
    async fn tenants_of_user(
        &self,
        key: &UserKey,
        after: Option<&TenantSlug>,
        limit: usize,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        match self.fault {
            Fault::IgnoresAfter => self.store.tenants_of_user(key, None, limit).await,
            Fault::IgnoresTheLimit => self.store.tenants_of_user(key, after, usize::MAX).await,
            Fault::FindsTheSuspendedNot => {
                let mut found = self.store.tenants_of_user(key, after, limit).await?;
                found.retain(|tenant| tenant.slug.as_str() != "b-0");
                Ok(found)
            }
            Fault::RemembersOldKeys => self.by_committed_keys(after, limit, |of| of == key).await,
            Fault::FoldsCase => {
                self.by_committed_keys(after, limit, |of| of.as_str().eq_ignore_ascii_case(key.as_str())).await
            }
            _ => self.store.tenants_of_user(key, after, limit).await,
        }
    }
}

impl Wrong {
    async fn by_committed_keys(
        &self,
        after: Option<&TenantSlug>,
        limit: usize,
        is_meant: impl Fn(&UserKey) -> bool,
    ) -> Result<Vec<TenantSummary>, StoreError> {
        let mut tenants = self.store.list(after, usize::MAX).await?;
        let keys = self.keys.lock().unwrap();
        tenants.retain(|tenant| keys.iter().any(|(key, id)| is_meant(key) && *id == tenant.tenant_id));
        tenants.truncate(limit);
        Ok(tenants)
    }
}

fn fresh(fault: Fault) -> impl Fn() -> Wrong {
    move || Wrong::new(fault)
}

#[track_caller]
fn caught(report: &Report, fault: Fault, clause: Clause) {
    assert!(report.failed().any(|case| case.clause == clause), "{fault:?} is not caught by {clause}: {report}");
}

#[test]
fn wrong_positions_are_caught() {
    let wrong = [
        (Fault::SkipsUnknown, Clause::P1),
        (Fault::IsOneBehind, Clause::P2),
        (Fault::InventsCommitIds, Clause::P3),
        (Fault::AnswersForEveryTenant, Clause::P4),
        (Fault::AnswersForAThousand, Clause::P5),
    ];
    for (fault, clause) in wrong {
        caught(&block_on(conformance::run_positions(&InMemory(fresh(fault)))), fault, clause);
    }
}

#[test]
fn wrong_hints_are_caught() {
    let wrong = [
        (Fault::HintsTooEarly, Clause::W1),
        (Fault::HintsNoDeletion, Clause::W2),
        (Fault::LosesWhatAWaitTook, Clause::W3),
        (Fault::SharesHints, Clause::W4),
        (Fault::ForgetsTheNewest, Clause::W5),
    ];
    for (fault, clause) in wrong {
        caught(&block_on(conformance::run_watch(&InMemory(fresh(fault)))), fault, clause);
    }
}

#[test]
fn wrong_directories_are_caught() {
    let wrong = [
        (Fault::FindsTheSuspendedNot, Clause::U1),
        (Fault::RemembersOldKeys, Clause::U2),
        (Fault::FoldsCase, Clause::U3),
        (Fault::IgnoresAfter, Clause::U4),
        (Fault::IgnoresTheLimit, Clause::U4),
    ];
    for (fault, clause) in wrong {
        caught(&block_on(conformance::run_user_directory(&InMemory(fresh(fault)))), fault, clause);
    }
}
