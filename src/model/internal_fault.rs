//! A broken internal invariant is never silent: what must hold and does not stops the commit, or the tenant.
//!
//! The lints forbid panics, so code that looks up what must exist has an arm for *it does not*. Such an arm must not do
//! nothing: a lost write may be a lost revocation. It goes through [`must`] or [`must_hold`] instead:
//!
//! - in a debug build, the assertion fails at once;
//! - in a release build, the fault is noted beside the write. [`watch`] is around every write to a snapshot, and turns a
//!   noted fault into an error. A plan then fails with [`ErrorKind::Internal`] and commits nothing. A snapshot that was
//!   loaded or advanced is not published: the tenant leaves service, and every check on it is denied;
//! - outside of a write, in a question, the miss denies or leaves out, as deny is the default.
//!
//! The note is kept by thread because a write never changes its thread and awaits nothing. So the persistent tables need
//! neither a flag in each clone nor a `Result` through twenty signatures, and a hit costs one test that was there before.
//!
//! Deliberately absent: what outside data can break. That is a `Violation` (`invariants.rs`).

use std::cell::Cell;

use super::error::{Error, ErrorKind};

/// An internal invariant that is broken: which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternalFault(pub(crate) &'static str);

#[derive(Clone, Copy)]
enum Note {
    /// No write is under way.
    Unwatched,
    Intact,
    Broken(InternalFault),
}

thread_local! {
    static NOTE: Cell<Note> = const { Cell::new(Note::Unwatched) };
}

/// What must be there. If it is not, the fault is noted, and the caller leaves its work undone.
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

/// What must be true.
#[inline]
pub(crate) fn must_hold(holds: bool, what: &'static str) -> bool {
    must(holds.then_some(()), what).is_some()
}

/// An arm that nothing leads to.
#[cold]
#[inline(never)]
pub(crate) fn broken(what: &'static str) {
    // What follows from a fault that is noted already, an injected one perhaps, is none of its own.
    debug_assert!(matches!(NOTE.get(), Note::Broken(_)), "broken invariant: {what}");
    note(what);
}

/// The first fault of a write is kept.
fn note(what: &'static str) {
    if matches!(NOTE.get(), Note::Intact) {
        NOTE.set(Note::Broken(InternalFault(what)));
    }
}

/// Runs a write, and returns the first fault that was noted in it instead of its result.
pub(crate) fn watch<T>(write: impl FnOnce() -> T) -> Result<T, InternalFault> {
    let outer = NOTE.replace(Note::Intact);
    let value = write();
    match NOTE.replace(outer) {
        Note::Broken(fault) => Err(fault),
        Note::Intact | Note::Unwatched => Ok(value),
    }
}

impl InternalFault {
    /// The error, with what has come of the fault.
    pub(crate) fn error(self, consequence: &str) -> Error {
        Error::new(ErrorKind::Internal).reason(format!("{}; {consequence}", self.0))
    }
}

/// The fault of a plan.
impl From<InternalFault> for Error {
    fn from(fault: InternalFault) -> Self {
        fault.error("nothing was committed")
    }
}

/// Makes a lookup miss that must hit, without the assertion.
#[cfg(test)]
pub(crate) mod injection {
    use std::cell::Cell;

    thread_local! {
        static NEXT: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
    }

    /// On this thread, the `n`th use of this invariant from here on finds it broken; the first is number 1.
    pub(crate) fn fail_nth(what: &'static str, n: u32) {
        NEXT.set(Some((what, n)));
    }

    /// Whether the injected fault has not come yet.
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
    fn the_first_fault_of_a_write_is_returned_and_the_next_write_begins_anew() {
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
