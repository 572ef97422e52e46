//! Commits in doubt: how a tenant behaves until a commit is resolved, and how it resolves it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use pollster::block_on;
use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Authorizer, Decision, ErrorKind, PageRequest, Reason, Tenant, authorizer::Outcome};

/// A fault of the next call of a kind.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The commit is applied, and its answer is lost.
    AnswerLost,
    /// The request is lost on the way.
    RequestLost,
    /// Nothing happens, and the store returns `Unavailable`.
    Down,
    /// The driver sends the commit twice, and returns the second answer.
    SentTwice,
    /// The call hangs before it reaches the store.
    HangsBefore,
    /// The call hangs after the store has applied the commit.
    HangsAfter,
    /// The store panics after it has applied the commit.
    Panics,
    /// The store rejects the commit permanently.
    TooLarge,
    /// The store no longer has the commits since that position.
    TooOld,
}

#[derive(Clone, Default)]
struct Faulty {
    inner: Arc<Mutex<MemoryStore>>,
    commits: Arc<Mutex<VecDeque<Option<Fault>>>>,
    sinces: Arc<Mutex<VecDeque<Option<Fault>>>>,
}

impl Faulty {
    fn store(&self) -> MemoryStore {
        self.inner.lock().unwrap().clone()
    }

    /// Sets the faults of the next commits. Later ones have none.
    fn commits_meet(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.commits.lock().unwrap().extend(faults);
    }

    fn sinces_meet(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.sinces.lock().unwrap().extend(faults);
    }
}

fn unknown<T>() -> Result<T, StoreError> {
    Err(StoreError::InDoubt("the line went dead".into()))
}

impl Store for Faulty {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.store().find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store().list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.store().load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let fault = self.commits.lock().unwrap().pop_front().flatten();
        let store = self.store();
        match fault {
            None => store.commit(commit).await,
            Some(Fault::AnswerLost) => store.commit(commit).await.and_then(|_| unknown()),
            Some(Fault::RequestLost) => unknown(),
            Some(Fault::Down | Fault::TooOld) => Err(StoreError::Unavailable("down".into())),
            Some(Fault::SentTwice) => {
                drop(store.commit(commit).await);
                store.commit(commit).await
            }
            Some(Fault::HangsBefore) => std::future::pending().await,
            Some(Fault::HangsAfter) => {
                store.commit(commit).await?;
                std::future::pending().await
            }
            Some(Fault::Panics) => {
                store.commit(commit).await?;
                panic!("the store panics");
            }
            Some(Fault::TooLarge) => Err(StoreError::TooLarge("a megabyte".into())),
        }
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let fault = self.sinces.lock().unwrap().pop_front().flatten();
        match fault {
            None => self.store().since(at).await,
            Some(Fault::TooOld) => Ok(Since::TooOld),
            Some(_) => Err(StoreError::Unavailable("down".into())),
        }
    }
}

fn acme() -> (Faulty, Authorizer, Tenant) {
    let store = Faulty::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    let set_up = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?;
        Ok(())
    });
    block_on(set_up).unwrap();
    (store, authorizer, acme)
}

async fn promote(acme: &Tenant) -> rolecall::Result<()> {
    acme.update(|tx| tx.user("alice")?.assign("editor")?.done()).await.map(drop)
}

fn may(acme: &Tenant) -> bool {
    acme.check("alice", "posts:write")
}

fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_found_among_the_commits() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::AnswerLost)]);
    block_on(promote(&acme)).unwrap();
    assert!(may(&acme) && acme.in_doubt().is_none());
    assert_eq!(acme.revision(), Revision::new(3), "it was applied once");
}

#[test]
fn a_request_that_was_lost_is_sent_again() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::RequestLost)]);
    block_on(promote(&acme)).unwrap();
    assert!(may(&acme) && acme.revision() == Revision::new(3));
}

