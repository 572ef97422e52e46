//! The contract of [`Store`](crate::store::Store) as a test suite: a named case for each behaviour, reported by clause.
//!
//! Write a [`Fixture`] and one test:
//!
//! ```
//! use rolecall::store::MemoryStore;
//! use rolecall::store::conformance::{self, Fixture, FixtureError, Task};
//!
//! struct InMemory;
//!
//! impl Fixture for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh(&self) -> Result<MemoryStore, FixtureError> {
//!         Ok(MemoryStore::default())
//!     }
//!
//!     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
//!         Ok(Some(store.clone()))
//!     }
//!
//!     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
//!         Ok(Some(store)) // nothing to close
//!     }
//!
//!     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
//!         conformance::run_on_threads(tasks)
//!     }
//! }
//!
//! # if false { // this run takes two seconds, and another test makes it
//! let report = conformance::run_blocking(&InMemory);
//! assert!(report.passed(), "{report}");
//! # }
//! ```
//!
//! In an asynchronous test, call `conformance::run(&fixture).await` and let `run_concurrently` spawn the tasks on the
//! runtime.
//!
//! A release may add cases; that is not a breaking change, since a store that keeps the contract passes them. Names of
//! cases do not change. *What the suite cannot see* in [`crate::docs::implementing_a_store`] lists what you must test
//! yourself, above all that a commit survives the death of the process or the machine (S4).
//!
//! [`FaultyStore`] tests the other side: it plays faults to an application that uses a store.

mod bases;
mod connections;
mod dropped_futures;
mod faulty_store;
mod identifiers;
mod lifecycle;
mod loads;
mod races;
mod reopened;
mod content;
mod history_pages;
mod capabilities;
mod history;
mod links;
mod similar_texts;
mod revisions;
mod tenants;
mod atomicity;
mod concurrent;
mod samples;
mod case;
mod dyn_fixture;
mod fixture;
mod report;

pub use capabilities::{run_positions, run_user_directory, run_watch};
pub use faulty_store::{Call, Fault, FaultyStore};
pub use fixture::{Fixture, FixtureError, LinkState, Task, run_on_threads};
pub use history_pages::run_history;
pub use report::{CaseOutcome, CaseReport, Clause, Report};

use self::case::Case;
use crate::block_on::block_on;

/// Runs every case, one after the other, each on an empty store.
///
/// The run never stops early: it reports a case that fails or panics as failed. A store that never answers hangs the run;
/// [`Fixture::case_started`] shows where.
///
/// ```no_run
/// # async fn example(fixture: impl rolecall::store::conformance::Fixture) {
/// let report = rolecall::store::conformance::run(&fixture).await;
/// assert!(report.passed(), "{report}");
/// # }
/// ```
///
/// # Complexity
/// About six thousand small commits, more if calls are too quick to overlap, and a few commits of 200,000 changes (some
/// 40 MB as JSON). If each commit waits 5 ms for a disk, that takes more than half a minute. Use a file system in memory.
pub async fn run<F: Fixture>(fixture: &F) -> Report {
    run_matching(fixture, |_, _| true).await
}

/// Runs the cases that a filter selects by clause and name. Useful while you write a store.
///
/// ```no_run
/// # use rolecall::store::conformance::{self, Clause};
/// # async fn example(fixture: impl conformance::Fixture) {
/// let report = conformance::run_matching(&fixture, |clause, _name| clause <= Clause::S3).await;
/// println!("{report}");
/// # }
/// ```
pub async fn run_matching<F: Fixture>(fixture: &F, selected: impl Fn(Clause, &str) -> bool + Send + Sync) -> Report {
    let mut cases = Vec::new();
    for case in all().into_iter().filter(|case| selected(case.clause, case.name)) {
        cases.push(case.run(fixture).await);
    }
    Report { cases }
}

/// Runs the cases that a filter selects, as [`run_matching`], on the calling thread, without an executor.
///
/// The report prints the names, so they can be copied from it.
///
/// ```no_run
/// # use rolecall::store::conformance::{self, Clause};
/// # fn example(fixture: impl conformance::Fixture) {
/// let names = ["a_load_stops_when_the_sink_stops"];
/// let report = conformance::run_matching_blocking(&fixture, |_, name| names.contains(&name));
/// println!("{report}");
/// # }
/// ```
pub fn run_matching_blocking<F: Fixture>(fixture: &F, selected: impl Fn(Clause, &str) -> bool + Send + Sync) -> Report {
    block_on(run_matching(fixture, selected))
}

/// Returns the clause and the name of each case, in the order in which they run.
///
/// ```
/// use rolecall::store::conformance::{self, Clause};
///
/// assert!(conformance::cases().contains(&(Clause::S3, "a_commit_on_a_stale_base_changes_nothing")));
/// ```
pub fn cases() -> Vec<(Clause, &'static str)> {
    all().iter().map(|case| (case.clause, case.name)).collect()
}

/// Runs every case on the calling thread, without an executor. For stores that need no reactor, as [`crate::blocking`].
///
/// ```no_run
/// use rolecall::store::conformance::{Fixture, run_blocking};
///
/// fn test(fixture: &impl Fixture) {
///     let report = run_blocking(fixture);
///     assert!(report.passed(), "{report}");
/// }
/// ```
pub fn run_blocking<F: Fixture>(fixture: &F) -> Report {
    block_on(run(fixture))
}

/// All cases, in the order of the clauses.
fn all() -> Vec<Case> {
    let groups = [
        lifecycle::cases(),
        loads::cases(),
        bases::cases(),
        atomicity::cases(),
        connections::cases(),
        links::cases(),
        revisions::cases(),
        identifiers::cases(),
        tenants::cases(),
        content::cases(),
        dropped_futures::cases(),
        races::cases(),
        history::cases(),
        reopened::cases(),
    ];
    let mut cases: Vec<_> = groups.into_iter().flatten().collect();
    cases.sort_by_key(|case| case.clause);
    cases
}
