//! Several processes over one store: followers, positions as tokens, and the bound on staleness. Time is simulated: a
//! pause ends when the test says that it is over.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

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

#[test]
fn a_second_process_sees_a_revocation_at_the_next_poll() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    world.advance(100);
    revoke(&world, &acme);
    world.advance(890);
    assert!(may_write(&elsewhere), "not before the poll");
    world.advance(20);
    assert!(!may_write(&elsewhere));
    second.link.reads();
    second.link.polls();
    world.advance(5_000);
    assert_eq!(second.link.reads(), 0, "nothing has changed, so nothing is read");
    assert!((4..=6).contains(&second.link.polls()));
}

#[test]
fn with_hints_a_revocation_is_seen_at_once_and_a_lost_hint_costs_one_interval() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    revoke(&world, &acme);
    world.run();
    assert!(!may_write(&elsewhere), "without a pause");
    assign(&world, &acme);
    world.run();
    assert!(may_write(&elsewhere));
    Link::set(&second.state().loses_hints, true);
    revoke(&world, &acme);
    world.advance(900);
    assert!(may_write(&elsewhere), "the hint was lost");
    world.advance(110);
    assert!(!may_write(&elsewhere));
}

#[test]
fn a_false_hint_costs_a_call_and_changes_no_number() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().exaggerates, true);
    revoke(&world, &acme);
    world.run();
    assert!(!may_write(&elsewhere));
    assert_eq!((elsewhere.lag().revisions, second.authorizer.metrics().revisions_behind), (0, 0));
    second.link.reads();
    world.advance(5_000);
    assert_eq!(second.link.reads(), 0, "nobody waits for that revision");
}

#[test]
fn own_commits_cost_no_call_more() {
    let (world, _first, (second, elsewhere)) = two(true);
    second.link.reads();
    for _ in 0..5 {
        revoke(&world, &elsewhere);
        assign(&world, &elsewhere);
    }
    world.advance(3_000);
    assert_eq!(second.link.reads(), 0);
}

#[test]
fn a_link_that_is_cut_is_watched_again() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().cuts_hints, true);
    revoke(&world, &acme);
    world.run();
    assert!(second.errors.lock().unwrap().contains(&ErrorKind::Unavailable));
    Link::set(&second.state().cuts_hints, false);
    world.advance(1_010);
    assert!(!may_write(&elsewhere), "by the poll");
    assert_eq!(second.state().watches.load(Ordering::SeqCst), 2);
    assign(&world, &acme);
    world.run();
    assert!(may_write(&elsewhere), "by a hint");
}

#[test]
fn a_follower_goes_on_while_a_store_fails() {
    let (world, (_first, acme), (second, elsewhere)) = two(true);
    Link::set(&second.state().loses_hints, true);
    Link::set(&second.state().is_down, true);
    world.advance(1_000);
    second.link.polls();
    revoke(&world, &acme);
    world.advance(60_000);
    let polls = second.link.polls();
    assert!((6..=10).contains(&polls), "the pauses grow to ten seconds: {polls} polls in a minute");
    assert!(may_write(&elsewhere) && elsewhere.lag().failed_refreshes > 5);
    assert!(second.errors.lock().unwrap().iter().all(|kind| *kind == ErrorKind::Unavailable));
    Link::set(&second.state().is_down, false);
    world.advance(10_020);
    assert!(!may_write(&elsewhere));
    assert_eq!(elsewhere.lag().failed_refreshes, 0);
    assign(&world, &acme);
    world.advance(1_010);
    assert!(may_write(&elsewhere), "at the usual interval again");
}

#[test]
fn a_follower_outlives_a_store_that_hangs_or_panics() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    Link::set(&second.state().hangs, true);
    world.advance(2_000);
    revoke(&world, &acme);
    second.link.polls();
    // The call that hangs is given up; the next one is answered.
    world.advance(31_000);
    Link::set(&second.state().hangs, false);
    world.advance(3_000);
    assert!(!may_write(&elsewhere));
    assign(&world, &acme);
    Link::set(&second.state().panics, true);
    world.advance(3_000);
    Link::set(&second.state().panics, false);
    world.advance(10_000);
    assert!(may_write(&elsewhere));
}

#[test]
fn a_tenant_that_is_stuck_does_not_hold_up_the_others() {
    let (world, (first, acme), (second, elsewhere)) = two(false);
    let globex = world.wait(first.authorizer.create_tenant("globex", "Globex")).unwrap();
    let globex_elsewhere = world.wait(second.authorizer.tenant("globex")).unwrap();
    second.state().stuck.lock().unwrap().insert(acme.tenant_id());
    revoke(&world, &acme);
    world.wait(globex.update(|tx| tx.create_user("bob")?.done())).unwrap();
    world.advance(2_000);
    assert_eq!((globex_elsewhere.revision(), may_write(&elsewhere)), (globex.revision(), true));
    second.state().stuck.lock().unwrap().clear();
    world.run();
    assert!(!may_write(&elsewhere));
}

