//! Peers whose methods are futures, though nothing is waited for: each is polled once, without an executor, which is
//! the least that one can cost.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What the future is ready with.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}
