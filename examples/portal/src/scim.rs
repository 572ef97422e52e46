//! SCIM 2.0 (RFC 7643 and 7644): a directory such as Okta or Entra ID keeps its users and groups in the tenant up to date.
//!
//! A token belongs to one directory of one tenant ([`PortalState::add_scim_token`]). The directory manages the users and
//! groups that it creates (R16). Nobody else changes them, and a directory changes nothing else. It also sees nothing else
//! (`scim/view.rs`): neither local users and groups nor those of another directory. A user name that somebody else has is
//! 409, so an existing user is handed over to the directory before the first synchronisation.
//!
//! A directory has no user, so its transactions are not guarded (R13). A new member of a group gets the roles of the group,
//! and a local administrator assigned those. A group comes to a directory by its creation there, without roles, or by
//! somebody who holds all that the group gives (`directories.rs`). A directory never assigns roles.
//!
//! | file | |
//! |---|---|
//! | `scim/users.rs`, `scim/groups.rs` | the calls |
//! | `scim/view.rs` | what a directory sees, as resources |
//! | `scim/body.rs`, `scim/patch.rs`, `scim/query.rs` | how requests are read |
//! | `scim/filter.rs` | filters |
//! | `scim/attribute.rs` | which attributes there are |
//! | `scim/discovery.rs` | the description of all that for clients |
//! | `scim/error.rs` | errors |
//!
//! Not offered: `/Bulk`, `/Me`, sorting, passwords. Attributes of a profile, such as `emails`, are accepted and not kept.

mod attribute;
mod body;
mod discovery;
mod error;
mod filter;
mod patch;
mod query;
mod groups;
mod users;
mod view;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rolecall::error::Quoted;
use rolecall::records::{TenantSlug, UserRecord};
use rolecall::{Moment, Snapshot, Tenant, Timestamp, Tx};
use serde_json::{Value, json};

pub use error::ScimError;
pub use users::key_of;

use crate::deletion::MOST_PLANNED;
use crate::operations::{Operations, Owner, joined};
use crate::state::{DirectoryAccount, PortalState};
use attribute::ResourceKind;
use body::{Attributes, Body};
use filter::{Subject, Test};
use query::ListQuery;
use view::{Room, View};

/// The largest body of a request: a group with some 50,000 members.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The longest time of a request, below that of the whole portal, so that a directory gets an error as SCIM has it.
const MOST_TIME: Duration = Duration::from_secs(25);

type Answer = Result<Response, ScimError>;

/// The calls, under `/t/{tenant}/scim/v2`.
pub fn router(state: PortalState) -> Router<PortalState> {
    let resources = Router::new()
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::schema))
        .route("/Users", get(users::list).post(users::create))
        .route("/Users/.search", post(users::search))
        .route("/Users/{id}", get(users::read).put(users::replace).patch(users::patch).delete(users::delete))
        .route("/Groups", get(groups::list).post(groups::create))
        .route("/Groups/.search", post(groups::search))
        .route("/Groups/{id}", get(groups::read).put(groups::replace).patch(groups::patch).delete(groups::delete))
        .route("/.search", post(search))
        .route("/Bulk", post(not_offered))
        .route("/Me", get(not_offered).post(not_offered).put(not_offered).patch(not_offered).delete(not_offered))
        .fallback(|| async { ScimError::not_found() })
        .method_not_allowed_fallback(|| async {
            ScimError::new(StatusCode::METHOD_NOT_ALLOWED, "the path has no such method")
        })
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(state, authenticate))
        .layer(middleware::from_fn(within_time));
    Router::new().nest("/t/{tenant}/scim/v2", resources)
}

async fn not_offered() -> ScimError {
    ScimError::new(StatusCode::NOT_IMPLEMENTED, "not offered")
}

async fn within_time(request: Request, next: Next) -> Response {
    crate::serve::within(MOST_TIME, request, next).await.unwrap_or_else(|late| {
        let (status, _, text) = late.status();
        ScimError::new(status, text).into_response()
    })
}

