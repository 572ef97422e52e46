//! Groups: a group of the directory is a group of the tenant, its members are direct members, and groups among its members
//! are its subgroups.

use std::collections::BTreeSet;

use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::response::Response;
use rolecall::records::{GroupId, GroupRecord, Slug, UserId};
use rolecall::{Tx, Window};
use serde_json::Value;

use super::attribute::{Attribute, ResourceKind};
use super::body::{self, Attributes, Body};
use super::error::ScimError;
use super::filter::folded;
use super::patch::{self, Kind};
use super::query::{ListQuery, Projection};
use super::view::{MOST_RELATED, Room, View};
use super::{Answer, Condition, ResourcePath, Scope, answer, listed};

/// A change of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Edit {
    DisplayName(String),
    ExternalId(Option<String>),
    /// Adds members, by id.
    Add(Vec<String>),
    /// Removes members, by id.
    Remove(Vec<String>),
    /// Gives the group exactly these members.
    Set(Vec<String>),
}

/// A member of a group.
enum Member {
    User(UserId),
    Group(GroupId),
}

fn display_name(value: Value) -> Result<Edit, ScimError> {
    let name = body::text("displayName", value)?;
    name.map(Edit::DisplayName).ok_or_else(|| ScimError::invalid_value("`displayName` is required"))
}

/// The ids of members in a body.
fn member_ids(value: Value) -> Result<Vec<String>, ScimError> {
    let id = |member: Value| {
        let value = body::object(member).ok().and_then(|mut member| member.remove("value"));
        match value {
            Some(Value::String(id)) => Ok(id),
            _ => Err(ScimError::invalid_value("expected objects with a string as `value` in `members`")),
        }
    };
    body::entries(value).into_iter().map(id).collect()
}

/// The attributes of a body. An attribute that the body lacks keeps its value, even in PUT. So a group that was read without
/// its members does not lose them when it is written. An empty list of members, or `null`, removes all.
fn edits(mut body: Attributes) -> Result<Vec<Edit>, ScimError> {
    super::check_schema(&body, ResourceKind::Group)?;
    let mut edits = vec![display_name(body.remove("displayname").unwrap_or_default())?];
    if let Some(id) = body.remove("externalid") {
        edits.push(Edit::ExternalId(body::text("externalId", id)?));
    }
    if let Some(members) = body.remove("members") {
        edits.push(Edit::Set(member_ids(members)?));
    }
    Ok(edits)
}

/// The changes of a PATCH.
fn patched(body: Attributes) -> Result<Vec<Edit>, ScimError> {
    let one = |operation: patch::Operation| {
        let is_removed = operation.kind == Kind::Remove;
        match operation.attribute {
            Attribute::DisplayName if is_removed => Err(ScimError::mutability("`displayName` cannot be removed")),
            Attribute::DisplayName => display_name(operation.value.unwrap_or_default()),
            Attribute::ExternalId => {
                let value = operation.value.filter(|_| !is_removed).unwrap_or_default();
                Ok(Edit::ExternalId(body::text("externalId", value)?))
            }
            Attribute::Members => Ok(match (operation.kind, operation.ids, operation.value) {
                (Kind::Add, _, value) => Edit::Add(member_ids(value.unwrap_or_default())?),
                (Kind::Replace, _, value) => Edit::Set(member_ids(value.unwrap_or_default())?),
                (Kind::Remove, Some(ids), _) => Edit::Remove(ids),
                // Entra sends those to remove as the value. Only without any value are all of them meant.
                (Kind::Remove, None, Some(value)) if !value.is_null() => Edit::Remove(member_ids(value)?),
                (Kind::Remove, None, _) => Edit::Set(Vec::new()),
            }),
            _ => Err(ScimError::invalid_path("a group has no such attribute")),
        }
    };
    patch::operations(ResourceKind::Group, body)?.into_iter().map(one).collect()
}

/// Finds a member: a user or group that the directory manages, or a user who is in the group already.
fn member(view: &View<'_>, group: GroupId, id: &str) -> Option<Member> {
    if let Some(user) = view.user(id) {
        return Some(Member::User(user.id));
    }
    if let Some(child) = view.group(id) {
        return Some(Member::Group(child.id));
    }
    let user = id.parse::<UserId>().ok()?;
    let is_member = view.groups_of(user).iter().any(|held| held.id == group);
    is_member.then_some(Member::User(user))
}

