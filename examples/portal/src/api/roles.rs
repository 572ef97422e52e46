//! Roles: their grants, the roles that they include, and their holders.

use axum::extract::{Path, State};
use rolecall::plan::RoleEdit;
use rolecall::records::{Granted, RoleId};
use rolecall::{Moment, Tx};
use rolecall_axum::{Permitted, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{ChangeQuery, Changing, Condition, Counted, PreviewParameter};
use super::operations::OperationView;
use super::request::{Body, Ids, ListParameters, Parameters, PartParameters, TenantPath, at_most, found, id};
use super::views::{Group, ListPage, Related, Role, Sorted, User, at, tag_of, tagged};
use crate::catalog::required::{RolesManage, RolesRead};
use crate::deletion::Deletion;
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(grants, grant, change_grants, revoke))
        .routes(routes!(includes, include))
        .routes(routes!(exclude))
        .routes(routes!(users))
        .routes(routes!(groups))
}

/// A new role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// The display name.
    name: String,
    /// The machine-readable identifier. Without it, one is derived from the name.
    slug: Option<String>,
    /// The purpose of the role.
    #[serde(default)]
    description: String,
}

/// Changes of a role. Missing members stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// The new display name.
    name: Option<String>,
    /// The new machine-readable identifier.
    slug: Option<String>,
    /// The purpose of the role.
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RolePath {
    role_id: RoleId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncludedPath {
    role_id: RoleId,
    included_id: RoleId,
}

fn role_in(tx: &Tx, role: RoleId) -> Result<Role, Problem> {
    found(tx.preview().at(tx.instant()).role(role), "role").map(Role::from)
}

fn role_before(tx: &Tx, role: RoleId) -> Option<Role> {
    tx.base().at(tx.instant()).role(role).map(Role::from)
}

/// The role, to change it, if the condition of the request fits it.
fn judged_role<'t>(tx: &'t Tx, condition: &Condition, role: RoleId) -> Result<RoleEdit<'t>, Problem> {
    let edit = tx.role(role)?;
    condition.judge(tx, role_before(tx, role).as_ref())?;
    Ok(edit)
}

/// Lists roles, by slug.
#[utoipa::path(get, path = "/roles", tag = "roles", params(ListParameters),
    responses((status = 200, body = ListPage<Role>)))]
async fn list(asking: Permitted<RolesRead>, Parameters(list): Parameters<ListParameters>) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    Ok(at(&moment, ListPage::<Role>::of(moment.roles(&page))))
}

/// Creates a role.
#[utoipa::path(post, path = "/roles", tag = "roles", params(PreviewParameter), request_body = NewRole,
    responses((status = 201, body = Role)))]
async fn create(changing: Changing<RolesManage>, Path(tenant): Path<TenantPath>, Body(new): Body<NewRole>) -> Answer {
    let created = changing.apply(move |tx, _| {
        let role = match &new.slug {
            Some(slug) => {
                let role = tx.create_role(slug)?;
                role.set_name(&new.name)?;
                role
            }
            None => tx.create_role_with_name(&new.name)?,
        };
        let id = role.set_description(&new.description)?.id()?;
        role_in(tx, id)
    });
    Ok(created.await?.created(|role| format!("{}/roles/{}", tenant.base(), role.id)))
}

/// Reads a role.
#[utoipa::path(get, path = "/roles/{roleId}", tag = "roles", params(("roleId" = String, Path)),
    responses((status = 200, body = Role)))]
async fn read(asking: Permitted<RolesRead>, Ids(path): Ids<RolePath>) -> Answer {
    let role = Role::from(found(asking.moment().role(path.role_id), "role")?);
    Ok(tagged(&tag_of(&role), role))
}

/// Changes a role. Needs `If-Match` with the tag of the role.
#[utoipa::path(patch, path = "/roles/{roleId}", tag = "roles", request_body = RoleChange,
    params(("roleId" = String, Path), ("If-Match" = String, Header), PreviewParameter),
    responses((status = 200, body = Role)))]
async fn change(changing: Changing<RolesManage>, Ids(path): Ids<RolePath>, Body(new): Body<RoleChange>) -> Answer {
    changing.condition().required()?;
    let changed = changing.apply(move |tx, condition| {
        let role = judged_role(tx, condition, path.role_id)?;
        if let Some(slug) = &new.slug {
            role.set_slug(slug)?;
        }
        if let Some(name) = &new.name {
            role.set_name(name)?;
        }
        if let Some(description) = &new.description {
            role.set_description(description)?;
        }
        role_in(tx, path.role_id)
    });
    Ok(changed.await?.changed())
}

