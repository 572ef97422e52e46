//! The commit protocol across several sessions of one tenant: closes that race with opens, commits that another session
//! resolves, repairs, restored backups. `in_doubt.rs` tests a single session.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use pollster::block_on;
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Authorizer, Decision, ErrorKind, Reason, Tenant, authorizer::Outcome};

#[derive(Clone)]
enum Fault {
    /// The commit is applied, and its answer is lost.
    AnswerLost,
    RequestLost,
    Down,
    /// Waits until the gate is open, then returns `Unavailable`.
    GateThenDown(Arc<AtomicBool>),
    /// Waits until the gate is open, then answers.
    Gate(Arc<AtomicBool>),
}

#[derive(Clone, Default)]
struct Faulty {
    inner: Arc<Mutex<MemoryStore>>,
    commits: Arc<Mutex<VecDeque<Fault>>>,
    sinces: Arc<Mutex<VecDeque<Fault>>>,
    /// The next load returns `Unavailable`.
    load_is_down: Arc<AtomicBool>,
    /// The next answer to a find waits until this gate is open.
    find: Arc<Mutex<Option<Arc<AtomicBool>>>>,
    always_too_old: Arc<AtomicBool>,
}

impl Faulty {
    fn store(&self) -> MemoryStore {
        self.inner.lock().unwrap().clone()
    }
    fn commits(&self, f: impl IntoIterator<Item = Fault>) {
        self.commits.lock().unwrap().extend(f);
    }
    fn sinces(&self, f: impl IntoIterator<Item = Fault>) {
        self.sinces.lock().unwrap().extend(f);
    }
}

impl Store for Faulty {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        let found = self.store().find(slug).await;
        let gate = self.find.lock().unwrap().take();
        if let Some(gate) = gate {
            opened(&gate).await;
        }
        found
    }
    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store().list(after, limit).await
    }
    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        if self.load_is_down.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        self.store().load(tenant_id, sink).await
    }
    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let fault = self.commits.lock().unwrap().pop_front();
        match fault {
            None => self.store().commit(commit).await,
            Some(Fault::AnswerLost) => {
                self.store().commit(commit).await?;
                Err(StoreError::InDoubt("lost".into()))
            }
            Some(Fault::RequestLost) => Err(StoreError::InDoubt("lost".into())),
            Some(_) => Err(StoreError::Unavailable("down".into())),
        }
    }
    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let fault = self.sinces.lock().unwrap().pop_front();
        match fault {
            None if self.always_too_old.load(Ordering::SeqCst) => Ok(Since::TooOld),
            None => self.store().since(at).await,
            Some(Fault::GateThenDown(gate)) => {
                opened(&gate).await;
                Err(StoreError::Unavailable("down".into()))
            }
            Some(Fault::Gate(gate)) => {
                opened(&gate).await;
                self.store().since(at).await
            }
            Some(_) => Err(StoreError::Unavailable("down".into())),
        }
    }
}

async fn opened(gate: &AtomicBool) {
    poll_fn(|_| if gate.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
}

fn acme() -> (Faulty, Authorizer, Tenant) {
    let store = Faulty::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let acme = block_on(authorizer.create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?;
        Ok(())
    }))
    .unwrap();
    (store, authorizer, acme)
}

async fn promote(acme: &Tenant) -> rolecall::Result<()> {
    acme.update(|tx| tx.user("alice")?.assign("editor")?.done()).await.map(drop)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A closed tenant must not be revived by an open that waits behind a close that could not resolve its commit.
#[test]
fn a_closed_tenant_stays_closed_while_an_open_waits() {
    let (store, authorizer, acme) = acme();
    // The commit is applied, its answer is lost, and the store is down when it is resolved: it is in doubt.
    store.commits([Fault::AnswerLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(promote(&acme)).is_err());

    let gate = Arc::new(AtomicBool::new(false));
    store.sinces([Fault::GateThenDown(gate.clone())]);
    let mut close = pin!(acme.close());
    assert!(poll(close.as_mut()).is_pending(), "the close has the turn and asks the store");
    let mut open = pin!(authorizer.tenant("acme"));
    assert!(poll(open.as_mut()).is_pending(), "the open waits for its turn");
    gate.store(true, Ordering::SeqCst);
    assert!(poll(close.as_mut()).is_ready());
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Closed));

    let opened = block_on(open).unwrap();
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Closed), "after a close, denied");
    drop(opened);
}

