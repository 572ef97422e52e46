//! Says more about a user or permission that is unknown: an id passed as text, a slug that the catalog has renamed, or a
//! pattern.

use super::{Decision, Reason};
use crate::model::error::{Asked, EntityKind};
use crate::model::records::Pattern;
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::suggestions::{history, is_uuid, renamed_to};

/// Replaces [`Reason::UnknownUser`] and [`Reason::UnknownPermission`] by a reason that says more, if there is one. The
/// text is only built for these two.
pub(crate) fn refine(
    snapshot: &CompiledTenant,
    decision: Decision,
    user: impl FnOnce() -> Asked,
    permission: impl FnOnce() -> Asked,
) -> Decision {
    match decision {
        Decision::Denied(Reason::UnknownUser) if user().name().is_some_and(is_uuid) => {
            Decision::Denied(Reason::UuidAsKey)
        }
        Decision::Denied(Reason::UnknownPermission) => Decision::Denied(refine_permission(snapshot, &permission())),
        _ => decision,
    }
}

fn refine_permission(snapshot: &CompiledTenant, permission: &Asked) -> Reason {
    let Some(slug) = permission.name() else { return Reason::UnknownPermission };
    if renamed_to(&snapshot.catalog.definition, EntityKind::Permission, slug).is_some() {
        Reason::PermissionRenamed
    } else if Pattern::is_meant(slug) {
        Reason::PatternAsked
    } else if is_uuid(slug) && !is_removed(snapshot, slug) {
        Reason::UuidAsSlug
    } else {
        Reason::UnknownPermission
    }
}

/// Whether a permission with this slug was removed from the catalog: the slug was not meant as an id then.
fn is_removed(snapshot: &CompiledTenant, slug: &str) -> bool {
    let retired = history(&snapshot.catalog.definition, EntityKind::Permission, slug).is_some();
    retired || snapshot.state.permissions.by_name(slug).is_some()
}
