//! Tests opening, creating and closing files, and files of other applications and formats.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use redb::{Database, TableDefinition};
use rolecall::store::{Base, RedbError, RedbStore, Since, StoreError};

use super::common::{at, commit, created, found, loaded, open, since, tenant, tenant_id, user};
use super::format::sealed;

#[test]
fn s7_s13_commits_survive_closing_all_connections() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let store = open(&path);
    let second = store.clone();
    let base = created(&store, 1, "acme", &[user(1, "alice")]);
    assert_eq!(found(&second, "acme").unwrap(), Some(base.tenant_id));
    drop(store);
    commit(&second, Base::At(base), 2, &[]).unwrap();
    drop(second);
    let store = RedbStore::options().existing().open(&path).unwrap();
    assert_eq!(
        loaded(&store, tenant_id(1)).unwrap(),
        Some((vec![tenant("acme"), user(1, "alice")], at(tenant_id(1), 2, 2)))
    );
    let stale = commit(&store, Base::At(base), 3, &[]);
    assert!(matches!(stale, Err(StoreError::Conflict { actual }) if actual.number() == 2));
}

#[test]
fn an_open_file_cannot_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let store = open(&path);
    assert!(matches!(RedbStore::open(&path), Err(RedbError::InUse)));
    drop(store);
    open(&path);
}

#[test]
fn a_missing_file_is_created_unless_it_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    let missing = RedbStore::options().existing().open(&path);
    assert!(matches!(missing, Err(RedbError::Io(e)) if e.kind() == std::io::ErrorKind::NotFound));
    open(&path);
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["tenants"], "no other file is left behind");
    assert!(matches!(RedbStore::open(folder.path().join("no").join("folder")), Err(RedbError::Io(_))));
    assert!(matches!(RedbStore::open(folder.path()), Err(RedbError::Io(_))), "a folder");
}

#[test]
fn f34_an_error_of_the_system_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("tenants");
    let opened = [
        (RedbStore::options().existing().open(&missing), missing),
        (RedbStore::open(folder.path().join("no").join("folder")), folder.path().join("no").join("folder")),
        (RedbStore::open(folder.path()), folder.path().to_owned()),
    ];
    for (opened, path) in opened {
        let error = opened.unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    }
}

#[test]
fn two_stores_creating_the_same_file_both_keep_their_commits() {
    // redb creates a file in two steps: an empty file, then its contents. A process could open the empty file in between, or
    // be killed there. It left a file that could not be opened, or that the next process emptied again.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenants");
    for round in 0..6 {
        let path = path.with_extension(round.to_string());
        let start = Barrier::new(2);
        let race = |n: u128| {
            start.wait();
            loop {
                match RedbStore::open(&path) {
                    Ok(store) => break created(&store, n, &format!("t{n}"), &[]),
                    Err(RedbError::InUse) => thread::yield_now(),
                    Err(e) => panic!("{e}"),
                }
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| race(1));
            race(2);
        });
        let store = open(&path);
        assert_eq!(
            (found(&store, "t1").unwrap(), found(&store, "t2").unwrap()),
            (Some(tenant_id(1)), Some(tenant_id(2)))
        );
    }
}

/// Opens a file that must be rejected, and checks that it is unchanged.
fn rejected(path: &Path) -> RedbError {
    let before = fs::read(path).unwrap();
    let error = RedbStore::open(path).unwrap_err();
    assert!(fs::read(path).unwrap() == before, "{error}: the file was changed");
    error
}

#[test]
fn a_foreign_file_is_rejected_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let text = "not a database at all ".repeat(1000);
    let zeroes = vec![0; 100_000];
    for (content, what) in [(&b""[..], "empty"), (b"redb", "short"), (text.as_bytes(), "text"), (&zeroes, "zeroes")] {
        fs::write(&path, content).unwrap();
        assert!(matches!(rejected(&path), RedbError::NotAStore(_)), "{what}");
    }
    fs::remove_file(&path).unwrap();
    let database = Database::create(&path).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(TableDefinition::<&str, u64>::new("theirs")).unwrap().insert("a", 1).unwrap();
    writing.commit().unwrap();
    drop(database);
    assert!(matches!(rejected(&path), RedbError::NotAStore(_)), "another application's");
}

