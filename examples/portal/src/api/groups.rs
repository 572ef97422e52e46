//! Groups, their members, their roles and their subgroups.

use axum::extract::Path;
use rolecall::moment::{Inherited, WithOrigin, WithWindow};
use rolecall::records::{GroupId, GroupRecord, PermissionRecord, RoleId, RoleRecord, UserId};
use rolecall::{ErrorKind, Moment, Timestamp, Tx, Window};
use rolecall_axum::{Permitted, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Answer;
use super::change::{Changing, Preview, PreviewParameter};
use super::request::{
    Body, Ids, ListChange, ListParameters, Parameters, PartParameters, TenantPath, WindowBody, id, window,
};
use super::views::{
    Active, Group, ListPage, Permission, Related, Role, Sourced, User, tag_of, tag_of_revision, tagged,
};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(members, add_member, change_members))
        .routes(routes!(all_members))
        .routes(routes!(member, set_member, remove_member))
        .routes(routes!(roles, assign_role, change_roles))
        .routes(routes!(role, unassign_role))
        .routes(routes!(subgroups, add_subgroup))
        .routes(routes!(remove_subgroup))
        .routes(routes!(parents))
        .routes(routes!(effective_roles))
        .routes(routes!(effective_permissions))
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

/// Changes of a group. Missing members stay as they are.
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

/// A user who is a direct member of a group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The group.
    group_id: String,
    /// The user.
    user_id: String,
    /// The user's key.
    key: String,
    /// The user's display name.
    name: String,
    /// Whether the user is suspended.
    suspended: bool,
    /// When the membership is active.
    #[serde(flatten)]
    window: Active,
}

impl Member {
    fn new(group: GroupId, user: User, window: Active) -> Self {
        let User { id: user_id, key, name, suspended, .. } = user;
        Self { group_id: group.to_string(), user_id, key, name, suspended, window }
    }
}

/// A user to add to a group, always or in a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewMember {
    /// The user's id.
    user_id: String,
    /// The first instant, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first instant after the end, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// How many entries of a list were added and removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counted {
    /// How many were added.
    pub(super) added: usize,
    /// How many were removed.
    pub(super) removed: usize,
}

impl Counted {
    /// Counts what is not there of what is to be added, and what is there of what is to be removed.
    pub(super) fn of<T>(add: &[T], remove: &[T], is_there: impl Fn(&T) -> bool) -> Self {
        let there = |list: &[T]| list.iter().filter(|item| is_there(item)).count();
        Self { added: add.len() - there(add), removed: there(remove) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberPath {
    group_id: GroupId,
    user_id: UserId,
}

/// The membership of a user in a group, if there is one.
fn membership(moment: &Moment<'_>, group: GroupId, user: UserId) -> Option<Member> {
    let held = moment.groups_of(user).items.into_iter().find(|held| held.record.id == group)?;
    Some(Member::new(group, User::from(moment.user(user)?), Active::new(held.window, held.active)))
}

/// Lists the direct members of a group, by key.
#[utoipa::path(get, path = "/groups/{groupId}/members", tag = "members",
    params(("groupId" = String, Path), ListParameters), responses((status = 200, body = ListPage<Member>)))]
async fn members(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.group(path.group_id), "group")?;
    let page = moment.members(path.group_id, &page);
    let member = |held: WithWindow<_>| {
        Member::new(path.group_id, User::from(held.record), Active::new(held.window, held.active))
    };
    let members = ListPage { items: page.items.into_iter().map(member).collect(), next: page.next };
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), members))
}

/// Adds a user to a group. 200 if the user is a member already, 409 if in another window.
#[utoipa::path(post, path = "/groups/{groupId}/members", tag = "members", request_body = NewMember,
    params(("groupId" = String, Path), PreviewParameter),
    responses((status = 201, body = Member), (status = 200, body = Member)))]
async fn add_member(
    changing: Changing<GroupsManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<NewMember>,
) -> Answer {
    let (group, user) = (path.group_id, id::<UserId>(&new.user_id)?);
    let window = window(new.from, new.until)?;
    let added = changing.apply(move |tx, condition| {
        tx.group(group)?;
        condition.judge(tx, group_before(tx, group).as_ref())?;
        let is_new = membership(&tx.base().at(tx.instant()), group, user).is_none();
        tx.group(group)?.add_member_during(user, window)?;
        Ok((found(membership(&tx.preview().at(tx.instant()), group, user), "membership")?, is_new))
    });
    let base = tenant.base();
    Ok(added.await?.ensured(|member| format!("{base}/groups/{group}/members/{}", member.user_id)))
}

/// Adds users to a group and removes others, all of them or none.
#[utoipa::path(patch, path = "/groups/{groupId}/members", tag = "members", request_body = ListChange,
    params(("groupId" = String, Path), PreviewParameter), responses((status = 200, body = Counted)))]
