//! The seam to an async runtime: what starts tasks, and what pauses them.
//!
//! Deliberately absent: a reactor, and a handle to a started task. A task reports its result itself.

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

/// Starts tasks that go on when the caller's future is dropped.
///
/// With a runtime, a call that has reached the store runs to its end, whatever becomes of the caller
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
}

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

#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
impl Runtime for tokio::runtime::Handle {
    fn spawn(&self, task: BoxFuture) {
        drop(Self::spawn(self, task));
    }
}
