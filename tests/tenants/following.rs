//! Several processes over one store: followers, positions as tokens, and the bound on staleness. Time is simulated: a
//! pause ends when the test says that it is over.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod bound;
mod followers;

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rolecall::authorizer::runtime::{BoxFuture, Runtime};
use rolecall::clock::ManualClock;
use rolecall::records::{CommitId, Position, Revision, TenantId, TenantSlug};
use rolecall::store::{
    Commit, Hint, Hints, LocalHints, MemoryStore, Positions, Since, Sink, Store, StoreError, TenantSummary, Watch,
};
use rolecall::{Authorizer, AuthorizerBuilder, Decision, ErrorKind, Reason, Tenant, Timestamp, blocking};

/// The time, in milliseconds, and the tasks of all processes.
#[derive(Clone, Default)]
struct World(Arc<Shared>);

#[derive(Default)]
struct Shared {
    now: AtomicU64,
    tasks: Mutex<Vec<BoxFuture>>,
}

impl Runtime for World {
    fn spawn(&self, task: BoxFuture) {
        self.0.tasks.lock().unwrap().push(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        let until = self.now() + u64::try_from(duration.as_millis()).unwrap();
        let world = self.clone();
        Box::pin(poll_fn(move |_| if world.now() >= until { Poll::Ready(()) } else { Poll::Pending }))
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl World {
    fn now(&self) -> u64 {
        self.0.now.load(Ordering::SeqCst)
    }

    /// Polls every task until no task continues without a pause.
    fn run(&self) {
        for _ in 0..12 {
            let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap());
            for mut task in tasks {
                let polled = catch_unwind(AssertUnwindSafe(move || (poll(task.as_mut()), task)));
                if let Ok((Poll::Pending, task)) = polled {
                    self.0.tasks.lock().unwrap().push(task);
                }
            }
        }
    }

    fn advance(&self, millis: u64) {
        self.run();
        for _ in 0..millis.div_ceil(10) {
            self.0.now.fetch_add(10, Ordering::SeqCst);
            self.run();
        }
    }

    fn tasks(&self) -> usize {
        self.run();
        self.0.tasks.lock().unwrap().len()
    }

    /// Runs a call to its end, without letting time pass.
    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        for _ in 0..20 {
            if let Poll::Ready(answer) = poll(call.as_mut()) {
                return answer;
            }
            self.run();
        }
        panic!("the call does not end")
    }
}

/// The way of one process to the store that all share.
#[derive(Clone, Default)]
struct Link {
    store: MemoryStore,
    state: Arc<LinkState>,
}

#[derive(Default)]
struct LinkState {
    is_down: AtomicBool,
    hangs: AtomicBool,
    panics: AtomicBool,
    is_corrupt: AtomicBool,
    /// Positions have the commit ids of another history.
    went_back: AtomicBool,
    loses_hints: AtomicBool,
    cuts_hints: AtomicBool,
    /// Hints name a revision that nobody has committed.
    exaggerates: AtomicBool,
    /// Commits are applied, and their answers are lost.
    loses_answers: AtomicBool,
    /// Calls about these tenants do not end.
    stuck: Mutex<HashSet<TenantId>>,
    polls: AtomicU32,
    reads: AtomicU32,
    watches: AtomicU32,
}

impl LinkState {
    fn is(flag: &AtomicBool) -> bool {
        flag.load(Ordering::SeqCst)
    }

    async fn arrive(&self) -> Result<(), StoreError> {
        poll_fn(|_| if Self::is(&self.hangs) { Poll::Pending } else { Poll::Ready(()) }).await;
        assert!(!Self::is(&self.panics), "the store panics");
        if Self::is(&self.is_down) { Err(StoreError::unavailable("down")) } else { Ok(()) }
    }

    async fn pass(&self, tenant_id: TenantId) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        poll_fn(|_| if self.stuck.lock().unwrap().contains(&tenant_id) { Poll::Pending } else { Poll::Ready(()) })
            .await;
        self.arrive().await?;
        if Self::is(&self.is_corrupt) { Err(StoreError::corrupt("damaged")) } else { Ok(()) }
    }
}

impl Link {
    fn to(store: &MemoryStore) -> Self {
        Self { store: store.clone(), state: Arc::default() }
    }

    fn set(flag: &AtomicBool, to: bool) {
        flag.store(to, Ordering::SeqCst);
    }

    fn reads(&self) -> u32 {
        self.state.reads.swap(0, Ordering::SeqCst)
    }

