//! The text of an explanation.

use std::fmt;

use super::{Decision, Explanation, GrantingGroup, GrantingRole, Path, PathStep, Reason};
use crate::model::error::{EntityKind, Quoted};
use crate::model::records::Window;
use crate::resolver::snapshot::table::Origin;

/// The most paths that the text shows. The data contains them all.
const MOST_PATHS_SHOWN: usize = 8;
/// The most steps of one path that the text shows. The data contains them all.
const MOST_SHOWN: usize = 24;

/// Says which of two roles with one slug it is.
fn whose(origin: Origin, in_conflict: bool) -> Option<&'static str> {
    in_conflict.then_some(if origin == Origin::Tenant { "the tenant's role" } else { "the catalog's role" })
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which grants {}", Steps(&self.steps), Quoted(&self.grant))
    }
}

/// The text of the steps from a user to a role.
pub(crate) struct Steps<'a>(pub(crate) &'a [PathStep]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |window: &Window| if window.is_always() { String::new() } else { format!(" ({window})") };
        let hidden = self.0.len().saturating_sub(MOST_SHOWN);
        for (i, link) in self.0.iter().enumerate() {
            if (MOST_SHOWN / 2..MOST_SHOWN / 2 + hidden).contains(&i) {
                if i == MOST_SHOWN / 2 {
                    write!(f, ", … {hidden} more {} …", if hidden == 1 { "step" } else { "steps" })?;
                }
                continue;
            }
            match link {
                PathStep::Member { group, window } => write!(f, "is in {}{}", Quoted(group.as_str()), within(window))?,
                PathStep::Parent { group, window } => {
                    write!(f, ", a part of {}{}", Quoted(group.as_str()), within(window))?;
                }
                PathStep::Role { role, origin, in_conflict, window } => {
                    let has = if i == 0 { "has" } else { ", which has" };
                    let whose = whose(*origin, *in_conflict).unwrap_or("the role");
                    write!(f, "{has} {whose} {}{}", Quoted(role.as_str()), within(window))?;
                }
                PathStep::Included { role, origin, in_conflict } => {
                    let whose = whose(*origin, *in_conflict).map_or_else(String::new, |whose| format!("{whose} "));
                    write!(f, ", which includes {whose}{}", Quoted(role.as_str()))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(reason) => write!(f, "denied: {reason}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUser => f.write_str("the user is unknown"),
            Self::UuidAsKey => {
                f.write_str("the user is unknown; the text is a UUID and was looked up as a key, not as an id")
            }
            Self::UnknownPermission => f.write_str("the permission is unknown"),
            Self::CatalogConflict => f.write_str("the permission's slug belongs to the tenant and to the catalog"),
            Self::PermissionRenamed => f.write_str("the catalog has renamed the permission"),
            Self::PatternAsked => {
                f.write_str("the question has a pattern, which only a grant accepts, in place of a permission")
            }
            Self::UuidAsSlug => {
                f.write_str("the permission is unknown; the text is a UUID and was looked up as a slug, not as an id")
            }
            Self::Suspended => f.write_str("the user is suspended"),
            Self::Expired { until } => write!(f, "the last window that allows it ended at {until}"),
            Self::NotYetActive { from } => write!(f, "the next window that allows it begins at {from}"),
            Self::NoPath => f.write_str("nothing that the user holds grants it"),
            Self::NeverActive => {
                f.write_str("no path of the user is ever active: the windows on each have no common instant")
            }
            Self::OutsideWindows => f.write_str("no path of the user is active at this time"),
            Self::Unconfirmed => f.write_str(
                "the store has not confirmed the tenant's state within the bound on staleness; refresh the tenant",
            ),
            Self::InDoubt => f.write_str("the tenant has a commit in doubt; refresh the tenant to resolve it"),
            Self::InvalidStoreContent => {
                f.write_str("the content of the store is invalid; a refresh of the tenant lists what to repair")
            }
            Self::Narrowed => f.write_str("the roles to which the question is narrowed do not grant it"),
            Self::InternalError => f.write_str("an internal invariant is broken; refresh the tenant to load it again"),
            Self::Closed => f.write_str("the tenant was closed"),
            Self::Deleted => f.write_str("the tenant was deleted"),
        }
    }
}

/// Writes several lines: the answer, then the paths, then what would grant the permission.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, permission) = (Quoted(&self.user.text), Quoted(&self.permission.text));
        match self.decision {
            Decision::Allowed => f.write_str("allowed")?,
            Decision::Denied(Reason::UnknownUser | Reason::UuidAsKey) => {
                write!(f, "denied: {}", self.user.missing(EntityKind::User))?;
            }
            Decision::Denied(
                Reason::UnknownPermission | Reason::PermissionRenamed | Reason::PatternAsked | Reason::UuidAsSlug,
            ) => {
                write!(f, "denied: {}", self.permission.missing(EntityKind::Permission))?;
            }
            Decision::Denied(Reason::CatalogConflict) => {
                write!(f, "denied: {permission} is a permission of the tenant and one of the catalog")?;
            }
            Decision::Denied(Reason::Suspended) => write!(f, "denied: {user} is suspended")?,
            Decision::Denied(Reason::NoPath) => write!(f, "denied: nothing that {user} holds grants {permission}")?,
            Decision::Denied(Reason::NeverActive) => {
                write!(f, "denied: no path from {user} to {permission} is ever active: ")?;
                f.write_str("the windows on each have no common instant")?;
            }
            Decision::Denied(_) => write!(f, "{}", self.decision)?,
        }
        if let Some(path) = &self.never_active {
            write!(f, "\n  a path that is never active: {user} {path}")?;
        }
        for (i, path) in self.paths.iter().take(MOST_PATHS_SHOWN).enumerate() {
            // The instant of a denial is that of all paths together, not of the first one.
            let begin = match (i, self.decision) {
                (0, Decision::Allowed) => ":",
                (0, Decision::Denied(_)) => "\n  a path that is not active at this time:",
                _ => "\n  also:",
            };
            write!(f, "{begin} {user} {path}")?;
        }
        match (self.paths.len().checked_sub(MOST_PATHS_SHOWN), self.more_paths) {
            (_, true) => f.write_str("\n  and by more paths")?,
            (Some(1), false) => f.write_str("\n  and by 1 more path")?,
            (Some(hidden @ 2..), false) => write!(f, "\n  and by {hidden} more paths")?,
            _ => {}
        }
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        } else if let Some((EntityKind::Permission, _)) = self.unknown() {
            self.did_you_mean().map_or(Ok(()), |question| write!(f, "; {question}"))?;
        }
        listed(f, &self.roles, "\n  roles that would grant it: ")?;
        listed(f, &self.groups, "\n  groups that would grant it: ")?;
        if self.more_holders { f.write_str("\n  and more") } else { Ok(()) }
    }
}

/// Writes a list, with an introduction if there is anything in it.
fn listed(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], intro: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { intro } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for GrantingRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.slug.as_str()))?;
        whose(self.origin, self.in_conflict).map_or(Ok(()), |whose| write!(f, " ({whose}, with the id {})", self.id))
    }
}

impl fmt::Display for GrantingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.slug.as_str()))?;
        let manager = self.managed_by.as_ref();
        manager.map_or(Ok(()), |manager| write!(f, " (managed by {})", Quoted(manager.as_str())))
    }
}
