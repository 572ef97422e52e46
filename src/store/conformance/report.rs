//! What a run of the suite found, as data and as text.

use std::fmt;

use serde::Serialize;

/// A clause of the contract of [`Store`](crate::store::Store).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "the contract is where they are told")]
pub enum Clause {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S12,
    S13,
    S14,
    S15,
}

impl Clause {
    /// All of them, in order.
    pub const ALL: [Self; 15] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
        Self::S8,
        Self::S9,
        Self::S10,
        Self::S11,
        Self::S12,
        Self::S13,
        Self::S14,
        Self::S15,
    ];
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The store did what the clause says.
    Passed,
    /// It did not; this is what was found.
    Failed(String),
    /// The case could not be tried, for this reason: nothing is known of the clause by it.
    NotExercised(String),
}

/// One case and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// The clause that it is about.
    pub clause: Clause,
    /// Its name, a sentence: unique, and kept from release to release.
    pub name: &'static str,
    /// What became of it.
    pub finding: Finding,
}

/// What became of every case, in the order of the clauses. Its text is a table by clause, and ends in a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The cases.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Whether no case failed. What was not exercised is not counted: see [`Report::not_exercised`].
    #[must_use = "a suite whose verdict is not looked at has tested nothing"]
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Whether every case was tried and none failed.
    #[must_use = "a suite whose verdict is not looked at has tested nothing"]
    pub fn all_passed(&self) -> bool {
        self.passed() && self.not_exercised().next().is_none()
    }

    /// How many passed, failed and could not be tried, in a line.
    pub fn summary(&self) -> String {
        let (failed, untried) = (self.failed().count(), self.not_exercised().count());
        let passed = self.cases.len().saturating_sub(failed.saturating_add(untried));
        format!("{passed} passed, {failed} failed, {untried} not exercised")
    }

    /// The cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.finding, Finding::Failed(_)))
    }

    /// The cases that could not be tried.
    pub fn not_exercised(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.finding, Finding::NotExercised(_)))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, why) = match &self.finding {
            Finding::Passed => ("passed", ""),
            Finding::Failed(why) => ("FAILED", why.as_str()),
            Finding::NotExercised(why) => ("not exercised", why.as_str()),
        };
        let colon = if why.is_empty() { "" } else { ": " };
        write!(f, "{:<4}{word:<14}{}{colon}{why}", self.clause.to_string(), self.name.replace('_', " "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            writeln!(f, "{case}")?;
        }
        f.write_str(&self.summary())
    }
}
