//! The runtime of a process: its tasks wait here until the world polls them, and its pauses last a number of steps.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rolecall::authorizer::runtime::{BoxFuture, Runtime};

use crate::world::Flag;

/// A clone is the same runtime.
#[derive(Clone, Default)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    step: usize,
    spawned: Vec<BoxFuture>,
    /// Whether a pause has begun since the world last looked.
    paused: bool,
    /// The steps at which pauses end, and who waits for them.
    pauses: Vec<(usize, Waker)>,
}

/// A task of the runtime.
pub(crate) struct Job {
    future: BoxFuture,
    pub(crate) flag: Arc<Flag>,
    /// Whether it resolves a commit in doubt. Of the tasks that the crate spawns, only such a task pauses.
    pub(crate) resolves: bool,
}

impl Simulated {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The tasks that were spawned since the last call.
    pub(crate) fn spawned(&self) -> Vec<Job> {
        let spawned = mem::take(&mut self.state().spawned);
        spawned.into_iter().map(|future| Job { future, flag: Flag::set(), resolves: false }).collect()
    }

    /// Moves the time on, and ends the pauses that are over.
    pub(crate) fn at(&self, step: usize) {
        let mut state = self.state();
        state.step = step;
        let (over, rest) = mem::take(&mut state.pauses).into_iter().partition(|(until, _)| *until <= step);
        state.pauses = rest;
        drop(state);
        let over: Vec<(usize, Waker)> = over;
        for (_, waker) in over {
            waker.wake();
        }
    }

    /// Whether a pause has begun since the last call.
    pub(crate) fn has_paused(&self) -> bool {
        mem::take(&mut self.state().paused)
    }
}

impl Job {
    pub(crate) fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.flag));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

impl Runtime for Simulated {
    fn spawn(&self, task: BoxFuture) {
        self.state().spawned.push(task);
    }

    /// Ten milliseconds are a step, and no pause is longer than twenty.
    fn sleep(&self, duration: Duration) -> BoxFuture {
        let mut state = self.state();
        state.paused = true;
        let steps = usize::try_from(duration.as_millis() / 10).unwrap_or(usize::MAX).min(20);
        let (until, runtime) = (state.step + steps, self.clone());
        Box::pin(poll_fn(move |cx| {
            let mut state = runtime.state();
            if state.step >= until {
                return Poll::Ready(());
            }
            state.pauses.push((until, cx.waker().clone()));
            Poll::Pending
        }))
    }
}
