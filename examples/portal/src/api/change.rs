//! A change: a guarded transaction of the token's user, committed or only previewed.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rolecall::plan::DescribedChange;
use rolecall::{Decision, ErrorKind, Plan, Tx};
use rolecall_axum::{Permitted, Problem, RequiredPermission, Subject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::preview::{MOST_LINES, Preview};
use super::request::{Parameters, invalid};
use super::views::{tag_of, tag_of_revision, tagged};
use crate::catalog::Permission;
use crate::deletion::{Deletion, LeftOut};
use crate::state::Principal;

/// A request that changes something: who asks, on which condition, and whether it is only a preview.
#[derive(Debug)]
pub struct Changing<R, Q = PreviewParameter> {
    asking: Permitted<R>,
    principal: Principal,
    condition: Condition,
    query: Q,
}

/// The query of a call that changes something. It refuses parameters that it does not know: a mistyped `preview` would commit.
pub trait ChangeQuery: DeserializeOwned {
    /// Whether the change is only a preview.
    fn is_preview(&self) -> bool;
}

/// The parameters of calls that change something, unless they have others, too.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PreviewParameter {
    /// Commit nothing, and answer with what would change.
    #[serde(default)]
    #[param(required = false)]
    pub preview: bool,
}

impl ChangeQuery for PreviewParameter {
    fn is_preview(&self) -> bool {
        self.preview
    }
}

impl<R: RequiredPermission, Q: ChangeQuery, S: Send + Sync> FromRequestParts<S> for Changing<R, Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asking = Permitted::from_request_parts(parts, state).await?;
        let principal = parts.extensions.get::<Principal>().copied();
        let principal = principal.ok_or_else(|| Problem::unauthenticated(crate::auth::CHALLENGE))?;
        let Parameters(query) = Parameters::from_request_parts(parts, state).await?;
        Ok(Self { asking, principal, condition: Condition::of(&parts.headers)?, query })
    }
}

/// What `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The header is missing.
    None,
    /// Anything that exists: `*`.
    Exists,
    /// One of these tags.
    Tags(Vec<String>),
}

impl Condition {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            let value = value.to_str().map_err(|_| invalid("invalid `If-Match`", "expected entity tags"))?;
            tags.extend(value.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
        }
        Ok(match tags.as_slice() {
            // A client that sends an empty one believes that it has sent a condition.
            [] if headers.contains_key(header::IF_MATCH) => {
                return Err(invalid("invalid `If-Match`", "expected entity tags"));
            }
            [] => Self::None,
            [any] if any == "*" => Self::Exists,
            _ => Self::Tags(tags),
        })
    }

    /// Requires a condition, for calls that replace what another client may have changed.
    pub(crate) fn required(&self) -> Result<(), Problem> {
        if *self != Self::None {
            return Ok(());
        }
        let status = StatusCode::PRECONDITION_REQUIRED;
        let problem = Problem::new(status, "precondition_required", "`If-Match` is required");
        Err(problem
            .with_detail("read the entity, and send its `ETag` in `If-Match`, or `*` to overwrite whatever is there"))
    }

    /// Judges the state that the transaction changes: the entity as it is before, or the whole tenant by its revision.
    pub(crate) fn judge(&self, tx: &Tx, entity: Option<&impl Serialize>) -> Result<(), Problem> {
        let Self::Tags(tags) = self else { return Ok(()) };
        let current = [Some(tag_of_revision(tx.base().revision())), entity.map(tag_of)];
        if tags.iter().any(|tag| current.iter().flatten().any(|current| current == tag)) {
            return Ok(());
        }
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "changed", "somebody else has changed it");
        Err(problem.with_detail("read it again, and decide again"))
    }
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

/// What became of a change.
#[derive(Debug)]
pub enum Applied<T> {
    /// It is committed, as this revision.
    Committed(T, String),
    /// It is not: the preview.
    Previewed(Box<Preview>),
}

