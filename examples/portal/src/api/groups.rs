//! Groups. Their members, roles and subgroups have files of their own.

pub mod members;
pub mod roles;
pub mod subgroups;

use axum::extract::{Path, State};
use rolecall::Tx;
use rolecall::plan::GroupEdit;
use rolecall::records::GroupId;
use rolecall_axum::{Permitted, Problem};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{Changing, Condition, PreviewParameter};
use super::operations::OperationView;
use super::preview::Preview;
use super::request::{Body, Ids, ListParameters, Parameters, TenantPath, found};
use super::views::{Group, ListPage, at, tag_of, tagged};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::deletion::Deletion;
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .merge(members::router())
        .merge(roles::router())
        .merge(subgroups::router())
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
    /// The purpose of the group.
    #[serde(default)]
    #[schema(example = "Engineering team")]
    description: String,
}

/// Changes of a group. Missing members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// The new display name.
    name: Option<String>,
    /// The new machine-readable identifier.
    slug: Option<String>,
    /// The purpose of the group.
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupPath {
    pub(super) group_id: GroupId,
}

/// The group after the changes of the transaction so far.
pub(super) fn group_in(tx: &Tx, group: GroupId) -> Result<Group, Problem> {
    let preview = tx.preview().at(tx.instant());
    found(preview.group(group), "group").map(Group::from)
}

/// The group before the transaction.
pub(super) fn group_before(tx: &Tx, group: GroupId) -> Option<Group> {
    tx.base().at(tx.instant()).group(group).map(Group::from)
}

/// The group, to change it, if the condition of the request fits it.
pub(super) fn judged_group<'t>(tx: &'t Tx, condition: &Condition, group: GroupId) -> Result<GroupEdit<'t>, Problem> {
    let edit = tx.group(group)?;
    condition.judge(tx, group_before(tx, group).as_ref())?;
    Ok(edit)
}

/// Lists groups.
#[utoipa::path(get, path = "/groups", tag = "groups", params(ListParameters),
    responses((status = 200, body = ListPage<Group>)))]
async fn list(asking: Permitted<GroupsRead>, Parameters(list): Parameters<ListParameters>) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    let groups = ListPage::<Group>::of(moment.groups(&page));
    Ok(at(&moment, groups))
}

/// Creates a group.
#[utoipa::path(post, path = "/groups", tag = "groups", params(PreviewParameter), request_body = NewGroup,
    responses((status = 201, body = Group), (status = 200, description = "Of a preview.", body = Preview)))]
async fn create(changing: Changing<GroupsManage>, Path(tenant): Path<TenantPath>, Body(new): Body<NewGroup>) -> Answer {
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
    Ok(created.await?.created(|group| format!("{}/groups/{}", tenant.base(), group.id)))
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
        let group = judged_group(tx, condition, path.group_id)?;
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
    params(("groupId" = String, Path), PreviewParameter),
    responses((status = 204),
        (status = 202, description = "Very many users have it, so the deletion goes on.", body = OperationView,
            headers(("Location" = String, description = "The path of the operation."),
                ("Retry-After" = u32, description = "In seconds."))),
        (status = 429, description = "Too many deletions of the token's user have not ended yet.")))]
async fn delete(
    State(state): State<PortalState>,
    changing: Changing<GroupsManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<GroupPath>,
) -> Answer {
    let group = path.group_id;
    let judge = move |tx: &Tx, condition: &Condition| judged_group(tx, condition, group).map(drop);
    changing.delete(state.operations(), &tenant, Deletion::Group(group), judge).await
}
