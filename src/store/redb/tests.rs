//! Failures of the disk: S6, and recovery without a restart.
//!
//! `Unavailable` for a commit that reached the disk would tell the caller that nothing happened. `InDoubt` too often
//! would make tenants deny until the commit is resolved. After an error of the disk, redb rejects every call until the
//! file is opened again. The store does that by itself, so a full disk needs no restart.

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

/// Makes the commit with this revision. The revision is also its id. It adds twenty members.
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

/// Returns the latest revision. Fails unless all methods agree on one complete state.
fn seen(store: &RedbStore) -> Result<u64, StoreError> {
    let mut records = Vec::new();
    let latest = block_on(store.load(tenant_id(), &mut records))?.unwrap();
    assert_eq!(latest, at(latest.revision.number()));
    assert_eq!(records.len() as u64, 1 + 20 * (latest.revision.number() - 1));
    let Since::Commits(commits) = block_on(store.since(at(1)))? else { panic!("the history is complete") };
    assert_eq!(commits.len() as u64, latest.revision.number() - 1);
    assert_eq!(block_on(store.find(&"acme".parse().unwrap()))?, Some(tenant_id()));
    Ok(latest.revision.number())
}

/// A store with three commits.
fn with_three_commits() -> (Disk, RedbStore) {
    let disk = Disk::default();
    let store = open(&disk, true).unwrap();
    (1..=3).for_each(|revision| assert_eq!(commit(&store, revision).unwrap().number(), revision));
    (disk, store)
}

