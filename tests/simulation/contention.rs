//! Several processes that write to one tenant at once, over a store whose calls take 2 ms of simulated time. It measures
//! for each process how often an update ends as a conflict and how long it waits.
//!
//! `cargo test --test simulation -- --nocapture contention` prints the figures that `src/docs/consistency.md` has.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use rolecall::store::MemoryStore;
use rolecall::{Authorizer, ErrorKind, PageRequest, Tenant, Tx};

use crate::slow_store::{Latency, SlowStore, Time, run};

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where in a call the time passes, and how much it varies.
const LATENCIES: [Latency; 5] = [
    Latency { there: 1_000, back: 1_000, jitter: 20 },
    Latency { there: 1_000, back: 1_000, jitter: 0 },
    Latency { there: 2_000, back: 0, jitter: 5 },
    Latency { there: 0, back: 2_000, jitter: 5 },
    Latency { there: 1_000, back: 1_000, jitter: 90 },
];

struct Writer {
    tenant: Tenant,
    store: SlowStore,
    /// How long each update took, in microseconds, and how many ended as a conflict.
    waits: RefCell<Vec<u64>>,
    conflicts: Cell<u32>,
}

impl Writer {
    async fn update(&self, f: impl FnMut(&Tx) -> rolecall::Result<()>) {
        let began = self.store.time.micros();
        match self.tenant.update(f).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => self.conflicts.set(self.conflicts.get() + 1),
            Err(error) => panic!("{error}"),
        }
        self.waits.borrow_mut().push(self.store.time.micros() - began);
    }

    fn longest(&self) -> u64 {
        self.waits.borrow().iter().copied().max().unwrap()
    }

    fn mean(&self) -> u64 {
        let waits = self.waits.borrow();
        waits.iter().sum::<u64>() / u64::try_from(waits.len()).unwrap()
    }

    /// The commits that met a conflict.
    fn stale(&self) -> u64 {
        self.store.conflicts.load(Ordering::Relaxed)
    }
}

/// This many processes with one tenant, whose group `staff` has the members `m0` to `m19`.
fn processes(many: usize, time: &Time, latency: Latency, seed: u64) -> Vec<Writer> {
    let store = MemoryStore::default();
    let set_up = Authorizer::builder().store(store.clone()).build();
    let acme = pollster::block_on(set_up.create_tenant("acme", "Acme")).unwrap();
    let update = acme.update(|tx| {
        tx.create_group("staff")?;
        (0..20).try_for_each(|n| tx.create_user(&format!("m{n}"))?.join("staff")?.done())
    });
    pollster::block_on(update).unwrap();
    let opened = RefCell::new(Vec::new());
    let open = |process: u64| -> Task<'_> {
        let store = SlowStore::new(&store, time, latency, seed * 1_000 + process);
        let opened = &opened;
        Box::pin(async move {
            let authorizer = Authorizer::builder().store(store.clone()).clock(time.clone()).build();
            let tenant = authorizer.tenant("acme").await.unwrap();
            opened.borrow_mut().push(Writer { tenant, store, waits: RefCell::default(), conflicts: Cell::new(0) });
        })
    };
    run(time, (0..u64::try_from(many).unwrap()).map(open).collect());
    opened.into_inner()
}

/// The result of one run of two processes.
struct Removals {
    removing: Writer,
    busy_conflicts: u32,
    /// The commits of the busy process in a second.
    per_second: u64,
}

/// One process commits in a loop. Another removes twenty members, one after another, with a pause after each.
fn removals(latency: Latency, seed: u64) -> Removals {
    let time = Time::default();
    let mut writers = processes(2, &time, latency, seed);
    let (removing, busy) = (writers.pop().unwrap(), writers.pop().unwrap());
    let (is_done, commits, began) = (Cell::new(false), Cell::new(0_u64), time.micros());
    let looping = async {
        while !is_done.get() {
            commits.set(commits.get() + 1);
            busy.update(|tx| tx.create_user(&format!("u{}", commits.get()))?.done()).await;
        }
    };
    let removals = async {
        for n in 0..20 {
            removing.update(|tx| tx.user(format!("m{n}"))?.leave("staff")?.done()).await;
            time.sleep(10_000 + 7_300 * n).await;
        }
        is_done.set(true);
    };
    run(&time, vec![Box::pin(looping), Box::pin(removals)]);
    let per_second = commits.get() * 1_000_000 / (time.micros() - began);
    Removals { removing, busy_conflicts: busy.conflicts.get(), per_second }
}

/// The users and the members of the group, as another process finds them.
fn found(store: &SlowStore) -> (usize, usize) {
    let reader = Authorizer::builder().store(store.inner.clone()).build();
    let acme = pollster::block_on(reader.tenant("acme")).unwrap();
    let page = PageRequest::of(1_000);
    (acme.now().users(&page).items.len(), acme.now().members("staff", &page).items.len())
}

