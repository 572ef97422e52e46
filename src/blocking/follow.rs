//! [`crate::authorizer::follow::Follower`] without an executor.

use std::time::Duration;

use super::wait;
use crate::authorizer::follow;
use crate::model::error::{Error, Result};
use crate::store::Watch;

/// [`crate::authorizer::follow::Follower`] without an executor: [`run`](Self::run) follows on the calling thread.
///
/// [`Authorizer::follow`](super::Authorizer::follow) makes one.
///
/// ```
/// use std::time::Duration;
///
/// use rolecall::blocking::Authorizer;
/// use rolecall::store::MemoryStore;
///
/// let store = MemoryStore::default();
/// let authorizer = Authorizer::builder().store(store.clone()).build();
/// let follower = authorizer.follow(store).every(Duration::from_millis(250));
/// let thread = std::thread::spawn(|| follower.run());
/// # drop(thread);
///
/// let acme = authorizer.create_tenant("acme", "Acme")?;
/// // The thread refreshes `acme` after each commit of another process.
/// # drop(acme);
/// # Ok::<(), rolecall::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a follower does nothing before `run` is called"]
pub struct Follower(pub(super) follow::Follower);

impl Follower {
    /// See [`crate::authorizer::follow::Follower::every`].
    pub fn every(self, interval: Duration) -> Self {
        Self(self.0.every(interval))
    }

    /// See [`crate::authorizer::follow::Follower::watch`].
    pub fn watch(self, store: impl Watch) -> Self {
        Self(self.0.watch(store))
    }

    /// See [`crate::authorizer::follow::Follower::on_error`].
    pub fn on_error(self, report: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self(self.0.on_error(report))
    }

    /// See [`crate::authorizer::follow::Follower::run`].
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the authorizer's runtime cannot wait on this thread.
    pub fn run(self) -> Result<()> {
        let runtime = self.0.runtime().cloned();
        wait(runtime.as_ref(), async {
            self.0.run().await;
            Ok(())
        })
    }
}
