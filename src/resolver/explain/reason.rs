//! Why a check is denied: the reason, and what would grant the permission.

use std::cmp::Reverse;

use super::paths::{self, Access};
use super::{Decision, Explanation, GrantingGroup, GrantingRole, Reason, unknown};
use crate::model::clock::When;
use crate::model::error::{Asked, EntityKind, Suggestions};
use crate::model::internal_fault::must;
use crate::model::records::{Timestamp, Window};
use crate::resolver::bits::Bits;
use crate::resolver::check::allows;
use crate::resolver::snapshot::conflicts::both;
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::source::Source;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Row, Table};
use crate::resolver::snapshot::{Availability, CompiledTenant, SlugConflict, reverse};

pub(crate) const MOST_HOLDERS: usize = 32;

/// The decision. `user` and `permission` are numbers, or `None` for unknown names.
pub(crate) fn decide(
    snapshot: &CompiledTenant,
    user: Option<u32>,
    permission: Option<u32>,
    when: &When<'_>,
) -> Decision {
    if let Some(reason) = unavailable_reason(snapshot.availability) {
        return Decision::Denied(reason);
    }
    let Some(user) = user else { return Decision::Denied(Reason::UnknownUser) };
    let permissions = &snapshot.state.permissions;
    let Some((permission, row)) = permission.and_then(|n| permissions.row(n).map(|row| (n, row))) else {
        return Decision::Denied(Reason::UnknownPermission);
    };
    if row.in_conflict {
        return Decision::Denied(Reason::CatalogConflict);
    }
    if !row.is_grantable() {
        return Decision::Denied(Reason::UnknownPermission);
    }
    if allows(&snapshot.state, user, permission, when) {
        return Decision::Allowed;
    }
    Decision::Denied(denied(&snapshot.state, user, permission, when))
}

/// Why a snapshot is unavailable, or `None` if it is available.
pub(crate) fn unavailable_reason(availability: Availability) -> Option<Reason> {
    match availability {
        Availability::Serving => None,
        Availability::Unconfirmed => Some(Reason::Unconfirmed),
        Availability::InDoubt => Some(Reason::InDoubt),
        Availability::InvalidContent => Some(Reason::InvalidStoreContent),
        Availability::Broken => Some(Reason::InternalError),
        Availability::Closed => Some(Reason::Closed),
        Availability::Deleted => Some(Reason::Deleted),
    }
}

/// The reason for a denial of a known user and permission.
fn denied(state: &State, user: u32, permission: u32, when: &When<'_>) -> Reason {
    let Some(row) = state.users.row(user) else { return Reason::UnknownUser };
    if row.is_suspended() {
        return Reason::Suspended;
    }
    let instants = match paths::access(state, row, permission) {
        Access::Never => return Reason::NoPath,
        Access::During(instants) if instants.is_empty() => return Reason::NeverActive,
        Access::During(instants) => instants,
        Access::Unknown(_) => return Reason::OutsideWindows,
    };
    // Access that is still to begin is reported before access that has ended; of each, the nearest.
    let at = when.instant();
    match (instants.next_change(at), instants.last_end(at)) {
        (Some(from), _) => Reason::NotYetActive { from },
        (None, Some(until)) => Reason::Expired { until },
        (None, None) => Reason::NoPath,
    }
}

pub(crate) fn explain(
    snapshot: &CompiledTenant,
    (user, user_text): (Option<u32>, Asked),
    (permission, permission_text): (Option<u32>, Asked),
    when: &When<'_>,
) -> Explanation {
    let decision = decide(snapshot, user, permission, when);
    let decision = unknown::refine(snapshot, decision, || user_text.clone(), || permission_text.clone());
    let mut explanation = Explanation {
        user: user.and_then(|n| snapshot.state.users.row(n)).map_or(user_text, |row| Asked::from(row.key().as_str())),
        permission: permission
            .and_then(|n| snapshot.state.permissions.row(n))
            .map_or(permission_text, |row| Asked::from(row.record.slug.as_str())),
        decision,
        paths: Vec::new(),
        more_paths: false,
        never_active: None,
        suggestions: Suggestions::default(),
        conflict: None,
        roles: Vec::new(),
        groups: Vec::new(),
        more_holders: false,
    };
    let state = &snapshot.state;
    match (decision, user.and_then(|n| state.users.row(n)), permission) {
        (Decision::Allowed, Some(row), Some(permission)) => {
            let found = paths::active(state, row, permission, when);
            (explanation.paths, explanation.more_paths) = (found.paths, found.more);
        }
        (
            Decision::Denied(
                Reason::UnknownPermission | Reason::PermissionRenamed | Reason::PatternAsked | Reason::UuidAsSlug,
            ),
            ..,
        ) => {
            explanation.suggestions = snapshot.suggestions(EntityKind::Permission);
        }
        (Decision::Denied(Reason::UnknownUser | Reason::UuidAsKey), ..) => {
            explanation.suggestions = snapshot.suggestions(EntityKind::User);
        }
        (Decision::Denied(Reason::CatalogConflict), _, Some(permission)) => {
            explanation.conflict = conflict(state, permission);
        }
        (
            Decision::Denied(
                Reason::NeverActive
                | Reason::Expired { .. }
                | Reason::NotYetActive { .. }
                | Reason::NoPath
                | Reason::OutsideWindows,
            ),
            Some(row),
            Some(permission),
        ) => {
            let mut found = paths::at_any_time(state, row, permission);
            found.paths.sort_by_cached_key(|path| nearness(path.window(), when.instant()));
            (explanation.paths, explanation.more_paths) = (found.paths, found.more);
            if decision == Decision::Denied(Reason::NeverActive) {
                explanation.never_active = paths::ignoring_windows(state, row, permission);
            }
            holders(state, row, permission, when, &mut explanation);
        }
        _ => {}
    }
    explanation
}

