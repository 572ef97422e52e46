//! Why a check is denied: the reason, and what would grant the permission.

use super::paths::{self, Access};
use super::{Decision, Explanation, Reason, unknown};
use crate::model::clock::When;
use crate::model::error::{Asked, EntityKind, Suggestions};
use crate::model::records::Slug;
use crate::resolver::bits::Bits;
use crate::resolver::check::allows;
use crate::resolver::snapshot::state::State;
use crate::resolver::snapshot::table::{Row, Table};
use crate::resolver::snapshot::{Availability, CompiledTenant, reverse};

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
        Access::During(instants) if instants.is_empty() => return Reason::NoPath,
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
        suggestions: Suggestions::default(),
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
        (
            Decision::Denied(
                Reason::Expired { .. } | Reason::NotYetActive { .. } | Reason::NoPath | Reason::OutsideWindows,
            ),
            Some(row),
            Some(permission),
        ) => {
            let found = paths::at_any_time(state, row, permission);
            (explanation.paths, explanation.more_paths) = (found.paths, found.more);
            holders(state, permission, when, &mut explanation);
        }
        _ => {}
    }
    explanation
}

/// Finds the roles and groups that would grant it.
fn holders(state: &State, permission: u32, when: &When<'_>, explanation: &mut Explanation) {
    let (roles, groups) = reverse::sources_giving(state, permission, when);
    let (roles, more_roles) = first(&state.roles, &roles, |row| &row.record.slug);
    let (groups, more_groups) = first(&state.groups, &groups, |row| &row.record.slug);
    explanation.more_holders = more_roles || more_groups;
    (explanation.roles, explanation.groups) = (roles, groups);
}

/// The first slugs of these entities, and whether there are more. If there are many, it is fastest to look for them in the
/// order of names.
fn first<R: Row>(table: &Table<R>, numbers: &Bits, slug: impl Fn(&R) -> &Slug) -> (Vec<Slug>, bool) {
    const MANY: usize = 8 * MOST_HOLDERS;
    let slug = |n: u32| table.row(n).map(&slug);
    let mut slugs: Vec<&Slug> = if numbers.len() > MANY {
        table.sorted().filter(|n| numbers.contains(*n)).filter_map(slug).take(MOST_HOLDERS + 1).collect()
    } else {
        numbers.iter().filter_map(slug).collect()
    };
    slugs.sort_unstable();
    let more = slugs.len() > MOST_HOLDERS;
    (slugs.into_iter().take(MOST_HOLDERS).cloned().collect(), more)
}