impl<R: RequiredPermission + 'static, Q: ChangeQuery> Changing<R, Q> {
    /// Returns the condition of the request.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Returns who asks.
    pub fn principal(&self) -> Principal {
        self.principal
    }

    /// Returns the query.
    pub(crate) fn query(&self) -> &Q {
        &self.query
    }

    /// Requires another permission, too: for a call whose answer contains what that permission is for.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Problem> {
        match self.asking.subject().decide(&self.asking.moment(), permission) {
            Decision::Allowed => Ok(()),
            Decision::Denied(reason) => Err(Problem::denied(reason, permission)),
        }
    }

    /// Plans the change and commits it, or previews it.
    ///
    /// The transaction is guarded by the token's user: it gives nobody a right that this user lacks (R13). The permission is
    /// checked again on the state that is changed, because a commit of somebody else may have taken it away. With a commit
    /// goes a task that logs it, so that a client which hangs up leaves no change without a line in the log.
    ///
    /// A preview tells only what its reader may also ask for: who may do what needs `access:read` and `users:read`.
    ///
    /// # Errors
    /// Those of the closure and of the update. A refusal by the guard names the missing rights to readers with `roles:read` only.
    pub async fn apply<T: Send + 'static>(
        self,
        change: impl FnMut(&Tx, &Condition) -> Result<T, Problem> + Send + 'static,
    ) -> Result<Applied<T>, Problem> {
        self.apply_or_preview(change, |_| None).await
    }

    /// Deletes a group or a role, or previews that, after this judgement. A preview does not plan what happens to each of very
    /// many users.
    ///
    /// # Errors
    /// As [`Changing::apply`].
    pub(crate) async fn delete(
        self,
        deletion: Deletion,
        judge: impl Fn(&Tx, &Condition) -> Result<(), Problem> + Send + 'static,
    ) -> Result<Applied<()>, Problem> {
        let is_preview = self.query.is_preview();
        let delete = move |tx: &Tx, condition: &Condition| {
            judge(tx, condition)?;
            if is_preview {
                return Ok(deletion.preview(tx)?);
            }
            deletion.make(tx)?;
            Ok(None)
        };
        Ok(match self.apply_or_preview(delete, Option::as_ref).await? {
            Applied::Committed(_, revision) => Applied::Committed((), revision),
            Applied::Previewed(preview) => Applied::Previewed(preview),
        })
    }

    async fn apply_or_preview<T: Send + 'static>(
        self,
        mut change: impl FnMut(&Tx, &Condition) -> Result<T, Problem> + Send + 'static,
        left_out: impl Fn(&T) -> Option<&LeftOut>,
    ) -> Result<Applied<T>, Problem> {
        let Self { asking, principal, condition, query } = self;
        let user = principal.user;
        let lists_access = asking.check(Permission::AccessRead) && asking.check(Permission::UsersRead);
        let reads_roles = asking.check(Permission::RolesRead);
        let redacted = move |problem| redacted(problem, reads_roles);
        let mut guarded = move |tx: &Tx| -> Result<T, Problem> {
            let before = tx.base().at(tx.instant());
            if let Decision::Denied(reason) = Subject::Id(user).decide(&before, R::PERMISSION) {
                return Err(Problem::denied(reason, R::PERMISSION));
            }
            if let Some(actor) = before.user(user) {
                tx.set_actor(actor.key.as_str())?;
            }
            tx.set_guard(user);
            change(tx, &condition)
        };
        let tenant = asking.tenant().clone();
        if query.is_preview() {
            let (value, plan) = tenant.try_plan(guarded).map_err(redacted)?;
            let preview = Box::new(Preview::new(&plan, left_out(&value), lists_access));
            discard(plan);
            return Ok(Applied::Previewed(preview));
        }
        let task = tokio::spawn(async move {
            let updated = tenant.try_update(&mut guarded).await?;
            let revision = updated.revision;
            for change in updated.described() {
                // The line has ids only. The names are in the tenant, as long as it has them.
                tracing::info!(by = %user, %revision, change = line(&change), "changed");
            }
            Ok(Applied::Committed(updated.value, tag_of_revision(revision)))
        });
        let done = task.await.unwrap_or_else(|_| {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal.code(), "internal error"))
        });
        done.map_err(redacted)
    }
}

/// Takes the missing rights out of a refusal by the guard, for those who may not read roles.
fn redacted(problem: Problem, reads_roles: bool) -> Problem {
    let is_of_the_guard = problem.error().is_some_and(|error| error.kind() == ErrorKind::Escalation);
    if reads_roles || !is_of_the_guard {
        return problem;
    }
    Problem::new(problem.status(), problem.code(), ErrorKind::Escalation.title())
}

/// Frees a plan that was only previewed. One of 100,000 changes takes a fifth of the preview's time to free, and its client
/// does not wait for that.
pub(crate) fn discard(plan: Plan) {
    if plan.changes().len() > MOST_LINES {
        drop(tokio::task::spawn_blocking(move || drop(plan)));
    }
}

/// A change for the log, by ids: a log with keys would be personal data.
pub(crate) fn line(change: &DescribedChange) -> String {
    let object = change.object.as_ref().map_or_else(String::new, |object| format!(" {} {}", object.entity, object.id));
    let (kind, subject) = (super::views::word(&change.kind), &change.subject);
    format!("{} {kind}: {} {}{object}", super::views::word(&change.change), subject.entity, subject.id)
}

const LOCATION: HeaderName = header::LOCATION;

impl<T> Applied<T> {
    fn answer(self, committed: impl FnOnce(T, &str) -> Response) -> Response {
        match self {
            Self::Committed(value, revision) => committed(value, &revision),
            Self::Previewed(preview) => Json(preview).into_response(),
        }
    }
}

impl<T: Serialize> Applied<T> {
    /// Answers with the entity and its tag: 200.
    pub fn changed(self) -> Response {
        self.answer(|entity, _| tagged(&tag_of(&entity), entity))
    }

    /// Answers with the tag of the tenant's revision: 200.
    pub fn done(self) -> Response {
        self.answer(|value, revision| tagged(revision, value))
    }

    /// Answers with the new entity, its tag and its path: 201.
    pub fn created(self, path: impl FnOnce(&T) -> String) -> Response {
        self.answer(|entity, _| {
            let location = HeaderValue::from_str(&path(&entity));
            let mut response = tagged(&tag_of(&entity), entity);
            *response.status_mut() = StatusCode::CREATED;
            if let Ok(location) = location {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        })
    }
}

impl<T: Serialize> Applied<(T, bool)> {
    /// Answers 201 with a new relation and its path, or 200 with one that was there already.
    pub fn ensured(self, path: impl FnOnce(&T) -> String) -> Response {
        self.answer(|(value, is_new), revision| {
            let location = HeaderValue::from_str(&path(&value));
            let mut response = tagged(revision, value);
            if is_new {
                *response.status_mut() = StatusCode::CREATED;
            }
            if let Ok(location) = location {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        })
    }
}

impl Applied<()> {
    /// Answers without a body: 204.
    pub fn removed(self) -> Response {
        self.answer(|(), _| StatusCode::NO_CONTENT.into_response())
    }
}
