//! Calls with a runtime: the state after a client hangs up, and the resolution of a commit in doubt.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pollster::block_on;
use rolecall::authorizer::runtime::{BoxFuture, Runtime, Threads};
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{Authorizer, ErrorKind, Reason, Tenant, authorizer::Outcome, blocking};

/// A store whose calls wait, fail or panic while the test says so.
#[derive(Clone, Default)]
pub(crate) struct Slow {
    store: MemoryStore,
    /// Every call waits.
    waits: Arc<AtomicBool>,
    /// Commits are applied and their answers are lost; nothing else is answered.
    is_down: Arc<AtomicBool>,
    /// Calls panic. Commits do so after they were applied.
    panics: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Slow {
    async fn arrive(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        poll_fn(|_| if self.waits.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) }).await;
        assert!(!self.panics.load(Ordering::SeqCst), "the store panics");
        if self.is_down.load(Ordering::SeqCst) { Err(StoreError::Unavailable("down".into())) } else { Ok(()) }
    }

    pub(crate) fn waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::SeqCst);
    }
}

impl Store for Slow {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.arrive().await?;
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.arrive().await?;
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        let (is_down, panics) = (self.is_down.load(Ordering::SeqCst), self.panics.load(Ordering::SeqCst));
        if is_down || panics {
            drop(self.store.commit(commit).await);
            self.arrive().await.map_err(|_| StoreError::InDoubt("the line went dead".into()))?;
        }
        self.arrive().await?;
        self.store.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.arrive().await?;
        self.store.since(at).await
    }
}

/// A runtime that the test drives by hand. Pauses end when the test says so.
#[derive(Clone, Default)]
struct ByHand(Arc<Tasks>);

#[derive(Default)]
struct Tasks {
    queue: Mutex<Vec<BoxFuture>>,
    pauses: Mutex<Vec<Duration>>,
    ended_pauses: AtomicUsize,
    refuses: AtomicBool,
}

impl Runtime for ByHand {
    fn spawn(&self, task: BoxFuture) {
        if !self.0.refuses.load(Ordering::SeqCst) {
            self.0.queue.lock().unwrap().push(task);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        let mut pauses = self.0.pauses.lock().unwrap();
        pauses.push(duration);
        let (number, tasks) = (pauses.len(), Arc::clone(&self.0));
        let ended = move |_: &mut Context<'_>| {
            if tasks.ended_pauses.load(Ordering::SeqCst) >= number { Poll::Ready(()) } else { Poll::Pending }
        };
        Box::pin(poll_fn(ended))
    }
}

impl ByHand {
    /// Polls every task a few times. A panic of the store ends the task, as in every runtime.
    fn run(&self) {
        for _ in 0..10 {
            let tasks = std::mem::take(&mut *self.0.queue.lock().unwrap());
            for mut task in tasks {
                let polled = catch_unwind(AssertUnwindSafe(move || (poll(&mut task), task)));
                if let Ok((Poll::Pending, task)) = polled {
                    self.0.queue.lock().unwrap().push(task);
                }
            }
        }
    }

    /// Ends the pauses that have begun, and runs the tasks.
    fn wake(&self) {
        let begun = self.0.pauses.lock().unwrap().len();
        self.0.ended_pauses.store(begun, Ordering::SeqCst);
        self.run();
    }

    fn tasks(&self) -> usize {
        self.0.queue.lock().unwrap().len()
    }

    fn pauses(&self) -> Vec<u128> {
        self.0.pauses.lock().unwrap().iter().map(Duration::as_millis).collect()
    }

    /// Runs a call to its end.
    fn finish<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = Box::pin(call);
        for _ in 0..10 {
            if let Poll::Ready(answer) = poll(&mut call) {
                return answer;
            }
            self.run();
        }
        panic!("the call does not end")
    }
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A client that asks and hangs up.
fn hang_up<T>(call: impl Future<Output = T>) {
    assert!(poll(&mut Box::pin(call)).is_pending());
}

fn acme() -> (Slow, ByHand, Authorizer, Tenant) {
    let (store, runtime) = (Slow::default(), ByHand::default());
    let authorizer = Authorizer::builder().store(store.clone()).runtime(runtime.clone()).build();
    let acme = runtime.finish(authorizer.create_tenant("acme", "Acme")).unwrap();
    let set_up = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?.done()
    });
    runtime.finish(set_up).unwrap();
    (store, runtime, authorizer, acme)
}

async fn create(acme: &Tenant, user: &str) -> rolecall::Result<()> {
    acme.update(|tx| tx.create_user(user)?.done()).await.map(drop)
}

fn may(acme: &Tenant) -> bool {
    acme.check("alice", "posts:write")
}

fn has(acme: &Tenant, user: &str) -> bool {
    acme.now().user(user).is_some()
}

