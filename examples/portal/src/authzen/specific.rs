//! Permissions of one resource, `TYPE:ID:ACTION`, and what changes with them.
//!
//! While `record:record-1:write` is registered, it decides about that record, and `record:write` does not. So a deletion or
//! a new slug gives access to all users who hold `record:write`. No guard of a transaction sees that, because no role and no
//! group changes. Its creation takes access from them.
//!
//! The same holds for `record:write`, because it could be ended first and be created again afterwards.

use axum::http::StatusCode;
use rolecall::error::Quoted;
use rolecall::records::{PermissionId, Record, UserId};
use rolecall::{ErrorKind, Moment, PageRequest, Plan};
use rolecall_axum::Problem;

/// The slug of the permission that decides in the place of this one if this one is not registered: `TYPE:ACTION` for
/// `TYPE:ID:ACTION`.
fn general_of(slug: &str) -> Option<String> {
    let (resource_type, rest) = slug.split_once(':')?;
    let (id, action) = rest.rsplit_once(':')?;
    let is_specific = ![resource_type, id, action].contains(&"");
    is_specific.then(|| format!("{resource_type}:{action}"))
}

fn registered_general(moment: &Moment<'_>, slug: &str) -> Option<String> {
    general_of(slug).filter(|general| moment.permission(general.as_str()).is_some())
}

/// So many permissions at a time when those of one resource are searched for.
const STEP: usize = 500;

/// Whether a permission `TYPE:ID:ACTION` is registered that the actor does not hold, for `TYPE:ACTION`.
fn lacks_a_specific(moment: &Moment<'_>, actor: UserId, general: &str) -> bool {
    let Some((resource_type, _)) = general.split_once(':') else { return false };
    let prefix = format!("{resource_type}:");
    let mut request = PageRequest::of(STEP).after(prefix.as_str());
    loop {
        let page = moment.permissions(&request);
        for permission in &page.items {
            let slug = permission.slug().as_str();
            if !slug.starts_with(&prefix) {
                return false;
            }
            if general_of(slug).as_deref() == Some(general) && !moment.check(actor, slug) {
                return true;
            }
        }
        let Some(next) = page.next else { return false };
        request = PageRequest::of(STEP).after(next);
    }
}

/// Refuses to delete or rename a permission `TYPE:ID:ACTION` that the actor does not hold, if `TYPE:ACTION` is registered, and
/// `TYPE:ACTION` while there is such a permission.
///
/// # Errors
/// 403.
pub(crate) fn may_end(before: &Moment<'_>, actor: UserId, permission: PermissionId) -> Result<(), Problem> {
    let Some(permission) = before.permission(permission) else { return Ok(()) };
    let slug = permission.slug().as_str();
    let refused = |detail: String| {
        let kind = ErrorKind::Escalation;
        Err(Problem::new(StatusCode::FORBIDDEN, kind.code(), kind.title()).with_detail(detail))
    };
    if lacks_a_specific(before, actor, slug) {
        let slug = Quoted(slug);
        return refused(format!(
            "permissions of single resources decide in the place of {slug}, so only a user who holds all of them may delete or \
             rename it"
        ));
    }
    match registered_general(before, slug) {
        Some(general) if !before.check(actor, slug) => {
            let (slug, general) = (Quoted(slug), Quoted(&general));
            refused(format!(
                "without {slug}, {general} decides about that resource, so only a user who holds {slug} may delete or rename it"
            ))
        }
        _ => Ok(()),
    }
}

/// The changes of the deciding permission by a plan, as warnings of a preview.
pub(crate) fn warnings(plan: &Plan) -> Vec<String> {
    let base = plan.base();
    let before = base.at(plan.instant());
    let mut warnings = Vec::new();
    for change in plan.changes() {
        let (old, new) = (slug_of(change.before()), slug_of(change.after()));
        if old == new {
            continue;
        }
        if let Some((old, general)) = old.and_then(|old| Some((Quoted(old), registered_general(&before, old)?))) {
            let general = Quoted(&general);
            warnings.push(format!(
                "AuthZEN: {general} decides about that resource in the place of {old}, so users who hold {general} gain access"
            ));
        }
        if let Some((new, general)) = new.and_then(|new| Some((Quoted(new), registered_general(&before, new)?))) {
            let general = Quoted(&general);
            warnings.push(format!(
                "AuthZEN: {new} decides about that resource in the place of {general}, so users who hold only {general} lose \
                 access"
            ));
        }
    }
    warnings
}

fn slug_of(record: Option<&Record>) -> Option<&str> {
    match record {
        Some(Record::Permission(permission)) => Some(permission.slug.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::general_of;

    #[test]
    fn only_a_slug_of_one_resource_has_a_general_one() {
        for (slug, general) in [
            ("record:record-1:write", Some("record:write")),
            ("record:a:b:write", Some("record:write")),
            ("record::::write", Some("record:write")),
            ("record:write", None),
            ("record::write", None),
            (":record-1:write", None),
            ("record:record-1:", None),
            ("write", None),
        ] {
            assert_eq!(general_of(slug).as_deref(), general, "{slug}");
        }
    }
}
