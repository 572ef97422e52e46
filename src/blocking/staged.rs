//! A staged transaction without an executor. [`crate::authorizer::Staged`] has the documentation and the examples.

use std::fmt;
use std::sync::Arc;

use super::wait;
use crate::authorizer::runtime::Runtime;
use crate::authorizer::{self, Updated};
use crate::model::error::Result;
use crate::plan::Plan;
use crate::store::Commit;

/// [`crate::authorizer::Staged`] without an executor.
///
/// ```
/// use rolecall::blocking::Authorizer;
///
/// let acme = Authorizer::in_memory().create_tenant("acme", "Acme")?;
/// let staged = acme.stage(|tx| tx.create_user("alice")?.done())?;
/// staged.rolled_back();
/// assert!(acme.now().user("alice").is_none());
/// # Ok::<(), rolecall::Error>(())
/// ```
#[must_use = "finish it: if it is dropped after `commit`, its commit is in doubt"]
pub struct Staged<T> {
    staged: authorizer::Staged<T>,
    runtime: Option<Arc<dyn Runtime>>,
}

impl<T> Staged<T> {
    pub(super) fn new(staged: authorizer::Staged<T>, runtime: Option<Arc<dyn Runtime>>) -> Self {
        Self { staged, runtime }
    }

    /// See [`crate::authorizer::Staged::commit`].
    pub fn commit(&self) -> Commit<'_> {
        self.staged.commit()
    }

    /// See [`crate::authorizer::Staged::value`].
    pub fn value(&self) -> &T {
        self.staged.value()
    }

    /// See [`crate::authorizer::Staged::plan`].
    pub fn plan(&self) -> &Plan {
        self.staged.plan()
    }

    /// See [`crate::authorizer::Staged::finish`].
    ///
    /// # Errors
    /// The same.
    pub fn finish(self) -> Result<Updated<T>> {
        wait(self.runtime.as_ref(), self.staged.finish())
    }

    /// See [`crate::authorizer::Staged::rolled_back`].
    pub fn rolled_back(self) {
        self.staged.rolled_back();
    }
}

impl<T> fmt::Debug for Staged<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.staged.fmt(f)
    }
}
