//! Several writers of one tenant: processes on one store, and callers in one process that meet a commit in doubt.
//! `tests/simulation/contention.rs` measures how long they wait.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rolecall::blocking::{Authorizer, Tenant};
use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug};
use rolecall::store::conformance::{Call, Fault, FaultyStore};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Error, ErrorKind, PageRequest, Reason, authorizer::Outcome};

type Faulty = FaultyStore<MemoryStore>;

/// Two processes on one store with a group `staff`. The first one's calls can fail.
fn two_processes() -> (Faulty, Authorizer, Tenant, Tenant) {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(store.clone()).build();
    let here = authorizer.create_tenant("acme", "Acme").unwrap();
    here.update(|tx| tx.create_group("staff")?.done()).unwrap();
    let elsewhere = Authorizer::builder().store(store.inner().clone()).build().tenant("acme").unwrap();
    store.take_calls();
    (store, authorizer, here, elsewhere)
}

/// Leaves a commit of `tenant` in doubt, and the store down for the next attempt to resolve it.
fn leave_in_doubt(store: &Faulty, tenant: &Tenant) -> CommitId {
    store.fail_next(Call::Commit, Fault::ResponseLost);
    store.fail_next(Call::Since, Fault::Unavailable);
    let error = tenant.update(|tx| tx.create_user("alice")?.done()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    error.commit().unwrap()
}

fn join(tenant: &Tenant, user: &str) -> Result<(), Error> {
    tenant.update(|tx| tx.user(user)?.join("staff")?.done()).map(drop)
}

#[test]
fn f3_a_closure_that_fails_runs_again_if_the_store_has_moved() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.update(|tx| tx.create_user("alice")?.done()).unwrap();
    assert_eq!(here.lag().revisions, 0, "it does not know");
    join(&here, "alice").unwrap();
    assert_eq!(store.take_calls(), [Call::Since, Call::Commit]);
    assert_eq!(here.now().members("staff", &PageRequest::of(9)).items.len(), 1);
}

#[test]
fn f3_the_error_of_a_closure_is_returned_if_the_store_has_not_moved() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    let error = join(&here, "alice").unwrap_err();
    assert_eq!((error.kind(), error.revision()), (ErrorKind::NotFound, Some(Revision::new(2))));
    assert_eq!(store.take_calls(), [Call::Since], "one call");

    // If it has moved, and the closure fails there too, that is the answer.
    elsewhere.update(|tx| tx.create_user("bob")?.done()).unwrap();
    let error = join(&here, "alice").unwrap_err();
    assert_eq!((error.kind(), error.revision()), (ErrorKind::NotFound, Some(Revision::new(3))));
    assert_eq!(store.take_calls(), [Call::Since], "one call");
}

/// The store moves after every call. A closure that fails or has no effect still gets its answer.
#[test]
fn f3_a_busy_store_does_not_keep_an_error_or_no_effect_from_being_returned() {
    let (store, _authorizer, _here, elsewhere) = two_processes();
    let busy = MovesAfterEachSince { elsewhere, commits: Arc::default(), inner: store.inner().clone() };
    let here = Authorizer::builder().store(busy).build().tenant("acme").unwrap();
    assert_eq!(join(&here, "alice").unwrap_err().kind(), ErrorKind::NotFound);
    let before = here.revision();
    let done = here.update(|tx| tx.ensure_user("busy-1")?.done()).unwrap();
    assert!(done.commit.is_none() && done.revision > before, "on the state that the store has confirmed");
}

