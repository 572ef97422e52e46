//! The bound on open tenants and the closing of idle ones: which are closed, which never are, and that their memory is
//! freed. A separate test program, because it measures memory with its own allocator.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use rolecall::blocking::{Authorizer, AuthorizerBuilder, Tenant};
use rolecall::clock::ManualClock;
use rolecall::explain::{Decision, Reason};
use rolecall::records::{Position, Revision, TenantId, TenantSlug};
use rolecall::store::{Commit, MemoryStore, Since, Sink, Store, StoreError, TenantSummary};
use rolecall::{ErrorKind, Timestamp, authorizer::Outcome};

const MINUTE: Duration = Duration::from_secs(60);

/// Counts loads, and loses every commit while a flag is set.
#[derive(Clone, Debug, Default)]
struct Counting {
    store: MemoryStore,
    loads: Arc<AtomicUsize>,
    is_lossy: Arc<AtomicBool>,
}

impl Store for Counting {
    async fn find(&self, slug: &TenantSlug) -> Result<Option<TenantId>, StoreError> {
        self.store.find(slug).await
    }

    async fn list(&self, after: Option<&TenantSlug>, limit: usize) -> Result<Vec<TenantSummary>, StoreError> {
        self.store.list(after, limit).await
    }

    async fn load(&self, tenant_id: TenantId, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.store.load(tenant_id, sink).await
    }

    async fn commit(&self, commit: Commit<'_>) -> Result<Revision, StoreError> {
        if self.is_lossy.load(Ordering::Relaxed) {
            return Err(StoreError::in_doubt("the link broke"));
        }
        self.store.commit(commit).await
    }

    async fn since(&self, at: Position) -> Result<Since, StoreError> {
        if self.is_lossy.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("the link is down"));
        }
        self.store.since(at).await
    }
}

/// A store with this many tenants. In each, alice has permission `p` and bob has not.
fn tenants(count: usize) -> Counting {
    let store = Counting::default();
    let authorizer = over(&store).build();
    for n in 0..count {
        let tenant = authorizer.create_tenant(&slug(n), "T").unwrap();
        let fill = |tx: &rolecall::Tx| {
            tx.create_permission("p")?;
            tx.create_role("r")?.grant("p")?;
            tx.create_group("g")?.assign("r")?;
            tx.create_user("bob")?;
            tx.create_user("alice")?.join("g")?.done()
        };
        tenant.update(fill).unwrap();
    }
    store
}

fn slug(n: usize) -> String {
    format!("t{n}")
}

fn over(store: &Counting) -> AuthorizerBuilder {
    Authorizer::builder().store(store.clone())
}

fn open(authorizer: &Authorizer, n: usize) -> Tenant {
    let tenant = authorizer.tenant(&slug(n)).unwrap();
    assert!(tenant.check("alice", "p") && !tenant.check("bob", "p"));
    tenant
}

/// Opens a tenant, and returns whether that took a load.
fn loads(store: &Counting, authorizer: &Authorizer, n: usize) -> bool {
    let before = store.loads.load(Ordering::Relaxed);
    open(authorizer, n);
    store.loads.load(Ordering::Relaxed) > before
}

#[test]
fn the_least_recently_used_tenant_is_closed_to_make_room() {
    let store = tenants(4);
    let authorizer = over(&store).max_open_tenants(3).build();
    for n in [0, 1, 2, 0, 3] {
        open(&authorizer, n);
    }
    assert_eq!(authorizer.open_tenant_count(), 3);
    assert_eq!([0, 2, 3].map(|n| loads(&store, &authorizer, n)), [false; 3]);
    assert!(loads(&store, &authorizer, 1), "it was closed, and is loaded again");
}

#[test]
fn a_held_tenant_is_never_closed_even_if_the_bound_is_exceeded() {
    let store = tenants(101);
    let authorizer = over(&store).max_open_tenants(2).build();
    let mut held: Vec<Tenant> = (0..100).map(|n| open(&authorizer, n)).collect();
    assert_eq!(authorizer.open_tenant_count(), 100);
    assert_eq!(authorizer.close_idle(Duration::ZERO), 0);
    let last = held.pop().unwrap();
    drop(held);
    assert_eq!(authorizer.open_tenant_count(), 100, "nothing has closed them");
    let new = open(&authorizer, 100);
    assert!(
        (101 - 64..=101 - 63).contains(&authorizer.open_tenant_count()),
        "each opening looks at 64, one of them held"
    );
    open(&authorizer, 0);
    assert_eq!(authorizer.open_tenant_count(), 2 + 1, "two are held, and one was opened last");
    drop((last, new));
    assert_eq!(authorizer.close_idle(Duration::ZERO), 3);
}

#[test]
fn close_idle_uses_the_authorizers_clock() {
    let store = tenants(3);
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(0).unwrap()));
    let at = |minutes: i64| clock.set(Timestamp::from_secs(minutes * 60).unwrap());
    let authorizer = over(&store).clock(Arc::clone(&clock)).build();
    let held = open(&authorizer, 0);
    open(&authorizer, 1);
    open(&authorizer, 2);
    at(9);
    open(&authorizer, 2);
    assert_eq!(authorizer.close_idle(10 * MINUTE), 0);
    at(10);
    assert_eq!(authorizer.close_idle(10 * MINUTE), 1);
    assert!(!loads(&store, &authorizer, 2) && held.check("alice", "p"));
    assert!(loads(&store, &authorizer, 1));
    at(0);
    assert_eq!(authorizer.close_idle(MINUTE), 0, "the clock was set back");
    open(&authorizer, 0);
    at(1);
    assert_eq!(authorizer.close_idle(2 * MINUTE), 0);
    assert_eq!(authorizer.close_idle(MINUTE), 2, "and the idle time started again");
    assert_eq!(authorizer.close_idle(Duration::MAX), 0);
}