/// The order of paths that are not active at an instant: first those that begin later, the next one first, then those that
/// have ended, the last one first.
fn nearness(window: Window, instant: Timestamp) -> (bool, Option<Timestamp>, Reverse<Option<Timestamp>>) {
    match window.start().filter(|start| *start > instant) {
        Some(start) => (false, Some(start), Reverse(None)),
        None => (true, None, Reverse(window.end())),
    }
}

/// Returns both permissions with one slug, and what to do about it.
fn conflict(state: &State, permission: u32) -> Option<(SlugConflict, String)> {
    let slug = &state.permissions.row(permission)?.record.slug;
    let conflict = must(both(&state.permissions, slug), "a slug in conflict belongs to two")?;
    let advice = format!("rename or delete the tenant's own by its id, {}", conflict.own);
    Some((conflict, advice))
}

/// Finds the roles and groups that would grant it, and that the user does not have already.
fn holders(state: &State, user: &UserRow, permission: u32, when: &When<'_>, explanation: &mut Explanation) {
    // Adding a relation that has ended replaces it (R3).
    let has = |edges: Edges<'_>, to| edges.get(to).is_some_and(|edge| !edge.window.has_ended(when.instant()));
    let roles_free = |number| !has(user.roles(), number);
    let groups_free = |number| !has(user.groups(), number);
    // Where many give it, the first by name are found without the others.
    let count = if state.columns.are_complete() { state.columns.count_with(permission) } else { 0 };
    let many = Some(2 * count).filter(|_| count > MANY);
    let gives = |source| state.columns.column(source).is_some_and(|column| state.columns.has(column, permission));
    let roles = many.and_then(|most| walked(&state.roles, most, |n| gives(Source::Role(n)) && roles_free(n)));
    let groups = many.and_then(|most| walked(&state.groups, most, |n| gives(Source::Group(n)) && groups_free(n)));
    let ((roles, more_roles), (groups, more_groups)) = if let (Some(roles), Some(groups)) = (roles, groups) {
        (roles, groups)
    } else {
        let (roles, groups) = reverse::sources_giving(state, permission, when);
        (first(&state.roles, &roles, roles_free), first(&state.groups, &groups, groups_free))
    };
    explanation.roles = roles.into_iter().map(GrantingRole::of).collect();
    explanation.roles.sort_unstable();
    explanation.groups = groups
        .into_iter()
        .map(|row| GrantingGroup {
            slug: row.record.slug.clone(),
            id: row.record.id,
            managed_by: row.record.managed_by().cloned(),
        })
        .collect();
    explanation.groups.sort_unstable();
    explanation.more_holders = more_roles || more_groups;
    explanation.roles.truncate(MOST_HOLDERS);
    explanation.groups.truncate(MOST_HOLDERS);
}

/// If more give it, they are not collected first. The tests of this crate's modules have fewer.
const MANY: usize = if cfg!(test) { 3 } else { 8 * MOST_HOLDERS };

/// Passing this many entities in the order of their names takes as long as reading and sorting one name.
const STEPS: usize = if cfg!(test) { 1 } else { 16 };

/// The first entities by name, and whether there are more than are listed. It has one more than are listed: two entities can
/// have the same name, and then the order of their ids decides.
type First<'a, R> = (Vec<&'a R>, bool);

/// The first entities by name for which this is true. `None` if that takes more than `most` steps.
fn walked<R: Row>(table: &Table<R>, most: usize, is_one: impl Fn(u32) -> bool) -> Option<First<'_, R>> {
    let mut found = Vec::with_capacity(MOST_HOLDERS + 1);
    for (step, number) in table.sorted().enumerate() {
        if step == most {
            return None;
        }
        if is_one(number) {
            found.extend(table.row(number));
            if found.len() > MOST_HOLDERS {
                return Some((found, true));
            }
        }
    }
    Some((found, false))
}

/// The first of these entities by name.
fn first<'a, R: Row>(table: &'a Table<R>, numbers: &Bits, is_free: impl Fn(u32) -> bool) -> First<'a, R> {
    if let Some(found) = walked(table, STEPS * numbers.len(), |n| numbers.contains(n) && is_free(n)) {
        return found;
    }
    let mut found: Vec<_> = numbers.iter().filter(|n| is_free(*n)).map(|n| (table.name_at(n), n)).collect();
    let more = found.len() > MOST_HOLDERS;
    if more {
        found.select_nth_unstable(MOST_HOLDERS);
        found.truncate(MOST_HOLDERS + 1);
    }
    found.sort_unstable();
    (found.into_iter().filter_map(|(_, n)| table.row(n)).collect(), more)
}
