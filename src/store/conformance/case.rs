//! One case: what it has in hand, how it says what it found, and how it is run.

use std::any::Any;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::any::{AnyFixture, Connection};
use super::{CaseReport, Clause, Finding, LinkState, Problem};
use crate::store::StoreError;

/// A case.
pub(super) struct Case {
    pub(super) clause: Clause,
    pub(super) name: &'static str,
    pub(super) body: Body,
}

/// What a case does.
pub(super) type Body = for<'a> fn(&'a Hand<'a>) -> Running<'a>;

/// A case at work.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// What a case found.
pub(super) type Verdict<T = ()> = Result<T, Fail>;

/// Lists the cases of a file. Each is an `async fn` that takes a [`Hand`]; its name is the case's.
macro_rules! cases {
    ($($clause:ident: $($name:ident),+;)+) => {
        pub(super) fn cases() -> Vec<$crate::store::conformance::case::Case> {
            vec![$($($crate::store::conformance::case::Case {
                clause: $crate::store::conformance::Clause::$clause,
                name: stringify!($name),
                body: |hand| Box::pin($name(hand)),
            }),+),+]
        }
    };
}
pub(super) use cases;

/// Why a case did not pass.
#[derive(Debug)]
pub(super) enum Fail {
    Failed(String),
    NotExercised(String),
}

impl Fail {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    pub(super) fn not_exercised(why: impl Into<String>) -> Self {
        Self::NotExercised(why.into())
    }

    /// The same, with what was going on.
    pub(super) fn while_(self, what: &str) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("{what}: {why}")),
            untried @ Self::NotExercised(_) => untried,
        }
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Failed(format!("a call that was to succeed answered `{error}`"))
    }
}

impl From<Problem> for Fail {
    fn from(problem: Problem) -> Self {
        Self::Failed(format!("the fixture could not go on: {problem}"))
    }
}

/// Fails unless two things are equal, and shows where they begin to differ.
pub(super) fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    let alike = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    let shown = |text: &str| -> String {
        let skipped = if text.chars().count() > SHOWN { alike.saturating_sub(SHOWN / 4) } else { 0 };
        let cut = text.chars().skip(skipped).take(SHOWN);
        let (before, after) = (if skipped > 0 { "…" } else { "" }, text.chars().count() > skipped + SHOWN);
        format!("{before}{}{}", cut.collect::<String>(), if after { "…" } else { "" })
    };
    Err(Fail::new(format!("{what}: found {}, expected {}", shown(&found), shown(&expected))))
}

/// How many characters of a long thing are shown.
const SHOWN: usize = 300;

/// Fails unless this holds.
pub(super) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Fail::new(otherwise())) }
}

/// What a case has in hand: a fresh store, and the ways to more.
pub(super) struct Hand<'a> {
    pub(super) fixture: &'a dyn AnyFixture,
    pub(super) store: Arc<dyn Connection>,
}

impl Hand<'_> {
    /// A second connection.
    pub(super) async fn second(&self) -> Verdict<Arc<dyn Connection>> {
        let second = self.fixture.second_connection(&*self.store).await?;
        second.map(Arc::from).ok_or_else(|| Fail::not_exercised("the fixture has no second connection"))
    }

    /// A second connection if there is one, or this one once more: two who race may share a connection.
    pub(super) async fn second_or_same(&self) -> Verdict<Arc<dyn Connection>> {
        let second = self.fixture.second_connection(&*self.store).await?;
        Ok(second.map_or_else(|| Arc::clone(&self.store), Arc::from))
    }

    /// Breaks or mends the link of the store in hand.
    pub(super) async fn link(&self, link: LinkState) -> Verdict {
        self.link_of(&*self.store, link).await
    }

    /// Breaks or mends the link of a store that the case asked for.
    pub(super) async fn link_of(&self, store: &dyn Connection, link: LinkState) -> Verdict {
        if self.fixture.set_link(store, link).await? {
            return Ok(());
        }
        Err(Fail::not_exercised("the fixture breaks no link"))
    }

    /// A store that the case itself asked for.
    pub(super) async fn fresh(&self) -> Verdict<Box<dyn Connection>> {
        Ok(self.fixture.fresh().await?)
    }

    /// The store closed and opened again.
    pub(super) async fn reopened(&self, store: Box<dyn Connection>) -> Verdict<Box<dyn Connection>> {
        self.fixture.reopen(store).await?.ok_or_else(|| Fail::not_exercised("the fixture cannot reopen"))
    }
}

impl Case {
    pub(super) async fn run(self, fixture: &dyn AnyFixture) -> CaseReport {
        fixture.starting(self.name);
        let found = unless_it_panics(async {
            let hand = Hand { fixture, store: Arc::from(fixture.fresh().await?) };
            (self.body)(&hand).await
        });
        let finding = match found.await {
            Ok(Ok(())) => Finding::Passed,
            Ok(Err(Fail::NotExercised(why))) => Finding::NotExercised(why),
            Ok(Err(Fail::Failed(why))) => Finding::Failed(why),
            Err(panic) => Finding::Failed(format!("panicked: {}", text_of(&*panic))),
        };
        CaseReport { clause: self.clause, name: self.name, finding }
    }
}

/// What a future comes to, or what it panicked with. A future that panicked is not polled again, so what it was in the
/// middle of is never seen.
async fn unless_it_panics<T>(future: impl Future<Output = T> + Send) -> Result<T, Box<dyn Any + Send>> {
    let mut future = Box::pin(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}
