//! One case of the suite: its context, its result, and how it runs.

use std::any::Any;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::dyn_fixture::{Connection, DynFixture};
use super::{CaseOutcome, CaseReport, Clause, Fixture, FixtureError, LinkState};
use crate::store::StoreError;

/// A case of the suite.
pub(super) struct Case {
    pub(super) clause: Clause,
    pub(super) name: &'static str,
    pub(super) body: CaseFn,
}

/// The function that runs a case.
pub(super) type CaseFn = for<'a> fn(&'a CaseContext<'a>) -> CaseFuture<'a>;

/// A running case.
pub(super) type CaseFuture<'a> = Pin<Box<dyn Future<Output = CaseResult> + Send + 'a>>;

/// The result of a case, or of a step of it.
pub(super) type CaseResult<T = ()> = Result<T, CaseError>;

/// Lists the cases of a file. Each is an `async fn` that takes a [`CaseContext`]; the function's name is the name of
/// the case.
macro_rules! cases {
    ($($clause:ident: $($name:ident),+;)+) => {
        pub(super) fn cases() -> Vec<$crate::store::conformance::case::Case> {
            vec![$($($crate::store::conformance::case::Case {
                clause: $crate::store::conformance::Clause::$clause,
                name: stringify!($name),
                body: |context| Box::pin($name(context)),
            }),+),+]
        }
    };
}
pub(super) use cases;

/// Runs the cases of an optional capability, and returns their report. Each is an `async fn` that takes the fixture and
/// an empty store.
macro_rules! cases_of {
    ($fixture:ident: $($clause:ident: $name:ident;)+) => {{
        let mut cases = Vec::new();
        $(cases.push($crate::store::conformance::case::run_on($fixture, Clause::$clause, stringify!($name), |fixture, store| {
            Box::pin(async move { $name(fixture, &store).await })
        }).await);)+
        Report { cases }
    }};
}
pub(super) use cases_of;

/// Runs one case of an optional capability on an empty store.
pub(super) async fn run_on<'a, F: Fixture>(
    fixture: &'a F,
    clause: Clause,
    name: &'static str,
    body: impl FnOnce(&'a F, F::Store) -> CaseFuture<'a> + Send,
) -> CaseReport {
    Fixture::case_started(fixture, name);
    let outcome = outcome_of(async { body(fixture, Fixture::fresh(fixture).await?).await }).await;
    CaseReport { clause, name, outcome }
}

/// Why a case did not pass.
#[derive(Debug)]
pub(super) enum CaseError {
    Failed(String),
    NotExercised(String),
}

impl CaseError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    pub(super) fn not_exercised(why: impl Into<String>) -> Self {
        Self::NotExercised(why.into())
    }

    /// Puts the step that failed in front of the message.
    pub(super) fn in_context(self, what: &str) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("{what}: {why}")),
            not_exercised @ Self::NotExercised(_) => not_exercised,
        }
    }
}

impl From<StoreError> for CaseError {
    fn from(error: StoreError) -> Self {
        Self::Failed(format!("a call failed with `{error}`, expected success"))
    }
}

impl From<FixtureError> for CaseError {
    fn from(problem: FixtureError) -> Self {
        Self::Failed(format!("the fixture failed: {problem}"))
    }
}

/// Fails unless two values are equal, and shows the field in which they begin to differ.
pub(super) fn expect_eq<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> CaseResult {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    let long = found.chars().count().max(expected.chars().count()) > SHOWN;
    let skipped = if long { field_start(&found, &expected) } else { 0 };
    let shown = |text: &str| -> String {
        let cut = text.chars().skip(skipped).take(SHOWN);
        let (before, after) = (if skipped > 0 { "…" } else { "" }, text.chars().count() > skipped + SHOWN);
        format!("{before}{}{}", cut.collect::<String>(), if after { "…" } else { "" })
    };
    Err(CaseError::new(format!("{what}: found {}, expected {}", shown(&found), shown(&expected))))
}

/// Returns where the field begins in which two values differ: behind the last comma or brace that they share, as
/// `Debug` writes them. A name that is too long to show is cut.
fn field_start(found: &str, expected: &str) -> usize {
    let shared: Vec<char> = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let ends_a_field = |c: &char| matches!(c, ',' | '{' | '[');
    let start = shared.iter().rposition(ends_a_field).map_or(0, |at| at + 1);
    let spaces = shared.iter().skip(start).take_while(|c| **c == ' ').count();
    (start + spaces).max(shared.len().saturating_sub(SHOWN / 2))
}

