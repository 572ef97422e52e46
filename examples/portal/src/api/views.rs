//! The content of answers.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rolecall::moment::{Inherited, Via, WithOrigin, WithWindow};
use rolecall::records::{GroupRecord, PermissionRecord, Revision, RoleRecord, Status, UserRecord};
use rolecall::{Moment, Page, Timestamp, Window};
use rolecall_axum::Problem;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::request::PartParameters;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The id, which never changes.
    pub id: String,
    /// The machine-readable identifier.
    #[schema(example = "engineering")]
    pub slug: String,
    /// The display name.
    #[schema(example = "Engineering")]
    pub name: String,
    /// The purpose of the group.
    #[schema(example = "Engineering team members")]
    pub description: String,
    /// The directory that manages the group, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The id in the directory, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl From<GroupRecord> for Group {
    fn from(group: GroupRecord) -> Self {
        Self {
            id: group.id.to_string(),
            managed_by: group.managed_by().map(ToString::to_string),
            external_id: group.external_id().map(ToString::to_string),
            slug: group.slug.to_string(),
            name: group.name.to_string(),
            description: group.description.to_string(),
        }
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id, which never changes.
    pub id: String,
    /// The application's name for the user.
    #[schema(example = "alice@acme.com")]
    pub key: String,
    /// The display name; the key if there is none.
    pub name: String,
    /// Whether the user is suspended, and may do nothing.
    pub suspended: bool,
    /// The directory that manages the user, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The id in the directory, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl From<UserRecord> for User {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name().to_owned(),
            suspended: user.status == Status::Suspended,
            managed_by: user.managed_by().map(ToString::to_string),
            external_id: user.external_id().map(ToString::to_string),
            key: user.key.to_string(),
        }
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The id, which never changes.
    pub id: String,
    /// The machine-readable identifier.
    #[schema(example = "editor")]
    pub slug: String,
    /// The display name.
    pub name: String,
    /// The purpose of the role.
    pub description: String,
    /// The origin: `tenant`, `catalog` or `removed_from_catalog`.
    pub origin: String,
}

impl From<WithOrigin<RoleRecord>> for Role {
    fn from(role: WithOrigin<RoleRecord>) -> Self {
        Self {
            id: role.record.id.to_string(),
            slug: role.record.slug.to_string(),
            name: role.record.name.to_string(),
            description: role.record.description.to_string(),
            origin: word(&role.origin),
        }
    }
}

/// A permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// The id, which never changes.
    pub id: String,
    /// The machine-readable identifier.
    #[schema(example = "posts:write")]
    pub slug: String,
    /// The display name.
    pub name: String,
    /// The meaning of the permission.
    pub description: String,
    /// The heading under which a page shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The origin: `tenant`, `catalog` or `removed_from_catalog`.
    pub origin: String,
}

impl From<WithOrigin<PermissionRecord>> for Permission {
    fn from(permission: WithOrigin<PermissionRecord>) -> Self {
        Self {
            id: permission.record.id.to_string(),
            slug: permission.record.slug.to_string(),
            name: permission.record.name.to_string(),
            description: permission.record.description.to_string(),
            category: permission.record.category.map(|category| category.to_string()),
            origin: word(&permission.origin),
        }
    }
}

/// The word of a value that is serialised as one.
pub(crate) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// When a relation is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    /// The first instant; missing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The first instant after the end; missing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether it is active now.
    pub active: bool,
}

impl Active {
    pub(crate) fn new(window: Window, active: bool) -> Self {
        let text = |end: Option<Timestamp>| end.map(|end| end.to_string());
        Self { from: text(window.start()), until: text(window.end()), active }
    }
}

/// An entity at the other end of a relation, and when the relation is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Related<T: ToSchema> {
    /// The entity.
    #[serde(flatten)]
    pub entity: T,
    /// When the relation is active.
    #[serde(flatten)]
    pub window: Active,
}

impl<R, T: From<R> + ToSchema> From<WithWindow<R>> for Related<T> {
    fn from(related: WithWindow<R>) -> Self {
        Self { window: Active::new(related.window, related.active), entity: related.record.into() }
    }
}