    fn polls(&self) -> u32 {
        self.state.polls.swap(0, Ordering::SeqCst)
    }
}

impl Store for Link {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.state.arrive().await?;
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.state.pass(tenant_id).await?;
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        self.state.arrive().await?;
        let answer = self.store.commit(commit).await;
        if LinkState::is(&self.state.loses_answers) {
            return Err(StoreError::in_doubt("the answer was lost"));
        }
        answer
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        self.state.pass(at.tenant_id).await?;
        self.store.since(at).await
    }
}

impl Positions for Link {
    async fn positions(&self, tenant_ids: &[TenantId]) -> Result<Vec<Option<Position>>, StoreError> {
        self.state.polls.fetch_add(1, Ordering::SeqCst);
        self.state.arrive().await?;
        let mut found = self.store.positions(tenant_ids).await?;
        if LinkState::is(&self.state.went_back) {
            found.iter_mut().flatten().for_each(|position| position.commit = CommitId::random());
        }
        Ok(found)
    }
}

struct LinkHints(LocalHints, Arc<LinkState>);

impl Watch for Link {
    type Hints = LinkHints;

    async fn watch(&self) -> Result<LinkHints, StoreError> {
        self.state.watches.fetch_add(1, Ordering::SeqCst);
        self.state.arrive().await?;
        Ok(LinkHints(self.store.watch().await?, Arc::clone(&self.state)))
    }
}

impl Hints for LinkHints {
    async fn next(&mut self) -> Result<Hint, StoreError> {
        loop {
            let hint = self.0.next().await?;
            if LinkState::is(&self.1.cuts_hints) {
                return Err(StoreError::unavailable("the link was cut"));
            }
            if LinkState::is(&self.1.loses_hints) {
                continue;
            }
            return Ok(match hint {
                Hint::Moved { tenant_id, .. } if LinkState::is(&self.1.exaggerates) => {
                    Hint::Moved { tenant_id, revision: Revision::new(u64::MAX) }
                }
                hint => hint,
            });
        }
    }
}

/// A process that follows the others.
struct Process {
    link: Link,
    authorizer: Authorizer,
    errors: Arc<Mutex<Vec<ErrorKind>>>,
}

impl Process {
    fn start(world: &World, store: &MemoryStore) -> Self {
        Self::start_with(world, store, |builder| builder)
    }

    fn start_with(
        world: &World,
        store: &MemoryStore,
        options: impl Fn(AuthorizerBuilder) -> AuthorizerBuilder,
    ) -> Self {
        let link = Link::to(store);
        let builder = Authorizer::builder().store(link.clone()).runtime(world.clone());
        Self { link, authorizer: options(builder).build(), errors: Arc::default() }
    }

    fn follow(&self, world: &World, with_hints: bool) {
        let errors = Arc::clone(&self.errors);
        let follower = self.authorizer.follow(self.link.clone());
        let follower = follower.on_error(move |error| errors.lock().unwrap().push(error.kind()));
        let follower = if with_hints { follower.watch(self.link.clone()) } else { follower };
        world.spawn(Box::pin(follower.run()));
        world.run();
    }

    fn acme(&self, world: &World) -> Tenant {
        world.wait(self.authorizer.open_or_create("acme", "Acme")).unwrap()
    }

    fn state(&self) -> &LinkState {
        &self.link.state
    }
}

fn set_up(world: &World, acme: &Tenant) {
    let update = acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:write")?;
        tx.create_user("alice")?.assign("editor")?.done()
    });
    world.wait(update).unwrap();
}

fn revoke(world: &World, acme: &Tenant) {
    world.wait(acme.update(|tx| tx.user("alice")?.unassign("editor")?.done())).unwrap();
}

fn assign(world: &World, acme: &Tenant) {
    world.wait(acme.update(|tx| tx.user("alice")?.assign("editor")?.done())).unwrap();
}

/// Two processes with the same tenant open, in which alice may write.
fn two(with_hints: bool) -> (World, (Process, Tenant), (Process, Tenant)) {
    let (world, store) = (World::default(), MemoryStore::default());
    let (first, second) = (Process::start(&world, &store), Process::start(&world, &store));
    let acme = first.acme(&world);
    set_up(&world, &acme);
    let elsewhere = second.acme(&world);
    second.follow(&world, with_hints);
    (world, (first, acme), (second, elsewhere))
}

fn may_write(tenant: &Tenant) -> bool {
    tenant.check("alice", "posts:write")
}
