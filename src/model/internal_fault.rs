//! Reports broken internal invariants. A broken invariant stops the commit, or takes the tenant out of service.
//!
//! The lints forbid panics, so code that looks up an entry that must exist also handles its absence. It must not ignore
//! the absence, because a lost write may be a lost revocation. It calls [`must`] or [`must_hold`] instead:
//!
//! - in a debug build, the assertion fails at once;
//! - in a release build, the fault is recorded. [`watch`] runs every write to a snapshot and turns a recorded fault
//!   into an error. A plan then fails with [`ErrorKind::Internal`] and commits nothing. A snapshot that was loaded or
//!   advanced is not published: the tenant is out of service, and every check on it is denied;
//! - in a question, outside of a write, a missing entry is left out. The default is to deny;
//! - in the registry of open tenants, a missing entry is left out, too. A tenant then stays open, or is opened once more.
//!
//! The record is kept per thread, because a write never changes its thread and never awaits. The persistent tables
//! therefore need neither a flag in each clone nor a `Result` in twenty signatures. A lookup that succeeds costs no
//! additional test.
//!
//! Deliberately absent: errors in data from outside. That is a `Violation` (`invariants.rs`).

use std::cell::Cell;
use std::fmt::Display;

use super::error::{Error, ErrorKind};

/// A broken internal invariant, with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternalFault(pub(crate) &'static str);

#[derive(Clone, Copy)]
enum WatchState {
    /// No write is in progress.
    Unwatched,
    Intact,
    Broken(InternalFault),
}

thread_local! {
    static WATCH: Cell<WatchState> = const { Cell::new(WatchState::Unwatched) };
}

/// Returns a value that must be there. If it is missing, records the fault, and the caller skips its work.
#[inline]
pub(crate) fn must<T>(found: Option<T>, what: &'static str) -> Option<T> {
    #[cfg(test)]
    if injection::is_due(what) {
        note(what);
        return None;
    }
    if found.is_none() {
        broken(what);
    }
    found
}

/// Returns a condition that must be true. If it is false, records the fault.
#[inline]
pub(crate) fn must_hold(holds: bool, what: &'static str) -> bool {
    must(holds.then_some(()), what).is_some()
}

/// Records a fault at a place that must not be reached.
#[cold]
#[inline(never)]
pub(crate) fn broken(what: &'static str) {
    // After a first fault, perhaps an injected one, further faults are only its consequences.
    debug_assert!(matches!(WATCH.get(), WatchState::Broken(_)), "broken invariant: {what}");
    note(what);
}

/// Records a fault. Only the first fault of a write is kept.
fn note(what: &'static str) {
    if matches!(WATCH.get(), WatchState::Intact) {
        WATCH.set(WatchState::Broken(InternalFault(what)));
    }
}

/// Runs a write. If it recorded a fault, returns the first one instead of the result.
pub(crate) fn watch<T>(write: impl FnOnce() -> T) -> Result<T, InternalFault> {
    let outer = WATCH.replace(WatchState::Intact);
    let value = write();
    match WATCH.replace(outer) {
        WatchState::Broken(fault) => Err(fault),
        WatchState::Intact | WatchState::Unwatched => Ok(value),
    }
}

impl InternalFault {
    /// Returns the public error, with what broke the invariant and the consequence.
    pub(crate) fn error_by(self, cause: impl Display, consequence: &str) -> Error {
        Error::new(ErrorKind::Internal).reason(format!("{} ({cause}); {consequence}", self.0))
    }

    /// Returns the public error, with the consequence of the fault.
    pub(crate) fn error(self, consequence: &str) -> Error {
        Error::new(ErrorKind::Internal).reason(format!("{}; {consequence}", self.0))
    }
}

/// Converts the fault of a plan.
impl From<InternalFault> for Error {
    fn from(fault: InternalFault) -> Self {
        fault.error("nothing was committed")
    }
}

/// Makes a lookup that must succeed fail, without the assertion.
#[cfg(test)]
pub(crate) mod injection {
    use std::cell::Cell;

    thread_local! {
        static NEXT: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
    }

    /// Makes the `n`th check of this invariant on this thread fail. The first is number 1.
    pub(crate) fn fail_nth(what: &'static str, n: u32) {
        NEXT.set(Some((what, n)));
    }

    /// Whether the injected fault has not occurred yet.
    pub(crate) fn is_armed() -> bool {
        NEXT.get().is_some()
    }

    pub(super) fn is_due(what: &'static str) -> bool {
        match NEXT.get() {
            Some((armed, n)) if armed == what => {
                NEXT.set((n > 1).then_some((armed, n - 1)));
                n <= 1
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_of_a_write_is_returned_and_the_next_write_starts_without_one() {
        injection::fail_nth("a", 2);
        let outcome = watch(|| {
            assert_eq!(must(Some(1), "a"), Some(1));
            assert_eq!(must(Some(2), "a"), None);
            assert_eq!(must(Some(3), "a"), Some(3));
        });
        assert_eq!(outcome, Err(InternalFault("a")));
        assert_eq!(watch(|| must_hold(true, "a")), Ok(true));
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic = "broken invariant: a")]
    fn a_debug_build_stops_at_a_fault() {
        must(None::<u8>, "a");
    }
}