#[test]
fn a_tenant_that_another_process_deletes_is_denied() {
    let (world, (_first, acme), (_second, elsewhere)) = two(false);
    world.wait(acme.delete()).unwrap();
    world.advance(1_010);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::Deleted));
}

#[test]
fn invalid_content_is_read_again_at_growing_intervals_until_it_is_repaired() {
    let (world, (_first, acme), (second, elsewhere)) = two(false);
    Link::set(&second.state().is_corrupt, true);
    revoke(&world, &acme);
    world.advance(1_010);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::InvalidStoreContent));
    second.link.reads();
    world.advance(60_000);
    let reads = second.link.reads();
    assert!((3..=8).contains(&reads), "{reads} reads in a minute");
    Link::set(&second.state().is_corrupt, false);
    world.advance(33_000);
    assert_eq!(elsewhere.decide("alice", "posts:write"), Decision::Denied(Reason::NoPath));
}

#[test]
fn a_follower_ends_with_the_authorizer_and_holds_no_tenant_open() {
    let (world, _first, (second, elsewhere)) = two(true);
    assert_eq!(world.tasks(), 1);
    drop(elsewhere);
    assert_eq!(second.authorizer.close_idle(Duration::ZERO), 1);
    second.link.polls();
    world.advance(3_000);
    assert_eq!(second.link.polls(), 0, "no tenant is open, so the store is not asked");
    let link = second.link.clone();
    drop(second);
    world.advance(1_010);
    assert_eq!((world.tasks(), link.polls()), (0, 0));
}

#[test]
fn dropping_the_future_of_a_follower_ends_it() {
    let (world, store) = (World::default(), MemoryStore::default());
    let process = Process::start(&world, &store);
    let _acme = process.acme(&world);
    let mut follower = Box::pin(process.authorizer.follow(process.link.clone()).watch(process.link.clone()).run());
    assert!(poll(follower.as_mut()).is_pending());
    drop(follower);
    process.link.polls();
    world.advance(5_000);
    assert_eq!((process.link.polls(), world.tasks()), (0, 0));
}

#[test]
fn a28_a_position_is_a_token_for_another_process() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (first, second) = (Process::start(&world, &store), Process::start(&world, &store));
    let (acme, elsewhere) = (first.acme(&world), second.acme(&world));
    set_up(&world, &acme);
    let token = acme.snapshot().position().to_string();
    assert!(!may_write(&elsewhere));
    second.link.reads();
    let position: Position = token.parse().unwrap();
    let mut calls: Vec<_> = (0..5).map(|_| Box::pin(elsewhere.at_least(position))).collect();
    let pending = calls.iter_mut().map(|call| poll(call.as_mut())).filter(Poll::is_pending).count();
    assert_eq!(pending, 5);
    for call in calls {
        assert_eq!(world.wait(call).unwrap(), acme.revision());
    }
    assert_eq!(second.link.reads(), 1, "one of the calls asked the store");
    assert!(may_write(&elsewhere));
    world.wait(elsewhere.at_least(position)).unwrap();
    assert_eq!(second.link.reads(), 0, "it is there");

    let other = world.wait(first.authorizer.create_tenant("globex", "Globex")).unwrap();
    let error = world.wait(elsewhere.at_least(other.snapshot().position())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let ahead = Position { revision: Revision::new(99), ..position };
    assert_eq!(world.wait(elsewhere.at_least(ahead)).unwrap_err().kind(), ErrorKind::NotInHistory);
    let another = Position { commit: CommitId::random(), ..position };
    assert_eq!(world.wait(elsewhere.at_least(another)).unwrap_err().kind(), ErrorKind::NotInHistory);
    Link::set(&second.state().is_down, true);
    assert_eq!(world.wait(elsewhere.at_least(ahead)).unwrap_err().kind(), ErrorKind::Unavailable);
    world.wait(elsewhere.close()).unwrap();
    assert_eq!(world.wait(elsewhere.at_least(position)).unwrap_err().kind(), ErrorKind::Closed);
}

const LIMIT: Duration = Duration::from_secs(8);

fn bounded(world: &World, store: &MemoryStore) -> (Process, Tenant) {
    let process = Process::start_with(world, store, |builder| builder.max_staleness(LIMIT));
    let acme = process.acme(world);
    if acme.revision() == Revision::FIRST {
        set_up(world, &acme);
    }
    (process, acme)
}