/// A group or role that is held directly or through others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sourced<T: ToSchema> {
    /// The group or role.
    #[serde(flatten)]
    pub entity: T,
    /// Where it comes from.
    pub via: Source,
}

/// Where a group or role comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It is held directly.
    Direct,
    /// From the group with this slug.
    Group(String),
    /// From the role with this slug, which includes it.
    Role(String),
}

impl<R, T: From<R> + ToSchema> From<Inherited<R>> for Sourced<T> {
    fn from(inherited: Inherited<R>) -> Self {
        let via = match inherited.via {
            Via::Direct => Source::Direct,
            Via::Group(slug) => Source::Group(slug.to_string()),
            Via::Role(slug) => Source::Role(slug.to_string()),
        };
        Self { entity: inherited.record.into(), via }
    }
}

/// The key by which a part of a list is sorted.
pub(crate) trait Sorted {
    /// The slug, and the id where two entries can have one slug.
    fn slug_and_id(&self) -> (String, String);
}

impl Sorted for GroupRecord {
    fn slug_and_id(&self) -> (String, String) {
        (self.slug.to_string(), self.id.to_string())
    }
}

impl Sorted for WithOrigin<RoleRecord> {
    fn slug_and_id(&self) -> (String, String) {
        (self.slug().to_string(), self.id().to_string())
    }
}

impl Sorted for WithOrigin<PermissionRecord> {
    fn slug_and_id(&self) -> (String, String) {
        (self.slug().to_string(), self.id().to_string())
    }
}

impl<R: Sorted> Sorted for WithWindow<R> {
    fn slug_and_id(&self) -> (String, String) {
        self.record.slug_and_id()
    }
}

impl<R: Sorted> Sorted for Inherited<R> {
    fn slug_and_id(&self) -> (String, String) {
        self.record.slug_and_id()
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListPage<T: ToSchema> {
    /// The entries, in bytewise order of their slugs or keys.
    pub items: Vec<T>,
    /// Where the next page begins, for `after`. Missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T: ToSchema> ListPage<T> {
    /// Converts a page.
    pub(crate) fn of<R: Into<T>>(page: Page<R>) -> Self {
        Self { items: page.items.into_iter().map(Into::into).collect(), next: page.next }
    }

    /// Takes a page from a whole list. A cursor is the slug and the id, because a role of the tenant and one of the catalog
    /// can have one slug. A space sorts before all characters of a slug.
    pub(crate) fn part<R: Into<T> + Sorted>(
        list: impl IntoIterator<Item = R>,
        part: &PartParameters,
    ) -> Result<Self, Problem> {
        let limit = part.limit()?;
        let cursor = |item: &R| {
            let (slug, id) = item.slug_and_id();
            format!("{slug} {id}")
        };
        let mut rest: Vec<(String, R)> = list
            .into_iter()
            .map(|item| (cursor(&item), item))
            .filter(|(cursor, _)| part.after.as_ref().is_none_or(|after| cursor > after))
            .collect();
        rest.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let next = rest.get(limit).and(rest.get(limit - 1)).map(|(cursor, _)| cursor.clone());
        Ok(Self { items: rest.into_iter().take(limit).map(|(_, item)| item.into()).collect(), next })
    }
}

/// The entity tag of an entity: it changes whenever one of its fields changes.
pub fn tag_of(entity: &impl Serialize) -> String {
    let json = serde_json::to_vec(entity).unwrap_or_default();
    let words = Sha256::digest(&json).into_iter().take(16).fold(0_u128, |hash, byte| hash << 8 | u128::from(byte));
    format!("\"{words:032x}\"")
}

/// The entity tag of the whole tenant: it changes with every commit.
pub fn tag_of_revision(revision: Revision) -> String {
    format!("\"revision-{}\"", revision.number())
}

/// Adds an entity tag to an answer.
pub(crate) fn tagged(tag: &str, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The answer to a question about a moment, with the tag of the tenant's revision.
pub(crate) fn at(moment: &Moment<'_>, body: impl Serialize) -> Response {
    tagged(&tag_of_revision(moment.snapshot().revision()), body)
}
