//! **The decision.** May this user do this, at this instant? The whole of it, for every form of question.
//!
//! Deny is the default: whatever is not found to be allowed is denied. Where a row cannot tell, the plain walk does
//! (`snapshot/walk.rs`); what rows promise is I7 and I8.

use crate::model::clock::When;
use crate::resolver::snapshot::indexed_user::IndexedUser;
use crate::resolver::snapshot::names::sealed::Found;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::user_summary::Form;
use crate::resolver::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that stand for nothing are denied.
///
/// # Complexity
/// Seven words read and one bit tested, where all kept rows are exact and all that the user holds always counts;
/// otherwise O(sources of the user) for what is allowed, or O(groups and roles walked).
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

/// The same for a user that was found: by its card, where that says all.
#[inline]
pub(crate) fn allows_found(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.indexed.and_then(IndexedUser::columns) {
        Some(columns) if state.columns.are_complete() => state.columns.any(columns, permission),
        _ => allows(state, user.number, permission, when),
    }
}

/// What a user holds in windows or beyond the brief, row by row; and a walk where a row is not exact.
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