#[test]
fn f3_an_application_error_is_confirmed_too() {
    #[derive(Debug)]
    enum AppError {
        Rolecall(Error),
        NoSeatLeft,
    }
    impl From<Error> for AppError {
        fn from(error: Error) -> Self {
            Self::Rolecall(error)
        }
    }
    let (store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.update(|tx| tx.create_user("bob")?.done()).unwrap();
    let mut seats = [1, 2].into_iter();
    here.try_update(|tx| {
        tx.ensure_user("alice")?;
        if seats.next() == Some(2) { Ok(()) } else { Err(AppError::NoSeatLeft) }
    })
    .unwrap();

    store.fail_next(Call::Since, Fault::Unavailable);
    let failed = here.try_update(|_| Err::<(), _>(AppError::NoSeatLeft));
    let Err(AppError::Rolecall(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

/// An unconfirmed `NotFound` could hide a revocation that was needed.
#[test]
fn f3_an_error_that_cannot_be_confirmed_is_unavailable() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.update(|tx| tx.create_user("alice")?.join("staff")?.done()).unwrap();
    let remove = || here.update(|tx| tx.user("alice")?.leave("staff")?.done());
    store.fail_next(Call::Since, Fault::Unavailable);
    let error = remove().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().starts_with("the closure failed, perhaps on an old revision, "), "{error}");
    assert_eq!(remove().unwrap().changes.len(), 1);
}

#[test]
fn f3_a_closure_that_fails_on_a_deleted_tenant_says_deleted() {
    let (_store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.delete().unwrap();
    assert_eq!(join(&here, "alice").unwrap_err().kind(), ErrorKind::Deleted);
    assert_eq!(here.now().unavailable(), Some(Reason::Deleted));
}

#[test]
fn f3_a_plan_does_not_call_the_store() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.update(|tx| tx.create_user("alice")?.done()).unwrap();
    let planned = here.plan(|tx| tx.user("alice")?.join("staff")?.done());
    assert_eq!(planned.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.take_calls(), []);
}

#[cfg(feature = "json")]
#[test]
fn f3_a_document_that_fails_is_applied_again_if_the_store_has_moved() {
    let (_store, _authorizer, here, elsewhere) = two_processes();
    elsewhere.update(|tx| tx.set_tenant_slug("acme-corp")?.done()).unwrap();
    let document = elsewhere.snapshot().export().unwrap();
    // Here the slug is still another one, which is a mistake.
    assert!(here.plan_replace(&document).is_err());
    assert!(here.replace(&document).unwrap().commit.is_none());
}

#[test]
fn f35_conflicts_do_not_displace_the_outcome_of_a_commit_in_doubt() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    let commit = leave_in_doubt(&store, &here);
    assert_eq!(here.outcome(commit), Some(Outcome::InDoubt));
    for n in 0..1_100 {
        elsewhere.update(|tx| tx.create_user(&format!("e{n}"))?.done()).unwrap();
        here.update(|tx| tx.create_user(&format!("u{n}"))?.done()).unwrap();
    }
    assert_eq!(here.outcome(commit), Some(Outcome::Committed(Revision::new(3))));
}

/// The store often gives no answer, and each update finds out at once that its commit was applied.
#[test]
fn f35_commits_resolved_within_their_update_do_not_displace_one_that_was_not() {
    let (store, _authorizer, here, _elsewhere) = two_processes();
    let reported = leave_in_doubt(&store, &here);
    let mut last = None;
    for n in 0..1_100 {
        store.fail_next(Call::Commit, Fault::ResponseLost);
        last = here.update(|tx| tx.create_user(&format!("u{n}"))?.done()).unwrap().commit;
    }
    assert_eq!(here.outcome(reported), Some(Outcome::Committed(Revision::new(3))));
    assert_eq!(here.outcome(last.unwrap()), Some(Outcome::Committed(here.revision())), "while there is room");
}

/// Runs a call while a commit of another caller is in doubt and the store cannot be asked.
fn is_blocked<T: std::fmt::Debug>(what: &str, call: impl FnOnce(&Authorizer, &Tenant) -> Result<T, Error>) {
    let (store, authorizer, here, _elsewhere) = two_processes();
    let commit = leave_in_doubt(&store, &here);
    store.fail_every(Call::Since, Fault::Unavailable);
    store.take_calls();
    let error = call(&authorizer, &here).unwrap_err();
    assert_eq!((error.kind(), error.commit()), (ErrorKind::Blocked, Some(commit)), "{what}: {error}");
    assert!(!store.take_calls().contains(&Call::Commit), "{what}: nothing was sent");
    assert_eq!(here.outcome(commit), Some(Outcome::InDoubt), "{what}");
    store.clear_faults();
    here.refresh().unwrap();
    assert_eq!(here.outcome(commit), Some(Outcome::Committed(Revision::new(3))), "{what}");
}

#[test]
fn f36_calls_that_meet_another_callers_commit_in_doubt_are_blocked() {
    is_blocked("update", |_, acme| acme.update(|tx| tx.create_user("bob")?.done()));
    is_blocked("update without effect", |_, acme| acme.update(|_| Ok(())));
    is_blocked("an update that fails", |_, acme| acme.update(|tx| tx.user("bob")?.done()));
    is_blocked("commit", |_, acme| acme.commit(acme.plan(|tx| tx.create_user("bob")?.done())?.1));
    is_blocked("delete", |_, acme| acme.delete());
    is_blocked("refresh", |_, acme| acme.refresh());
    #[cfg(feature = "json")]
    is_blocked("replace", |_, acme| {
        let json = br#"{"format": 1, "tenant": {"slug": "acme"}}"#;
        acme.replace(&rolecall::Document::from_json(json)?)
    });
}

#[test]
fn f36_calls_for_a_slug_whose_creation_is_in_doubt_are_blocked() {
    let store = FaultyStore::new(MemoryStore::default());
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.fail_next(Call::Commit, Fault::RequestLost);
    store.fail_next(Call::Commit, Fault::Unavailable);
    let error = authorizer.create_tenant("acme", "Acme").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt, "its own");
    let commit = error.commit();
    let blocked = |what: &str, answer: Result<(), Error>| {
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.commit(), error.name()), (ErrorKind::Blocked, commit, Some("acme")), "{what}");
        assert!(pollster::block_on(store.inner().list(None, 9)).unwrap().is_empty(), "{what}: nothing was applied");
    };
    store.fail_every(Call::Commit, Fault::Unavailable);
    blocked("create", authorizer.create_tenant("acme", "Another").map(drop));
    blocked("open", authorizer.tenant("acme").map(drop));
    blocked("open or create", authorizer.open_or_create("acme", "Another").map(drop));
    #[cfg(feature = "json")]
    {
        let json = br#"{"format": 1, "tenant": {"slug": "acme"}}"#;
        blocked("import", authorizer.import(&rolecall::Document::from_json(json).unwrap()).map(drop));
    }
    store.clear_faults();
    assert_eq!(authorizer.tenant("acme").unwrap().name().unwrap(), "Acme", "the first creation is completed");
}