#[test]
fn a_driver_that_sends_twice_hides_its_success_behind_a_conflict() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::SentTwice)]);
    block_on(promote(&acme)).unwrap();
    assert!(may(&acme) && acme.revision() == Revision::new(3), "it did not run again");
}

/// The answer is lost and then the store is down: every check is denied until the commit is resolved.
#[test]
fn in_doubt_denies_and_the_next_call_resolves() {
    let (store, _authorizer, acme) = acme();
    block_on(promote(&acme)).unwrap();
    let held = acme.snapshot();
    store.commits_meet([Some(Fault::AnswerLost)]);
    store.sinces_meet([Some(Fault::Down)]);
    let update = acme.update(|tx| tx.create_user("bob")?.done());
    let error = block_on(update).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    assert!(error.to_string().contains("the line went dead"), "the error contains the store's reason: {error}");
    let commit = error.commit().unwrap();
    assert_eq!((acme.in_doubt(), acme.outcome(commit)), (Some(commit), Some(Outcome::InDoubt)));

    assert!(!may(&acme), "a check is false");
    assert!(!acme.check_any("alice", ["posts:write"]) && !acme.check_all("alice", ["posts:write"]));
    assert!(acme.check_many([("alice", "posts:write")]).eq([false]));
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::InDoubt));
    assert_eq!(acme.explain("alice", "posts:write").decision(), Decision::Denied(Reason::InDoubt));
    assert_eq!(acme.effective("alice").unavailable(), Some(Reason::InDoubt));
    assert!(acme.effective("alice").is_empty() && acme.now().who_can("posts:write").is_empty());
    assert_eq!(acme.now().users(&PageRequest::of(10)).unavailable, Some(Reason::InDoubt));
    assert!(acme.now().user("alice").is_none() && acme.now().roles_of("alice").is_empty());
    assert_eq!(
        acme.snapshot().at(acme.now().instant()).unavailable(),
        Some(Reason::InDoubt),
        "so does a snapshot taken now"
    );
    let instant = acme.now().instant();
    assert!(held.at(instant).check("alice", "posts:write"), "an earlier snapshot still answers");

    assert_eq!(block_on(acme.refresh()).unwrap(), Revision::new(4));
    assert_eq!(acme.outcome(commit), Some(Outcome::Committed(Revision::new(4))));
    assert!(may(&acme) && acme.in_doubt().is_none());
}

/// A future is dropped while the store works. The next call resolves its commit.
#[test]
fn a_dropped_future_is_not_cancelled() {
    for (fault, committed) in [(Fault::HangsBefore, false), (Fault::HangsAfter, true)] {
        let (store, _authorizer, acme) = acme();
        store.commits_meet([Some(fault)]);
        assert!(poll_once(promote(&acme)).is_none());
        let commit = acme.in_doubt().expect("it is in doubt");
        assert!(!may(&acme));
        // The next call resolves it, by finding the commit or by sending it again.
        block_on(acme.update(|tx| tx.create_user("bob")?.done())).unwrap();
        assert!(may(&acme), "applied before: {committed}");
        assert_eq!(acme.outcome(commit), Some(Outcome::Committed(Revision::new(3))));
    }
}

#[test]
fn a_store_that_panics_leaves_the_tenant_in_doubt_and_not_broken() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::Panics)]);
    let tenant = acme.clone();
    let joined = std::thread::spawn(move || block_on(promote(&tenant))).join();
    assert!(joined.is_err() && acme.in_doubt().is_some() && !may(&acme));
    block_on(acme.refresh()).unwrap();
    assert!(may(&acme));
}

/// A request hangs, and the store then rejects the commit permanently. An empty commit takes its place, so that a late
/// copy of the first can no longer be applied.
#[test]
fn a_commit_that_is_refused_for_good_can_no_longer_be_applied() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::RequestLost), Some(Fault::TooLarge)]);
    block_on(promote(&acme)).unwrap();
    assert!(may(&acme), "it was aborted, so the closure ran again");
    assert_eq!(acme.revision(), Revision::new(4), "an empty commit, and the second try");
}