fn members(view: &View<'_>, group: GroupId, ids: &[String]) -> Result<(Vec<UserId>, BTreeSet<GroupId>), ScimError> {
    let (mut users, mut groups) = (Vec::with_capacity(ids.len()), BTreeSet::new());
    for id in ids {
        match member(view, group, id) {
            Some(Member::User(user)) => users.push(user),
            Some(Member::Group(child)) => {
                groups.insert(child);
            }
            None => {
                let detail =
                    format!("member {} is neither a user nor a group of the directory", rolecall::error::Quoted(id));
                return Err(ScimError::invalid_value(detail));
            }
        }
    }
    Ok((users, groups))
}

/// Makes the changes. `view` is the tenant before them.
fn apply(tx: &Tx, view: &View<'_>, group: GroupId, edits: &[Edit]) -> Result<(), ScimError> {
    let edit = tx.group(group)?;
    let mut children: BTreeSet<GroupId> = view.member_groups(group).iter().map(|child| child.id).collect();
    for change in edits {
        match change {
            Edit::DisplayName(name) => {
                edit.set_name(name)?;
            }
            Edit::ExternalId(id) => {
                edit.set_external_id(id.as_deref())?;
            }
            Edit::Add(ids) => {
                let (users, groups) = members(view, group, ids)?;
                for user in users {
                    edit.ensure_member(user, Window::ALWAYS)?;
                }
                for child in groups {
                    tx.group(child)?.ensure_parent(group, Window::ALWAYS)?;
                    children.insert(child);
                }
            }
            Edit::Remove(ids) => {
                for id in ids {
                    // Somebody who is not a member, or does not exist any more, is removed already.
                    match member(view, group, id) {
                        Some(Member::User(user)) => {
                            edit.remove_member(user)?;
                        }
                        Some(Member::Group(child)) if children.remove(&child) => {
                            tx.group(child)?.remove_parent(group)?;
                        }
                        _ => {}
                    }
                }
            }
            Edit::Set(ids) => {
                let (users, groups) = members(view, group, ids)?;
                edit.set_members(users)?;
                for child in children.difference(&groups) {
                    tx.group(*child)?.remove_parent(group)?;
                }
                for child in groups.difference(&children) {
                    tx.group(*child)?.ensure_parent(group, Window::ALWAYS)?;
                }
                children = groups;
            }
        }
    }
    Ok(())
}

/// A slug that no group has, from the name. It stays when the name changes.
fn free_slug(view: &View<'_>, name: &str) -> String {
    let slug = Slug::from_name(name).map_or_else(|_| "group".to_owned(), |slug| slug.as_str().to_owned());
    if view.moment.group(slug.as_str()).is_none() {
        return slug;
    }
    // ASCII, so that each character is a byte. A slug has at most 255.
    let short: String = slug.chars().take(200).collect();
    format!("{short}-{}", uuid::Uuid::new_v4().simple())
}

fn create_in(tx: &Tx, view: &View<'_>, edits: &[Edit]) -> Result<GroupId, ScimError> {
    let Some(Edit::DisplayName(name)) = edits.first() else {
        return Err(ScimError::invalid_value("`displayName` is required"));
    };
    // Two groups may have one name. Without an external id, a second one is a request that was sent twice.
    if !edits.iter().any(|edit| matches!(edit, Edit::ExternalId(Some(_)))) {
        let mut groups = view.moment.groups_managed_by(view.directory);
        if groups.any(|group| folded(group.name.as_str()) == folded(name)) {
            return Err(ScimError::uniqueness("another group has this `displayName`, and there is no `externalId`"));
        }
    }
    let group = tx.create_group(&free_slug(view, name))?;
    group.set_managed_by(Some(view.directory))?;
    let id = group.id()?;
    apply(tx, view, id, edits)?;
    Ok(id)
}

fn found(view: &View<'_>, id: &str) -> Result<GroupRecord, ScimError> {
    view.group(id).ok_or_else(ScimError::not_found)
}

/// Lists groups, by slug.
pub(super) async fn list(scope: Scope, RawQuery(query): RawQuery) -> Answer {
    let list = ListQuery::of_query(query.as_deref())?;
    listed(&scope.view(), &[ResourceKind::Group], &list)
}

