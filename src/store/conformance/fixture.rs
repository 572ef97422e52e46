//! What a store author gives to the suite.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::thread;

use crate::block_on::block_on;
use crate::store::Store;

/// Why a fixture could not do what it was asked for.
pub type Problem = Box<dyn Error + Send + Sync>;

/// Work that the suite wants to run at the same time as other work.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How the suite comes by stores of the kind under test.
///
/// What a store cannot do is answered with `None` or `false`, and the cases that need it are reported as not exercised. A
/// problem fails the case.
pub trait Fixture: Send + Sync {
    /// The store under test.
    type Store: Store;

    /// An empty store that shares nothing with any before it. Called once for each case, and once more by some; the
    /// stores of the case before have been dropped by then.
    fn fresh(&self) -> impl Future<Output = Result<Self::Store, Problem>> + Send;

    /// A second connection to the same tenants, as another process would have it.
    fn second_connection(
        &self,
        store: &Self::Store,
    ) -> impl Future<Output = Result<Option<Self::Store>, Problem>> + Send;

    /// Closes the store, which is the only connection then, and opens it again, as after a restart of the process. Where
    /// it is kept is the fixture's to know: from the latest `fresh`.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Result<Option<Self::Store>, Problem>> + Send;

    /// Runs these at the same time, to the end. Without a runtime: [`on_threads`]. On one with several threads: spawn each,
    /// then wait for all. At the same time on one thread is enough for a store that awaits something in every call.
    fn run_at_once(&self, tasks: Vec<Task>) -> impl Future<Output = Result<(), Problem>> + Send;

    /// Breaks the link between this connection and its database, or mends it. False if there is no link, or none that can
    /// be broken: then nobody has seen whether errors tell the truth (S6).
    ///
    /// A proxy before the database does it, or a disk that fails on command. While it is broken, reads may fail or answer,
    /// and half a write may get through; what is undone must be undone by the time of the answer, or the answer is
    /// *unknown*. Once it is whole, the same connection must work again, by whatever it does for that.
    fn set_link(&self, _store: &Self::Store, _link: LinkState) -> impl Future<Output = Result<bool, Problem>> + Send {
        async { Ok(false) }
    }

    /// Told before each case, by its name, as in [`CaseReport::name`](super::CaseReport::name) (the report's text has spaces
    /// for underscores). Print it to find the one in which a store hangs.
    fn starting(&self, _case: &str) {}
}

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// Everything gets through.
    Whole,
    /// What is sent is lost.
    RequestsLost,
    /// What is sent arrives, and what is answered is lost.
    AnswersLost,
}

/// Runs each task on a thread of its own. For stores whose futures need no runtime.
///
/// # Errors
/// A thread could not be started, or a task panicked.
pub fn on_threads(tasks: Vec<Task>) -> Result<(), Problem> {
    let start = |task: Task| thread::Builder::new().spawn(move || block_on(task));
    let threads: Vec<_> = tasks.into_iter().map(start).collect();
    let mut all_well = Ok(());
    for thread in threads {
        if thread?.join().is_err() {
            all_well = Err("a task panicked".into());
        }
    }
    all_well
}
