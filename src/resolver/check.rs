//! **The decision.** May this user do this, at this instant? Every form of the question ends here.
//!
//! Deny is the default: a check is denied unless something allows it. Where a cached row is not enough, the plain walk
//! decides (`snapshot/walk.rs`). Invariants I7 and I8 state what cached rows guarantee.

use crate::model::clock::When;
use crate::model::internal_fault::must;
use crate::model::records::Window;
use crate::resolver::snapshot::columns::{CHUNK, USUAL};
use crate::resolver::snapshot::index_entry::EntryRef;
use crate::resolver::snapshot::names::found::{Found, FoundBy, FoundUsual, FoundUsualBy};
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::user_summaries::{Summary, Windowed};
use crate::resolver::snapshot::walk;

/// Whether a user may do something at an instant. Numbers that are not in use are denied.
///
/// # Complexity
/// One word read for each source of the user, and one bit tested. A window is read only if its source has the
/// permission. If a source of the user gives something only at some instants, and may give this permission: O(groups
/// and roles walked).
#[inline]
pub(crate) fn allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    match state.summaries.summary(user) {
        Summary::Always(columns) => allowed_by(state, columns, permission, when),
        Summary::Windowed(held) => windowed_allows(state, held, permission, when),
        Summary::Wide => wide_allows(state, user, permission, when),
        Summary::Nothing => false,
    }
}

/// The same for a user that was found. Uses the user's index entry as far as it decides.
#[inline]
pub(crate) fn allows_found(state: &State, user: Found<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.0 {
        FoundBy::Entry(entry) => allows_indexed(state, entry, permission, when),
        FoundBy::Number(number) => allows(state, number, permission, when),
    }
}

/// The same, unless index entries are wide. Separate, since `allows_found` takes a tenth more instructions.
#[inline]
pub(crate) fn allows_usual(state: &State, user: FoundUsual<'_>, permission: u32, when: &When<'_>) -> bool {
    match user.0 {
        FoundUsualBy::Entry(user) => allows_indexed(state, EntryRef::half_line(user), permission, when),
        FoundUsualBy::Number(number) => allows(state, number, permission, when),
    }
}

/// The same for an index entry.
#[inline]
fn allows_indexed(state: &State, user: EntryRef<'_>, permission: u32, when: &When<'_>) -> bool {
    if let Some((first, complete)) = user.always() {
        let mut given = state.columns.any_of_usual(first, permission);
        let ends_in_first = first[USUAL - 1] == 0;
        // One branch for both, as below.
        if user.has_parts() && !(given | ends_in_first) {
            given = state.columns.any_of_chunks(false, user.chunks_after(first), permission);
        }
        // One branch for both, because neither can be predicted where many users are in many groups.
        if given | complete {
            // Few sources are incomplete, so this branch is predicted. A branch on the answer would not be.
            if !complete || !state.columns.any_incomplete(user.columns_from(first)) {
                return given;
            }
            return given || beyond(state, user.columns_from(first).copied(), permission, when);
        }
    } else if let Some(decided) = decided_by(state, user, permission, when) {
        return decided;
    }
    allows(state, user.number(), permission, when)
}

/// The answer, if the index entry of a user with windows has it.
#[inline]
fn decided_by(state: &State, user: EntryRef<'_>, permission: u32, when: &When<'_>) -> Option<bool> {
    if let Some((first, steady)) = user.steady() {
        if state.columns.any_incomplete(user.columns_from(first)) {
            return None;
        }
        let given = given_bits(state, first, user, permission);
        return if given == 0 { Some(false) } else { steady.active(when.instant()).map(|active| given & active != 0) };
    }
    let (first, windowed) = user.windowed()?;
    // Most questions need no window: something that is always held gives the permission, or nothing does.
    let given = given_bits(state, first, user, permission);
    if given & !windowed != 0 {
        return Some(true);
    }
    let complete = || !state.columns.any_incomplete(user.columns_from(first));
    (given == 0 && complete()).then_some(false)
}

/// Returns a bit for each of these columns of a user, and of those behind them: whether it has the permission.
#[inline]
fn given_bits<const N: usize>(state: &State, first: &[u16; N], user: EntryRef<'_>, permission: u32) -> u64 {
    let mut given = state.columns.given(first, permission);
    for (at, chunk) in (N..).step_by(CHUNK).zip(user.chunks_after(first)) {
        given |= state.columns.given(chunk, permission) << at;
    }
    given
}

/// Whether one of these columns, which are active at every instant, gives a permission.
#[inline]
fn allowed_by(state: &State, columns: &[u16], permission: u32, when: &When<'_>) -> bool {
    let given = state.columns.any_of(columns, permission);
    // Few sources are incomplete, so this branch is predicted. A branch on the answer would not be.
    if !state.columns.any_incomplete(columns) {
        return given;
    }
    given || beyond(state, columns.iter().copied(), permission, when)
}

/// The same for a user who holds some of its columns within windows. A window is read only if its column has the
/// permission.
fn windowed_allows(state: &State, held: Windowed<'_>, permission: u32, when: &When<'_>) -> bool {
    let columns = &state.columns;
    if columns.any_of(held.columns(), permission) {
        let given = |column: &u16| columns.has(u32::from(*column), permission);
        if held.always().iter().any(given) {
            return true;
        }
        let active = |window: Window| window.contains(when.instant());
        if held.windowed().fold(false, |any, (column, window)| any | (given(&column) && active(window))) {
            return true;
        }
    }
    columns.any_incomplete(held.columns()) && beyond(state, held.active(when), permission, when)
}

/// The same for a user whose summary does not say what it holds.
#[cold]
fn wide_allows(state: &State, user: u32, permission: u32, when: &When<'_>) -> bool {
    let Some(row) = must(state.users.row(user), "a user with a summary has a row") else { return false };
    let active = row.sources().filter(|(_, edge)| walk::is_active(*edge, when)).map(|(source, _)| source);
    walk::reaches(state, active, permission, when)
}

/// Whether the incomplete ones of these columns give a permission that no column has.
fn beyond(state: &State, columns: impl Iterator<Item = u16>, permission: u32, when: &When<'_>) -> bool {
    let incomplete = columns.map(u32::from).filter(|column| state.columns.is_incomplete(*column));
    let sources = incomplete.filter_map(|column| state.columns.source(column));
    walk::reaches(state, sources, permission, when)
}
