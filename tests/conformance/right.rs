//! Our own stores keep the contract, and in their runs every race interleaves.

use rolecall::store::MemoryStore;
use rolecall::store::conformance::{self, Clause, Finding, Fixture, Problem, Report, Task, on_threads};

use super::{InMemory, report_of};

/// Fails unless everything passed but the cases of S6, which need a link that can break.
fn passes_without_a_link(report: &Report) {
    assert!(report.passed(), "{report}");
    let untried: Vec<_> = report.not_exercised().map(|case| case.clause).collect();
    assert_eq!(untried, [Clause::S6; 6], "{report}");
}

#[test]
fn the_memory_store_keeps_the_contract() {
    let races_met = |report: &Report| report.not_exercised().all(|case| case.clause == Clause::S6);
    passes_without_a_link(&report_of(&InMemory(MemoryStore::default), races_met));
}

/// *Too old* is always a legal answer.
#[test]
fn a_store_that_remembers_no_commits_keeps_the_contract() {
    let untried = |report: &Report| -> Vec<&str> {
        report.not_exercised().filter(|case| case.clause != Clause::S6).map(|case| case.name).collect()
    };
    let expected = [
        "a_commit_is_one_commit_in_the_history",
        "the_commits_since_a_state_are_complete_and_in_order",
        "an_envelope_is_told_as_it_was_sent",
        "a_long_history_is_told_whole",
        "a_reopened_store_tells_an_envelope_as_it_was_sent",
    ];
    let forgetful = InMemory(|| MemoryStore::with_history(0));
    let report = report_of(&forgetful, |report| untried(report) == expected);
    assert!(report.passed(), "{report}");
    assert_eq!(untried(&report), expected, "{report}");
}

/// A fixture that can do nothing but make a store and run tasks.
struct Bare {
    at_once: bool,
}

impl Fixture for Bare {
    type Store = MemoryStore;

    async fn fresh(&self) -> Result<MemoryStore, Problem> {
        Ok(MemoryStore::default())
    }

    async fn second_connection(&self, _: &MemoryStore) -> Result<Option<MemoryStore>, Problem> {
        Ok(None)
    }

    async fn reopen(&self, _: MemoryStore) -> Result<Option<MemoryStore>, Problem> {
        Ok(None)
    }

    async fn run_at_once(&self, tasks: Vec<Task>) -> Result<(), Problem> {
        if self.at_once {
            return on_threads(tasks);
        }
        for task in tasks {
            task.await;
        }
        Ok(())
    }
}

#[test]
fn what_could_not_be_tried_is_reported_so() {
    const UNTRIED: &str = "S6 S6 S6 S6 S6 S6 S7 S7 S8 S9 S10 S13 S13 S14 S14 S15";
    let untried = |report: &Report| {
        let clauses: Vec<_> = report.not_exercised().map(|case| case.clause.to_string()).collect();
        clauses.join(" ")
    };
    let report = report_of(&Bare { at_once: true }, |report| untried(report) == UNTRIED);
    assert!(report.passed() && !report.all_passed(), "{report}");
    assert_eq!(untried(&report), UNTRIED);
    let text = report.to_string();
    assert!(text.contains("S13 not exercised") && text.ends_with("16 not exercised"), "{text}");
    let data = serde_json::to_value(&report).unwrap();
    assert_eq!(data["cases"].as_array().unwrap().len(), report.cases.len());
    assert!(report.cases.iter().any(|case| case.finding == Finding::Passed));
}

/// Tasks that run one after the other have tested no race, and do not hang either.
#[test]
fn a_race_that_did_not_race_is_not_passed() {
    let report = conformance::run_blocking(&Bare { at_once: false });
    assert!(report.passed(), "{report}");
    let races = report.not_exercised().filter(|case| case.finding == sequential()).count();
    assert_eq!(races, 11, "{report}");
}

fn sequential() -> Finding {
    Finding::NotExercised("the fixture runs its tasks one after the other".to_owned())
}