/// Two sessions of one tenant at once: a revived session would miss a revocation.
#[test]
fn a_tenant_is_open_once_and_every_holder_sees_a_revocation() {
    let (store, authorizer, acme) = acme();
    store.commits([Fault::AnswerLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(promote(&acme)).is_err());
    let gate = Arc::new(AtomicBool::new(false));
    store.sinces([Fault::GateThenDown(gate.clone())]);
    let mut close = pin!(acme.close());
    assert!(poll(close.as_mut()).is_pending());
    let mut open = pin!(authorizer.tenant("acme"));
    assert!(poll(open.as_mut()).is_pending());
    gate.store(true, Ordering::SeqCst);
    assert!(poll(close.as_mut()).is_ready());
    let first = block_on(open).unwrap();
    let second = block_on(authorizer.tenant("acme")).unwrap();
    block_on(second.update(|tx| tx.user("alice")?.unassign("editor")?.done())).unwrap();
    assert!(!second.check("alice", "posts:write"));
    assert!(!first.check("alice", "posts:write"), "revoked in this very authorizer, before this question");
}

/// Two holders both close the tenant. The second close resolves the commit of the session opened in between.
#[test]
fn a_commit_resolved_through_another_session_is_resolved_here() {
    let (store, authorizer, acme) = acme();
    store.commits([Fault::AnswerLost]);
    store.sinces([Fault::Down, Fault::Down, Fault::Down]); // of the update, the close and the opening
    let error = block_on(promote(&acme)).unwrap_err();
    let id = acme.in_doubt().unwrap();
    drop(error);
    block_on(acme.close()).unwrap();
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!(again.decide("alice", "posts:write"), Decision::Denied(Reason::InDoubt));
    block_on(acme.close()).unwrap(); // the other holder of the first session
    // The next asynchronous call on the tenant resolves it, from any caller.
    let once_more = block_on(authorizer.tenant("acme")).unwrap();
    block_on(once_more.update(|_| Ok(()))).unwrap();
    assert_eq!(again.in_doubt(), None);
    assert_eq!(again.decide("alice", "posts:write"), Decision::Allowed, "no commit is in doubt any more");
    assert_eq!(again.outcome(id), Some(Outcome::Committed(Revision::new(3))));
}

/// Two renames end a conflict with the catalog. The first is in doubt, on a store that keeps no history.
#[test]
fn a_conflict_ends_although_an_answer_was_lost() {
    use rolecall::catalog::{Catalog, Definition, PermissionDef};
    let store = Faulty::default();
    let old = Authorizer::builder().store(store.clone()).build();
    let acme = block_on(old.create_tenant("acme", "Acme")).unwrap();
    block_on(acme.update(|tx| {
        tx.create_permission("a:read")?;
        tx.create_permission("b:read")?.done()
    }))
    .unwrap();
    store.always_too_old.store(true, Ordering::SeqCst);
    let permissions = &[PermissionDef::new("a:read"), PermissionDef::new("b:read")];
    let catalog = Catalog::new(&Definition { permissions, ..Definition::default() }).unwrap();
    let new = Authorizer::builder().store(store.clone()).catalog(&catalog).build();
    let acme = block_on(new.tenant("acme")).unwrap();
    let [a, b] = [0, 1].map(|n: usize| acme.conflicts()[n].own);
    store.commits([Fault::AnswerLost]);
    let first = block_on(acme.update(|tx| tx.permission(a)?.set_slug("my-a:read")?.done()));
    let second = block_on(acme.update(|tx| tx.permission(b)?.set_slug("my-b:read")?.done()));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}

/// Makes a backup: a creation with all current records, then an empty commit with the id of the latest commit. It has
/// the same position as the store.
fn backup(store: &MemoryStore, tenant_id: TenantId) -> MemoryStore {
    use rolecall::records::{Change, CommitId, Envelope};
    use rolecall::store::Base;
    let (backup, mut records) = (MemoryStore::default(), Vec::new());
    let at = block_on(store.load(tenant_id, &mut records)).unwrap().unwrap();
    let creation = Envelope {
        id: CommitId::random(),
        previous: None,
        actor: None,
        at: rolecall::Timestamp::from_secs(0).unwrap(),
        note: None,
        catalog: rolecall::catalog::Catalog::empty().fingerprint(),
    };
    let changes: Vec<Change> = records.into_iter().map(Change::added).collect();
    block_on(backup.commit(Commit { base: Base::Create(tenant_id), envelope: &creation, changes: &changes })).unwrap();
    let first = Position { tenant_id, revision: Revision::new(1), commit: creation.id };
    let second = Envelope { id: at.commit, previous: Some(creation.id), ..creation };
    block_on(backup.commit(Commit { base: Base::At(first), envelope: &second, changes: &[] })).unwrap();
    backup
}

/// A backup is restored while a commit is in doubt and the open tenant is ahead of the backup.
#[test]
fn the_current_snapshot_contains_the_resolved_commit() {
    let (store, authorizer, acme) = acme();
    let elsewhere = Authorizer::builder().store(store.store()).build();
    let backup = backup(&store.store(), acme.tenant_id());
    // Our commit is lost on the way, and the store cannot be asked.
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(promote(&acme)).is_err());
    // Another writer commits: bob may write.
    let other = block_on(elsewhere.tenant("acme")).unwrap();
    block_on(other.update(|tx| tx.create_user("bob")?.assign("editor")?.done())).unwrap();
    block_on(other.update(|tx| tx.create_user("carol")?.done())).unwrap();
    // Our tenant is opened again. It has bob, and cannot resolve the commit.
    store.sinces([Fault::Down, Fault::Down]);
    block_on(acme.close()).unwrap();
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!(again.revision(), Revision::new(4));
    // The backup of revision 2, without bob, is restored. Now our commit is resolved: it is applied there as revision
    // 3.
    *store.inner.lock().unwrap() = backup;
    let id = again.in_doubt().unwrap();
    drop(block_on(authorizer.tenant("acme")));
    let committed = again.outcome(id);
    if matches!(committed, Some(Outcome::Committed(_))) {
        let decision = again.decide("alice", "posts:write");
        assert!(
            matches!(decision, Decision::Allowed | Decision::Denied(Reason::InvalidStoreContent)),
            "resolved as {committed:?}, and the current snapshot does not contain it: {decision:?}; bob, whom the store does \
             not know, may write: {}",
            again.check("bob", "posts:write")
        );
    }
}

