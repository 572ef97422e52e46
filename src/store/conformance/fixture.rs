//! The interface between the suite and a store author: how the suite gets stores.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use crate::block_on::block_on;
use crate::store::Store;

/// The reason why a call of a fixture failed.
///
/// ```
/// use rolecall::store::conformance::FixtureError;
///
/// let error: FixtureError = "the test database is not running".into();
/// assert_eq!(error.to_string(), "the test database is not running");
/// ```
pub type FixtureError = Box<dyn Error + Send + Sync>;

/// Work that the suite runs concurrently with other work.
///
/// ```
/// use rolecall::store::conformance::{Task, run_on_threads};
///
/// let task: Task = Box::pin(async { println!("running") });
/// run_on_threads(vec![task])?;
/// # Ok::<(), rolecall::store::conformance::FixtureError>(())
/// ```
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gives the suite stores of the kind under test.
///
/// A fixture answers `None` or `false` to what its store cannot do. The suite reports the cases that need it as *not
/// exercised*. An error fails the case. The example in the [module](super) runs the suite with one.
///
/// ```
/// use rolecall::store::MemoryStore;
/// use rolecall::store::conformance::{Fixture, FixtureError, Task, run_on_threads};
///
/// struct InMemory;
///
/// impl Fixture for InMemory {
///     type Store = MemoryStore;
///
///     async fn fresh(&self) -> Result<MemoryStore, FixtureError> {
///         Ok(MemoryStore::default())
///     }
///
///     async fn second_connection(&self, store: &MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
///         Ok(Some(store.clone()))
///     }
///
///     async fn reopen(&self, _: MemoryStore) -> Result<Option<MemoryStore>, FixtureError> {
///         Ok(None) // a store in memory does not survive: these cases are not exercised
///     }
///
///     async fn run_concurrently(&self, tasks: Vec<Task>) -> Result<(), FixtureError> {
///         run_on_threads(tasks)
///     }
/// }
/// ```
pub trait Fixture: Send + Sync {
    /// The store under test.
    type Store: Store;

    /// Returns an empty store that shares nothing with earlier ones.
    ///
    /// The suite calls this once for each case. Some cases call it again while their first store is still open, so each
    /// call needs a location of its own. The stores of earlier cases are dropped by then.
    fn fresh(&self) -> impl Future<Output = Result<Self::Store, FixtureError>> + Send;

    /// Opens a second connection to the same tenants, as another process would.
    fn second_connection(
        &self,
        store: &Self::Store,
    ) -> impl Future<Output = Result<Option<Self::Store>, FixtureError>> + Send;

    /// Closes the store and opens it again, as after a restart of the process.
    ///
    /// The store is the only connection to its location then; another store of the case may be open elsewhere. Drop it,
    /// and open the same location. To know which one that is, let the store know its location, or make
    /// [`Store`](Self::Store) a type around yours that does.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Result<Option<Self::Store>, FixtureError>> + Send;

    /// Runs all tasks concurrently and waits for them.
    ///
    /// Without a runtime, use [`run_on_threads`]. On a runtime with several threads, spawn each task. One thread is
    /// enough for a store that awaits something in every call.
    fn run_concurrently(&self, tasks: Vec<Task>) -> impl Future<Output = Result<(), FixtureError>> + Send;

    /// Breaks or restores the link between this connection and its database. Returns `false` if it cannot be broken.
    ///
    /// Use a proxy in front of the database, or a file that fails on command. Break the link at the first byte *and*, if
    /// you can, at the commit statement alone: that is the moment that decides between `Unavailable` and `InDoubt` (S6).
    /// While the link is broken, reads may fail or succeed, and half of a write may get through.
    ///
    /// For a file, a lost request is a write that fails, before it or after half of it; undoing it works. A lost
    /// response is a write that arrives and whose synchronisation fails; undoing it fails too.
    ///
    /// After [`LinkState::Connected`] the same store must work again, without being reopened. A store in a file
    /// recovers at the next commit: it truncates the file to the length that was last synchronised, or opens it again,
    /// and synchronises.
    fn set_link(
        &self,
        _store: &Self::Store,
        _link: LinkState,
    ) -> impl Future<Output = Result<bool, FixtureError>> + Send {
        async { Ok(false) }
    }

    /// Receives the name of each case before it runs, as in [`CaseReport::name`](super::CaseReport::name). Print it to
    /// find the case in which a store hangs.
    fn case_started(&self, _case: &str) {}

    /// Returns how long a case of [`run_watch`](super::run_watch) waits for a hint: ten seconds.
    fn hint_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// The state of the link between a store and its database.
///
/// ```
/// use rolecall::store::conformance::LinkState;
///
/// let is_broken = |link| link != LinkState::Connected;
/// assert!(is_broken(LinkState::ResponsesLost));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// Requests and responses get through.
    Connected,
    /// Requests are lost. For a file: a write fails, and can be undone.
    RequestsLost,
    /// Requests arrive; their responses are lost. For a file: a write arrives, and neither its synchronisation nor its
    /// undoing succeeds.
    ResponsesLost,
}

/// Runs each task on its own thread, for stores whose futures need no runtime.
///
/// ```
/// use rolecall::store::conformance::run_on_threads;
///
/// run_on_threads(vec![Box::pin(async {}), Box::pin(async {})])?;
/// # Ok::<(), rolecall::store::conformance::FixtureError>(())
/// ```
///
/// # Errors
/// A thread could not be started, or a task panicked.
pub fn run_on_threads(tasks: Vec<Task>) -> Result<(), FixtureError> {
    let start = |task: Task| thread::Builder::new().spawn(move || block_on(task));
    let threads: Vec<_> = tasks.into_iter().map(start).collect();
    let mut result = Ok(());
    for thread in threads {
        if thread?.join().is_err() {
            result = Err("a task panicked".into());
        }
    }
    result
}
