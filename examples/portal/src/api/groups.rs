//! Groups, their members, their roles and their subgroups.

use axum::Json;
use axum::extract::Path;
use axum::response::IntoResponse;
use rolecall::records::{GroupId, RoleId, UserId};
use rolecall::{ErrorKind, Moment, Timestamp, Tx};
use rolecall_axum::{Permitted, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{Changing, Preview, PreviewParameter};
use super::request::{Body, Ids, ListParameters, Parameters, WindowBody, at_most, id, ids};
use super::views::{
    Active, Group, ListPage, Permission, Related, Role, Sourced, User, tag_of, tag_of_revision, tagged,
};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete))
}

/// A new group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// The display name.
    #[schema(example = "Engineering")]
    name: String,
    /// The machine-readable identifier. Without it, one is derived from the name.
    #[schema(example = "engineering")]
    slug: Option<String>,
    /// What the group is for.
    #[serde(default)]
    #[schema(example = "Engineering team")]
    description: String,
}

/// What to change in a group. What is missing stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// The new display name.
    name: Option<String>,
    /// The new machine-readable identifier.
    slug: Option<String>,
    /// What the group is for.
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupPath {
    group_id: GroupId,
}

/// The group after the changes of the transaction so far.
fn group_in(tx: &Tx, group: GroupId) -> Result<Group, Problem> {
    let preview = tx.preview().at(tx.instant());
    found(preview.group(group), "group").map(Group::from)
}

/// The group before the transaction.
fn group_before(tx: &Tx, group: GroupId) -> Option<Group> {
    tx.base().at(tx.instant()).group(group).map(Group::from)
}

/// What a path names, or 404.
pub(super) fn found<T>(entity: Option<T>, what: &str) -> Result<T, Problem> {
    let status = axum::http::StatusCode::NOT_FOUND;
    entity.ok_or_else(|| Problem::new(status, ErrorKind::NotFound.code(), format!("{what} not found")))
}

/// Lists groups.
#[utoipa::path(get, path = "/groups", tag = "groups", params(ListParameters),
    responses((status = 200, body = ListPage<Group>)))]
async fn list(asking: Permitted<GroupsRead>, Parameters(list): Parameters<ListParameters>) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    let groups = ListPage::<Group>::of(moment.groups(&page));
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), groups))
}

/// Creates a group.
#[utoipa::path(post, path = "/groups", tag = "groups", params(PreviewParameter), request_body = NewGroup,
    responses((status = 201, body = Group), (status = 200, description = "Of a preview.", body = Preview)))]
async fn create(changing: Changing<GroupsManage>, Path(tenant): Path<String>, Body(new): Body<NewGroup>) -> Answer {
    let created = changing.apply(move |tx, _| {
        let group = match &new.slug {
            Some(slug) => {
                let group = tx.create_group(slug)?;
                group.set_name(&new.name)?;
                group
            }
            None => tx.create_group_with_name(&new.name)?,
        };
        let id = group.set_description(&new.description)?.id()?;
        group_in(tx, id)
    });
    Ok(created.await?.created(|group| format!("/t/{tenant}/api/v1/groups/{}", group.id)))
}

/// Reads a group.
#[utoipa::path(get, path = "/groups/{groupId}", tag = "groups", params(("groupId" = String, Path)),
    responses((status = 200, body = Group)))]
async fn read(asking: Permitted<GroupsRead>, Ids(path): Ids<GroupPath>) -> Answer {
    let group = Group::from(found(asking.moment().group(path.group_id), "group")?);
    Ok(tagged(&tag_of(&group), group))
}

/// Changes a group. Needs `If-Match` with the tag of the group, so that nobody overwrites what another client has changed.
#[utoipa::path(patch, path = "/groups/{groupId}", tag = "groups", request_body = GroupChange,
    params(("groupId" = String, Path), ("If-Match" = String, Header), PreviewParameter),
    responses((status = 200, body = Group)))]
async fn change(changing: Changing<GroupsManage>, Ids(path): Ids<GroupPath>, Body(new): Body<GroupChange>) -> Answer {
    changing.condition().required()?;
    let changed = changing.apply(move |tx, condition| {
        let group = tx.group(path.group_id)?;
        condition.judge(tx, group_before(tx, path.group_id).as_ref())?;
        if let Some(slug) = &new.slug {
            group.set_slug(slug)?;
        }
        if let Some(name) = &new.name {
            group.set_name(name)?;
        }
        if let Some(description) = &new.description {
            group.set_description(description)?;
        }
        group_in(tx, path.group_id)
    });
    Ok(changed.await?.changed())
}

/// Deletes a group, with its memberships, assignments and parent links.
#[utoipa::path(delete, path = "/groups/{groupId}", tag = "groups",
    params(("groupId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn delete(changing: Changing<GroupsManage>, Ids(path): Ids<GroupPath>) -> Answer {
    let deleted = changing.apply(move |tx, condition| {
        tx.group(path.group_id)?;
        condition.judge(tx, group_before(tx, path.group_id).as_ref())?;
        Ok(tx.delete_group(path.group_id)?)
    });
    Ok(deleted.await?.removed())
}
