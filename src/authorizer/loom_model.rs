//! Models every interleaving, up to a bound, of a tenant's writers and readers: plan, commit, publish and resolve in
//! the write queue, over a memory store.
//!
//! The model checker watches the write queue and the cell that readers load. It does not watch the other locks (the
//! store, the pending commit, the numbers). No thread is suspended while it has one of them, so each of their critical
//! sections is one step.
//!
//! Run the models with:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --lib --release --target-dir target/loom model
//! ```
//!
//! Each model has been seen to fail:
//!
//! | deliberate fault | caught by |
//! |---|---|
//! | an update releases its turn before it plans | all |
//! | an update returns and publishes nothing | all but `an_update_that_is_dropped_…` |
//! | a dropped commit leaves the tenant available | `an_update_that_is_dropped_…` |
//! | a close releases its turn at once | `nothing_answers_once_a_close_has_returned` |
//! | 7 of the 10 faults of `write_queue/loom_model.rs`: all but the order in the queue, the change of wakers, and the turn taken back first | `an_update_that_is_dropped_…`, and others for most of them |

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool as Unwatched;
use std::task::{Context, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};

use super::{Authorizer, Tenant};
use crate::model::error::{ErrorKind, Result};
use crate::model::records::{Position, Record, Revision, TenantId, TenantSlug, Timestamp};
use crate::plan::Tx;
use crate::resolver::snapshot::{Availability, Snapshot};
use crate::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};

fn wait<F: Future>(future: F) -> F::Output {
    loom::future::block_on(future)
}

fn tenant(store: impl Store) -> Tenant {
    wait(Authorizer::builder().store(store).build().create_tenant("acme", "Acme")).unwrap()
}

/// Starts a thread whose stack has room for an update. Loom gives its threads 32 kilobytes.
fn start<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    const WORDS: usize = 0x4000;
    thread::Builder::new().stack_size(WORDS).spawn(f).unwrap()
}

/// Tries every order, on a thread whose stack has room for an update.
fn every_order(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    super::sync::every_order(interruptions, move || {
        let model = Arc::clone(&model);
        start(move || model()).join().unwrap();
    });
}

/// A thread that makes one update. Each update creates one user, so a state has as many users as updates.
fn updates(acme: &Tenant, user: &'static str) -> JoinHandle<Result<Revision>> {
    let acme = acme.clone();
    start(move || wait(acme.update(|tx: &Tx| tx.create_user(user)?.done())).map(|done| done.revision))
}

/// The revision and the availability. Fails on a torn snapshot, which has the users of another revision.
fn look(acme: &Tenant) -> (u64, Availability) {
    let Snapshot(compiled) = acme.snapshot();
    let revision = compiled.position.revision.number();
    assert_eq!(compiled.state.users.sorted().count() as u64, revision - 1, "torn");
    (revision, compiled.availability)
}

#[test]
fn of_two_updates_each_commits_and_a_reader_sees_them_one_after_the_other() {
    every_order(5, || {
        let acme = tenant(MemoryStore::default());
        let writers = [updates(&acme, "alice"), updates(&acme, "bob")];
        let seen = [look(&acme), look(&acme), look(&acme)];
        assert!(seen.is_sorted_by_key(|(revision, _)| *revision), "{seen:?}");
        assert!(seen.iter().all(|(_, availability)| *availability == Availability::Serving), "{seen:?}");
        let mut revisions = writers.map(|writer| writer.join().unwrap().unwrap().number());
        revisions.sort_unstable();
        assert_eq!((revisions, look(&acme)), ([2, 3], (3, Availability::Serving)));
    });
}

/// The promise of `update`: when it returns, every later question in this process sees the change.
#[test]
fn an_update_that_returned_is_seen_by_every_thread_that_knows_it() {
    every_order(5, || {
        let acme = tenant(MemoryStore::default());
        let returned = Arc::new(AtomicBool::new(false));
        let reader = {
            let (acme, returned) = (acme.clone(), Arc::clone(&returned));
            start(move || {
                let returned = returned.load(Ordering::Acquire);
                assert!(!returned || acme.now().user("alice").is_some(), "old after the update returned");
            })
        };
        let other = updates(&acme, "bob");
        wait(acme.update(|tx| tx.create_user("alice")?.done())).unwrap();
        returned.store(true, Ordering::Release);
        reader.join().unwrap();
        other.join().unwrap().unwrap();
    });
}

/// A store that applies the first commit that creates Alice, and never answers it.
#[derive(Default)]
struct AppliesInSilence {
    store: MemoryStore,
    alice: Arc<Unwatched>,
}

impl Store for AppliesInSilence {
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
        let answer = self.store.commit(commit).await;
        let makes_alice = |record: &Record| matches!(record, Record::User(user) if user.key == "alice");
        let alice = commit.changes.iter().filter_map(|change| change.after()).any(makes_alice);
        if alice && answer.is_ok() && !self.alice.swap(true, Ordering::Relaxed) {
            pending::<()>().await;
        }
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.store.since(at).await
    }
}

/// A request is cancelled: its update is dropped while it waits for its turn, or while its commit is under way. In the
/// second case every check is denied until the commit is resolved, and no reader that knows of the drop sees the
/// earlier state. The update that waits behind it resolves the commit, and is committed itself.
#[test]
fn an_update_that_is_dropped_denies_until_it_is_resolved_and_keeps_nobody_waiting() {
    let (waited, sent) = (Arc::new(Unwatched::new(false)), Arc::new(Unwatched::new(false)));
    let met = [Arc::clone(&waited), Arc::clone(&sent)];
    every_order(5, move || {
        let alice = Arc::new(Unwatched::new(false));
        let acme = tenant(AppliesInSilence { alice: Arc::clone(&alice), ..AppliesInSilence::default() });
        let other = updates(&acme, "bob");
        let in_doubt = Arc::new(AtomicBool::new(false));
        let reader = {
            let (acme, in_doubt) = (acme.clone(), Arc::clone(&in_doubt));
            start(move || {
                let in_doubt = in_doubt.load(Ordering::Acquire);
                let seen = [acme.snapshot(), acme.snapshot()];
                let denies = seen[0].0.availability == Availability::InDoubt;
                assert!(!in_doubt || denies || seen[0].at(Timestamp::MIN).user("alice").is_some(), "answers as before");
                assert!(seen.iter().map(Snapshot::revision).is_sorted());
            })
        };
        {
            let mut update = pin!(acme.update(|tx| tx.create_user("alice")?.done()));
            assert!(update.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let committed = alice.load(Ordering::Relaxed);
        in_doubt.store(committed, Ordering::Release);
        met[usize::from(committed)].store(true, Ordering::Relaxed);
        other.join().unwrap().unwrap();
        reader.join().unwrap();
        wait(acme.refresh()).unwrap();
        assert_eq!(look(&acme), (2 + u64::from(committed), Availability::Serving));
    });
    assert!(waited.load(Ordering::Relaxed) && sent.load(Ordering::Relaxed), "both were met");
}

/// A closed tenant stays closed, even if an update runs before or after the close.
#[test]
fn nothing_answers_once_a_close_has_returned() {
    every_order(5, || {
        let acme = tenant(MemoryStore::default());
        let writer = updates(&acme, "alice");
        wait(acme.close()).unwrap();
        assert_eq!(look(&acme).1, Availability::Closed);
        match writer.join().unwrap() {
            Ok(revision) => assert_eq!(look(&acme), (revision.number(), Availability::Closed)),
            Err(error) => assert_eq!((error.kind(), look(&acme)), (ErrorKind::Closed, (1, Availability::Closed))),
        }
    });
}
