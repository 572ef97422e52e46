//! Our own stores keep the contract, and in their runs every race interleaves.

use rolecall::store::MemoryStore;
use rolecall::store::conformance::{self, CaseOutcome, Clause, Fixture, FixtureError, Report, Task, run_on_threads};

use super::{InMemory, report_of};

#[test]
fn the_memory_store_keeps_the_contract() {
    // Whether calls overlap depends on the machine's load. The optimised run insists that they do, the quick one does not.
    let may_miss = |outcome: &CaseOutcome| {
        cfg!(debug_assertions) && matches!(outcome, CaseOutcome::NotExercised(why) if why.contains("calls overlapped"))
    };
    // The cases of S6 need a link that can break.
    let is_exercised = |report: &Report| {
        report.not_exercised().filter(|case| !may_miss(&case.outcome)).map(|case| case.clause).eq([Clause::S6; 7])
    };
    let report = report_of(&InMemory(MemoryStore::default), is_exercised);
    assert!(report.passed() && is_exercised(&report), "{report}");
}

/// *Too old* is always a legal answer.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn a_store_that_remembers_no_commits_keeps_the_contract() {
    let not_exercised = |report: &Report| -> Vec<&str> {
        report.not_exercised().filter(|case| case.clause != Clause::S6).map(|case| case.name).collect()
    };
    let expected = [
        "a_large_commit_is_one_commit_in_the_history",
        "the_commits_since_a_position_are_complete_and_in_order",
        "the_history_keeps_envelopes_as_sent",
        "a_long_history_is_complete",
        "a_reopened_store_keeps_envelopes_as_sent",
    ];
    let forgetful = InMemory(|| MemoryStore::with_history(0));
    let report = report_of(&forgetful, |report| not_exercised(report) == expected);
    assert!(report.passed(), "{report}");
    assert_eq!(not_exercised(&report), expected, "{report}");
}

/// A fixture that can do nothing but make a store and run tasks.
struct Bare {
    concurrent: bool,
}

impl Fixture for Bare {
    type Store = MemoryStore;

    async fn fresh(&self) -> Result<MemoryStore, FixtureError> {
        Ok(MemoryStore::default())
    }

    async fn second_connection(&self, _: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
        Ok(None)
    }

    async fn reopen(&self, _: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
        Ok(None)
    }

    async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
        if self.concurrent {
            return run_on_threads(tasks);
        }
        for task in tasks {
            task.await;
        }
        Ok(())
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn cases_that_cannot_run_are_not_exercised() {
    const NOT_EXERCISED: &str = "S6 S6 S6 S6 S6 S6 S6 S7 S7 S8 S9 S10 S13 S13 S14 S14 S15";
    let not_exercised = |report: &Report| {
        let clauses: Vec<_> = report.not_exercised().map(|case| case.clause.to_string()).collect();
        clauses.join(" ")
    };
    let report = report_of(&Bare { concurrent: true }, |report| not_exercised(report) == NOT_EXERCISED);
    assert!(report.passed() && !report.all_passed(), "{report}");
    assert_eq!(not_exercised(&report), NOT_EXERCISED);
    let text = report.to_string();
    assert!(text.contains("S13 not exercised") && text.ends_with("17 not exercised"), "{text}");
    let data = serde_json::to_value(&report).unwrap();
    assert_eq!(data["cases"].as_array().unwrap().len(), report.cases.len());
    assert!(report.cases.iter().any(|case| case.outcome == CaseOutcome::Passed));
}

/// Tasks that run one after the other have tested no race, and do not hang either.
#[test]
#[cfg_attr(debug_assertions, ignore = "long: run in release")]
fn sequential_tasks_leave_races_not_exercised() {
    let report = conformance::run_blocking(&Bare { concurrent: false });
    assert!(report.passed(), "{report}");
    let races = report.not_exercised().filter(|case| case.outcome == sequential()).count();
    assert_eq!(races, 11, "{report}");
}

fn sequential() -> CaseOutcome {
    CaseOutcome::NotExercised("the fixture runs its tasks one after the other".to_owned())
}
