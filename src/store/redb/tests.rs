//! Failures of the disk: S6, and recovery without a restart.
//!
//! A store that says `Unavailable` of a commit which the disk has after all lets its caller believe that nothing
//! happened; one that says `InDoubt` too often makes its tenants deny until somebody has looked. And redb refuses
//! everything after an error of the disk until it is opened again: without that, a full disk meant a restart.

use std::future::Future;
use std::task::{Context, Waker};

use pollster::block_on;
use uuid::Uuid;

use super::disk::Disk;
use super::file::Backend;
use super::{RedbError, RedbStore};
use crate::Timestamp;
use crate::model::records::{
    Change, CommitId, Envelope, Fingerprint, GroupId, Membership, Name, Position, Record, Revision, TenantId,
    TenantRecord, UserId, Window,
};
use crate::store::{Base, Commit, Since, Store, StoreError};

fn open(disk: &Disk, missing: bool) -> Result<RedbStore, RedbError> {
    RedbStore::options().open_backend(Backend::Disk(disk.clone()), missing)
}

fn tenant_id() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(1))
}

fn at(revision: u64) -> Position {
    Position {
        tenant_id: tenant_id(),
        revision: Revision::new(revision),
        commit: CommitId::from_uuid(Uuid::from_u128(revision.into())),
    }
}

fn member(n: u64) -> Change {
    let id = Uuid::from_u128(n.into());
    Change::added(Record::Membership(Membership {
        user: UserId::from_uuid(id),
        group: GroupId::from_uuid(id),
        window: Window::ALWAYS,
    }))
}

/// The commit that makes this revision; its id is the number. It adds twenty members.
fn commit(store: &RedbStore, revision: u64) -> Result<Revision, StoreError> {
    commit_of(store, revision, 20)
}

fn commit_of(store: &RedbStore, revision: u64, members: u64) -> Result<Revision, StoreError> {
    let (id, catalog) = (at(revision).commit, Fingerprint::from_uuid(Uuid::nil()));
    let envelope = Envelope { id, previous: None, actor: None, at: Timestamp::MIN, note: None, catalog };
    let name = |text: &str| Name::new(text).unwrap();
    let tenant = Change::added(Record::Tenant(TenantRecord { slug: "acme".parse().unwrap(), name: name("Acme") }));
    let (base, changes) = match revision {
        1 => (Base::Create(tenant_id()), vec![tenant]),
        _ => (Base::At(at(revision - 1)), (0..members).map(|n| member(100_000 * revision + n)).collect()),
    };
    block_on(store.commit(Commit { base, envelope: &envelope, changes: &changes }))
}

/// The latest revision. Every look must show the same state, whole.
fn seen(store: &RedbStore) -> Result<u64, StoreError> {
    let mut records = Vec::new();
    let latest = block_on(store.load(tenant_id(), &mut records))?.unwrap();
    assert_eq!(latest, at(latest.revision.number()));
    assert_eq!(records.len() as u64, 1 + 20 * (latest.revision.number() - 1));
    let Since::Commits(commits) = block_on(store.since(at(1)))? else { panic!("all is in the history") };
    assert_eq!(commits.len() as u64, latest.revision.number() - 1);
    assert_eq!(block_on(store.find(&"acme".parse().unwrap()))?, Some(tenant_id()));
    Ok(latest.revision.number())
}

/// A store with three commits.
fn begun() -> (Disk, RedbStore) {
    let disk = Disk::default();
    let store = open(&disk, true).unwrap();
    (1..=3).for_each(|revision| assert_eq!(commit(&store, revision).unwrap().number(), revision));
    (disk, store)
}

#[test]
fn s6_wherever_the_disk_fails_the_answer_is_true_and_the_store_goes_on_by_itself() {
    let (mut unavailable, mut committed, mut lost) = (0, 0, 0);
    for good in 0.. {
        let (disk, store) = begun();
        // Opened afresh, it has few pages in memory: so reading before the commit is sent fails too.
        drop(store);
        let store = open(&disk, false).unwrap();
        disk.fail_after(good);
        let answer = commit(&store, 4);
        let down = seen(&store);
        if !disk.mend() {
            assert_eq!((answer.unwrap().number(), down.unwrap()), (4, 4));
            break;
        }
        assert!(answer.is_err() || good > 0);
        let now = seen(&store).unwrap();
        match answer {
            Ok(_) => assert_eq!(now, 4, "failing after {good}"),
            Err(StoreError::Unavailable(_)) => {
                assert_eq!(now, 3, "failing after {good}: something happened");
                unavailable += 1;
            }
            Err(StoreError::InDoubt(_)) if now == 4 => committed += 1,
            Err(StoreError::InDoubt(_)) => lost += usize::from(now == 3),
            Err(other) => panic!("failing after {good}: {other}"),
        }
        assert_eq!(commit(&store, now + 1).unwrap().number(), now + 1, "failing after {good}");
        assert_eq!(seen(&store).unwrap(), now + 1);
    }
    println!("{unavailable} unavailable, {committed} in doubt and applied, {lost} in doubt and lost");
    assert!(unavailable > 0, "the disk never failed before the commit was sent");
    assert!(committed > 0 && lost > 0, "in doubt was not honest: {committed} applied, {lost} lost");
}

