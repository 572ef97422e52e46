//! Users: an account of the directory is a user of the tenant, `userName` is its key, and `active: false` suspends it.

use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::response::Response;
use rolecall::Tx;
use rolecall::records::UserRecord;
use serde_json::Value;

use super::attribute::{Attribute, ResourceKind};
use super::body::{self, Attributes, Body};
use super::error::ScimError;
use super::filter::folded;
use super::patch::{self, Kind};
use super::query::{ListQuery, Projection};
use super::view::{Room, View};
use super::{Answer, Condition, ResourcePath, Scope, answer, listed};

/// A change of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Edit {
    UserName(String),
    DisplayName(Option<String>),
    ExternalId(Option<String>),
    Active(bool),
}

/// The key of a user: `userName` in lower case. User names are compared without case (RFC 7643, section 4.1.1), and keys
/// byte for byte. So an application that knows its users by their user name looks them up in lower case, too.
pub fn key_of(user_name: &str) -> String {
    folded(user_name).into_owned()
}

fn user_name(value: Value) -> Result<Edit, ScimError> {
    let name = body::text("userName", value)?;
    name.map(Edit::UserName).ok_or_else(|| ScimError::invalid_value("`userName` is required"))
}

/// A display name from the parts of a name, for directories that do not send one.
fn name_from_parts(body: &Attributes) -> Option<String> {
    let parts = body.get("name")?.as_object()?;
    let part = |name: &str| parts.get(name).and_then(Value::as_str).map(str::trim).filter(|part| !part.is_empty());
    let both = [part("givenname"), part("familyname")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    part("formatted").map(str::to_owned).or(Some(both)).filter(|name| !name.is_empty())
}

/// The attributes of a body. An attribute that the body lacks keeps its value, even in PUT, because Okta leaves out the
/// attributes that it does not manage. A suspended user must not become active because a body does not mention it.
fn edits(mut body: Attributes) -> Result<Vec<Edit>, ScimError> {
    super::check_schema(&body, ResourceKind::User)?;
    let mut edits = vec![user_name(body.remove("username").unwrap_or_default())?];
    if let Some(name) = body.remove("displayname") {
        edits.push(Edit::DisplayName(body::text("displayName", name)?));
    } else if let Some(name) = name_from_parts(&body) {
        edits.push(Edit::DisplayName(Some(name)));
    }
    if let Some(id) = body.remove("externalid") {
        edits.push(Edit::ExternalId(body::text("externalId", id)?));
    }
    if let Some(active) = body.remove("active").filter(|active| !active.is_null()) {
        edits.push(Edit::Active(body::truth("active", &active)?));
    }
    Ok(edits)
}

/// The changes of a PATCH.
fn patched(body: Attributes) -> Result<Vec<Edit>, ScimError> {
    let one = |operation: patch::Operation| {
        let value = operation.value.filter(|_| operation.kind != Kind::Remove).unwrap_or_default();
        match operation.attribute {
            Attribute::UserName | Attribute::Active if value.is_null() => {
                Err(ScimError::mutability("`userName` and `active` cannot be removed"))
            }
            Attribute::UserName => user_name(value),
            Attribute::Active => Ok(Edit::Active(body::truth("active", &value)?)),
            Attribute::DisplayName => Ok(Edit::DisplayName(body::text("displayName", value)?)),
            Attribute::ExternalId => Ok(Edit::ExternalId(body::text("externalId", value)?)),
            _ => Err(ScimError::invalid_path("a user has no such attribute")),
        }
    };
    patch::operations(ResourceKind::User, body)?.into_iter().map(one).collect()
}

/// Makes the changes. `user` is the user before them.
fn apply(tx: &Tx, view: &View<'_>, user: &UserRecord, edits: &[Edit]) -> Result<(), ScimError> {
    let edit = tx.user(user.id)?;
    for change in edits {
        match change {
            Edit::UserName(name) if folded(user.key.as_str()) == folded(name) => edit.set_key(user.key.as_str())?,
            Edit::UserName(name) => {
                check_free(view, name)?;
                edit.set_key(&key_of(name))?
            }
            Edit::DisplayName(name) => edit.set_name(name.as_deref())?,
            Edit::ExternalId(id) => edit.set_external_id(id.as_deref())?,
            Edit::Active(true) => edit.activate()?,
            Edit::Active(false) => edit.suspend()?,
        };
    }
    Ok(())
}

/// Refuses a user name that somebody has, also with the case in which the directory writes it.
fn check_free(view: &View<'_>, name: &str) -> Result<(), ScimError> {
    let is_taken = |key: &str| view.moment.user(key).is_some();
    if is_taken(name) || is_taken(&key_of(name)) {
        return Err(ScimError::uniqueness("another user of the tenant has this `userName`"));
    }
    Ok(())
}

fn found(view: &View<'_>, id: &str) -> Result<UserRecord, ScimError> {
    view.user(id).ok_or_else(ScimError::not_found)
}

/// Lists users, by key.
pub(super) async fn list(scope: Scope, RawQuery(query): RawQuery) -> Answer {
    let list = ListQuery::of_query(query.as_deref())?;
    listed(&scope.view(), &[ResourceKind::User], &list)
}

/// Lists users, with the parameters in the body.
pub(super) async fn search(scope: Scope, Body(body): Body) -> Answer {
    listed(&scope.view(), &[ResourceKind::User], &ListQuery::of_search(body)?)
}

fn one(view: &View<'_>, user: &UserRecord, projection: &Projection) -> Result<Response, ScimError> {
    let resource = view.user_resource(user, projection, &mut Room::default())?;
    Ok(answer(&view.user_version(user), resource))
}

/// Reads a user.
pub(super) async fn read(scope: Scope, path: ResourcePath, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let (view, projection) = (scope.view(), Projection::of_query(query.as_deref())?);
    let user = found(&view, &path.id)?;
    if let Some(unchanged) = super::unchanged(&headers, &view.user_version(&user)) {
        return Ok(unchanged);
    }
    one(&view, &user, &projection)
}

/// Creates a user, managed by the directory.
pub(super) async fn create(scope: Scope, RawQuery(query): RawQuery, Body(body): Body) -> Answer {
    let projection = Projection::of_query(query.as_deref())?;
    let (edits, directory) = (edits(body)?, scope.directory().to_owned());
    let created = scope.change(move |tx, view| {
        let Some(Edit::UserName(name)) = edits.first() else {
            return Err(ScimError::invalid_value("`userName` is required"));
        };
        check_free(view, name)?;
        let user = tx.create_user(&key_of(name))?;
        user.set_managed_by(Some(&directory))?;
        let id = user.id()?;
        let record = tx.preview().at(tx.instant()).user(id).ok_or_else(ScimError::not_found)?;
        apply(tx, view, &record, &edits)?;
        Ok(id)
    });
    let id = created.await?.to_string();
    let scope = scope.again();
    let view = scope.view();
    let user = found(&view, &id)?;
    Ok(super::created(&view, ResourceKind::User, &id, one(&view, &user, &projection)?))
}

async fn change(scope: Scope, id: String, condition: Condition, query: Option<String>, edits: Vec<Edit>) -> Answer {
    let projection = Projection::of_query(query.as_deref())?;
    let target = id.clone();
    let changed = scope.change(move |tx, view| {
        let user = found(view, &target)?;
        condition.judge(&view.user_version(&user))?;
        apply(tx, view, &user, &edits)
    });
    changed.await?;
    let scope = scope.again();
    let view = scope.view();
    one(&view, &found(&view, &id)?, &projection)
}

/// Replaces a user.
pub(super) async fn replace(
    scope: Scope,
    path: ResourcePath,
    condition: Condition,
    RawQuery(query): RawQuery,
    Body(body): Body,
) -> Answer {
    change(scope, path.id, condition, query, edits(body)?).await
}

/// Changes attributes of a user.
pub(super) async fn patch(
    scope: Scope,
    path: ResourcePath,
    condition: Condition,
    RawQuery(query): RawQuery,
    Body(body): Body,
) -> Answer {
    change(scope, path.id, condition, query, patched(body)?).await
}

/// Deletes a user.
pub(super) async fn delete(scope: Scope, path: ResourcePath, condition: Condition) -> Answer {
    let deleted = scope.change(move |tx, view| {
        let user = found(view, &path.id)?;
        condition.judge(&view.user_version(&user))?;
        Ok(tx.delete_user(user.id)?)
    });
    deleted.await?;
    Ok(super::no_content())
}