async fn change_members(
    changing: Changing<GroupsManage>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<ListChange>,
) -> Answer {
    let (group, (add, remove, window)) = (path.group_id, new.parsed::<UserId>()?);
    let changed = changing.apply(move |tx, condition| {
        let (before, edit) = (tx.base().at(tx.instant()), tx.group(group)?);
        condition.judge(tx, group_before(tx, group).as_ref())?;
        let counted = Counted::of(&add, &remove, |user| membership(&before, group, *user).is_some());
        for user in &remove {
            edit.remove_member(*user)?;
        }
        for user in &add {
            edit.add_member_during(*user, window)?;
        }
        Ok(counted)
    });
    Ok(changed.await?.done())
}

/// Reads a membership.
#[utoipa::path(get, path = "/groups/{groupId}/members/{userId}", tag = "members",
    params(("groupId" = String, Path), ("userId" = String, Path)), responses((status = 200, body = Member)))]
async fn member(asking: Permitted<GroupsRead>, Ids(path): Ids<MemberPath>) -> Answer {
    let moment = asking.moment();
    let member = found(membership(&moment, path.group_id, path.user_id), "membership")?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), member))
}

/// Makes a user a member in exactly this window, whether it is one already or not.
#[utoipa::path(put, path = "/groups/{groupId}/members/{userId}", tag = "members", request_body = WindowBody,
    params(("groupId" = String, Path), ("userId" = String, Path), PreviewParameter),
    responses((status = 200, body = Member), (status = 201, body = Member)))]
async fn set_member(
    changing: Changing<GroupsManage>,
    Path(tenant): Path<TenantPath>,
    Ids(path): Ids<MemberPath>,
    Body(new): Body<WindowBody>,
) -> Answer {
    let (MemberPath { group_id: group, user_id: user }, window) = (path, new.window()?);
    let changed = changing.apply(move |tx, condition| {
        tx.group(group)?;
        condition.judge(tx, group_before(tx, group).as_ref())?;
        let is_new = membership(&tx.base().at(tx.instant()), group, user).is_none();
        if is_new {
            tx.group(group)?.add_member_during(user, window)?;
        } else {
            tx.group(group)?.set_member_window(user, window)?;
        }
        Ok((found(membership(&tx.preview().at(tx.instant()), group, user), "membership")?, is_new))
    });
    let base = tenant.base();
    Ok(changed.await?.ensured(|member| format!("{base}/groups/{group}/members/{}", member.user_id)))
}

/// Removes a user from a group. One who is not a member is not an error.
#[utoipa::path(delete, path = "/groups/{groupId}/members/{userId}", tag = "members",
    params(("groupId" = String, Path), ("userId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn remove_member(changing: Changing<GroupsManage>, Ids(path): Ids<MemberPath>) -> Answer {
    let removed = changing.apply(move |tx, condition| {
        let group = tx.group(path.group_id)?;
        condition.judge(tx, group_before(tx, path.group_id).as_ref())?;
        group.remove_member(path.user_id)?;
        Ok(())
    });
    Ok(removed.await?.removed())
}

/// Lists the direct and inherited members of a group at this instant, by key.
#[utoipa::path(get, path = "/groups/{groupId}/members/all", tag = "members",
    params(("groupId" = String, Path), ListParameters), responses((status = 200, body = ListPage<User>)))]
async fn all_members(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(list): Parameters<ListParameters>,
) -> Answer {
    let (moment, page) = (asking.moment(), list.page()?);
    found(moment.group(path.group_id), "group")?;
    let users = ListPage::<User>::of(moment.all_members(path.group_id).page(&page));
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), users))
}

/// A role that is assigned to a group or to a user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assigned {
    /// The role.
    role_id: String,
    /// The role's slug.
    slug: String,
    /// The role's display name.
    name: String,
    /// When the assignment is active.
    #[serde(flatten)]
    window: Active,
}

impl From<WithWindow<WithOrigin<RoleRecord>>> for Assigned {
    fn from(held: WithWindow<WithOrigin<RoleRecord>>) -> Self {
        let (role, window) = (Role::from(held.record), Active::new(held.window, held.active));
        Self { role_id: role.id, slug: role.slug, name: role.name, window }
    }
}

/// A role to assign, always or in a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewAssignment {
    /// The role's id.
    role_id: String,
    /// The first instant, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The first instant after the end, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl NewAssignment {
    pub(super) fn parsed(&self) -> Result<(RoleId, Window), Problem> {
        Ok((id(&self.role_id)?, window(self.from, self.until)?))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupRolePath {
    group_id: GroupId,
    role_id: RoleId,
}

/// The slug and the id of a role that is held.
pub(super) fn role_name(held: &WithWindow<WithOrigin<RoleRecord>>) -> (String, String) {
    (held.record.slug().to_string(), held.record.id().to_string())
}

fn group_role(moment: &Moment<'_>, group: GroupId, role: RoleId) -> Option<Assigned> {
    moment.roles_of_group(group).items.into_iter().find(|held| held.record.id() == role).map(Assigned::from)
}

/// Lists the roles that are assigned to a group.
#[utoipa::path(get, path = "/groups/{groupId}/roles", tag = "groups",
    params(("groupId" = String, Path), PartParameters), responses((status = 200, body = ListPage<Assigned>)))]
