//! Users, their groups, their roles, and what they may do.

use axum::extract::Path;
use rolecall::Tx;
use rolecall::plan::UserEdit;
use rolecall::records::{Holder, RoleId, UserId};
use rolecall_axum::{Permitted, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::assignments::{self, Assigned, NewAssignment};
use super::change::{Changing, Condition, Counted, PreviewParameter};
use super::request::{Body, Ids, ListChange, ListParameters, Parameters, PartParameters, TenantPath, Update, found};
use super::views::{Group, ListPage, Permission, Related, Role, Sourced, User, at, tag_of, tagged};
use crate::catalog::required::{AccessRead, UsersManage, UsersRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(groups))
        .routes(routes!(effective_groups))
        .routes(routes!(roles, assign_role, change_roles))
        .routes(routes!(role, unassign_role))
        .routes(routes!(effective_roles))
        .routes(routes!(effective_permissions))
}

/// A new user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The application's name for the user, such as an e-mail address.
    key: String,
    /// The display name.
    name: Option<String>,
}

/// Changes of a user. Missing members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The new key.
    key: Option<String>,
    /// The new display name; `null` removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Update<String>,
    /// Whether the user is suspended, and may do nothing.
    suspended: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserPath {
    pub(super) user_id: UserId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserRolePath {
    user_id: UserId,
    role_id: RoleId,
}

/// The user after the changes of the transaction so far.
pub(super) fn user_in(tx: &Tx, user: UserId) -> Result<User, Problem> {
    found(tx.preview().at(tx.instant()).user(user), "user").map(User::from)
}

/// The user before the transaction.
pub(super) fn user_before(tx: &Tx, user: UserId) -> Option<User> {
    tx.base().at(tx.instant()).user(user).map(User::from)
}

/// The user, to change it, if the condition of the request fits it.
pub(super) fn judged_user<'t>(tx: &'t Tx, condition: &Condition, user: UserId) -> Result<UserEdit<'t>, Problem> {
    let edit = tx.user(user)?;
    condition.judge(tx, user_before(tx, user).as_ref())?;
    Ok(edit)
}

/// Lists users, by key.
#[utoipa::path(get, path = "/users", tag = "users", params(ListParameters),
    responses((status = 200, body = ListPage<User>)))]
async fn list(asking: Permitted<UsersRead>, Parameters(list): Parameters<ListParameters>) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    Ok(at(&moment, ListPage::<User>::of(moment.users(&page))))
}

/// Creates a user.
#[utoipa::path(post, path = "/users", tag = "users", params(PreviewParameter), request_body = NewUser,
    responses((status = 201, body = User)))]
async fn create(changing: Changing<UsersManage>, Path(tenant): Path<TenantPath>, Body(new): Body<NewUser>) -> Answer {
    let created = changing.apply(move |tx, _| {
        let id = tx.create_user(&new.key)?.set_name(new.name.as_deref())?.id()?;
        user_in(tx, id)
    });
    Ok(created.await?.created(|user| format!("{}/users/{}", tenant.base(), user.id)))
}

/// Reads a user.
#[utoipa::path(get, path = "/users/{userId}", tag = "users", params(("userId" = String, Path)),
    responses((status = 200, body = User)))]
async fn read(asking: Permitted<UsersRead>, Ids(path): Ids<UserPath>) -> Answer {
    let user = User::from(found(asking.moment().user(path.user_id), "user")?);
    Ok(tagged(&tag_of(&user), user))
}

/// Changes a user, also suspends and reactivates it. Needs `If-Match` with the tag of the user.
#[utoipa::path(patch, path = "/users/{userId}", tag = "users", request_body = UserChange,
    params(("userId" = String, Path), ("If-Match" = String, Header), PreviewParameter),
    responses((status = 200, body = User)))]
async fn change(changing: Changing<UsersManage>, Ids(path): Ids<UserPath>, Body(new): Body<UserChange>) -> Answer {
    changing.condition().required()?;
    let changed = changing.apply(move |tx, condition| {
        let user = judged_user(tx, condition, path.user_id)?;
        if let Some(key) = &new.key {
            user.set_key(key)?;
        }
        for name in new.name.change() {
            user.set_name(name)?;
        }
        match new.suspended {
            Some(true) => user.suspend()?,
            Some(false) => user.activate()?,
            None => &user,
        };
        user_in(tx, path.user_id)
    });
    Ok(changed.await?.changed())
}

