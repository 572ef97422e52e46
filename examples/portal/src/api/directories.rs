//! Users and groups that are handed to a directory, or released from it.

use axum::extract::State;
use axum::response::Response;
use rolecall::Tx;
use rolecall::records::{GroupId, UserId};
use rolecall_axum::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{Changing, PreviewParameter};
use super::groups::{GroupPath, group_before, group_in};
use super::request::{Body, Ids, Update, found, invalid};
use super::users::{UserPath, user_before, user_in};
use super::views::{Group, User};
use crate::catalog::Permission;
use crate::catalog::required::DirectoriesManage;
use crate::directories::{self, Target};
use crate::state::{PortalState, Principal};

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new().routes(routes!(hand_over_user, release_user)).routes(routes!(hand_over_group, release_group))
}

/// A directory, and the id of the user or group in it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DirectoryEntry {
    /// The name of the directory.
    #[schema(example = "okta")]
    directory: String,
    /// The id in the directory, if it is known. SCIM calls it `externalId`. Without it, the present one stays; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    external_id: Update<String>,
}

impl DirectoryEntry {
    /// Refuses a directory without a token: nobody could change what is handed to it.
    fn known(self, state: &PortalState, by: Principal) -> Result<Self, Problem> {
        if state.has_directory(by.tenant, &self.directory) {
            return Ok(self);
        }
        Err(invalid("unknown directory", directories::unknown(&self.directory)))
    }
}

/// Changes who manages a user or group, and answers with it.
async fn change<T: Serialize + Send + 'static>(
    changing: Changing<DirectoriesManage>,
    target: Target,
    entry: Option<DirectoryEntry>,
    before: impl Fn(&Tx) -> Result<T, Problem> + Send + 'static,
    after: impl Fn(&Tx) -> Result<T, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let actor = changing.principal().user;
    let changed = changing.apply(move |tx, condition| {
        condition.judge(tx, Some(&before(tx)?))?;
        match &entry {
            Some(entry) => {
                directories::may_hand_over(&tx.base().at(tx.instant()), actor, target)?;
                directories::hand_over(tx, target, &entry.directory, &entry.external_id)?;
            }
            None => directories::release(tx, target)?,
        }
        after(tx)
    });
    Ok(changed.await?.changed())
}

async fn change_user(
    changing: Changing<DirectoriesManage>,
    user: UserId,
    entry: Option<DirectoryEntry>,
) -> Result<Response, Problem> {
    changing.require(Permission::UsersRead)?;
    let before = move |tx: &Tx| found(user_before(tx, user), "user");
    change(changing, Target::User(user), entry, before, move |tx| user_in(tx, user)).await
}

async fn change_group(
    changing: Changing<DirectoriesManage>,
    group: GroupId,
    entry: Option<DirectoryEntry>,
) -> Result<Response, Problem> {
    changing.require(Permission::GroupsRead)?;
    let before = move |tx: &Tx| found(group_before(tx, group), "group");
    change(changing, Target::Group(group), entry, before, move |tx| group_in(tx, group)).await
}

/// Hands a user to a directory that has a token. Only the directory changes the user from then on. Requires `users:read`, too.
#[utoipa::path(put, path = "/users/{userId}/directory", tag = "users", request_body = DirectoryEntry,
    params(("userId" = String, Path), PreviewParameter), responses((status = 200, body = User)))]
async fn hand_over_user(
    State(state): State<PortalState>,
    changing: Changing<DirectoriesManage>,
    Ids(path): Ids<UserPath>,
    Body(entry): Body<DirectoryEntry>,
) -> Answer {
    let entry = entry.known(&state, changing.principal())?;
    change_user(changing, path.user_id, Some(entry)).await
}

/// Releases a user from the directory that manages it. One that no directory manages is not an error. Requires `users:read`, too.
#[utoipa::path(delete, path = "/users/{userId}/directory", tag = "users",
    params(("userId" = String, Path), PreviewParameter), responses((status = 200, body = User)))]
async fn release_user(changing: Changing<DirectoriesManage>, Ids(path): Ids<UserPath>) -> Answer {
    change_user(changing, path.user_id, None).await
}

/// Hands a group to a directory that has a token. Only the directory changes the group, its members and its parents from then on.
///
/// The directory then decides who gets what the group gives, so the token's user must hold all of it. Requires `groups:read`, too.
#[utoipa::path(put, path = "/groups/{groupId}/directory", tag = "groups", request_body = DirectoryEntry,
    params(("groupId" = String, Path), PreviewParameter), responses((status = 200, body = Group)))]
async fn hand_over_group(
    State(state): State<PortalState>,
    changing: Changing<DirectoriesManage>,
    Ids(path): Ids<GroupPath>,
    Body(entry): Body<DirectoryEntry>,
) -> Answer {
    let entry = entry.known(&state, changing.principal())?;
    change_group(changing, path.group_id, Some(entry)).await
}

/// Releases a group from the directory that manages it. One that no directory manages is not an error. Requires `groups:read`,
/// too.
#[utoipa::path(delete, path = "/groups/{groupId}/directory", tag = "groups",
    params(("groupId" = String, Path), PreviewParameter), responses((status = 200, body = Group)))]
async fn release_group(changing: Changing<DirectoriesManage>, Ids(path): Ids<GroupPath>) -> Answer {
    change_group(changing, path.group_id, None).await
}
