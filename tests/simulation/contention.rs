//! Several processes that write to one tenant at once, over a store whose calls take 2 ms of simulated time. It measures
//! for each process how often an update ends as a conflict and how long it waits.
//!
//! `cargo test --test simulation -- --nocapture contention` prints the figures that `src/docs/consistency.md` has.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use rolecall::store::MemoryStore;
use rolecall::{Authorizer, ErrorKind, Tenant};

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
const SEEDS: u64 = 8;

struct Writer {
    tenant: Tenant,
    store: SlowStore,
    /// How long each update took, in microseconds, and how many ended as a conflict.
    waits: RefCell<Vec<u64>>,
    conflicts: Cell<u32>,
}

impl Writer {
    async fn update(&self, f: impl FnMut(&rolecall::Tx) -> rolecall::Result<()>) {
        let began = self.store.time.micros();
        match self.tenant.update(f).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => self.conflicts.set(self.conflicts.get() + 1),
            Err(error) => panic!("{error}"),
        }
        self.waits.borrow_mut().push(self.store.time.micros() - began);
    }

    fn longest(&self) -> u64 {
        self.waits.borrow().iter().copied().max().unwrap_or_default()
    }
}

/// This many processes with one tenant, which has the members `m0` to `m19` of a group and the users `u0` to `u19`.
fn processes(many: usize, time: &Time, latency: Latency, seed: u64) -> Vec<Writer> {
    let store = MemoryStore::default();
    let set_up = Authorizer::builder().store(store.clone()).build();
    let acme = pollster::block_on(set_up.create_tenant("acme", "Acme")).unwrap();
    let update = acme.update(|tx| {
        tx.create_group("staff")?;
        (0..20).try_for_each(|n| tx.create_user(&format!("m{n}"))?.join("staff").map(drop))
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
    run(time, (0..many as u64).map(open).collect());
    opened.into_inner()
}

#[derive(Default)]
struct Figures {
    conflicts: u32,
    stale_commits: u64,
    longest: u64,
    waits: Vec<u64>,
    /// The commits of the busy process in a second.
    per_second: u64,
}

/// One process commits in a loop; another removes twenty members, one after another, with a pause after each.
fn removals(latency: Latency, seed: u64) -> Figures {
    let time = Time::default();
    let writers = processes(2, &time, latency, seed);
    let [busy, other] = &writers[..] else { panic!("two") };
    let (is_done, commits, began) = (Cell::new(false), Cell::new(0_u64), time.micros());
    let looping = async {
        while !is_done.get() {
            commits.set(commits.get() + 1);
            busy.update(|tx| tx.create_user(&format!("u{}", commits.get())).map(drop)).await;
        }
    };
    let removing = async {
        for n in 0..20 {
            other.update(|tx| tx.user(&format!("m{n}"))?.leave("staff").map(drop)).await;
            time.sleep(10_000 + 7_300 * n).await;
        }
        is_done.set(true);
    };
    run(&time, vec![Box::pin(looping), Box::pin(removing)]);
    pollster::block_on(check_all_left(other));
    Figures {
        conflicts: other.conflicts.get() + busy.conflicts.get(),
        stale_commits: other.store.conflicts.load(Ordering::Relaxed),
        longest: other.longest(),
        waits: other.waits.take(),
        per_second: commits.get() * 1_000_000 / (time.micros() - began),
    }
}

async fn check_all_left(other: &Writer) {
    let reader = Authorizer::builder().store(other.store.inner.clone()).build();
    let members = reader.tenant("acme").await.unwrap().now().members("staff", &rolecall::PageRequest::of(100));
    assert_eq!(members.items.len() as u32, other.conflicts.get(), "each removal that succeeded is in the store");
}

fn mean(waits: &[u64]) -> u64 {
    waits.iter().sum::<u64>() / waits.len().max(1) as u64
}

#[test]
fn f4_contention_a_removal_beside_a_busy_process_succeeds() {
    for latency in LATENCIES {
        let all: Vec<Figures> = (0..SEEDS).map(|seed| removals(latency, seed)).collect();
        let conflicts: u32 = all.iter().map(|one| one.conflicts).sum();
        let stale: u64 = all.iter().map(|one| one.stale_commits).sum();
        let longest = all.iter().map(|one| one.longest).max().unwrap_or_default();
        let waits: Vec<u64> = all.iter().flat_map(|one| one.waits.iter().copied()).collect();
        let per_second = all.iter().map(|one| one.per_second).sum::<u64>() / SEEDS;
        println!(
            "{latency:?}: {} removals, {conflicts} ended as a conflict, {stale} commits were stale; a removal took {} µs, \
             at most {longest}; the busy process made {per_second} commits a second",
            waits.len(),
            mean(&waits)
        );
    }
}

/// Each process makes ten updates without a pause.
fn crowd(many: usize, latency: Latency, seed: u64) -> (u32, u64, u64, u64) {
    const EACH: usize = 10;
    let time = Time::default();
    let writers = processes(many, &time, latency, seed);
    let began = time.micros();
    let tasks = writers.iter().enumerate().map(|(process, writer)| -> Task<'_> {
        Box::pin(async move {
            for n in 0..EACH {
                writer.update(|tx| tx.create_user(&format!("p{process}-{n}")).map(drop)).await;
            }
        })
    });
    run(&time, tasks.collect());
    let took = time.micros() - began;
    let conflicts = writers.iter().map(|writer| writer.conflicts.get()).sum();
    let stale = writers.iter().map(|writer| writer.store.conflicts.load(Ordering::Relaxed)).sum();
    let longest = writers.iter().map(Writer::longest).max().unwrap_or_default();
    (conflicts, stale, longest, took)
}

#[test]
fn f4_contention_many_processes_lose_no_update() {
    for many in [2, 8, 32] {
        for latency in LATENCIES {
            for seed in 0..2 {
                let (conflicts, stale, longest, took) = crowd(many, latency, seed);
                println!(
                    "{many} processes, {latency:?}: {conflicts} of {} updates lost, {stale} commits were stale; an update \
                     took at most {longest} µs, all {took}",
                    many * 10
                );
            }
        }
    }
}
