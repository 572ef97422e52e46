//! The roles of a group, and what its members have through it.

use axum::extract::Path;
use rolecall::records::{GroupId, Holder, RoleId};
use rolecall_axum::Permitted;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::GroupPath;
use crate::api::Answer;
use crate::api::assignments::{self, Assigned, NewAssignment};
use crate::api::change::{Changing, Counted, PreviewParameter};
use crate::api::request::{Body, Ids, ListChange, Parameters, PartParameters, TenantPath, found};
use crate::api::views::{ListPage, Permission, Role, Sourced, at};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(roles, assign_role, change_roles))
        .routes(routes!(role, unassign_role))
        .routes(routes!(effective_roles))
        .routes(routes!(effective_permissions))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupRolePath {
    group_id: GroupId,
    role_id: RoleId,
}

/// Lists the roles that are assigned to a group.
#[utoipa::path(get, path = "/groups/{groupId}/roles", tag = "groups",
    params(("groupId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Assigned>)))]
async fn roles(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    assignments::list(&asking.moment(), Holder::Group(path.group_id), &part)
}

/// Assigns a role to a group, so that all its members have it. 200 if it is assigned already, 409 if in another window.
#[utoipa::path(post, path = "/groups/{groupId}/roles", tag = "groups", request_body = NewAssignment,
    params(("groupId" = String, Path), PreviewParameter),
    responses((status = 201, body = Assigned), (status = 200, body = Assigned)))]
async fn assign_role(
    changing: Changing<GroupsManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<NewAssignment>,
) -> Answer {
    assignments::assign(changing, &tenant, Holder::Group(path.group_id), new).await
}

/// Assigns roles to a group and takes others from it, all of them or none.
#[utoipa::path(patch, path = "/groups/{groupId}/roles", tag = "groups", request_body = ListChange,
    params(("groupId" = String, Path), PreviewParameter), responses((status = 200, body = Counted)))]
async fn change_roles(
    changing: Changing<GroupsManage>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<ListChange>,
) -> Answer {
    assignments::change(changing, Holder::Group(path.group_id), new).await
}

/// Reads the assignment of a role to a group.
#[utoipa::path(get, path = "/groups/{groupId}/roles/{roleId}", tag = "groups",
    params(("groupId" = String, Path), ("roleId" = String, Path)), responses((status = 200, body = Assigned)))]
async fn role(asking: Permitted<GroupsRead>, Ids(path): Ids<GroupRolePath>) -> Answer {
    assignments::read(&asking.moment(), Holder::Group(path.group_id), path.role_id)
}

/// Takes a role from a group. One that is not assigned is not an error.
#[utoipa::path(delete, path = "/groups/{groupId}/roles/{roleId}", tag = "groups",
    params(("groupId" = String, Path), ("roleId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn unassign_role(changing: Changing<GroupsManage>, Ids(path): Ids<GroupRolePath>) -> Answer {
    assignments::unassign(changing, Holder::Group(path.group_id), path.role_id).await
}

/// Lists the roles that the members of a group have through it, and where each comes from.
#[utoipa::path(get, path = "/groups/{groupId}/effective-roles", tag = "groups",
    params(("groupId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Sourced<Role>>)))]
async fn effective_roles(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.group(path.group_id), "group")?;
    let roles = moment.all_roles_of_group(path.group_id).items;
    let roles = ListPage::<Sourced<Role>>::part(roles, &part)?;
    Ok(at(&moment, roles))
}

/// Lists what the members of a group may do because of it.
#[utoipa::path(get, path = "/groups/{groupId}/effective-permissions", tag = "groups",
    params(("groupId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Permission>)))]
async fn effective_permissions(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.group(path.group_id), "group")?;
    let permissions = moment.effective_of_group(path.group_id).records();
    let permissions = ListPage::<Permission>::part(permissions, &part)?;
    Ok(at(&moment, permissions))
}