/// A request of a directory: its tenant, and one moment of it.
#[derive(Clone, Debug)]
pub struct Scope {
    tenant: Tenant,
    directory: Arc<str>,
    base: Arc<str>,
    snapshot: Snapshot,
    instant: Timestamp,
    operations: Operations,
}

/// Finds out which directory asks. 401 without its token, 404 for a tenant that is not the token's.
async fn authenticate(
    State(state): State<PortalState>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Answer {
    let mut authorizations = request.headers().get_all(AUTHORIZATION).iter();
    // With two of them, a proxy may have judged the other one.
    let one = authorizations.next().filter(|_| authorizations.next().is_none());
    let token = one.and_then(crate::auth::bearer_token);
    let account = token.and_then(|token| state.directory(token)).ok_or_else(ScimError::unauthenticated)?;
    // A path parameter that is not UTF-8 names no resource.
    let parameters = parameters.map_err(|_| ScimError::not_found())?;
    let slug = parameters.iter().find(|(name, _)| *name == "tenant").map(|(_, slug)| slug);
    let tenant = state.authorizer().tenant_by_id(account.tenant).await?;
    let own = tenant.slug();
    let own = own.as_ref().map(TenantSlug::as_str).filter(|own| Some(*own) == slug).ok_or_else(ScimError::not_found)?;
    let base = format!("{}/t/{own}/scim/v2", state.base_url()).into();
    let (snapshot, instant) = moment(&tenant)?;
    let operations = state.operations().clone();
    request.extensions_mut().insert(Scope { tenant, directory: account.name, base, snapshot, instant, operations });
    Ok(next.run(request).await)
}

/// A moment at which the tenant can answer.
fn moment(tenant: &Tenant) -> Result<(Snapshot, Timestamp), ScimError> {
    let now = tenant.now();
    if now.unavailable().is_some() {
        return Err(ScimError::unavailable());
    }
    Ok((now.snapshot(), now.instant()))
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ScimError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ScimError::unauthenticated)
    }
}

impl Scope {
    fn directory(&self) -> &str {
        &self.directory
    }

    fn base(&self) -> &str {
        &self.base
    }

    /// The users and groups that the directory sees.
    fn view(&self) -> View<'_> {
        self.view_at(self.snapshot.at(self.instant))
    }

    fn view_at<'a>(&'a self, moment: Moment<'a>) -> View<'a> {
        View { moment, directory: &self.directory, base: &self.base }
    }

    /// The request at the newest moment, after its own change.
    fn again(&self) -> Self {
        let now = self.tenant.now();
        Self { snapshot: now.snapshot(), instant: now.instant(), ..self.clone() }
    }

    /// Makes a change as one transaction that acts for the directory. The view is the state that the transaction changes.
    ///
    /// With it goes a task that logs the change, so that a client which hangs up leaves no change without a line in the log.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnMut(&Tx, &View<'_>) -> Result<T, ScimError> + Send + 'static,
    ) -> Result<T, ScimError> {
        self.change_members(0, change).await
    }

    /// As [`Scope::change`], for so many members of a group. Many of them take long. The answer waits for that, because RFC 7644
    /// has none for a change that goes on. The threads that serve other requests do not wait.
    ///
    /// # Errors
    /// Those of the closure and of the update. 429 or 503 if too many large changes have not ended yet.
    async fn change_members<T: Send + 'static>(
        &self,
        members: usize,
        mut change: impl FnMut(&Tx, &View<'_>) -> Result<T, ScimError> + Send + 'static,
    ) -> Result<T, ScimError> {
        let owner = DirectoryAccount { tenant: self.tenant.tenant_id(), name: self.directory.clone() };
        let place = (members > MOST_PLANNED).then(|| self.operations.reserve(Owner::Directory(owner))).transpose()?;
        let scope = self.clone();
        let update = async move {
            let updated = scope.tenant.try_update(|tx| {
                tx.set_manager(&scope.directory)?.set_actor(&format!("scim:{}", scope.directory))?;
                change(tx, &scope.view_at(tx.base().at(tx.instant())))
            });
            let updated = updated.await?;
            crate::api::change::log(Quoted(&scope.directory).as_field(), &updated);
            Ok(updated.value)
        };
        let task = tokio::spawn(async move {
            match place {
                Some(place) => place.alone(update).await,
                None => Some(update.await),
            }
        });
        let failed = || ScimError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
        joined(task).await.flatten().unwrap_or_else(|| Err(failed()))
    }
}