#[test]
fn s6_while_the_disk_is_away_certainly_nothing_happens() {
    let (disk, store) = begun();
    disk.fail_after(0);
    let first = commit(&store, 4);
    assert!(matches!(first, Err(StoreError::InDoubt(_) | StoreError::Unavailable(_))), "{first:?}");
    // The file cannot even be opened again now, so nothing is sent.
    for _ in 0..3 {
        assert!(matches!(commit(&store, 4), Err(StoreError::Unavailable(_))));
        assert!(matches!(seen(&store), Err(StoreError::Unavailable(_))));
    }
    disk.mend();
    assert_eq!(seen(&store).unwrap(), 3);
    assert_eq!(commit(&store, 4).unwrap().number(), 4);
}

/// Redb keeps pages in memory until it commits, and its file is sparse: that the disk is full turns out when the commit is
/// sent. A store that calls that `InDoubt` has its tenant deny everybody until there is room, since the same commit is sent
/// again and again to learn what became of it.
#[test]
fn s6_on_a_full_disk_a_commit_is_unavailable_and_its_tenant_is_read_as_before() {
    let (mut refused, mut room) = (0, begun().0.length() / 2);
    loop {
        let (disk, store) = begun();
        disk.fills_up(room);
        let answer = commit_of(&store, 4, 2_000);
        let reading: Result<Option<Position>, _> = block_on(store.load(tenant_id(), &mut Vec::new()));
        match answer {
            Ok(revision) => {
                assert_eq!(revision.number(), 4);
                break;
            }
            Err(StoreError::Unavailable(_)) => {
                refused += 1;
                assert_eq!(reading.unwrap(), Some(at(3)), "it is read as it was");
                for survives in [true, false] {
                    let found = open(&disk.after_power_loss(|| survives), false).unwrap();
                    assert_eq!(seen(&found).unwrap(), 3, "it was unavailable, and is there");
                }
            }
            // There was not even room to open the file again.
            Err(StoreError::InDoubt(_)) => assert!(reading.is_err(), "in doubt, with room for {room}"),
            Err(other) => panic!("with room for {room}: {other}"),
        }
        disk.mend();
        assert_eq!(seen(&store).unwrap(), 3, "with room for {room}");
        assert_eq!(commit(&store, 4).unwrap().number(), 4, "with room for {room}");
        room += 64 << 10;
    }
    assert!(refused > 0, "the disk was never full");
}

/// The file is opened again at once, on what the failed call left: what is said then must outlive a loss of power.
#[test]
fn s6_after_one_failure_what_is_called_unavailable_never_commits() {
    let (mut unavailable, mut in_doubt) = (0, 0);
    for good in 0.. {
        let (disk, store) = begun();
        disk.fail_once_after(good);
        let answer = commit(&store, 4);
        let failed = disk.mend();
        let shown = seen(&store).unwrap();
        let found = [0, 1].map(|n| seen(&open(&disk.after_power_loss(|| n == 0), false).unwrap()).unwrap());
        match answer {
            Ok(_) => assert_eq!((shown, found), (4, [4; 2]), "failing once after {good}"),
            Err(StoreError::Unavailable(_)) => {
                assert_eq!((shown, found), (3, [3; 2]), "failing once after {good}: something happened");
                unavailable += 1;
            }
            Err(StoreError::InDoubt(_)) => {
                assert!(found.into_iter().all(|found| found >= shown), "failing once after {good}: {found:?}");
                in_doubt += 1;
            }
            Err(other) => panic!("failing once after {good}: {other}"),
        }
        assert_eq!(commit(&store, shown + 1).unwrap().number(), shown + 1, "failing once after {good}");
        if !failed {
            break;
        }
    }
    assert!(unavailable > 0 && in_doubt > 0, "{unavailable} unavailable, {in_doubt} in doubt");
}

#[test]
fn s4_whatever_of_its_last_writes_a_loss_of_power_takes_the_state_is_one_that_was() {
    let mut chance = 7_u64;
    let mut survives = |of: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % of == 0
    };
    let (mut before, mut after) = (0, 0);
    for good in 0.. {
        let (disk, store) = begun();
        disk.fail_after(good);
        let answer = commit(&store, 4);
        let finished = !disk.mend();
        for of in [1, 2, 3, u64::MAX] {
            let found = seen(&open(&disk.after_power_loss(|| survives(of)), false).unwrap()).unwrap();
            match &answer {
                Ok(_) => assert_eq!(found, 4, "acknowledged, and lost after {good}"),
                Err(_) => assert!(found == 3 || found == 4, "{found} after {good}"),
            }
            before += usize::from(found == 3);
            after += usize::from(found == 4);
        }
        if finished {
            break;
        }
    }
    assert!(before > 0 && after > 0, "{before} before, {after} after");
}

