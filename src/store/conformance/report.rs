//! The report of a run, as data and as text.

use std::fmt;

use serde::Serialize;

/// A clause of the contract of [`Store`](crate::store::Store), or of an optional capability:
/// [`History`](crate::store::History), [`Positions`](crate::store::Positions), [`Watch`](crate::store::Watch) or
/// [`UserDirectory`](crate::store::UserDirectory).
///
/// ```
/// use rolecall::store::conformance::Clause;
///
/// assert_eq!(Clause::S6.to_string(), "S6");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "the contract of `Store` explains them")]
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
    H1,
    H2,
    H3,
    H4,
    H5,
    H6,
    H7,
    P1,
    P2,
    P3,
    P4,
    P5,
    W1,
    W2,
    W3,
    W4,
    W5,
    U1,
    U2,
    U3,
    U4,
}

impl Clause {
    /// The clauses of the optional capability [`History`](crate::store::History), in order.
    pub const HISTORY: [Self; 7] = [Self::H1, Self::H2, Self::H3, Self::H4, Self::H5, Self::H6, Self::H7];

    /// The clauses of the optional capability [`Positions`](crate::store::Positions), in order.
    pub const POSITIONS: [Self; 5] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5];

    /// The clauses of the optional capability [`Watch`](crate::store::Watch), in order.
    pub const WATCH: [Self; 5] = [Self::W1, Self::W2, Self::W3, Self::W4, Self::W5];

    /// The clauses of the optional capability [`UserDirectory`](crate::store::UserDirectory), in order.
    pub const USER_DIRECTORY: [Self; 4] = [Self::U1, Self::U2, Self::U3, Self::U4];

    /// The clauses that every store keeps, in order.
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

/// The result of one case.
///
/// ```
/// use rolecall::store::conformance::CaseOutcome;
///
/// let is_failure = |outcome: &CaseOutcome| matches!(outcome, CaseOutcome::Failed(_));
/// assert!(!is_failure(&CaseOutcome::Passed));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseOutcome {
    /// The store behaved as the clause demands.
    Passed,
    /// The store behaved differently. The text describes how.
    Failed(String),
    /// The case could not run. The text is the reason. This result says nothing about the store.
    NotExercised(String),
}

/// One case and its result.
///
/// ```no_run
/// use rolecall::store::conformance::{CaseReport, CaseOutcome};
///
/// fn why(case: &CaseReport) -> Option<&str> {
///     match &case.outcome {
///         CaseOutcome::Failed(why) | CaseOutcome::NotExercised(why) => Some(why),
///         CaseOutcome::Passed => None,
///     }
/// }
/// # let _ = why;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CaseReport {
    /// The clause that the case tests.
    pub clause: Clause,
    /// The name of the case: unique, and the same in every release.
    pub name: &'static str,
    /// The result.
    pub outcome: CaseOutcome,
}