/// Deletes a role, with its assignments, grants and inclusions.
#[utoipa::path(delete, path = "/roles/{roleId}", tag = "roles",
    params(("roleId" = String, Path), PreviewParameter),
    responses((status = 204),
        (status = 202, description = "Very many users have it, so the deletion goes on.", body = OperationView,
            headers(("Location" = String, description = "The path of the operation."),
                ("Retry-After" = u32, description = "In seconds."))),
        (status = 429, description = "Too many deletions of the token's user have not ended yet.")))]
async fn delete(
    State(state): State<PortalState>,
    changing: Changing<RolesManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<RolePath>,
) -> Answer {
    let role = path.role_id;
    let judge = move |tx: &Tx, condition: &Condition| judged_role(tx, condition, role).map(drop);
    changing.delete(state.operations(), &tenant, Deletion::Role(role), judge).await
}

/// A grant of a role: the slug of a permission, or a pattern.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Granting {
    /// The slug of a permission, or a pattern with `*`.
    #[schema(example = "posts:*")]
    grant: String,
}

impl Sorted for Granting {
    fn slug_and_id(&self) -> (String, String) {
        (self.grant.clone(), String::new())
    }
}

/// The texts of what a role grants itself.
fn texts(moment: &Moment<'_>, role: RoleId) -> Vec<Granting> {
    let text = |granted: Granted| match granted {
        Granted::Pattern(pattern) => Some(pattern.to_string()),
        Granted::Permission(permission) => moment.permission(permission.id()).map(|found| found.slug().to_string()),
    };
    moment.grants_of(role).items.into_iter().filter_map(text).map(|grant| Granting { grant }).collect()
}

/// Lists what a role itself grants.
#[utoipa::path(get, path = "/roles/{roleId}/grants", tag = "roles",
    params(("roleId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Granting>)))]
async fn grants(
    asking: Permitted<RolesRead>,
    Ids(path): Ids<RolePath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.role(path.role_id), "role")?;
    let grants = ListPage::<Granting>::part(texts(&moment, path.role_id), &part)?;
    Ok(at(&moment, grants))
}

/// Grants a permission or a pattern. 200 if the role grants it already.
#[utoipa::path(post, path = "/roles/{roleId}/grants", tag = "roles", request_body = Granting,
    params(("roleId" = String, Path), PreviewParameter),
    responses((status = 201, body = Granting), (status = 200, body = Granting)))]
async fn grant(
    changing: Changing<RolesManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<RolePath>,
    Body(new): Body<Granting>,
) -> Answer {
    let role = path.role_id;
    let granted = changing.apply(move |tx, condition| {
        judged_role(tx, condition, role)?;
        let is_new = !texts(&tx.base().at(tx.instant()), role).iter().any(|granted| granted.grant == new.grant);
        tx.role(role)?.grant(new.grant.as_str())?;
        Ok((new.clone(), is_new))
    });
    let base = tenant.base();
    Ok(granted.await?.ensured(|_| format!("{base}/roles/{role}/grants")))
}

/// Grants to add to a role and to take from it, all of them or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantChange {
    /// The slugs and patterns to grant.
    #[serde(default)]
    add: Vec<String>,
    /// The slugs and patterns to take away. One that the role does not grant is not an error.
    #[serde(default)]
    remove: Vec<String>,
}

/// Grants permissions and patterns and takes others away, all of them or none. An entry of both lists is granted.
#[utoipa::path(patch, path = "/roles/{roleId}/grants", tag = "roles", request_body = GrantChange,
    params(("roleId" = String, Path), PreviewParameter), responses((status = 200, body = Counted)))]
async fn change_grants(
    changing: Changing<RolesManage>,
    Ids(path): Ids<RolePath>,
    Body(new): Body<GrantChange>,
) -> Answer {
    at_most(new.add.len().saturating_add(new.remove.len()))?;
    let id = path.role_id;
    let changed = changing.apply(move |tx, condition| {
        let role = judged_role(tx, condition, id)?;
        let before = texts(&tx.base().at(tx.instant()), id);
        let counted = Counted::of(&new.add, &new.remove, |grant| before.iter().any(|granted| granted.grant == *grant));
        for grant in &new.remove {
            role.revoke(grant.as_str())?;
        }
        for grant in &new.add {
            role.grant(grant.as_str())?;
        }
        Ok(counted)
    });
    Ok(changed.await?.done())
}

