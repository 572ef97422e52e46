//! Permissions, and who has them.

use axum::extract::Path;
use rolecall::Tx;
use rolecall::records::PermissionId;
use rolecall_axum::{Permitted, Problem};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{Changing, PreviewParameter};
use super::request::{Body, Ids, ListParameters, Parameters, TenantPath, Update, found};
use super::views::{ListPage, Permission, User, at, tag_of, tagged};
use crate::authzen::specific;
use crate::catalog::required::{AccessRead, PermissionsManage, PermissionsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete)).routes(routes!(users))
}

/// A new permission.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPermission {
    /// The machine-readable identifier.
    #[schema(example = "posts:write")]
    slug: String,
    /// The display name. Without it, the slug.
    name: Option<String>,
    /// The meaning of the permission.
    #[serde(default)]
    description: String,
    /// The heading under which a page shows it.
    category: Option<String>,
}

/// Changes of a permission. Missing members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionChange {
    /// The new machine-readable identifier.
    slug: Option<String>,
    /// The new display name.
    name: Option<String>,
    /// The meaning of the permission.
    description: Option<String>,
    /// The heading under which a page shows it; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    category: Update<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionPath {
    permission_id: PermissionId,
}

fn permission_in(tx: &Tx, permission: PermissionId) -> Result<Permission, Problem> {
    found(tx.preview().at(tx.instant()).permission(permission), "permission").map(Permission::from)
}

fn permission_before(tx: &Tx, permission: PermissionId) -> Option<Permission> {
    tx.base().at(tx.instant()).permission(permission).map(Permission::from)
}

/// Lists permissions, by slug.
#[utoipa::path(get, path = "/permissions", tag = "permissions", params(ListParameters),
    responses((status = 200, body = ListPage<Permission>)))]
async fn list(asking: Permitted<PermissionsRead>, Parameters(list): Parameters<ListParameters>) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    let permissions = ListPage::<Permission>::of(moment.permissions(&page));
    Ok(at(&moment, permissions))
}

/// Creates a permission. For AuthZEN, `TYPE:ID:ACTION` takes access to that resource from those who hold only `TYPE:ACTION`.
#[utoipa::path(post, path = "/permissions", tag = "permissions", params(PreviewParameter),
    request_body = NewPermission, responses((status = 201, body = Permission)))]
async fn create(
    changing: Changing<PermissionsManage>,
    Path(tenant): Path<TenantPath>,
    Body(new): Body<NewPermission>,
) -> Answer {
    let created = changing.apply(move |tx, _| {
        let permission = tx.create_permission(&new.slug)?;
        if let Some(name) = &new.name {
            permission.set_name(name)?;
        }
        let id = permission.set_description(&new.description)?.set_category(new.category.as_deref())?.id()?;
        permission_in(tx, id)
    });
    Ok(created.await?.created(|permission| format!("{}/permissions/{}", tenant.base(), permission.id)))
}

/// Reads a permission.
#[utoipa::path(get, path = "/permissions/{permissionId}", tag = "permissions",
    params(("permissionId" = String, Path)), responses((status = 200, body = Permission)))]
async fn read(asking: Permitted<PermissionsRead>, Ids(path): Ids<PermissionPath>) -> Answer {
    let permission = Permission::from(found(asking.moment().permission(path.permission_id), "permission")?);
    Ok(tagged(&tag_of(&permission), permission))
}

/// Changes a permission. Needs `If-Match` with the tag of the permission.
///
/// Another slug for `TYPE:ID:ACTION` while `TYPE:ACTION` is registered requires to hold the first: AuthZEN asks for the second from
/// then on. So does another slug for `TYPE:ACTION`.
#[utoipa::path(patch, path = "/permissions/{permissionId}", tag = "permissions", request_body = PermissionChange,
    params(("permissionId" = String, Path), ("If-Match" = String, Header), PreviewParameter),
    responses((status = 200, body = Permission)))]
async fn change(
    changing: Changing<PermissionsManage>,
    Ids(path): Ids<PermissionPath>,
    Body(new): Body<PermissionChange>,
) -> Answer {
    changing.condition().required()?;
    let actor = changing.principal().user;
    let changed = changing.apply(move |tx, condition| {
        let permission = tx.permission(path.permission_id)?;
        let before = permission_before(tx, path.permission_id);
        condition.judge(tx, before.as_ref())?;
        if let Some(slug) = &new.slug {
            if before.is_some_and(|before| before.slug != *slug) {
                specific::may_end(&tx.base().at(tx.instant()), actor, path.permission_id)?;
            }
            permission.set_slug(slug)?;
        }
        if let Some(name) = &new.name {
            permission.set_name(name)?;
        }
        if let Some(description) = &new.description {
            permission.set_description(description)?;
        }
        for category in new.category.change() {
            permission.set_category(category)?;
        }
        permission_in(tx, path.permission_id)
    });
    Ok(changed.await?.changed())
}

/// Deletes a permission, with its grants.
///
/// For `TYPE:ID:ACTION` while `TYPE:ACTION` is registered, this requires to hold the first: AuthZEN asks for the second from then
/// on. So does deleting `TYPE:ACTION`.
#[utoipa::path(delete, path = "/permissions/{permissionId}", tag = "permissions",
    params(("permissionId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn delete(changing: Changing<PermissionsManage>, Ids(path): Ids<PermissionPath>) -> Answer {
    let actor = changing.principal().user;
    let deleted = changing.apply(move |tx, condition| {
        tx.permission(path.permission_id)?;
        condition.judge(tx, permission_before(tx, path.permission_id).as_ref())?;
        specific::may_end(&tx.base().at(tx.instant()), actor, path.permission_id)?;
        Ok(tx.delete_permission(path.permission_id)?)
    });
    Ok(deleted.await?.removed())
}

/// Lists the users who have a permission at this instant, by key.
#[utoipa::path(get, path = "/permissions/{permissionId}/users", tag = "permissions",
    params(("permissionId" = String, Path), ListParameters), responses((status = 200, body = ListPage<User>)))]
async fn users(
    asking: Permitted<AccessRead>,
    Ids(path): Ids<PermissionPath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.permission(path.permission_id), "permission")?;
    let users = ListPage::<User>::of(moment.who_can(path.permission_id).page(&page));
    Ok(at(&moment, users))
}