async fn roles(
    asking: Permitted<GroupsRead>,
    Ids(path): Ids<GroupPath>,
    Parameters(part): Parameters<PartParameters>,
) -> Answer {
    let moment = asking.moment();
    found(moment.group(path.group_id), "group")?;
    let roles = ListPage::<Assigned>::part(moment.roles_of_group(path.group_id).items, &part, role_name)?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), roles))
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
    let (group, (role, window)) = (path.group_id, new.parsed()?);
    let assigned = changing.apply(move |tx, condition| {
        tx.group(group)?;
        condition.judge(tx, group_before(tx, group).as_ref())?;
        let is_new = group_role(&tx.base().at(tx.instant()), group, role).is_none();
        tx.group(group)?.assign_during(role, window)?;
        Ok((found(group_role(&tx.preview().at(tx.instant()), group, role), "assignment")?, is_new))
    });
    let base = tenant.base();
    Ok(assigned.await?.ensured(|assigned| format!("{base}/groups/{group}/roles/{}", assigned.role_id)))
}

/// Assigns roles to a group and takes others from it, all of them or none.
#[utoipa::path(patch, path = "/groups/{groupId}/roles", tag = "groups", request_body = ListChange,
    params(("groupId" = String, Path), PreviewParameter), responses((status = 200, body = Counted)))]
async fn change_roles(
    changing: Changing<GroupsManage>,
    Ids(path): Ids<GroupPath>,
    Body(new): Body<ListChange>,
) -> Answer {
    let (group, (add, remove, window)) = (path.group_id, new.parsed::<RoleId>()?);
    let changed = changing.apply(move |tx, condition| {
        let edit = tx.group(group)?;
        condition.judge(tx, group_before(tx, group).as_ref())?;
        let before = tx.base().at(tx.instant()).roles_of_group(group).items;
        let counted = Counted::of(&add, &remove, |role| before.iter().any(|held| held.record.id() == *role));
        for role in &remove {
            edit.unassign(*role)?;
        }
        for role in &add {
            edit.assign_during(*role, window)?;
        }
        Ok(counted)
    });
    Ok(changed.await?.done())
}

/// Reads the assignment of a role to a group.
#[utoipa::path(get, path = "/groups/{groupId}/roles/{roleId}", tag = "groups",
    params(("groupId" = String, Path), ("roleId" = String, Path)), responses((status = 200, body = Assigned)))]
async fn role(asking: Permitted<GroupsRead>, Ids(path): Ids<GroupRolePath>) -> Answer {
    let moment = asking.moment();
    let assigned = found(group_role(&moment, path.group_id, path.role_id), "assignment")?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), assigned))
}

/// Takes a role from a group. One that is not assigned is not an error.
#[utoipa::path(delete, path = "/groups/{groupId}/roles/{roleId}", tag = "groups",
    params(("groupId" = String, Path), ("roleId" = String, Path), PreviewParameter), responses((status = 204)))]
async fn unassign_role(changing: Changing<GroupsManage>, Ids(path): Ids<GroupRolePath>) -> Answer {
    let removed = changing.apply(move |tx, condition| {
        let group = tx.group(path.group_id)?;
        condition.judge(tx, group_before(tx, path.group_id).as_ref())?;
        group.unassign(path.role_id)?;
        Ok(())
    });
    Ok(removed.await?.removed())
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

fn group_name(held: &WithWindow<GroupRecord>) -> (String, String) {
    (held.record.slug.to_string(), held.record.id.to_string())
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
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), subgroups))
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
        tx.group(parent)?;
        condition.judge(tx, group_before(tx, parent).as_ref())?;
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
        tx.group(path.group_id)?;
        condition.judge(tx, group_before(tx, path.group_id).as_ref())?;
        tx.group(path.subgroup_id)?.remove_parent(path.group_id)?;
        Ok(())
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
    let parents = ListPage::<Related<Group>>::part(moment.parents_of(path.group_id).items, &part, group_name)?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), parents))
}

/// The slug and the id of a role that is held through others.
pub(super) fn sourced_role_name(held: &Inherited<WithOrigin<RoleRecord>>) -> (String, String) {
    (held.record.slug().to_string(), held.record.id().to_string())
}

/// The slug and the id of a permission.
pub(super) fn permission_name(permission: &WithOrigin<PermissionRecord>) -> (String, String) {
    (permission.slug().to_string(), permission.id().to_string())
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
    let roles = ListPage::<Sourced<Role>>::part(roles, &part, sourced_role_name)?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), roles))
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
    let permissions = ListPage::<Permission>::part(permissions, &part, permission_name)?;
    Ok(tagged(&tag_of_revision(moment.snapshot().revision()), permissions))
}