/// Opens a file of the store that claims this format.
fn rejected_with_format(format: u32) -> RedbError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    drop(open(&path));
    let database = Database::open(&path).unwrap();
    let writing = database.begin_write().unwrap();
    let mark = sealed(1, b"format", &format.to_le_bytes());
    writing.open_table(TableDefinition::<&str, &[u8]>::new("rolecall")).unwrap().insert("format", &*mark).unwrap();
    writing.commit().unwrap();
    drop(database);
    rejected(&path)
}

#[test]
fn a27_a_file_of_a_later_release_is_rejected_unchanged() {
    let error = rejected_with_format(3);
    assert!(matches!(error, RedbError::Newer { found: 3, known: 2 }), "{error:?}");
    assert!(error.to_string().starts_with("file has format 3, expected at most "), "{error}");
}

#[test]
fn a_file_of_an_unpublished_format_is_rejected_unchanged() {
    let error = rejected_with_format(1);
    assert!(matches!(error, RedbError::NotAStore(_)), "{error:?}");
    assert!(error.to_string().ends_with("format 1 was never published"), "{error}");
}

#[test]
fn s14_a_bounded_history_forgets_its_oldest_commits() {
    let folder = tempfile::tempdir().unwrap();
    for (bound, oldest) in [(0, 9), (1, 8), (3, 6), (8, 1), (100, 1)] {
        let path = folder.path().join(bound.to_string());
        let store = RedbStore::options().history(bound).open(&path).unwrap();
        let creation = created(&store, 1, "acme", &[user(100, "a"), user(101, "b")]);
        for n in 2..=9_u64 {
            let (id, base) = (u128::from(n), at(creation.tenant_id, n - 1, u128::from(n) - 1));
            let changes = if n % 2 == 0 { vec![rolecall::records::Change::added(user(id, "a"))] } else { vec![] };
            commit(&store, Base::At(base), id, &changes).unwrap();
        }
        for id in 1..=9 {
            let commits = since(&store, at(creation.tenant_id, u64::try_from(id).unwrap(), id)).unwrap();
            assert_eq!(commits != Since::TooOld, id >= oldest, "{id} with room for {bound}");
        }
        // Reopen it with a smaller bound.
        drop(store);
        let store = RedbStore::options().history(1).open(&path).unwrap();
        commit(&store, Base::At(at(creation.tenant_id, 9, 9)), 10, &[]).unwrap();
        assert_eq!(since(&store, at(creation.tenant_id, 8, 8)).unwrap(), Since::TooOld);
        assert!(
            matches!(since(&store, at(creation.tenant_id, 9, 9)).unwrap(), Since::Commits(commits) if commits.len() == 1)
        );
    }
}

#[test]
fn s15_a_commit_can_have_200_000_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("large"));
    let base = created(&store, 1, "acme", &[]);
    let change = |n| rolecall::records::Change::added(user(n, &format!("user-{n}")));
    let changes: Vec<_> = (1..=200_000).map(change).collect();
    assert_eq!(commit(&store, Base::At(base), 2, &changes).unwrap().number(), 2);
    assert_eq!(loaded(&store, base.tenant_id).unwrap().unwrap().0.len(), 200_001);
    let Since::Commits(commits) = since(&store, base).unwrap() else { panic!("the history is complete") };
    assert!(commits.len() == 1 && commits[0].changes == changes);
    commit(&store, Base::At(at(tenant_id(1), 2, 2)), 3, &[rolecall::records::Change::removed(tenant("acme"))]).unwrap();
    assert_eq!(loaded(&store, base.tenant_id).unwrap(), None);
}

#[test]
fn debug_output_contains_no_tenant_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("tenants"));
    created(&store, 1, "acme", &[user(1, "alice@acme.com")]);
    assert_eq!(format!("{store:?}"), "RedbStore { .. }");
}
