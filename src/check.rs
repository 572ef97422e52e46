//! **The decision.** May this user do this, at this instant? The whole of it, for every form of question.
//!
//! Deny is the default: whatever is not found to be allowed is denied. Where a row cannot tell, the plain walk does
//! (`snapshot/walk.rs`); what rows promise is I7 and I8.

use crate::clock::When;
use crate::snapshot::state::{Form, State};
use crate::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that stand for nothing are denied.
///
/// # Complexity
/// O(sources of the user), one table look-up and one bit test each, where all rows are kept and no window is met;
/// otherwise O(groups and roles walked).
#[inline]
pub(crate) fn allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(brief) = state.briefs.get(user) else { return false };
    match brief.form {
        Form::Absent | Form::Suspended => false,
        Form::Plain => {
            let mut settled = true;
            for source in brief.sources() {
                match state.kept(source) {
                    Some(kept) if kept.row.contains(permission) => return true,
                    Some(kept) => settled &= kept.exact,
                    None => settled = false,
                }
            }
            !settled && allows_walked(state, user, permission, when)
        }
        Form::Long => allows_walked(state, user, permission, when),
    }
}

fn allows_walked(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    state.users.row(user).is_some_and(|row| walk::reaches(state, row, permission, when))
}