/// The results of all cases, in the order of the clauses.
///
/// Its `Display` is a table that ends in a summary. If several failed cases have the same text, it is printed once. The
/// later cases name the first one, and the line before the summary says where to begin.
///
/// ```no_run
/// # fn example(report: rolecall::store::conformance::Report) {
/// for case in report.failed() {
///     println!("{} {}: {:?}", case.clause, case.name, case.outcome);
/// }
/// assert!(report.passed(), "{report}");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The results.
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// Whether no case failed. Cases that were not exercised do not count: see [`Report::not_exercised`].
    ///
    /// ```no_run
    /// # fn example(report: rolecall::store::conformance::Report) {
    /// assert!(report.passed(), "{report}");
    /// # }
    /// ```
    #[must_use = "an unread report tests nothing"]
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Whether every case ran and passed.
    ///
    /// ```no_run
    /// # fn example(report: rolecall::store::conformance::Report) {
    /// // The fixture can do everything that the cases need.
    /// assert!(report.all_passed(), "{report}");
    /// # }
    /// ```
    #[must_use = "an unread report tests nothing"]
    pub fn all_passed(&self) -> bool {
        self.passed() && self.not_exercised().next().is_none()
    }

    /// The numbers of cases that passed, failed and were not exercised, in one line.
    ///
    /// ```no_run
    /// # fn example(report: rolecall::store::conformance::Report) {
    /// println!("{}", report.summary()); // for example: 80 passed, 0 failed, 2 not exercised
    /// # }
    /// ```
    pub fn summary(&self) -> String {
        let (failed, not_exercised) = (self.failed().count(), self.not_exercised().count());
        let passed = self.cases.len().saturating_sub(failed.saturating_add(not_exercised));
        format!("{passed} passed, {failed} failed, {not_exercised} not exercised")
    }

    /// The cases that failed.
    ///
    /// ```no_run
    /// # fn example(report: rolecall::store::conformance::Report) {
    /// let names: Vec<&str> = report.failed().map(|case| case.name).collect();
    /// assert!(names.is_empty(), "{names:?}");
    /// # }
    /// ```
    pub fn failed(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.outcome, CaseOutcome::Failed(_)))
    }

    /// The cases that could not run.
    ///
    /// ```no_run
    /// # fn example(report: rolecall::store::conformance::Report) {
    /// for case in report.not_exercised() {
    ///     println!("not exercised: {case}");
    /// }
    /// # }
    /// ```
    pub fn not_exercised(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.outcome, CaseOutcome::NotExercised(_)))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, why) = match &self.outcome {
            CaseOutcome::Passed => ("passed", ""),
            CaseOutcome::Failed(why) => ("FAILED", why.as_str()),
            CaseOutcome::NotExercised(why) => ("not exercised", why.as_str()),
        };
        let colon = if why.is_empty() { "" } else { ": " };
        write!(f, "{:<4}{word:<14}{}{colon}{why}", self.clause.to_string(), self.name)
    }
}

/// How many cases must fail with one text before the report counts them.
const MANY: usize = 3;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // For each text of a failure: the first case that has it, and how many have it.
        let mut texts: Vec<(&str, &CaseReport, usize)> = Vec::new();
        for case in &self.cases {
            let CaseOutcome::Failed(why) = &case.outcome else {
                writeln!(f, "{case}")?;
                continue;
            };
            if let Some((_, first, cases)) = texts.iter_mut().find(|(text, ..)| text == why) {
                *cases = cases.saturating_add(1);
                writeln!(f, "{:<4}FAILED        {}: as {}", case.clause.to_string(), case.name, first.name)?;
            } else {
                texts.push((why, case, 1));
                writeln!(f, "{case}")?;
            }
        }
        if let Some((text, _, cases)) = texts.iter().max_by_key(|(.., cases)| *cases).filter(|(.., n)| *n >= MANY) {
            writeln!(f, "begin here: {cases} of the {} failed cases say: {text}", self.failed().count())?;
        }
        f.write_str(&self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_with_one_text_are_grouped() {
        let failed =
            |clause, name, why: &str| CaseReport { clause, name, outcome: CaseOutcome::Failed(why.to_owned()) };
        let passed = CaseReport { clause: Clause::S5, name: "it_works", outcome: CaseOutcome::Passed };
        let mut report = Report { cases: vec![failed(Clause::S1, "one", "x"), failed(Clause::S3, "two", "the cause")] };
        report.cases.extend([
            passed,
            failed(Clause::S6, "three", "the cause"),
            failed(Clause::S14, "four", "the cause"),
        ]);
        let expected = [
            "S1  FAILED        one: x",
            "S3  FAILED        two: the cause",
            "S5  passed        it_works",
            "S6  FAILED        three: as two",
            "S14 FAILED        four: as two",
            "begin here: 3 of the 4 failed cases say: the cause",
            "1 passed, 4 failed, 0 not exercised",
        ];
        assert_eq!(report.to_string(), expected.join("\n"));
        report.cases.truncate(3);
        assert!(!report.to_string().contains("begin here"));
    }
}
