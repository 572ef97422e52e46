//! The members of a group.

use axum::extract::Path;
use rolecall::moment::WithWindow;
use rolecall::records::{GroupId, UserId};
use rolecall::{Moment, Timestamp};
use rolecall_axum::Permitted;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{GroupPath, judged_group};
use crate::api::Answer;
use crate::api::change::{Changing, Counted, PreviewParameter};
use crate::api::request::{
    Body, Ids, ListChange, ListParameters, Parameters, TenantPath, WindowBody, found, id, window,
};
use crate::api::views::{Active, ListPage, User, at};
use crate::catalog::required::{GroupsManage, GroupsRead};
use crate::state::PortalState;

pub(super) fn router() -> OpenApiRouter<PortalState> {
    OpenApiRouter::new()
        .routes(routes!(members, add_member, change_members))
        .routes(routes!(all_members))
        .routes(routes!(member, set_member, remove_member))
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
    Ok(at(&moment, members))
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
        let edit = judged_group(tx, condition, group)?;
        let is_new = membership(&tx.base().at(tx.instant()), group, user).is_none();
        edit.add_member_during(user, window)?;
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
        let (before, edit) = (tx.base().at(tx.instant()), judged_group(tx, condition, group)?);
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
    Ok(at(&moment, member))
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
        let edit = judged_group(tx, condition, group)?;
        let is_new = membership(&tx.base().at(tx.instant()), group, user).is_none();
        if is_new {
            edit.add_member_during(user, window)?;
        } else {
            edit.set_member_window(user, window)?;
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
        Ok(judged_group(tx, condition, path.group_id)?.remove_member(path.user_id)?.done()?)
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
    Ok(at(&moment, users))
}