/// The id in the path.
#[derive(Debug)]
pub struct ResourcePath {
    id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ResourcePath {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ScimError> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|_| ScimError::not_found())?;
        let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
        Ok(Self { id: id.ok_or_else(ScimError::not_found)? })
    }
}

/// The versions in a header, without the mark of weak ones.
fn versions(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let versions = values.flat_map(|value| value.split(',')).map(|version| version.trim().trim_start_matches("W/"));
    versions.filter(|version| !version.is_empty()).map(str::to_owned).collect()
}

fn is_among(versions: &[String], version: &str) -> bool {
    versions.iter().any(|wanted| wanted == "*" || wanted == version.trim_start_matches("W/"))
}

/// The version that `If-Match` asks for: one of these versions. Nothing if it is empty.
#[derive(Debug)]
pub struct Condition(Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ScimError> {
        let versions = versions(&parts.headers, IF_MATCH);
        if versions.is_empty() && parts.headers.contains_key(IF_MATCH) {
            return Err(ScimError::invalid_value("expected versions in `If-Match`"));
        }
        Ok(Self(versions))
    }
}

impl Condition {
    fn judge(&self, version: &str) -> Result<(), ScimError> {
        if self.0.is_empty() || is_among(&self.0, version) {
            return Ok(());
        }
        Err(ScimError::new(StatusCode::PRECONDITION_FAILED, "somebody else has changed it"))
    }
}

/// The answer to `If-None-Match` with the present version.
fn unchanged(headers: &HeaderMap, version: &str) -> Option<Response> {
    let is_present = is_among(&versions(headers, IF_NONE_MATCH), version);
    is_present.then(|| (StatusCode::NOT_MODIFIED, [(ETAG, version.to_owned())]).into_response())
}

/// An answer with a resource or a list.
fn json_answer(body: Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, error::MEDIA_TYPE);
    response
}

/// An answer with a resource and its version.
fn answer(version: &str, resource: Value) -> Response {
    let mut response = json_answer(resource);
    if let Ok(version) = HeaderValue::from_str(version) {
        response.headers_mut().insert(ETAG, version);
    }
    response
}

fn created(view: &View<'_>, kind: ResourceKind, id: &str, mut response: Response) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(&view.location(kind, id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// If a body says which schemas it has, that of the resource is among them.
fn check_schema(body: &Attributes, kind: ResourceKind) -> Result<(), ScimError> {
    let Some(schemas) = body.get("schemas") else { return Ok(()) };
    let is_schema = |schema: &Value| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(kind.schema()));
    if schemas.as_array().is_some_and(|schemas| schemas.iter().any(is_schema)) {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!("expected `{}` in `schemas`", kind.schema())))
}

/// Lists users and groups, with the parameters in the body.
async fn search(scope: Scope, Body(body): Body) -> Answer {
    let list = ListQuery::of_search(body)?;
    listed(&scope.view(), &[ResourceKind::User, ResourceKind::Group], &list)
}

/// The entries that pass the filter: how many there are, and a part of them.
struct Found<T> {
    total: usize,
    part: Vec<T>,
}

/// Counts all that passes, and takes a part.
fn part<T, R>(from: impl IntoIterator<Item = R>, skip: usize, count: usize, take: impl Fn(R) -> T) -> Found<T> {
    let mut found = Found { total: 0, part: Vec::new() };
    for record in from {
        if found.total >= skip && found.part.len() < count {
            found.part.push(take(record));
        }
        found.total += 1;
    }
    found
}

