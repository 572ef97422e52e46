//! The store with and without executors, with dropped futures, and with sinks that stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use rolecall::blocking::Authorizer;
use rolecall::records::{Change, Record};
use rolecall::store::{Base, Commit, Sink, Stop, Store, StoreError};

use super::common::{at, commit, created, envelope, loaded, membership, open, tenant, tenant_id, user};

#[test]
fn an_authorizer_gives_the_same_answers_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let acme = Authorizer::builder().store(open(&path)).build().create_tenant("acme", "Acme").unwrap();
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_group("engineering")?.assign("editor")?;
        tx.create_user("alice")?.join("engineering")?.done()
    })
    .unwrap();
    assert!(acme.check("alice", "posts:write"));
    drop(acme);
    let acme = Authorizer::builder().store(open(&path)).build().tenant("acme").unwrap();
    assert!(acme.check("alice", "posts:write"));
    assert!(!acme.check("bob", "posts:write"));
}

#[test]
fn the_store_works_without_a_runtime_and_with_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tenants"));
    let base = created(&store, 1, "pollster", &[user(1, "a")]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let second = store.clone();
    let revision = runtime.block_on(async move {
        let committing = async move {
            let envelope = envelope(2);
            second.commit(Commit { base: Base::At(base), envelope: &envelope, changes: &[] }).await
        };
        tokio::spawn(committing).await.unwrap()
    });
    assert_eq!(revision.unwrap().number(), 2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (base, second) = (at(tenant_id(1), 2, 2), store.clone());
    let loading = runtime.spawn(async move {
        let mut records: Vec<Record> = Vec::new();
        second.load(base.tenant_id, &mut records).await.map(|at| (at, records.len()))
    });
    assert_eq!(runtime.block_on(loading).unwrap().unwrap(), (Some(base), 2));
}

const MANY: u128 = 10_000;

fn many() -> Vec<Record> {
    (0..MANY).map(|n| membership(n, n, None)).collect()
}

#[test]
fn s2_a_load_is_one_state_despite_concurrent_commits() {
    struct Writer<S> {
        store: S,
        taken: Vec<Record>,
        base: Option<rolecall::records::Position>,
    }
    impl<S: Store> Sink for Writer<S> {
        fn push(&mut self, record: Record) -> Result<(), Stop> {
            if let Some(base) = self.base.take() {
                let changes: Vec<_> = many().into_iter().map(Change::removed).collect();
                commit(&self.store, Base::At(base), 2, &changes).unwrap();
            }
            self.taken.push(record);
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tenants"));
    let base = created(&store, 1, "acme", &many());
    let mut writer = Writer { store: store.clone(), taken: Vec::new(), base: Some(base) };
    assert_eq!(pollster::block_on(store.load(base.tenant_id, &mut writer)).unwrap(), Some(base));
    assert_eq!(writer.taken.len(), 1 + many().len());
    assert_eq!(loaded(&store, base.tenant_id).unwrap(), Some((vec![tenant("acme")], at(tenant_id(1), 2, 2))));
}

struct Full(usize);

impl Sink for Full {
    fn push(&mut self, _: Record) -> Result<(), Stop> {
        self.0 = self.0.checked_sub(1).ok_or(Stop)?;
        Ok(())
    }
}

#[test]
fn s2_a_load_stops_when_the_sink_does_even_at_the_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tenants"));
    let records = 1 + many().len();
    let base = created(&store, 1, "acme", &many());
    for room in [0, 1, 3_999, 4_000, 4_001, records - 1] {
        let stopped = pollster::block_on(store.load(base.tenant_id, &mut Full(room)));
        assert!(matches!(stopped, Err(StoreError::Stopped)), "room for {room}: {stopped:?}");
    }
    assert_eq!(pollster::block_on(store.load(base.tenant_id, &mut Full(records))).unwrap(), Some(base));
}

#[test]
fn s11_a_dropped_load_releases_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let store = open(&path);
    let base = created(&store, 1, "acme", &many());
    for polls in 0..8 {
        let mut sink = Full(usize::MAX);
        let mut load = pin!(store.load(base.tenant_id, &mut sink));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            if load.as_mut().poll(&mut context).is_ready() {
                break;
            }
            std::thread::yield_now();
        }
    }
    // The file can be opened at once, even while work is still running on other threads.
    drop(store);
    assert_eq!(loaded(&open(&path), base.tenant_id).unwrap().unwrap().1, base);
}

#[test]
fn s11_a_dropped_commit_leaves_the_state_before_or_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let mut store = open(&path);
    let mut base = created(&store, 1, "acme", &[]);
    let mut committed = 0;
    for id in 2..32_u128 {
        let (id, changes) = (id, [Change::added(user(id, "a")), Change::added(membership(id, id, None))]);
        let envelope = envelope(id);
        let polls = id % 3;
        {
            let mut pending =
                pin!(store.commit(Commit { base: Base::At(base), envelope: &envelope, changes: &changes }));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if pending.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                std::thread::yield_now();
            }
        }
        // Closing waits for running work, so the state found now is final.
        drop(store);
        store = open(&path);
        let (records, now) = loaded(&store, tenant_id(1)).unwrap().unwrap();
        let after = at(tenant_id(1), base.revision.number() + 1, id);
        assert!(now == base || now == after, "commit {id}");
        committed += usize::from(now == after);
        assert!(polls > 0 || now == base, "a future that was never polled has committed");
        assert_eq!(records.len(), 1 + 2 * committed);
        base = now;
    }
    assert!(committed > 0, "no commit was dropped after it had started");
}

#[test]
fn s12_of_racing_commits_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tenants"));
    let mut base = created(&store, 1, "acme", &[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for round in 1..=8_u128 {
        let racers: Vec<_> = (0..4)
            .map(|racer| {
                let (store, envelope) = (store.clone(), Arc::new(envelope(round * 100 + racer)));
                runtime.spawn(async move {
                    let commit = Commit { base: Base::At(base), envelope: &envelope, changes: &[] };
                    (envelope.id, store.commit(commit).await)
                })
            })
            .collect();
        let answers: Vec<_> = racers.into_iter().map(|racer| runtime.block_on(racer).unwrap()).collect();
        let winners: Vec<_> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(id, _)| *id).collect();
        let next = base.revision.next();
        let lost = |answer: &_| matches!(answer, Err(StoreError::Conflict { actual }) if *actual == next);
        assert_eq!((winners.len(), answers.iter().filter(|(_, answer)| lost(answer)).count()), (1, 3));
        base = rolecall::records::Position { revision: next, commit: winners[0], ..base };
    }
}
