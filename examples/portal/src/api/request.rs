//! How requests are read. A request that does not fit is an error with problem details.

use std::collections::HashSet;
use std::str::FromStr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use rolecall::{ErrorKind, PageRequest, Timestamp, Window};
use rolecall_axum::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

/// So many entries of a list at most in one answer.
pub const MOST_ENTRIES: usize = 200;

/// So many items at most in the list of one request.
pub const MOST_ITEMS: usize = 1_000;

/// The body of a request, as JSON.
///
/// 400 if it is not JSON, 413 if it is too large, 415 without `Content-Type: application/json`, 422 if it does not fit.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

/// The problem of a body that cannot be read.
pub(crate) fn unreadable(rejection: &JsonRejection) -> Problem {
    let (code, title) = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "body too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media_type", "expected `Content-Type: application/json`"),
        StatusCode::UNPROCESSABLE_ENTITY => ("invalid", "invalid body"),
        _ => ("malformed", "malformed JSON"),
    };
    Problem::new(rejection.status(), code, title).with_detail(rejection.body_text())
}

/// The query of a request. 422 if it does not fit.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(invalid("invalid query", rejection.body_text())),
        }
    }
}

/// The ids in the path. 404 if one of them is not an id, because there is nothing under such a path.
#[derive(Debug)]
pub struct Ids<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(ids)| Self(ids))
            .map_err(|_| Problem::new(StatusCode::NOT_FOUND, "not_found", "no such page or call"))
    }
}

/// The tenant in the path.
#[derive(Debug, Deserialize)]
pub struct TenantPath {
    tenant: String,
}

impl TenantPath {
    /// The beginning of the paths of the API.
    pub(crate) fn base(&self) -> String {
        format!("/t/{}/api/v1", self.tenant)
    }
}

/// Returns the entity that a path names, or 404.
pub(crate) fn found<T>(entity: Option<T>, what: &str) -> Result<T, Problem> {
    let (status, code) = (StatusCode::NOT_FOUND, ErrorKind::NotFound.code());
    entity.ok_or_else(|| Problem::new(status, code, format!("{what} not found")))
}

/// A problem with status 422.
pub(crate) fn invalid(title: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", title).with_detail(detail)
}

/// Parses an id in a body.
pub(crate) fn id<T: FromStr<Err = rolecall::Error>>(text: &str) -> Result<T, Problem> {
    Ok(text.parse()?)
}

/// Parses the ids in a list of a body. There are at most [`MOST_ITEMS`]; the same id twice counts once.
pub(crate) fn ids<T: FromStr<Err = rolecall::Error>>(texts: &[String]) -> Result<Vec<T>, Problem> {
    at_most(texts.len())?;
    let mut met = HashSet::new();
    texts.iter().filter(|text| met.insert(text.as_str())).map(|text| id(text)).collect()
}

/// Refuses a list with too many items.
pub(crate) fn at_most(items: usize) -> Result<(), Problem> {
    if items <= MOST_ITEMS {
        return Ok(());
    }
    Err(invalid("list too long", format!("expected at most {MOST_ITEMS} items, found {items}")))
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// At most this many entries: 1 to 200, otherwise 50.
    pub limit: Option<usize>,
    /// Where the page begins: `next` of the page before.
    pub after: Option<String>,
    /// Only entries whose slug, key or name contains this text, whatever its case.
    pub search: Option<String>,
}

impl ListParameters {
    /// The request for a page.
    pub(crate) fn page(&self) -> Result<PageRequest, Problem> {
        let mut page = PageRequest::of(limit(self.limit)?);
        if let Some(after) = &self.after {
            page = page.after(after);
        }
        if let Some(search) = &self.search {
            page = page.search(search);
        }
        Ok(page)
    }
}

/// Which part of a list that cannot be searched.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PartParameters {
    /// At most this many entries: 1 to 200, otherwise 50.
    pub limit: Option<usize>,
    /// Where the page begins: `next` of the page before.
    pub after: Option<String>,
}

impl PartParameters {
    /// The number of entries, at least one.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

/// The number of entries of a page.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(50) {
        limit @ 1..=MOST_ENTRIES => Ok(limit),
        limit => Err(invalid("invalid limit", format!("expected 1 to {MOST_ENTRIES}, found {limit}"))),
    }
}

/// The time during which a membership, an assignment or a parent link is active. Without both ends: always.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowBody {
    /// The first instant, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The first instant after the end, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl WindowBody {
    pub(crate) fn window(self) -> Result<Window, Problem> {
        window(self.from, self.until)
    }
}

/// The window between these ends.
pub(crate) fn window(from: Option<Timestamp>, until: Option<Timestamp>) -> Result<Window, Problem> {
    Ok(Window::new(from, until)?)
}

/// Entries to add to a list and to remove from it, all of them or none.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListChange {
    /// The entries to add: ids.
    #[serde(default)]
    pub add: Vec<String>,
    /// The entries to remove: ids. One that is not in the list is not an error.
    #[serde(default)]
    pub remove: Vec<String>,
    /// The first instant of what is added, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The first instant after the end of what is added, in RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl ListChange {
    /// The ids to add and to remove, and the window.
    pub(crate) fn parsed<T: FromStr<Err = rolecall::Error> + PartialEq>(
        &self,
    ) -> Result<(Vec<T>, Vec<T>, Window), Problem> {
        at_most(self.add.len().saturating_add(self.remove.len()))?;
        let (add, remove) = (ids::<T>(&self.add)?, ids::<T>(&self.remove)?);
        if add.iter().any(|id| remove.contains(id)) {
            return Err(invalid("invalid body", "the same id is to be added and removed"));
        }
        Ok((add, remove, window(self.from, self.until)?))
    }
}

/// A member that may be missing, `null` or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Update<T> {
    /// It is missing: the old value stays.
    #[default]
    Keep,
    /// It is `null`: the old value goes.
    Clear,
    /// It is a value, which replaces the old one.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Update<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}

impl Update<String> {
    /// The new text, if there is a change; `None` in it clears the text.
    pub(crate) fn change(&self) -> impl Iterator<Item = Option<&str>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(text) => Some(Some(text.as_str())),
        }
        .into_iter()
    }
}