/// How many characters of a long value are shown.
const SHOWN: usize = 120;

/// Fails unless the condition holds.
pub(super) fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> CaseResult {
    if condition { Ok(()) } else { Err(CaseError::new(otherwise())) }
}

/// The context of a case: an empty store, and the fixture for more.
pub(super) struct CaseContext<'a> {
    pub(super) fixture: &'a dyn DynFixture,
    pub(super) store: Arc<dyn Connection>,
}

impl CaseContext<'_> {
    /// Opens a second connection.
    pub(super) async fn second(&self) -> CaseResult<Arc<dyn Connection>> {
        let second = self.fixture.second_connection(&*self.store).await?;
        second.map(Arc::from).ok_or_else(|| CaseError::not_exercised("the fixture has no second connection"))
    }

    /// Opens a second connection, or returns the first one if the fixture has no second: racers may share a connection.
    pub(super) async fn second_or_same(&self) -> CaseResult<Arc<dyn Connection>> {
        let second = self.fixture.second_connection(&*self.store).await?;
        Ok(second.map_or_else(|| Arc::clone(&self.store), Arc::from))
    }

    /// Breaks or restores the link of the case's store.
    pub(super) async fn link(&self, link: LinkState) -> CaseResult {
        self.link_of(&*self.store, link).await
    }

    /// Breaks or restores the link of another store.
    pub(super) async fn link_of(&self, store: &dyn Connection, link: LinkState) -> CaseResult {
        if self.fixture.set_link(store, link).await? {
            return Ok(());
        }
        Err(CaseError::not_exercised("the fixture cannot break a link"))
    }

    /// Returns another empty store.
    pub(super) async fn fresh(&self) -> CaseResult<Box<dyn Connection>> {
        Ok(self.fixture.fresh().await?)
    }

    /// Closes a store and opens it again.
    pub(super) async fn reopened(&self, store: Box<dyn Connection>) -> CaseResult<Box<dyn Connection>> {
        self.fixture.reopen(store).await?.ok_or_else(|| CaseError::not_exercised("the fixture cannot reopen"))
    }
}

impl Case {
    pub(super) async fn run(self, fixture: &dyn DynFixture) -> CaseReport {
        fixture.case_started(self.name);
        let outcome = outcome_of(async {
            let context = CaseContext { fixture, store: Arc::from(fixture.fresh().await?) };
            (self.body)(&context).await
        });
        CaseReport { clause: self.clause, name: self.name, outcome: outcome.await }
    }
}

/// Runs a case, and returns its outcome.
pub(super) async fn outcome_of(case: impl Future<Output = CaseResult> + Send) -> CaseOutcome {
    match catch_panic(case).await {
        Ok(Ok(())) => CaseOutcome::Passed,
        Ok(Err(CaseError::NotExercised(why))) => CaseOutcome::NotExercised(why),
        Ok(Err(CaseError::Failed(why))) => CaseOutcome::Failed(why),
        Err(panic) => CaseOutcome::Failed(format!("panicked: {}", panic_message(&*panic))),
    }
}

/// Returns the output of a future, or its panic. A future that panicked is never polled again, so no broken state is
/// seen.
async fn catch_panic<T>(future: impl Future<Output = T> + Send) -> Result<T, Box<dyn Any + Send>> {
    let mut future = Box::pin(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{group, user};
    use super::*;

    fn difference<T: PartialEq + Debug>(found: &T, expected: &T) -> String {
        match expect_eq("a record", found, expected) {
            Err(CaseError::Failed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_difference_shows_its_field() {
        assert_eq!(difference(&1, &2), "a record: found 1, expected 2");
        let text = difference(&vec![user(1, "alice").unwrap(); 9], &vec![user(1, "bob").unwrap(); 9]);
        assert!(text.starts_with("a record: found …key: \"alice\"") && text.len() < 320, "{text}");
        assert!(text.contains("expected …key: \"bob\""), "{text}");
        let text = difference(&vec![group(1, "a").unwrap(); 2], &vec![group(1, "a").unwrap()]);
        assert!(text.len() < 320, "{text}");
    }
}