#[test]
fn an_update_that_lost_a_race_runs_again_on_the_newer_state() {
    let (store, _authorizer, acme) = acme();
    let other = Authorizer::builder().store(store.store()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    block_on(other.update(|tx| tx.create_user("bob")?.done())).unwrap();
    let mut runs = 0;
    let update = acme.update(|tx| {
        runs += 1;
        tx.user("alice")?.assign("editor")?.done()
    });
    block_on(update).unwrap();
    assert_eq!((runs, acme.revision()), (2, Revision::new(4)));
    assert!(acme.now().user("bob").is_some() && may(&acme));
}

/// Another writer wins while the answer to ours is lost.
#[test]
fn an_in_doubt_commit_that_lost_is_reported_as_aborted() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::HangsBefore)]);
    assert!(poll_once(promote(&acme)).is_none());
    let commit = acme.in_doubt().unwrap();
    let other = Authorizer::builder().store(store.store()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    block_on(other.update(|tx| tx.create_user("bob")?.done())).unwrap();
    block_on(acme.refresh()).unwrap();
    assert_eq!(acme.outcome(commit), Some(Outcome::Aborted));
    assert!(!may(&acme) && acme.now().user("bob").is_some());
}

/// The store keeps no history, so a load decides.
#[test]
fn a_load_decides_if_the_history_is_too_short() {
    let story = |fault, others: usize| {
        let (store, _authorizer, acme) = acme();
        store.commits_meet([Some(fault)]);
        assert!(poll_once(promote(&acme)).is_none());
        let commit = acme.in_doubt().unwrap();
        let other = Authorizer::builder().store(store.store()).build();
        let other = block_on(other.tenant("acme")).unwrap();
        for n in 0..others {
            block_on(other.update(|tx| tx.create_user(&format!("u{n}"))?.done())).unwrap();
        }
        store.sinces_meet([Some(Fault::TooOld)]);
        block_on(acme.refresh()).unwrap();
        (acme.outcome(commit), may(&acme))
    };
    let committed = Some(Outcome::Committed(Revision::new(3)));
    assert_eq!(story(Fault::HangsBefore, 0), (committed, true), "the base is the latest: sent again");
    assert_eq!(story(Fault::HangsAfter, 0), (committed, true), "the next revision is its own");
    assert_eq!(
        story(Fault::HangsBefore, 1),
        (Some(Outcome::Aborted), false),
        "the next revision is that of another commit"
    );
    assert_eq!(story(Fault::HangsAfter, 2), (Some(Outcome::Unknown), true), "further on: permanently unknown");
}