#[test]
fn s6_the_outcome_is_true_wherever_the_disk_fails_and_the_store_recovers() {
    let (mut unavailable, mut committed, mut lost) = (0, 0, 0);
    for good in 0.. {
        let (disk, store) = with_three_commits();
        // A reopened store has few pages in memory, so reads before the commit fail too.
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
    assert!(unavailable > 0, "no failure before the commit was sent");
    assert!(committed > 0 && lost > 0, "in doubt was not honest: {committed} applied, {lost} lost");
}

/// Wherever the disk fails: during a commit, a load, another read, or while the file is opened again.
#[test]
fn f34_every_failure_of_the_disk_names_the_file() {
    let (mut unavailable, mut in_doubt) = (0, 0);
    for good in 0.. {
        let (disk, store) = with_three_commits();
        drop(store);
        let store = open(&disk, false).unwrap();
        disk.fail_after(good);
        let mut records = Vec::new();
        let answers = [
            commit(&store, 4).err(),
            block_on(store.load(tenant_id(), &mut records)).err(),
            block_on(store.since(at(1))).err(),
            block_on(store.find(&"acme".parse().unwrap())).err(),
        ];
        for error in answers.into_iter().flatten() {
            let (StoreError::Unavailable(why) | StoreError::InDoubt(why)) = &error else { panic!("{error}") };
            let text = why.to_string();
            assert!(text.starts_with("disk-of-a-test: "), "failing after {good}: {error}");
            assert_eq!(text.matches("disk-of-a-test").count(), 1, "{error}");
            match error {
                StoreError::Unavailable(_) => unavailable += 1,
                _ => in_doubt += 1,
            }
        }
        if !disk.mend() {
            break;
        }
    }
    assert!(unavailable > 0 && in_doubt > 0, "{unavailable} unavailable, {in_doubt} in doubt");
}

#[test]
fn s6_without_a_disk_later_commits_are_unavailable() {
    let (disk, store) = with_three_commits();
    disk.fail_after(0);
    let first = commit(&store, 4);
    assert!(matches!(first, Err(StoreError::InDoubt(_) | StoreError::Unavailable(_))), "{first:?}");
    // The file cannot be opened again, so no commit is sent.
    for _ in 0..3 {
        assert!(matches!(commit(&store, 4), Err(StoreError::Unavailable(_))));
        assert!(matches!(seen(&store), Err(StoreError::Unavailable(_))));
    }
    disk.mend();
    assert_eq!(seen(&store).unwrap(), 3);
    assert_eq!(commit(&store, 4).unwrap().number(), 4);
}

/// redb keeps pages in memory until it commits, and its file is sparse. So a full disk is only noticed when the commit is
/// sent. If the store returned `InDoubt` then, every check of the tenant would be denied until there is room, since the
/// commit could not be resolved.
#[test]
fn s6_on_a_full_disk_a_commit_is_unavailable_and_the_tenant_stays_readable() {
    let (mut failures, mut room) = (0, with_three_commits().0.length() / 2);
    loop {
        let (disk, store) = with_three_commits();
        disk.fills_up(room);
        let answer = commit_of(&store, 4, 2_000);
        let reading: Result<Option<Position>, _> = block_on(store.load(tenant_id(), &mut Vec::new()));
        match answer {
            Ok(revision) => {
                assert_eq!(revision.number(), 4);
                break;
            }
            Err(StoreError::Unavailable(_)) => {
                failures += 1;
                assert_eq!(reading.unwrap(), Some(at(3)), "the state is unchanged");
                for survives in [true, false] {
                    let found = open(&disk.after_power_loss(|| survives), false).unwrap();
                    assert_eq!(seen(&found).unwrap(), 3, "an unavailable commit was applied");
                }
            }
            // No room to open the file again.
            Err(StoreError::InDoubt(_)) => assert!(reading.is_err(), "in doubt, with room for {room}"),
            Err(other) => panic!("with room for {room}: {other}"),
        }
        disk.mend();
        assert_eq!(seen(&store).unwrap(), 3, "with room for {room}");
        assert_eq!(commit(&store, 4).unwrap().number(), 4, "with room for {room}");
        room += 64 << 10;
    }
    assert!(failures > 0, "the disk was never full");
}

/// The store reopens the file at once, in the state that the failed call left. Its answers must survive a loss of power.
#[test]
fn s6_after_one_failure_an_unavailable_commit_is_never_applied() {
    let (mut unavailable, mut in_doubt) = (0, 0);
    for good in 0.. {
        let (disk, store) = with_three_commits();
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
fn s4_a_loss_of_power_during_a_commit_leaves_the_state_before_or_after() {
    let mut chance = 7_u64;
    let mut survives = |of: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % of == 0
    };
    let (mut before, mut after) = (0, 0);
    for good in 0.. {
        let (disk, store) = with_three_commits();
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
fn s5_a_state_read_after_a_failed_sync_survives_a_loss_of_power() {
    // Linux drops pages that it failed to write, but still returns them to readers. With one-phase commits, the store
    // would return a commit whose pages never reached the disk. A loss of power would remove it, or half of it.
    for good in 0.. {
        let (disk, store) = with_three_commits();
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
fn a_commit_syncs_twice() {
    let (disk, store) = with_three_commits();
    let before = disk.syncs();
    commit(&store, 4).unwrap();
    assert_eq!(disk.syncs() - before, 2);
}

#[test]
fn a_failing_disk_makes_opening_fail() {
    let (disk, store) = with_three_commits();
    drop(store);
    let mut failures = 0;
    for good in 0.. {
        disk.fail_after(good);
        let opened = open(&disk, false);
        let failed = disk.mend();
        match opened {
            Ok(store) => assert_eq!(seen(&store).unwrap(), 3),
            Err(RedbError::Io(_)) => failures += 1,
            Err(other) => panic!("failing after {good}: {other:?}"),
        }
        if !failed {
            break;
        }
    }
    assert!(failures > 5, "{failures}");
}

/// After a failure the store opens the file again by its path. A daemon may have changed its working directory, where a
/// relative path leads to no file or to another application's.
#[test]
fn a_file_is_reopened_by_its_absolute_path() {
    std::fs::create_dir_all("target").unwrap();
    let here = std::env::current_dir().unwrap();
    let folder = tempfile::tempdir_in("target").unwrap();
    let relative = folder.path().strip_prefix(&here).unwrap_or(folder.path()).join("tenants");
    assert!(relative.is_relative());
    let store = RedbStore::open(&relative).unwrap();
    let Backend::File(path) = store.file.0.backend() else { panic!("not a file") };
    assert_eq!(*path, here.join(relative));
}

#[test]
fn a_load_during_reopening_is_complete_or_an_error() {
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

/// The conformance suite on a disk that fails. `tests/redb` runs it on files.
#[cfg(feature = "conformance")]
mod suite {
    use std::sync::{Mutex, PoisonError};

    use super::{Disk, RedbStore, open};
    use crate::store::conformance::{self, Fixture, FixtureError, LinkState, Task};

    /// Creates a disk for each case.
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
                LinkState::ResponsesLost => self.latest().lose_responses(),
            }
            Ok(true)
        }
    }

    #[test]
    #[ignore = "long"]
    fn the_suite_passes_with_every_case_exercised() {
        let report = conformance::run_blocking(&Disks(Mutex::default()));
        println!("{report}");
        assert!(report.all_passed(), "{report}");
    }
}
