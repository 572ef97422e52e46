//! Work that continues when the caller's future is dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_channel::oneshot;

use super::runtime::Runtime;
use crate::model::error::{Error, ErrorKind};

/// The runtime did not run a task to its end: it was stopped, or the task panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    BeforeItBegan,
    HalfWay,
}

/// Runs this to its end in a task of the runtime, even if the returned future is dropped. Without a runtime, it runs in the
/// returned future.
pub(super) fn detached<T: Send + 'static>(
    runtime: Option<&Arc<dyn Runtime>>,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, Stopped>> + Send {
    // Boxed at once, because the futures of callers would be twenty kilobytes large otherwise.
    let work: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(work);
    async move {
        let Some(runtime) = runtime else { return Ok(work.await) };
        let (sender, receiver) = oneshot::channel();
        let began = Arc::new(AtomicBool::new(false));
        let task_began = Arc::clone(&began);
        runtime.spawn(Box::pin(async move {
            task_began.store(true, Ordering::Relaxed);
            // If the caller is gone, the result comes back and is dropped here.
            drop(sender.send(work.await));
        }));
        // A task that does not run to its end drops the sender. The channel orders that after the store.
        receiver.await.map_err(
            |_| {
                if began.load(Ordering::Relaxed) { Stopped::HalfWay } else { Stopped::BeforeItBegan }
            },
        )
    }
}

impl From<Stopped> for Error {
    fn from(_: Stopped) -> Self {
        Error::new(ErrorKind::Unavailable).in_words("the runtime stopped the task".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::authorizer::runtime::{BoxFuture, Threads};
    use crate::block_on::block_on;

    /// Keeps the tasks, for the test to run or to drop.
    #[derive(Clone, Default)]
    struct HeldTasks(Arc<Mutex<Vec<BoxFuture>>>);

    impl HeldTasks {
        fn runtime(&self) -> Arc<dyn Runtime> {
            let tasks = Arc::clone(&self.0);
            Arc::new(move |task| tasks.lock().unwrap().push(task))
        }

        fn take(&self) -> BoxFuture {
            self.0.lock().unwrap().pop().unwrap()
        }
    }

    fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn without_a_runtime_it_runs_in_the_callers_future() {
        assert_eq!(block_on(detached(None, async { 5 })), Ok(5));
    }

    #[test]
    fn a_result_crosses_threads_a_thousand_times() {
        let runtime: Arc<dyn Runtime> = Arc::new(Threads);
        for n in 0..1_000 {
            assert_eq!(block_on(detached(Some(&runtime), async move { n })), Ok(n));
        }
    }

    #[test]
    fn the_work_ends_after_the_caller_is_dropped_and_its_result_is_dropped() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (held, dropped) = (HeldTasks::default(), Arc::new(AtomicUsize::new(0)));
        for caller_goes_first in [true, false] {
            dropped.store(0, Ordering::SeqCst);
            let (runtime, counted) = (held.runtime(), Counted(Arc::clone(&dropped)));
            let mut call = Box::pin(async move { detached(Some(&runtime), async move { counted }).await });
            assert!(poll(&mut call).is_pending());
            let mut task = held.take();
            if caller_goes_first {
                drop(call);
                assert_eq!(dropped.load(Ordering::SeqCst), 0);
                assert!(poll(&mut task).is_ready());
            } else {
                assert!(poll(&mut task).is_ready());
                assert_eq!(dropped.load(Ordering::SeqCst), 0, "it waits for the caller");
                drop(call);
            }
            assert_eq!(dropped.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_task_that_the_runtime_drops_says_whether_it_had_begun() {
        let held = HeldTasks::default();
        let start = || {
            let runtime = held.runtime();
            let mut call = Box::pin(async move { detached(Some(&runtime), std::future::pending::<()>()).await });
            assert!(poll(&mut call).is_pending());
            (call, held.take())
        };
        let (mut call, task) = start();
        drop(task);
        assert_eq!(poll(&mut call), Poll::Ready(Err(Stopped::BeforeItBegan)));
        let (mut call, mut task) = start();
        assert!(poll(&mut task).is_pending());
        drop(task);
        assert_eq!(poll(&mut call), Poll::Ready(Err(Stopped::HalfWay)));
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_as_stopped() {
        let runtime: Arc<dyn Runtime> = Arc::new(Threads);
        let panics = async {
            crate::timer::sleep(Duration::from_millis(1)).await;
            panic!("a panic of the test")
        };
        assert_eq!(block_on(detached::<()>(Some(&runtime), panics)), Err(Stopped::HalfWay));
    }
}