/// How often each latency is tried.
const RUNS: u64 = if cfg!(debug_assertions) { 2 } else { 4 };

#[test]
fn f4_contention_a_removal_beside_a_busy_process_succeeds() {
    for latency in LATENCIES {
        let runs: Vec<Removals> = (0..RUNS).map(|seed| removals(latency, seed)).collect();
        let conflicts: u32 = runs.iter().map(|run| run.removing.conflicts.get() + run.busy_conflicts).sum();
        let stale: u64 = runs.iter().map(|run| run.removing.stale()).sum();
        let longest = runs.iter().map(|run| run.removing.longest()).max().unwrap();
        let mean = runs.iter().map(|run| run.removing.mean()).sum::<u64>() / RUNS;
        let per_second = runs.iter().map(|run| run.per_second).min().unwrap();
        println!(
            "{} removals beside a busy process, {latency:?}: {conflicts} failed after {stale} conflicts; one took {mean} µs, \
             at most {longest} µs; the busy process made {per_second} commits a second",
            20 * RUNS
        );
        assert_eq!(conflicts, 0, "{latency:?}");
        assert!(stale >= 10 * RUNS, "{latency:?}: {stale} conflicts are too few to show anything");
        assert!(longest <= 60_000, "{latency:?}: a removal took {longest} µs");
        assert!(per_second >= 300, "{latency:?}: the busy process made {per_second} commits a second");
        for run in &runs {
            assert_eq!(found(&run.removing.store).1, 0, "{latency:?}: each removal is in the store");
        }
    }
}

#[test]
fn f4_contention_many_processes_lose_no_update() {
    const EACH: usize = if cfg!(debug_assertions) { 5 } else { 10 };
    for (many, latencies) in [(2, &LATENCIES[..]), (8, &LATENCIES), (32, &LATENCIES[..1])] {
        for latency in latencies {
            let time = Time::default();
            let writers = processes(many, &time, *latency, 7);
            let began = time.micros();
            let tasks = writers.iter().enumerate().map(|(process, writer)| -> Task<'_> {
                Box::pin(async move {
                    for n in 0..EACH {
                        writer.update(|tx| tx.create_user(&format!("p{process}-{n}"))?.done()).await;
                    }
                })
            });
            run(&time, tasks.collect());
            let took = time.micros() - began;
            let lost: u32 = writers.iter().map(|writer| writer.conflicts.get()).sum();
            let stale: u64 = writers.iter().map(Writer::stale).sum();
            let longest = writers.iter().map(Writer::longest).max().unwrap();
            println!(
                "{} updates of {many} processes, {latency:?}: {lost} lost after {stale} conflicts; an update took at most \
                 {longest} µs, all took {took} µs",
                many * EACH
            );
            assert_eq!((lost, found(&writers[0].store).0), (0, 20 + many * EACH), "{many}, {latency:?}");
            assert!(stale > 0, "{many}, {latency:?}: they did not meet");
            assert!(took <= 1_000_000, "{many}, {latency:?}: all took {took} µs");
        }
    }
}

/// The cost of letting others in, for a process that is alone: two calls after sixteen commits.
#[test]
fn f4_contention_a_busy_process_alone_keeps_most_of_its_pace() {
    let time = Time::default();
    let writers = processes(1, &time, LATENCIES[1], 0);
    let began = time.micros();
    let busy = async {
        for n in 0..320 {
            writers[0].update(|tx| tx.create_user(&format!("u{n}"))?.done()).await;
        }
    };
    run(&time, vec![Box::pin(busy)]);
    let took = time.micros() - began;
    println!("320 updates of one process alone: {took} µs, where the commits take 640000 µs");
    assert!(took <= 720_000, "{took}");
}

/// An update that fails or has no effect needs one answer of the store, even if the store moves all the time.
#[test]
fn f3_contention_an_update_that_fails_or_has_no_effect_waits_for_one_call() {
    let time = Time::default();
    let writers = processes(2, &time, LATENCIES[0], 3);
    let [busy, other] = &writers[..] else { panic!("two processes") };
    let is_done = Cell::new(false);
    let looping = async {
        let mut n = 0;
        while !is_done.get() {
            n += 1;
            busy.update(|tx| tx.create_user(&format!("u{n}"))?.done()).await;
        }
    };
    let asking = async {
        for n in 0..20 {
            time.sleep(7_300).await;
            let began = time.micros();
            let missing = other.tenant.update(|tx| tx.user("nobody")?.join("staff")?.done()).await;
            assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
            let between = time.micros();
            let done = other.tenant.update(|tx| tx.ensure_user(&format!("m{n}"))?.done()).await.unwrap();
            assert!(done.commit.is_none());
            let took = (between - began, time.micros() - between);
            assert!(took.0 <= 2_400 && took.1 <= 2_400, "one call takes at most 2400 µs: {took:?}");
        }
        is_done.set(true);
    };
    run(&time, vec![Box::pin(looping), Box::pin(asking)]);
}