#[test]
fn f36_a_tenant_closed_or_deleted_meanwhile_says_so() {
    let (store, _authorizer, here, elsewhere) = two_processes();
    let commit = leave_in_doubt(&store, &here);
    elsewhere.refresh().unwrap();
    elsewhere.delete().unwrap();
    assert_eq!(here.update(|_| Ok(())).unwrap_err().kind(), ErrorKind::Deleted);
    assert_eq!(here.outcome(commit), Some(Outcome::Unknown));

    let (store, _authorizer, here, _elsewhere) = two_processes();
    let commit = leave_in_doubt(&store, &here);
    store.fail_next(Call::Since, Fault::Unavailable); // of the close
    here.close().unwrap();
    assert_eq!(here.update(|_| Ok(())).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!((here.in_doubt(), here.outcome(commit)), (Some(commit), Some(Outcome::InDoubt)));
}

#[cfg(feature = "json")]
#[test]
fn f36_a_snapshot_in_doubt_is_not_exported() {
    let (store, _authorizer, here, _elsewhere) = two_processes();
    leave_in_doubt(&store, &here);
    assert_eq!(here.snapshot().export().unwrap_err().kind(), ErrorKind::Blocked);
}

#[test]
fn f4_retries_end_after_the_timeout() {
    use rolecall::clock::{Clock, ManualClock};

    let clock = Arc::new(ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap()));
    let (store, _authorizer, _here, elsewhere) = two_processes();
    let builder = Authorizer::builder().store(store.inner().clone()).clock(Arc::clone(&clock));
    let here = builder.retry_timeout(Duration::from_secs(3)).build().tenant("acme").unwrap();
    let mut runs = 0;
    let result = here.update(|tx| {
        runs += 1;
        // Each attempt takes a second, and another process commits meanwhile.
        clock.set(clock.now().saturating_add(Duration::from_secs(1)));
        let name = format!("e{runs}");
        thread::scope(|scope| {
            scope.spawn(|| elsewhere.update(|tx| tx.create_user(&name)?.done()).unwrap());
        });
        tx.ensure_user("alice")?.done()
    });
    assert_eq!((result.unwrap_err().kind(), runs), (ErrorKind::Conflict, 3));
    assert!(here.now().user("alice").is_none() && here.now().unavailable().is_none());
}