#[test]
fn beyond_the_bound_a_tenant_denies_until_the_store_confirms_its_state() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    world.advance(60_000);
    assert!(may_write(&acme), "the polls confirm it");
    Link::set(&process.state().is_down, true);
    world.advance(5_900);
    assert!(may_write(&acme), "within the bound");
    let kept = acme.snapshot();
    world.advance(2_100);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed));
    assert!(!may_write(&acme) && acme.effective("alice").is_empty());
    assert!(kept.at(Timestamp::UNIX_EPOCH).check("alice", "posts:write"), "a snapshot was taken before");
    Link::set(&process.state().is_down, false);
    world.advance(10_010);
    assert!(may_write(&acme));
    assert_eq!(acme.lag().failed_refreshes, 0);
}

#[test]
fn a_late_answer_confirms_the_instant_of_the_question() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    world.advance(2_500);
    Link::set(&process.state().hangs, true);
    world.advance(6_000);
    Link::set(&process.state().hangs, false);
    world.run();
    Link::set(&process.state().is_down, true);
    assert!(may_write(&acme));
    world.advance(2_700);
    assert_eq!(acme.now().unavailable(), Some(Reason::Unconfirmed), "the store was asked more than eight seconds ago");
}

#[test]
fn a_position_of_another_history_confirms_nothing() {
    let (world, _first, (second, _elsewhere)) = two(false);
    world.advance(2_000);
    assert_eq!(second.link.reads(), 1, "it was opened");
    Link::set(&second.state().went_back, true);
    world.advance(3_000);
    assert!(second.link.reads() >= 2, "it is refreshed at each poll, which finds out what happened");
}

#[test]
fn a_store_that_hangs_is_no_way_around_the_bound() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, true);
    Link::set(&process.state().hangs, true);
    // A call that has the turn in the tenant's queue, and does not end.
    let mut refresh = Box::pin(acme.refresh());
    assert!(poll(refresh.as_mut()).is_pending());
    world.advance(8_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    Link::set(&process.state().hangs, false);
    world.wait(refresh).unwrap();
    assert!(may_write(&acme));
}

#[test]
fn without_a_follower_every_call_that_asks_the_store_confirms() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    for _ in 0..3 {
        world.advance(5_000);
        world.wait(acme.refresh()).unwrap();
        world.advance(5_000);
        // Without effect.
        world.wait(acme.update(|_| Ok(()))).unwrap();
        world.advance(5_000);
        revoke(&world, &acme);
        assign(&world, &acme);
    }
    assert!(may_write(&acme));
    world.advance(8_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    // The closure must see the tenant itself, although its checks are denied.
    let seen = world.wait(acme.update(|tx| Ok(tx.base().at(tx.instant()).check("alice", "posts:write")))).unwrap();
    assert!(seen.value && may_write(&acme));
    world.advance(8_000);
    Link::set(&process.state().is_down, true);
    let error = world.wait(acme.update(|tx| tx.create_user("bob")?.done())).unwrap_err();
    assert_eq!((error.kind(), acme.now().unavailable()), (ErrorKind::Unavailable, Some(Reason::Unconfirmed)));
}

#[test]
fn a_state_that_was_never_confirmed_again_is_denied_although_the_authorizer_is_gone() {
    let (world, store) = (World::default(), MemoryStore::default());
    let (process, acme) = bounded(&world, &store);
    process.follow(&world, false);
    drop(process);
    world.advance(10_000);
    assert_eq!(acme.decide("alice", "posts:write"), Decision::Denied(Reason::Unconfirmed));
    drop(acme);
    world.advance(10_000);
    assert_eq!(world.tasks(), 0, "the task ends with the last tenant");
}

#[test]
fn lag_says_when_the_state_was_confirmed() {
    let (world, store) = (World::default(), MemoryStore::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(100).unwrap()));
    let process = Process::start_with(&world, &store, |builder| builder.clock(Arc::clone(&clock)));
    let acme = process.acme(&world);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(100).unwrap());
    clock.set(Timestamp::from_secs(200).unwrap());
    process.follow(&world, false);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(200).unwrap());
    Link::set(&process.state().is_down, true);
    clock.set(Timestamp::from_secs(300).unwrap());
    world.advance(5_000);
    assert_eq!(acme.lag().confirmed_at, Timestamp::from_secs(200).unwrap());
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// How far time moves at once in a schedule, in milliseconds.
const STEP: u64 = 50;