/// An open resolves a commit first and finds the tenant deleted. It must return the new tenant with that slug.
#[test]
fn a_slug_whose_tenant_was_deleted_in_doubt_is_looked_up_again() {
    let (store, authorizer, acme) = acme();
    let elsewhere = Authorizer::builder().store(store.store()).build();
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(promote(&acme)).is_err());
    let other = block_on(elsewhere.tenant("acme")).unwrap();
    block_on(other.delete()).unwrap();
    let new = block_on(elsewhere.create_tenant("acme", "The next one")).unwrap();
    let found = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!(found.tenant_id(), new.tenant_id(), "{:?}", found.decide("alice", "posts:write"));
}

/// The same after a close: the tenant is deleted after a new session has loaded it, and before its commit is resolved.
#[test]
fn a_slug_whose_tenant_is_deleted_while_opening_is_looked_up_again() {
    let (store, authorizer, acme) = acme();
    let elsewhere = Authorizer::builder().store(store.store()).build();
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down, Fault::Down]); // of the update and the close
    assert!(block_on(promote(&acme)).is_err());
    block_on(acme.close()).unwrap();
    let gate = Arc::new(AtomicBool::new(false));
    store.sinces([Fault::Gate(gate.clone())]);
    let mut open = pin!(authorizer.tenant("acme"));
    assert!(poll(open.as_mut()).is_pending(), "it has loaded the tenant, and resolves the commit");
    block_on(block_on(elsewhere.tenant("acme")).unwrap().delete()).unwrap();
    let new = block_on(elsewhere.create_tenant("acme", "The next one")).unwrap();
    gate.store(true, Ordering::SeqCst);
    assert_eq!(block_on(open).unwrap().tenant_id(), new.tenant_id());
}

/// Two callers open a tenant. The first gets it, and its first update ends in doubt before the second lookup is
/// answered.
#[test]
fn opening_an_open_tenant_resolves_it() {
    let (store, _authorizer, acme) = acme();
    let other = Authorizer::builder().store(store.clone()).build();
    let gate = Arc::new(AtomicBool::new(false));
    *store.find.lock().unwrap() = Some(gate.clone());
    let mut open = pin!(other.tenant("acme"));
    assert!(poll(open.as_mut()).is_pending(), "it asks for the slug");
    let first = block_on(other.tenant_by_id(acme.tenant_id())).unwrap();
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(promote(&first)).is_err() && first.in_doubt().is_some());
    gate.store(true, Ordering::SeqCst);
    let second = block_on(open).unwrap();
    assert!(second.in_doubt().is_none() && second.check("alice", "posts:write"));
}