#[test]
fn s5_what_was_shown_after_a_failed_synchronisation_survives_a_loss_of_power() {
    // Linux forgets what it failed to write and goes on showing it. With a commit in one phase, the store would show a
    // commit whose pages never reached the disk, and lose it, or worse, half of it, when the power goes.
    for good in 0.. {
        let (disk, store) = begun();
        disk.fail_after(good);
        let answer = commit(&store, 4);
        let finished = !disk.mend();
        let shown = seen(&store).unwrap();
        let found = seen(&open(&disk.after_power_loss(|| false), false).unwrap()).unwrap();
        assert!(found >= shown, "failing after {good}: {shown} was shown, and {found} is left ({answer:?})");
        if finished {
            break;
        }
    }
}

#[test]
fn a_commit_is_two_synchronisations() {
    let (disk, store) = begun();
    let before = disk.syncs();
    commit(&store, 4).unwrap();
    assert_eq!(disk.syncs() - before, 2);
}

#[test]
fn a_disk_that_fails_while_the_file_is_opened_is_an_error() {
    let (disk, store) = begun();
    drop(store);
    let mut refused = 0;
    for good in 0.. {
        disk.fail_after(good);
        let opened = open(&disk, false);
        let failed = disk.mend();
        match opened {
            Ok(store) => assert_eq!(seen(&store).unwrap(), 3),
            Err(RedbError::Io(_)) => refused += 1,
            Err(other) => panic!("failing after {good}: {other:?}"),
        }
        if !failed {
            break;
        }
    }
    assert!(refused > 5, "{refused}");
}

/// After a failure the file is opened again by its path. A daemon has changed its folder by then, and a relative path names
/// nothing there, or another application's tenants.
#[test]
fn a_file_is_opened_again_where_it_was_though_the_process_has_moved() {
    std::fs::create_dir_all("target").unwrap();
    let here = std::env::current_dir().unwrap();
    let folder = tempfile::tempdir_in("target").unwrap();
    let relative = folder.path().strip_prefix(&here).unwrap_or(folder.path()).join("tenants");
    assert!(relative.is_relative());
    let store = RedbStore::open(&relative).unwrap();
    let Backend::File(path) = store.0.0.backend() else { panic!("it is in a file") };
    assert_eq!(*path, here.join(relative));
}

#[test]
fn a_load_under_way_when_the_file_is_opened_again_is_whole_or_an_error() {
    for polls in 1..6 {
        let disk = Disk::default();
        let store = open(&disk, true).unwrap();
        commit(&store, 1).unwrap();
        commit_of(&store, 2, 20_000).unwrap();
        let mut records: Vec<Record> = Vec::new();
        let mut load = Box::pin(store.load(tenant_id(), &mut records));
        let mut context = Context::from_waker(Waker::noop());
        if (0..polls).any(|_| load.as_mut().poll(&mut context).is_ready()) {
            break;
        }
        disk.fail_after(0);
        assert!(commit(&store, 3).is_err());
        disk.mend();
        assert_eq!(block_on(store.since(at(2))).unwrap(), Since::Commits(vec![]));
        let loaded = block_on(load.as_mut());
        drop(load);
        match loaded {
            Ok(latest) => assert_eq!((latest, records.len()), (Some(at(2)), 20_001)),
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// The suite that every store is tested with, over disks whose cables are pulled. With files it runs in `tests/redb`.
#[cfg(feature = "conformance")]
mod suite {
    use std::sync::{Mutex, PoisonError};

    use super::{Disk, RedbStore, open};
    use crate::store::conformance::{self, Fixture, FixtureError, LinkState, Task};

    /// Each case has a disk of its own.
    struct Disks(Mutex<Disk>);

    impl Disks {
        fn latest(&self) -> Disk {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Fixture for Disks {
        type Store = RedbStore;

        async fn fresh(&self) -> Result<RedbStore, FixtureError> {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Disk::default();
            Ok(open(&self.latest(), true)?)
        }

        async fn second_connection(&self, store: &RedbStore) -> Result<Option<RedbStore>, FixtureError> {
            Ok(Some(store.clone()))
        }

        async fn reopen(&self, store: RedbStore) -> Result<Option<RedbStore>, FixtureError> {
            drop(store);
            Ok(Some(open(&self.latest(), false)?))
        }

        async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
            conformance::run_on_threads(tasks)
        }

        async fn set_link(&self, _: &RedbStore, link: LinkState) -> Result<bool, FixtureError> {
            match link {
                LinkState::Connected => drop(self.latest().mend()),
                LinkState::RequestsLost => self.latest().fail_after(0),
                LinkState::ResponsesLost => self.latest().lose_answers(),
            }
            Ok(true)
        }
    }

    #[test]
    #[ignore = "long"]
    fn it_passes_the_suite_and_nothing_is_left_out() {
        let report = conformance::run_blocking(&Disks(Mutex::default()));
        println!("{report}");
        assert!(report.all_passed(), "{report}");
    }
}