/// Three processes, each with a follower and a bound, that write one tenant over links with random faults.
struct Schedule {
    world: World,
    store: MemoryStore,
    processes: Vec<(Process, Tenant)>,
    random: Random,
    /// When each revision was seen in the store, in order.
    made: Vec<(u64, u64)>,
    denied: u32,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let (world, store) = (World::default(), MemoryStore::default());
        let processes: Vec<_> = (0..3).map(|_| bounded(&world, &store)).collect();
        for (number, (process, _)) in processes.iter().enumerate() {
            process.follow(&world, number < 2);
        }
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { world, store, processes, random, made: Vec::new(), denied: 0 }
    }

    fn flags(state: &LinkState) -> [&AtomicBool; 7] {
        [
            &state.is_down,
            &state.hangs,
            &state.panics,
            &state.is_corrupt,
            &state.loses_hints,
            &state.cuts_hints,
            &state.loses_answers,
        ]
    }

    fn event(&mut self) {
        let some = usize::try_from(self.random.below(3)).unwrap();
        let (process, tenant) = self.processes.get(some).unwrap();
        match self.random.below(10) {
            0..4 => {
                let (tenant, is_member) = (tenant.clone(), self.random.below(2) == 0);
                self.world.spawn(Box::pin(async move {
                    let change = tenant.update(|tx| {
                        let alice = tx.user("alice")?;
                        if is_member { alice.assign("editor")?.done() } else { alice.unassign("editor")?.done() }
                    });
                    drop(change.await);
                }));
            }
            4..7 => Self::flags(process.state()).into_iter().for_each(|flag| Link::set(flag, false)),
            _ => {
                let flag = usize::try_from(self.random.below(7)).unwrap();
                Link::set(Self::flags(process.state()).get(flag).unwrap(), true);
            }
        }
    }

    /// Lets time pass. A process that answers has what was committed longer ago than the bound.
    fn check(&mut self, millis: u64) {
        for _ in 0..millis / STEP {
            self.world.0.now.fetch_add(STEP, Ordering::SeqCst);
            self.world.run();
            let tenant_id = self.processes.first().unwrap().1.tenant_id();
            let latest = pollster::block_on(self.store.positions(&[tenant_id])).unwrap();
            let latest = latest.first().unwrap().unwrap().revision.number();
            let now = self.world.now();
            if self.made.last().is_none_or(|(_, revision)| *revision < latest) {
                self.made.push((now, latest));
            }
            let bound = u64::try_from(LIMIT.as_millis()).unwrap() + 2 * STEP;
            let old = self.made.iter().rev().find(|(at, _)| at + bound <= now).map_or(0, |(_, revision)| *revision);
            for (_, tenant) in &self.processes {
                if tenant.now().unavailable().is_some() {
                    self.denied += 1;
                } else {
                    let found = tenant.revision().number();
                    assert!(found >= old, "revision {found} answers at {now} ms, and {old} is older than the bound");
                }
            }
        }
    }
}

#[test]
fn no_answer_is_older_than_the_bound_whatever_fails() {
    let (mut denied, mut made): (u32, usize) = (0, 0);
    let seeds = std::env::var("ROLECALL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    for seed in 1..=seeds {
        let mut schedule = Schedule::new(u64::from(seed));
        for _ in 0..60 {
            schedule.event();
            let millis = STEP * (1 + schedule.random.below(30));
            schedule.check(millis);
        }
        for (process, _) in &schedule.processes {
            for flag in Schedule::flags(process.state()) {
                Link::set(flag, false);
            }
        }
        // A call that hung is given up after 30 seconds; a tenant with invalid content is read after 32 polls.
        schedule.check(90_000);
        for (_, tenant) in &schedule.processes {
            assert_eq!(tenant.now().unavailable(), None, "seed {seed}");
            assert_eq!(tenant.revision().number(), schedule.made.last().unwrap().1, "seed {seed}");
        }
        (denied, made) = (denied + schedule.denied, made + schedule.made.len());
    }
    assert!(denied > 100 * seeds && made > 5, "{denied} denied, {made} revisions: the schedules do too little");
}

#[test]
fn a_blocking_follower_follows_on_its_thread() {
    let store = MemoryStore::default();
    let first = blocking::Authorizer::builder().store(store.clone()).build();
    let second = blocking::Authorizer::builder().store(store.clone()).build();
    let acme = first.create_tenant("acme", "Acme").unwrap();
    let elsewhere = second.tenant("acme").unwrap();
    let follower = second.follow(store.clone()).watch(store).every(Duration::from_millis(5));
    let thread = std::thread::spawn(|| follower.run());
    acme.update(|tx| tx.create_user("alice")?.done()).unwrap();
    for _ in 0..2_000 {
        if elsewhere.now().user("alice").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(elsewhere.now().user("alice").is_some());
    drop(second);
    thread.join().unwrap().unwrap();
}