#[test]
fn f25_an_update_whose_client_hangs_up_is_committed_and_denies_nobody() {
    let (store, runtime, _authorizer, acme) = acme();
    store.waits(true);
    hang_up(create(&acme, "bob"));
    runtime.run();
    assert!(may(&acme) && acme.in_doubt().is_none(), "while the commit is under way");
    let mut next = Box::pin(create(&acme, "carol"));
    assert!(poll(&mut next).is_pending(), "the task has the turn");
    store.waits(false);
    runtime.run();
    assert!(may(&acme) && has(&acme, "bob") && !has(&acme, "carol"));
    runtime.finish(next).unwrap();
    assert!(has(&acme, "carol"), "the turn was passed on");
    assert_eq!(runtime.tasks(), 0);
}

#[test]
fn f25_a_client_that_hangs_up_in_the_queue_changes_nothing() {
    let (store, runtime, _authorizer, acme) = acme();
    store.waits(true);
    let mut first = Box::pin(create(&acme, "bob"));
    assert!(poll(&mut first).is_pending());
    hang_up(create(&acme, "carol"));
    store.waits(false);
    runtime.finish(first).unwrap();
    runtime.run();
    assert!(has(&acme, "bob") && !has(&acme, "carol"));
}

#[test]
fn f25_each_call_that_has_its_turn_outlives_its_client() {
    let (store, runtime, authorizer, acme) = acme();
    let tenant_id = acme.tenant_id();
    let after_a_hang_up = |call: Pin<Box<dyn Future<Output = ()> + '_>>| {
        store.waits(true);
        hang_up(call);
        runtime.run();
        store.waits(false);
        runtime.run();
        assert_eq!(runtime.tasks(), 0);
    };
    let ((), plan) = acme.plan(|tx| tx.create_user("bob")?.done()).unwrap();
    after_a_hang_up(Box::pin(async { drop(acme.commit(plan).await) }));
    assert!(has(&acme, "bob"), "a plan is committed");

    let other = Authorizer::builder().store(store.store.clone()).build();
    block_on(create(&block_on(other.tenant("acme")).unwrap(), "carol")).unwrap();
    after_a_hang_up(Box::pin(async { drop(acme.refresh().await) }));
    assert!(has(&acme, "carol"), "a tenant is refreshed");

    after_a_hang_up(Box::pin(async { drop(authorizer.create_tenant("globex", "Globex").await) }));
    assert_eq!(authorizer.open_tenant_count(), 2, "a tenant is created");

    runtime.finish(acme.close()).unwrap();
    drop(acme);
    after_a_hang_up(Box::pin(async { drop(authorizer.tenant_by_id(tenant_id).await) }));
    let calls = store.calls.load(Ordering::SeqCst);
    let acme = runtime.finish(authorizer.tenant_by_id(tenant_id)).unwrap();
    assert_eq!(store.calls.load(Ordering::SeqCst), calls, "a tenant is opened for the next request");

    after_a_hang_up(Box::pin(async { drop(acme.delete().await) }));
    assert_eq!(acme.now().unavailable(), Some(Reason::Deleted), "a tenant is deleted");
}

#[test]
fn a_position_of_another_tenant_is_invalid() {
    let (_store, runtime, authorizer, acme) = acme();
    let globex = runtime.finish(authorizer.create_tenant("globex", "Globex")).unwrap();
    let position = globex.snapshot().position();
    let error = runtime.finish(acme.at_least(position)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), format!("invalid position `{position}`: expected a position of this tenant"));
}

/// A close asks the store what became of a commit in doubt.
#[test]
fn f25_a_close_whose_client_hangs_up_is_completed() {
    let (store, runtime, _authorizer, acme) = acme();
    store.is_down.store(true, Ordering::SeqCst);
    runtime.finish(create(&acme, "bob")).unwrap_err();
    store.is_down.store(false, Ordering::SeqCst);
    store.waits(true);
    hang_up(acme.close());
    runtime.run();
    assert_eq!(acme.now().unavailable(), Some(Reason::InDoubt), "the store has not answered");
    store.waits(false);
    runtime.run();
    assert_eq!(acme.now().unavailable(), Some(Reason::Closed));
    runtime.wake();
    assert_eq!(runtime.tasks(), 0);
}

#[test]
fn the_outcome_of_a_stage_can_be_asked_for_after_its_client_has_hung_up() {
    for is_committed in [true, false] {
        let (store, runtime, _authorizer, acme) = acme();
        let staged = runtime.finish(acme.stage(|tx| tx.create_user("bob")?.done())).unwrap();
        let commit = staged.commit().envelope.id;
        if is_committed {
            runtime.finish(store.commit(staged.commit())).unwrap();
        }
        store.waits(true);
        hang_up(staged.finish());
        runtime.run();
        assert_eq!((acme.outcome(commit), may(&acme)), (None, true), "it is being found out");
        store.waits(false);
        runtime.run();
        let outcome = if is_committed { Outcome::Committed(acme.revision()) } else { Outcome::Aborted };
        assert_eq!((acme.outcome(commit), has(&acme, "bob"), runtime.tasks()), (Some(outcome), is_committed, 0));
    }
}

