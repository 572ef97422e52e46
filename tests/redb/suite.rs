//! The conformance suite on files. `src/store/redb/tests.rs` runs it on a disk that fails.

use std::path::PathBuf;
use std::sync::Mutex;

use rolecall::store::RedbStore;
use rolecall::store::conformance::{self, Clause, Fixture, FixtureError, Task};

/// Creates a file for each case.
struct Files {
    folder: tempfile::TempDir,
    latest: Mutex<usize>,
}

impl Files {
    fn path(&self) -> PathBuf {
        self.folder.path().join(self.latest.lock().unwrap().to_string())
    }
}

impl Fixture for Files {
    type Store = RedbStore;

    async fn fresh(&self) -> Result<RedbStore, FixtureError> {
        *self.latest.lock().unwrap() += 1;
        Ok(RedbStore::open(self.path())?)
    }

    async fn second_connection(&self, store: &RedbStore) -> Result<Option<RedbStore>, FixtureError> {
        Ok(Some(store.clone()))
    }

    async fn reopen(&self, store: RedbStore) -> Result<Option<RedbStore>, FixtureError> {
        drop(store);
        Ok(Some(RedbStore::options().existing().open(self.path())?))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        conformance::run_on_threads(tasks)
    }
}

#[test]
#[ignore = "long"]
fn the_suite_passes() {
    let files = Files { folder: tempfile::tempdir().unwrap(), latest: Mutex::new(0) };
    let report = conformance::run_blocking(&files);
    println!("{report}");
    assert!(report.passed(), "{report}");
    // A file has no link that could fail. All other cases must be exercised.
    assert!(report.not_exercised().all(|case| case.clause == Clause::S6), "{report}");
}
