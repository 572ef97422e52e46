//! The effect of a change: the answer to `?preview=true`.

use rolecall::Plan;
use rolecall::plan::AccessChange;
use serde::Serialize;
use utoipa::ToSchema;

use crate::authzen::specific;
use crate::deletion::LeftOut;

/// So many users at most whose access a preview lists or counts.
const MOST_USERS: usize = 100;

/// So many changes, and permissions of each user, at most in a preview.
pub(super) const MOST_LINES: usize = 200;

/// The effect of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The revision on which it was planned.
    pub revision: u64,
    /// The changes, a line each. If a group or a role is deleted that more than 200 users have, one line counts them.
    pub changes: Vec<String>,
    /// The users who would gain or lose permissions, at this instant. Empty for a caller without `access:read` or
    /// `users:read`.
    pub access: Vec<AccessEffect>,
    /// How many users would gain a permission, among the first 100 who would gain or lose one.
    pub users_gaining: usize,
    /// How many users would lose a permission, among the first 100 who would gain or lose one.
    pub users_losing: usize,
    /// Probable mistakes.
    pub warnings: Vec<String>,
    /// Whether there are more changes, users or warnings than these.
    pub more: bool,
}

/// The permissions that one user would gain and lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessEffect {
    /// The user's id.
    pub user_id: String,
    /// The user's key.
    pub key: String,
    /// The slugs of the permissions that the user would gain.
    pub gained: Vec<String>,
    /// The slugs of the permissions that the user would lose.
    pub lost: Vec<String>,
}

impl From<&AccessChange> for AccessEffect {
    fn from(change: &AccessChange) -> Self {
        Self {
            user_id: change.user.id.to_string(),
            key: change.user.key.to_string(),
            gained: change.gained.slugs().iter().take(MOST_LINES).map(ToString::to_string).collect(),
            lost: change.lost.slugs().iter().take(MOST_LINES).map(ToString::to_string).collect(),
        }
    }
}

impl Preview {
    /// The preview of a plan, and of what it leaves out. `lists_access` says whether its reader may see which users may do what.
    pub(super) fn new(plan: &Plan, left_out: Option<&LeftOut>, lists_access: bool) -> Self {
        let mut changes: Vec<String> = plan.described().take(MOST_LINES + 1).map(|change| change.to_string()).collect();
        let mut affected: Vec<_> = plan.access_changes(plan.instant()).take(MOST_USERS + 1).collect();
        let mut warnings: Vec<String> = plan.warnings().iter().take(MOST_LINES + 1).map(ToString::to_string).collect();
        warnings.extend(specific::warnings(plan));
        let more = changes.len() > MOST_LINES || affected.len() > MOST_USERS || warnings.len() > MOST_LINES;
        let more = more || left_out.is_some();
        changes.truncate(MOST_LINES);
        if let Some(left_out) = left_out {
            left_out.complete(&mut changes);
        }
        affected.truncate(MOST_USERS);
        warnings.truncate(MOST_LINES);
        Self {
            revision: plan.base().revision().number(),
            changes,
            access: affected.iter().filter(|_| lists_access).map(AccessEffect::from).collect(),
            users_gaining: affected.iter().filter(|change| !change.gained.is_empty()).count(),
            users_losing: affected.iter().filter(|change| !change.lost.is_empty()).count(),
            warnings,
            more,
        }
    }
}