/// A backup is restored while a commit is resolved, and then the store is set back to what it was. The commit was
/// applied in one history, and the current snapshot belongs to the other.
#[test]
fn a_commit_of_a_lost_history_is_not_reported_as_committed() {
    let (store, authorizer, acme) = acme();
    let backup = backup(&store.store(), acme.tenant_id());
    let kept = store.store();
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down, Fault::Down, Fault::Down]); // of the update, the close and the opening
    assert!(block_on(promote(&acme)).is_err());
    let id = acme.in_doubt().unwrap();
    let elsewhere = Authorizer::builder().store(kept.clone()).build();
    block_on(block_on(elsewhere.tenant("acme")).unwrap().update(|tx| tx.create_user("bob")?.done())).unwrap();
    block_on(acme.close()).unwrap();
    let again = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!((again.revision(), again.in_doubt()), (Revision::new(3), Some(id)));

    *store.inner.lock().unwrap() = backup;
    let gate = Arc::new(AtomicBool::new(false));
    store.sinces([Fault::Gate(Arc::new(AtomicBool::new(true))), Fault::Gate(gate.clone())]);
    let mut refresh = pin!(again.refresh());
    let answered = poll(refresh.as_mut()).is_ready();
    *store.inner.lock().unwrap() = kept;
    gate.store(true, Ordering::SeqCst);
    assert!(answered || block_on(refresh).is_err(), "the current snapshot is of another history than the commit");
    assert_eq!(again.outcome(id), Some(Outcome::InDoubt));
    block_on(again.refresh()).unwrap();
    assert_eq!(again.outcome(id), Some(Outcome::Aborted));
    assert!(again.now().user("bob").is_some() && !again.check("alice", "posts:write"));
}

/// The same without a history in the store: the load that contains the commit is rejected.
#[test]
fn a_refused_load_does_not_resolve_a_commit() {
    let (store, authorizer, acme) = acme();
    let backup = backup(&store.store(), acme.tenant_id());
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down, Fault::Down, Fault::Down]); // of the update, the close and the opening
    assert!(block_on(promote(&acme)).is_err());
    let id = acme.in_doubt().unwrap();
    let elsewhere = Authorizer::builder().store(store.store()).build();
    block_on(block_on(elsewhere.tenant("acme")).unwrap().update(|tx| tx.create_user("bob")?.done())).unwrap();
    block_on(acme.close()).unwrap();
    let again = block_on(authorizer.tenant("acme")).unwrap();
    *store.inner.lock().unwrap() = backup;
    assert!(
        block_on(again.refresh()).is_err(),
        "it is applied as revision 3; the current snapshot is another revision 3"
    );
    store.always_too_old.store(true, Ordering::SeqCst);
    assert!(block_on(again.refresh()).is_err());
    assert_eq!(again.outcome(id), Some(Outcome::Unknown));
    assert_eq!(again.decide("alice", "posts:write"), Decision::Denied(Reason::InvalidStoreContent));
}

/// A tenant is closed with a commit in doubt. Then it is missing for a while: a backup from before its creation is
/// restored.
#[test]
fn a_tenant_missing_for_a_while_returns_with_its_commit_in_doubt() {
    let (store, authorizer, acme) = acme();
    let (kept, tenant_id) = (store.store(), acme.tenant_id());
    store.commits([Fault::RequestLost]);
    store.sinces([Fault::Down, Fault::Down]); // of the update and the close
    assert!(block_on(promote(&acme)).is_err());
    block_on(acme.close()).unwrap();
    drop(acme);
    *store.inner.lock().unwrap() = MemoryStore::default();
    assert_eq!(block_on(authorizer.tenant_by_id(tenant_id)).unwrap_err().kind(), ErrorKind::NotFound);
    *store.inner.lock().unwrap() = kept;
    assert!(
        block_on(authorizer.tenant_by_id(tenant_id)).unwrap().check("alice", "posts:write"),
        "somebody completes it"
    );
}

/// A creation in doubt is resolved as created, and then the store is down. The error must not say that nothing
/// happened.
#[test]
fn a_created_tenant_that_cannot_be_opened_is_in_doubt() {
    let store = Faulty::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.commits([Fault::AnswerLost]);
    store.load_is_down.store(true, Ordering::SeqCst);
    let error = block_on(authorizer.create_tenant("acme", "Acme")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt, "{error}");
    assert!(error.commit().is_some());
    assert_eq!(
        block_on(authorizer.tenant("acme")).unwrap().name().unwrap(),
        "Acme",
        "the next request for the slug opens it"
    );
}

/// A rename gets no answer. The next request for the old slug resolves it first. It must not return the renamed tenant,
/// because another tenant may have the old slug by now.
#[test]
fn a_slug_whose_tenant_turns_out_to_be_renamed_is_looked_up_again() {
    let (store, authorizer, acme) = acme();
    store.commits([Fault::AnswerLost]);
    store.sinces([Fault::Down]);
    assert!(block_on(acme.update(|tx| tx.set_tenant_slug("acme-old")?.done())).is_err());
    let elsewhere = Authorizer::builder().store(store.store()).build();
    let next = block_on(elsewhere.create_tenant("acme", "The next one")).unwrap();
    let found = block_on(authorizer.tenant("acme")).unwrap();
    assert_eq!((found.slug().unwrap().as_str(), found.tenant_id()), ("acme", next.tenant_id()));
    assert_eq!(block_on(authorizer.tenant("acme-old")).unwrap().tenant_id(), acme.tenant_id());
}
