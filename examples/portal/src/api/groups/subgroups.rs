//! The subgroups and the parents of a group.

use axum::extract::Path;
use rolecall::records::GroupId;
use rolecall::{Moment, Timestamp};
use rolecall_axum::Permitted;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{GroupPath, judged_group};
use crate::api::Answer;
use crate::api::change::{Changing, PreviewParameter};
use crate::api::request::{Body, Ids, ListParameters, Parameters, PartParameters, TenantPath, found, id, window};
use crate::api::views::{Active, Group, ListPage, Related, at};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(subgroups, add_subgroup))
        .routes(routes!(remove_subgroup))
        .routes(routes!(parents))
}

/// A group to put into another one, always or in a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewSubgroup {
    /// The id of the group that becomes a subgroup.
    group_id: String,
    /// The first instant, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first instant after the end, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubgroupPath {
    group_id: GroupId,
    subgroup_id: GroupId,
}

fn subgroup(moment: &Moment<'_>, parent: GroupId, group: GroupId) -> Option<Related<Group>> {
    let link = moment.parents_of(group).items.into_iter().find(|link| link.record.id == parent)?;
    Some(Related { entity: moment.group(group)?.into(), window: Active::new(link.window, link.active) })
}

/// Lists the subgroups of a group.
#[utoipa::path(get, path = "/groups/{groupId}/subgroups", tag = "groups",
    params(("groupId" = String, Path), ListParameters), responses((status = 200, body = ListPage<Related<Group>>)))]
async fn subgroups(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.group(path.group_id), "group")?;
    let subgroups = ListPage::<Related<Group>>::of(moment.subgroups(path.group_id, &page));
    Ok(at(&moment, subgroups))
}

/// Makes a group a subgroup of another one, so that its members inherit the roles of that one. 409 if in another window.
#[utoipa::path(post, path = "/groups/{groupId}/subgroups", tag = "groups", request_body = NewSubgroup,
    params(("groupId" = String, Path), PreviewParameter),
    responses((status = 201, body = Related<Group>), (status = 200, body = Related<Group>)))]
async fn add_subgroup(
    changing: Changing<GroupsManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<NewSubgroup>,
) -> Answer {
    let (parent, group, window) = (path.group_id, id::<GroupId>(&new.group_id)?, window(new.from, new.until)?);
    let added = changing.apply(move |tx, condition| {
        judged_group(tx, condition, parent)?;
        let is_new = subgroup(&tx.base().at(tx.instant()), parent, group).is_none();
        tx.group(group)?.add_parent_during(parent, window)?;
        Ok((found(subgroup(&tx.preview().at(tx.instant()), parent, group), "subgroup")?, is_new))
    });
    let base = tenant.base();
    Ok(added.await?.ensured(|_| format!("{base}/groups/{parent}/subgroups/{group}")))
}

/// Takes a subgroup out of a group. One that is not in it is not an error.
#[utoipa::path(delete, path = "/groups/{groupId}/subgroups/{subgroupId}", tag = "groups",
    params(("groupId" = String, Path), ("subgroupId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn remove_subgroup(changing: Changing<GroupsManage>, Ids(path): Ids<SubgroupPath>) -> Answer {
    let removed = changing.apply(move |tx, condition| {
        judged_group(tx, condition, path.group_id)?;
        Ok(tx.group(path.subgroup_id)?.remove_parent(path.group_id)?.done()?)
    });
    Ok(removed.await?.removed())
}

/// Lists the parent groups of a group.
#[utoipa::path(get, path = "/groups/{groupId}/parents", tag = "groups",
    params(("groupId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Related<Group>>)))]
async fn parents(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.group(path.group_id), "group")?;
    let parents = ListPage::<Related<Group>>::part(moment.parents_of(path.group_id).items, &part)?;
    Ok(at(&moment, parents))
}