/// Lists groups, with the parameters in the body.
pub(super) async fn search(scope: Scope, Body(body): Body) -> Answer {
    listed(&scope.view(), &[ResourceKind::Group], &ListQuery::of_search(body)?)
}

fn one(view: &View<'_>, group: &GroupRecord, projection: &Projection) -> Result<Response, ScimError> {
    let resource = view.group_resource(group, projection, &mut Room::default())?;
    Ok(answer(&view.group_version(group), resource))
}

/// The answer to a write. It leaves out the members if they are too many for one answer.
fn written(scope: &Scope, id: &str, projection: Projection) -> Result<Response, ScimError> {
    let scope = scope.again();
    let view = scope.view();
    let group = found(&view, id)?;
    let projection = if view.related(group.id) > MOST_RELATED { projection.without("members") } else { projection };
    one(&view, &group, &projection)
}

/// Reads a group.
pub(super) async fn read(scope: Scope, path: ResourcePath, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let (view, projection) = (scope.view(), Projection::of_query(query.as_deref())?);
    let group = found(&view, &path.id)?;
    if let Some(unchanged) = super::unchanged(&headers, &view.group_version(&group)) {
        return Ok(unchanged);
    }
    one(&view, &group, &projection)
}

/// Creates a group, managed by the directory.
pub(super) async fn create(scope: Scope, RawQuery(query): RawQuery, Body(body): Body) -> Answer {
    let projection = Projection::of_query(query.as_deref())?;
    let edits = edits(body)?;
    let members = member_changes(&scope.view(), "", &edits);
    let id = scope.change_members(members, move |tx, view| create_in(tx, view, &edits)).await?.to_string();
    let response = written(&scope, &id, projection)?;
    Ok(super::created(&scope.view(), ResourceKind::Group, &id, response))
}

/// How many members these changes of a group add and remove, at most.
fn member_changes(view: &View<'_>, id: &str, edits: &[Edit]) -> usize {
    let members = view.group(id).and_then(|group| view.moment.member_count(group.id)).unwrap_or(0);
    let of_one = |edit: &Edit| match edit {
        Edit::DisplayName(_) | Edit::ExternalId(_) => 0,
        Edit::Add(ids) | Edit::Remove(ids) => ids.len(),
        Edit::Set(ids) => ids.len() + members,
    };
    edits.iter().map(of_one).sum()
}

async fn change(scope: &Scope, id: String, condition: Condition, edits: Vec<Edit>) -> Result<(), ScimError> {
    let members = member_changes(&scope.view(), &id, &edits);
    let changed = scope.change_members(members, move |tx, view| {
        let group = found(view, &id)?;
        condition.judge(&view.group_version(&group))?;
        apply(tx, view, group.id, &edits)
    });
    changed.await
}

/// Replaces a group, with its whole list of members.
pub(super) async fn replace(
    scope: Scope,
    path: ResourcePath,
    condition: Condition,
    RawQuery(query): RawQuery,
    Body(body): Body,
) -> Answer {
    let projection = Projection::of_query(query.as_deref())?;
    change(&scope, path.id.clone(), condition, edits(body)?).await?;
    written(&scope, &path.id, projection)
}

/// Changes a group. The answer has no body, unless the request says which attributes it wants: a group can be large.
pub(super) async fn patch(
    scope: Scope,
    path: ResourcePath,
    condition: Condition,
    RawQuery(query): RawQuery,
    Body(body): Body,
) -> Answer {
    let projection = Projection::of_query(query.as_deref())?;
    change(&scope, path.id.clone(), condition, patched(body)?).await?;
    if projection.is_given() { written(&scope, &path.id, projection) } else { Ok(super::no_content()) }
}

/// Deletes a group.
pub(super) async fn delete(scope: Scope, path: ResourcePath, condition: Condition) -> Answer {
    let members = member_changes(&scope.view(), &path.id, &[Edit::Set(Vec::new())]);
    let deleted = scope.change_members(members, move |tx, view| {
        let group = found(view, &path.id)?;
        condition.judge(&view.group_version(&group))?;
        Ok(tx.delete_group(group.id)?)
    });
    deleted.await?;
    Ok(super::no_content())
}