/// R11: a removal without effect is not acknowledged from an old snapshot, because another process may have added the
/// relation again.
#[test]
fn r11_no_effect_is_confirmed_against_the_latest_revision() {
    let (store, _authorizer, acme) = acme();
    let other = Authorizer::builder().store(store.store()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    block_on(promote(&other)).unwrap();
    // In the current snapshot the role is not assigned, so the removal would have no effect there.
    let removed = block_on(acme.update(|tx| tx.user("alice")?.unassign("editor")?.done())).unwrap();
    assert_eq!(removed.changes.len(), 1);
    block_on(other.refresh()).unwrap();
    assert!(!may(&other) && !may(&acme));

    let nothing = block_on(acme.update(|tx| tx.user("alice")?.unassign("editor")?.done())).unwrap();
    assert!(nothing.commit.is_none() && nothing.revision == removed.revision);
    store.sinces_meet([Some(Fault::Down)]);
    let error = block_on(acme.update(|_| Ok(()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

/// A commit of a plan in doubt is resolved before the plan is rebased, and the plan is not applied a second time.
#[test]
fn f27_a_plan_whose_commit_is_in_doubt_is_not_committed_twice() {
    for (fault, kind) in [(Fault::AnswerLost, Some(ErrorKind::Stale)), (Fault::TooLarge, None)] {
        let (store, _authorizer, acme) = acme();
        let plan = acme.plan(|tx| tx.create_user("bob")?.done()).unwrap().1;
        store.commits_meet([Some(fault)]);
        store.sinces_meet([Some(Fault::Down), Some(Fault::Down)]);
        let error = block_on(acme.commit(plan.clone())).unwrap_err();
        if kind.is_some() {
            assert_eq!(error.kind(), ErrorKind::InDoubt);
            assert_eq!(
                block_on(acme.rebase(&plan)).unwrap_err().kind(),
                ErrorKind::Blocked,
                "its outcome is not known"
            );
        } else {
            assert_eq!(block_on(acme.rebase(&plan)).unwrap_err().kind(), ErrorKind::Unavailable);
            assert_eq!(block_on(acme.rebase(&plan)).unwrap_err().kind(), ErrorKind::Unavailable);
        }
        let rebased = block_on(acme.rebase(&plan));
        assert_eq!(rebased.as_ref().err().map(rolecall::Error::kind), kind);
        if let Ok(rebased) = rebased {
            block_on(acme.commit(rebased)).unwrap();
        }
        assert!(acme.now().user("bob").is_some());
    }
}

#[test]
fn a_store_that_is_down_changes_nothing_and_counts_as_lag() {
    let (store, _authorizer, acme) = acme();
    block_on(promote(&acme)).unwrap();
    store.commits_meet([Some(Fault::Down)]);
    let error = block_on(acme.update(|tx| tx.create_user("bob")?.done())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(may(&acme) && acme.in_doubt().is_none());
    store.sinces_meet([Some(Fault::Down)]);
    assert!(block_on(acme.refresh()).is_err() && may(&acme));
    assert_eq!(acme.lag().failed_refreshes, 1);
    block_on(acme.refresh()).unwrap();
    assert_eq!(acme.lag().failed_refreshes, 0);
}

/// The store is replaced by an older copy of itself. A revocation could be missed for ever, so every check is denied.
#[test]
fn a_restored_backup_is_refused_until_the_tenant_is_opened_again() {
    let (store, authorizer, acme) = acme();
    let backup = block_on(copy(&store.store(), acme.tenant_id()));
    block_on(promote(&acme)).unwrap();
    *store.inner.lock().unwrap() = backup;
    let error = block_on(acme.refresh()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(
        error.to_string(),
        "corrupt store content or commit: the store went back in history: expected revision 3 or later, found 2"
    );
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::InvalidStoreContent));
    block_on(acme.close()).unwrap();
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Closed));
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!(again.decide("alice", "posts:write"), Decision::Denied(Reason::NoPath));
    assert_eq!(again.revision(), Revision::new(2));
}

/// Copies the one tenant of a store, as a backup would.
async fn copy(store: &MemoryStore, tenant_id: TenantId) -> MemoryStore {
    let backup = MemoryStore::default();
    let mut records = Vec::new();
    let at = store.load(tenant_id, &mut records).await.unwrap().unwrap();
    let envelope = |id| rolecall::records::Envelope {
        id,
        previous: None,
        actor: None,
        at: rolecall::Timestamp::MIN,
        note: None,
        catalog: rolecall::catalog::Catalog::empty().fingerprint(),
    };
    let changes: Vec<_> = records.into_iter().map(rolecall::records::Change::added).collect();
    let first = envelope(CommitId::from_uuid(uuid::Uuid::new_v4()));
    let base = rolecall::store::Base::Create(tenant_id);
    backup.commit(Commit { base, envelope: &first, changes: &changes }).await.unwrap();
    let second = envelope(at.commit);
    let base = rolecall::store::Base::At(Position { tenant_id, revision: Revision::FIRST, commit: first.id });
    backup.commit(Commit { base, envelope: &second, changes: &[] }).await.unwrap();
    backup
}

/// The same revision, made by another commit.
#[test]
fn another_history_of_the_same_length_is_refused() {
    let (store, _authorizer, acme) = acme();
    let backup = block_on(copy(&store.store(), acme.tenant_id()));
    let other = Authorizer::builder().store(backup.clone()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    block_on(other.update(|tx| tx.create_user("mallory")?.done())).unwrap();
    block_on(promote(&acme)).unwrap();
    *store.inner.lock().unwrap() = backup;
    let error = block_on(acme.refresh()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let [expected, found] = [&acme, &other].map(|tenant| tenant.snapshot().position().commit);
    let expected = format!("the store has another history: expected commit {expected} at revision 3, found {found}");
    assert_eq!(error.to_string(), format!("corrupt store content or commit: {expected}"));
    assert!(!may(&acme));
}

/// The creation of a tenant gets no answer. The next request for the slug resolves it.
#[test]
fn the_next_request_for_a_slug_resolves_its_creation_in_doubt() {
    for fault in [Fault::HangsBefore, Fault::HangsAfter] {
        let store = Faulty::default();
        let authorizer = Authorizer::builder().store(store.clone()).build();
        store.commits_meet([Some(fault)]);
        assert!(poll_once(authorizer.create_tenant("acme", "Acme")).is_none());
        let acme = block_on(authorizer.tenant("acme")).unwrap();
        assert_eq!((acme.revision(), acme.name().unwrap().as_str()), (Revision::FIRST, "Acme"));
    }
    for fault in [Fault::AnswerLost, Fault::RequestLost] {
        let store = Faulty::default();
        let authorizer = Authorizer::builder().store(store.clone()).build();
        store.commits_meet([Some(fault)]);
        let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
        assert_eq!(acme.revision(), Revision::FIRST);
    }
    let store = Faulty::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.commits_meet([Some(Fault::RequestLost), Some(Fault::Down), Some(Fault::Down)]);
    assert_eq!(block_on(authorizer.create_tenant("acme", "Acme")).unwrap_err().kind(), ErrorKind::InDoubt);
    assert_eq!(block_on(authorizer.tenant("acme")).unwrap_err().kind(), ErrorKind::Blocked);
    let error = block_on(authorizer.create_tenant("acme", "Acme")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "the first creation was resolved first, as created");
    assert_eq!(block_on(authorizer.tenant("acme")).unwrap().revision(), Revision::FIRST);
}

/// A tenant is closed with a commit in doubt. The commit stays in doubt until the tenant is opened again.
#[test]
fn a_close_that_cannot_resolve_leaves_it_to_the_next_opening() {
    let (store, authorizer, acme) = acme();
    store.commits_meet([Some(Fault::HangsAfter)]);
    assert!(poll_once(promote(&acme)).is_none());
    store.sinces_meet([Some(Fault::Down)]);
    block_on(acme.close()).unwrap();
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Closed));
    assert!(acme.in_doubt().is_some());
    assert_eq!(block_on(acme.refresh()).unwrap_err().kind(), ErrorKind::Closed);
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert!(may(&again) && again.in_doubt().is_none() && !may(&acme));
}

#[test]
fn a_slug_that_is_taken_aborts_the_whole_update() {
    let (_store, authorizer, acme) = acme();
    block_on(authorizer.create_tenant("globex", "Globex")).unwrap();
    let update = acme.update(|tx| {
        tx.create_user("bob")?;
        tx.set_tenant_slug("globex")?.done()
    });
    assert_eq!(block_on(update).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(acme.slug().unwrap() == "acme" && acme.now().user("bob").is_none() && acme.in_doubt().is_none());
}

/// Opening is an asynchronous call on the tenant, so it resolves a commit in doubt.
#[test]
fn requesting_an_in_doubt_tenant_resolves_it() {
    let (store, authorizer, acme) = acme();
    store.commits_meet([Some(Fault::HangsAfter)]);
    assert!(poll_once(promote(&acme)).is_none());
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert!(may(&again) && may(&acme));
    store.commits_meet([Some(Fault::HangsAfter)]);
    assert!(poll_once(acme.update(|tx| tx.create_user("bob")?.done())).is_none());
    assert!(block_on(authorizer.tenant_by_id(acme.tenant_id())).unwrap().now().user("bob").is_some());
}

/// The store keeps no history, so a refresh loads everything again. Every user and permission keeps its number.
#[test]
fn a_handle_survives_a_reload() {
    let (store, _authorizer, acme) = acme();
    block_on(promote(&acme)).unwrap();
    let (user, permission) = (acme.user_handle("alice").unwrap(), acme.permission_handle("posts:write").unwrap());
    let other = Authorizer::builder().store(store.store()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    let update = other.update(|tx| {
        (0..50).try_for_each(|n| tx.create_user(&format!("a{n}"))?.done())?;
        tx.create_permission("a:first")?.done()
    });
    block_on(update).unwrap();
    store.sinces_meet([Some(Fault::TooOld)]);
    block_on(acme.refresh()).unwrap();
    assert!(acme.now().user("a49").is_some() && acme.check(user, permission) && !acme.check(user, "a:first"));
    assert_eq!(acme.user_handle("alice"), Some(user));

    // A user that was planned, deleted elsewhere and restored keeps its first number.
    let id = rolecall::records::UserId::random();
    let ((), plan) = acme.plan(|tx| tx.create_user_with_id(id, "ghost")?.done()).unwrap();
    let ghost = plan.preview().at(rolecall::Timestamp::MIN).user_handle(id).unwrap();
    drop(plan);
    block_on(other.update(|tx| tx.create_user_with_id(id, "ghost")?.assign("editor")?.done())).unwrap();
    store.sinces_meet([Some(Fault::TooOld)]);
    block_on(acme.refresh()).unwrap();
    assert!(acme.check(ghost, permission) && acme.user_handle("ghost") == Some(ghost));
}

/// A user is deleted, everything is loaded again without it, and it is restored. The handle still refers to it.
#[test]
fn a_handle_of_a_deleted_user_survives_a_reload() {
    let (store, _authorizer, acme) = acme();
    block_on(promote(&acme)).unwrap();
    let alice = acme.user_handle("alice").unwrap();
    let other = Authorizer::builder().store(store.store()).build();
    let other = block_on(other.tenant("acme")).unwrap();
    let id = other.now().user("alice").unwrap().id;
    block_on(other.update(|tx| tx.delete_user("alice").map(drop))).unwrap();
    for _ in 0..2 {
        store.sinces_meet([Some(Fault::TooOld)]);
        block_on(acme.refresh()).unwrap();
        assert!(!acme.check(alice, "posts:write"));
        block_on(other.update(|tx| tx.ensure_user("bob")?.done())).unwrap();
    }
    block_on(other.update(|tx| tx.create_user_with_id(id, "alice")?.assign("editor")?.done())).unwrap();
    store.sinces_meet([Some(Fault::TooOld)]);
    block_on(acme.refresh()).unwrap();
    assert!(acme.check(alice, "posts:write") && acme.user_handle("alice") == Some(alice));
    assert!(acme.user_handle("bob").is_some_and(|bob| bob != alice));
}

/// An update that is dropped while it investigates a conflict leaves its commit in doubt.
#[test]
fn a_conflict_that_cannot_be_investigated_is_in_doubt() {
    let (store, _authorizer, acme) = acme();
    store.commits_meet([Some(Fault::SentTwice)]);
    store.sinces_meet([Some(Fault::Down)]);
    let error = block_on(promote(&acme)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    assert!(!may(&acme));
    block_on(acme.refresh()).unwrap();
    assert!(may(&acme) && acme.revision() == Revision::new(3));
}
