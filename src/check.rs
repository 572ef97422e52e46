//! **The decision.** May this user do this, at this instant? The whole of it, for every form of question.
//!
//! Deny is the default: whatever is not found to be allowed is denied. Where a row cannot tell, the plain walk does
//! (`snapshot/walk.rs`); what rows promise is I7 and I8.

use crate::clock::When;
use crate::snapshot::brief::Form;
use crate::snapshot::card::Card;
use crate::snapshot::names::sealed::Found;
use crate::snapshot::state::State;
use crate::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that stand for nothing are denied.
///
/// # Complexity
/// Seven words read and one bit tested, where all kept rows are exact and all that the user holds always counts;
/// otherwise O(sources of the user) for what is allowed, or O(groups and roles walked).
#[inline]
pub(crate) fn allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(brief) = state.briefs.get(user) else { return false };
    match brief.form {
        Form::Plain if state.columns.are_exact() => state.columns.any(&brief.columns, permission),
        Form::Plain | Form::Long => {
            state.columns.any(&brief.columns, permission) || beyond_the_brief(state, user, permission, when)
        }
        Form::Absent | Form::Suspended => false,
    }
}

/// The same for a user that was found: by its card, where that says all.
#[inline]
pub(crate) fn allows_found(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.card.and_then(Card::columns) {
        Some(columns) if state.columns.are_exact() => state.columns.any(columns, permission),
        _ => allows(state, user.number, permission, when),
    }
}

/// What a user holds in windows or beyond the brief, row by row; and a walk where a row is not exact.
fn beyond_the_brief(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(row) = state.users.row(user) else { return false };
    let mut settled = true;
    for (source, _) in row.sources().filter(|(_, edge)| walk::counts(*edge, when)) {
        match state.kept(source) {
            Some(kept) if kept.row.contains(permission) => return true,
            Some(kept) => settled &= kept.exact,
            None => settled = false,
        }
    }
    !settled && walk::reaches(state, row, permission, when)
}
