//! Why a check is denied: the reason, and what would grant the permission.

use super::paths::{self, Access};
use super::{Decision, Explanation, GrantingGroup, GrantingRole, Reason, unknown};
use crate::model::clock::When;
use crate::model::error::{Asked, EntityKind, Suggestions};
use crate::model::internal_fault::must;
use crate::resolver::check::allows;
use crate::resolver::snapshot::conflicts::both;
use crate::resolver::snapshot::edges::Edges;
use crate::resolver::snapshot::entity_rows::UserRow;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::Row as _;
use crate::resolver::snapshot::{Availability, CompiledTenant, SlugConflict, reverse};

const MOST_HOLDERS: usize = 32;

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
        (Decision::Denied(Reason::UnknownPermission), ..) => {
            explanation.decision = unknown::refine(snapshot, decision, &explanation.permission);
            explanation.suggestions = snapshot.suggestions(EntityKind::Permission);
        }
        (Decision::Denied(Reason::UnknownUser), ..) => {
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
            let found = paths::at_any_time(state, row, permission);
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

/// Returns both permissions with one slug, and what to do about it.
fn conflict(state: &State, permission: u32) -> Option<(SlugConflict, String)> {
    let slug = &state.permissions.row(permission)?.record.slug;
    let conflict = must(both(&state.permissions, slug), "a slug in conflict belongs to two")?;
    let advice = format!("rename or delete the tenant's own by its id, {}", conflict.own);
    Some((conflict, advice))
}

/// Finds the roles and groups that would grant it, and that the user does not have already.
fn holders(state: &State, user: &UserRow, permission: u32, when: &When<'_>, explanation: &mut Explanation) {
    let roles = reverse::roles_giving(state, permission);
    let groups = reverse::groups_having(state, &roles, when);
    // Adding what has ended replaces it (R3).
    let has = |edges: Edges<'_>, to| edges.get(to).is_some_and(|edge| !edge.window.has_ended(when.instant()));
    let free = roles.iter().filter(|role| !has(user.roles(), *role)).filter_map(|n| state.roles.row(n));
    explanation.roles = free
        .map(|row| GrantingRole {
            slug: row.record.slug.clone(),
            origin: row.origin(),
            in_conflict: row.is_in_conflict(),
            id: row.record.id,
        })
        .collect();
    explanation.roles.sort_unstable();
    let free = groups.iter().filter(|group| !has(user.groups(), *group)).filter_map(|n| state.groups.row(n));
    explanation.groups = free
        .map(|row| GrantingGroup {
            slug: row.record.slug.clone(),
            id: row.record.id,
            managed_by: row.record.managed_by().cloned(),
        })
        .collect();
    explanation.groups.sort_unstable();
    explanation.more_holders = explanation.roles.len() > MOST_HOLDERS || explanation.groups.len() > MOST_HOLDERS;
    explanation.roles.truncate(MOST_HOLDERS);
    explanation.groups.truncate(MOST_HOLDERS);
}