/// The answer to a list or a search: a part of the matches, and how many there are.
fn listed(view: &View<'_>, kinds: &[ResourceKind], list: &ListQuery) -> Answer {
    let (mut resources, mut total, mut room) = (Vec::new(), 0, Room::default());
    for (kind, test) in tests(kinds, list.filter.as_deref())? {
        let (skip, count) = (list.skip.saturating_sub(total), list.count - resources.len());
        match kind {
            ResourceKind::User => {
                let found = users_passing(view, test.as_ref(), skip, count);
                for user in &found.part {
                    resources.push(view.user_resource(user, &list.projection, &mut room)?);
                }
                total += found.total;
            }
            ResourceKind::Group => {
                let found = groups_passing(view, test.as_ref(), skip, count);
                for group in &found.part {
                    resources.push(view.group_resource(group, &list.projection, &mut room)?);
                }
                total += found.total;
            }
        }
    }
    Ok(json_answer(list_response(total, list.skip + 1, resources)))
}

fn list_response(total: usize, start: usize, resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// The filter for each kind. A search of both kinds leaves out one that has none of its attributes.
fn tests(kinds: &[ResourceKind], filter: Option<&str>) -> Result<Vec<(ResourceKind, Option<Test>)>, ScimError> {
    let Some(filter) = filter else { return Ok(kinds.iter().map(|kind| (*kind, None)).collect()) };
    let (mut tests, mut refused) = (Vec::new(), None);
    for kind in kinds {
        match filter::parse(*kind, filter) {
            Ok(test) => tests.push((*kind, Some(test))),
            Err(error) => refused = Some(error),
        }
    }
    refused.filter(|_| tests.is_empty()).map_or(Ok(tests), Err)
}

fn users_passing(view: &View<'_>, test: Option<&Test>, skip: usize, count: usize) -> Found<UserRecord> {
    if let Some((places, rest)) = test.and_then(Test::places) {
        let passes = |user: &UserRecord| {
            let subject = Subject::user(user);
            rest.iter().all(|test| test.passes(view, &subject))
        };
        // A user who is at several places is taken once, before all of them are gathered.
        let mut met = HashSet::new();
        let users = places.iter().flat_map(|place| view.users_at(place));
        let users = users.filter(|user| (places.len() == 1 || met.insert(user.id)) && passes(user));
        if places.len() == 1 {
            return part(users, skip, count, Cow::into_owned);
        }
        let mut users: Vec<_> = users.collect();
        users.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        return part(users, skip, count, Cow::into_owned);
    }
    let passes = |user: &UserRecord| test.is_none_or(|test| test.passes(view, &Subject::user(user)));
    let users = view.moment.users_managed_by(view.directory).filter(|user| passes(user));
    part(users, skip, count, Clone::clone)
}

fn groups_passing(
    view: &View<'_>,
    test: Option<&Test>,
    skip: usize,
    count: usize,
) -> Found<rolecall::records::GroupRecord> {
    let memberships = test.map(|test| test.memberships(view)).unwrap_or_default();
    if let Some((places, rest)) = test.and_then(Test::places) {
        let passes = |group: &_| rest.iter().all(|test| test.passes(view, &Subject::Group(group, &memberships)));
        let mut met = HashSet::new();
        let groups = places.iter().flat_map(|place| view.groups_at(place));
        let mut groups: Vec<_> = groups.filter(|group| met.insert(group.id) && passes(group)).collect();
        if places.len() > 1 {
            groups.sort_unstable_by(|a, b| a.slug.cmp(&b.slug));
        }
        return part(groups, skip, count, |group| group);
    }
    let passes = |group: &_| test.is_none_or(|test| test.passes(view, &Subject::Group(group, &memberships)));
    let groups = view.moment.groups_managed_by(view.directory).filter(|group| passes(group));
    part(groups, skip, count, Clone::clone)
}