#[cfg(feature = "json")]
#[test]
fn f25_imports_and_replacements_outlive_their_client() {
    let (store, runtime, authorizer, acme) = acme();
    let json = |slug: &str| format!(r#"{{"format": 1, "tenant": {{"slug": "{slug}"}}, "users": ["zoe"]}}"#);
    let document = |slug: &str| rolecall::Document::from_json(json(slug).as_bytes()).unwrap();
    let (replacement, import) = (document("acme"), document("globex"));
    store.waits(true);
    hang_up(acme.replace(&replacement));
    hang_up(authorizer.import(&import));
    runtime.run();
    store.waits(false);
    runtime.run();
    assert!(has(&acme, "zoe") && !has(&acme, "alice"));
    assert!(has(&runtime.finish(authorizer.tenant("globex")).unwrap(), "zoe"));
}

#[test]
fn f25_a_task_resolves_a_commit_in_doubt_at_growing_intervals() {
    let (store, runtime, _authorizer, acme) = acme();
    store.is_down.store(true, Ordering::SeqCst);
    let error = runtime.finish(create(&acme, "bob")).unwrap_err();
    let commit = error.commit().unwrap();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    for _ in 0..10 {
        assert_eq!((may(&acme), acme.in_doubt(), runtime.tasks()), (false, Some(commit), 1));
        runtime.wake();
    }
    assert_eq!(runtime.pauses(), [0, 10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
    store.is_down.store(false, Ordering::SeqCst);
    runtime.wake();
    assert!(may(&acme) && has(&acme, "bob"), "nobody has called the tenant");
    assert_eq!((acme.outcome(commit), runtime.tasks()), (Some(Outcome::Committed(acme.revision())), 0));

    store.is_down.store(true, Ordering::SeqCst);
    runtime.finish(create(&acme, "carol")).unwrap_err();
    store.is_down.store(false, Ordering::SeqCst);
    runtime.wake();
    assert!(may(&acme) && has(&acme, "carol"), "so does another task for the next one");
}

#[test]
fn f25_the_task_ends_when_another_call_resolves_the_commit_or_the_tenant_is_closed_or_dropped() {
    for end in ["resolved", "closed", "dropped"] {
        let (store, runtime, authorizer, acme) = acme();
        store.is_down.store(true, Ordering::SeqCst);
        runtime.finish(create(&acme, "bob")).unwrap_err();
        assert_eq!(runtime.tasks(), 1, "{end}");
        let still_down = match end {
            "resolved" => {
                store.is_down.store(false, Ordering::SeqCst);
                runtime.finish(acme.refresh()).unwrap();
                false
            }
            "closed" => {
                runtime.finish(acme.close()).unwrap();
                true
            }
            _ => {
                drop((acme, authorizer));
                true
            }
        };
        runtime.wake();
        assert_eq!((runtime.tasks(), store.is_down.load(Ordering::SeqCst)), (0, still_down), "{end}");
    }
}

/// The doubt outlives the session, so the next one needs a task of its own.
#[test]
fn f25_a_tenant_that_opens_in_doubt_is_resolved_by_a_task() {
    let (store, runtime, authorizer, acme) = acme();
    store.is_down.store(true, Ordering::SeqCst);
    runtime.finish(create(&acme, "bob")).unwrap_err();
    runtime.finish(acme.close()).unwrap();
    runtime.wake();
    let tenant_id = acme.tenant_id();
    assert!(runtime.finish(authorizer.tenant_by_id(tenant_id)).is_err(), "the store is down");
    // The load succeeds, and the store is down again before the commit is resolved.
    store.is_down.store(false, Ordering::SeqCst);
    store.waits(true);
    let mut opening = Box::pin(authorizer.tenant_by_id(tenant_id));
    assert!(poll(&mut opening).is_pending());
    runtime.run();
    store.waits(false);
    let opened = runtime.finish(opening).unwrap();
    runtime.wake();
    assert!(may(&opened) && has(&opened, "bob") && runtime.tasks() == 0);
}

#[test]
fn f25_a_store_that_panics_leaves_no_doubt_for_longer_than_it_panics() {
    let (store, runtime, _authorizer, acme) = acme();
    store.panics.store(true, Ordering::SeqCst);
    let error = runtime.finish(create(&acme, "bob")).unwrap_err();
    assert_eq!((error.kind(), error.commit()), (ErrorKind::InDoubt, acme.in_doubt()));
    for _ in 0..3 {
        runtime.wake();
        assert!(!may(&acme) && runtime.tasks() == 1, "a panic of the store ends one task, and another one goes on");
    }
    assert_eq!(runtime.pauses(), [0, 10, 20, 40]);
    store.panics.store(false, Ordering::SeqCst);
    runtime.wake();
    assert!(may(&acme) && has(&acme, "bob") && runtime.tasks() == 0);
}

#[test]
fn f25_a_runtime_that_starts_no_task_makes_calls_unavailable_and_denies_nobody() {
    let (_store, runtime, authorizer, acme) = acme();
    runtime.0.refuses.store(true, Ordering::SeqCst);
    let kinds = [
        runtime.finish(create(&acme, "bob")).unwrap_err().kind(),
        runtime.finish(acme.refresh()).unwrap_err().kind(),
        runtime.finish(acme.close()).unwrap_err().kind(),
        runtime.finish(authorizer.create_tenant("globex", "Globex")).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Unavailable; 4]);
    assert!(may(&acme) && !has(&acme, "bob"));
    runtime.0.refuses.store(false, Ordering::SeqCst);
    runtime.finish(create(&acme, "bob")).unwrap();
    assert!(has(&acme, "bob"));
}

#[test]
fn f25_a_task_that_is_dropped_half_way_leaves_a_doubt_that_the_next_call_resolves() {
    let (store, runtime, _authorizer, acme) = acme();
    store.waits(true);
    let mut update = Box::pin(create(&acme, "bob"));
    assert!(poll(&mut update).is_pending());
    runtime.run();
    runtime.0.refuses.store(true, Ordering::SeqCst);
    let tasks = std::mem::take(&mut *runtime.0.queue.lock().unwrap());
    drop(tasks);
    let Poll::Ready(Err(error)) = poll(&mut update) else { panic!("the task is gone") };
    assert_eq!((error.kind(), error.commit()), (ErrorKind::InDoubt, acme.in_doubt()));
    runtime.0.refuses.store(false, Ordering::SeqCst);
    store.waits(false);
    runtime.finish(acme.refresh()).unwrap();
    assert!(may(&acme) && has(&acme, "bob"), "the commit was sent again");
}

/// A client that hangs up leaves nothing behind in the registry, not even without a runtime.
#[test]
fn f25_a_creation_that_is_dropped_in_the_queue_is_forgotten() {
    let store = Slow::default();
    let authorizer = Authorizer::builder().store(store.clone()).build();
    store.waits(true);
    let mut first = Box::pin(authorizer.create_tenant("acme", "Acme"));
    assert!(poll(&mut first).is_pending());
    hang_up(authorizer.create_tenant("acme", "Acme"));
    store.waits(false);
    block_on(first).unwrap();
    assert!(block_on(authorizer.tenant("acme")).is_ok());
}

#[test]
fn f25_threads_serve_the_blocking_api_and_resolve_what_is_in_doubt() {
    let store = Slow::default();
    let authorizer = blocking::Authorizer::builder().store(store.clone()).runtime(Threads).build();
    let acme = authorizer.create_tenant("acme", "Acme").unwrap();
    for end in [&store.is_down, &store.panics] {
        end.store(true, Ordering::SeqCst);
        let user = format!("user-{}", acme.revision());
        assert_eq!(acme.update(|tx| tx.create_user(&user)?.id()).unwrap_err().kind(), ErrorKind::InDoubt);
        assert_eq!(acme.now().unavailable(), Some(Reason::InDoubt));
        end.store(false, Ordering::SeqCst);
        let since = std::time::Instant::now();
        while acme.now().user(user.as_str()).is_none() {
            assert!(since.elapsed() < Duration::from_secs(20), "a task resolves it");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_on_tokio_requests_that_are_aborted_lose_no_update_and_deny_nobody() {
    let authorizer = Authorizer::builder().runtime(tokio::runtime::Handle::current()).build();
    let acme = authorizer.create_tenant("acme", "Acme").await.unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?.done()
    })
    .await
    .unwrap();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for n in 0..200_u64 {
        let (acme, acknowledged) = (acme.clone(), Arc::clone(&acknowledged));
        let tenant = acme.clone();
        let request = tokio::spawn(async move {
            let user = format!("user-{n}");
            if create(&acme, &user).await.is_ok() {
                acknowledged.lock().unwrap().push(user);
            }
        });
        tokio::time::sleep(Duration::from_micros(n % 7 * 20)).await;
        request.abort();
        assert!(may(&tenant));
    }
    create(&acme, "last").await.unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.iter().all(|user| has(&acme, user)) && acme.in_doubt().is_none());
}
