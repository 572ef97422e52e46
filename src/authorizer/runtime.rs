//! The interface to an async runtime, which starts tasks and pauses them.
//!
//! Deliberately absent: a reactor, and a handle to a started task. A task reports its result itself.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::block_on::block_on;
use crate::timer;

/// A task, or a pause: a future that any thread can run.
///
/// ```
/// use rolecall::authorizer::runtime::BoxFuture;
///
/// let task: BoxFuture = Box::pin(async { println!("running") });
/// # let _ = task;
/// ```
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts tasks that continue when the caller's future is dropped.
///
/// With a runtime, a call that has reached the store runs to its end, whatever happens to the caller
/// ([`AuthorizerBuilder::runtime`](crate::AuthorizerBuilder::runtime)). These implement it:
///
/// - [`tokio::runtime::Handle`](https://docs.rs/tokio/latest/tokio/runtime/struct.Handle.html), with the feature `tokio`;
/// - [`Threads`], which starts a thread for each task, for [`crate::blocking`];
/// - every closure that takes a task, for another executor.
///
/// ```
/// use rolecall::Authorizer;
/// use rolecall::authorizer::runtime::BoxFuture;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rolecall::Error> {
/// let spawn = |task: BoxFuture| drop(tokio::spawn(task));
/// let authorizer = Authorizer::builder().runtime(spawn).build();
/// let acme = authorizer.create_tenant("acme", "Acme").await?;
/// # let _ = acme;
/// # Ok(())
/// # }
/// ```
pub trait Runtime: Send + Sync + 'static {
    /// Starts a task, and returns without waiting for it.
    ///
    /// Starting a task does not run it to its end on the calling thread, because some tasks wait for others. If the task
    /// cannot be started, drop it: the caller then receives [`Unavailable`](crate::ErrorKind::Unavailable).
    fn spawn(&self, task: BoxFuture);

    /// Returns a future that is ready after this duration. The provided one is woken by a thread that lives only while
    /// somebody pauses.
    fn sleep(&self, duration: Duration) -> BoxFuture {
        Box::pin(timer::sleep(duration))
    }

    /// Polls a future to its end on the calling thread. Each call of [`crate::blocking`] is such a future.
    ///
    /// The provided one parks the thread until the future is woken. If the futures of the store need the context of this
    /// runtime, for sockets and timers for example, then enter it around the polls. tokio's `Handle` does.
    ///
    /// # Errors
    /// [`CannotBlock`] if the future would wait for ever. Then do not poll it.
    fn block_on(&self, future: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Result<(), CannotBlock> {
        block_on(future);
        Ok(())
    }
}

/// Why a runtime refuses to wait on the calling thread. See [`Runtime::block_on`].
///
/// ```
/// let refused = rolecall::authorizer::runtime::CannotBlock::because("the runtime was shut down");
/// assert_eq!(refused.to_string(), "cannot wait on this thread: the runtime was shut down");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotBlock(String);

impl CannotBlock {
    /// Returns the error with its reason.
    ///
    /// The example in [`CannotBlock`] uses it.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for CannotBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot wait on this thread: {}", self.0)
    }
}

impl Error for CannotBlock {}

impl<F: Fn(BoxFuture) + Send + Sync + 'static> Runtime for F {
    fn spawn(&self, task: BoxFuture) {
        self(task);
    }
}

impl<R: Runtime + ?Sized> Runtime for Arc<R> {
    fn spawn(&self, task: BoxFuture) {
        (**self).spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture {
        (**self).sleep(duration)
    }

    fn block_on(&self, future: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Result<(), CannotBlock> {
        (**self).block_on(future)
    }
}

/// A runtime that starts a thread for each task.
///
/// For [`crate::blocking`], and for stores that need no reactor. A call of `blocking` cannot be dropped half way, but the
/// store can lose its answer, or panic: a task then resolves the commit in doubt.
///
/// ```
/// use rolecall::blocking::Authorizer;
/// use rolecall::authorizer::runtime::Threads;
///
/// let authorizer = Authorizer::builder().runtime(Threads).build();
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// acme.update(|tx| tx.create_user("alice")?.done())?;
/// # Ok::<(), rolecall::Error>(())
/// ```
///
/// # Complexity
/// Starts a thread for each call that reaches the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Threads;

impl Runtime for Threads {
    fn spawn(&self, task: BoxFuture) {
        // If the thread cannot be started, the task is dropped.
        drop(thread::Builder::new().name("rolecall".to_owned()).spawn(move || block_on(task)));
    }
}

/// How long a tokio runtime with one thread may take to begin a task, before a blocking call refuses to wait for it.
#[cfg(feature = "tokio")]
const PATIENCE: Duration = Duration::from_secs(2);

/// [`block_on`](Runtime::block_on) waits within the context of the runtime, so that stores find its sockets and timers.
///
/// On a worker thread of a runtime with several threads, tokio moves the other tasks away meanwhile. A runtime with one
/// thread must be driven by another thread: one that is inside `Runtime::block_on`. If it does not begin a task within
/// two seconds, the call is refused.
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl Runtime for tokio::runtime::Handle {
    fn spawn(&self, task: BoxFuture) {
        drop(Self::spawn(self, task));
    }

    fn block_on(&self, future: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Result<(), CannotBlock> {
        use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

        use tokio::runtime::RuntimeFlavor::{CurrentThread, MultiThread};

        const NOT_DRIVEN: &str = "nothing runs the tasks of this tokio runtime: \
            its one thread is the calling one, or is not driven";
        const LOCAL: &str = "it runs other tokio tasks, which would wait, too; call from a thread of `spawn_blocking`";
        if self.runtime_flavor() == CurrentThread && !begins_tasks(self) {
            return Err(CannotBlock::because(NOT_DRIVEN));
        }
        let is_worker = Self::try_current().is_ok_and(|current| current.runtime_flavor() == MultiThread);
        let mut has_begun = false;
        let wait = || {
            has_begun = true;
            let _context = self.enter();
            block_on(future);
        };
        if !is_worker {
            wait();
            return Ok(());
        }
        // tokio panics before it calls this if it cannot move the other tasks of the thread away.
        match catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(wait))) {
            Ok(()) => Ok(()),
            Err(panic) if has_begun => resume_unwind(panic),
            Err(_) => Err(CannotBlock::because(LOCAL)),
        }
    }
}

#[cfg(feature = "tokio")]
fn begins_tasks(runtime: &tokio::runtime::Handle) -> bool {
    let (sender, receiver) = std::sync::mpsc::channel();
    drop(runtime.spawn(async move { sender.send(()) }));
    receiver.recv_timeout(PATIENCE).is_ok()
}
