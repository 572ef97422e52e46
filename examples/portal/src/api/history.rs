//! The history: who changed what, and when. Of the whole tenant, or of one group, user, role or permission.

use axum::extract::State;
use rolecall::records::{GroupId, PermissionId, RoleId, UserId};
use rolecall_axum::{Permitted, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::Answer;
use super::request::{Ids, Parameters, id, limit};
use super::views::{ListPage, at};
use crate::catalog::required::HistoryRead;
use crate::history::{self, Asked, Entry};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(tenant))
        .routes(routes!(group))
        .routes(routes!(user))
        .routes(routes!(role))
        .routes(routes!(permission))
}

/// Which part of a history.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryParameters {
    /// At most this many commits: 1 to 200, otherwise 50.
    limit: Option<usize>,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// Only commits of this actor. The actor of the portal's own commits is the user's key.
    actor: Option<String>,
}

/// The changes of one commit, and its actor.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitEntry {
    /// The revision that it made.
    revision: u64,
    /// When it was made, by the clock of the writer.
    at: String,
    /// The actor, in the words of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Why it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The changes, at most 50.
    changes: Vec<ChangeEntry>,
    /// The number of all changes.
    total: usize,
}

/// One change of a commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeEntry {
    /// The name of the event.
    #[schema(example = "group.member.added")]
    event: String,
    /// The change as text.
    #[schema(example = "added membership of `alice@acme.com` in `engineering`")]
    text: String,
    /// The same as data.
    #[schema(value_type = Object)]
    change: Value,
}

impl From<Entry> for CommitEntry {
    fn from(entry: Entry) -> Self {
        let change = |line: history::Line| ChangeEntry {
            event: line.event.to_owned(),
            text: line.described.to_string(),
            change: serde_json::to_value(&line.described).unwrap_or_default(),
        };
        Self {
            revision: entry.revision.number(),
            at: entry.at.to_string(),
            actor: entry.actor.map(|actor| actor.to_string()),
            note: entry.note,
            changes: entry.lines.into_iter().map(change).collect(),
            total: entry.total,
        }
    }
}

async fn answer(
    state: &PortalState,
    asking: &Permitted<HistoryRead>,
    asked: &HistoryParameters,
    about: Option<Uuid>,
) -> Answer {
    let asked = Asked {
        limit: limit(asked.limit)?,
        before: asked.after.as_deref().map(id).transpose()?,
        actor: asked.actor.as_deref().map(id).transpose()?,
        about,
    };
    let shown = history::read(state, asking.tenant(), &asked).await?;
    let items = shown.entries.into_iter().map(CommitEntry::from).collect();
    let page = ListPage { items, next: shown.next.map(|next| next.to_string()) };
    Ok(at(&asking.moment(), page))
}

/// Lists who changed what in the tenant, the latest commit first.
#[utoipa::path(get, path = "/history", tag = "history", params(HistoryParameters),
    responses((status = 200, body = ListPage<CommitEntry>)))]
async fn tenant(
    asking: Permitted<HistoryRead>,
    State(state): State<PortalState>,
    Parameters(asked): Parameters<HistoryParameters>,
) -> Answer {
    answer(&state, &asking, &asked, None).await
}

macro_rules! about {
    ($name:ident, $Id:ident, $Path:ident { $id:ident }, $path:literal, $parameter:literal, $doc:literal) => {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct $Path {
            $id: $Id,
        }

        #[doc = $doc]
        ///
        /// One that is deleted has its history, too.
        #[utoipa::path(get, path = $path, tag = "history", params(($parameter = String, Path), HistoryParameters),
                                                            responses((status = 200, body = ListPage<CommitEntry>)))]
        async fn $name(
            asking: Permitted<HistoryRead>,
            State(state): State<PortalState>,
            Ids(path): Ids<$Path>,
            Parameters(asked): Parameters<HistoryParameters>,
        ) -> Result<axum::response::Response, Problem> {
            answer(&state, &asking, &asked, Some(path.$id.as_uuid())).await
        }
    };
}

about!(group, GroupId, GroupPath { group_id }, "/groups/{groupId}/history", "groupId", "Lists who changed a group.");
about!(user, UserId, UserPath { user_id }, "/users/{userId}/history", "userId", "Lists who changed a user.");
about!(role, RoleId, RolePath { role_id }, "/roles/{roleId}/history", "roleId", "Lists who changed a role.");
about!(
    permission,
    PermissionId,
    PermissionPath { permission_id },
    "/permissions/{permissionId}/history",
    "permissionId",
    "Lists who changed a permission."
);