/// A process that commits in a row asks the store for news now and then, so that others can commit. One that pauses does
/// not.
#[test]
fn f4_a_process_that_commits_in_a_row_lets_others_in() {
    use rolecall::clock::{Clock, ManualClock};

    for (pause, expected) in [(Duration::ZERO, 4), (Duration::from_millis(1), 0)] {
        let clock = Arc::new(ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap()));
        let store = FaultyStore::new(MemoryStore::default());
        let authorizer = Authorizer::builder().store(store.clone()).clock(Arc::clone(&clock)).build();
        let acme = authorizer.create_tenant("acme", "Acme").unwrap();
        for n in 0..40 {
            acme.update(|tx| tx.create_user(&format!("u{n}"))?.done()).unwrap();
            clock.set(clock.now().saturating_add(pause));
        }
        let news = store.take_calls().into_iter().filter(|call| *call == Call::Since).count();
        assert_eq!(news, expected, "with pauses of {pause:?}");
    }
}

/// The calls that ask for news during these calls of a tenant whose clock is stopped.
fn asked(store: &Faulty, calls: impl FnOnce()) -> usize {
    store.take_calls();
    calls();
    store.take_calls().into_iter().filter(|call| *call == Call::Since).count()
}

/// Two processes whose clocks are stopped, so that no pause is seen between commits.
fn two_hurried_processes() -> (Faulty, Tenant, Tenant) {
    use rolecall::clock::ManualClock;

    let store = FaultyStore::new(MemoryStore::default());
    let clock = ManualClock::new("2027-01-01T00:00:00Z".parse().unwrap());
    let here = Authorizer::builder().store(store.clone()).clock(clock).build().create_tenant("acme", "Acme").unwrap();
    let elsewhere = Authorizer::builder().store(store.inner().clone()).build().tenant("acme").unwrap();
    (store, here, elsewhere)
}

fn add_users(acme: &Tenant, numbers: std::ops::Range<u32>) {
    numbers.for_each(|n| drop(acme.update(|tx| tx.create_user(&format!("u{n}"))?.done()).unwrap()));
}

#[test]
fn f4_commits_of_plans_in_a_row_let_others_in() {
    let (store, here, _) = two_hurried_processes();
    let commit = |n| here.commit(here.plan(|tx| tx.create_user(&format!("u{n}"))?.done()).unwrap().1).unwrap();
    assert_eq!(asked(&store, || (0..40).for_each(|n| drop(commit(n)))), 4);
}

/// Each asks once, because the base must be the latest. They are not commits, so they keep nobody out.
#[test]
fn f4_updates_without_effect_do_not_count_as_commits() {
    let (store, here, _) = two_hurried_processes();
    assert_eq!(asked(&store, || (0..40).for_each(|_| drop(here.update(|_| Ok(())).unwrap()))), 40);
    assert_eq!(asked(&store, || add_users(&here, 0..16)), 0);
}

/// The process learns of another one by a conflict, or because it asks.
#[test]
fn f4_a_process_that_has_met_another_one_lets_it_in_sooner() {
    let by_conflict = |here: &Tenant| add_users(here, 0..1);
    let by_asking = |here: &Tenant| drop(here.update(|tx| tx.user("alice")?.suspend()?.done()).unwrap());
    for meet in [&by_conflict as &dyn Fn(&Tenant), &by_asking] {
        let (store, here, elsewhere) = two_hurried_processes();
        elsewhere.update(|tx| tx.create_user("alice")?.done()).unwrap();
        assert_eq!(asked(&store, || meet(&here)), 1);
        assert_eq!(asked(&store, || add_users(&here, 1..9)), 4);
    }
    let (store, here, _) = two_hurried_processes();
    add_users(&here, 0..1);
    assert_eq!(asked(&store, || add_users(&here, 1..9)), 0, "alone");
}

