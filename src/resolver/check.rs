//! **The decision.** May this user do this, at this instant? Every form of the question ends here.
//!
//! Deny is the default: a check is denied unless something allows it. Where a cached row is not enough, the plain walk
//! decides (`snapshot/walk.rs`). Invariants I7 and I8 state what cached rows guarantee.

use crate::model::clock::When;
use crate::resolver::snapshot::indexed_user::IndexedUser;
use crate::resolver::snapshot::names::sealed::Found;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::user_summary::{Held, UserSummary};
use crate::resolver::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that are not in use are denied.
///
/// # Complexity
/// One word read for each source of the user, and one bit tested. A window is read only if its source has the permission.
/// If a source of the user gives something only at some instants, and may give this permission: O(groups and roles walked).
#[inline]
pub(crate) fn allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    match state.summaries.get(user) {
        Some(UserSummary::Short(columns)) => allowed_by(state, columns, permission, when),
        Some(UserSummary::Long(held)) => held_allows(state, held, permission, when),
        Some(UserSummary::Absent | UserSummary::Suspended) | None => false,
    }
}

/// The same for a user that was found. Uses the user's index entry if that is complete.
#[inline]
pub(crate) fn allows_found(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.indexed.and_then(IndexedUser::columns) {
        Some(columns) => allowed_by(state, columns, permission, when),
        None => allows(state, user.number, permission, when),
    }
}

/// Whether one of these columns, which are active at every instant, gives a permission.
#[inline]
fn allowed_by<const N: usize>(state: &State, columns: &[u16; N], permission: u32, when: &When<'_>) -> bool {
    // Few sources are open, so this branch is predicted. A branch on the answer would not be.
    if !state.columns.any_open(columns) {
        return state.columns.any(columns, permission);
    }
    state.columns.any(columns, permission) || beyond(state, columns.iter().copied().map(u32::from), permission, when)
}

/// The same for a user whose summary is long.
fn held_allows(state: &State, held: &Held, permission: u32, when: &When<'_>) -> bool {
    let columns = &state.columns;
    if columns.any_of(&held.always, permission) {
        return true;
    }
    let mut given = held.windowed.iter().filter(|(_, column)| columns.has(*column, permission));
    if given.any(|(window, _)| window.contains(when.instant())) {
        return true;
    }
    if columns.are_closed() {
        return false;
    }
    let open = |column: &&u32| columns.is_open(**column);
    let always = held.always.iter().filter(open).copied();
    let windowed = held.windowed.iter().map(|(window, column)| (column, window)).filter(|(column, _)| open(column));
    let active = windowed.filter(|(_, window)| window.contains(when.instant())).map(|(column, _)| *column);
    beyond(state, always.chain(active), permission, when)
}

/// Whether the open ones of these columns give a permission that no column has: at this instant, but not at every one.
fn beyond(state: &State, columns: impl Iterator<Item = u32>, permission: u32, when: &When<'_>) -> bool {
    let open = columns.filter(|column| state.columns.is_open(*column));
    let sources = open.filter_map(|column| state.columns.source(column));
    walk::reaches(state, sources, permission, when)
}