/// Deletes a user, with its memberships and assignments.
#[utoipa::path(delete, path = "/users/{userId}", tag = "users",
    params(("userId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn delete(changing: Changing<UsersManage>, Ids(path): Ids<UserPath>) -> Answer {
    let deleted = changing.apply(move |tx, condition| {
        judged_user(tx, condition, path.user_id)?;
        Ok(tx.delete_user(path.user_id)?)
    });
    Ok(deleted.await?.removed())
}

/// Lists the groups of which a user is a direct member.
#[utoipa::path(get, path = "/users/{userId}/groups", tag = "users",
    params(("userId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Related<Group>>)))]
async fn groups(
    asking: Permitted<UsersRead>,
    Ids(path): Ids<UserPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.user(path.user_id), "user")?;
    let groups = ListPage::<Related<Group>>::part(moment.groups_of(path.user_id).items, &part)?;
    Ok(at(&moment, groups))
}

/// Lists all groups that a user belongs to at this instant, and where each comes from.
#[utoipa::path(get, path = "/users/{userId}/effective-groups", tag = "users",
    params(("userId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Sourced<Group>>)))]
async fn effective_groups(
    asking: Permitted<UsersRead>,
    Ids(path): Ids<UserPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.user(path.user_id), "user")?;
    let groups = ListPage::<Sourced<Group>>::part(moment.all_groups_of(path.user_id).items, &part)?;
    Ok(at(&moment, groups))
}

/// Lists the roles that are assigned to a user directly.
#[utoipa::path(get, path = "/users/{userId}/roles", tag = "users",
    params(("userId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Assigned>)))]
async fn roles(
    asking: Permitted<UsersRead>,
    Ids(path): Ids<UserPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    assignments::list(&asking.moment(), Holder::User(path.user_id), &part)
}

/// Assigns a role to a user. 200 if it is assigned already, 409 if in another window.
#[utoipa::path(post, path = "/users/{userId}/roles", tag = "users", request_body = NewAssignment,
    params(("userId" = String, Path), PreviewParameter),
    responses((status = 201, body = Assigned), (status = 200, body = Assigned)))]
async fn assign_role(
    changing: Changing<UsersManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<UserPath>,
    Body(new): Body<NewAssignment>,
) -> Answer {
    assignments::assign(changing, &tenant, Holder::User(path.user_id), new).await
}

/// Assigns roles to a user and takes others away, all of them or none.
#[utoipa::path(patch, path = "/users/{userId}/roles", tag = "users", request_body = ListChange,
    params(("userId" = String, Path), PreviewParameter), responses((status = 200, body = Counted)))]
async fn change_roles(
    changing: Changing<UsersManage>,
    Ids(path): Ids<UserPath>,
    Body(new): Body<ListChange>,
) -> Answer {
    assignments::change(changing, Holder::User(path.user_id), new).await
}

/// Reads the assignment of a role to a user.
#[utoipa::path(get, path = "/users/{userId}/roles/{roleId}", tag = "users",
    params(("userId" = String, Path), ("roleId" = String, Path)), responses((status = 200, body = Assigned)))]
async fn role(asking: Permitted<UsersRead>, Ids(path): Ids<UserRolePath>) -> Answer {
    assignments::read(&asking.moment(), Holder::User(path.user_id), path.role_id)
}

/// Takes a role from a user. One that is not assigned is not an error.
#[utoipa::path(delete, path = "/users/{userId}/roles/{roleId}", tag = "users",
    params(("userId" = String, Path), ("roleId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn unassign_role(changing: Changing<UsersManage>, Ids(path): Ids<UserRolePath>) -> Answer {
    assignments::unassign(changing, Holder::User(path.user_id), path.role_id).await
}

/// Lists all roles that a user has at this instant, and where each comes from.
#[utoipa::path(get, path = "/users/{userId}/effective-roles", tag = "users",
    params(("userId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Sourced<Role>>)))]
async fn effective_roles(
    asking: Permitted<UsersRead>,
    Ids(path): Ids<UserPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.user(path.user_id), "user")?;
    let roles = moment.all_roles_of(path.user_id).items;
    let roles = ListPage::<Sourced<Role>>::part(roles, &part)?;
    Ok(at(&moment, roles))
}

/// A permission that a user has, with one of the shortest paths by which the user has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectivePermission {
    /// The permission.
    #[serde(flatten)]
    permission: Permission,
    /// The path as text.
    #[schema(example = "is in `engineering`, which has the role `editor`, which grants `posts:*`")]
    source: String,
    /// The steps of the path as data.
    #[schema(value_type = Object)]
    path: Value,
    /// Until when the user has the permission without a change; missing if no end is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

/// Lists what a user may do at this instant, and where each permission comes from.
#[utoipa::path(get, path = "/users/{userId}/effective-permissions", tag = "users",
    params(("userId" = String, Path), PartParameters),
    responses((status = 200, body = ListPage<EffectivePermission>)))]
async fn effective_permissions(
    asking: Permitted<AccessRead>,
    Ids(path): Ids<UserPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let (moment, user) = (asking.moment(), path.user_id);
    found(moment.user(user), "user")?;
    let records = moment.effective(user).records();
    let ListPage { items, next } = ListPage::<Permission>::part(records, &part)?;
    let sourced = |permission: Permission| {
        let path = moment.first_path(user, permission.slug.as_str());
        EffectivePermission {
            source: path.as_ref().map(ToString::to_string).unwrap_or_default(),
            path: serde_json::to_value(path.as_ref().map(rolecall::explain::Path::steps)).unwrap_or_default(),
            valid_until: moment.valid_until(user, permission.slug.as_str()).map(|until| until.to_string()),
            permission,
        }
    };
    let permissions = ListPage { items: items.into_iter().map(sourced).collect(), next };
    Ok(at(&moment, permissions))
}