/// A store whose calls take 2 ms.
#[derive(Clone, Default)]
struct Slow {
    inner: MemoryStore,
    conflicts: Arc<AtomicUsize>,
}

const CALL: Duration = Duration::from_millis(2);

impl Store for Slow {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        thread::sleep(CALL);
        self.inner.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        thread::sleep(CALL);
        self.inner.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        thread::sleep(CALL);
        self.inner.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        thread::sleep(CALL);
        let answer = self.inner.commit(commit).await;
        if matches!(answer, Err(StoreError::Conflict { .. })) {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        thread::sleep(CALL);
        self.inner.since(at).await
    }
}

/// An authorizer of its own over the store, as another process has it.
fn process(store: &Slow) -> Tenant {
    Authorizer::builder().store(store.clone()).build().tenant("acme").unwrap()
}

#[test]
fn f4_twenty_of_twenty_removals_beside_a_busy_process_succeed() {
    let store = Slow::default();
    let acme = Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_group("staff")?;
        (0..20).try_for_each(|n| tx.create_user(&format!("m{n}"))?.join("staff")?.done())
    })
    .unwrap();
    let is_done = AtomicBool::new(false);
    let (busy, other) = (process(&store), process(&store));
    let (commits, longest) = thread::scope(|scope| {
        let looping = scope.spawn(|| {
            let mut commits = 0;
            while !is_done.load(Ordering::Relaxed) {
                busy.update(|tx| tx.create_user(&format!("u{commits}"))?.done()).unwrap();
                commits += 1;
            }
            commits
        });
        let mut longest = Duration::ZERO;
        for n in 0..20 {
            let began = Instant::now();
            let removed = other.update(|tx| tx.user(format!("m{n}"))?.leave("staff")?.done());
            is_done.store(removed.is_err(), Ordering::Relaxed);
            removed.unwrap();
            longest = longest.max(began.elapsed());
        }
        is_done.store(true, Ordering::Relaxed);
        (looping.join().unwrap(), longest)
    });
    println!(
        "20 removals beside {commits} commits, at most {longest:?} each; {} commits were stale",
        store.conflicts.load(Ordering::Relaxed)
    );
    assert!(store.conflicts.load(Ordering::Relaxed) > 0, "they met");
    assert!(process(&store).now().members("staff", &PageRequest::of(99)).items.is_empty());
}

#[test]
fn f4_thirty_two_processes_lose_no_update() {
    let store = Slow::default();
    Authorizer::builder().store(store.clone()).build().create_tenant("acme", "Acme").unwrap();
    let began = Instant::now();
    thread::scope(|scope| {
        for process_number in 0..32 {
            let store = &store;
            scope.spawn(move || {
                let acme = process(store);
                for n in 0..3 {
                    acme.update(|tx| tx.create_user(&format!("p{process_number}-{n}"))?.done()).unwrap();
                }
            });
        }
    });
    println!("96 updates of 32 processes in {:?}", began.elapsed());
    assert!(store.conflicts.load(Ordering::Relaxed) > 0, "they met");
    assert_eq!(process(&store).now().users(&PageRequest::of(1_000)).items.len(), 96);
    assert_eq!(process(&store).revision(), Revision::new(97), "each update once");
}

/// A store in which another process commits right after each answer to `since`.
struct MovesAfterEachSince {
    inner: MemoryStore,
    elsewhere: Tenant,
    commits: Arc<AtomicUsize>,
}

impl Store for MovesAfterEachSince {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.inner.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.inner.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.inner.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.inner.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        let answer = self.inner.since(at).await;
        let user = format!("busy-{}", self.commits.fetch_add(1, Ordering::Relaxed));
        self.elsewhere.as_async().update(|tx| tx.create_user(&user)?.done()).await.unwrap();
        answer
    }
}
