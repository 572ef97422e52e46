//! Detects updates inside the closure of an update. Such an update would wait for itself.

use std::cell::Cell;

use crate::model::error::{Error, ErrorKind, Result};

thread_local! {
    /// Whether this thread is inside the closure of an update of any tenant.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread until it is dropped, even when a panic unwinds.
pub(super) struct Inside(bool);

impl Inside {
    pub(super) fn enter() -> Self {
        Self(INSIDE.replace(true))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

pub(super) fn reject_nested() -> Result<()> {
    if INSIDE.get() { Err(Error::new(ErrorKind::NestedUpdate)) } else { Ok(()) }
}
