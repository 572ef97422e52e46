//! **The decision.** May this user do this, at this instant? Every form of the question ends here.
//!
//! Deny is the default: a check is denied unless something allows it. Where a cached row is not enough, the plain walk
//! decides (`snapshot/walk.rs`). Invariants I7 and I8 state what cached rows guarantee.

use crate::model::clock::When;
use crate::resolver::snapshot::indexed_user::IndexedUser;
use crate::resolver::snapshot::names::sealed::Found;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::user_summary::Form;
use crate::resolver::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that are not in use are denied.
///
/// # Complexity
/// Seven words read and one bit tested, if all cached rows are complete and everything that the user holds is always
/// active. Otherwise O(sources of the user) if allowed, or O(groups and roles walked).
#[inline]
pub(crate) fn allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(summary) = state.summaries.get(user) else { return false };
    match summary.form {
        Form::Plain if state.columns.are_complete() => state.columns.any(&summary.columns, permission),
        Form::Plain | Form::Long => {
            state.columns.any(&summary.columns, permission) || check_rows(state, user, permission, when)
        }
        Form::Absent | Form::Suspended => false,
    }
}

/// The same for a user that was found. Uses the user's index entry if that is complete.
#[inline]
pub(crate) fn allows_found(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.indexed.and_then(IndexedUser::columns) {
        Some(columns) if state.columns.are_complete() => state.columns.any(columns, permission),
        _ => allows(state, user.number, permission, when),
    }
}

/// Checks, row by row, the sources that the user's summary omits: those with a window and those that do not fit. Walks
/// if a row is not complete.
fn check_rows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(row) = state.users.row(user) else { return false };
    let mut resolved = true;
    for (source, _) in row.sources().filter(|(_, edge)| walk::is_active(*edge, when)) {
        match state.cached_row(source) {
            Some(cached) if cached.row.contains(permission) => return true,
            Some(cached) => resolved &= cached.complete,
            None => resolved = false,
        }
    }
    !resolved && walk::reaches(state, row, permission, when)
}
