//! Says more about a permission that is unknown: renamed by the catalog, or a pattern.

use super::{Decision, Reason};
use crate::model::error::{Asked, EntityKind};
use crate::model::records::Pattern;
use crate::resolver::snapshot::CompiledTenant;
use crate::resolver::suggestions::renamed_to;

/// Replaces [`Reason::UnknownPermission`] by a reason that says more, if there is one.
pub(crate) fn refine(snapshot: &CompiledTenant, decision: Decision, permission: &Asked) -> Decision {
    let (Decision::Denied(Reason::UnknownPermission), Some(slug)) = (decision, permission.name()) else {
        return decision;
    };
    if renamed_to(&snapshot.catalog.definition, EntityKind::Permission, slug).is_some() {
        Decision::Denied(Reason::PermissionRenamed)
    } else if Pattern::is_meant(slug) {
        Decision::Denied(Reason::PatternAsked)
    } else {
        decision
    }
}