/// A tenant with a commit in doubt that nobody holds stays open. If it were closed to make room, the next request would
/// have to wait for a load and for the outcome.
#[test]
fn a_tenant_in_doubt_is_not_closed() {
    let store = tenants(3);
    let authorizer = over(&store).max_open_tenants(1).build();
    let in_doubt = open(&authorizer, 0);
    store.is_lossy.store(true, Ordering::Relaxed);
    let error = in_doubt.update(|tx| tx.create_user("carol")?.done()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InDoubt);
    let commit = in_doubt.in_doubt().unwrap();
    drop(in_doubt);
    open(&authorizer, 1);
    open(&authorizer, 2);
    assert_eq!(authorizer.close_idle(Duration::ZERO), 1);
    let before = store.loads.load(Ordering::Relaxed);
    let again = authorizer.tenant(&slug(0)).unwrap();
    assert_eq!(again.decide("alice", "p"), Decision::Denied(Reason::InDoubt));
    store.is_lossy.store(false, Ordering::Relaxed);
    again.refresh().unwrap();
    assert!(again.check("alice", "p") && again.now().user("carol").is_some(), "it was sent again");
    assert_eq!(again.outcome(commit), Some(Outcome::Committed(again.revision())));
    assert_eq!(store.loads.load(Ordering::Relaxed), before);
    drop(again);
    assert_eq!(authorizer.close_idle(Duration::ZERO), 1, "resolved, it is closed like any other");
}

#[test]
fn closing_a_tenant_keeps_snapshots_and_invalidates_handles() {
    let store = tenants(1);
    let authorizer = over(&store).max_open_tenants(0).build();
    let (snapshot, alice) = {
        let tenant = open(&authorizer, 0);
        (tenant.snapshot(), tenant.user_handle("alice").unwrap())
    };
    assert_eq!(authorizer.close_idle(Duration::ZERO), 1);
    let then = snapshot.at(Timestamp::MIN);
    assert!(then.check("alice", "p") && then.check(alice, "p"));
    let again = open(&authorizer, 0);
    assert_eq!(again.decide(alice, "p"), Decision::Denied(Reason::UnknownUser));
}

/// Two threads must share one session of a tenant. Otherwise their writes would not share a write queue.
#[test]
fn many_threads_open_under_a_bound_and_each_tenant_is_open_once() {
    const TENANTS: usize = 20;
    let store = tenants(TENANTS);
    let authorizer = over(&store).max_open_tenants(3).build();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let authorizer = &authorizer;
            scope.spawn(move || {
                for turn in 0..60 {
                    let tenant = open(authorizer, (thread * 7 + turn * 3) % TENANTS);
                    tenant.update(|tx| tx.ensure_user(&format!("{thread}-{turn}"))?.done()).unwrap();
                    if turn % 16 == 0 {
                        authorizer.close_idle(Duration::ZERO);
                    }
                }
            });
        }
    });
    let loads = store.loads.load(Ordering::Relaxed);
    assert!(loads > 2 * TENANTS, "too few loads to show anything: {loads}");
    open(&authorizer, 0);
    assert!(authorizer.open_tenant_count() <= 3);
    authorizer.close_idle(Duration::ZERO);
    let users = |n| open(&authorizer, n).now().users(&rolecall::PageRequest::of(1_000)).items.len();
    assert_eq!((0..TENANTS).map(users).sum::<usize>(), 2 * TENANTS + 8 * 60, "no update was lost");
}

/// A poller that requests each tenant by its slug would keep all of them open.
#[test]
fn listing_open_tenants_does_not_count_as_use() {
    let store = tenants(3);
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000).unwrap()));
    let authorizer = over(&store).clock(Arc::clone(&clock)).build();
    (0..3).for_each(|n| drop(open(&authorizer, n)));
    clock.set(Timestamp::from_secs(1_060).unwrap());
    let all = authorizer.open_tenants();
    for tenant in &all {
        tenant.refresh().unwrap();
        assert_eq!(authorizer.close_idle(Duration::from_secs(60)), 0, "the list holds them");
    }
    drop(all);
    assert_eq!(authorizer.close_idle(Duration::from_secs(60)), 3);
    assert_eq!(authorizer.open_tenants().len(), 0);
}

#[test]
fn closing_tenants_frees_their_memory() {
    const TENANTS: usize = 500;
    let store = tenants(TENANTS);
    let bytes = |max: usize| {
        let authorizer = over(&store).max_open_tenants(max).build();
        // First make the allocations that happen only once.
        open(&authorizer, 0);
        authorizer.close_idle(Duration::ZERO);
        let opened = measure(|| (0..TENANTS).for_each(|n| drop(open(&authorizer, n))));
        let closed = measure(|| _ = authorizer.close_idle(Duration::ZERO));
        assert_eq!(authorizer.open_tenant_count(), 0);
        (opened.bytes_current, opened.bytes_current + closed.bytes_current)
    };
    let (all, left) = bytes(usize::MAX);
    assert!(left <= all / 100, "{left} bytes of {all} are left");
    let (few, left) = bytes(TENANTS / 10);
    assert!(few <= all / 9 && left <= all / 100, "a tenth of the tenants, and {few} of {all} bytes; {left} are left");
}

#[test]
fn tenants_closed_explicitly_leave_nothing_behind() {
    let store = tenants(200);
    let authorizer = over(&store).build();
    let all = measure(|| {
        let held: Vec<Tenant> = (0..200).map(|n| open(&authorizer, n)).collect();
        for tenant in &held {
            tenant.close().unwrap();
        }
    });
    assert!(all.bytes_current < 4_096, "{} bytes are left", all.bytes_current);
}
