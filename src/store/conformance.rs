//! **Is a store right?** The contract of [`Store`](crate::store::Store) as a suite that anybody can run on theirs: a
//! named case for each behaviour, run to the end, reported by clause.
//!
//! A store author writes a [`Fixture`], and one test:
//!
//! ```
//! use rolecall::store::MemoryStore;
//! use rolecall::store::conformance::{self, Fixture, Problem, Task};
//!
//! struct InMemory;
//!
//! impl Fixture for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn fresh(&self) -> Result<MemoryStore, Problem> {
//!         Ok(MemoryStore::default())
//!     }
//!
//!     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, Problem> {
//!         Ok(Some(store.clone()))
//!     }
//!
//!     async fn reopen(&self, store: MemoryStore) -> Result<Option<MemoryStore>, Problem> {
//!         Ok(Some(store)) // nothing to close
//!     }
//!
//!     async fn run_at_once(&self, tasks: Vec<Task>) -> Result<(), Problem> {
//!         conformance::on_threads(tasks)
//!     }
//! }
//!
//! # if false { // two seconds that a test of its own spends already
//! let report = conformance::run_blocking(&InMemory);
//! assert!(report.passed(), "{report}");
//! # }
//! ```
//!
//! In an asynchronous test it is `conformance::run(&fixture).await`, and `run_at_once` spawns the tasks on the runtime.
//!
//! A release may add cases, and that is not a breaking change: a store that keeps the contract passes them, too. Names of
//! cases stay. What the suite cannot try from outside stays with the store's author: that a commit survives the death of
//! the process or of the machine (S4), that a kind of record unknown to the store is refused or kept whole (S10), that
//! nothing else writes to the database.
//!
//! [`Faulty`] is for the other side: it plays faults to whatever uses a store.

mod bases;
mod connections;
mod dropped;
mod faulty;
mod identifiers;
mod lifecycle;
mod loads;
mod races;
mod reopened;
mod content;
mod history;
mod links;
mod similar_texts;
mod revisions;
mod tenants;
mod whole;
mod concurrent;
mod samples;
mod case;
mod any;
mod fixture;
mod report;

pub use faulty::{Call, Fault, Faulty};
pub use fixture::{Fixture, LinkState, Problem, Task, on_threads};
pub use report::{CaseReport, Clause, Finding, Report};

use self::case::Case;
use crate::block_on::block_on;

/// Runs every case, each on a fresh store, one after the other, and never stops early: a case that fails or panics is
/// reported as failed.
///
/// # Complexity
/// Six thousand small commits or so, more where calls are too quick to meet, and a few of 200,000 changes, of some 40 MB
/// as JSON. Where each commit waits 5 ms for a disk, that is half a minute and more: a file system in memory is quicker.
/// A store that never answers hangs the run: [`Fixture::starting`] tells where.
pub async fn run<F: Fixture>(fixture: &F) -> Report {
    run_some(fixture, |_, _| true).await
}

/// [`run`], of those cases alone whose clause and name are wanted: while a store is being written.
pub async fn run_some<F: Fixture>(fixture: &F, wanted: impl Fn(Clause, &str) -> bool + Send + Sync) -> Report {
    let mut cases = Vec::new();
    for case in all().into_iter().filter(|case| wanted(case.clause, case.name)) {
        cases.push(case.run(fixture).await);
    }
    Report { cases }
}

/// The cases: the clause and the name of each, in the order in which they run.
pub fn cases() -> Vec<(Clause, &'static str)> {
    all().iter().map(|case| (case.clause, case.name)).collect()
}

/// [`run`] without an executor, on the calling thread. For stores that need no reactor, like [`crate::blocking`].
pub fn run_blocking<F: Fixture>(fixture: &F) -> Report {
    block_on(run(fixture))
}

/// The cases in the order of the clauses.
fn all() -> Vec<Case> {
    let groups = [
        lifecycle::cases(),
        loads::cases(),
        bases::cases(),
        whole::cases(),
        connections::cases(),
        links::cases(),
        revisions::cases(),
        identifiers::cases(),
        tenants::cases(),
        content::cases(),
        dropped::cases(),
        races::cases(),
        history::cases(),
        reopened::cases(),
    ];
    let mut cases: Vec<_> = groups.into_iter().flatten().collect();
    cases.sort_by_key(|case| case.clause);
    cases
}
