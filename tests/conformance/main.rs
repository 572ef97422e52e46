//! Runs the conformance suite on our own stores and on wrong ones.
//!
//! A store that keeps the contract passes every case. For each clause there is a store that breaks it in a realistic
//! way, and a case of that clause detects this. Other clauses that the wrong store breaks are declared with it.

#![expect(clippy::unwrap_used, reason = "a test says so by failing")]

mod flaws;
mod links;
mod right;
mod wrong;

use rolecall::store::Store;
use rolecall::store::conformance::{self, Fixture, FixtureError, Report, Task, run_on_threads};

/// How often a run is repeated whose calls did not overlap at the right instant, which depends on chance and load.
/// Failures without a race are the same in every run.
const MOST_RUNS: usize = 6;

/// The first report that is as it should be, or the last one.
fn report_of(fixture: &impl Fixture, is_as_wanted: impl Fn(&Report) -> bool) -> Report {
    let mut report = conformance::run_blocking(fixture);
    for _ in 1..MOST_RUNS {
        if is_as_wanted(&report) {
            break;
        }
        report = conformance::run_blocking(fixture);
    }
    report
}

/// A kind of store that lives in memory: a clone is a second connection, and nothing is to be reopened.
struct InMemory<S>(fn() -> S);

impl<S: Store + Clone> Fixture for InMemory<S> {
    type Store = S;

    async fn fresh(&self) -> Result<S, FixtureError> {
        Ok((self.0)())
    }

    async fn second_connection(&self, store: &S) -> Result<Option<S>, FixtureError> {
        Ok(Some(store.clone()))
    }

    async fn reopen(&self, store: S) -> Result<Option<S>, FixtureError> {
        Ok(Some(store))
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        run_on_threads(tasks)
    }
}