/// Takes a grant away: exactly this permission or this pattern. One that the role does not grant is not an error.
#[utoipa::path(delete, path = "/roles/{roleId}/grants", tag = "roles",
    params(("roleId" = String, Path), Granting, PreviewParameter), responses((status = 204)))]
async fn revoke(changing: Changing<RolesManage, RevokeParameters>, Ids(path): Ids<RolePath>) -> Answer {
    let grant = changing.query().grant.clone();
    let revoked = changing.apply(move |tx, condition| {
        let role = judged_role(tx, condition, path.role_id)?;
        role.revoke(grant.as_str())?;
        Ok(())
    });
    Ok(revoked.await?.removed())
}

/// The query of [`revoke`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeParameters {
    grant: String,
    #[serde(default)]
    preview: bool,
}

impl ChangeQuery for RevokeParameters {
    fn is_preview(&self) -> bool {
        self.preview
    }
}

/// Lists the roles that a role includes.
#[utoipa::path(get, path = "/roles/{roleId}/includes", tag = "roles",
    params(("roleId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Role>)))]
async fn includes(
    asking: Permitted<RolesRead>,
    Ids(path): Ids<RolePath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.role(path.role_id), "role")?;
    let roles = ListPage::<Role>::part(moment.includes_of(path.role_id).items, &part)?;
    Ok(at(&moment, roles))
}

/// A role to include.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewInclusion {
    /// The id of the role to include.
    role_id: String,
}

/// Makes a role include another one. 200 if it does already.
#[utoipa::path(post, path = "/roles/{roleId}/includes", tag = "roles", request_body = NewInclusion,
    params(("roleId" = String, Path), PreviewParameter),
    responses((status = 201, body = Role), (status = 200, body = Role)))]
async fn include(
    changing: Changing<RolesManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<RolePath>,
    Body(new): Body<NewInclusion>,
) -> Answer {
    let (role, included) = (path.role_id, id::<RoleId>(&new.role_id)?);
    let done = changing.apply(move |tx, condition| {
        judged_role(tx, condition, role)?;
        let before = tx.base().at(tx.instant());
        let is_new = !before.includes_of(role).items.iter().any(|other| other.id() == included);
        tx.role(role)?.include(included)?;
        Ok((role_in(tx, included)?, is_new))
    });
    let base = tenant.base();
    Ok(done.await?.ensured(|_| format!("{base}/roles/{role}/includes/{included}")))
}

/// Makes a role no longer include another one. One that it does not include is not an error.
#[utoipa::path(delete, path = "/roles/{roleId}/includes/{includedId}", tag = "roles",
    params(("roleId" = String, Path), ("includedId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn exclude(changing: Changing<RolesManage>, Ids(path): Ids<IncludedPath>) -> Answer {
    let excluded = changing.apply(move |tx, condition| {
        let role = judged_role(tx, condition, path.role_id)?;
        role.exclude(path.included_id)?;
        Ok(())
    });
    Ok(excluded.await?.removed())
}

/// Lists the users to whom a role is assigned directly.
#[utoipa::path(get, path = "/roles/{roleId}/users", tag = "roles",
    params(("roleId" = String, Path), ListParameters), responses((status = 200, body = ListPage<Related<User>>)))]
async fn users(
    asking: Permitted<RolesRead>,
    Ids(path): Ids<RolePath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.role(path.role_id), "role")?;
    let users = ListPage::<Related<User>>::of(moment.holders(path.role_id, &page));
    Ok(at(&moment, users))
}

/// Lists the groups to which a role is assigned directly.
#[utoipa::path(get, path = "/roles/{roleId}/groups", tag = "roles",
    params(("roleId" = String, Path), ListParameters), responses((status = 200, body = ListPage<Related<Group>>)))]
async fn groups(
    asking: Permitted<RolesRead>,
    Ids(path): Ids<RolePath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.role(path.role_id), "role")?;
    let groups = ListPage::<Related<Group>>::of(moment.groups_with(path.role_id, &page));
    Ok(at(&moment, groups))
}
